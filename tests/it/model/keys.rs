//! The rules about security keys and passkeys (R30..R35, R177, NT-10, NT-28..NT-30).

use countersign::domain::event::KeyFault;
use countersign::{DeviceKind, KeyForm, KeyRefusal};

use super::cast::{Credential, Device, key_text};
use super::commands::{Answer, By, Command, Flaw, Paper, first, reason};
use super::doors::Asked;
use super::facts::{Fact, Task};
use super::perform::Model;

/// What comes of a key's answer in a sign-in.
pub struct Judged {
    /// The device, where it is known.
    pub device: Option<Device>,
    /// The counter, where it was signed.
    pub counter: Option<u32>,
    pub fault: Option<KeyFault>,
}

impl Model {
    pub fn perform_keys(&mut self, by: By, command: &Command) -> Result<Answer, Answer> {
        match *command {
            Command::BeginKey { person, name, form, replaces } => {
                self.admit_key(by, person)?;
                self.may_register(person, form, replaces)?;
                let user = self.history.profile(person).map_or("", |profile| profile.name);
                let serial = key_text(person, user, name);
                let excluded = self.history.keys(person, None).into_iter().map(|(_, credential)| credential).collect();
                let rules = self.rules_of(person);
                let begun = self.history.registrations(person, self.now, rules.window_s);
                if begun.used >= rules.challenges {
                    let at = (begun.window + 1) * rules.window_s * 1000;
                    return Err(Answer::Later { reason: reason::TOO_MANY, at });
                }
                Ok(self.ask_key(person, form, Task::Register { serial, replaces, excluded }))
            }
            Command::FinishKey { person, challenge, paper } => {
                self.admit_key(by, person)?;
                self.register(person, challenge, paper)
            }
            _ => unreachable!("no command about keys"),
        }
    }

    /// Who may register a key at all, and where (R39..R44, R180).
    fn admit_key(&self, by: By, person: usize) -> Result<(), Answer> {
        first([
            (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
            (reason::CHANNEL, !self.channel_enables(by, person, DeviceKind::SecurityKey)),
            (reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)),
        ])
    }

    fn may_register(&self, person: usize, form: KeyForm, replaces: Option<Device>) -> Result<(), Answer> {
        let rules = self.rules_of(person);
        first([
            (reason::NOT_YOURS, replaces.is_some_and(|old| self.history.owner(old) != Some(person))),
            (reason::KEY_FORM, !rules.offers(form)),
            (reason::NOT_AT_ONCE, replaces.is_some() && !rules.rotates_at_once),
            (reason::DEVICE_LIMIT, replaces.is_none() && self.is_full(person)),
        ])
    }

    fn register(&mut self, person: usize, challenge: usize, paper: usize) -> Result<Answer, Answer> {
        let not_open = Answer::Rejected(reason::NOT_OPEN);
        let asked = self.history.challenge(person, challenge, self.now).ok_or(not_open.clone())?;
        let Task::Register { replaces, excluded, .. } = &asked.task else { return Err(not_open) };
        self.may_register(person, asked.form, *replaces)?;
        let paper = self.papers[paper];
        let known = excluded.contains(&paper.credential) || self.history.claimed(paper.credential).is_some();
        let fault = self.flaw(&asked, paper.creates, paper).or(known.then_some(KeyFault::AlreadyRegistered));
        if let Some(fault) = fault {
            self.note(Fact::KeyRefused { person, challenge, device: None, fault, counter: None });
            return Ok(Answer::NotRegistered(match fault {
                KeyFault::AlreadyRegistered => KeyRefusal::AlreadyRegistered,
                _ => KeyRefusal::NotAccepted,
            }));
        }
        let (form, credential, counter) = (asked.form, paper.credential, paper.counter);
        self.note(Fact::KeyEnabled { person, challenge, form, credential, counter });
        if let Some(old) = *replaces {
            self.release(person, old);
        }
        Ok(Answer::Registered(Device::Key(challenge)))
    }

    /// What anybody can see of an answer: whether it is one, to this question, from this page, by a touch.
    fn flaw(&self, asked: &Asked, right_kind: bool, paper: Paper) -> Option<KeyFault> {
        if !right_kind || paper.flaw == Flaw::Garbled {
            return Some(KeyFault::Malformed);
        }
        if paper.challenge != asked.challenge {
            return Some(KeyFault::Challenge);
        }
        match paper.flaw {
            Flaw::Challenge => Some(KeyFault::Challenge),
            Flaw::Origin => Some(KeyFault::Origin),
            Flaw::Party => Some(KeyFault::RelyingParty),
            Flaw::Untouched => Some(KeyFault::UserNotPresent),
            _ if asked.form == KeyForm::Passkey && !paper.verified => Some(KeyFault::UserNotVerified),
            _ => None,
        }
    }

    /// Judges the answer to a challenge of a sign-in.
    pub fn judge(&self, person: usize, asked: &Asked, paper: usize) -> Judged {
        let paper = self.papers[paper];
        let nobody = |fault| Judged { device: None, counter: None, fault: Some(fault) };
        let Task::Prove { offered, .. } = &asked.task else { return nobody(KeyFault::Malformed) };
        let is_answer = !paper.creates && paper.flaw != Flaw::Garbled;
        if is_answer && !offered.contains(&paper.credential) {
            return nobody(KeyFault::UnknownCredential);
        }
        if let Some(fault) = self.flaw(asked, !paper.creates, paper) {
            return nobody(fault);
        }
        match paper.flaw {
            Flaw::Signature => return nobody(KeyFault::Signature),
            Flaw::Handle(named) if named != person => return nobody(KeyFault::UnknownCredential),
            _ => {}
        }
        let counter = paper.counter;
        let own = self.own_key(person, paper.credential);
        let Some((device, form)) = own else {
            return Judged { counter: Some(counter), ..nobody(KeyFault::UnknownCredential) };
        };
        let before = self.history.key_counter(device);
        let fault = if form != asked.form {
            Some(KeyFault::UnknownCredential)
        } else if self.history.is_suspected(device) {
            Some(KeyFault::SuspectedClone)
        } else if (before, counter) != (0, 0) && counter <= before {
            Some(KeyFault::CounterRegressed)
        } else {
            None
        };
        Judged { device: Some(device), counter: Some(counter), fault }
    }

    fn own_key(&self, person: usize, credential: Credential) -> Option<(Device, KeyForm)> {
        let device = self.history.claimed(credential).filter(|device| self.history.owner(*device) == Some(person))?;
        let (form, _) = self.history.key(device)?;
        Some((device, form))
    }
}
