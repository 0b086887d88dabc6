//! What a principal was asked and has not answered: open sign-ins, challenges to keys, codes that were sent.
//!
//! Everything here is answered once, by an event that takes it away, and forgotten when its time is over or
//! when there is too much of it: the oldest goes first.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::device::{PhoneNumber, Serial};
use crate::event::{AlternativeFactor, Event, KeyChallengeIssued, KeyForm, SignInStarted, SmsCodeIssued};
use crate::ids::{AttemptId, ChallengeId, StreamId, UnixMillis};
use crate::policy::Policy;
use crate::secret::{ChallengeSecret, Opaque};
use crate::totp::Attempts;

/// Sign-ins that one principal may have open.
pub const OPEN_MAX: usize = 16;
/// Challenges to keys that one sign-in may have open, and the registrations of one principal together.
pub const CHALLENGES_OPEN_MAX: usize = 8;

/// Refused proofs after which a sign-in has to be begun anew, from the password on.
pub const REFUSALS_MAX: u8 = 50;

/// What is open for one principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Sign-ins whose password was right, oldest first.
    pub sign_ins: Vec<SignIn>,
    /// Challenges to security keys, oldest first.
    pub keys: Vec<KeyChallenge>,
    /// Codes that were sent, the newest of each device.
    pub codes: Vec<SentCode>,
    /// Registrations of keys that were begun in the current attempt window.
    pub asked: Attempts,
    /// Codes sent by SMS in the current sending window.
    pub sent: Sent,
    /// Recovery mails in the current sending window.
    pub mails: Sent,
    /// Recovery calls in the current sending window.
    pub calls: Sent,
}

/// An open sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The attempt.
    pub id: AttemptId,
    /// Until when it may be completed.
    pub until: UnixMillis,
    /// Whether a linked principal's device is asked for as well (A6).
    pub associate: Associate,
    /// Root's e-mail as an alternative factor (R130).
    pub mail: Alternative,
    /// Root's phone as an alternative factor.
    pub phone: Alternative,
    /// Proofs that were refused.
    pub refusals: u8,
    /// Challenges to keys.
    pub challenges: u32,
    /// Where it was begun.
    pub client: Client,
}

/// The linked principal's part in a sign-in (R5, A6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Associate {
    /// It has none.
    None,
    /// Its device is to be proven first.
    Wanted(StreamId),
    /// Its device was proven; the mark is a keyed hash of the code.
    Proven([u8; 16]),
}

/// An alternative factor in one sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alternative {
    /// Not asked for.
    NotAsked,
    /// A code was sent, or a call was made.
    Asked(Asked),
    /// Proven.
    Proven,
}

/// An alternative factor that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The challenge.
    pub challenge: ChallengeId,
    /// What the code follows from.
    pub secret: ChallengeSecret,
    /// Until when it may be answered.
    pub until: UnixMillis,
    /// Wrong answers so far.
    pub tries: u8,
}

impl SignIn {
    fn started(started: &SignInStarted) -> Self {
        let associate = started.associate.map_or(Associate::None, Associate::Wanted);
        let (mail, phone) = (Alternative::NotAsked, Alternative::NotAsked);
        let (id, until, client) = (started.attempt, started.until, started.client.clone());
        Self { id, until, associate, mail, phone, refusals: 0, challenges: 0, client }
    }

    /// One of the alternative factors.
    #[must_use]
    pub const fn alternative(&self, factor: AlternativeFactor) -> &Alternative {
        match factor {
            AlternativeFactor::Mail => &self.mail,
            AlternativeFactor::Phone => &self.phone,
        }
    }

    const fn alternative_mut(&mut self, factor: AlternativeFactor) -> &mut Alternative {
        match factor {
            AlternativeFactor::Mail => &mut self.mail,
            AlternativeFactor::Phone => &mut self.phone,
        }
    }
}

/// A challenge to security keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChallenge {
    /// The challenge.
    pub id: ChallengeId,
    /// Which keys are asked.
    pub form: KeyForm,
    /// What for.
    pub ceremony: Ceremony,
    /// Until when it may be answered.
    pub until: UnixMillis,
    /// What the answer is checked against.
    pub state: Opaque,
}

/// What a security key is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ceremony {
    /// To prove itself in a sign-in.
    SignIn(AttemptId),
    /// To register under an ARN, and perhaps to take the place of a device.
    Registration {
        /// The ARN.
        serial: Serial,
        /// The device that goes.
        replaces: Option<StreamId>,
    },
}

impl KeyChallenge {
    fn issued(issued: &KeyChallengeIssued) -> Option<Self> {
        let ceremony = match (issued.attempt, &issued.serial) {
            (Some(attempt), None) => Ceremony::SignIn(attempt),
            (None, Some(serial)) => Ceremony::Registration { serial: serial.clone(), replaces: issued.replaces },
            _ => return None,
        };
        let KeyChallengeIssued { challenge, form, until, ref state, .. } = *issued;
        Some(Self { id: challenge, form, ceremony, until, state: state.clone() })
    }
}

