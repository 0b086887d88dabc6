//! Security keys and passkeys (R30..R35, R100, R177).

use countersign_domain::decide::{Denial, Verdict};
use countersign_domain::device::{DeviceName, Serial};
use countersign_domain::event::{KeyFault, KeyForm};
use countersign_domain::ids::{AttemptId, ChallengeId, PrincipalId, UnixMillis};
use countersign_domain::rejection::Rejection;

use super::sign_in::SignInStep;
use super::{Countersign, acked};
use crate::answer::{Ack, Request};
use crate::error::Error;
use crate::principal::CeremonyWork;
use crate::resident::{Answer, Given};

/// What a security key is asked; for the browser, which asks it.
///
/// ```
/// fn script(challenge: &countersign::KeyChallenge) -> &str { &challenge.options }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChallenge {
    /// The challenge; answered once, by the principal that it was made for, in the ceremony that it was made for,
    /// before its time is over (NT-10). Keep it in the session that asked: whoever knows it can answer.
    pub id: ChallengeId,
    /// JSON whose member `publicKey` is what `PublicKeyCredential.parseCreationOptionsFromJSON` or
    /// `parseRequestOptionsFromJSON` takes (WebAuthn Level 3, sections 5.1.8 and 5.1.9).
    pub options: String,
    /// Until when it may be answered.
    pub until: UnixMillis,
}

/// What came of a registration.
///
/// ```
/// use countersign::{KeyRefusal, KeyRegistration};
/// assert_ne!(KeyRegistration::Refused(KeyRefusal::NotAccepted), KeyRegistration::Refused(KeyRefusal::NotTrusted));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRegistration {
    /// The key is registered and enabled under this ARN (R35).
    Registered(Serial),
    /// It is not.
    Refused(KeyRefusal),
}

/// Why a key was not registered, as far as the person may learn it; the log has the whole reason.
///
/// ```
/// fn tell(refusal: countersign::KeyRefusal) -> &'static str {
///     match refusal {
///         countersign::KeyRefusal::NotAccepted => "that did not work; try again",
///         countersign::KeyRefusal::AlreadyRegistered => "this key is registered already",
///         countersign::KeyRefusal::NotTrusted => "keys of this model are not accepted here",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The answer does not verify.
    NotAccepted,
    /// The credential belongs to a device already, here or elsewhere (NT-30).
    AlreadyRegistered,
    /// Keys of this model are not taken: it does not attest to one that is trusted, or its credentials are too long.
    NotTrusted,
}

impl Countersign {
    /// What keys a principal may register: by the rules of its account, and no passkeys where keys must attest. Ask it
    /// before offering one.
    ///
    /// ```
    /// # use countersign::*;
    /// let engine = Countersign::in_memory(Config { policy: Policy::modern(), ..Config::default() })?;
    /// let root = PrincipalId::Root("123456789012".parse().unwrap());
    /// assert_eq!(engine.key_forms(&root), [KeyForm::SecurityKey, KeyForm::Passkey]);
    /// # Ok::<(), OpenError>(())
    /// ```
    #[must_use]
    pub fn key_forms(&self, principal: &PrincipalId) -> Vec<KeyForm> {
        let policy = self.policy_of(principal.account());
        let passkeys = policy.passkeys && !self.runtime.shared.keys.wants_attestation();
        let forms = [(KeyForm::SecurityKey, policy.security_keys), (KeyForm::Passkey, passkeys)];
        forms.into_iter().filter_map(|(form, offered)| offered.then_some(form)).collect()
    }

    /// Asks the principal's keys of one form to prove themselves in a sign-in (R100).
    ///
    /// # Errors
    /// `ChallengeUnknown` when the attempt is not open; `FactorUnknown` when there is no such key, or it is the
    /// linked principal's turn; `TooManyChallenges`.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, lee: PrincipalId, attempt: AttemptId) -> Result<String, Error> {
    /// let request = Request::by(Caller::at_console(lee.clone(), None));
    /// let challenge = engine.offer_key(request, &lee, attempt, KeyForm::SecurityKey).await?.value;
    /// Ok(challenge.options) // for navigator.credentials.get
    /// # }
    /// ```
    pub async fn offer_key(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        form: KeyForm,
    ) -> Result<Ack<KeyChallenge>, Error> {
        let challenge = ChallengeId::from_bytes(self.runtime.shared.random()?);
        let work = CeremonyWork::OfferKey { attempt, challenge, form };
        let answer = self.principal_work(principal, once(request), work).await?;
        key_challenge(&answer)
    }

