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
use records::{CLOSED, OPENED, Recorded, SEEN, WIZARD};

/// How long a session lives, in milliseconds.
pub(super) const LIFE_MS: u64 = 12 * 3_600_000;
/// How long it lives without a request, in milliseconds.
pub(super) const IDLE_MS: u64 = 3_600_000;
/// Sessions of one principal; another one closes the oldest.
pub(super) const PER_PRINCIPAL_MAX: usize = 16;
/// How often ended sessions are looked for, in milliseconds.
const SWEEP_MS: u64 = 60_000;
/// How often it is recorded that a session is in use, in milliseconds: a restart takes it for idle since then.
const SEEN_MS: u64 = 900_000;
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
    /// Which of the principal's passwords it stands by: with a later one it is over.
    pub(super) password: u64,
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
    /// An instant of the day in whose stream all of its records are, so that their order is that of the stream.
    day: UnixMillis,
    seen_at: UnixMillis,
    /// Until when the log knows of its use.
    noted_at: UnixMillis,
    /// Which of the sessions it was: instants alone do not tell the oldest.
    number: u64,
}

impl Live {
    fn lives(&self, now: UnixMillis) -> bool {
        now < self.session.opened_at.plus_ms(LIFE_MS) && now < self.seen_at.plus_ms(IDLE_MS)
    }
}

struct State {
    live: HashMap<SessionKey, Live>,
    opened: u64,
    swept_at: UnixMillis,
    /// Sessions that ended here, but not yet in the log, and the days of their streams.
    owed: HashMap<SessionKey, UnixMillis>,
    /// What ended sessions have left over.
    leftovers: Vec<Leftover>,
}

impl State {
    fn insert(&mut self, session: Session, day: UnixMillis, at: UnixMillis) {
        self.opened += 1;
        let live = Live { session, day, seen_at: at, noted_at: at, number: self.opened };
        self.live.insert(live.session.key, live);
    }

    /// Ends a session; gives the day of its stream.
    fn end(&mut self, key: &SessionKey) -> Option<UnixMillis> {
        let live = self.live.remove(key)?;
        self.leftovers.extend(live.session.wizard.map(|wizard| wizard.left));
        Some(live.day)
    }

    /// The sessions of a principal, the oldest first.
    fn of(&self, principal: &PrincipalId) -> Vec<SessionKey> {
        let mut of: Vec<_> = self.live.values().filter(|live| live.session.principal == *principal).collect();
        of.sort_by_key(|live| live.number);
        of.into_iter().map(|live| live.session.key).collect()
    }

    fn fold(&mut self, recorded: Recorded, day: UnixMillis, at: UnixMillis) {
        match recorded {
            Recorded::Opened { key, principal, credential, password } => {
                let session = Session { key, principal, credential, password, opened_at: at, wizard: None };
                // Ended ones are kept for the first sweep, which takes away what their wizards left over.
                self.insert(session, day, at);
            }
            Recorded::Closed { key } => drop(self.end(&key)),
            Recorded::Seen { key, password } => {
                if let Some(live) = self.live.get_mut(&key) {
                    (live.seen_at, live.noted_at) = (live.seen_at.max(at), live.noted_at.max(at));
                    live.session.password = password;
                }
            }
            Recorded::Wizard { key, leftover } => {
                let Some(live) = self.live.get_mut(&key) else { return };
                live.seen_at = live.seen_at.max(at);
                let of = live.session.principal.clone();
                let next = leftover.map(|left| Wizard { left, of, replaces: None, device: None });
                let before = std::mem::replace(&mut live.session.wizard, next);
                self.leftovers.extend(overtaken(before, live.session.wizard.as_ref()));
            }
        }
    }
}

/// What a wizard leaves over when the next one has made another device. The same device, or none, was enabled or
/// taken away.
fn overtaken(before: Option<Wizard>, next: Option<&Wizard>) -> Option<Leftover> {
    let (before, next) = (before?.left, &next?.left);
    (!before.may_be(next)).then_some(before)
}

