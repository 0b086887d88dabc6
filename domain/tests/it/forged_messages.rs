//! Forged histories of codes on their way.

use countersign_domain::event::*;
use countersign_domain::ids::Version;
use countersign_domain::laws::Law;

use crate::forger::{BY, Forger, attempt, challenge, dana, lee};
use crate::forgeries::Forgery;
use crate::senders::route;
use crate::stage::sms;

/// Forges on the code that waits to be handed over to dana: challenge 3.
macro_rules! message {
    ($how:literal, |$forger:ident, $device:ident| $body:expr) => {
        (Law::MessagesAreAccountedFor, $how, || {
            let (mut $forger, $device) = Forger::with_message();
            $body;
            $forger
        })
    };
}

/// What is queued.
pub const OF_QUEUES: &[Forgery] = &[
    message!("a message without a code", |forger, number| {
        forger.queue(number, 4);
    }),
    message!("another event between a code and its message", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        forger.came_back_wrong(number, 4);
        forger.queue(number, 4);
    }),
    message!("two messages of one code", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        (0..2).for_each(|_| forger.queue(number, 4));
    }),
    message!("a message of another code", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        forger.queue(number, 5);
    }),
    message!("a message to another device", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        forger.queue(sms("lee").stream(), 4);
    }),
    message!("a message that outlives its code", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        let queued = forger.queued(number, 4);
        forger.write(dana(), SmsQueued { until: queued.until.plus_ms(1), ..queued });
    }),
    message!("the challenge of an older message", |forger, number| {
        forger.send(number, 3, Some(attempt(2)));
        forger.queue(number, 3);
    }),
    message!("the version after the decision", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        let queued = forger.queued(number, 4);
        forger.write(dana(), SmsQueued { decision: queued.decision.next(), ..queued });
    }),
    message!("one key for two codes", |forger, number| {
        let decision = Version(forger.version());
        for number_of_code in [4, 5] {
            forger.wind_back(decision);
            forger.send(number, number_of_code, Some(attempt(2)));
            forger.queue(number, number_of_code);
        }
    }),
];

/// What is tried.
pub const OF_TRIES: &[Forgery] = &[
    message!("of a message that nobody queued", |forger, _number| {
        forger.try_it(2, 1);
    }),
    message!("in another person's stream", |forger, _number| {
        let (challenge, lease) = (challenge(3), forger.now.plus_ms(15_000));
        forger.write(lee(), SmsSubmitting { challenge, submit: 1, route: route(), lease, price_micros: 0 });
    }),
    message!("after it was taken", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.try_it(3, 2);
    }),
    message!("after it was given up", |forger, _number| {
        forger.give_up(3);
        forger.try_it(3, 1);
    }),
    message!("after it was reported on", |forger, _number| {
        forger.tries(3, 1..=1, SmsSubmitFault::Unknown);
        forger.reported(3, SmsDelivery::Enroute);
        forger.try_it(3, 2);
    }),
    message!("while another one is under way", |forger, _number| {
        (1..=2).for_each(|submit| forger.try_it(3, submit));
    }),
    message!("after another one of which nothing is said", |forger, _number| {
        forger.try_it(3, 1);
        forger.wait_s(15);
        forger.try_it(3, 2);
    }),
    message!("a number is left out", |forger, _number| {
        forger.try_it(3, 2);
    }),
    message!("a number twice", |forger, _number| {
        (0..2).for_each(|_| forger.tries(3, 1..=1, SmsSubmitFault::Throttled));
    }),
    message!("numbers begin anew after it was wanted after all", |forger, _number| {
        forger.tries(3, 1..=1, SmsSubmitFault::Throttled);
        forger.give_up(3);
        forger.redrive(3);
        forger.try_it(3, 1);
    }),
    message!("when the code is worth nothing", |forger, _number| {
        forger.wait_s(300);
        forger.try_it(3, 1);
    }),
    message!("the twenty-first", |forger, _number| {
        forger.tries(3, 1..=21, SmsSubmitFault::Throttled);
    }),
    message!("the twenty-first after it was wanted after all", |forger, _number| {
        forger.tries(3, 1..=20, SmsSubmitFault::Throttled);
        forger.give_up(3);
        forger.redrive(3);
        forger.tries(3, 21..=41, SmsSubmitFault::Throttled);
    }),
    message!("after two of unknown outcome", |forger, _number| {
        forger.tries(3, 1..=3, SmsSubmitFault::Unknown);
    }),
    message!("of a code that a newer one made worthless", |forger, number| {
        forger.send(number, 4, Some(attempt(2)));
        forger.try_it(3, 1);
    }),
    message!("of a code that came back", |forger, number| {
        forger.came_back(number, 3);
        forger.try_it(3, 1);
    }),
    message!("after the sign-in was completed", |forger, number| {
        forger.came_back(number, 3);
        forger.begin(dana(), 4, None);
        forger.send(number, 4, Some(attempt(4)));
        forger.queue(number, 4);
        forger.in_by(dana(), 4, SignInFactor::Device, Some(number));
        forger.try_it(4, 1);
    }),
    message!("after the sign-ins were ended", |forger, _number| {
        forger.write(dana(), SignInsEnded { by: BY });
        forger.try_it(3, 1);
    }),
    message!("to a device that is gone", |forger, number| {
        let reason = DeactivateReason::Lost;
        forger.write(dana(), DeviceDeactivated { device: number, by: BY, reason });
        forger.try_it(3, 1);
    }),
    message!("of somebody who is removed", |forger, _number| {
        forger.write(dana(), PrincipalRemoved { by: BY });
        forger.try_it(3, 1);
    }),
    message!("reported on when sixteen came after it", |forger, number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        for number_of_code in 4..20 {
            forger.send(number, number_of_code, Some(attempt(2)));
            forger.queue(number, number_of_code);
        }
        forger.reported(3, SmsDelivery::Delivered);
    }),
];

