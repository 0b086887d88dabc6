//! Commands as they are sent to the engine, and its answers in the model's words.

use std::net::IpAddr;

use countersign::testing::{digits, from_base32};
use countersign::*;

use super::cast::{self, THINGS};
use super::commands::{Answer, By, Command, Factor, Held, Paper};
use super::hands::Hands;
use super::perform::Asked;
use crate::support::name;

/// How many addresses there are.
pub const ADDRESSES: usize = 3;

/// Where requests come from: most of them from the first address.
pub fn client(number: usize) -> Client {
    Client::new(Some(IpAddr::from([203, 0, 113, 7 + number as u8])), "model")
}

fn request(by: By, id: Option<u64>) -> Request {
    let credential = match by.held {
        Held::LongTermKey => Credential::LongTermKey,
        Held::Password => Credential::Session { mfa_at: None },
        Held::Device => Credential::Session { mfa_at: Some(UnixMillis(1)) },
        Held::Recovered => Credential::Recovered,
    };
    let caller = Caller { principal: by.who.map(cast::principal), credential, channel: by.channel };
    let command = id.map(|id| CommandId::derive(&["model", &id.to_string()]));
    Request { command, ..Request::by(caller) }.from_client(client(0))
}

fn code(number: u32) -> Code {
    Code::parse(&digits(number)).unwrap()
}

/// The engine at work, and the people beside it.
pub struct Asking<'a> {
    pub engine: &'a Countersign,
    pub hands: &'a mut Hands,
    pub papers: &'a [Paper],
}

