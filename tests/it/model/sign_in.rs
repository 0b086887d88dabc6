//! The rules about signing in (R97..R108, A6).

use countersign::domain::event::{KeyFault, SignInFactor, SignInFault, SmsFault};
use countersign::{KeyForm, Purpose};

use super::cast::{Device, NUMBERS, PEOPLE};
use super::commands::{Answer, By, Command, Text, first, reason};
use super::doors::{Attempt, Sending, Sent};
use super::facts::{Errand, Fact, Task};
use super::keys::Judged;
use super::perform::Model;
use super::rules::{CODE_MS, CODE_TRIES, KEY_MS, PAUSE_MS, SIGN_IN_MS};

impl Model {
    pub fn perform_sign_in(&mut self, by: By, command: &Command) -> Result<Answer, Answer> {
        match *command {
            Command::Password { account, person, locked } => {
                self.note(Fact::PasswordRefused { account, who: person, locked });
                Ok(Answer::Done)
            }
            Command::SignIn { person, from } => self.begin_sign_in(person, from),
            Command::EndSignIns { person } => {
                let elsewhere = by.who.is_some_and(|who| PEOPLE[who].account != PEOPLE[person].account);
                first([(reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)), (reason::CHANNEL, elsewhere)])?;
                if self.history.has_pending(person) {
                    self.note(Fact::SignInsEnded { person });
                }
                Ok(Answer::Done)
            }
            Command::SignInCode { person, attempt, device, text } => {
                match self.associate(person).filter(|associate| self.history.owner(device) == Some(*associate)) {
                    Some(associate) => self.sign_in_by_associate(person, attempt, (associate, device), text),
                    None => self.sign_in_by_code(person, attempt, device, text),
                }
            }
            Command::OfferKey { person, attempt, form } => {
                let open = self.own_turn(person, attempt)?;
                let offered: Vec<_> = self.history.keys(person, Some(form)).into_iter().map(|(_, of)| of).collect();
                first([(reason::NOT_THIS_FACTOR, offered.is_empty())])?;
                if self.history.challenged(attempt) >= self.rules_of(person).challenges {
                    return Err(Answer::Later { reason: reason::TOO_MANY, at: open.until });
                }
                Ok(self.ask_key(person, form, Task::Prove { attempt, offered }))
            }
            Command::SignInKey { person, attempt, challenge, paper } => {
                self.sign_in_by_key(person, attempt, challenge, paper)
            }
            Command::SendCode { person, attempt, device } => {
                self.own_turn(person, attempt)?;
                first([(reason::NOT_THIS_FACTOR, !self.is_own_phone(person, device))])?;
                let number = self.history.number(device).expect("an SMS device has a number");
                self.send(person, device, Errand::SignIn(attempt), number)
            }
            _ => unreachable!("no command of a sign-in"),
        }
    }

    /// R5, A6: the linked root, if both say so of each other and it has a device that shows codes.
    pub fn associate(&self, person: usize) -> Option<usize> {
        let here = PEOPLE[person].account;
        let there = self.history.link(here).filter(|_| PEOPLE[person].id.is_none())?;
        let mutual = self.history.link(there) == Some(here);
        let has_codes = self.history.devices(there).iter().any(|device| device.thing().is_some());
        // The roots of the accounts are the first people.
        (mutual && has_codes).then_some(there)
    }

    fn begin_sign_in(&mut self, person: usize, from: usize) -> Result<Answer, Answer> {
        first([(reason::PRINCIPAL_UNKNOWN, !self.history.exists(person))])?;
        let associate = self.associate(person);
        if self.history.devices(person).is_empty() && associate.is_none() {
            let attempt = self.next_attempt();
            return Ok(self.signed_in_from(person, attempt, (SignInFactor::Nothing, None), from));
        }
        let (attempt, until) = (self.next_attempt(), self.now + SIGN_IN_MS);
        self.note(Fact::Started { person, attempt, until, associate, from });
        Ok(Answer::Wanted { attempt, until, associate: associate.is_some() })
    }

    /// The open sign-in.
    fn open(&self, person: usize, attempt: usize) -> Result<Attempt, Answer> {
        first([(reason::PRINCIPAL_UNKNOWN, !self.history.exists(person))])?;
        self.history.sign_in(person, attempt, self.now).ok_or(Answer::Rejected(reason::NOT_OPEN))
    }

    /// The open sign-in, when it is the own device's turn.
    pub fn own_turn(&self, person: usize, attempt: usize) -> Result<Attempt, Answer> {
        let open = self.open(person, attempt)?;
        first([(reason::NOT_THIS_FACTOR, self.history.waits_for_associate(open))])?;
        Ok(open)
    }

    /// A6: its device is proven in its own name; then the sign-in takes note of it.
    fn sign_in_by_associate(
        &mut self,
        person: usize,
        attempt: usize,
        (associate, device): (usize, Device),
        text: Text,
    ) -> Result<Answer, Answer> {
        let open = self.open(person, attempt)?;
        let asked = open.associate == Some(associate) && self.history.waits_for_associate(open);
        first([(reason::NOT_THIS_FACTOR, !asked)])?;
        let digits = self.digits(text);
        let answer = self.verify(associate, device, Some(digits), Purpose::SignIn)?;
        if answer != Answer::Accepted {
            let fault = fault_of(&answer);
            self.note(Fact::SignInRefused { person, attempt, device: Some(device), fault });
            return Ok(answer);
        }
        if self.history.devices(person).is_empty() {
            return Ok(self.signed_in(person, attempt, SignInFactor::Device, Some(device)));
        }
        let thing = device.thing().expect("it was verified");
        let until = open.until;
        self.note(Fact::AssociateProven { person, attempt, thing, until, code: digits });
        Ok(Answer::Wanted { attempt, until, associate: false })
    }

    fn sign_in_by_code(&mut self, person: usize, attempt: usize, device: Device, text: Text) -> Result<Answer, Answer> {
        self.own_turn(person, attempt)?;
        if let Device::Sms(..) = device {
            return self.sign_in_by_sent_code(person, attempt, device, text);
        }
        let digits = self.digits(text);
        let shown_before = self.history.shown_by_associate(attempt) == Some(digits);
        let noted = self.history.0.len();
        let answer = self.verify(person, device, (!shown_before).then_some(digits), Purpose::SignIn)?;
        if answer == Answer::Accepted {
            return Ok(self.signed_in(person, attempt, SignInFactor::Device, Some(device)));
        }
        // What was told before is not recorded again.
        if self.history.0.len() > noted {
            let fault = fault_of(&answer);
            self.note(Fact::SignInRefused { person, attempt, device: Some(device), fault });
        }
        Ok(answer)
    }

    /// Digits of a device that shows codes; what was sent is no code of one, but for a coincidence.
    fn digits(&self, text: Text) -> u32 {
        match text {
            Text::Digits(digits) => digits,
            Text::Sent(_) | Text::NotSent(_) => unreachable!("sent codes are typed for phones"),
        }
    }

    // ---- keys ----

    /// A challenge to the keys of a person.
    pub fn ask_key(&mut self, person: usize, form: KeyForm, task: Task) -> Answer {
        let window = self.history.registrations(person, self.now, self.rules_of(person).window_s).window;
        let (challenge, until) = (self.next_challenge(), self.now + KEY_MS);
        self.note(Fact::KeyAsked { person, challenge, form, task, until, window });
        Answer::Challenged { challenge, until }
    }

    fn sign_in_by_key(
        &mut self,
        person: usize,
        attempt: usize,
        challenge: usize,
        paper: usize,
    ) -> Result<Answer, Answer> {
        self.own_turn(person, attempt)?;
        let asked = self.history.challenge(person, challenge, self.now);
        let asked = asked.filter(|asked| matches!(asked.task, Task::Prove { attempt: of, .. } if of == attempt));
        let Some(asked) = asked else {
            self.note(Fact::SignInRefused { person, attempt, device: None, fault: SignInFault::NotAsked });
            return Ok(Answer::Refused);
        };
        let Judged { device, counter, fault } = self.judge(person, &asked, paper);
        let verified = self.papers[paper].verified;
        match (fault, device, counter) {
            (None, Some(device), Some(counter)) => {
                self.note(Fact::KeyAccepted { person, challenge, device, counter, verified });
                Ok(self.signed_in(person, attempt, SignInFactor::Device, Some(device)))
            }
            (fault, device, counter) => {
                let fault = fault.unwrap_or(KeyFault::Malformed);
                self.note(Fact::KeyRefused { person, challenge, device, fault, counter });
                self.note(Fact::SignInRefused { person, attempt, device, fault: SignInFault::Wrong });
                Ok(Answer::Refused)
            }
        }
    }

    // ---- phones ----

    fn is_own_phone(&self, person: usize, device: Device) -> bool {
        matches!(device, Device::Sms(..)) && self.history.owner(device) == Some(person)
    }

    /// A15: one code in each pause, some in each quarter of an hour. NT-43: no other number at once. NT-40: so many to
    /// a number and of an account.
    pub fn send(&mut self, person: usize, device: Device, errand: Errand, number: usize) -> Result<Answer, Answer> {
        let enrols = matches!(errand, Errand::Enrolment(_));
        let gone = self.history.phone_gone_until(person, self.now).filter(|_| enrols);
        if let Some(at) = self.history.sends_again_at(person, Sending::Code, self.now).max(gone) {
            return Err(Answer::Later { reason: reason::TOO_SOON, at });
        }
        let (counted, at) = self.history.budgeted(matches!(errand, Errand::SignIn(_)), self.now);
        let to_number = counted.iter().filter(|(_, to)| *to == number).count();
        let of_account = counted.iter().filter(|(of, _)| *of == PEOPLE[person].account).count();
        if to_number >= self.deployment.codes_per_number || of_account >= self.deployment.codes_per_account {
            return Err(Answer::Later { reason: reason::NO_BUDGET, at });
        }
        let (challenge, until) = (self.next_challenge(), self.now + CODE_MS);
        let window = self.history.sends(person, Sending::Code, self.now).window;
        self.note(Fact::CodeSent { person, challenge, device, number, errand, until, window });
        Ok(Answer::Sent { challenge, to: NUMBERS[number].1, until, again_at: self.now + PAUSE_MS })
    }

    fn sign_in_by_sent_code(
        &mut self,
        person: usize,
        attempt: usize,
        device: Device,
        text: Text,
    ) -> Result<Answer, Answer> {
        first([(reason::NOT_THIS_FACTOR, !self.is_own_phone(person, device))])?;
        let refused = |fault| Fact::SignInRefused { person, attempt, device: Some(device), fault };
        let sent = self.history.sent_code(person, device).filter(|sent| sent.errand == Errand::SignIn(attempt));
        let Some(sent) = sent else {
            self.note(refused(SignInFault::NotAsked));
            return Ok(Answer::Refused);
        };
        let challenge = sent.challenge;
        match self.compare(sent, text) {
            None => {
                self.note(Fact::CodeTaken { person, challenge, device });
                Ok(self.signed_in(person, attempt, SignInFactor::Device, Some(device)))
            }
            Some(fault) => {
                self.note(Fact::CodeMissed { person, challenge, device, fault });
                self.note(refused(SignInFault::Wrong));
                Ok(Answer::Refused)
            }
        }
    }

    /// What is wrong with a code that came back; one that is too late, or tried too often, is not looked at.
    pub fn compare(&self, sent: Sent, text: Text) -> Option<SmsFault> {
        if sent.until <= self.now {
            Some(SmsFault::Expired)
        } else if sent.tries >= CODE_TRIES {
            Some(SmsFault::Exhausted)
        } else {
            (text != Text::Sent(sent.challenge)).then_some(SmsFault::Wrong)
        }
    }
}

fn fault_of(answer: &Answer) -> SignInFault {
    if matches!(answer, Answer::Locked { .. }) { SignInFault::Locked } else { SignInFault::Wrong }
}