/// The sessions of the console.
pub(super) struct Sessions {
    engine: Countersign,
    state: Mutex<State>,
}

impl Sessions {
    /// Reads the sessions that still live from the log: a life is shorter than a day, so two days are enough. The third
    /// one is there for a clock that was set back over midnight.
    pub(super) fn read(engine: &Countersign) -> Result<Self, ConsoleError> {
        let now = engine.now();
        let (owed, leftovers) = (HashMap::new(), Vec::new());
        let mut state = State { live: HashMap::new(), opened: 0, swept_at: now, owed, leftovers };
        for day in [UnixMillis(now.0.saturating_sub(DAY_MS)), now, now.plus_ms(DAY_MS)] {
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
                    state.fold(recorded, day, entry.at);
                }
            }
        }
        Ok(Self { engine: engine.clone(), state: Mutex::new(state) })
    }

    /// Opens a session by a password and gives out the secret of its cookie. It is recorded before anybody has it.
    pub(super) async fn start(
        &self,
        request: Request,
        principal: &PrincipalId,
        credential: Credential,
        password: u64,
    ) -> Result<Secret, Error> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        self.engine.fill_random(&mut *bytes)?;
        let secret = Secret::new(BASE64URL_NOPAD.encode(&*bytes));
        let (key, day) = (key_of(secret.expose()), self.engine.now());
        let body = records::opened(key, principal, credential, password);
        let opened_at = self.record(request.clone(), day, OPENED, body).await?;
        let session = Session { key, principal: principal.clone(), credential, password, opened_at, wizard: None };
        let surplus = {
            let mut state = self.state();
            state.insert(session, day, opened_at);
            let mut of = state.of(principal);
            of.truncate(of.len().saturating_sub(PER_PRINCIPAL_MAX));
            of
        };
        for key in surplus {
            // What cannot be recorded is owed, and no reason to keep the person out.
            drop(self.close(request.clone(), &key).await);
        }
        Ok(secret)
    }

    /// The session of a cookie, if it lives; it counts as seen now. Whether its password is still the present one is for
    /// the directory to say.
    pub(super) fn find(&self, secret: &str, now: UnixMillis) -> Option<Session> {
        let mut state = self.state();
        let live = state.live.get_mut(&key_of(secret)).filter(|live| live.lives(now))?;
        live.seen_at = live.seen_at.max(now);
        Some(live.session.clone())
    }

    /// Records that a session is in use, now and then, so that it is not taken for idle after a restart, nor for used.
    pub(super) async fn note(&self, request: Request, key: &SessionKey) -> Result<(), Error> {
        let due = {
            let mut state = self.state();
            let live = state.live.get_mut(key).filter(|live| live.seen_at >= live.noted_at.plus_ms(SEEN_MS));
            live.map(|live| {
                live.noted_at = live.seen_at;
                (live.day, live.session.password)
            })
        };
        let Some((day, password)) = due else { return Ok(()) };
        self.record(request, day, SEEN, records::seen(*key, password)).await.map(drop)
    }

    /// Lets a session stand by a new password, which was set in it.
    pub(super) async fn stand_by(&self, request: Request, key: &SessionKey, password: u64) -> Result<(), Error> {
        let day = self.state().live.get_mut(key).map(|live| {
            live.session.password = password;
            live.day
        });
        let Some(day) = day else { return Ok(()) };
        self.record(request, day, SEEN, records::seen(*key, password)).await.map(drop)
    }

    /// Ends a session, at once here and then in the log. What cannot be recorded now is by the next sweep.
    pub(super) async fn close(&self, request: Request, key: &SessionKey) -> Result<(), Error> {
        let day = {
            let mut state = self.state();
            let Some(day) = state.end(key) else { return Ok(()) };
            // Owed before it is tried, for whoever waits for this may go away in the middle.
            state.owed.insert(*key, day);
            day
        };
        self.record_close(request, key, day).await
    }

    async fn record_close(&self, request: Request, key: &SessionKey, day: UnixMillis) -> Result<(), Error> {
        self.record(request, day, CLOSED, records::closed(*key)).await?;
        self.state().owed.remove(key);
        Ok(())
    }

    /// Ends every session of a principal but one.
    pub(super) async fn close_others(
        &self,
        request: Request,
        principal: &PrincipalId,
        keep: Option<SessionKey>,
    ) -> Result<(), Error> {
        let others: Vec<_> = self.state().of(principal).into_iter().filter(|key| Some(*key) != keep).collect();
        let mut result = Ok(());
        for key in others {
            result = result.and(self.close(request.clone(), &key).await);
        }
        result
    }

    /// Remembers what the wizard of a session has made or is about to make, or that nothing of it is left over.
    pub(super) async fn leave(&self, request: Request, key: &SessionKey, wizard: Option<Wizard>) -> Result<(), Error> {
        let day = {
            let mut state = self.state();
            let Some(live) = state.live.get_mut(key) else {
                // The session has just ended.
                state.leftovers.extend(wizard.map(|wizard| wizard.left));
                return Ok(());
            };
            let before = std::mem::replace(&mut live.session.wizard, wizard.clone());
            let (day, over) = (live.day, overtaken(before, wizard.as_ref()));
            state.leftovers.extend(over);
            day
        };
        let body = records::wizard(*key, wizard.as_ref().map(|wizard| &wizard.left));
        self.record(request, day, WIZARD, body).await.map(drop)
    }

    /// Gives up the wizard of a session, for another run of it: its device is to be taken away.
    pub(super) fn abandon(&self, key: &SessionKey) {
        let mut state = self.state();
        let wizard = state.live.get_mut(key).and_then(|live| live.session.wizard.take());
        state.leftovers.extend(wizard.map(|wizard| wizard.left));
    }

    /// Ends the sessions whose time is over, now and then, and says whether it was time. What fails is tried again by the
    /// next one.
    pub(super) async fn sweep(&self, now: UnixMillis) -> bool {
        let owed: Vec<(SessionKey, UnixMillis)> = {
            let mut state = self.state();
            if now < state.swept_at.plus_ms(SWEEP_MS) {
                return false;
            }
            state.swept_at = now;
            let ended: Vec<_> =
                state.live.values().filter(|live| !live.lives(now)).map(|live| live.session.key).collect();
            for key in ended {
                if let Some(day) = state.end(&key) {
                    state.owed.insert(key, day);
                }
            }
            state.owed.iter().map(|(key, day)| (*key, *day)).collect()
        };
        for (key, day) in owed {
            if let Err(error) = self.record_close(Request::by(Caller::operator()), &key, day).await {
                tracing::warn!(%error, "the end of a session is not recorded yet");
            }
        }
        true
    }

    /// What ended sessions have left over, to be taken away.
    pub(super) fn leftovers(&self) -> Vec<Leftover> {
        self.state().leftovers.clone()
    }

    /// A leftover that is taken away.
    pub(super) fn taken_away(&self, leftover: &Leftover) {
        self.state().leftovers.retain(|left| left != leftover);
    }

    /// The sessions with a device that nobody has enabled, as far as they know.
    pub(super) fn wizards(&self) -> Vec<(SessionKey, Leftover)> {
        let state = self.state();
        let of = |live: &Live| Some((live.session.key, live.session.wizard.as_ref()?.left.clone()));
        state.live.values().filter_map(of).collect()
    }

    /// Appends to the stream of a day; gives the instant of the record.
    async fn record(
        &self,
        request: Request,
        day: UnixMillis,
        kind: u16,
        body: Option<Vec<u8>>,
    ) -> Result<UnixMillis, Error> {
        let ack = self.engine.append_record(request, &stream(day), None, kind, body.unwrap_or_default()).await?;
        Ok(ack.at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of the records of a day.
fn stream(at: UnixMillis) -> String {
    format!("console-sessions/{}", at_ms(at.0).format("%Y-%m-%d"))
}

fn key_of(secret: &str) -> SessionKey {
    Sha256::digest(secret.as_bytes()).into()
}
