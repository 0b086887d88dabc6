//! What senders of codes do on the [`Stage`]: hand a code over, say how it ended, give it up, hear of it.

use countersign_domain::decide::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Message;
use countersign_domain::rejection::Rejection;
use countersign_domain::sms::{Country, Destination, Prefix, RouteName};

use crate::stage::*;

/// For how long the answer of a gateway is waited for.
pub const LEASE_MS: u64 = 15_000;

pub const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
pub const NOTHING: Answer = Ok(Verdict::Done);
pub const OVER: Answer = Ok(Verdict::SmsOver { reason: None });
pub const NO_ANSWER: Submitted = Submitted::Failed(SmsSubmitFault::Unknown);
pub const THROTTLED: Submitted = Submitted::Failed(SmsSubmitFault::Throttled);

pub fn route() -> RouteName {
    RouteName::new("main").unwrap()
}

/// Where codes go; that it is the number's own is the engine's affair.
pub fn destination() -> Destination {
    let (prefix, country) = (Prefix::new("+1555010").unwrap(), Country::parse("US").unwrap());
    Destination { number: [0xd5; 16], prefix, country }
}

pub fn dropped(reason: SmsDropReason) -> Answer {
    Ok(Verdict::SmsOver { reason: Some(reason) })
}

pub fn begun(submit: u8) -> Answer {
    Ok(Verdict::SmsSubmit { submit })
}

pub fn taken() -> Submitted {
    Submitted::Taken(countersign_domain::sms::MessageId::new("SM1"))
}

/// lee with an SMS device, and a sign-in in which a code is to be sent.
pub fn waiting_under(policy: Policy) -> (Stage, PrincipalId, AttemptId, ChallengeId) {
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    stage.sms(&lee, "lee");
    stage.wait_s(1800);
    let attempt = stage.begin(&lee);
    let code = challenge(stage.send(&lee, attempt, &sms("lee")));
    (stage, lee, attempt, code)
}

pub fn waiting() -> (Stage, PrincipalId, ChallengeId) {
    let (stage, lee, _, code) = waiting_under(Policy::classic());
    (stage, lee, code)
}

/// A try from its beginning to its end.
pub fn tried(stage: &mut Stage, who: &PrincipalId, code: ChallengeId, submitted: &Submitted) {
    let answer = stage.begin_submit(who, code);
    let Ok(Verdict::SmsSubmit { submit }) = answer else { panic!("no try: {answer:?}") };
    assert!(stage.end_submit(who, code, submit, submitted).is_ok());
}

impl Stage {
    /// A code that is to be sent.
    pub fn sending(&self, who: &PrincipalId, challenge: ChallengeId) -> Sending {
        Sending {
            challenge,
            secret: secret(challenge),
            decision: self.version(who),
            destination: destination(),
            route: route(),
            admitted: self.admitted.clone(),
        }
    }

    pub fn message(&self, who: &PrincipalId, challenge: ChallengeId) -> &Message {
        self.registered(who).outgoing.message(challenge).unwrap()
    }

    /// A try of a gateway that has [`LEASE_MS`] to answer, and that something may stand against.
    pub fn begin_submit_against(
        &mut self,
        who: &PrincipalId,
        challenge: ChallengeId,
        against: Option<SmsDropReason>,
    ) -> Answer {
        let submit = Submit { challenge, route: route(), lease_ms: LEASE_MS, price_micros: 7_500, against };
        self.ask(who, |stage, context| begin_submit(stage.principal(who), &submit, context))
    }

    pub fn begin_submit(&mut self, who: &PrincipalId, challenge: ChallengeId) -> Answer {
        self.begin_submit_against(who, challenge, None)
    }

    pub fn end_submit(
        &mut self,
        who: &PrincipalId,
        challenge: ChallengeId,
        submit: u8,
        submitted: &Submitted,
    ) -> Answer {
        self.ask(who, |stage, context| end_submit(stage.principal(who), challenge, submit, submitted.clone(), context))
    }

    pub fn drop_message(&mut self, who: &PrincipalId, challenge: ChallengeId, reason: SmsDropReason) -> Answer {
        self.ask(who, |stage, context| drop_message(stage.principal(who), challenge, reason, context))
    }

    pub fn report(&mut self, who: &PrincipalId, challenge: ChallengeId, delivery: SmsDelivery) -> Answer {
        self.ask(who, |stage, context| report(stage.principal(who), challenge, delivery, context))
    }

    pub fn redrive(&mut self, who: &PrincipalId, challenge: ChallengeId) -> Answer {
        self.ask(who, |stage, context| redrive(stage.principal(who), challenge, context))
    }

    pub fn remove(&mut self, who: &PrincipalId) {
        let removed = self.ask(who, |stage, context| remove_user(stage.principal(who), Removal::TakeDevices, context));
        assert_eq!(removed, Ok(Verdict::Done));
    }
}
