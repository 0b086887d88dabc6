//! What clients ask of the node, frozen, so that it can be asked again under the same id.

use countersign::testing::from_base32;
use countersign::*;

use crate::door::{at_console, proven};
use crate::support::{Phone, name, operator};

/// One command with all that it says.
#[derive(Clone, Debug)]
pub struct Command {
    pub id: CommandId,
    /// Whose command it is, by number.
    pub who: usize,
    pub deed: Deed,
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

impl Command {
    /// Asks the node.
    pub async fn ask(self, engine: Countersign, account: AccountId, who: PrincipalId) -> Answer {
        let by = |request: Request| request.with_command(self.id);
        let console = || by(at_console(&who));
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
                engine.enable(by(operator()), &who, &phone.serial, first, second).await.map(proof)
            }
            Deed::Resync(phone, at) => {
                let (first, second) = pair(&phone, at);
                engine.resync(by(operator()), &who, &phone.serial, first, second).await.map(proof)
            }
            Deed::Rotate(old, new, at) => {
                let (first, second) = pair(&new, at);
                engine.rotate(by(operator()), &who, &old, &new.serial, first, second).await.map(proof)
            }
            Deed::Deactivate(serial) => {
                let reason = DeactivateReason::Requested;
                engine.deactivate(by(operator()), &who, &serial, reason).await.map(done)
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
            Deed::Record(byte) => {
                let written = engine.append_record(by(operator()), "directory", None, 7, vec![byte]).await;
                written.map(|ack| (Said::Done, ack.position))
            }
        }
    }
}
