//! The commands to a principal, and what each of them says.

use std::fmt;

use countersign_domain::decide::{Denial, Removal, Submitted};
use countersign_domain::device::{DeviceName, Path, PhoneNumber, Serial};
use countersign_domain::event::{
    AlternativeFactor, DeactivateReason, ForgetReason, KeyForm, Purpose, SmsDelivery, SmsDropReason,
};
use countersign_domain::ids::{AttemptId, ChallengeId, StreamId};
use countersign_domain::secret::ChallengeSecret;
use countersign_domain::sms::RouteName;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::identity::{Identity, Work};

/// A command to a principal.
pub(crate) enum PrincipalWork {
    /// R86..R91.
    Verify { serial: Serial, code: Code, purpose: Purpose },
    /// R62..R67.
    Enable { serial: Serial, first: Code, second: Code },
    /// R79.
    Rotate { old: Serial, new: Serial, first: Code, second: Code },
    /// R109..R117.
    Resync { serial: Serial, first: Code, second: Code },
    /// R68..R72.
    Deactivate { serial: Serial, reason: DeactivateReason },
    /// R10.
    Rename { name: DeviceName, path: Path },
    /// R76, R77.
    Remove { removal: Removal },
    /// Ends what is known of a principal that was removed; streams of the host's own records go with it.
    Forget { reason: ForgetReason, records: Vec<StreamId> },
    /// A sign-in, or a challenge to a key or a phone. Boxed, so that the commands that come by the thousand stay small.
    Ceremony(Box<CeremonyWork>),
}

/// A command of a sign-in, or one that challenges a security key or a phone or answers for it.
pub(crate) enum CeremonyWork {
    /// R97, R98.
    BeginSignIn { attempt: AttemptId, associate: Option<StreamId> },
    /// A new password.
    EndSignIns,
    /// How far a sign-in is.
    LookAtSignIn { attempt: AttemptId },
    /// R99, R101.
    SignInWithCode { attempt: AttemptId, serial: Serial, code: Code },
    /// What was recorded of [`Self::SignInWithCode`] under the same command id, whoever's the device was.
    RecallSignIn { attempt: AttemptId, serial: Serial, code: Code },
    /// A6: what [`Self::SignInWithCode`] came to, with the linked principal's device.
    AssociateProven { attempt: AttemptId, serial: Serial, code: Code },
    /// A6.
    AssociateRefused { attempt: AttemptId, serial: Serial, code: Code, denial: Denial },
    /// R100.
    OfferKey { attempt: AttemptId, challenge: ChallengeId, form: KeyForm },
    /// R100.
    SignInWithKey { attempt: AttemptId, challenge: ChallengeId, response: String },
    /// R32.
    BeginKey { challenge: ChallengeId, serial: Serial, form: KeyForm, replaces: Option<Serial> },
    /// R32.
    FinishKey { challenge: ChallengeId, response: String },
    /// R101.
    SendCode { attempt: AttemptId, serial: Serial, challenge: ChallengeId, secret: ChallengeSecret },
    /// R118.
    BeginSms { challenge: ChallengeId, secret: ChallengeSecret, phone: PhoneNumber },
    /// R119.
    FinishSms { challenge: ChallengeId, code: Code },
    /// A sender wants to ask a gateway.
    BeginSubmit { challenge: ChallengeId, route: RouteName, lease_ms: u64, price_micros: u64 },
    /// What came of it.
    EndSubmit { challenge: ChallengeId, submit: u8, submitted: Submitted },
    /// A sender gives a message up.
    DropSms { challenge: ChallengeId, reason: SmsDropReason },
    /// A gateway reported.
    ReportSms { challenge: ChallengeId, delivery: SmsDelivery },
    /// Somebody wants a message sent after all.
    RedriveSms { challenge: ChallengeId },
    /// R130.
    AskAlternative { attempt: AttemptId, factor: AlternativeFactor, challenge: ChallengeId, secret: ChallengeSecret },
    /// R130.
    ProveAlternative {
        attempt: AttemptId,
        factor: AlternativeFactor,
        call: Option<ChallengeId>,
        answer: Zeroizing<String>,
    },
    /// R130.
    FinishRecovery { attempt: AttemptId },
}

impl From<CeremonyWork> for PrincipalWork {
    fn from(work: CeremonyWork) -> Self {
        Self::Ceremony(Box::new(work))
    }
}

impl PrincipalWork {
    fn name(&self) -> &'static str {
        match self {
            Self::Verify { .. } => "verify",
            Self::Enable { .. } => "enable",
            Self::Rotate { .. } => "rotate",
            Self::Resync { .. } => "resync",
            Self::Deactivate { .. } => "deactivate",
            Self::Rename { .. } => "rename",
            Self::Remove { .. } => "remove",
            Self::Forget { .. } => "forget",
            Self::Ceremony(work) => work.name(),
        }
    }
}

