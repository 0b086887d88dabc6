//! Routes from a file to transports.

#[cfg(feature = "smpp")]
use std::time::Duration;

use crate::config::Layer;
use crate::site::Site;

/// A site whose files hold what is given by name.
fn site(text: &str, files: &[(&str, &str)]) -> Result<Site, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    let settings = Layer::from_file(&path).and_then(Layer::settle).map_err(|error| error.to_string())?;
    Site::of(&settings)
}

#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
fn names(site: &Site) -> Vec<&str> {
    site.transports.sms.iter().map(|route| route.name.as_str()).collect()
}

#[cfg(feature = "smpp")]
const SMPP: &str = "
[[sms.route]]
name = 'smsc'
kind = 'smpp'
prefixes = ['+49', '+43']
price = 0.07
per-second = 20
window = 30
timeout-s = 5
address = 'smpp://127.0.0.1:1'
system-id = 'countersign'
password-file = 'DIR/password'
source = 'Example'
";

#[test]
#[cfg(feature = "smpp")]
fn an_smsc_becomes_a_route() {
    let made = site(SMPP, &[("password", "secret08\n")]).unwrap();
    let [route] = &made.transports.sms[..] else { panic!("{:?}", names(&made)) };
    assert_eq!(
        (route.name.as_str(), route.price_micros, &route.prefixes[..]),
        ("smsc", 70_000, &["+49", "+43"].map(str::to_owned)[..])
    );
    assert_eq!((route.per_second_max, route.in_flight_max, route.submit_time_max), (20, 30, Duration::from_secs(5)));
    for (wrong, part) in [
        (SMPP.replace("smpp://", "tcp://"), "smpp://host:port"),
        (SMPP.replace("'Example'", "'Countersign Ltd'"), "`source`"),
        (SMPP.replace("'countersign'", "'a name that is too long'"), "`system-id`"),
        (format!("{SMPP}bind = 'both'"), "`bind`"),
        (format!("{SMPP}ids = 'octal'"), "`ids`"),
        (format!("{SMPP}enquire-every-s = 0"), "`enquire-every-s`"),
        (format!("{SMPP}roots-file = 'DIR/none'"), "`roots-file`"),
        (SMPP.replace("DIR/password", "DIR/none"), "`password-file`: cannot read"),
        (SMPP.replace("DIR/password", "DIR/long"), "`password-file` must be"),
    ] {
        let error = site(&wrong, &[("password", "secret08"), ("long", "secret008")]).unwrap_err();
        assert!(error.starts_with("SMS route `smsc`: ") && error.contains(part), "{error}");
        assert!(!error.contains("secret00"), "{error}");
    }
}

#[cfg(feature = "sms-http")]
const TWILIO: &str = "
public-origin = 'https://mfa.example.com'
[sms]
currency = 'USD'
[[sms.route]]
name = 'twilio'
kind = 'twilio'
account-sid = 'ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
auth-token-file = 'DIR/token'
from = '+14155552345'
max-price = 0.05
";
#[cfg(feature = "sms-http")]
const WEBHOOK: &str = "
[[sms.route]]
name = 'hook'
kind = 'webhook'
url = 'https://sms.example.com/messages'
secret-file = 'DIR/secrets'
";

#[test]
#[cfg(feature = "sms-http")]
fn twilio_and_webhooks_become_routes() {
    let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let new = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let files = [("token", "hunter2\n"), ("secrets", &*format!("{old}\n{new}\n")), ("empty", ""), ("bad", "hunter2")];
    let made = site(&format!("{TWILIO}{WEBHOOK}"), &files).unwrap();
    assert_eq!((names(&made), made.console.currency.as_str()), (vec!["twilio", "hook"], "USD"));
    for (wrong, route, part) in [
        (TWILIO.replace("'ACa", "'XYa"), "twilio", "`account-sid`"),
        (TWILIO.replace("'+14155552345'", "'+0'"), "twilio", "`from`"),
        (TWILIO.replace("from = '+14155552345'", "service-sid = 'MG'"), "twilio", "`service-sid`"),
        (TWILIO.replace("from = '+14155552345'", ""), "twilio", "one of `from` and `service-sid`"),
        (format!("{TWILIO}service-sid = 'MG'"), "twilio", "one of `from` and `service-sid`"),
        (format!("{TWILIO}base-url = 'http://twilio.example.com'"), "twilio", "`base-url`"),
        (TWILIO.replace("DIR/token", "DIR/empty"), "twilio", "`auth-token-file`"),
        (WEBHOOK.replace("https", "http"), "hook", "`url` must be https"),
        (WEBHOOK.replace("DIR/secrets", "DIR/empty"), "hook", "`secret-file` must be one"),
        (WEBHOOK.replace("DIR/secrets", "DIR/bad"), "hook", "`secret-file` must each be"),
        (format!("{WEBHOOK}roots-file = 'DIR/bad'"), "hook", "`roots-file`"),
    ] {
        let error = site(&wrong, &files).unwrap_err();
        assert!(error.starts_with(&format!("SMS route `{route}`: ")) && error.contains(part), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

const SNS: &str = "
[[sms.route]]
name = 'cloud'
kind = 'sns'
region = 'eu-central-1'
access-key-id = 'AKIDEXAMPLE'
secret-access-key-file = 'DIR/key'
";

#[test]
#[cfg(feature = "sns")]
fn sns_becomes_a_route() {
    let files = [("key", "hunter2\n")];
    assert_eq!(names(&site(SNS, &files).unwrap()), ["cloud"]);
    for (wrong, part) in [
        (SNS.replace("eu-central-1", "Frankfurt"), "`region`"),
        (SNS.replace("AKIDEXAMPLE", ""), "`access-key-id`"),
        (format!("{SNS}sender-id = '123'"), "`sender-id`"),
        (format!("{SNS}endpoint-url = 'nowhere'"), "`endpoint-url`"),
    ] {
        let error = site(&wrong, &files).unwrap_err();
        assert!(error.starts_with("SMS route `cloud`: ") && error.contains(part), "{error}");
    }
}

#[test]
#[cfg(not(feature = "sns"))]
fn a_kind_that_was_not_built_says_how_to_build_it() {
    let error = site(SNS, &[]).unwrap_err();
    assert_eq!(error, "SMS route `cloud`: this build has no `sns`; build with `--features sns`");
}

#[test]
fn without_routes_nothing_is_sent_and_the_development_outbox_stays() {
    assert!(site("[sms]\nservice = 'Example'", &[]).unwrap().transports.sms.is_empty());
    assert_eq!(site("development-transports = true\n[sms]", &[]).unwrap().transports.sms.len(), 1);
}
