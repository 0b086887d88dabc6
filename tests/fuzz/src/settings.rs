//! Files of settings.

use countersign_gateway::config::Layer;

use crate::file;

/// Whether a text can be shown in one line of a terminal.
fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// The server's configuration. What is refused is told in one line.
pub fn config(data: &[u8]) {
    let layer = match Layer::from_file(&file("config.toml", data)) {
        Ok(layer) => layer,
        Err(cause) => return assert!(is_one_line(&cause.to_string()), "{cause:?}"),
    };
    let settings = match layer.settle() {
        Ok(settings) => settings,
        Err(cause) => return assert!(is_one_line(&cause.to_string()), "{cause:?}"),
    };
    let _ = settings.check_listen();
    let mut policy = settings.policy.policy();
    if let Some(sms) = &settings.sms {
        sms.govern(&mut policy).expect("what was settled can govern");
        let _ = sms.text(settings.issuer.as_deref(), settings.public_origin.as_deref());
        let _ = format!("{sms:?}");
    }
}

/// A policy. One that is read makes sense as a whole, and what is refused is told in one line.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match countersign_replay::own::policy_file::parse(text) {
        Ok(policy) => {
            assert!(policy.check().is_ok());
            assert_eq!(countersign_replay::own::policy_file::parse(&format!("{text}\n# more")), Ok(policy));
        }
        Err(cause) => assert!(is_one_line(&cause), "{cause:?}"),
    }
}