impl CeremonyWork {
    const fn name(&self) -> &'static str {
        match self {
            Self::BeginSignIn { .. } => "begin sign-in",
            Self::EndSignIns => "end sign-ins",
            Self::LookAtSignIn { .. } => "look at sign-in",
            // One command, whichever way it goes.
            Self::SignInWithCode { .. }
            | Self::RecallSignIn { .. }
            | Self::AssociateProven { .. }
            | Self::AssociateRefused { .. } => "sign in with code",
            Self::OfferKey { .. } => "offer key",
            Self::SignInWithKey { .. } => "sign in with key",
            Self::BeginKey { .. } => "begin key registration",
            Self::FinishKey { .. } => "finish key registration",
            Self::SendCode { .. } => "send code",
            Self::BeginSms { .. } => "begin sms enrolment",
            Self::FinishSms { .. } => "finish sms enrolment",
            Self::BeginSubmit { .. } => "begin submit",
            Self::EndSubmit { .. } => "end submit",
            Self::DropSms { .. } => "drop sms",
            Self::ReportSms { .. } => "report sms",
            Self::RedriveSms { .. } => "re-drive sms",
            Self::AskAlternative { .. } => "ask for alternative factor",
            Self::ProveAlternative { .. } => "prove alternative factor",
            Self::FinishRecovery { .. } => "finish recovery",
        }
    }
}

impl Work for PrincipalWork {
    /// What is made afresh for each try, ids and secrets of challenges, is no part of what a command is.
    fn identity(&self, identity: &mut Identity) {
        identity.part(self.name().as_bytes());
        match self {
            Self::Verify { serial, code, purpose } => {
                identity.text(serial.as_str()).text(code.as_str()).part(&[u8::from(*purpose)]);
            }
            Self::Enable { serial, first, second } | Self::Resync { serial, first, second } => {
                identity.text(serial.as_str()).text(first.as_str()).text(second.as_str());
            }
            Self::Rotate { old, new, first, second } => {
                identity.text(old.as_str()).text(new.as_str()).text(first.as_str()).text(second.as_str());
            }
            Self::Deactivate { serial, reason } => {
                identity.text(serial.as_str()).part(&[u8::from(*reason)]);
            }
            Self::Rename { name, path } => {
                identity.text(name.as_str()).text(path.as_str());
            }
            Self::Remove { removal } => {
                identity.part(&[u8::from(*removal == Removal::TakeDevices)]);
            }
            Self::Forget { reason, records } => {
                identity.part(&[u8::from(*reason)]);
                for stream in records {
                    identity.part(stream.as_bytes());
                }
            }
            Self::Ceremony(work) => work.identity(identity),
        }
    }
}

impl CeremonyWork {
    fn identity(&self, identity: &mut Identity) {
        match self {
            Self::BeginSignIn { .. } | Self::EndSignIns => {}
            Self::LookAtSignIn { attempt } | Self::FinishRecovery { attempt } => {
                identity.part(attempt.as_bytes());
            }
            Self::SignInWithCode { attempt, serial, code }
            | Self::RecallSignIn { attempt, serial, code }
            | Self::AssociateProven { attempt, serial, code }
            | Self::AssociateRefused { attempt, serial, code, .. } => {
                identity.part(attempt.as_bytes()).text(serial.as_str()).text(code.as_str());
            }
            Self::OfferKey { attempt, form, .. } => {
                identity.part(attempt.as_bytes()).part(&[u8::from(*form)]);
            }
            Self::SignInWithKey { attempt, challenge, response } => {
                identity.part(attempt.as_bytes()).part(challenge.as_bytes()).text(response);
            }
            Self::BeginKey { serial, .. } => {
                identity.text(serial.as_str());
            }
            Self::FinishKey { challenge, response } => {
                identity.part(challenge.as_bytes()).text(response);
            }
            Self::SendCode { attempt, serial, .. } => {
                identity.part(attempt.as_bytes()).text(serial.as_str());
            }
            Self::BeginSms { phone, .. } => {
                identity.text(phone.e164());
            }
            Self::FinishSms { challenge, code } => {
                identity.part(challenge.as_bytes()).text(code.as_str());
            }
            Self::BeginSubmit { challenge, .. }
            | Self::EndSubmit { challenge, .. }
            | Self::DropSms { challenge, .. }
            | Self::ReportSms { challenge, .. }
            | Self::RedriveSms { challenge } => {
                identity.part(challenge.as_bytes());
            }
            Self::AskAlternative { attempt, factor, .. } => {
                identity.part(attempt.as_bytes()).part(&[u8::from(*factor)]);
            }
            Self::ProveAlternative { attempt, factor, answer, .. } => {
                identity.part(attempt.as_bytes()).part(&[u8::from(*factor)]).text(answer);
            }
        }
    }
}

impl fmt::Debug for PrincipalWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
