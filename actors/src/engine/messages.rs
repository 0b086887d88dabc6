//! SMS devices: enrolment, and codes at a sign-in (R36..R38, R101, R118..R128).

use countersign_domain::decide::Verdict;
use countersign_domain::device::{PhoneNumber, Serial};
use countersign_domain::ids::{AttemptId, ChallengeId, PrincipalId, UnixMillis};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::ChallengeSecret;
use countersign_domain::settings::SmsEligibility;

use super::keys::once;
use super::{Countersign, acked};
use crate::answer::{Ack, Proof, Request};
use crate::code::Code;
use crate::error::Error;
use crate::principal::CeremonyWork;
use crate::resident::{Answer, Given};
use crate::views::SmsState;

/// A code that was decided on, and how far it came in a moment.
///
/// ```
/// fn tell(sent: &countersign::SmsSent) -> String {
///     if sent.state.is_given_up() {
///         format!("we could not send a code to {}; ask for another", sent.to)
///     } else {
///         format!("a code is on its way to {}", sent.to)
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsSent {
    /// The challenge.
    pub challenge: ChallengeId,
    /// The number, masked.
    pub to: String,
    /// Until when the code is good.
    pub until: UnixMillis,
    /// When another may be asked for (A15).
    pub again_at: UnixMillis,
    /// How far it came by now.
    pub state: SmsState,
}

impl Countersign {
    /// Whether a principal may enable an SMS device: never root (R122), and by the policy and what the account chose
    /// (R126, A16). Ask it before offering one.
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// assert!(!engine.sms_offered(&PrincipalId::Root("123456789012".parse().unwrap())));
    /// ```
    #[must_use]
    pub fn sms_offered(&self, principal: &PrincipalId) -> bool {
        let shared = &self.runtime.shared;
        let eligible = match shared.settings(principal.account()).sms {
            SmsEligibility::Open => true,
            SmsEligibility::ExistingOnly | SmsEligibility::Ending => {
                shared.views(|views| views.is_sms_participant(principal))
            }
            SmsEligibility::Ended => false,
        };
        !principal.is_root() && eligible && self.policy_of(principal.account()).sms_enrolment
    }

    /// Sends a code to a number that is to become an SMS device (R118). Asked again, another code, which makes this
    /// one worthless (A15).
    ///
    /// # Errors
    /// `SmsNotOffered`, to root always (R122); `TooSoon`; and as for enabling any device.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(Request::by(Caller::operator()), account, DeviceName::new("root")?).await?;
    /// let root = PrincipalId::Root(account);
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// let refused = engine.begin_sms_enrolment(request, &root, PhoneNumber::parse("+14155551234")?).await;
    /// assert_eq!(refused.unwrap_err().rejection(), Some(&Rejection::SmsNotOffered));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn begin_sms_enrolment(
        &self,
        request: Request,
        principal: &PrincipalId,
        phone: PhoneNumber,
    ) -> Result<Ack<SmsSent>, Error> {
        let (challenge, secret) = self.sending()?;
        let work = CeremonyWork::BeginSms { challenge, secret, phone };
        let answer = self.principal_work(principal, once(request), work).await;
        self.on_its_way(principal, answer).await
    }

    /// Enables an SMS device by the code that was sent to it (R119).
    ///
    /// # Errors
    /// `ChallengeUnknown` when the code is not the newest one, or not of this enrolment; and as
    /// [`Self::begin_sms_enrolment`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let outbox = DevelopmentTransports::new(true);
    /// # let config = Config { transports: Transports::development(&outbox), ..Config::default() };
    /// # let engine = Countersign::in_memory(config)?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// let by_lee = || Request::by(Caller::at_console(lee.clone(), None));
    /// let sent = engine.begin_sms_enrolment(by_lee(), &lee, PhoneNumber::parse("+14155551234")?).await?.value;
    /// let code = Code::parse(&outbox.messages()[0].code)?;
    /// let proof = engine.finish_sms_enrolment(by_lee(), &lee, sent.challenge, code).await?.value;
    /// assert!(proof.is_accepted());
    /// assert_eq!(engine.devices(&lee)[0].phone.as_deref(), Some("+•••••••1234"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn finish_sms_enrolment(
        &self,
        request: Request,
        principal: &PrincipalId,
        challenge: ChallengeId,
        code: Code,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, CeremonyWork::FinishSms { challenge, code }).await
    }

    /// Sends a code to an SMS device, in a sign-in (R101). Asked again, another code.
    ///
    /// # Errors
    /// `ChallengeUnknown` when the attempt is not open; `FactorUnknown`; `TooSoon`.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, lee: PrincipalId, attempt: AttemptId) -> Result<String, Error> {
    /// let request = Request::by(Caller::at_console(lee.clone(), None));
    /// let phone = engine.devices(&lee)[0].serial.clone();
    /// let sent = engine.send_sign_in_code(request, &lee, attempt, &phone).await?.value;
    /// Ok(format!("a code is on its way to {}", sent.to))
    /// # }
    /// ```
    pub async fn send_sign_in_code(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        serial: &Serial,
    ) -> Result<Ack<SmsSent>, Error> {
        let (challenge, secret) = self.sending()?;
        let work = CeremonyWork::SendCode { attempt, serial: serial.clone(), challenge, secret };
        let answer = self.principal_work(principal, once(request), work).await;
        self.on_its_way(principal, answer).await
    }

    /// A new challenge and what its code follows from.
    pub(super) fn sending(&self) -> Result<(ChallengeId, ChallengeSecret), Error> {
        let shared = &self.runtime.shared;
        Ok((ChallengeId::from_bytes(shared.random()?), ChallengeSecret::new(shared.random()?)))
    }

    /// Waits a little until a code is handed over or given up; the sender goes on either way.
    async fn on_its_way(&self, principal: &PrincipalId, answer: Result<Answer, Error>) -> Result<Ack<SmsSent>, Error> {
        let refused = answer.as_ref().err().and_then(Error::rejection);
        if matches!(refused, Some(Rejection::PrefixBlocked { .. })) || self.runtime.shared.sms.looks_for_alarms() {
            self.raise_alarm().await;
        }
        let answer = answer?;
        let (Verdict::Challenged { challenge, until }, Some(Given::Sending(_, Some(phone)))) =
            (answer.verdict, answer.given.as_deref())
        else {
            return Err(Error::unavailable("no code was decided on"));
        };
        let state = self.runtime.sms_state(challenge).await;
        let pause_ms = u64::from(self.policy_of(principal.account()).sms_again_after_s).saturating_mul(1000);
        let again_at = answer.at.plus_ms(pause_ms);
        Ok(acked(SmsSent { challenge, to: phone.to_string(), until, again_at, state }, &answer))
    }
}
