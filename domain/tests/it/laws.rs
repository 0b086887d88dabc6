//! Each law of the domain is broken by forged histories, and found: a law that nothing can break shows nothing.
//!
//! That sound histories break none is shown by every scenario that is played on the stage, and here by those that are
//! close to a forgery.

use countersign_domain::account::Account;
use countersign_domain::event::*;
use countersign_domain::ids::{AccountId, StreamId, UnixMillis};
use countersign_domain::laws::Law;
use countersign_domain::policy::Policy;
use countersign_domain::settings::Preset;
use countersign_domain::totp::Budget;

use crate::forged_messages::{OF_OUTCOMES, OF_QUEUES, OF_TRIES};
use crate::forged_sign_ins::{OF_ROOT, OF_SIGN_INS};
use crate::forger::{BY, Forger, START, WINDOW, dana, lee};
use crate::forgeries::{Forgery, OF_CHALLENGES, OF_CHOSEN_RULES, OF_DEVICES, OF_KEYS};
use crate::senders::destination;
use crate::stage::{phone, root, sms};

fn forgeries() -> impl Iterator<Item = &'static Forgery> {
    let of_devices = [OF_DEVICES, OF_CHOSEN_RULES, OF_KEYS, OF_CHALLENGES];
    let of_messages = [OF_QUEUES, OF_TRIES, OF_OUTCOMES];
    of_devices.into_iter().chain([OF_SIGN_INS, OF_ROOT]).chain(of_messages).flatten()
}

#[test]
fn every_forgery_is_found_by_the_law_that_it_breaks() {
    for (law, how, forge) in forgeries() {
        let broken = forge().end();
        assert!(broken.contains(law), "{law:?}, {how}: only {broken:?}");
    }
}

#[test]
fn every_law_is_broken_by_a_forgery() {
    for law in Law::ALL {
        assert!(forgeries().any(|(broken, _, _)| broken == law), "{law:?}");
    }
}

// ---- what is close to a forgery, and sound ----

fn assert_sound(what: &str, forge: impl FnOnce(&mut Forger)) {
    let mut forger = Forger::new(Policy::classic());
    forge(&mut forger);
    assert_eq!(forger.end(), [], "{what}");
}

#[test]
fn sound_histories_break_no_law() {
    assert_sound("a code", |forger| forger.accepted(56_666_668));
    assert_sound("nine codes in each of many windows", |forger| {
        (0..9 * 20).for_each(|n| forger.mistaken(WINDOW + n / 9));
    });
    assert_sound("a sign-in", |forger| {
        forger.begin(lee(), 1, None);
        forger.accepted(56_666_668);
        forger.in_by_phone(1);
    });
    assert_sound("root by mail and phone", |forger| {
        forger.begin(root().stream(), 1, None);
        forger.both_proven(root().stream(), 1);
        forger.in_by(root().stream(), 1, SignInFactor::AlternativeFactors, None);
    });
    assert_sound("root by the linked phone", |forger| {
        forger.begin(root().stream(), 1, Some(lee()));
        forger.accepted(56_666_668);
        forger.in_by(root().stream(), 1, SignInFactor::Device, Some(phone("phone").stream()));
    });
    for (mut forger, device) in [Forger::with_key(), Forger::with_sms()] {
        match device == sms("dana").stream() {
            true => forger.came_back(device, 2),
            false => forger.touched(device, 2, 8),
        }
        forger.in_by(dana(), 2, SignInFactor::Device, Some(device));
        assert_eq!(forger.end(), []);
    }
}

