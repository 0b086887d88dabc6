//! The commands that make a backup, and a store from one.

use std::io::{self, Write as _};

use countersign::Layout;
use countersign::store::FileKeyRing;
use countersign::store::backup::{self, Restore as From};

use super::{Failure, no_account, open};
use crate::admin::{self, BackupRequest};
use crate::cli::{Backup, Restore};
use crate::config::Settings;
use crate::secret_file::{KEY_FILE_BYTES_MAX, read_file};
use crate::site::Site;

/// Asks the running server for a backup, or makes it without one.
pub(super) fn back_up(settings: &Settings, ask: &Backup) -> Result<(), Failure> {
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let keys_to = ask.keys_to.as_deref().map(admin::absolute).transpose()?;
    let request = BackupRequest { to: admin::absolute(&ask.to)?, keys_to };
    let said = match admin::ask(&settings.data, &request)? {
        Some(answer) => answer?,
        None => {
            let engine = open(settings, &Site::of(settings)?)?;
            let said = request.carry_out(&engine);
            actix_rt::System::new().block_on(engine.close())?;
            said?
        }
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{said}")?;
    Ok(out.flush()?)
}

/// Makes a data directory from a backup.
pub(super) fn restore(settings: &Settings, ask: &Restore) -> Result<(), Failure> {
    let layout = Layout::of(&ask.to);
    if layout.key_file.exists() {
        return Err(format!("`{}` has a key ring already; name a new directory", ask.to.display()).into());
    }
    let checkpoint = ask.checkpoint.as_deref().map(|path| read_file(path, KEY_FILE_BYTES_MAX)).transpose()?;
    let checkpoint = checkpoint.as_deref().map(|bytes| std::str::from_utf8(bytes)).transpose()?;
    let ring = std::sync::Arc::new(FileKeyRing::open(&ask.keyring)?);
    let (verifier_key, keys) = (ask.key.as_deref(), ask.keys.as_path());
    let from = From { backup: &ask.backup, keys, ring, verifier_key, checkpoint };
    let made = backup::restore(&from, &layout.store)?;
    FileKeyRing::copy(&ask.keyring, &layout.key_file)?;
    // The first start: what the log says is forgotten is destroyed, should the keys be older than it.
    let settings = Settings { data: ask.to.clone(), ..settings.clone() };
    let engine = open(&settings, &Site::of(&settings)?)?;
    actix_rt::System::new().block_on(engine.close())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{} entries are in `{}`, as they were signed:", made.entries, ask.to.display())?;
    write!(out, "{}", made.checkpoint)?;
    Ok(out.flush()?)
}
