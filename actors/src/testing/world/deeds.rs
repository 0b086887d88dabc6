//! Deeds, done by the facade of the engine.

use super::super::deed::{Deed, Device, Outcome, Typed, With};
use super::{World, account, name, user_id};
use crate::{
    Ack, Caller, Clock, DeactivateReason, Error, KeyForm, KeyRegistration, Path, Proof, Refusal, Rejection, Removal,
    Request, Serial, SignInStep, SignedInBy, UnixMillis,
};

impl World {
    pub(super) fn attempt(&mut self, deed: Deed) -> Result<Outcome, Error> {
        let now = self.clock.now();
        match deed {
            Deed::AddUser(user) => self.add(user),
            Deed::RemoveUser(user) => {
                done(self.run(self.engine.remove_user(operator(), &self.principal(user), Removal::TakeDevices)))
            }
            Deed::CreateApp(app) => self.create(app),
            Deed::DeleteApp(app) => {
                let serial = self.serial("", Device::App(app));
                done(self.run(self.engine.delete_virtual_device(operator(), account(), &serial)))
            }
            Deed::Enable { user, app, codes } => {
                let ((one, two), who) = (self.hands.type_pair(app, codes, now), self.principal(user));
                let serial = self.serial(user, Device::App(app));
                proven(self.run(self.engine.enable(operator(), &who, &serial, one, two)))
            }
            Deed::Rotate { user, old, app, codes } => {
                let ((one, two), who) = (self.hands.type_pair(app, codes, now), self.principal(user));
                let (old, new) = (self.serial(user, old), self.serial(user, Device::App(app)));
                proven(self.run(self.engine.rotate(operator(), &who, &old, &new, one, two)))
            }
            Deed::Resync { user, app, codes } => {
                let ((one, two), who) = (self.hands.type_pair(app, codes, now), self.principal(user));
                let serial = self.serial(user, Device::App(app));
                proven(self.run(self.engine.resync(operator(), &who, &serial, one, two)))
            }
            Deed::Deactivate { user, device } => {
                let (who, serial) = (self.principal(user), self.serial(user, device));
                done(self.run(self.engine.deactivate(operator(), &who, &serial, DeactivateReason::Requested)))
            }
            Deed::Verify { user, app, code, purpose } => {
                let (code, who) = (self.hands.type_code(app, code, now), self.principal(user));
                let serial = self.serial(user, Device::App(app));
                proven(self.run(self.engine.verify_code(operator(), &who, &serial, code, purpose)))
            }
            Deed::EnrolKey { user, key } => self.enrol_key(user, key),
            Deed::EnrolHandset { user, handset } => self.enrol_handset(user, handset),
            Deed::SignIn { user, with } => self.sign_in(user, with),
            Deed::Drift { .. } | Deed::Wait { .. } | Deed::SetBack { .. } | Deed::Jump => {
                self.pass(deed);
                Ok(Outcome::Done)
            }
            Deed::Restart => {
                // What does not close is as good as cut off.
                let _closed = self.run(self.engine.close());
                self.reopen();
                Ok(Outcome::Done)
            }
            Deed::Crash { kept } => {
                self.resume(self.disk.crash(kept.into()));
                Ok(Outcome::Done)
            }
        }
    }

    fn pass(&mut self, deed: Deed) {
        let now = self.clock.now();
        match deed {
            Deed::Drift { app, steps } => self.hands.drift(app, steps),
            Deed::Wait { seconds } => self.clock.advance_s(seconds.into()),
            Deed::SetBack { seconds } => self.clock.set(UnixMillis(now.0.saturating_sub(u64::from(seconds) * 1000))),
            _ => {
                if let Some(next) = self.told.iter().find(|at| **at > now) {
                    self.clock.set(*next);
                }
            }
        }
    }

    fn add(&mut self, user: &'static str) -> Result<Outcome, Error> {
        let number = self.came.get(user).copied().unwrap_or_default() + 1;
        let id = user_id(user, number);
        let added = self.run(self.engine.register_user(operator(), account(), id, name(user), Path::root()));
        if added.is_ok() {
            self.came.insert(user, number);
        }
        done(added)
    }

    fn create(&mut self, app: &'static str) -> Result<Outcome, Error> {
        self.entropy.set_next(Some(self.hands.next_seed(app)));
        let made = self.run(self.engine.create_virtual_device(operator(), account(), Path::root(), name(app)));
        self.entropy.set_next(None);
        self.hands.scan(app, &made?.value);
        Ok(Outcome::Done)
    }

    fn enrol_key(&mut self, user: &'static str, key: &'static str) -> Result<Outcome, Error> {
        let (who, by) = (self.principal(user), self.at_console(user, true));
        let form = self.key_form();
        let begun = self.engine.begin_key_registration(by.clone(), &who, name(key), form, None);
        let asked = self.run(begun)?.value;
        let answer = self.hands.touched(key).create(&asked.options);
        let finished = self.engine.finish_key_registration(by, &who, asked.id, &answer);
        Ok(match self.run(finished)?.value {
            KeyRegistration::Registered(serial) => {
                self.hands.keep_key(key, serial);
                Outcome::Accepted
            }
            KeyRegistration::Refused(_) => Outcome::Refused,
        })
    }

