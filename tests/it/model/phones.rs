//! The rules about enrolling phones (R118..R126, A15, A16).

use countersign::{DeviceKind, SmsEligibility};

use super::cast::{Device, PEOPLE};
use super::commands::{Answer, By, Command, Text, first, reason};
use super::facts::{Errand, Fact};
use super::perform::Model;

impl Model {
    pub fn perform_phones(&mut self, by: By, command: &Command) -> Result<Answer, Answer> {
        match *command {
            Command::BeginSms { person, number } => {
                self.admit_phone(by, person)?;
                let device = self.phone_of(person);
                self.may_enrol(person, device)?;
                self.send(person, device, Errand::Enrolment(number), number)
            }
            Command::FinishSms { person, challenge, text } => {
                self.admit_phone(by, person)?;
                self.enrol(person, challenge, text)
            }
            _ => unreachable!("no command about phones"),
        }
    }

    /// R37: a person has one SMS device under its present name.
    fn phone_of(&self, person: usize) -> Device {
        Device::Sms(PEOPLE[person].account, self.history.profile(person).map_or("", |profile| profile.name))
    }

    /// Who may enrol at all, and where. Root is told that it cannot, whatever else stands against it (R122).
    fn admit_phone(&self, by: By, person: usize) -> Result<(), Answer> {
        let root = PEOPLE[person].id.is_none();
        first([
            (reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)),
            (reason::NO_SMS, root),
            (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
            (reason::CHANNEL, !self.channel_enables(by, person, DeviceKind::Sms)),
        ])
    }

    /// R126, A16, and what the policy says (R170); never root (R122).
    pub fn sms_offered(&self, person: usize) -> bool {
        let eligible = match self.history.eligibility(PEOPLE[person].account) {
            SmsEligibility::Open => true,
            SmsEligibility::ExistingOnly | SmsEligibility::Ending => self.history.is_participant(person),
            SmsEligibility::Ended => false,
        };
        PEOPLE[person].id.is_some() && eligible && self.rules_of(person).sms
    }

    fn may_enrol(&self, person: usize, device: Device) -> Result<(), Answer> {
        let owner = self.history.alive(device).and_then(|alive| self.history.owner(alive));
        first([
            (reason::NO_SMS, !self.sms_offered(person)),
            (reason::ALREADY_YOURS, owner == Some(person)),
            (reason::IN_USE, owner.is_some()),
            (reason::DEVICE_LIMIT, self.is_full(person)),
        ])
    }

    fn enrol(&mut self, person: usize, challenge: usize, text: Text) -> Result<Answer, Answer> {
        let device = self.phone_of(person);
        let sent = self.history.sent_code(person, device).filter(|sent| sent.challenge == challenge);
        let Some((sent, number)) = sent.and_then(|sent| match sent.errand {
            Errand::Enrolment(number) => Some((sent, number)),
            Errand::SignIn(_) => None,
        }) else {
            return Err(Answer::Rejected(reason::NOT_OPEN));
        };
        self.may_enrol(person, device)?;
        if let Some(at) = self.history.phone_gone_until(person, self.now) {
            return Err(Answer::Later { reason: reason::TOO_SOON, at });
        }
        if let Some(fault) = self.compare(sent, text) {
            self.note(Fact::CodeMissed { person, challenge, device, fault });
            return Ok(Answer::Refused);
        }
        self.note(Fact::CodeTaken { person, challenge, device });
        self.note(Fact::SmsEnabled { person, device, number });
        Ok(Answer::Accepted)
    }
}
