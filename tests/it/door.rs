//! What people do at the door of the console: keys that are touched, codes that are read off a phone.

use countersign::testing::SecurityKey;
use countersign::*;

use crate::support::{World, name};

/// A number that nobody has.
pub const NUMBER: &str = "+14155551234";

pub fn number() -> PhoneNumber {
    PhoneNumber::parse(NUMBER).unwrap()
}

/// A person at the console who has proven a password.
pub fn at_console(who: &PrincipalId) -> Request {
    Request::by(Caller::at_console(who.clone(), None))
}

/// A person at the console who has proven a second factor too.
pub fn proven(who: &PrincipalId) -> Request {
    Request::by(Caller::at_console(who.clone(), Some(UnixMillis::from_secs(1))))
}

pub fn refused_step(step: &SignInStep) -> bool {
    matches!(step, SignInStep::Refused(Refusal::Wrong))
}

pub fn is_in(step: &SignInStep) -> bool {
    matches!(step, SignInStep::SignedIn(_))
}

impl World {
    // ---- keys ----

    pub async fn begin_key(&self, who: &PrincipalId, form: KeyForm) -> KeyChallenge {
        let begun = self.engine.begin_key_registration(proven(who), who, name("blue"), form, None).await;
        begun.unwrap().value
    }

    pub async fn finish_key(
        &self,
        who: &PrincipalId,
        challenge: ChallengeId,
        answer: &str,
    ) -> Result<KeyRegistration, Error> {
        Ok(self.engine.finish_key_registration(proven(who), who, challenge, answer).await?.value)
    }

    /// Registers a key in both halves.
    pub async fn register(
        &self,
        who: &PrincipalId,
        key: &SecurityKey,
        form: KeyForm,
    ) -> Result<KeyRegistration, Error> {
        let begun = self.engine.begin_key_registration(proven(who), who, name("blue"), form, None).await?.value;
        self.finish_key(who, begun.id, &key.create(&begun.options)).await
    }

    /// A registered key's serial number.
    pub async fn registered(&self, who: &PrincipalId, key: &SecurityKey) -> Serial {
        match self.register(who, key, KeyForm::SecurityKey).await.unwrap() {
            KeyRegistration::Registered(serial) => serial,
            KeyRegistration::Refused(why) => panic!("not registered: {why:?}"),
        }
    }

    /// A user with one security key.
    pub async fn keyed(&self, user: &str, key: &SecurityKey) -> (PrincipalId, Serial) {
        let who = self.user(user).await;
        let serial = self.registered(&who, key).await;
        (who, serial)
    }

    pub async fn take(&self, who: &PrincipalId, serial: &Serial) -> Result<(), Error> {
        let reason = DeactivateReason::Requested;
        self.engine.deactivate(proven(who), who, serial, reason).await.map(|ack| ack.value)
    }

    // ---- signing in ----

    /// A sign-in that waits for a second factor.
    pub async fn begin_sign_in(&self, who: &PrincipalId) -> AttemptId {
        match self.engine.begin_sign_in(at_console(who), who).await.unwrap().value {
            SignInStep::Wanted { attempt, .. } => attempt,
            other => panic!("no second factor is asked for: {other:?}"),
        }
    }

    pub async fn offer(&self, who: &PrincipalId, attempt: AttemptId) -> KeyChallenge {
        let offered = self.engine.offer_key(at_console(who), who, attempt, KeyForm::SecurityKey).await;
        offered.unwrap().value
    }

    pub async fn touch(
        &self,
        who: &PrincipalId,
        attempt: AttemptId,
        challenge: ChallengeId,
        answer: &str,
    ) -> Result<SignInStep, Error> {
        Ok(self.engine.sign_in_with_key(at_console(who), who, attempt, challenge, answer).await?.value)
    }

    /// A whole sign-in with a key.
    pub async fn sign_in_by_touch(&self, who: &PrincipalId, key: &SecurityKey) -> Result<SignInStep, Error> {
        let attempt = self.begin_sign_in(who).await;
        let asked = self.offer(who, attempt).await;
        self.touch(who, attempt, asked.id, &key.get(&asked.options)).await
    }

    pub async fn type_code(
        &self,
        who: &PrincipalId,
        attempt: AttemptId,
        serial: &Serial,
        code: Code,
    ) -> Result<SignInStep, Error> {
        Ok(self.engine.sign_in_with_code(at_console(who), who, attempt, serial, code).await?.value)
    }

    // ---- phones ----

    /// The code that was sent last.
    pub fn last_code(&self) -> Code {
        Code::parse(&self.outbox.messages().last().expect("something was sent").code).unwrap()
    }

    pub async fn begin_sms(&self, who: &PrincipalId) -> Result<SmsSent, Error> {
        Ok(self.engine.begin_sms_enrolment(proven(who), who, number()).await?.value)
    }

    pub async fn finish_sms(&self, who: &PrincipalId, challenge: ChallengeId, code: Code) -> Result<Proof, Error> {
        Ok(self.engine.finish_sms_enrolment(proven(who), who, challenge, code).await?.value)
    }

    pub async fn send(&self, who: &PrincipalId, attempt: AttemptId, serial: &Serial) -> Result<SmsSent, Error> {
        Ok(self.engine.send_sign_in_code(at_console(who), who, attempt, serial).await?.value)
    }

    /// A user with an SMS device, half a minute after it was enrolled.
    pub async fn texted(&self, user: &str) -> (PrincipalId, Serial) {
        let who = self.user(user).await;
        let sent = self.begin_sms(&who).await.unwrap();
        assert_eq!(self.finish_sms(&who, sent.challenge, self.last_code()).await, Ok(Proof::Accepted));
        self.clock.advance_s(30);
        let serial = self.engine.devices(&who)[0].serial.clone();
        (who, serial)
    }

    // ---- recovery ----

    /// Root with an enabled phone.
    pub async fn equipped_root(&self) -> PrincipalId {
        let root = PrincipalId::Root(self.account);
        let phone = self.phone("root-account-mfa-device").await;
        let (first, second) = phone.pair(self.now());
        let enabled = self.engine.enable(proven(&root), &root, &phone.serial, first, second).await;
        assert!(enabled.unwrap().value.is_accepted());
        root
    }
}

/// Other digits than a code has.
pub fn other_than(code: &Code) -> Code {
    let number: u32 = code.expose().parse().unwrap();
    crate::support::typed((number + 1) % 1_000_000)
}