/// What became of it.
pub const OF_OUTCOMES: &[Forgery] = &[
    message!("taken without a try", |forger, _number| {
        forger.taken(3, 1);
    }),
    message!("taken twice", |forger, _number| {
        forger.try_it(3, 1);
        (0..2).for_each(|_| forger.taken(3, 1));
    }),
    message!("another try taken than is under way", |forger, _number| {
        forger.tries(3, 1..=1, SmsSubmitFault::Throttled);
        forger.try_it(3, 2);
        forger.taken(3, 1);
    }),
    message!("failed without a try", |forger, _number| {
        forger.failed(3, 1, SmsSubmitFault::Throttled);
    }),
    message!("failed after it was taken", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.failed(3, 1, SmsSubmitFault::Throttled);
    }),
    message!("another try failed than is under way", |forger, _number| {
        forger.try_it(3, 1);
        forger.failed(3, 2, SmsSubmitFault::Throttled);
    }),
    message!("taken after it was reported on", |forger, _number| {
        forger.try_it(3, 1);
        forger.reported(3, SmsDelivery::Delivered);
        forger.taken(3, 1);
    }),
    message!("given up while a try is under way", |forger, _number| {
        forger.try_it(3, 1);
        forger.give_up(3);
    }),
    message!("given up after it was taken", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.give_up(3);
    }),
    message!("given up after it was reported on", |forger, _number| {
        forger.tries(3, 1..=1, SmsSubmitFault::Unknown);
        forger.reported(3, SmsDelivery::Enroute);
        forger.give_up(3);
    }),
    message!("given up twice", |forger, _number| {
        (0..2).for_each(|_| forger.give_up(3));
    }),
    message!("wanted after all and not given up", |forger, _number| {
        forger.redrive(3);
    }),
    message!("wanted after all and taken", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.redrive(3);
    }),
    message!("wanted after all and reported on", |forger, _number| {
        forger.tries(3, 1..=1, SmsSubmitFault::Unknown);
        forger.give_up(3);
        forger.reported(3, SmsDelivery::Rejected);
        forger.redrive(3);
    }),
    message!("wanted after all too late", |forger, _number| {
        forger.give_up(3);
        forger.wait_s(300);
        forger.redrive(3);
    }),
    message!("wanted after all when nobody waits for it", |forger, _number| {
        forger.give_up(3);
        forger.write(dana(), SignInsEnded { by: BY });
        forger.redrive(3);
    }),
    message!("reported on and never tried", |forger, _number| {
        forger.reported(3, SmsDelivery::Delivered);
    }),
    message!("reported on twice", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        (0..2).for_each(|_| forger.reported(3, SmsDelivery::Enroute));
    }),
    message!("reported to be on its way after the gateway lost sight of it", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.reported(3, SmsDelivery::Unknown);
        forger.reported(3, SmsDelivery::Enroute);
    }),
    message!("reported to be lost after it was delivered", |forger, _number| {
        forger.try_it(3, 1);
        forger.taken(3, 1);
        forger.reported(3, SmsDelivery::Delivered);
        forger.reported(3, SmsDelivery::Undeliverable);
    }),
];
