//! Signing in: what comes after the right password (R97..R108).

use countersign_domain::caller::{Caller, Credential};
use countersign_domain::decide::{Denial, Verdict};
use countersign_domain::device::Serial;
use countersign_domain::event::{Purpose, SignInFactor};
use countersign_domain::ids::{AccountId, AttemptId, PrincipalId, UnixMillis};
use countersign_domain::principal::Associate;
use countersign_domain::rejection::Rejection;

use super::keys::once;
use super::{Countersign, acked};
use crate::answer::{Ack, Proof, Refusal, Request};
use crate::code::Code;
use crate::error::Error;
use crate::ledger::{LedgerKey, LedgerWork};
use crate::principal::{CeremonyWork, PrincipalWork};
use crate::resident::{Answer, Given};
use crate::views::DeviceView;

/// How far a sign-in came.
///
/// ```
/// use countersign::SignInStep;
///
/// fn page(step: &SignInStep) -> &'static str {
///     match step {
///         SignInStep::SignedIn(_) => "home",
///         SignInStep::Wanted { .. } => "second page",
///         SignInStep::Refused(_) => "second page, try again",
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInStep {
    /// The person is in.
    SignedIn(SignedIn),
    /// A second factor is asked for: show the second page (R99..R101).
    Wanted {
        /// The attempt, for what follows. Keep it with the browser that typed the password.
        attempt: AttemptId,
        /// Until when it may be completed.
        until: UnixMillis,
        /// Whose device is asked for.
        of: FactorOf,
    },
    /// The proof was refused. The attempt stays open: try again (R99).
    Refused(Refusal),
}

/// A completed sign-in.
///
/// ```
/// fn session(done: &countersign::SignedIn) -> countersign::Credential { done.credential() }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The attempt.
    pub attempt: AttemptId,
    /// When.
    pub at: UnixMillis,
    /// What was proven.
    pub by: SignedInBy,
}

impl SignedIn {
    /// What a session rests on that begins now (R105, A21, A22).
    ///
    /// ```
    /// use countersign::{AttemptId, Credential, SignedIn, SignedInBy, UnixMillis};
    /// let attempt = AttemptId::from_bytes([7; 16]);
    /// let done = SignedIn { attempt, at: UnixMillis(5), by: SignedInBy::PasswordOnly };
    /// assert_eq!(done.credential(), Credential::Session { mfa_at: None });
    /// ```
    #[must_use]
    pub const fn credential(&self) -> Credential {
        match self.by {
            SignedInBy::PasswordOnly => Credential::Session { mfa_at: None },
            SignedInBy::Device(_) => Credential::Session { mfa_at: Some(self.at) },
            SignedInBy::AlternativeFactors => Credential::Recovered,
        }
    }
}

/// What was proven at a sign-in.
///
/// ```
/// assert_ne!(countersign::SignedInBy::PasswordOnly, countersign::SignedInBy::AlternativeFactors);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedInBy {
    /// The password only: there is no device (R98).
    PasswordOnly,
    /// The password and this device.
    Device(Serial),
    /// The password, and root's e-mail and phone (R130).
    AlternativeFactors,
}

/// Whose device is asked for (R5, A6).
///
/// ```
/// assert_ne!(countersign::FactorOf::Own, countersign::FactorOf::Associate);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorOf {
    /// The principal's own.
    Own,
    /// That of the root user of the linked account, which shares the e-mail address; it comes first.
    Associate,
}

