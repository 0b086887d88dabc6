//! What senders of codes do on the [`Stage`]: hand a code over, say how it ended, give it up, hear of it.

use countersign_domain::decide::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::principal::Message;
use countersign_domain::sms::{Country, Destination, Prefix, RouteName};

use crate::stage::*;

/// For how long the answer of a gateway is waited for.
pub const LEASE_MS: u64 = 15_000;

pub fn route() -> RouteName {
    RouteName::new("main").unwrap()
}

/// Where codes go; that it is the number's own is the engine's affair.
pub fn destination() -> Destination {
    let (prefix, country) = (Prefix::new("+1555010").unwrap(), Country::parse("US").unwrap());
    Destination { number: [0xd5; 16], prefix, country }
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
        let lease = self.now.plus_ms(LEASE_MS);
        let submit = Submit { challenge, route: route(), lease, price_micros: 7_500, against };
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
}
