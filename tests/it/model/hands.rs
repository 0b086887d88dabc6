//! What people hold and see beside the engine: keys, phones, mailboxes; and which number stands for which id.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::testing::SecurityKey;
use countersign::*;
use countersign_tests::keys::{Soft, credential};

use super::cast::{ACCOUNTS, Credential, Device, NAMES, SOFTS, THINGS, principal, serial, sms_text};
use super::commands::{Flaw, Paper, Text};

/// The people's side of one engine.
pub struct Hands {
    pub outbox: Arc<DevelopmentTransports>,
    pub names: Names,
    /// What browsers were told to ask keys, by challenge.
    options: BTreeMap<usize, String>,
    /// What was sent or shown, by challenge.
    texts: BTreeMap<usize, String>,
    /// The answers that keys made, in order.
    papers: Vec<String>,
    soft: [Soft; SOFTS],
}

/// The model's numbers for the engine's ids.
#[derive(Default)]
pub struct Names {
    attempts: Vec<AttemptId>,
    /// A mail says nothing of its challenge; the log does.
    challenges: Vec<Option<ChallengeId>>,
    /// Serial numbers that keys have or would get, by the challenge of their registration.
    keys: BTreeMap<usize, Serial>,
    /// Ids of the credentials that soft keys made, by the answer.
    credentials: BTreeMap<usize, Vec<u8>>,
}

impl Hands {
    pub fn new() -> Self {
        Self {
            outbox: DevelopmentTransports::new(true),
            names: Names::default(),
            options: BTreeMap::new(),
            texts: BTreeMap::new(),
            papers: Vec::new(),
            soft: [Soft::token(), Soft::passkey()],
        }
    }

    pub fn keep_options(&mut self, challenge: usize, options: String) {
        self.options.insert(challenge, options);
    }

    /// Reads the last message that was sent for a challenge.
    pub fn read(&mut self, challenge: usize) {
        let messages = self.outbox.messages();
        let last = messages.last().expect("a message was sent");
        self.texts.insert(challenge, last.code.to_string());
    }

    pub fn keep_shown(&mut self, challenge: usize, shown: &Code) {
        self.texts.insert(challenge, shown.expose().to_owned());
    }

    /// What somebody types.
    pub fn text(&self, text: Text) -> String {
        let known = |challenge: usize| self.texts.get(&challenge).cloned();
        match text {
            Text::Digits(digits) => format!("{digits:06}"),
            Text::Sent(challenge) => known(challenge).unwrap_or_else(|| self.other()),
            Text::NotSent(_) => self.other(),
        }
    }

    /// Digits that were never sent or shown.
    fn other(&self) -> String {
        let numbers = (0..1_000_000).map(|number| format!("{number:06}"));
        numbers.into_iter().find(|digits| !self.texts.values().any(|text| text == digits)).expect("some are left")
    }

    /// The n-th answer of the model's list, made when it is needed first.
    pub fn paper(&mut self, papers: &[Paper], nth: usize) -> String {
        while self.papers.len() <= nth {
            let number = self.papers.len();
            let made = self.make(&papers[number]);
            if matches!(papers[number].credential, Credential::Soft { answer, .. } if answer == number) {
                self.names.credentials.insert(number, credential(&made));
            }
            self.papers.push(made);
        }
        self.papers[nth].clone()
    }

    fn make(&mut self, paper: &Paper) -> String {
        let options = self.options[&paper.challenge].clone();
        match (paper.credential, paper.creates) {
            (Credential::Soft { key, .. }, true) => self.soft[key].create(&options),
            (Credential::Soft { key, .. }, false) => self.soft[key].get(&options).expect("it was asked for its own"),
            (Credential::Hand(_), _) if paper.flaw == Flaw::Garbled => "{".to_owned(),
            (Credential::Hand(hand), creates) => {
                let key = held(hand, paper);
                if creates { key.create(&options) } else { key.get(&options) }
            }
        }
    }
}

fn held(hand: usize, paper: &Paper) -> SecurityKey {
    let key = SecurityKey { counter: paper.counter, verified: paper.verified, ..SecurityKey::new(hand as u8) };
    match paper.flaw {
        Flaw::Challenge => SecurityKey { challenge: Some(vec![7; 32]), ..key },
        Flaw::Origin => SecurityKey { origin: "https://localhost".to_owned(), ..key },
        Flaw::Party => SecurityKey { party: "example.com".to_owned(), ..key },
        Flaw::Untouched => SecurityKey { present: false, ..key },
        Flaw::Signature => SecurityKey { spoilt: true, ..key },
        Flaw::Handle(person) => SecurityKey { handle: Some(principal(person).stream().as_bytes().to_vec()), ..key },
        Flaw::None | Flaw::Garbled | Flaw::Unverified => key,
    }
}

// ---- names ----

impl Names {
    pub fn attempt(&self, number: usize) -> AttemptId {
        self.attempts.get(number).copied().unwrap_or(AttemptId::from_bytes([0xee; 16]))
    }

    /// The number of a sign-in; one that was not heard of yet is the next.
    pub fn attempt_number(&mut self, id: AttemptId) -> usize {
        self.attempts.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.attempts.push(id);
            self.attempts.len() - 1
        })
    }

    pub fn challenge(&self, number: usize) -> ChallengeId {
        self.challenges.get(number).copied().flatten().unwrap_or(ChallengeId::from_bytes([0xee; 16]))
    }

    pub fn challenge_number(&mut self, id: ChallengeId) -> usize {
        self.challenges.iter().position(|known| *known == Some(id)).unwrap_or_else(|| {
            match self.challenges.last_mut() {
                Some(unheard @ None) => *unheard = Some(id),
                _ => self.challenges.push(Some(id)),
            }
            self.challenges.len() - 1
        })
    }

    /// A challenge that came without its id.
    pub fn unheard_challenge(&mut self) -> usize {
        self.challenges.push(None);
        self.challenges.len() - 1
    }

    pub fn keep_serial(&mut self, challenge: usize, serial: Serial) {
        self.keys.insert(challenge, serial);
    }

    pub fn serial(&self, device: Device) -> Serial {
        match device {
            Device::Thing(thing) => serial(thing),
            Device::Key(challenge) => self.keys[&challenge].clone(),
            Device::Sms(account, name) => Serial::new(sms_text(account, name)).unwrap(),
        }
    }

    /// The device of a serial number.
    pub fn device(&self, serial: &Serial) -> Device {
        let things = (0..THINGS.len()).map(Device::Thing);
        let keys = self.keys.keys().map(|challenge| Device::Key(*challenge));
        let phones = (0..ACCOUNTS.len()).flat_map(|account| NAMES.map(|name| Device::Sms(account, name)));
        let mut all = things.chain(keys).chain(phones);
        all.find(|device| self.serial(*device) == *serial).unwrap_or_else(|| panic!("whose is {serial}?"))
    }

    /// The id of a credential, in hexadecimal digits.
    pub fn credential(&self, credential: Credential) -> String {
        let id = match credential {
            Credential::Hand(hand) => SecurityKey::new(hand as u8).id,
            Credential::Soft { answer, .. } => self.credentials[&answer].clone(),
        };
        hex(&id)
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
