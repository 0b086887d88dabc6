//! What an operator asks of a running server: a socket in its data directory, which only its owner can reach.
//!
//! A request is one line, and so is the answer: `ok` or `error`, a space, and a text. The one request that there is now,
//! `backup`, has the backup's directory and that of the copy of the keys, each in hexadecimal; the second may be missing.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::engine::Countersign;

/// The socket's name in the data directory.
const SOCKET: &str = "admin";
/// How long a request may take to come in, and an answer to go out.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nobody is heard after somebody could not be.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest request: two paths in hexadecimal.
const LINE_BYTES_MAX: u64 = 4 * 4096 + 64;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// A backup that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupRequest {
    /// A new directory for the log.
    pub to: PathBuf,
    /// Where the wrapped keys are copied to, in place of the copy before.
    pub keys_to: Option<PathBuf>,
}

impl BackupRequest {
    fn line(&self) -> String {
        let hex = |path: &Path| HEXLOWER.encode(path.as_os_str().as_bytes());
        let keys_to = self.keys_to.as_deref().map(hex).unwrap_or_default();
        format!("backup {} {keys_to}\n", hex(&self.to))
    }

    fn parse(line: &str) -> Option<Self> {
        let path = |hex: &str| -> Option<PathBuf> {
            let bytes = HEXLOWER.decode(hex.as_bytes()).ok().filter(|bytes| !bytes.is_empty())?;
            Some(PathBuf::from(OsString::from_vec(bytes))).filter(|path| path.is_absolute())
        };
        let (to, keys_to) = line.strip_suffix('\n')?.strip_prefix("backup ")?.split_once(' ')?;
        let keys_to = if keys_to.is_empty() { None } else { Some(path(keys_to)?) };
        Some(Self { to: path(to)?, keys_to })
    }

    /// Does it with an engine that is open; says what was done.
    pub(crate) fn carry_out(&self, engine: &Countersign) -> Result<String, String> {
        let made = engine.backup(&self.to).map_err(|error| error.to_string())?;
        // After the log: the copy has every key that the backup needs.
        let kept = self.keys_to.as_deref().map(|dir| engine.copy_keys(dir).map(|()| dir)).transpose();
        let kept = kept.map_err(|error| format!("the log was backed up, but its keys were not copied: {error}"))?;
        let mut said = format!("{} entries are in `{}`", made.entries, self.to.display());
        if let Some(dir) = kept {
            said.push_str(&format!("; the wrapped keys are in `{}`", dir.display()));
        }
        Ok(said)
    }
}

/// Asks the server of a data directory; `None` when there is none that listens.
///
/// # Errors
/// When the server does not answer, or does not do it; then the text says why.
pub fn ask(data: &Path, request: &BackupRequest) -> io::Result<Option<Result<String, String>>> {
    let mut stream = match UnixStream::connect(data.join(SOCKET)) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        other => other?,
    };
    stream.write_all(request.line().as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).take(ANSWER_BYTES_MAX).read_line(&mut answer)?;
    let answer = answer.trim_end();
    Ok(Some(match (answer.strip_prefix("ok "), answer.strip_prefix("error ")) {
        (Some(said), _) => Ok(said.to_owned()),
        (None, Some(why)) => Err(why.to_owned()),
        (None, None) => Err("the server broke off; look into its log".to_owned()),
    }))
}

/// Removes the socket when the server ends.
#[derive(Debug)]
pub(crate) struct AdminSocket(PathBuf);

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Whoever finds a dead socket is told that nobody listens.
        let _left = std::fs::remove_file(&self.0);
    }
}

/// Listens in a data directory that this process alone has open, until the value is dropped and the process ends.
///
/// # Errors
/// When the socket cannot be made: its path is too long for one, or the directory is not ours.
pub(crate) fn listen(data: &Path, engine: Countersign) -> io::Result<AdminSocket> {
    let path = data.join(SOCKET);
    // One that a killed server left; nobody else has the store open.
    match std::fs::remove_file(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    let socket = AdminSocket(path.clone());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    let listener = actix_rt::net::UnixListener::from_std(listener)?;
    actix_rt::spawn(async move {
        loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                // One after another: a backup reads the whole log.
                Ok(stream) => {
                    let engine = engine.clone();
                    let answered = actix_rt::task::spawn_blocking(move || answer(stream, &engine)).await;
                    match answered.map_err(io::Error::other) {
                        Ok(Ok(())) => {}
                        Ok(Err(cause)) | Err(cause) => tracing::warn!(%cause, "an operator was not answered"),
                    }
                }
                Err(cause) => {
                    tracing::warn!(%cause, "an operator could not be heard");
                    // Such as when there are too many open files: not to be asked again at once.
                    let _over = actix_rt::time::timeout(PAUSE, std::future::pending::<()>()).await.is_err();
                }
            }
        }
    });
    Ok(socket)
}

fn answer(mut stream: UnixStream, engine: &Countersign) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LINE_TIMEOUT))?;
    stream.set_write_timeout(Some(LINE_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).take(LINE_BYTES_MAX).read_line(&mut line)?;
    let done = BackupRequest::parse(&line).ok_or_else(|| "the request is not understood".to_owned());
    let (word, text) = match done.and_then(|request| request.carry_out(engine)) {
        Ok(said) => ("ok", said),
        Err(why) => {
            tracing::error!(why, "what an operator asked for was not done");
            ("error", why)
        }
    };
    stream.write_all(format!("{word} {}\n", text.replace('\n', " ")).as_bytes())
}

/// A path that does not depend on where a process stands.
///
/// # Errors
/// When it is not known where that is.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str() == OsStr::new("") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a directory has to be named"));
    }
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_and_nothing_else_is_one() {
        for keys_to in [None, Some(PathBuf::from("/k ey"))] {
            let request = BackupRequest { to: "/a b\nc".into(), keys_to };
            assert_eq!(BackupRequest::parse(&request.line()), Some(request));
        }
        for bad in [
            "",
            "backup",
            "backup \n",
            "backup 2f61\n",
            "backup 61 \n",
            "backup zz \n",
            "backup 2f61 zz\n",
            "backup 2f61 ",
        ] {
            assert_eq!(BackupRequest::parse(bad), None, "{bad}");
        }
    }
}
