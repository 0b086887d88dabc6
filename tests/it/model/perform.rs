//! What each command does, by the rules: every reason against it is collected, the first in order is
//! given, and only when there is none are codes looked at.

use std::collections::BTreeMap;

use countersign::{Channel, Purpose};
use countersign_tests::authenticator::{STEP_S, remembered};

use super::cast::{PEOPLE, THINGS, Thing, is_virtual, known_as, secret, token_secret};
use super::facts::{Fact, Fault, History};
use super::rules::{CLOCK_BACK_MS, Rules, WINDOW_S};

/// Who asks. `mfa` is about a session; a long-term key has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// `None` is the operator.
    pub who: Option<usize>,
    pub channel: Channel,
    pub session: bool,
    pub mfa: bool,
}

/// A command with everything resolved: codes are the digits that are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Open { account: usize },
    Register { person: usize, name: &'static str, path: &'static str },
    Rename { person: usize, name: &'static str, path: &'static str },
    Remove { person: usize, take_devices: bool },
    Create { thing: usize },
    Delete { account: usize, thing: usize },
    Import { thing: usize },
    Enable { person: usize, thing: usize, first: u32, second: u32 },
    Rotate { person: usize, old: usize, thing: usize, first: u32, second: u32 },
    Resync { person: usize, thing: usize, first: u32, second: u32 },
    Deactivate { person: usize, thing: usize },
    Verify { person: usize, thing: usize, code: u32, purpose: Purpose },
}

/// What the one who asks sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Secret(Vec<u8>),
    Accepted,
    Refused,
    NotYet,
    Locked { until: u64 },
    Rejected(u16),
}

/// A command as it was asked last, what the model answers, and since when that answer stands.
#[derive(Clone, Debug)]
pub struct Asked {
    pub by: By,
    pub id: Option<u64>,
    pub command: Command,
    pub answer: Answer,
    pub at: u64,
}

/// An answer that was recorded, when, and how much had happened by then.
#[derive(Clone)]
struct Recorded {
    answer: Answer,
    at: u64,
    happened: usize,
}

/// The whole engine, naively.
#[derive(Clone)]
pub struct Model {
    pub rules: Rules,
    pub now: u64,
    pub history: History,
    /// Commands that were asked, in order; retries are taken from here.
    pub asked: Vec<Asked>,
    /// What was answered to a command that recorded something, by its id.
    recorded: BTreeMap<u64, Recorded>,
    /// How often a secret was drawn.
    secrets: u64,
    /// Steps by which the devices in people's hands are really ahead. The engine cannot know it.
    pub drift: BTreeMap<usize, i64>,
}

/// Permanent codes of the reasons, in their order (R56).
mod reason {
    pub const CHANNEL: u16 = 101;
    pub const SELF_MANAGEMENT: u16 = 102;
    pub const CLOCK: u16 = 309;
    pub const ACCOUNT_UNKNOWN: u16 = 201;
    pub const ACCOUNT_EXISTS: u16 = 202;
    pub const PRINCIPAL_UNKNOWN: u16 = 203;
    pub const PRINCIPAL_EXISTS: u16 = 204;
    pub const NAME_TAKEN: u16 = 205;
    pub const DEVICE_UNKNOWN: u16 = 301;
    pub const NOT_YOURS: u16 = 302;
    pub const ALREADY_YOURS: u16 = 303;
    pub const IN_USE: u16 = 304;
    pub const DEVICE_EXISTS: u16 = 305;
    pub const ASSIGNED: u16 = 306;
    pub const HAS_DEVICES: u16 = 307;
    pub const NOT_AT_ONCE: u16 = 308;
    pub const DEVICE_LIMIT: u16 = 401;
    pub const ACCOUNT_DEVICES: u16 = 402;
    pub const ACCOUNT_USERS: u16 = 403;
}

/// Only where a history begins, so that a failing one can be read.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model at {} ms", self.now)
    }
}

