//! Where generated histories begin: an account with two users and some devices, and one thing more.

use countersign::KeyForm;

use super::commands::Held;
use super::steps::{Aim, Face, Hand, Pair, Post, Read, Step, Tap, Whom, Wish};

/// How many scenes there are.
pub const SCENES: usize = 6;

fn ask(wish: Wish) -> Step {
    Step::Ask { face: Face::OwnConsole(Held::Device), with_id: false, wish, times: 1 }
}

/// The steps to a scene.
pub fn prelude(scene: usize) -> Vec<Step> {
    let mut steps = vec![
        ask(Wish::Open(0)),
        ask(Wish::Register(2, 0, 0)),
        ask(Wish::Register(3, 2, 0)),
        ask(Wish::Create(0)),
        ask(Wish::Create(1)),
        ask(Wish::Import(2)),
        ask(Wish::Enable(Aim::Any(2, 0), Pair::Shown(0))),
    ];
    let touch = |key| ask(Wish::Touch(0, Tap { key, counter: 0, flaw: 0, other_kind: false }, Post::Straight));
    let begin_key = |who, form| ask(Wish::BeginKey(Whom::Any(who), 0, form, None));
    steps.extend(match scene {
        // A user with a security key and a passkey, as far as the rules allow.
        0 => vec![
            ask(Wish::Open(1)),
            ask(Wish::Register(8, 0, 0)),
            begin_key(3, KeyForm::SecurityKey),
            touch(Hand::Own(0)),
            begin_key(3, KeyForm::Passkey),
            touch(Hand::Own(1)),
        ],
        // A user whose keys somebody else wrote.
        1 => vec![
            begin_key(3, KeyForm::SecurityKey),
            touch(Hand::Soft(0)),
            begin_key(3, KeyForm::Passkey),
            touch(Hand::Soft(1)),
        ],
        // A user with a phone.
        2 => vec![
            ask(Wish::BeginSms(Whom::Any(3), 0)),
            ask(Wish::TypeSent(0, Read::Right, false)),
            Step::Ahead { ms: 30_000 },
        ],
        // A root with a token, who may lose it.
        3 => vec![ask(Wish::Enable(Aim::Any(0, 2), Pair::Shown(0)))],
        // Two roots of one address, each with a token.
        4 => vec![
            ask(Wish::Open(1)),
            ask(Wish::Import(8)),
            ask(Wish::Enable(Aim::Any(0, 2), Pair::Shown(0))),
            ask(Wish::Enable(Aim::Any(1, 8), Pair::Shown(0))),
            ask(Wish::Link(0, Some(1))),
            ask(Wish::Link(1, Some(0))),
        ],
        // Two accounts.
        _ => vec![ask(Wish::Open(1)), ask(Wish::Register(8, 0, 0))],
    });
    steps
}
