//! What clients ask of the node, frozen, so that it can be asked again under the same id.

use std::fmt;

use countersign::testing::{SecurityKey, from_base32};
use countersign::*;

use crate::door::{at_console, proven};
use crate::support::{Phone, name, operator};

/// One command with all that it says.
#[derive(Clone, Debug)]
pub struct Command {
    pub id: CommandId,
    /// Whose command it is, by number, and as whom.
    pub who: usize,
    pub whom: PrincipalId,
    pub deed: Deed,
}

/// What a security key was asked. What is in it differs from run to run: the library of keys rolls its own challenges.
#[derive(Clone)]
pub struct Question {
    pub id: ChallengeId,
    options: String,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.id)
    }
}

/// A security key with its counter, as it is touched.
#[derive(Clone)]
pub struct Touched(pub SecurityKey);

impl fmt::Debug for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Touched({} {})", self.0.counter, self.0.spoilt)
    }
}

#[derive(Clone, Debug)]
pub enum Deed {
    Create(String),
    Delete(Serial),
    /// The phone, and the step of its second code.
    Enable(Phone, u64),
    Resync(Phone, u64),
    /// From one phone to another.
    Rotate(Serial, Phone, u64),
    Deactivate(Serial),
    /// The phone, the step of the code, and whether another code is typed than that of the step.
    Verify(Phone, u64, bool),
    Begin,
    TypeCode(AttemptId, Phone, u64, bool),
    EndSignIns,
    Enrol(PhoneNumber),
    FinishEnrol(ChallengeId, Code),
    Send(AttemptId, Serial),
    TypeSent(AttemptId, Serial, Code),
    Redrive(ChallengeId),
    BeginKey,
    FinishKey(Question, Touched),
    OfferKey(AttemptId),
    Touch(AttemptId, Question, Touched),
    Mail(AttemptId),
    Follow(AttemptId, String),
    Call(AttemptId),
    Press(AttemptId, ChallengeId, Code),
    Recover(AttemptId),
    Register(String),
    Remove(Removal),
    /// Somebody who was removed.
    Forget(PrincipalId),
    Record(u8),
}

/// What an answer said.
#[derive(Clone, Debug)]
pub enum Said {
    Done,
    Made(Phone),
    Proof(Proof),
    Step(SignInStep),
    Sent(ChallengeId),
    Question(Question),
    /// A key is registered.
    Registered,
    Mailed,
    Called(ChallengeId, Code),
}

impl Said {
    /// Whether a code was taken.
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Proof(Proof::Accepted) | Self::Step(SignInStep::SignedIn(_)))
    }
}

/// An answer, and up to where the log is durable then.
pub type Answer = Result<(Said, Position), Error>;

/// The codes of a pair, the second one of some step.
fn pair(phone: &Phone, step: u64) -> (Code, Code) {
    phone.pair(step * 30)
}

fn code(phone: &Phone, step: u64, wrong: bool) -> Code {
    let code = phone.at(step * 30);
    if wrong { crate::door::other_than(&code) } else { code }
}

impl Deed {
    /// The secret and the step of the one code that it spends.
    pub fn spends(&self) -> Option<(Vec<u8>, u64)> {
        match self {
            Self::Verify(phone, step, false) | Self::TypeCode(_, phone, step, false) => {
                Some((phone.secret.clone(), *step))
            }
            _ => None,
        }
    }
}

impl Deed {
    /// Security keys: what is asked of one is made anew each time, whatever the id of the command.
    async fn of_keys(self, engine: &Countersign, who: &PrincipalId, id: CommandId) -> Answer {
        let by = |request: Request| request.with_command(id);
        let question = |ack: Ack<KeyChallenge>| {
            (Said::Question(Question { id: ack.value.id, options: ack.value.options }), ack.position)
        };
        let form = KeyForm::SecurityKey;
        match self {
            Self::BeginKey => {
                engine.begin_key_registration(proven(who), who, name("blue"), form, None).await.map(question)
            }
            Self::FinishKey(asked, Touched(key)) => {
                let answer = key.create(&asked.options);
                let done = engine.finish_key_registration(by(proven(who)), who, asked.id, &answer).await?;
                let said = if let KeyRegistration::Registered(_) = done.value { Said::Registered } else { Said::Done };
                Ok((said, done.position))
            }
            Self::OfferKey(attempt) => engine.offer_key(at_console(who), who, attempt, form).await.map(question),
            Self::Touch(attempt, asked, Touched(key)) => {
                let answer = key.get(&asked.options);
                let step = engine.sign_in_with_key(by(at_console(who)), who, attempt, asked.id, &answer).await?;
                Ok((Said::Step(step.value), step.position))
            }
            other => unreachable!("{other:?} is not about keys"),
        }
    }

