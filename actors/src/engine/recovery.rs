//! Root's way back in when its device is lost: e-mail and phone, in one attempt (R130, A22, A23).

use countersign_domain::decide::Verdict;
use countersign_domain::device::PhoneNumber;
use countersign_domain::event::AlternativeFactor;
use countersign_domain::ids::{AttemptId, ChallengeId, PrincipalId, UnixMillis};
use countersign_domain::principal::Alternative;
use countersign_domain::secret::ChallengeSecret;
use zeroize::Zeroizing;

use super::keys::once;
use super::sign_in::SignInStep;
use super::{Countersign, acked};
use crate::answer::{Ack, Proof, Request};
use crate::code::Code;
use crate::error::Error;
use crate::principal::CeremonyWork;
use crate::resident::{Answer, Given};
use crate::sent::{Medium, mail_code, six_digits};
use crate::transports::{MailMessage, TransportError, VoiceCall, masked_address};

/// The longest address that a mail is sent to, in bytes (RFC 5321, section 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;

/// A recovery mail that was decided on, and whether it could be handed over.
///
/// ```
/// fn tell(sent: &countersign::RecoverySent) -> String { format!("follow the link that we sent to {}", sent.to) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverySent {
    /// The address, masked.
    pub to: String,
    /// Until when the code is good.
    pub until: UnixMillis,
    /// Whether the transport took it.
    pub delivered: Result<(), TransportError>,
}

/// A recovery call that was decided on, and whether it could be made.
///
/// ```
/// fn tell(call: &countersign::RecoveryCall) -> String {
///     format!("we are calling {}; key in {}", call.to, call.show.expose())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RecoveryCall {
    /// The call.
    pub call: ChallengeId,
    /// The six digits for the page; whoever answers the phone keys them in.
    pub show: Code,
    /// The number, masked.
    pub to: String,
    /// Until when they are good.
    pub until: UnixMillis,
    /// Whether the transport took the call.
    pub delivered: Result<(), TransportError>,
}

/// How far a recovery is.
///
/// ```
/// assert!(!countersign::RecoveryProgress::default().is_complete());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// The mail was answered.
    pub mail: bool,
    /// The call was answered.
    pub phone: bool,
}

impl RecoveryProgress {
    /// Whether both were.
    ///
    /// ```
    /// assert!(countersign::RecoveryProgress { mail: true, phone: true }.is_complete());
    /// ```
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.mail && self.phone
    }
}

impl Countersign {
    /// Whether a principal may sign in by alternative factors: root, unless it is switched off for the account, or
    /// while another device could be used (R130 b, d).
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// let account = "123456789012".parse().unwrap();
    /// assert!(engine.recovery_allowed(&PrincipalId::Root(account)));
    /// assert!(!engine.recovery_allowed(&PrincipalId::User(account, UserId::new("AIDALEE").unwrap())));
    /// ```
    #[must_use]
    pub fn recovery_allowed(&self, principal: &PrincipalId) -> bool {
        let allowed = self.runtime.shared.settings(principal.account()).alternative_factors;
        principal.is_root() && allowed && self.devices(principal).len() <= 1
    }

    /// Sends a mail to root's registered address, in a sign-in (R130). Asked again, another code.
    ///
    /// # Errors
    /// `ChallengeUnknown` when the attempt is not open; `AlternativeFactorsNotOffered`; `FactorUnknown` while the
    /// linked principal's device is asked for; `TooSoon`.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, root: PrincipalId, attempt: AttemptId) -> Result<String, Error> {
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// let sent = engine.send_recovery_mail(request, &root, attempt, "owner@example.com").await?.value;
    /// Ok(format!("follow the link that we sent to {}", sent.to))
    /// # }
    /// ```
    pub async fn send_recovery_mail(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        to: &str,
    ) -> Result<Ack<RecoverySent>, Error> {
        if to.len() > ADDRESS_BYTES_MAX {
            return Err(Error::too_large("the address"));
        }
        let answer = self.ask_alternative(request, principal, attempt, AlternativeFactor::Mail).await?;
        let (_, until, secret) = asked(&answer)?;
        let mail = MailMessage { to: to.to_owned(), code: mail_code(secret), attempt };
        let delivered = self.transports.mail.send(mail).await;
        if let Err(cause) = &delivered {
            tracing::warn!(%principal, %attempt, %cause, "a recovery mail was not handed over");
        }
        Ok(acked(RecoverySent { to: masked_address(to), until, delivered }, &answer))
    }

    /// Takes the code of a recovery mail; good once, for ten minutes (A22).
    ///
    /// # Errors
    /// `ChallengeUnknown` when no mail is open: never sent, answered, tried too often, or its time is over.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn post(engine: Countersign, root: PrincipalId, attempt: AttemptId, code: &str) -> Result<bool, Error> {
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// Ok(engine.confirm_recovery_mail(request, &root, attempt, code).await?.value.is_accepted())
    /// # }
    /// ```
    pub async fn confirm_recovery_mail(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        code: &str,
    ) -> Result<Ack<Proof>, Error> {
        self.prove_alternative(request, principal, attempt, (AlternativeFactor::Mail, None), code).await
    }

