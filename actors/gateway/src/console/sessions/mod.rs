//! The sessions of people who are signed in.
//!
//! The cookie holds 256 random bits; the server keeps their hash alone. A session is bound to what was proven
//! when it was opened and never rises above it: a second factor that is proven later opens another session
//! (NT-31). Sessions live in memory and are recorded in the log.

mod records;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::ConsoleError;
use crate::engine::{
    Caller, Countersign, Credential, Error, NewVirtualDevice, PrincipalId, RECORDS_MAX, Request, Serial, UnixMillis,
};
use crate::secret::Secret;
use crate::wire::time::at_ms;
pub(super) use records::Leftover;
use records::{CLOSED, OPENED, Recorded, WIZARD};

/// How long a session lives, in milliseconds.
pub(super) const LIFE_MS: u64 = 12 * 3_600_000;
/// How long it lives without a request, in milliseconds.
pub(super) const IDLE_MS: u64 = 3_600_000;
/// Sessions of one principal; another one closes the oldest.
pub(super) const PER_PRINCIPAL_MAX: usize = 16;
/// How often ended sessions are looked for, in milliseconds.
const SWEEP_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// Bytes of the secret in a cookie.
const SECRET_BYTES: usize = 32;

/// What a session is known by: the hash of its secret.
pub(super) type SessionKey = [u8; 32];

/// A session.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) key: SessionKey,
    /// Whose it is.
    pub(super) principal: PrincipalId,
    /// What was proven when it was opened.
    pub(super) credential: Credential,
    pub(super) opened_at: UnixMillis,
    /// What its wizard has made and nobody has enabled yet.
    pub(super) wizard: Option<Wizard>,
}

/// The virtual device of a wizard under way.
#[derive(Clone)]
pub(super) struct Wizard {
    pub(super) left: Leftover,
    /// Whom it is for.
    pub(super) of: PrincipalId,
    /// The device whose place it takes.
    pub(super) replaces: Option<Serial>,
    /// The device with its secret, to be shown until it is enabled. A restart forgets it.
    pub(super) device: Option<Arc<NewVirtualDevice>>,
}

struct Live {
    session: Session,
    seen_at: UnixMillis,
    /// Which of the sessions it was: instants alone do not tell the oldest.
    number: u64,
}

struct State {
    live: HashMap<SessionKey, Live>,
    opened: u64,
    swept_at: UnixMillis,
}

impl State {
    fn insert(&mut self, session: Session, seen_at: UnixMillis) {
        self.opened += 1;
        self.live.insert(session.key, Live { session, seen_at, number: self.opened });
    }

    fn remove(&mut self, key: &SessionKey) -> Option<Session> {
        self.live.remove(key).map(|live| live.session)
    }

    /// The sessions of a principal, the oldest first.
    fn of(&self, principal: &PrincipalId) -> Vec<SessionKey> {
        let mut of: Vec<_> = self.live.values().filter(|live| live.session.principal == *principal).collect();
        of.sort_by_key(|live| live.number);
        of.into_iter().map(|live| live.session.key).collect()
    }
}

impl Live {
    fn lives(&self, now: UnixMillis) -> bool {
        now < self.session.opened_at.plus_ms(LIFE_MS) && now < self.seen_at.plus_ms(IDLE_MS)
    }
}

/// The sessions of the console.
pub(super) struct Sessions {
    engine: Countersign,
    state: Mutex<State>,
}

impl Sessions {
    /// Reads the sessions that still live from the log: a life is shorter than a day, so two days are enough.
    pub(super) fn read(engine: &Countersign) -> Result<Self, ConsoleError> {
        let now = engine.now();
        let mut state = State { live: HashMap::new(), opened: 0, swept_at: now };
        for day in [UnixMillis(now.0.saturating_sub(DAY_MS)), now] {
            let stream = stream(day);
            let mut after = 0;
            loop {
                let page = engine.read_records(&stream, after, RECORDS_MAX)?;
                let Some(last) = page.last() else { break };
                after = last.version;
                for entry in page {
                    let recorded = records::read(entry.kind, &entry.body).ok_or_else(|| {
                        let (version, kind) = (entry.version, entry.kind);
                        ConsoleError::new(format!(
                            "record {version} of `{stream}` has kind {kind}, which cannot be read"
                        ))
                    })?;
                    fold(&mut state, recorded, entry.at, now);
                }
            }
        }
        Ok(Self { engine: engine.clone(), state: Mutex::new(state) })
    }

