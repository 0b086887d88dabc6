//! Forged sign-ins.

use countersign_domain::client::Client;
use countersign_domain::event::*;
use countersign_domain::laws::Law;
use countersign_domain::policy::Policy;
use countersign_domain::principal::REFUSALS_MAX;

use crate::forger::{Forger, WINDOW, attempt, dana, lee};
use crate::forgeries::{Forgery, forgery};
use crate::stage::{phone, root};

pub const OF_SIGN_INS: &[Forgery] = &[
    forgery!(SignInIsProven, "by nothing, with a phone", |forger| {
        forger.in_by(lee(), 1, SignInFactor::Nothing, None);
    }),
    forgery!(SignInIsProven, "by a phone that showed no code", |forger| {
        forger.begin(lee(), 1, None);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "without a password", |forger| {
        forger.accepted(56_666_668);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "by a code that was for STS", |forger| {
        forger.begin(lee(), 1, None);
        forger.accepted_for(Purpose::SessionToken, WINDOW, 56_666_668);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "by a code before the last event", |forger| {
        forger.begin(lee(), 1, None);
        forger.accepted(56_666_668);
        forger.mistaken(WINDOW);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "by another device than the one that was proven", |forger| {
        forger.begin(lee(), 1, None);
        forger.accepted(56_666_668);
        forger.in_by(lee(), 1, SignInFactor::Device, Some(phone("spare").stream()));
    }),
    forgery!(SignInIsProven, "twice with one code", |forger| {
        forger.begin(lee(), 1, None);
        forger.begin(lee(), 2, None);
        forger.accepted(56_666_668);
        forger.in_by_phone(1);
        forger.in_by_phone(2);
    }),
    forgery!(SignInIsProven, "twice in one attempt", |forger| {
        forger.begin(lee(), 1, None);
        for counter in [56_666_668, 56_666_669] {
            forger.accepted(counter);
            forger.in_by_phone(1);
        }
    }),
    forgery!(SignInIsProven, "too late", |forger| {
        forger.begin(lee(), 1, None);
        forger.wait_s(600);
        forger.accepted(56_666_688);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "after too many refusals", |forger| {
        forger.begin(lee(), 1, None);
        for _ in 0..REFUSALS_MAX {
            let (attempt, client) = (attempt(1), Client::default());
            forger.write(lee(), SignInRefused { attempt, device: None, fault: SignInFault::NotAsked, client });
        }
        forger.accepted(56_666_668);
        forger.in_by_phone(1);
    }),
    forgery!(
        SignInIsProven,
        "by a key that was asked in another attempt",
        with_key | forger,
        blue | {
            forger.begin(dana(), 3, None);
            forger.touched(blue, 2, 8);
            forger.in_by(dana(), 3, SignInFactor::Device, Some(blue));
        }
    ),
    forgery!(
        SignInIsProven,
        "by a code that was sent in another attempt",
        with_sms | forger,
        number | {
            forger.begin(dana(), 3, None);
            forger.came_back(number, 2);
            forger.in_by(dana(), 3, SignInFactor::Device, Some(number));
        }
    ),
];

/// Sign-ins of root, and of who is linked with another principal; lee is the other one here.
pub const OF_ROOT: &[Forgery] = &[
    forgery!(SignInIsProven, "a user, by the ways that are root's", |forger| {
        forger.begin(lee(), 1, None);
        forger.both_proven(lee(), 1);
        forger.in_by(lee(), 1, SignInFactor::AlternativeFactors, None);
    }),
    forgery!(SignInIsProven, "by mail alone", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.factor_asked(root().stream(), 1, AlternativeFactor::Mail);
        forger.factor_proven(root().stream(), 1, AlternativeFactor::Mail);
        forger.in_by(root().stream(), 1, SignInFactor::AlternativeFactors, None);
    }),
    forgery!(SignInIsProven, "by what was proven before it started over", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.both_proven(root().stream(), 1);
        forger.begin(root().stream(), 2, None);
        forger.in_by(root().stream(), 1, SignInFactor::AlternativeFactors, None);
    }),
    forgery!(SignInIsProven, "by what was proven in another attempt", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.begin(root().stream(), 2, None);
        forger.both_proven(root().stream(), 1);
        forger.in_by(root().stream(), 2, SignInFactor::AlternativeFactors, None);
    }),
    forgery!(SignInIsProven, "the linked phone is left out", |forger| {
        forger.begin(lee(), 1, Some(dana()));
        forger.accepted(56_666_668);
        forger.in_by_phone(1);
    }),
    forgery!(SignInIsProven, "the linked phone is left out, by mail and phone", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.both_proven(root().stream(), 1);
        forger.in_by(root().stream(), 1, SignInFactor::AlternativeFactors, None);
    }),
    forgery!(SignInIsProven, "the linked phone showed no code", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.in_by(root().stream(), 1, SignInFactor::Device, Some(phone("phone").stream()));
    }),
    forgery!(SignInIsProven, "the linked phone showed its code before", |forger| {
        forger.accepted(56_666_668);
        forger.begin(root().stream(), 1, Some(lee()));
        forger.in_by(root().stream(), 1, SignInFactor::Device, Some(phone("phone").stream()));
    }),
    forgery!(SignInIsProven, "the linked phone is not of whom it should be", |forger| {
        forger.begin(root().stream(), 1, Some(dana()));
        forger.accepted(56_666_668);
        forger.in_by(root().stream(), 1, SignInFactor::Device, Some(phone("phone").stream()));
    }),
    forgery!(SignInIsProven, "the linked phone's code was for its owner's own sign-in", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.begin(lee(), 2, None);
        forger.accepted(56_666_668);
        forger.in_by_phone(2);
        forger.linked_proven(1);
    }),
    forgery!(SignInIsProven, "one code of the linked phone for two sign-ins", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.begin(root().stream(), 2, Some(lee()));
        forger.accepted(56_666_668);
        for number in [1, 2] {
            forger.in_by(root().stream(), number, SignInFactor::Device, Some(phone("phone").stream()));
        }
    }),
    forgery!(SignInIsProven, "one code of the linked phone for two sign-ins that go on", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.begin(root().stream(), 2, Some(lee()));
        forger.accepted(56_666_668);
        for number in [1, 2] {
            forger.linked_proven(number);
        }
    }),
    forgery!(SignInIsProven, "the own phone is left out after the linked one", |forger| {
        forger.enabled(dana(), "spare", 56_666_667);
        forger.assigned(dana(), "spare");
        forger.begin(dana(), 1, Some(lee()));
        forger.accepted(56_666_668);
        forger.in_by(dana(), 1, SignInFactor::Device, Some(phone("phone").stream()));
    }),
    forgery!(SignInIsProven, "a linked phone that nobody asked for", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.accepted(56_666_668);
        forger.linked_proven(1);
    }),
];
