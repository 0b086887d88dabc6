//! Forged histories of devices, rules, keys and challenges. Those of sign-ins are in `forged_sign_ins`.

use countersign_domain::device::{DeviceKind, credential_stream};
use countersign_domain::event::*;
use countersign_domain::laws::Law;
use countersign_domain::policy::Policy;
use countersign_domain::settings::Preset;
use countersign_domain::totp::Learned;

use crate::forger::{BY, Forger, WINDOW, attempt, challenge, dana, lee};
use crate::stage::{key, phone, root, sms, user};

/// A forged history, by the law that it breaks and how.
pub type Forgery = (Law, &'static str, fn() -> Forger);

/// Forges on lee's phone.
macro_rules! forgery {
    ($law:ident, $how:literal, |$forger:ident| $body:expr) => {
        (Law::$law, $how, || {
            let mut $forger = Forger::new(Policy::classic());
            $body;
            $forger
        })
    };
    ($law:ident, $how:literal, $with:ident |$forger:ident, $device:ident| $body:expr) => {
        (Law::$law, $how, || {
            let (mut $forger, $device) = Forger::$with();
            $body;
            $forger
        })
    };
}

pub(crate) use forgery;

pub const OF_DEVICES: &[Forgery] = &[
    forgery!(VersionsHaveNoGap, "a version is left out", |forger| {
        let (device, purpose) = (phone("phone").stream(), Purpose::SignIn);
        forger.write_as(lee(), 9, CodeAccepted { device, purpose, window: WINDOW, counter: 56_666_668 });
    }),
    forgery!(HistoryFolds, "an unassigned device is released", |forger| {
        forger.write(phone("spare").stream(), DeviceReleased { owner: lee(), learned: Learned::default() });
    }),
    forgery!(OneOwner, "a device is enabled for a second person", |forger| {
        forger.enabled(dana(), "phone", 56_666_670);
        forger.assigned(dana(), "phone");
    }),
    forgery!(AssignedIsEnabled, "a device is assigned and not enabled", |forger| forger.assigned(dana(), "spare")),
    forgery!(AssignedIsEnabled, "a device is enabled and not assigned", |forger| {
        forger.enabled(dana(), "spare", 56_666_667);
    }),
    forgery!(CounterAcceptedOnce, "a code twice", |forger| {
        forger.accepted(56_666_668);
        forger.accepted(56_666_668);
    }),
    forgery!(PairsIncrease, "half of the last pair", |forger| {
        let (device, window, counter) = (phone("phone").stream(), WINDOW, 56_666_668);
        forger.write(lee(), DeviceResynced { device, by: BY, window, counter, offset: 1 });
    }),
    forgery!(DeviceLimitHolds, "two devices under the classic rules", |forger| {
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
    }),
    forgery!(DeviceLimitHolds, "a replacement that keeps the old one for one more event", |forger| {
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
        forger.accepted(56_666_668);
        let (device, reason) = (phone("phone").stream(), DeactivateReason::Replaced);
        forger.write(lee(), DeviceDeactivated { device, by: BY, reason });
    }),
    forgery!(RootHasNoSms, "root has one", |forger| {
        let (device, kind) = (sms("root").stream(), DeviceKind::Sms);
        forger.write(root().stream(), DeviceEnabled { device, kind, life: 1, by: BY, learned: Learned::default() });
    }),
    forgery!(BudgetHolds, "ten good codes", |forger| {
        (1..=10).for_each(|step| forger.accepted(56_666_667 + step));
    }),
    forgery!(BudgetHolds, "ten wrong codes", |forger| (0..10).for_each(|_| forger.mistaken(WINDOW))),
    forgery!(BudgetHolds, "ten wrong codes, going to and fro between two windows", |forger| {
        for _ in 0..10 {
            forger.mistaken(WINDOW);
            forger.mistaken(WINDOW + 1);
        }
    }),
    forgery!(BudgetHolds, "ten pairs, the one that enabled it among them", |forger| {
        let (device, window, fault) = (phone("phone").stream(), WINDOW, PairFault::NoMatch);
        (0..9).for_each(|_| forger.write(lee(), ResyncRefused { device, by: BY, window, fault }));
    }),
    forgery!(BudgetHolds, "ten pairs for a device that nobody has", |forger| {
        for owner in [lee(), dana()].into_iter().cycle().take(10) {
            let (window, fault) = (WINDOW, PairFault::NoMatch);
            forger.write(phone("spare").stream(), PairRefused { owner, by: BY, window, fault });
        }
    }),
];

pub const OF_CHOSEN_RULES: &[Forgery] = &[
    forgery!(BudgetHolds, "six codes, a minute after the account became strict", |forger| {
        forger.choose(Some(Preset::Strict));
        forger.wait_s(61);
        (0..6).for_each(|_| forger.mistaken(WINDOW));
    }),
    forgery!(BudgetHolds, "ten codes, whatever the account chose in between", |forger| {
        for preset in [Some(Preset::Strict), Some(Preset::Classic), None, Some(Preset::Modern), None] {
            forger.choose(preset);
            (0..2).for_each(|_| forger.mistaken(WINDOW));
        }
    }),
    forgery!(DeviceLimitHolds, "two devices, a minute after the account left the modern rules", |forger| {
        forger.choose(Some(Preset::Modern));
        forger.choose(None);
        forger.wait_s(61);
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
    }),
];

pub const OF_KEYS: &[Forgery] = &[
    forgery!(CounterIncreases, "the same counter", with_key | forger, blue | forger.touched(blue, 2, 7)),
    forgery!(CounterIncreases, "a lower counter", with_key | forger, blue | forger.touched(blue, 2, 6)),
    forgery!(CounterIncreases, "no counter after one", with_key | forger, blue | forger.touched(blue, 2, 0)),
    forgery!(
        CounterIncreases,
        "a good one after it went back",
        with_key | forger,
        blue | {
            let (challenge, fault) = (challenge(2), KeyFault::CounterRegressed);
            forger.write(dana(), KeyRefused { challenge, device: Some(blue), fault, counter: Some(7) });
            forger.ask_key(3, Some(attempt(2)));
            forger.touched(blue, 3, 8);
        }
    ),
    forgery!(
        CredentialClaimedOnce,
        "two devices claim it",
        with_key | forger,
        _blue | {
            forger.claimed(b"blue", key(&user("lee"), "copy").stream());
        }
    ),
    forgery!(
        CredentialClaimedOnce,
        "a key is registered with what another one holds",
        with_key | forger,
        _blue | {
            forger.register("red", 3, b"blue", 0);
        }
    ),
    forgery!(
        CredentialClaimedOnce,
        "a key is registered and claims nothing",
        with_key | forger,
        _blue | {
            forger.register("red", 3, b"red", 0);
        }
    ),
    forgery!(CredentialClaimedOnce, "a key holds two", with_key | forger, blue | forger.claimed(b"red", blue)),
    forgery!(
        CredentialClaimedOnce,
        "it is released while the key is enabled",
        with_key | forger,
        blue | {
            forger.write(credential_stream(b"blue"), CredentialReleased { holder: blue });
        }
    ),
    forgery!(
        CredentialClaimedOnce,
        "it is released by another",
        with_key | forger,
        _blue | {
            forger.write(credential_stream(b"blue"), CredentialReleased { holder: dana() });
        }
    ),
    forgery!(
        CredentialClaimedOnce,
        "it outlives the key",
        with_key | forger,
        blue | {
            let reason = DeactivateReason::Lost;
            forger.write(dana(), DeviceDeactivated { device: blue, by: BY, reason });
            forger.write(blue, DeviceReleased { owner: dana(), learned: Learned::default() });
        }
    ),
];

pub const OF_CHALLENGES: &[Forgery] = &[
    forgery!(
        ChallengeAnsweredOnce,
        "twice",
        with_key | forger,
        blue | {
            forger.touched(blue, 2, 8);
            forger.touched(blue, 2, 9);
        }
    ),
    forgery!(ChallengeAnsweredOnce, "never issued", with_key | forger, blue | forger.touched(blue, 9, 8)),
    forgery!(
        ChallengeAnsweredOnce,
        "issued to another person",
        with_key | forger,
        _blue | {
            let device = phone("phone").stream();
            forger.write(lee(), KeyAccepted { device, challenge: challenge(2), counter: 1, user_verified: true });
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "after its end",
        with_key | forger,
        blue | {
            forger.wait_s(300);
            forger.touched(blue, 2, 8);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "after a refusal",
        with_key | forger,
        blue | {
            let fault = KeyFault::Signature;
            forger.write(dana(), KeyRefused { challenge: challenge(2), device: None, fault, counter: None });
            forger.touched(blue, 2, 8);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a registration's in a sign-in",
        with_key | forger,
        blue | {
            forger.ask_key(3, None);
            forger.touched(blue, 3, 8);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a sign-in's in a registration",
        with_key | forger,
        _blue | {
            let (device, form) = (key(&user("dana"), "red").stream(), KeyForm::SecurityKey);
            let credential = credential_stream(b"red");
            forger.write(dana(), KeyRegistered { device, challenge: challenge(2), form, credential, counter: 0 });
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a sent code twice",
        with_sms | forger,
        number | {
            forger.came_back(number, 2);
            forger.came_back(number, 2);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a code that a newer one made worthless",
        with_sms | forger,
        number | {
            forger.send(number, 3, Some(attempt(2)));
            forger.came_back(number, 2);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a sent code after its end",
        with_sms | forger,
        number | {
            forger.wait_s(300);
            forger.came_back(number, 2);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a code that was sent elsewhere",
        with_sms | forger,
        _number | {
            forger.came_back(sms("lee").stream(), 2);
        }
    ),
    forgery!(
        ChallengeAnsweredOnce,
        "a code of a device that is gone",
        with_sms | forger,
        number | {
            let reason = DeactivateReason::Lost;
            forger.write(dana(), DeviceDeactivated { device: number, by: BY, reason });
            forger.came_back(number, 2);
        }
    ),
    forgery!(ChallengeAnsweredOnce, "a mail that was not sent", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.factor_proven(root().stream(), 1, AlternativeFactor::Mail);
    }),
    forgery!(ChallengeAnsweredOnce, "a mail twice", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.factor_asked(root().stream(), 1, AlternativeFactor::Mail);
        (0..2).for_each(|_| forger.factor_proven(root().stream(), 1, AlternativeFactor::Mail));
    }),
    forgery!(ChallengeAnsweredOnce, "a call after its end", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.factor_asked(root().stream(), 1, AlternativeFactor::Phone);
        forger.wait_s(60);
        forger.factor_proven(root().stream(), 1, AlternativeFactor::Phone);
    }),
    forgery!(
        SmsTriesHold,
        "six tries",
        with_sms | forger,
        number | {
            (0..6).for_each(|_| forger.came_back_wrong(number, 2));
        }
    ),
    forgery!(
        SmsTriesHold,
        "a right one after five wrong ones",
        with_sms | forger,
        number | {
            (0..5).for_each(|_| forger.came_back_wrong(number, 2));
            forger.came_back(number, 2);
        }
    ),
];