    /// Opens a session and gives out the secret of its cookie. It is recorded before anybody has it.
    pub(super) async fn start(
        &self,
        request: Request,
        principal: &PrincipalId,
        credential: Credential,
    ) -> Result<(Secret, Vec<Leftover>), Error> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        self.engine.fill_random(&mut *bytes)?;
        let secret = Secret::new(BASE64URL_NOPAD.encode(&*bytes));
        let key = key_of(secret.expose());
        let opened_at = self.record(request.clone(), OPENED, records::opened(key, principal, credential)).await?;
        let session = Session { key, principal: principal.clone(), credential, opened_at, wizard: None };
        let surplus = {
            let mut state = self.state();
            state.insert(session, opened_at);
            let mut of = state.of(principal);
            of.truncate(of.len().saturating_sub(PER_PRINCIPAL_MAX));
            of
        };
        let mut left = Vec::new();
        for key in surplus {
            left.extend(self.close(request.clone(), &key).await?);
        }
        Ok((secret, left))
    }

    /// The session of a cookie, if it lives; it counts as seen now.
    pub(super) fn find(&self, secret: &str, now: UnixMillis) -> Option<Session> {
        let mut state = self.state();
        let live = state.live.get_mut(&key_of(secret)).filter(|live| live.lives(now))?;
        live.seen_at = live.seen_at.max(now);
        Some(live.session.clone())
    }

    /// Ends a session, at once here and then in the log. What its wizard left over is to be taken away.
    pub(super) async fn close(&self, request: Request, key: &SessionKey) -> Result<Option<Leftover>, Error> {
        let Some(session) = self.state().remove(key) else { return Ok(None) };
        self.record(request, CLOSED, records::closed(*key)).await?;
        Ok(session.wizard.map(|wizard| wizard.left))
    }

    /// Ends every session of a principal but one.
    pub(super) async fn close_others(
        &self,
        request: Request,
        principal: &PrincipalId,
        keep: Option<SessionKey>,
    ) -> Result<Vec<Leftover>, Error> {
        let others: Vec<_> = self.state().of(principal).into_iter().filter(|key| Some(*key) != keep).collect();
        let mut left = Vec::new();
        for key in others {
            left.extend(self.close(request.clone(), &key).await?);
        }
        Ok(left)
    }

    /// Remembers what the wizard of a session has made, or that nothing of it is left over.
    pub(super) async fn leave(&self, request: Request, key: &SessionKey, wizard: Option<Wizard>) -> Result<(), Error> {
        self.record(request, WIZARD, records::wizard(*key, wizard.as_ref().map(|wizard| &wizard.left))).await?;
        if let Some(live) = self.state().live.get_mut(key) {
            live.session.wizard = wizard;
        }
        Ok(())
    }

    /// Ends the sessions whose time is over, now and then; gives what their wizards left over.
    pub(super) async fn sweep(&self, now: UnixMillis) -> Result<Vec<Leftover>, Error> {
        let ended: Vec<SessionKey> = {
            let mut state = self.state();
            if now < state.swept_at.plus_ms(SWEEP_MS) {
                return Ok(Vec::new());
            }
            state.swept_at = now;
            state.live.values().filter(|live| !live.lives(now)).map(|live| live.session.key).collect()
        };
        let mut left = Vec::new();
        for key in ended {
            // Recorded, or the next start would not know that it had been idle for too long.
            left.extend(self.close(Request::by(Caller::operator()), &key).await?);
        }
        Ok(left)
    }

    /// Appends to the stream of today; gives the instant of the record.
    async fn record(&self, request: Request, kind: u16, body: Option<Vec<u8>>) -> Result<UnixMillis, Error> {
        let stream = stream(self.engine.now());
        let ack = self.engine.append_record(request, &stream, None, kind, body.unwrap_or_default()).await?;
        Ok(ack.at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fold(state: &mut State, recorded: Recorded, at: UnixMillis, now: UnixMillis) {
    match recorded {
        Recorded::Opened { key, principal, credential } => {
            let session = Session { key, principal, credential, opened_at: at, wizard: None };
            // Ended ones are kept for the first sweep, which takes away what their wizards left over.
            state.insert(session, now);
        }
        Recorded::Closed { key } => drop(state.remove(&key)),
        Recorded::Wizard { key, leftover } => {
            if let Some(live) = state.live.get_mut(&key) {
                let of = live.session.principal.clone();
                live.session.wizard = leftover.map(|left| Wizard { left, of, replaces: None, device: None });
            }
        }
    }
}

/// The stream of the records of a day.
fn stream(at: UnixMillis) -> String {
    format!("console-sessions/{}", at_ms(at.0).format("%Y-%m-%d"))
}

fn key_of(secret: &str) -> SessionKey {
    Sha256::digest(secret.as_bytes()).into()
}