/// A code that was sent by SMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCode {
    /// The challenge.
    pub id: ChallengeId,
    /// The device; for an enrolment, the one that it will make.
    pub device: StreamId,
    /// What the code is good for.
    pub errand: Errand,
    /// What the code follows from.
    pub secret: ChallengeSecret,
    /// Until when it is good.
    pub until: UnixMillis,
    /// Wrong codes so far.
    pub tries: u8,
}

/// What a sent code is good for: a code for one thing is none for another (NT-44).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// One sign-in.
    SignIn(AttemptId),
    /// Enrolling a number.
    Enrolment(PhoneNumber),
}

impl SentCode {
    fn issued(issued: &SmsCodeIssued) -> Option<Self> {
        let errand = match (issued.attempt, &issued.phone) {
            (Some(attempt), None) => Errand::SignIn(attempt),
            (None, Some(phone)) => Errand::Enrolment(phone.clone()),
            _ => return None,
        };
        let SmsCodeIssued { challenge, device, ref secret, until, .. } = *issued;
        Some(Self { id: challenge, device, errand, secret: secret.clone(), until, tries: 0 })
    }
}

/// Codes that were sent to one principal in a sending window (A15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Number of the window since the epoch.
    pub window: u64,
    /// Codes in it.
    pub count: u32,
    /// When the last one was decided.
    pub last: Option<UnixMillis>,
}

impl Sent {
    /// The sending window of an instant.
    #[must_use]
    pub fn window_at(now: UnixMillis, policy: &Policy) -> u64 {
        now.secs() / u64::from(policy.sms_sends_window_s.max(1))
    }

    /// The sending window that counts now. As for [`Attempts::current`], a clock set back within the policy's
    /// tolerance does not reopen an old one, and a window further ahead counts no more.
    #[must_use]
    pub fn current(&self, now: UnixMillis, policy: &Policy) -> u64 {
        let (by_clock, furthest) = (Self::window_at(now, policy), Self::window_at(furthest(now, policy), policy));
        if (by_clock..=furthest).contains(&self.window) { self.window } else { by_clock }
    }

    /// When the next code may be sent; `None` is now.
    #[must_use]
    pub fn again_at(&self, now: UnixMillis, policy: &Policy) -> Option<UnixMillis> {
        let pause_ms = u64::from(policy.sms_again_after_s).saturating_mul(1000);
        // A clock that was further ahead than is borne does not stop the sending (A4).
        let borne = |last: &UnixMillis| *last <= furthest(now, policy);
        let paused = self.last.filter(borne).map(|last| last.plus_ms(pause_ms));
        let window = self.current(now, policy);
        let spent = self.window == window && self.count >= policy.sms_sends_max;
        let next = UnixMillis::from_secs(window.saturating_add(1).saturating_mul(policy.sms_sends_window_s.into()));
        [paused, spent.then_some(next)].into_iter().flatten().filter(|at| *at > now).max()
    }

    fn count(&mut self, window: u64, at: UnixMillis) {
        if window != self.window {
            *self = Self { window, count: 0, last: None };
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(at);
    }
}

/// How far ahead of now a recorded instant may be: the clock is borne to go back by so much (A40).
const fn furthest(now: UnixMillis, policy: &Policy) -> UnixMillis {
    now.plus_ms((policy.clock_back_max_s as u64).saturating_mul(1000))
}

impl Pending {
    /// The open sign-in of this id.
    #[must_use]
    pub fn sign_in(&self, id: AttemptId, now: UnixMillis) -> Option<&SignIn> {
        self.sign_ins.iter().find(|open| open.id == id && open.until > now)
    }

    /// The open challenge of this id.
    #[must_use]
    pub fn key(&self, id: ChallengeId, now: UnixMillis) -> Option<&KeyChallenge> {
        self.keys.iter().find(|open| open.id == id && open.until > now)
    }

    /// The newest code that was sent to a device.
    #[must_use]
    pub fn code(&self, device: StreamId) -> Option<&SentCode> {
        self.codes.iter().find(|code| code.device == device)
    }