impl Model {
    pub fn new(rules: Rules, now: u64) -> Self {
        Self {
            rules,
            now,
            history: History::default(),
            asked: Vec::new(),
            recorded: BTreeMap::new(),
            secrets: 0,
            drift: BTreeMap::new(),
        }
    }

    /// Asks a command, possibly again under an id that was recorded.
    pub fn ask(&mut self, by: By, id: Option<u64>, command: Command) {
        let drawn = matches!(command, Command::Create { .. }).then(|| {
            self.secrets += 1;
            secret(self.secrets)
        });
        let (answer, at) = match id.and_then(|id| self.recorded.get(&id).cloned()) {
            Some(known) => self.again(&command, known),
            None => {
                let before = self.history.0.len();
                let answer = match self.perform(by, &command, drawn) {
                    Ok(answer) => answer,
                    Err(reasons) => Answer::Rejected(reasons),
                };
                if let Some(id) = id.filter(|_| self.history.0.len() > before) {
                    let happened = self.history.0.len();
                    self.recorded.insert(id, Recorded { answer: answer.clone(), at: self.now, happened });
                }
                (answer, self.now)
            }
        };
        self.asked.push(Asked { by, id, command, answer, at });
    }

    /// A retry gets the recorded answer; a secret is shown again only while nothing else happened to its
    /// device (R16).
    fn again(&self, command: &Command, known: Recorded) -> (Answer, u64) {
        let used = match command {
            Command::Create { thing } => self.history.since(known.happened, *thing),
            _ => false,
        };
        if used { (Answer::Rejected(reason::DEVICE_EXISTS), self.now) } else { (known.answer, known.at) }
    }

    fn note(&mut self, fact: Fact) {
        self.history.0.push((self.now, fact));
    }

