//! The commands that challenge a security key or a phone, and those that answer.

use std::sync::Arc;

use countersign_domain::account::Claim;
use countersign_domain::decide::{self, Enrolment, KeyProof, KeyQuestion, NewKey, Registering, Step};
use countersign_domain::device::{Device, PhoneNumber, Serial, credential_stream};
use countersign_domain::event::{KeyFault, KeyForm};
use countersign_domain::ids::{AttemptId, ChallengeId, StreamId, UnixMillis};
use countersign_domain::principal::{Ceremony, Principal};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::Opaque;
use countersign_domain::sms::SmsErrand;

use super::sign_in::{compared, with};
use super::stored::HeldSecret;
use super::{CeremonyWork, PrincipalCore, settled};
use crate::answer::Request;
use crate::error::Error;
use crate::history::{self, At};
use crate::recorded::heads;
use crate::resident::{Answer, Given};
use crate::sent::Medium;
use crate::webauthn::Offer;

impl PrincipalCore {
    /// Decides such a command once and writes; `None` when a stream had moved on.
    pub(super) async fn attempt_challenge(
        &mut self,
        request: &Request,
        work: &CeremonyWork,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        match work {
            CeremonyWork::OfferKey { attempt, challenge, form } => {
                self.offer_key(request, *attempt, *challenge, *form, now).await
            }
            CeremonyWork::SignInWithKey { attempt, challenge, response } => {
                self.sign_in_with_key(request, *attempt, *challenge, response, now).await
            }
            CeremonyWork::BeginKey { challenge, serial, form, replaces } => {
                self.begin_key(request, *challenge, (serial, *form), replaces.as_ref(), now).await
            }
            CeremonyWork::FinishKey { challenge, response } => {
                self.finish_key(request, *challenge, response, now).await
            }
            CeremonyWork::SendCode { attempt, serial, challenge, secret } => {
                self.send_code(request, (*attempt, serial), (*challenge, secret.clone()), now).await
            }
            CeremonyWork::BeginSms { challenge, secret, phone } => {
                let (serial, found) = self.sms_device().await?;
                let enrolment = self.enrolment(&serial, &found);
                let (sending, hold) =
                    self.sending((*challenge, secret), (Some(phone), SmsErrand::Enrolment), now).await?;
                let context = self.context(request, now);
                let decision = decide::begin_sms_enrolment(self.state(), enrolment, sending, phone.clone(), &context);
                let given = Given::Sending(secret.clone(), Some(phone.clone()));
                let answer = self.write(request, now, decision, &[]).await?;
                drop(hold);
                Ok(with(answer, given))
            }
            CeremonyWork::FinishSms { challenge, code } => {
                let (serial, found) = self.sms_device().await?;
                let enrolment = self.enrolment(&serial, &found);
                let context = self.context(request, now);
                let decide = |same| decide::finish_sms_enrolment(self.state(), enrolment, *challenge, same, &context);
                let decision = compared(decide, Medium::Sms, code.as_str())?;
                self.write(request, now, decision, &[(serial.stream(), found.version)]).await
            }
            work => Box::pin(self.attempt_outgoing(request, work, now)).await,
        }
    }

    /// Challenges the keys of one form that the principal has (R100).
    async fn offer_key(
        &mut self,
        request: &Request,
        attempt: AttemptId,
        challenge: ChallengeId,
        form: KeyForm,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let credentials = self.credentials(Some(form));
        let (state, options) = if credentials.is_empty() {
            // Nothing can be asked; the decision says what stands in the way.
            (Opaque::default(), Given::Options(String::new()))
        } else {
            let keys = Arc::clone(&self.shared.keys);
            let offer = self.shared.blocking(move |_| {
                let stored: Vec<&[u8]> = credentials.iter().map(|(_, credential)| credential.as_bytes()).collect();
                keys.offer_assertion(form, &stored).map_err(Error::unavailable)
            });
            taken(offer.await?)?
        };
        let context = self.context(request, now);
        let decision = decide::offer_key(self.state(), attempt, challenge, (form, state), &context);
        Ok(with(self.write(request, now, decision, &[]).await?, options))
    }

    async fn sign_in_with_key(
        &mut self,
        request: &Request,
        attempt: AttemptId,
        challenge: ChallengeId,
        response: &str,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let context = self.context(request, now);
        let asked = decide::sign_in_with_key(self.state(), attempt, challenge, None, &context);
        let decision = match asked {
            Step::Decided(decision) => decision,
            Step::Ask(KeyQuestion { form, state }) => {
                let (keys, response) = (Arc::clone(&self.shared.keys), response.to_owned());
                let checked = self.shared.blocking(move |_| {
                    Ok(keys.judge_assertion(form, state.as_bytes(), &response).map(|asserted| KeyProof {
                        credential_id: asserted.credential,
                        counter: asserted.counter,
                        user_verified: asserted.user_verified,
                    }))
                });
                let answer = checked.await?;
                settled(decide::sign_in_with_key(self.state(), attempt, challenge, Some(&answer), &context))?
            }
        };
        self.write(request, now, decision, &[]).await
    }