    /// Completes a sign-in with the answer of a security key: the JSON of `credential.toJSON()`, unchanged.
    ///
    /// # Errors
    /// `ChallengeUnknown` when the attempt is not open. A challenge that was answered before, or is another's, is a
    /// refusal, and recorded.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn post(engine: Countersign, lee: PrincipalId, attempt: AttemptId, id: ChallengeId, json: &str)
    /// # -> Result<bool, Error> {
    /// let request = Request::by(Caller::at_console(lee.clone(), None));
    /// let step = engine.sign_in_with_key(request, &lee, attempt, id, json).await?.value;
    /// Ok(matches!(step, SignInStep::SignedIn(_)))
    /// # }
    /// ```
    pub async fn sign_in_with_key(
        &self,
        request: Request,
        principal: &PrincipalId,
        attempt: AttemptId,
        challenge: ChallengeId,
        response: &str,
    ) -> Result<Ack<SignInStep>, Error> {
        let work = CeremonyWork::SignInWithKey { attempt, challenge, response: response.to_owned() };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(self.step(&answer))
    }

    /// Asks a new key to register (R32). `replaces` is a device whose place it takes, in one step (R79).
    ///
    /// # Errors
    /// As for enabling any device: `SelfManagementNeedsMfa`, `ChannelNotAllowed`, `PrincipalUnknown`, `DeviceNotYours`,
    /// `PrincipalDeviceLimit`, `RotationNotAtomic`; `KeyFormNotOffered`, `TooManyChallenges`; a name that does not fit an
    /// ARN is too large.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(Request::by(Caller::operator()), account, DeviceName::new("root")?).await?;
    /// let root = PrincipalId::Root(account);
    /// let request = Request::by(Caller::at_console(root.clone(), None));
    /// let name = DeviceName::new("blue-key")?;
    /// let challenge = engine.begin_key_registration(request, &root, name, KeyForm::SecurityKey, None).await?.value;
    /// assert!(challenge.options.contains("publicKey")); // for navigator.credentials.create
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn begin_key_registration(
        &self,
        request: Request,
        principal: &PrincipalId,
        name: DeviceName,
        form: KeyForm,
        replaces: Option<&Serial>,
    ) -> Result<Ack<KeyChallenge>, Error> {
        let user = self.principal(principal).ok_or(Rejection::PrincipalUnknown)?;
        let random = u128::from_be_bytes(self.runtime.shared.random()?);
        let serial = Serial::of_key(principal, &user.name, &name, random).map_err(Error::too_large)?;
        let challenge = ChallengeId::from_bytes(self.runtime.shared.random()?);
        let work = CeremonyWork::BeginKey { challenge, serial, form, replaces: replaces.cloned() };
        let answer = self.principal_work(principal, once(request), work).await?;
        key_challenge(&answer)
    }

    /// Registers and enables a key by its answer: the JSON of `credential.toJSON()`, unchanged.
    ///
    /// # Errors
    /// `ChallengeUnknown`: never asked, answered before, of another principal, or its time is over; and as
    /// [`Self::begin_key_registration`].
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn post(engine: Countersign, lee: PrincipalId, id: ChallengeId, json: &str) -> Result<String, Error> {
    /// let request = Request::by(Caller::at_console(lee.clone(), None));
    /// Ok(match engine.finish_key_registration(request, &lee, id, json).await?.value {
    ///     KeyRegistration::Registered(serial) => format!("{serial} is yours"),
    ///     KeyRegistration::Refused(why) => format!("{why:?}"),
    /// })
    /// # }
    /// ```
    pub async fn finish_key_registration(
        &self,
        request: Request,
        principal: &PrincipalId,
        challenge: ChallengeId,
        response: &str,
    ) -> Result<Ack<KeyRegistration>, Error> {
        let work = CeremonyWork::FinishKey { challenge, response: response.to_owned() };
        let answer = self.principal_work(principal, request, work).await?;
        let value = match answer.verdict {
            Verdict::KeyRegistered { device } => {
                let serial = self.runtime.shared.views(|views| views.serial_of(device));
                // Deactivated again before a retry asked.
                KeyRegistration::Registered(serial.ok_or(Rejection::ChallengeUnknown)?)
            }
            Verdict::Denied(Denial::Key(KeyFault::AlreadyRegistered)) => {
                KeyRegistration::Refused(KeyRefusal::AlreadyRegistered)
            }
            Verdict::Denied(Denial::Key(KeyFault::Attestation | KeyFault::CredentialTooLong)) => {
                KeyRegistration::Refused(KeyRefusal::NotTrusted)
            }
            _ => KeyRegistration::Refused(KeyRefusal::NotAccepted),
        };
        Ok(acked(value, &answer))
    }
}

/// A challenge is made anew each time that it is asked for.
pub(super) fn once(request: Request) -> Request {
    Request { command: None, ..request }
}

fn key_challenge(answer: &Answer) -> Result<Ack<KeyChallenge>, Error> {
    match (&answer.verdict, answer.given.as_deref()) {
        (Verdict::Challenged { challenge, until }, Some(Given::Options(options))) => {
            Ok(acked(KeyChallenge { id: *challenge, options: options.clone(), until: *until }, answer))
        }
        _ => Err(Error::unavailable("the key was not challenged")),
    }
}
