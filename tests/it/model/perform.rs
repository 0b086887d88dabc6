//! The model: what each command does, by the rules. Every reason against it is collected, the first in order is
//! given, and only when there is none is anything proven looked at.

use std::collections::BTreeMap;

use countersign::domain::event::SignInFactor;
use countersign::{Channel, DeviceKind};

use super::cast::{Device, PEOPLE, SOFTS, THINGS, Thing, is_virtual, secret, token_secret};
use super::commands::{Answer, By, Command, Factor, Held, Paper, first, reason};
use super::facts::{Fact, History};
use super::rules::Rules;

/// A command as it was asked last, what the model answers, and since when that answer stands.
#[derive(Clone, Debug)]
pub struct Asked {
    pub by: By,
    pub id: Option<u64>,
    pub command: Command,
    pub answer: Answer,
    pub at: u64,
    /// When it was asked, and how long the list was then.
    pub now: u64,
    pub noted: usize,
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
    /// The deployment's; see [`Model::rules`] for those of an account.
    pub deployment: Rules,
    pub now: u64,
    pub history: History,
    /// Commands that were asked, in order; retries are taken from here.
    pub asked: Vec<Asked>,
    /// Answers that keys made, in order.
    pub papers: Vec<Paper>,
    /// How often each key that somebody else wrote has signed.
    pub signed: [u32; SOFTS],
    /// Sign-ins and challenges so far: the next one's number.
    pub attempts: usize,
    pub challenges: usize,
    /// What was answered to a command that recorded something, by its id.
    recorded: BTreeMap<u64, Recorded>,
    /// How often a secret was drawn.
    secrets: u64,
    /// Steps by which the devices in people's hands are really ahead. The engine cannot know it.
    pub drift: BTreeMap<usize, i64>,
}

/// Only where a history begins, so that a failing one can be read.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model at {} ms after {} facts", self.now, self.history.0.len())
    }
}

impl Model {
    pub fn new(deployment: Rules, now: u64) -> Self {
        Self {
            deployment,
            now,
            history: History::default(),
            asked: Vec::new(),
            papers: Vec::new(),
            signed: [0; SOFTS],
            attempts: 0,
            challenges: 0,
            recorded: BTreeMap::new(),
            secrets: 0,
            drift: BTreeMap::new(),
        }
    }

    /// The rules of an account: those that it chose, or the deployment's.
    pub fn rules(&self, account: usize) -> Rules {
        self.history.preset(account).map_or(self.deployment, |preset| self.deployment.with(preset))
    }

