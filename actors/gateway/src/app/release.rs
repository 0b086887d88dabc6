//! The operator's ways back in: for who lost a device, and for who lost a password.

use std::io::{self, Write as _};

use super::{Failure, no_account, open};
use crate::cli::Whose;
use crate::config::Settings;
use crate::directory::Standalone;
use crate::engine::{Caller, Countersign, DeactivateReason, PrincipalId, Request};
use crate::site::Site;

/// The store that is stopped, who is meant in it, and what they are called.
struct Opened {
    engine: Countersign,
    directory: Standalone,
    principal: PrincipalId,
    name: String,
}

fn opened(settings: &Settings, whose: &Whose) -> Result<Opened, Failure> {
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let engine = open(settings, &Site::of(settings)?)?;
    let directory = Standalone::open(engine.clone())?;
    let account = directory.account().ok_or_else(|| no_account(settings))?;
    let (principal, name) = match &whose.user {
        None => (PrincipalId::Root(account), "the root user".to_owned()),
        Some(user) => {
            let found = engine.user_named(account, user);
            let found = found.ok_or_else(|| format!("there is no user `{user}`; for the root user say `--root`"))?;
            (found.id, found.name.to_string())
        }
    };
    Ok(Opened { engine, directory, principal, name })
}

/// Takes every device, for whom nobody else can: the only administrator (R8), and root whose alternative factors are
/// switched off or do not reach it.
pub(super) fn release(settings: &Settings, whose: &Whose) -> Result<(), Failure> {
    let Opened { engine, principal, name, .. } = opened(settings, whose)?;
    let devices = engine.devices(&principal);
    actix_rt::System::new().block_on(async {
        for device in &devices {
            let request = Request::by(Caller::operator());
            engine.deactivate(request, &principal, &device.serial, DeactivateReason::Lost).await?;
        }
        engine.close().await
    })?;
    let mut out = io::stdout().lock();
    for device in &devices {
        writeln!(out, "released {}", device.serial)?;
    }
    writeln!(out, "{name} has no device any more")?;
    Ok(out.flush()?)
}

/// Gives a new password, and ends what the old one has opened. No device is changed (R108).
pub(super) fn password(settings: &Settings, whose: &Whose) -> Result<(), Failure> {
    let Opened { engine, directory, principal, name } = opened(settings, whose)?;
    let password = actix_rt::System::new().block_on(async {
        let password = directory.give_password(Request::by(Caller::operator()), &principal).await?;
        engine.end_sign_ins(Request::by(Caller::operator()), &principal).await?;
        engine.close().await?;
        Ok::<_, Failure>(password)
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "the new password of {name}, shown this once: {}", password.expose())?;
    Ok(out.flush()?)
}