    fn perform(&mut self, by: By, command: &Command, drawn: Option<Vec<u8>>) -> Result<Answer, u16> {
        match *command {
            Command::Open { account } => {
                first([(reason::ACCOUNT_EXISTS, self.history.opened_at(account).is_some())])?;
                self.note(Fact::Opened { account });
                self.note(Fact::Registered { person: account, name: "root", path: "/" });
            }
            Command::Register { person, name, path } => {
                let account = PEOPLE[person].account;
                first([
                    (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
                    (reason::PRINCIPAL_EXISTS, self.history.ever_existed(person)),
                    (reason::NAME_TAKEN, self.holder_of(account, name).is_some()),
                    (reason::ACCOUNT_USERS, self.history.users(account).len() >= self.rules.users_per_account),
                ])?;
                self.note(Fact::Registered { person, name, path });
            }
            Command::Rename { person, name, path } => {
                let holder = self.holder_of(PEOPLE[person].account, name);
                first([
                    (reason::PRINCIPAL_UNKNOWN, !self.is_user(person)),
                    (reason::NAME_TAKEN, holder.is_some_and(|holder| holder != person)),
                ])?;
                let profile = self.history.profile(person);
                if profile.is_some_and(|profile| (profile.name, profile.path) != (name, path)) {
                    self.note(Fact::Renamed { person, name, path });
                }
            }
            Command::Remove { person, take_devices } => {
                let devices = self.history.devices(person);
                first([
                    (reason::PRINCIPAL_UNKNOWN, !self.is_user(person)),
                    (reason::HAS_DEVICES, !take_devices && !devices.is_empty()),
                ])?;
                for thing in devices {
                    self.note(Fact::Deactivated { person, thing });
                    if is_virtual(thing) {
                        self.note(Fact::Deleted { thing });
                    }
                }
                self.note(Fact::Removed { person });
            }
            Command::Create { thing } => {
                let Thing::Virtual(account, _, _) = THINGS[thing] else {
                    unreachable!("only virtual ones are created")
                };
                let others = self.history.virtual_devices(account);
                first([
                    (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
                    (reason::DEVICE_EXISTS, others.iter().any(|other| known_as(*other) == known_as(thing))),
                    (reason::ACCOUNT_DEVICES, others.len() >= self.rules.devices_per_account),
                ])?;
                let secret = drawn.unwrap_or_default();
                self.note(Fact::Made { thing, secret: secret.clone() });
                return Ok(Answer::Secret(secret));
            }
            Command::Delete { account, thing } => {
                let here = self.history.virtual_devices(account).contains(&thing);
                first([
                    (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
                    (reason::DEVICE_UNKNOWN, !here),
                    (reason::ASSIGNED, self.history.owner(thing).is_some()),
                ])?;
                self.note(Fact::Deleted { thing });
            }
            Command::Import { thing } => {
                first([
                    (reason::DEVICE_UNKNOWN, is_virtual(thing)),
                    (reason::DEVICE_EXISTS, self.history.made(thing).is_some()),
                ])?;
                self.note(Fact::Made { thing, secret: token_secret(thing) });
            }
            Command::Enable { person, thing, first: one, second: two } => {
                self.may_enable(by, person, thing, None)?;
                return Ok(self.enable(person, thing, None, one, two));
            }
            Command::Rotate { person, old, thing, first: one, second: two } => {
                self.may_enable(by, person, thing, Some(old))?;
                return Ok(self.enable(person, thing, Some(old), one, two));
            }
            Command::Resync { person, thing, first: one, second: two } => {
                first([
                    (reason::CHANNEL, !self.channel_allows(by, person)),
                    (reason::PRINCIPAL_UNKNOWN, self.history.profile(person).is_none()),
                    (reason::DEVICE_UNKNOWN, !self.in_reach(person, thing)),
                    (reason::NOT_YOURS, self.history.owner(thing) != Some(person)),
                    (reason::CLOCK, self.clock_is_behind(thing)),
                ])?;
                return Ok(self.resync(person, thing, one, two));
            }
            Command::Deactivate { person, thing } => {
                first([
                    (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
                    (reason::CHANNEL, !self.channel_allows(by, person)),
                    (reason::PRINCIPAL_UNKNOWN, self.history.profile(person).is_none()),
                    (reason::DEVICE_UNKNOWN, !self.in_reach(person, thing)),
                    (reason::NOT_YOURS, self.history.owner(thing) != Some(person)),
                ])?;
                self.note(Fact::Deactivated { person, thing });
            }
            Command::Verify { person, thing, code, purpose } => {
                let mine = self.history.owner(thing) == Some(person);
                first([
                    (reason::PRINCIPAL_UNKNOWN, self.history.profile(person).is_none()),
                    (reason::NOT_YOURS, !mine),
                    (reason::CLOCK, self.clock_is_behind(thing)),
                ])?;
                return Ok(self.verify(person, thing, code, purpose));
            }
        }
        Ok(Answer::Done)
    }
}

/// The first reason that applies, in the order in which they are listed (R56).
fn first<const N: usize>(reasons: [(u16, bool); N]) -> Result<(), u16> {
    match reasons.iter().find(|(_, applies)| *applies).map(|(code, _)| *code) {
        Some(code) => Err(code),
        None => Ok(()),
    }
}

// ---- the rules about who and what ----

impl Model {
    fn is_user(&self, person: usize) -> bool {
        PEOPLE[person].id.is_some() && self.history.profile(person).is_some()
    }

    /// R9: case does not count.
    fn holder_of(&self, account: usize, name: &str) -> Option<usize> {
        let holds = |person: &usize| {
            self.history.profile(*person).is_some_and(|profile| profile.name.eq_ignore_ascii_case(name))
        };
        self.history.users(account).into_iter().find(holds)
    }

    /// R39..R44 for devices with codes: root's only in root's own console; a console is a session.
    fn channel_allows(&self, by: By, person: usize) -> bool {
        let in_console = by.channel == Channel::Console && by.session;
        if self.history.profile(person).is_none() {
            true
        } else if PEOPLE[person].id.is_none() {
            in_console && by.who == Some(person)
        } else {
            let elsewhere = by.who.is_some_and(|who| PEOPLE[who].account != PEOPLE[person].account);
            !elsewhere && (in_console || by.channel != Channel::Console)
        }
    }

    /// R180, R181; in the console R182, whatever the rules.
    fn self_management_forbids(&self, by: By, person: usize) -> bool {
        let own = self.history.profile(person).is_some() && by.who == Some(person);
        let bare = !(by.session && by.mfa);
        let asked = by.channel == Channel::Console || (self.is_user(person) && self.rules.self_management_needs_mfa);
        asked && own && bare && !self.history.devices(person).is_empty()
    }

    /// A40.
    fn clock_is_behind(&self, thing: usize) -> bool {
        self.history.latest(thing).is_some_and(|latest| self.now + CLOCK_BACK_MS < latest)
    }

    /// A9, A10, A27: exactly this serial number, and of this account unless it is a token.
    fn in_reach(&self, person: usize, thing: usize) -> bool {
        let here = match THINGS[thing] {
            Thing::Virtual(account, _, _) => account == PEOPLE[person].account,
            Thing::Token(_) => true,
        };
        here && self.history.made(thing).is_some()
    }

    /// R63, R64, A7, A34; with an old device also R78, R79.
    fn may_enable(&self, by: By, person: usize, thing: usize, old: Option<usize>) -> Result<(), u16> {
        let owner = self.history.owner(thing);
        let full = self.history.devices(person).len() >= self.rules.devices_per_person;
        let old_unknown = old.is_some_and(|old| !self.in_reach(person, old));
        let old_not_mine = old.is_some_and(|old| self.history.owner(old) != Some(person));
        first([
            (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
            (reason::CHANNEL, !self.channel_allows(by, person)),
            (reason::PRINCIPAL_UNKNOWN, self.history.profile(person).is_none()),
            (reason::DEVICE_UNKNOWN, !self.in_reach(person, thing) || old_unknown),
            (reason::NOT_YOURS, old_not_mine),
            (reason::ALREADY_YOURS, owner == Some(person)),
            (reason::IN_USE, owner.is_some_and(|owner| owner != person)),
            (reason::NOT_AT_ONCE, old.is_some() && !self.rules.rotates_at_once),
            (reason::DEVICE_LIMIT, old.is_none() && full),
        ])
    }
}

// ---- the rules about codes ----

impl Model {
    pub fn server_step(&self) -> i64 {
        (self.now / 1000 / STEP_S) as i64
    }

    /// R80: where the device's time is now, as far as it was learned.
    pub fn adjusted_step(&self, thing: usize) -> i64 {
        self.server_step() + self.history.offset(thing)
    }

    /// What the thing shows at a counter; one that was never made shows what nobody else does.
    pub fn display(&self, thing: usize) -> impl Fn(i64) -> u32 {
        let secret = self.history.secret(thing).unwrap_or_else(|| secret(0));
        move |counter| remembered(&secret, counter as u64)
    }

    /// The window in which an attempt counts, unless its budget is spent; then the answer to that.
    fn attempt(&mut self, thing: usize, pairs: bool, holder: Option<usize>) -> Result<u64, Answer> {
        let budget = self.history.budget(thing, pairs, self.now);
        let allowed = if pairs { self.rules.pairs_per_window } else { self.rules.codes_per_window };
        if budget.used < allowed {
            return Ok(budget.window);
        }
        if !budget.told {
            self.note(Fact::OutOfBudget { holder, thing, pairs, window: budget.window });
        }
        Err(Answer::Locked { until: (budget.window + 1) * WINDOW_S * 1000 })
    }

    /// R81..R85: the counter of the second code, or what is wrong with the pair.
    fn find_pair(&self, thing: usize, one: u32, two: u32) -> Result<u64, Fault> {
        let around = self.adjusted_step(thing);
        let (back, ahead) = self.rules.pair_range;
        let shows = self.display(thing);
        let fits = |second: &i64| shows(*second) == two && shows(second - 1) == one;
        let mut found: Vec<i64> = (around + back..=around + ahead).filter(fits).collect();
        found.sort_by_key(|second| (second - around).abs());
        let last = self.history.pairs(thing).last().map(|(counter, _)| *counter as i64);
        match found.iter().find(|second| last.is_none_or(|last| **second - 1 > last)) {
            Some(second) => Ok(*second as u64),
            None if found.is_empty() => Err(Fault::NoMatch),
            None => Err(Fault::NotNewer),
        }
    }

    fn enable(&mut self, person: usize, thing: usize, old: Option<usize>, one: u32, two: u32) -> Answer {
        let window = match self.attempt(thing, true, None) {
            Ok(window) => window,
            Err(locked) => return locked,
        };
        match self.find_pair(thing, one, two) {
            Ok(counter) => {
                let offset = counter as i64 - self.server_step();
                self.note(Fact::Enabled { person, thing, window, counter, offset });
                if let Some(old) = old {
                    self.note(Fact::Deactivated { person, thing: old });
                }
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::EnableRefused { person, thing, window, fault });
                Answer::Refused
            }
        }
    }

    fn resync(&mut self, person: usize, thing: usize, one: u32, two: u32) -> Answer {
        let window = match self.attempt(thing, true, Some(person)) {
            Ok(window) => window,
            Err(locked) => return locked,
        };
        match self.find_pair(thing, one, two) {
            Ok(counter) => {
                let offset = counter as i64 - self.server_step();
                self.note(Fact::Resynced { person, thing, window, counter, offset });
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::ResyncRefused { person, thing, window, fault });
                Answer::Refused
            }
        }
    }

    /// R86..R91, R95, A43.
    fn verify(&mut self, person: usize, thing: usize, code: u32, purpose: Purpose) -> Answer {
        let window = match self.attempt(thing, false, Some(person)) {
            Ok(window) => window,
            Err(locked) => return locked,
        };
        let at_sts = matches!(purpose, Purpose::SessionToken | Purpose::AssumeRole);
        let delay = self.rules.propagation_ms;
        let settled = self.history.learned_at(thing).unwrap_or(0) + delay;
        if at_sts && delay > 0 && settled > self.now {
            self.note(Fact::Refused { person, thing, window, fault: Fault::NotYet, purpose });
            return Answer::NotYet;
        }
        match self.find_code(thing, code, at_sts) {
            Ok(counter) => {
                self.note(Fact::Accepted { person, thing, window, counter, purpose });
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::Refused { person, thing, window, fault, purpose });
                Answer::Refused
            }
        }
    }

    fn find_code(&self, thing: usize, code: u32, at_sts: bool) -> Result<u64, Fault> {
        let around = self.adjusted_step(thing);
        let shows = self.display(thing);
        let nearest_first = |back: i64, ahead: i64| {
            let mut found: Vec<i64> =
                (around + back..=around + ahead).filter(|counter| shows(*counter) == code).collect();
            found.sort_by_key(|counter| (counter - around).abs());
            found
        };
        let near = nearest_first(-self.rules.code_window, self.rules.code_window);
        if let Some(counter) = near.iter().find(|counter| !self.is_spent(thing, **counter as u64, at_sts)) {
            return Ok(*counter as u64);
        }
        if !near.is_empty() {
            return Err(Fault::Used);
        }
        let (back, ahead) = self.rules.pair_range;
        match nearest_first(back, ahead).first() {
            Some(counter) => Err(Fault::Outside(counter - around)),
            None => Err(Fault::Wrong),
        }
    }

    /// R87, R88, R90, A3, A43.
    fn is_spent(&self, thing: usize, counter: u64, at_sts: bool) -> bool {
        let spent = self.history.spent(thing);
        let pairs = self.history.pairs(thing);
        let in_a_pair = pairs.iter().any(|(second, _)| counter == *second || counter + 1 == *second);
        let once_more = if at_sts { self.rules.pair_codes_at_sts } else { self.rules.pair_codes_sign_in };
        let latest = spent.iter().copied().chain(pairs.iter().map(|(second, _)| *second)).max();
        let behind = self.rules.forwards_only && latest.is_some_and(|latest| counter <= latest);
        spent.contains(&counter) || (in_a_pair && !once_more) || behind
    }
}