    pub fn rules_of(&self, person: usize) -> Rules {
        self.rules(PEOPLE[person].account)
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
                let answer = self.perform(by, &command, drawn).unwrap_or_else(|rejected| rejected);
                let recorded = self.history.0.len() > before && command.is_remembered();
                if let Some(id) = id.filter(|_| recorded) {
                    let happened = self.history.0.len();
                    self.recorded.insert(id, Recorded { answer: answer.clone(), at: self.now, happened });
                }
                (answer, self.now)
            }
        };
        let (now, noted) = (self.now, self.history.0.len());
        self.asked.push(Asked { by, id, command, answer, at, now, noted });
    }

    /// A retry gets the recorded answer; a secret is shown again only while nothing else happened to its
    /// device (R16), and a device that is gone proves nothing any more.
    fn again(&self, command: &Command, known: Recorded) -> (Answer, u64) {
        let answer = match known.answer {
            Answer::Secret(_) => {
                let Command::Create { thing } = command else { unreachable!("nothing else has a secret") };
                if self.history.since(known.happened, *thing) {
                    return (Answer::Rejected(reason::DEVICE_EXISTS), self.now);
                }
                known.answer
            }
            Answer::Registered(device) if !self.history.exists_as(device) => {
                return (Answer::Rejected(reason::NOT_OPEN), self.now);
            }
            Answer::SignedIn { attempt, by: Factor::Device(device) } => {
                let by = self.history.alive(device).map_or(Factor::Password, Factor::Device);
                Answer::SignedIn { attempt, by }
            }
            answer => answer,
        };
        (answer, known.at)
    }

    pub fn note(&mut self, fact: Fact) {
        self.history.0.push((self.now, fact));
    }

    fn perform(&mut self, by: By, command: &Command, drawn: Option<Vec<u8>>) -> Result<Answer, Answer> {
        match *command {
            Command::Open { account } => {
                first([(reason::ACCOUNT_EXISTS, self.history.opened_at(account).is_some())])?;
                self.note(Fact::Opened { account });
                self.note(Fact::Registered { person: account, name: "root", path: "/" });
            }
            Command::Register { person, name, path } => {
                let account = PEOPLE[person].account;
                let full = self.history.users(account).len() >= self.rules(account).users_per_account;
                first([
                    (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
                    (reason::PRINCIPAL_EXISTS, self.history.ever_existed(person)),
                    (reason::NAME_TAKEN, self.holder_of(account, name).is_some()),
                    (reason::ACCOUNT_USERS, full),
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
                for device in devices {
                    self.release(person, device);
                    if device.kind() == DeviceKind::VirtualTotp {
                        self.note(Fact::Deleted { device });
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
                    (reason::DEVICE_EXISTS, self.history.alive(Device::Thing(thing)).is_some()),
                    (reason::ACCOUNT_DEVICES, others.len() >= self.rules(account).devices_per_account),
                ])?;
                let secret = drawn.unwrap_or_default();
                self.note(Fact::Made { thing, secret: secret.clone() });
                return Ok(Answer::Secret(secret));
            }
            Command::Delete { account, device } => {
                let here = device.thing().is_some_and(|thing| self.history.virtual_devices(account).contains(&thing));
                first([
                    (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
                    (reason::DEVICE_UNKNOWN, !here),
                    (reason::ASSIGNED, self.history.owner(device).is_some()),
                ])?;
                self.note(Fact::Deleted { device });
            }
            Command::Import { thing } => {
                first([
                    (reason::DEVICE_UNKNOWN, is_virtual(thing)),
                    (reason::DEVICE_EXISTS, self.history.made(thing).is_some()),
                ])?;
                self.note(Fact::Made { thing, secret: token_secret(thing) });
            }
            Command::Deactivate { person, device } => {
                first([
                    (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
                    (reason::CHANNEL, !self.channel_takes(by, person)),
                    (reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)),
                    (reason::DEVICE_UNKNOWN, !self.in_reach(person, device)),
                    (reason::NOT_YOURS, self.history.owner(device) != Some(person)),
                ])?;
                self.release(person, device);
            }
            Command::Enable { .. } | Command::Rotate { .. } | Command::Resync { .. } | Command::Verify { .. } => {
                return self.perform_codes(by, command);
            }
            Command::Password { .. }
            | Command::SignIn { .. }
            | Command::EndSignIns { .. }
            | Command::SignInCode { .. }
            | Command::OfferKey { .. }
            | Command::SignInKey { .. }
            | Command::SendCode { .. } => return self.perform_sign_in(by, command),
            Command::BeginKey { .. } | Command::FinishKey { .. } => return self.perform_keys(by, command),
            Command::BeginSms { .. } | Command::FinishSms { .. } => return self.perform_phones(by, command),
            Command::Mail { .. }
            | Command::ConfirmMail { .. }
            | Command::Call { .. }
            | Command::AnswerCall { .. }
            | Command::FinishRecovery { .. } => return self.perform_recovery(command),
            Command::Alias { .. }
            | Command::Eligibility { .. }
            | Command::Alternatives { .. }
            | Command::Rules { .. }
            | Command::Link { .. } => return self.perform_settings(by, command),
        }
        Ok(Answer::Done)
    }
}

// ---- the rules about who and what ----

impl Model {
    pub fn is_user(&self, person: usize) -> bool {
        PEOPLE[person].id.is_some() && self.history.exists(person)
    }

    /// R9: case does not count.
    fn holder_of(&self, account: usize, name: &str) -> Option<usize> {
        let holds = |person: &usize| {
            self.history.profile(*person).is_some_and(|profile| profile.name.eq_ignore_ascii_case(name))
        };
        self.history.users(account).into_iter().find(holds)
    }

    /// R39..R44: root's only in root's own console; a console is a session.
    pub fn channel_allows(&self, by: By, person: usize) -> bool {
        let in_console = by.channel == Channel::Console && by.held != Held::LongTermKey;
        if !self.history.exists(person) {
            true
        } else if PEOPLE[person].id.is_none() {
            in_console && by.who == Some(person)
        } else {
            let elsewhere = by.who.is_some_and(|who| PEOPLE[who].account != PEOPLE[person].account);
            !elsewhere && (in_console || by.channel != Channel::Console)
        }
    }

    /// As above, for taking a device away: root's, too, is a support case (R130 b, c).
    pub fn channel_takes(&self, by: By, person: usize) -> bool {
        let support = by.who.is_none() && by.channel == Channel::Operator;
        support || self.channel_allows(by, person)
    }

    /// As above, for enabling: keys and phones only in a console (R33, R42), phones never for root (R122).
    pub fn channel_enables(&self, by: By, person: usize, kind: DeviceKind) -> bool {
        let console_only = matches!(kind, DeviceKind::SecurityKey | DeviceKind::Sms);
        let never = kind == DeviceKind::Sms && PEOPLE[person].id.is_none() && self.history.exists(person);
        let door = !console_only || by.channel == Channel::Console || !self.history.exists(person);
        self.channel_allows(by, person) && door && !never
    }

    /// R180, R181; in the console R182, whatever the rules. Root who lost its device may take it away (A22).
    pub fn self_management_forbids(&self, by: By, person: usize) -> bool {
        let own = self.history.exists(person) && by.who == Some(person);
        let root = PEOPLE[person].id.is_none();
        let bare = by.held != Held::Device && !(root && by.held == Held::Recovered);
        let ruled = self.is_user(person) && self.rules_of(person).self_management_needs_mfa;
        let asked = by.channel == Channel::Console || ruled;
        asked && own && bare && !self.history.devices(person).is_empty()
    }

    /// A9, A10, A27: exactly this serial number, and of this account unless it is a token.
    pub fn in_reach(&self, person: usize, device: Device) -> bool {
        let here = match device {
            Device::Thing(thing) => match THINGS[thing] {
                Thing::Virtual(account, _, _) => Some(account),
                Thing::Token(_) => None,
            },
            Device::Key(_) => self.history.owner(device).map(|owner| PEOPLE[owner].account),
            Device::Sms(account, _) => Some(account),
        };
        here.is_none_or(|account| account == PEOPLE[person].account) && self.history.exists_as(device)
    }

    pub fn is_full(&self, person: usize) -> bool {
        self.history.devices(person).len() >= self.rules_of(person).devices_per_person
    }

    /// A device leaves its owner; what lives only while it is somebody's is gone (R49, R69).
    pub fn release(&mut self, person: usize, device: Device) {
        self.note(Fact::Deactivated { person, device });
        if device.thing().is_none() {
            self.note(Fact::Deleted { device });
        }
    }

    pub fn next_attempt(&mut self) -> usize {
        self.attempts += 1;
        self.attempts - 1
    }

    pub fn next_challenge(&mut self) -> usize {
        self.challenges += 1;
        self.challenges - 1
    }

    /// Who is in.
    pub fn signed_in(&mut self, person: usize, attempt: usize, factor: SignInFactor, device: Option<Device>) -> Answer {
        self.signed_in_from(person, attempt, (factor, device), 0)
    }

    pub fn signed_in_from(
        &mut self,
        person: usize,
        attempt: usize,
        (factor, device): (SignInFactor, Option<Device>),
        from: usize,
    ) -> Answer {
        self.note(Fact::SignedIn { person, attempt, factor, device, from });
        let by = match (factor, device) {
            (SignInFactor::AlternativeFactors, _) => Factor::Alternatives,
            (SignInFactor::Device, Some(device)) => Factor::Device(device),
            _ => Factor::Password,
        };
        Answer::SignedIn { attempt, by }
    }
}