#[test]
fn sound_ways_of_codes_break_no_law() {
    type Way = (&'static str, fn(&mut Forger));
    let ways: &[Way] = &[
        ("taken and delivered", |forger| {
            forger.tries(3, 1..=5, SmsSubmitFault::Throttled);
            forger.try_it(3, 6);
            forger.taken(3, 6);
            SmsDelivery::ALL[..3].iter().for_each(|delivery| forger.reported(3, *delivery));
        }),
        ("as often as may be, wanted after all, and again", |forger| {
            forger.tries(3, 1..=6, SmsSubmitFault::Unavailable);
            forger.give_up(3);
            forger.redrive(3);
            forger.tries(3, 7..=8, SmsSubmitFault::Unknown);
            forger.give_up(3);
            forger.redrive(3);
            forger.tries(3, 9..=9, SmsSubmitFault::Unknown);
        }),
        ("reported on after all, given up as it was", |forger| {
            forger.tries(3, 1..=2, SmsSubmitFault::Unknown);
            forger.give_up(3);
            forger.wait_s(86_400);
            forger.reported(3, SmsDelivery::Delivered);
        }),
        ("reported on before the gateway answered", |forger| {
            forger.try_it(3, 1);
            forger.reported(3, SmsDelivery::Delivered);
        }),
        ("handed over in its last millisecond", |forger| {
            forger.now = UnixMillis(forger.now.0 + 299_999);
            forger.try_it(3, 1);
            forger.wait_s(60);
            forger.taken(3, 1);
        }),
        ("two codes, side by side", |forger| {
            forger.send(sms("lee").stream(), 4, None);
            forger.queue(sms("lee").stream(), 4);
            [4, 3].into_iter().for_each(|number| forger.try_it(number, 1));
            [3, 4].into_iter().for_each(|number| forger.taken(number, 1));
        }),
        ("a code of a release that did not queue it", |forger| {
            forger.send(sms("dana").stream(), 4, None);
            forger.send(sms("dana").stream(), 5, None);
            forger.queue(sms("dana").stream(), 5);
        }),
    ];
    for (what, forge) in ways {
        let (mut forger, _) = Forger::with_message();
        forge(&mut forger);
        assert_eq!(forger.end(), [], "{what}");
    }
}

#[test]
fn prefixes_are_blocked_and_cleared_in_a_stream_of_their_own() {
    assert_sound("a prefix", |forger| {
        let (guard, prefix) = (StreamId::derive(&["any"]), destination().prefix);
        for until in [UnixMillis(0), UnixMillis(1)] {
            forger.write(
                guard,
                SmsPrefixBlocked {
                    prefix: prefix.clone(),
                    errand: countersign_domain::sms::SmsErrand::Enrolment,
                    sent: 50,
                    used: 4,
                    until,
                },
            );
            forger.write(guard, SmsPrefixCleared { prefix: prefix.clone(), by: BY });
        }
    });
}

/// What was decided under the old rules may be written within the minute after a change.
#[test]
fn for_a_minute_the_more_generous_rules_hold() {
    assert_sound("nine codes while the account becomes strict", |forger| {
        (0..4).for_each(|_| forger.mistaken(WINDOW));
        forger.choose(Some(Preset::Strict));
        forger.wait_s(60);
        (0..5).for_each(|_| forger.mistaken(WINDOW));
    });
    assert_sound("a second device while the account leaves the modern rules", |forger| {
        forger.choose(Some(Preset::Modern));
        forger.choose(None);
        forger.wait_s(60);
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
    });
    assert_sound("a change that the next one hides", |forger| {
        forger.choose(Some(Preset::Modern));
        forger.wait_s(600);
        for preset in [Some(Preset::Classic), None] {
            forger.choose(preset);
            forger.wait_s(30);
        }
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
    });
    assert_sound("devices over a limit that came later", |forger| {
        forger.choose(Some(Preset::Modern));
        forger.enabled(lee(), "spare", 56_666_667);
        forger.assigned(lee(), "spare");
        forger.choose(None);
        forger.wait_s(600);
        forger.accepted(56_666_668);
    });
}

#[test]
fn rules_of_one_account_are_none_of_anothers() {
    let mut forger = Forger::new(Policy::classic());
    let other = AccountId::from_number(42).unwrap();
    forger.write(Account::stream(other), AccountOpened { account: other, by: BY });
    forger.write(Account::stream(other), PolicyChosen { preset: Some(Preset::Strict), by: BY });
    forger.wait_s(600);
    (0..9).for_each(|_| forger.mistaken(WINDOW));
    assert_eq!(forger.end(), []);
}

/// A clock that is set back further than the policy bears opens its window anew (A4, A40); one that wavers does not.
#[test]
fn a_clock_set_back_far_begins_a_count_anew() {
    for (back_s, broken) in [(61, false), (60, true)] {
        let mut forger = Forger::new(Policy::classic());
        (0..9).for_each(|_| forger.mistaken(WINDOW));
        forger.now = UnixMillis::from_secs(START.secs() - back_s);
        forger.mistaken(WINDOW);
        assert_eq!(forger.end().contains(&Law::BudgetHolds), broken, "{back_s} s");
    }
}

#[test]
fn both_budgets_are_counted_apart() {
    let mut forger = Forger::new(Policy::classic());
    let (device, window, fault) = (phone("phone").stream(), WINDOW, PairFault::NoMatch);
    for budget in Budget::ALL {
        match budget {
            Budget::Codes => (0..9).for_each(|_| forger.mistaken(WINDOW)),
            // The pair that enabled the phone is the ninth.
            Budget::Pairs => (0..8).for_each(|_| forger.write(lee(), ResyncRefused { device, by: BY, window, fault })),
        }
    }
    assert_eq!(forger.end(), []);
}