    /// Folds an event; `None` when it cannot follow.
    pub(super) fn fold(&mut self, event: &Event, at: UnixMillis) -> Option<()> {
        self.sign_ins.retain(|open| open.until > at);
        self.keys.retain(|open| open.until > at);
        match event {
            Event::SignInStarted(started) => {
                // Starting over makes what was proven before worthless (A23).
                for open in &mut self.sign_ins {
                    (open.mail, open.phone) = (Alternative::NotAsked, Alternative::NotAsked);
                }
                self.make_room(started.client.address());
                self.sign_ins.push(SignIn::started(started));
            }
            Event::SignInsEnded(_) => {
                self.sign_ins.clear();
                self.keys.clear();
                self.codes.clear();
            }
            Event::SignedIn(done) => self.end(done.attempt),
            Event::SignInRefused(refused) => {
                let open = self.attempt(refused.attempt)?;
                open.refusals = open.refusals.saturating_add(1);
                if open.refusals >= REFUSALS_MAX {
                    self.end(refused.attempt);
                }
            }
            Event::AssociateProven(proven) => self.attempt(proven.attempt)?.associate = Associate::Proven(proven.mark),
            Event::KeyChallengeIssued(issued) => {
                match issued.attempt {
                    Some(attempt) => self.attempt(attempt)?.challenges += 1,
                    None => self.asked.count(issued.window),
                }
                let challenge = KeyChallenge::issued(issued)?;
                self.make_room_for(&challenge.ceremony);
                self.keys.push(challenge);
            }
            Event::KeyRegistered(done) => self.keys.retain(|open| open.id != done.challenge),
            Event::KeyAccepted(done) => self.keys.retain(|open| open.id != done.challenge),
            Event::KeyRefused(done) => self.keys.retain(|open| open.id != done.challenge),
            Event::SmsCodeIssued(issued) => {
                self.sent.count(issued.window, at);
                self.codes.retain(|code| code.device != issued.device && code.until > at);
                push(&mut self.codes, SentCode::issued(issued)?);
            }
            Event::SmsCodeAccepted(done) => self.codes.retain(|code| code.id != done.challenge),
            Event::SmsCodeRefused(done) => {
                let code = self.codes.iter_mut().find(|code| code.id == done.challenge)?;
                code.tries = code.tries.saturating_add(1);
            }
            Event::AlternativeIssued(issued) => {
                self.sent_mut(issued.factor).count(issued.window, at);
                let (challenge, secret, until) = (issued.challenge, issued.secret.clone(), issued.until);
                let asked = Asked { challenge, secret, until, tries: 0 };
                *self.attempt(issued.attempt)?.alternative_mut(issued.factor) = Alternative::Asked(asked);
            }
            Event::AlternativeProven(done) => {
                *self.attempt(done.attempt)?.alternative_mut(done.factor) = Alternative::Proven;
            }
            Event::AlternativeRefused(done) => match self.attempt(done.attempt)?.alternative_mut(done.factor) {
                Alternative::Asked(asked) => asked.tries = asked.tries.saturating_add(1),
                Alternative::NotAsked | Alternative::Proven => return None,
            },
            _ => return None,
        }
        Some(())
    }

    /// Forgets what was asked of a device that is gone.
    pub(super) fn forget(&mut self, device: StreamId) {
        self.codes.retain(|code| code.device != device);
    }

    /// A full list makes room for a sign-in from an address by that address's own oldest one, so that nobody drives out
    /// somebody else's from afar.
    fn make_room(&mut self, address: &str) {
        if self.sign_ins.len() >= OPEN_MAX {
            let own = self.sign_ins.iter().position(|open| open.client.address() == address);
            self.sign_ins.remove(own.unwrap_or(0));
        }
    }

    /// A sign-in, and the registrations together, have so many challenges open; the oldest makes room.
    fn make_room_for(&mut self, ceremony: &Ceremony) {
        let same = |open: &KeyChallenge| match (&open.ceremony, ceremony) {
            (Ceremony::SignIn(one), Ceremony::SignIn(other)) => one == other,
            (Ceremony::Registration { .. }, Ceremony::Registration { .. }) => true,
            _ => false,
        };
        if self.keys.iter().filter(|open| same(open)).count() >= CHALLENGES_OPEN_MAX {
            let oldest = self.keys.iter().position(same);
            self.keys.remove(oldest.unwrap_or(0));
        }
    }

    /// What was sent for one of the alternative factors.
    #[must_use]
    pub const fn sent_for(&self, factor: AlternativeFactor) -> &Sent {
        match factor {
            AlternativeFactor::Mail => &self.mails,
            AlternativeFactor::Phone => &self.calls,
        }
    }

    const fn sent_mut(&mut self, factor: AlternativeFactor) -> &mut Sent {
        match factor {
            AlternativeFactor::Mail => &mut self.mails,
            AlternativeFactor::Phone => &mut self.calls,
        }
    }

    fn attempt(&mut self, id: AttemptId) -> Option<&mut SignIn> {
        self.sign_ins.iter_mut().find(|open| open.id == id)
    }

    /// A sign-in is over, and with it what was asked for it.
    fn end(&mut self, id: AttemptId) {
        self.sign_ins.retain(|open| open.id != id);
        self.keys.retain(|open| !matches!(open.ceremony, Ceremony::SignIn(attempt) if attempt == id));
        self.codes.retain(|code| !matches!(code.errand, Errand::SignIn(attempt) if attempt == id));
    }
}

/// Adds to a bounded list; the oldest makes room.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= OPEN_MAX {
        list.remove(0);
    }
    list.push(item);
}