    /// Asks a new key to register; those that the principal has are told to keep out of it.
    async fn begin_key(
        &mut self,
        request: &Request,
        challenge: ChallengeId,
        (serial, form): (&Serial, KeyForm),
        replaces: Option<&Serial>,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let Some(owner) = self.state().and_then(Principal::registered) else {
            return Err(Rejection::PrincipalUnknown.into());
        };
        let (handle, name) = (*owner.stream.as_bytes(), owner.name.to_string());
        if form == KeyForm::Passkey && self.shared.keys.wants_attestation() {
            return Err(Rejection::KeyFormNotOffered.into());
        }
        let replaces = replaces.map(|old| self.device_of(old));
        let decide = |state: Opaque| {
            let context = self.context(request, now);
            decide::begin_key_registration(self.state(), challenge, serial.clone(), replaces, (form, state), &context)
        };
        // What stands in the way is said before a key is asked.
        decide(Opaque::default())?;
        let exclude: Vec<Vec<u8>> = self.credentials(None).into_iter().map(|(id, _)| id).collect();
        let keys = Arc::clone(&self.shared.keys);
        let offer = self
            .shared
            .blocking(move |_| keys.offer_registration(form, handle, &name, &exclude).map_err(Error::unavailable));
        let (state, options) = taken(offer.await?)?;
        let decision = decide(state);
        Ok(with(self.write(request, now, decision, &[]).await?, options))
    }

    async fn finish_key(
        &mut self,
        request: &Request,
        challenge: ChallengeId,
        response: &str,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let context = self.context(request, now);
        let question = match decide::finish_key_registration(self.state(), challenge, None, &context) {
            Step::Decided(decision) => return self.write(request, now, decision, &[]).await,
            Step::Ask(question) => question,
        };
        let Some((device, replaces)) = self.registration(challenge, now) else {
            return Err(Rejection::ChallengeUnknown.into());
        };
        let (keys, response) = (Arc::clone(&self.shared.keys), response.to_owned());
        let checked = self.shared.blocking(move |shared| {
            let KeyQuestion { form, state } = question;
            let answer = keys.judge_registration(form, state.as_bytes(), &response).and_then(|new| {
                let credential = Opaque::new(new.stored).ok_or(KeyFault::Malformed)?;
                Ok(NewKey {
                    credential_id: new.id,
                    credential,
                    counter: new.counter,
                    attestation: new.attestation.to_owned(),
                    model: new.model,
                    backup_eligible: new.backup_eligible,
                })
            });
            let journal = &*shared.journal;
            let claimed = match &answer {
                Ok(key) => {
                    let stream = credential_stream(&key.credential_id);
                    Some((
                        stream,
                        history::fold_stream(journal, stream, At::nothing(), (Claim::evolve, history::never))?,
                    ))
                }
                Err(_) => None,
            };
            Ok((answer, claimed, history::device(journal, device)?))
        });
        let (answer, claimed, found) = checked.await?;
        let mut read = vec![(device, found.version)];
        read.extend(claimed.as_ref().map(|(stream, at)| (*stream, at.version)));
        let claim = claimed.and_then(|(_, at)| at.state);
        let looked_up = Registering { claim, device: found.state.as_ref() };
        let evidence = Some((&answer, looked_up));
        let decision = settled(decide::finish_key_registration(self.state(), challenge, evidence, &context))?;
        if let Some(old) = replaces {
            read.extend(self.shared.blocking(move |shared| heads(shared, &[old])).await?);
            read.extend(self.credential_head(old).await?);
        }
        self.write(request, now, decision, &read).await
    }

    /// The device that an open registration makes, and the one that it replaces.
    fn registration(&self, challenge: ChallengeId, now: UnixMillis) -> Option<(StreamId, Option<StreamId>)> {
        let asked = self.state().and_then(Principal::registered)?.pending.key(challenge, now)?;
        match &asked.ceremony {
            Ceremony::Registration { serial, replaces } => Some((serial.stream(), *replaces)),
            Ceremony::SignIn(_) => None,
        }
    }

    /// The ids and credentials of the principal's keys.
    fn credentials(&self, wanted: Option<KeyForm>) -> Vec<(Vec<u8>, Opaque)> {
        let key = |secret: &HeldSecret| match secret {
            HeldSecret::Key { form, id, credential } if wanted.is_none_or(|wanted| wanted == *form) => {
                Some((id.clone(), credential.clone()))
            }
            _ => None,
        };
        self.held.iter().filter_map(|held| key(&held.secret)).collect()
    }

    /// The ARN that the principal's SMS device has or would have, and what is there.
    async fn sms_device(&self) -> Result<(Serial, At<Device>), Error> {
        let owner = self.state().and_then(Principal::registered).ok_or(Rejection::PrincipalUnknown)?;
        if owner.id.is_root() {
            return Err(Rejection::SmsNotOffered.into());
        }
        let serial = Serial::of_sms(self.account, &owner.name).map_err(Error::too_large)?;
        let stream = serial.stream();
        let at = self.shared.blocking(move |shared| history::device(&*shared.journal, stream)).await?;
        Ok((serial, at))
    }

    fn enrolment<'a>(&self, serial: &'a Serial, found: &'a At<Device>) -> Enrolment<'a> {
        let eligibility = self.shared.settings(self.account).sms;
        Enrolment { serial, device: found.state.as_ref(), eligibility }
    }

    /// The number of an SMS device.
    pub(super) fn phone(&self, serial: &Serial) -> Option<PhoneNumber> {
        let held = self.held.iter().find(|held| held.serial == *serial)?;
        match &held.secret {
            HeldSecret::Phone(phone) => Some(phone.clone()),
            HeldSecret::Codes(_) | HeldSecret::Key { .. } => None,
        }
    }
}

/// An offer in the two parts that go different ways: one into the log, one to the browser.
fn taken(offer: Offer) -> Result<(Opaque, Given), Error> {
    let state = Opaque::new(offer.state).ok_or_else(|| Error::unavailable("the state of the ceremony is too large"))?;
    Ok((state, Given::Options(offer.options)))
}