    /// Root's way back in.
    async fn of_recovery(self, engine: &Countersign, who: &PrincipalId, id: CommandId) -> Answer {
        let console = || at_console(who).with_command(id);
        let proof = |ack: Ack<Proof>| (Said::Proof(ack.value), ack.position);
        match self {
            Self::Mail(attempt) => {
                let sent = engine.send_recovery_mail(console(), who, attempt, "owner@example.com").await?;
                Ok((Said::Mailed, sent.position))
            }
            Self::Follow(attempt, code) => {
                engine.confirm_recovery_mail(console(), who, attempt, &code).await.map(proof)
            }
            Self::Call(attempt) => {
                let call = engine.call_recovery_phone(console(), who, attempt, &crate::door::number()).await?;
                Ok((Said::Called(call.value.call, call.value.show), call.position))
            }
            Self::Press(attempt, call, keys) => {
                let by = operator().with_command(id);
                engine.answer_recovery_call(by, who, attempt, call, keys.expose()).await.map(proof)
            }
            Self::Recover(attempt) => {
                let step = engine.finish_recovery(console(), who, attempt).await?;
                Ok((Said::Step(step.value), step.position))
            }
            other => unreachable!("{other:?} is not about recovery"),
        }
    }
}

impl Command {
    /// Asks the node.
    pub async fn ask(self, engine: Countersign, account: AccountId) -> Answer {
        let who = self.whom;
        let by = |request: Request| request.with_command(self.id);
        let console = || by(at_console(&who));
        // Nobody else changes root's devices.
        let manager = || by(if matches!(who, PrincipalId::Root(_)) { proven(&who) } else { operator() });
        let proof = |ack: Ack<Proof>| (Said::Proof(ack.value), ack.position);
        let done = |ack: Ack<()>| (Said::Done, ack.position);
        let step = |ack: Ack<SignInStep>| (Said::Step(ack.value), ack.position);
        let sent = |ack: Ack<SmsSent>| (Said::Sent(ack.value.challenge), ack.position);
        match self.deed {
            Deed::Create(text) => {
                let made = engine.create_virtual_device(by(operator()), account, Path::root(), name(&text)).await?;
                let secret = from_base32(&made.value.base32());
                Ok((Said::Made(Phone { serial: made.value.serial.clone(), secret }), made.position))
            }
            Deed::Delete(serial) => engine.delete_virtual_device(by(operator()), account, &serial).await.map(done),
            Deed::Enable(phone, at) => {
                let (first, second) = pair(&phone, at);
                engine.enable(manager(), &who, &phone.serial, first, second).await.map(proof)
            }
            Deed::Resync(phone, at) => {
                let (first, second) = pair(&phone, at);
                engine.resync(manager(), &who, &phone.serial, first, second).await.map(proof)
            }
            Deed::Rotate(old, new, at) => {
                let (first, second) = pair(&new, at);
                engine.rotate(manager(), &who, &old, &new.serial, first, second).await.map(proof)
            }
            Deed::Deactivate(serial) => {
                let reason = DeactivateReason::Requested;
                engine.deactivate(manager(), &who, &serial, reason).await.map(done)
            }
            Deed::Verify(phone, at, wrong) => {
                let (code, why) = (code(&phone, at, wrong), Purpose::SessionToken);
                engine.verify_code(by(operator()), &who, &phone.serial, code, why).await.map(proof)
            }
            Deed::Begin => engine.begin_sign_in(console(), &who).await.map(step),
            Deed::TypeCode(attempt, phone, at, wrong) => {
                let code = code(&phone, at, wrong);
                engine.sign_in_with_code(console(), &who, attempt, &phone.serial, code).await.map(step)
            }
            Deed::EndSignIns => engine.end_sign_ins(by(operator()), &who).await.map(done),
            Deed::Enrol(number) => engine.begin_sms_enrolment(by(proven(&who)), &who, number).await.map(sent),
            Deed::FinishEnrol(challenge, code) => {
                engine.finish_sms_enrolment(by(proven(&who)), &who, challenge, code).await.map(proof)
            }
            Deed::Send(attempt, serial) => engine.send_sign_in_code(console(), &who, attempt, &serial).await.map(sent),
            Deed::TypeSent(attempt, serial, code) => {
                engine.sign_in_with_code(console(), &who, attempt, &serial, code).await.map(step)
            }
            Deed::Redrive(challenge) => engine.redrive_sms(by(operator()), &who, challenge).await.map(done),
            Deed::Register(named) => {
                let PrincipalId::User(account, id) = who else { unreachable!("root is there") };
                let written = engine.register_user(by(operator()), account, id, name(&named), Path::root()).await;
                written.map(|ack| (Said::Done, ack.position))
            }
            Deed::Remove(removal) => engine.remove_user(by(operator()), &who, removal).await.map(done),
            Deed::Forget(gone) => engine.forget(by(operator()), &gone, ForgetReason::Requested, &[]).await.map(done),
            Deed::Record(byte) => {
                let written = engine.append_record(by(operator()), "directory", None, 7, vec![byte]).await;
                written.map(|ack| (Said::Done, ack.position))
            }
            deed @ (Deed::BeginKey | Deed::FinishKey(..) | Deed::OfferKey(_) | Deed::Touch(..)) => {
                deed.of_keys(&engine, &who, self.id).await
            }
            deed @ (Deed::Mail(_) | Deed::Follow(..) | Deed::Call(_) | Deed::Press(..) | Deed::Recover(_)) => {
                deed.of_recovery(&engine, &who, self.id).await
            }
        }
    }
}