impl Asking<'_> {
    pub async fn ask(&mut self, asked: &Asked) -> (Answer, u64) {
        let request = request(asked.by, asked.id);
        match &asked.command {
            Command::Password { .. }
            | Command::SignIn { .. }
            | Command::EndSignIns { .. }
            | Command::SignInCode { .. }
            | Command::OfferKey { .. }
            | Command::SignInKey { .. }
            | Command::SendCode { .. } => self.sign_in(request, &asked.command).await,
            Command::BeginKey { .. }
            | Command::FinishKey { .. }
            | Command::BeginSms { .. }
            | Command::FinishSms { .. } => self.enrol(request, &asked.command).await,
            Command::Mail { .. }
            | Command::ConfirmMail { .. }
            | Command::Call { .. }
            | Command::AnswerCall { .. }
            | Command::FinishRecovery { .. } => self.recover(request, &asked.command).await,
            Command::Alias { .. }
            | Command::Eligibility { .. }
            | Command::Alternatives { .. }
            | Command::Rules { .. }
            | Command::Link { .. } => self.choose(request, &asked.command).await,
            _ => self.manage(request, &asked.command).await,
        }
    }

    fn done(&self, result: Result<Ack<()>, Error>) -> (Answer, u64) {
        settled(self.engine, result, |()| Answer::Done)
    }

    fn proven(&self, result: Result<Ack<Proof>, Error>) -> (Answer, u64) {
        settled(self.engine, result, |proof| match proof {
            Proof::Accepted => Answer::Accepted,
            Proof::Refused(refusal) => refused(refusal),
        })
    }

    // ---- accounts, people, devices with codes ----

    async fn manage(&mut self, request: Request, command: &Command) -> (Answer, u64) {
        let engine = self.engine;
        let who = cast::principal;
        let serial = |device| self.hands.names.serial(device);
        match *command {
            Command::Open { account } => {
                self.done(engine.open_account(request, cast::account(account), name("root")).await)
            }
            Command::Register { person, name, path } => {
                let PrincipalId::User(account, id) = who(person) else { unreachable!("root is not registered") };
                self.done(engine.register_user(request, account, id, cast::name(name), cast::path(path)).await)
            }
            Command::Rename { person, name, path } => {
                self.done(engine.rename_user(request, &who(person), cast::name(name), cast::path(path)).await)
            }
            Command::Remove { person, take_devices } => {
                let removal = if take_devices { Removal::TakeDevices } else { Removal::RefuseWithDevices };
                self.done(engine.remove_user(request, &who(person), removal).await)
            }
            Command::Create { thing } => {
                let cast::Thing::Virtual(account, path, name) = THINGS[thing] else {
                    unreachable!("a token is imported")
                };
                let (account, path, name) = (cast::account(account), cast::path(path), cast::name(name));
                let made = engine.create_virtual_device(request, account, path, name).await;
                settled(engine, made, |made| {
                    assert_eq!(made.serial, cast::serial(thing));
                    Answer::Secret(from_base32(&made.base32()))
                })
            }
            Command::Delete { account, device } => {
                self.done(engine.delete_virtual_device(request, cast::account(account), &serial(device)).await)
            }
            Command::Import { thing } => {
                let seed = Seed::new(cast::token_secret(thing)).unwrap();
                self.done(engine.import_hardware_token(request, &cast::serial(thing), seed, "maker").await)
            }
            Command::Enable { person, device, first, second } => {
                let (first, second) = (code(first), code(second));
                self.proven(engine.enable(request, &who(person), &serial(device), first, second).await)
            }
            Command::Rotate { person, old, device, first, second } => {
                let (first, second, old) = (code(first), code(second), serial(old));
                self.proven(engine.rotate(request, &who(person), &old, &serial(device), first, second).await)
            }
            Command::Resync { person, device, first, second } => {
                let (first, second) = (code(first), code(second));
                self.proven(engine.resync(request, &who(person), &serial(device), first, second).await)
            }
            Command::Deactivate { person, device } => {
                let reason = DeactivateReason::Requested;
                self.done(engine.deactivate(request, &who(person), &serial(device), reason).await)
            }
            Command::Verify { person, device, code: number, purpose } => {
                let serial = serial(device);
                self.proven(engine.verify_code(request, &who(person), &serial, code(number), purpose).await)
            }
            _ => unreachable!("asked elsewhere"),
        }
    }

    // ---- signing in ----

    async fn sign_in(&mut self, request: Request, command: &Command) -> (Answer, u64) {
        let engine = self.engine;
        let who = cast::principal;
        match *command {
            Command::Password { account, person, locked } => {
                let (account, person) = (account.map(cast::account), person.map(who));
                let told = if locked {
                    engine.record_passwords_locked(request, account, person.as_ref()).await
                } else {
                    engine.record_password_refused(request, account, person.as_ref()).await
                };
                self.done(told)
            }
            Command::SignIn { person, from } => {
                let step = engine.begin_sign_in(request.from_client(client(from)), &who(person)).await;
                self.stepped(step)
            }
            Command::EndSignIns { person } => self.done(engine.end_sign_ins(request, &who(person)).await),
            Command::SignInCode { person, attempt, device, text } => {
                let (attempt, serial) = (self.hands.names.attempt(attempt), self.hands.names.serial(device));
                let code = Code::parse(&self.hands.text(text)).unwrap();
                let step = engine.sign_in_with_code(request, &who(person), attempt, &serial, code).await;
                self.stepped(step)
            }
            Command::OfferKey { person, attempt, form } => {
                let attempt = self.hands.names.attempt(attempt);
                let asked = engine.offer_key(request, &who(person), attempt, form).await;
                self.key_asked(asked)
            }
            Command::SignInKey { person, attempt, challenge, paper } => {
                let (attempt, challenge) = (self.hands.names.attempt(attempt), self.hands.names.challenge(challenge));
                let answer = self.hands.paper(self.papers, paper);
                let step = engine.sign_in_with_key(request, &who(person), attempt, challenge, &answer).await;
                self.stepped(step)
            }
            Command::SendCode { person, attempt, device } => {
                let (attempt, serial) = (self.hands.names.attempt(attempt), self.hands.names.serial(device));
                let sent = engine.send_sign_in_code(request, &who(person), attempt, &serial).await;
                self.sent(sent)
            }
            _ => unreachable!("asked elsewhere"),
        }
    }

    fn stepped(&mut self, step: Result<Ack<SignInStep>, Error>) -> (Answer, u64) {
        let names = &mut self.hands.names;
        settled(self.engine, step, |step| match step {
            SignInStep::Wanted { attempt, until, of } => {
                let attempt = names.attempt_number(attempt);
                Answer::Wanted { attempt, until: until.0, associate: of == FactorOf::Associate }
            }
            SignInStep::SignedIn(done) => {
                let by = match &done.by {
                    SignedInBy::PasswordOnly => Factor::Password,
                    SignedInBy::Device(serial) => Factor::Device(names.device(serial)),
                    SignedInBy::AlternativeFactors => Factor::Alternatives,
                };
                Answer::SignedIn { attempt: names.attempt_number(done.attempt), by }
            }
            SignInStep::Refused(refusal) => refused(refusal),
        })
    }

    fn key_asked(&mut self, asked: Result<Ack<KeyChallenge>, Error>) -> (Answer, u64) {
        let hands = &mut *self.hands;
        settled(self.engine, asked, |asked| {
            let challenge = hands.names.challenge_number(asked.id);
            hands.keep_options(challenge, asked.options);
            Answer::Challenged { challenge, until: asked.until.0 }
        })
    }

    fn sent(&mut self, sent: Result<Ack<SmsSent>, Error>) -> (Answer, u64) {
        let hands = &mut *self.hands;
        settled(self.engine, sent, |sent| {
            assert_eq!(sent.state, SmsState::Taken);
            let challenge = hands.names.challenge_number(sent.challenge);
            hands.read(challenge);
            let shown = cast::NUMBERS.iter().find(|(_, masked)| *masked == sent.to);
            let to = shown.unwrap_or_else(|| panic!("`{}` is no masked number", sent.to)).1;
            Answer::Sent { challenge, to, until: sent.until.0, again_at: sent.again_at.0 }
        })
    }

    // ---- keys and phones ----

    async fn enrol(&mut self, request: Request, command: &Command) -> (Answer, u64) {
        let engine = self.engine;
        let who = cast::principal;
        match *command {
            Command::BeginKey { person, name, form, replaces } => {
                let replaces = replaces.map(|old| self.hands.names.serial(old));
                let name = cast::name(name);
                let asked = engine.begin_key_registration(request, &who(person), name, form, replaces.as_ref()).await;
                self.key_asked(asked)
            }
            Command::FinishKey { person, challenge, paper } => {
                let challenge = self.hands.names.challenge(challenge);
                let answer = self.hands.paper(self.papers, paper);
                let made = engine.finish_key_registration(request, &who(person), challenge, &answer).await;
                settled(engine, made, |made| match made {
                    KeyRegistration::Registered(serial) => Answer::Registered(self.hands.names.device(&serial)),
                    KeyRegistration::Refused(why) => Answer::NotRegistered(why),
                })
            }
            Command::BeginSms { person, number } => {
                let sent = engine.begin_sms_enrolment(request, &who(person), cast::number(number)).await;
                self.sent(sent)
            }
            Command::FinishSms { person, challenge, text } => {
                let challenge = self.hands.names.challenge(challenge);
                let code = Code::parse(&self.hands.text(text)).unwrap();
                self.proven(engine.finish_sms_enrolment(request, &who(person), challenge, code).await)
            }
            _ => unreachable!("asked elsewhere"),
        }
    }

    // ---- root's way back ----

    async fn recover(&mut self, request: Request, command: &Command) -> (Answer, u64) {
        let engine = self.engine;
        let who = cast::principal;
        let attempt = |hands: &Hands, attempt| hands.names.attempt(attempt);
        match *command {
            Command::Mail { person, attempt: of } => {
                let attempt = attempt(self.hands, of);
                let sent = engine.send_recovery_mail(request, &who(person), attempt, "owner@example.com").await;
                let hands = &mut *self.hands;
                settled(engine, sent, |sent| {
                    assert_eq!((sent.to.as_str(), sent.delivered), ("o•••@example.com", Ok(())));
                    let challenge = hands.names.unheard_challenge();
                    hands.read(challenge);
                    Answer::Challenged { challenge, until: sent.until.0 }
                })
            }
            Command::ConfirmMail { person, attempt: of, text } => {
                let (attempt, text) = (attempt(self.hands, of), self.hands.text(text));
                self.proven(engine.confirm_recovery_mail(request, &who(person), attempt, &text).await)
            }
            Command::Call { person, attempt: of } => {
                let attempt = attempt(self.hands, of);
                let made = engine.call_recovery_phone(request, &who(person), attempt, &cast::number(0)).await;
                let hands = &mut *self.hands;
                settled(engine, made, |made| {
                    assert_eq!((made.to.as_str(), made.delivered), (cast::NUMBERS[0].1, Ok(())));
                    let challenge = hands.names.challenge_number(made.call);
                    hands.keep_shown(challenge, &made.show);
                    Answer::Challenged { challenge, until: made.until.0 }
                })
            }
            Command::AnswerCall { person, attempt: of, call, text } => {
                let (attempt, call) = (attempt(self.hands, of), self.hands.names.challenge(call));
                let text = self.hands.text(text);
                self.proven(engine.answer_recovery_call(request, &who(person), attempt, call, &text).await)
            }
            Command::FinishRecovery { person, attempt: of } => {
                let attempt = attempt(self.hands, of);
                let step = engine.finish_recovery(request, &who(person), attempt).await;
                self.stepped(step)
            }
            _ => unreachable!("asked elsewhere"),
        }
    }

    // ---- settings ----

    async fn choose(&mut self, request: Request, command: &Command) -> (Answer, u64) {
        let engine = self.engine;
        let done = match *command {
            Command::Alias { account, alias } => {
                engine.set_alias(request, cast::account(account), alias.map(cast::alias)).await
            }
            Command::Eligibility { account, sms } => {
                engine.set_sms_eligibility(request, cast::account(account), sms).await
            }
            Command::Alternatives { account, allowed } => {
                engine.allow_alternative_factors(request, cast::account(account), allowed).await
            }
            Command::Rules { account, preset } => engine.choose_policy(request, cast::account(account), preset).await,
            Command::Link { account, other } => {
                engine.link_root(request, cast::account(account), other.map(cast::account)).await
            }
            _ => unreachable!("asked elsewhere"),
        };
        self.done(done)
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Wrong => Answer::Refused,
        Refusal::NotYet => Answer::NotYet,
        Refusal::Locked { until } => Answer::Locked { until: until.0 },
    }
}

fn settled<T>(engine: &Countersign, result: Result<Ack<T>, Error>, answer: impl FnOnce(T) -> Answer) -> (Answer, u64) {
    match result {
        Ok(ack) => {
            assert!(engine.has_folded(ack.position), "queries know of what was acknowledged");
            (answer(ack.value), ack.at.0)
        }
        Err(error) => {
            let rejection = error.rejection().unwrap_or_else(|| panic!("not an answer: {error}"));
            let reason = rejection.code();
            let answer = match rejection {
                Rejection::TooManyChallenges { again_at }
                | Rejection::TooSoon { again_at }
                | Rejection::SmsBudgetSpent { again_at, .. } => Answer::Later { reason, at: again_at.0 },
                _ => Answer::Rejected(reason),
            };
            (answer, 0)
        }
    }
}