impl Countersign {
    /// Begins a sign-in: the platform checked the password just now.
    ///
    /// Who has no device is in at once (R98). Everybody else is asked for a second factor; until then nothing of the
    /// session that may follow exists.
    ///
    /// # Errors
    /// `PrincipalUnknown`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(Request::by(Caller::operator()), account, DeviceName::new("root")?).await?;
    /// let root = PrincipalId::Root(account);
    /// let client = Client::new(Some([203, 0, 113, 7].into()), "Firefox/130");
    /// let request = Request::by(Caller::at_console(root.clone(), None)).from_client(client);
    /// let step = engine.begin_sign_in(request, &root).await?.value;
    /// let SignInStep::SignedIn(done) = step else { panic!("root has no device yet") };
    /// assert_eq!(done.by, SignedInBy::PasswordOnly);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn begin_sign_in(&self, request: Request, principal: &PrincipalId) -> Result<Ack<SignInStep>, Error> {
        let attempt = AttemptId::from_bytes(self.runtime.shared.random()?);
        let associate = self.associate_of(principal).map(|associate| associate.stream());
        let work = CeremonyWork::BeginSignIn { attempt, associate };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(self.step(&answer))
    }

    /// Ends every open sign-in and challenge of a principal. Call it when its password was changed, so that whoever
    /// typed the old one has to start over (R129).
    ///
    /// # Errors
    /// `PrincipalUnknown`; `ChannelNotAllowed` to who is of another account.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn password_changed(engine: Countersign, lee: PrincipalId, by: Caller) -> Result<(), Error> {
    /// engine.end_sign_ins(Request::by(by), &lee).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end_sign_ins(&self, request: Request, principal: &PrincipalId) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, CeremonyWork::EndSignIns).await?;
        Ok(acked((), &answer))
    }

    /// The devices that a sign-in can be completed with: the principal's own, or the linked principal's.
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// # let root = PrincipalId::Root("123456789012".parse().unwrap());
    /// assert!(engine.sign_in_factors(&root, FactorOf::Own).is_empty());
    /// ```
    #[must_use]
    pub fn sign_in_factors(&self, principal: &PrincipalId, of: FactorOf) -> Vec<DeviceView> {
        match of {
            FactorOf::Own => self.devices(principal),
            FactorOf::Associate => {
                let associate = self.associate_of(principal);
                let devices = associate.map(|associate| self.devices(&associate)).unwrap_or_default();
                devices.into_iter().filter(|device| device.kind.is_totp()).collect()
            }
        }
    }

    /// Completes a sign-in with the code of a TOTP device, or with one that was sent to an SMS device; while the
    /// linked principal's device is asked for, with that one's.
    ///
    /// # Errors
    /// `ChallengeUnknown` when the attempt is not open; `FactorUnknown` or `DeviceNotYours` when this device is not
    /// asked for; `ClockWentBack`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(Request::by(Caller::operator()), account, DeviceName::new("root")?).await?;
    /// # let root = PrincipalId::Root(account);
    /// # let by_root = || Request::by(Caller::at_console(root.clone(), None));
    /// # let made = engine.create_virtual_device(by_root(), account, Path::root(), DeviceName::new("phone")?).await?;
    /// # let serial = made.value.serial.clone();
    /// # let secret = totp_rs::Secret::try_from_base32(made.value.base32().as_str()).unwrap();
    /// # let phone = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build()?;
    /// # let now = engine.now().secs();
    /// # let shown = |seconds: u64| Code::parse(&phone.generate(seconds).to_string()).unwrap();
    /// # engine.enable(by_root(), &root, &serial, shown(now), shown(now + 30)).await?;
    /// let SignInStep::Wanted { attempt, .. } = engine.begin_sign_in(by_root(), &root).await?.value else { panic!() };
    /// let step = engine.sign_in_with_code(by_root(), &root, attempt, &serial, shown(now + 60)).await?.value;
    /// assert!(matches!(step, SignInStep::SignedIn(SignedIn { by: SignedInBy::Device(_), .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn sign_in_with_code(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        serial: &Serial,
        code: Code,
    ) -> Result<Ack<SignInStep>, Error> {
        if request.command.is_some() {
            // A retry is answered as recorded, whatever has become of the device or the link since.
            let recall = CeremonyWork::RecallSignIn { attempt, serial: serial.clone(), code: code.clone() };
            match self.principal_work(principal, request.clone(), recall).await {
                Ok(answer) => return Ok(self.step(&answer)),
                Err(error) if error.rejection().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let associate = self.associate_of(principal);
        let of_associate =
            |associate: &PrincipalId| self.devices(associate).iter().any(|device| device.serial == *serial);
        if let Some(associate) = associate.filter(of_associate) {
            return self.sign_in_with_associate(request, principal, attempt, (&associate, serial), code).await;
        }
        let work = CeremonyWork::SignInWithCode { attempt, serial: serial.clone(), code };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(self.step(&answer))
    }

    /// The linked principal's device is proven in its own stream, and the sign-in takes note of it (A6).
    async fn sign_in_with_associate(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        (associate, serial): (&PrincipalId, &Serial),
        code: Code,
    ) -> Result<Ack<SignInStep>, Error> {
        let look = CeremonyWork::LookAtSignIn { attempt };
        let open = self.principal_work(principal, once(request.clone()), look).await?;
        // The link may have changed since the sign-in began: it is the one of then that is asked for.
        let turn = match open.given.as_deref() {
            Some(Given::Open(open)) => open.associate == Associate::Wanted(associate.stream()),
            _ => false,
        };
        if !turn {
            return Err(Rejection::FactorUnknown.into());
        }
        // Under the same command id, so that a retry tries no second code (R96).
        let (serial, purpose) = (serial.clone(), Purpose::SignIn);
        let verify = PrincipalWork::Verify { serial: serial.clone(), code: code.clone(), purpose };
        let verified = self.principal_work(associate, request.clone(), verify).await?;
        let work = match verified.verdict {
            Verdict::Denied(denial) => CeremonyWork::AssociateRefused { attempt, serial, code, denial },
            _ => CeremonyWork::AssociateProven { attempt, serial, code },
        };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(self.step(&answer))
    }

    /// The root user of the linked account, if both accounts name each other and it has a device that shows codes
    /// (R5, A6).
    fn associate_of(&self, principal: &PrincipalId) -> Option<PrincipalId> {
        let PrincipalId::Root(account) = principal else { return None };
        let other = self.runtime.shared.settings(*account).associate?;
        let mutual = self.runtime.shared.settings(other).associate == Some(*account);
        let associate = PrincipalId::Root(other);
        let has_codes = self.devices(&associate).iter().any(|device| device.kind.is_totp());
        (mutual && has_codes).then_some(associate)
    }

    /// Records that a wrong password was typed, or a name that nobody has: `principal` is then `None`. The name
    /// itself is not recorded, as people type passwords there (R195).
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// let client = Client::new(Some([203, 0, 113, 7].into()), "curl/8");
    /// let request = Request::by(Caller::operator()).from_client(client);
    /// engine.record_password_refused(request, None, None).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn record_password_refused(
        &self,
        request: Request,
        account: Option<AccountId>,
        principal: Option<&PrincipalId>,
    ) -> Result<Ack<()>, Error> {
        let who = principal.map(PrincipalId::stream);
        self.ledger(LedgerKey::Door(account, who), request, LedgerWork::Refused { who, locked: false }).await
    }

    /// Records that too many passwords were tried and none is looked at for a while.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// engine.record_passwords_locked(Request::by(Caller::operator()), None, None).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn record_passwords_locked(
        &self,
        request: Request,
        account: Option<AccountId>,
        principal: Option<&PrincipalId>,
    ) -> Result<Ack<()>, Error> {
        let who = principal.map(PrincipalId::stream);
        self.ledger(LedgerKey::Door(account, who), request, LedgerWork::Refused { who, locked: true }).await
    }

    /// The step that an answer stands for.
    pub(super) fn step(&self, answer: &Answer) -> Ack<SignInStep> {
        let value = match answer.verdict {
            Verdict::SignedIn { attempt, factor, device } => {
                let serial = device.and_then(|device| self.runtime.shared.views(|views| views.serial_of(device)));
                let by = match (factor, serial) {
                    (SignInFactor::AlternativeFactors, _) => SignedInBy::AlternativeFactors,
                    (SignInFactor::Device, Some(serial)) => SignedInBy::Device(serial),
                    // A device that was deactivated in the meantime proves nothing any more.
                    (SignInFactor::Device | SignInFactor::Nothing, _) => SignedInBy::PasswordOnly,
                };
                SignInStep::SignedIn(SignedIn { attempt, at: answer.at, by })
            }
            Verdict::SecondFactorWanted { attempt, until, associate } => {
                let of = if associate { FactorOf::Associate } else { FactorOf::Own };
                SignInStep::Wanted { attempt, until, of }
            }
            Verdict::Denied(Denial::Locked { until }) => SignInStep::Refused(Refusal::Locked { until }),
            verdict => match Proof::of(verdict) {
                Proof::Refused(refusal) => SignInStep::Refused(refusal),
                Proof::Accepted => SignInStep::Refused(Refusal::Wrong),
            },
        };
        acked(value, answer)
    }

    /// The caller that a person at the second page is.
    #[must_use]
    pub(super) fn at_the_door(principal: &PrincipalId) -> Caller {
        Caller::at_console(principal.clone(), None)
    }
}
