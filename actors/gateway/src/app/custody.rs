//! The commands that take care of keys.

use std::io::{self, Write as _};

use countersign::Layout;
use countersign::store::FileKeyRing;

use super::{Failure, no_account, open};
use crate::cli::Forget;
use crate::config::Settings;
use crate::directory::Standalone;
use crate::engine::{Caller, PrincipalId, Request, Serial, UserId};
use crate::site::Site;

/// Forgets a user who was removed.
pub(super) fn forget(settings: &Settings, ask: &Forget) -> Result<(), Failure> {
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let engine = open(settings, &Site::of(settings)?)?;
    let directory = Standalone::open(engine.clone())?;
    let account = directory.account().ok_or_else(|| no_account(settings))?;
    let id = UserId::new(ask.user_id.as_str())?;
    let records = Standalone::records_of(&id);
    let user = PrincipalId::User(account, id);
    actix_rt::System::new().block_on(async {
        engine
            .forget(Request::by(Caller::operator()), &user, ask.reason.into(), &records.each_ref().map(String::as_str))
            .await?;
        engine.close().await
    })?;
    let mut out = io::stdout().lock();
    let data = settings.data.display();
    writeln!(out, "forgot {user}; a copy of the keys of `{data}` made before could still tell: replace it")?;
    Ok(out.flush()?)
}

/// Takes a hardware token out of the inventory.
pub(super) fn remove_token(settings: &Settings, serial: &str) -> Result<(), Failure> {
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let serial = Serial::new(serial)?;
    let engine = open(settings, &Site::of(settings)?)?;
    actix_rt::System::new().block_on(async {
        let removed = engine.remove_hardware_token(Request::by(Caller::operator()), &serial).await;
        engine.close().await?;
        removed
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "removed {serial}; its seed is destroyed here, destroy the file that it came in as well")?;
    Ok(out.flush()?)
}

/// Adds a key to the ring, for a server that runs.
pub(super) fn add_key(settings: &Settings) -> Result<(), Failure> {
    let ring = Layout::of(&settings.data).key_file;
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let number = FileKeyRing::add_key(&ring)?;
    let mut out = io::stdout().lock();
    writeln!(out, "key {number} is in `{}`; a running server takes it up on SIGHUP", ring.display())?;
    Ok(out.flush()?)
}

/// Takes a key out of the ring that nothing is wrapped by.
pub(super) fn retire_key(settings: &Settings, number: u32) -> Result<(), Failure> {
    let ring = Layout::of(&settings.data).key_file;
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    // Open until the key is gone, so that nothing is wrapped by it meanwhile.
    let engine = open(settings, &Site::of(settings)?)?;
    let used = engine.ring_key_use(number)?;
    let retired = if used.is_nothing() {
        FileKeyRing::retire_key(&ring, number).map_err(Failure::from)
    } else {
        Err(format!("key {number} is needed, it wraps {used}; run `countersign keys rotate` first").into())
    };
    actix_rt::System::new().block_on(engine.close())?;
    retired?;
    let mut out = io::stdout().lock();
    writeln!(out, "key {number} is not in `{}` any more; destroy other copies of it as well", ring.display())?;
    Ok(out.flush()?)
}

/// Adds a key to the ring and wraps every key of the store with it.
pub(super) fn rotate_keys(settings: &Settings) -> Result<(), Failure> {
    let ring = Layout::of(&settings.data).key_file;
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let mut out = io::stdout().lock();
    // What an interrupted rotation left to do comes before another key.
    let (mut done, mut total) = rewrap(settings)?;
    if done == 0 {
        let number = FileKeyRing::add_key(&ring)?;
        writeln!(out, "key {number} is in `{}`", ring.display())?;
        (done, total) = rewrap(settings)?;
    }
    writeln!(out, "{done} keys were wrapped anew; the store has {total} slots")?;
    Ok(out.flush()?)
}

/// Wraps what is not wrapped by the newest key of the ring; says how much that was, and how many slots there are.
fn rewrap(settings: &Settings) -> Result<(u64, u64), Failure> {
    let engine = open(settings, &Site::of(settings)?)?;
    let (mut next, mut done, mut total) = (Some(0), 0, 0);
    while let Some(from) = next {
        let step = engine.rewrap_keys(from)?;
        (next, done, total) = (step.next, done + step.done, step.total);
        tracing::info!(slot = step.next.unwrap_or(total), total, "wrapping keys anew");
    }
    actix_rt::System::new().block_on(engine.close())?;
    Ok((done, total))
}
