//! Codes on their way: what is looked up before one is decided on, and what the senders ask.

use countersign_domain::decide::{self, Sending, Submit};
use countersign_domain::device::PhoneNumber;
use countersign_domain::event::SmsDropReason;
use countersign_domain::ids::{ChallengeId, UnixMillis};
use countersign_domain::principal::{Errand, Principal};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::ChallengeSecret;
use countersign_domain::sms::{Country, Destination, Prefix, RouteName, SmsErrand};

use super::sign_in::with;
use super::stored::HeldSecret;
use super::{CeremonyWork, PrincipalCore};
use crate::answer::Request;
use crate::error::Error;
use crate::resident::{Answer, Given};
use crate::sms::{Admission, Hold};

impl PrincipalCore {
    /// What a code needs beside the principal: its place in the budgets is held until it is in the log.
    pub(super) async fn sending(
        &self,
        (challenge, secret): (ChallengeId, &ChallengeSecret),
        (phone, errand): (Option<&PhoneNumber>, SmsErrand),
        now: UnixMillis,
    ) -> Result<(Sending, Option<Hold>), Error> {
        let (secret, decision) = (secret.clone(), self.at.version);
        let Some(phone) = phone.cloned() else {
            // The decision finds that there is no such device.
            let nowhere = || Some((RouteName::new("none")?, Prefix::new("+0")?));
            let (route, prefix) = nowhere().ok_or_else(|| Error::unavailable("there is no route"))?;
            let destination = Destination { number: [0; 16], prefix, country: Country::NONE };
            let admitted = Err(Rejection::FactorUnknown);
            return Ok((Sending { challenge, secret, decision, destination, route, admitted }, None));
        };
        let (shared, account) = (std::sync::Arc::clone(&self.shared), self.account);
        let looked_up = self.shared.blocking(move |_| Admission::of(&shared, &phone, (account, errand), now)).await?;
        let Admission { destination, route, admitted, hold } = looked_up;
        Ok((Sending { challenge, secret, decision, destination, route, admitted }, hold))
    }

    /// Decides a command of a sender once and writes; `None` when a stream had moved on.
    pub(super) async fn attempt_outgoing(
        &mut self,
        request: &Request,
        work: &CeremonyWork,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let context = self.context(request, now);
        let decision = match work {
            CeremonyWork::BeginSubmit { challenge, route, lease_ms, price_micros } => {
                let submit = (*challenge, route.clone(), *lease_ms, *price_micros);
                return self.begin_submit(request, submit, now).await;
            }
            CeremonyWork::EndSubmit { challenge, submit, submitted } => {
                decide::end_submit(self.state(), *challenge, *submit, submitted.clone(), &context)
            }
            CeremonyWork::DropSms { challenge, reason } => {
                decide::drop_message(self.state(), *challenge, *reason, &context)
            }
            CeremonyWork::ReportSms { challenge, delivery } => {
                decide::report(self.state(), *challenge, *delivery, &context)
            }
            CeremonyWork::RedriveSms { challenge } => decide::redrive(self.state(), *challenge, &context),
            // Every other command is decided before it gets here.
            _ => return Err(Error::unavailable("the command went to the wrong part of its actor")),
        };
        self.write(request, now, decision, &[]).await
    }

    async fn begin_submit(
        &mut self,
        request: &Request,
        (challenge, route, lease_ms, price_micros): (ChallengeId, RouteName, u64, u64),
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let hold = Hold::money(&self.shared, price_micros, now);
        let given = self.outgoing(challenge);
        let against = self.against(challenge, now).or(match (&hold, &given) {
            (None, _) => Some(SmsDropReason::Budget),
            (_, None) => Some(SmsDropReason::Void),
            _ => None,
        });
        let submit = Submit { challenge, route, lease_ms, price_micros, against };
        let decision = decide::begin_submit(self.state(), &submit, &self.context(request, now));
        let answer = self.write(request, now, decision, &[]).await?;
        drop(hold);
        Ok(match given {
            Some(given) => with(answer, given),
            None => answer,
        })
    }

    /// What stands against sending a message now, though it was queued.
    fn against(&self, challenge: ChallengeId, now: UnixMillis) -> Option<SmsDropReason> {
        let blocked = self.shared.views(|views| {
            let row = views.sms.messages.get(&challenge)?;
            views.sms.blocked.get(&row.group()).map(|blocked| blocked.until)
        });
        blocked.filter(|until| *until > now).map(|_| SmsDropReason::PrefixBlocked)
    }

    /// What a code follows from, and where it goes.
    fn outgoing(&self, challenge: ChallengeId) -> Option<Given> {
        let owner = self.state().and_then(Principal::registered)?;
        let (secret, errand) = decide::message_secret(owner, challenge)?;
        let phone = match errand {
            Errand::Enrolment(phone) => phone.clone(),
            Errand::SignIn(_) => {
                let device = owner.outgoing.message(challenge)?.device;
                self.held.iter().filter(|held| held.device == device).find_map(|held| match &held.secret {
                    HeldSecret::Phone(phone) => Some(phone.clone()),
                    HeldSecret::Codes(_) | HeldSecret::Key { .. } => None,
                })?
            }
        };
        Some(Given::Outgoing(secret.clone(), phone))
    }
}