    fn enrol_handset(&mut self, user: &'static str, handset: &'static str) -> Result<Outcome, Error> {
        let (who, by) = (self.principal(user), self.at_console(user, true));
        let (held, outbox) = (handset, self.outbox.clone());
        let handset = self.hands.handset(held, &outbox);
        let sent = self.run(self.engine.begin_sms_enrolment(by.clone(), &who, handset.number().clone()))?.value;
        let Some(code) = handset.code_for(sent.challenge) else { return Ok(not_come()) };
        let outcome = proven(self.run(self.engine.finish_sms_enrolment(by, &who, sent.challenge, code)))?;
        if outcome == Outcome::Accepted {
            let number = self.came.get(user).copied().unwrap_or_default();
            self.hands.keep_handset(user, number, held);
        }
        Ok(outcome)
    }

    fn sign_in(&mut self, user: &'static str, with: With) -> Result<Outcome, Error> {
        let (who, by) = (self.principal(user), self.at_console(user, false));
        let code = with_code(with).map(|(app, code)| self.hands.type_code(app, code, self.clock.now()));
        let step = self.run(self.engine.begin_sign_in(by.clone(), &who))?.value;
        let SignInStep::Wanted { attempt, .. } = step else { return Ok(self.stepped(user, step)) };
        let engine = self.engine.clone();
        let step = match (with, code) {
            (With::Code(app, _), Some(code)) => {
                let serial = self.serial(user, Device::App(app));
                self.run(engine.sign_in_with_code(by, &who, attempt, &serial, code))?
            }
            (With::Touch(key) | With::Copy(key), _) => {
                let asked = self.run(engine.offer_key(by.clone(), &who, attempt, self.key_form()))?.value;
                let held = if matches!(with, With::Touch(_)) { self.hands.touched(key) } else { self.hands.copy(key) };
                let answer = held.get(&asked.options);
                self.run(engine.sign_in_with_key(by, &who, attempt, asked.id, &answer))?
            }
            (With::Text(handset), _) => {
                let serial = self.serial(user, Device::Handset(handset));
                let sent = self.run(engine.send_sign_in_code(by.clone(), &who, attempt, &serial))?.value;
                let handset = self.hands.handset(handset, &self.outbox);
                let Some(code) = handset.code_for(sent.challenge) else { return Ok(not_come()) };
                self.run(engine.sign_in_with_code(by, &who, attempt, &serial, code))?
            }
            _ => return Ok(Outcome::Wanted),
        };
        Ok(self.stepped(user, step.value))
    }

    fn stepped(&self, user: &str, step: SignInStep) -> Outcome {
        match step {
            SignInStep::SignedIn(done) => Outcome::SignedIn(match done.by {
                SignedInBy::Device(serial) => self.device_of(user, &serial),
                SignedInBy::PasswordOnly | SignedInBy::AlternativeFactors => None,
            }),
            SignInStep::Wanted { .. } => Outcome::Wanted,
            SignInStep::Refused(refusal) => refused(refusal),
        }
    }

    /// The device of a serial number.
    pub(super) fn device_of(&self, user: &str, serial: &Serial) -> Option<Device> {
        if let Some(key) = self.hands.key_of(serial) {
            return Some(Device::Key(key));
        }
        let (kind, last) = (serial.as_str().split(':').nth(5)?, serial.as_str().rsplit('/').next()?);
        if kind.starts_with("sms-mfa") {
            return self.hands.handset_of(user, self.came.get(user).copied()?).map(Device::Handset);
        }
        self.hands.app_named(last).map(Device::App)
    }

    /// A person in the console who has proven a password, and perhaps a second factor.
    fn at_console(&self, user: &str, proven: bool) -> Request {
        Request::by(Caller::at_console(self.principal(user), proven.then(|| self.clock.now())))
    }

    fn key_form(&self) -> KeyForm {
        if self.policy().security_keys { KeyForm::SecurityKey } else { KeyForm::Passkey }
    }

    pub(super) fn has_handset(&self, user: &str, handset: &str) -> bool {
        self.came.get(user).is_some_and(|number| self.hands.handset_of(user, *number) == Some(handset))
    }
}

fn operator() -> Request {
    Request::by(Caller::operator())
}

const fn with_code(with: With) -> Option<(&'static str, Typed)> {
    match with {
        With::Code(app, code) => Some((app, code)),
        With::Password | With::Touch(_) | With::Copy(_) | With::Text(_) => None,
    }
}

fn done<T>(result: Result<Ack<T>, Error>) -> Result<Outcome, Error> {
    result.map(|_| Outcome::Done)
}

fn proven(result: Result<Ack<Proof>, Error>) -> Result<Outcome, Error> {
    Ok(match result?.value {
        Proof::Accepted => Outcome::Accepted,
        Proof::Refused(refusal) => refused(refusal),
    })
}

const fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::Wrong => Outcome::Refused,
        Refusal::Locked { until } => Outcome::Locked(until),
        Refusal::NotYet => Outcome::NotYet,
    }
}

fn not_come() -> Outcome {
    Outcome::Failed("no code came".to_owned())
}

pub(super) fn unsettled(error: &Error) -> Outcome {
    let Some(rejection) = error.rejection() else { return Outcome::Failed(error.to_string()) };
    let again_at = match rejection {
        Rejection::TooManyChallenges { again_at }
        | Rejection::TooSoon { again_at }
        | Rejection::SmsBudgetSpent { again_at, .. } => Some(*again_at),
        Rejection::PrefixBlocked { until } => Some(*until),
        _ => None,
    };
    Outcome::Rejected(rejection.code(), again_at)
}