    /// Calls root's registered phone, once the mail was answered (R130): show the digits on the page.
    ///
    /// # Errors
    /// As [`Self::send_recovery_mail`]; `FactorUnknown` while the mail was not answered.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, root: PrincipalId, attempt: AttemptId) -> Result<String, Error> {
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// let phone = PhoneNumber::parse("+14155551234").expect("a number");
    /// let call = engine.call_recovery_phone(request, &root, attempt, &phone).await?.value;
    /// Ok(format!("key in {}", call.show.expose()))
    /// # }
    /// ```
    pub async fn call_recovery_phone(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        to: &PhoneNumber,
    ) -> Result<Ack<RecoveryCall>, Error> {
        let answer = self.ask_alternative(request, principal, attempt, AlternativeFactor::Phone).await?;
        let (call, until, secret) = asked(&answer)?;
        let delivered =
            self.transports.voice.call(VoiceCall { to: to.clone(), principal: principal.clone(), attempt, call }).await;
        if let Err(cause) = &delivered {
            tracing::warn!(%principal, %attempt, %cause, "a recovery call was not made");
        }
        let show = six_digits(secret, Medium::Call);
        Ok(acked(RecoveryCall { call, show, to: to.to_string(), until, delivered }, &answer))
    }

    /// Takes the keys that were pressed on the phone; for the transport of calls.
    ///
    /// # Errors
    /// `ChallengeUnknown` when this call is not open.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn hook(engine: Countersign, call: VoiceCall, keys: &str) -> Result<bool, Error> {
    /// let request = Request::by(Caller::operator());
    /// Ok(engine.answer_recovery_call(request, &call.principal, call.attempt, call.call, keys).await?.value.is_accepted())
    /// # }
    /// ```
    pub async fn answer_recovery_call(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        call: ChallengeId,
        digits: &str,
    ) -> Result<Ack<Proof>, Error> {
        self.prove_alternative(request, principal, attempt, (AlternativeFactor::Phone, Some(call)), digits).await
    }

    /// How far a recovery is; `None` when the attempt is not open.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, root: PrincipalId, attempt: AttemptId) -> Result<bool, Error> {
    /// Ok(engine.recovery_progress(&root, attempt).await?.is_some_and(RecoveryProgress::is_complete))
    /// # }
    /// ```
    pub async fn recovery_progress(
        &self,
        principal: &PrincipalId,
        attempt: AttemptId,
    ) -> Result<Option<RecoveryProgress>, Error> {
        let request = Request::by(Self::at_the_door(principal));
        match self.principal_work(principal, request, CeremonyWork::LookAtSignIn { attempt }).await {
            Ok(answer) => Ok(match answer.given.as_deref() {
                Some(Given::Open(open)) => Some(RecoveryProgress {
                    mail: open.mail == Alternative::Proven,
                    phone: open.phone == Alternative::Proven,
                }),
                _ => None,
            }),
            Err(error) if error.rejection().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Completes a sign-in whose mail and call were both answered. The devices stay as they are (R130 a), and the
    /// session has no second factor (A22).
    ///
    /// # Errors
    /// `FactorUnknown` while one of the two is missing; as [`Self::send_recovery_mail`].
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn post(engine: Countersign, root: PrincipalId, attempt: AttemptId) -> Result<SignInStep, Error> {
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// Ok(engine.finish_recovery(request, &root, attempt).await?.value)
    /// # }
    /// ```
    pub async fn finish_recovery(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
    ) -> Result<Ack<SignInStep>, Error> {
        let answer = self.principal_work(principal, request, CeremonyWork::FinishRecovery { attempt }).await?;
        Ok(self.step(&answer))
    }

    async fn ask_alternative(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        factor: AlternativeFactor,
    ) -> Result<Answer, Error> {
        let (challenge, secret) = self.sending()?;
        let work = CeremonyWork::AskAlternative { attempt, factor, challenge, secret };
        self.principal_work(principal, once(request), work).await
    }

    async fn prove_alternative(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        (factor, call): (AlternativeFactor, Option<ChallengeId>),
        answer: &str,
    ) -> Result<Ack<Proof>, Error> {
        // Nothing that is longer can be right.
        let answer = Zeroizing::new(answer.chars().take(64).collect());
        self.proof(principal, request, CeremonyWork::ProveAlternative { attempt, factor, call, answer }).await
    }
}

fn asked(answer: &Answer) -> Result<(ChallengeId, UnixMillis, &ChallengeSecret), Error> {
    match (answer.verdict, answer.given.as_deref()) {
        (Verdict::Challenged { challenge, until }, Some(Given::Sending(secret, _))) => Ok((challenge, until, secret)),
        _ => Err(Error::unavailable("the alternative factor was not asked for")),
    }
}
