//! What may happen next in a generated history, with weights that lead into the corners of the rules.
//!
//! A step is made of small numbers that the model resolves when the step is taken, so that a history
//! stays meaningful while it is shrunk.

use countersign::{Channel, Purpose};
use proptest::prelude::*;

use super::cast::{NAMES, PATHS, PEOPLE, THINGS, is_virtual};
use super::perform::{By, Command, Model};

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time goes on.
    Ahead { ms: u64 },
    /// Somebody sets the clock back.
    Back { ms: u64 },
    /// The device in somebody's hand gains or loses some steps.
    Drift { thing: usize, steps: i64 },
    /// The engine is closed and opened again on the same journal.
    Reopen,
    /// An earlier command is sent once more, under the id that it had.
    Again { nth: usize },
    /// A command.
    Ask { face: Face, with_id: bool, wish: Wish },
}

/// How the one who asks appears, relative to the principal that the command is about.
#[derive(Clone, Copy, Debug)]
pub enum Face {
    OwnKey,
    OwnSession {
        mfa: bool,
    },
    OwnConsole {
        mfa: bool,
    },
    /// A console without a session: nothing real sends it.
    OwnConsoleKey,
    OtherKey(usize),
    OtherConsole(usize),
    Operator,
}

/// Whom and which device a command is about.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// The n-th enabled device and its owner.
    Owned(usize),
    /// The n-th device that exists without an owner, for some person.
    Free(usize, usize),
    /// Any of each.
    Any(usize, usize),
}

/// A single code.
#[derive(Clone, Copy, Debug)]
pub enum Typed {
    /// What the device in the hand shows, some steps from now.
    Shown(i64),
    /// Some steps around the time that the engine has learned.
    Learned(i64),
    /// The last code that was accepted.
    Used,
    /// A code of the n-th accepted pair from the end: its first or its second.
    OfPair(usize, bool),
    /// What another device shows now.
    OfOther(usize, i64),
    /// Some digits.
    Digits(u32),
}

/// Two codes.
#[derive(Clone, Copy, Debug)]
pub enum Pair {
    /// What the device in the hand shows: the second some steps from now.
    Shown(i64),
    /// Around the time that the engine has learned.
    Learned(i64),
    /// Right after the last accepted pair, from this many steps on: 0 uses its second code again.
    AfterLast(i64),
    Swapped(i64),
    Gap(i64),
    Twice(i64),
    OfOther(usize),
    Digits(u32, u32),
}

/// A command before it is resolved.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    Open(usize),
    Register(usize, usize, usize),
    Rename(usize, usize, usize),
    Remove(usize, bool),
    Create(usize),
    Delete(usize, bool),
    Import(usize),
    Enable(Aim, Pair),
    Rotate(Aim, usize, Pair),
    Resync(Aim, Pair),
    Deactivate(Aim),
    Verify(Aim, Typed, Purpose),
}

// ---- generation ----

pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..35_000_u64).prop_map(|ms| Step::Ahead { ms }),
        3 => (0..400_000_u64).prop_map(|ms| Step::Ahead { ms }),
        1 => (0..90_000_u64).prop_map(|ms| Step::Back { ms }),
        2 => (0..THINGS.len(), -5..=5_i64).prop_map(|(thing, steps)| Step::Drift { thing, steps }),
        1 => Just(Step::Reopen),
        4 => any::<prop::sample::Index>().prop_map(|nth| Step::Again { nth: nth.index(1000) }),
        40 => (any_face(), any::<bool>(), any_wish())
            .prop_map(|(face, with_id, wish)| Step::Ask { face, with_id, wish }),
    ]
}

fn any_face() -> impl Strategy<Value = Face> {
    prop_oneof![
        4 => Just(Face::OwnKey),
        1 => Just(Face::OwnSession { mfa: false }),
        6 => Just(Face::OwnSession { mfa: true }),
        2 => any::<bool>().prop_map(|mfa| Face::OwnConsole { mfa }),
        1 => Just(Face::OwnConsoleKey),
        3 => (0..PEOPLE.len()).prop_map(Face::OtherKey),
        1 => (0..PEOPLE.len()).prop_map(Face::OtherConsole),
        1 => Just(Face::Operator),
    ]
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let person = || prop_oneof![4 => 2..5_usize, 1 => 0..PEOPLE.len()];
    let thing = || prop_oneof![4 => 0..4_usize, 1 => 0..THINGS.len()];
    let called = || (0..NAMES.len(), 0..PATHS.len());
    prop_oneof![
        1 => (0..2_usize).prop_map(Wish::Open),
        4 => (0..PEOPLE.len(), called()).prop_map(|(who, (name, path))| Wish::Register(who, name, path)),
        2 => (person(), called()).prop_map(|(who, (name, path))| Wish::Rename(who, name, path)),
        1 => (0..PEOPLE.len(), any::<bool>()).prop_map(|(who, take)| Wish::Remove(who, take)),
        6 => (0..THINGS.len()).prop_map(Wish::Create),
        3 => (thing(), prop::bool::weighted(0.9)).prop_map(|(thing, here)| Wish::Delete(thing, here)),
        2 => thing().prop_map(Wish::Import),
        12 => (any_aim(1, 6), any_pair()).prop_map(|(aim, pair)| Wish::Enable(aim, pair)),
        3 => (any_aim(1, 6), thing(), any_pair()).prop_map(|(aim, old, pair)| Wish::Rotate(aim, old, pair)),
        9 => (any_aim(8, 1), any_pair()).prop_map(|(aim, pair)| Wish::Resync(aim, pair)),
        4 => any_aim(8, 1).prop_map(Wish::Deactivate),
        32 => (any_aim(20, 1), any_code(), any_purpose()).prop_map(|(aim, code, why)| Wish::Verify(aim, code, why)),
    ]
}

fn any_aim(owned: u32, free: u32) -> impl Strategy<Value = Aim> {
    prop_oneof![
        owned => prop_oneof![3 => Just(0), 1 => 0..4_usize].prop_map(Aim::Owned),
        free => (0..4_usize, prop_oneof![3 => 2..4_usize, 1 => 0..PEOPLE.len()]).prop_map(|(n, who)| Aim::Free(n, who)),
        1 => (0..PEOPLE.len(), 0..THINGS.len()).prop_map(|(who, thing)| Aim::Any(who, thing)),
    ]
}

fn any_purpose() -> impl Strategy<Value = Purpose> {
    prop::sample::select(vec![Purpose::SignIn, Purpose::SessionToken, Purpose::AssumeRole, Purpose::StepUp])
}

fn any_code() -> impl Strategy<Value = Typed> {
    prop_oneof![
        8 => (-4..=4_i64).prop_map(Typed::Shown),
        8 => (-4..=4_i64).prop_map(Typed::Learned),
        1 => edges(-998, 1000).prop_map(Typed::Learned),
        3 => Just(Typed::Used),
        4 => (0..3_usize, any::<bool>()).prop_map(|(nth, second)| Typed::OfPair(nth, second)),
        1 => (0..THINGS.len(), -2..=2_i64).prop_map(|(thing, steps)| Typed::OfOther(thing, steps)),
        1 => (0..1_000_000_u32).prop_map(Typed::Digits),
    ]
}

fn any_pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        10 => (-3..=3_i64).prop_map(Pair::Shown),
        4 => (-4..=4_i64).prop_map(Pair::Learned),
        3 => edges(-998, 1000).prop_map(Pair::Learned),
        3 => (-1..=3_i64).prop_map(Pair::AfterLast),
        1 => (-2..=2_i64).prop_map(Pair::Swapped),
        1 => (-2..=2_i64).prop_map(Pair::Gap),
        1 => (-2..=2_i64).prop_map(Pair::Twice),
        1 => (0..THINGS.len()).prop_map(Pair::OfOther),
        1 => (0..1_000_000_u32, 0..1_000_000_u32).prop_map(|(one, two)| Pair::Digits(one, two)),
    ]
}

/// Both ends of a range from three within to three without, and now and then anything between.
fn edges(low: i64, high: i64) -> impl Strategy<Value = i64> {
    prop_oneof![2 => low - 3..=low + 3, 2 => high - 3..=high + 3, 1 => low..=high]
}

// ---- resolution ----

impl Model {
    /// Takes a step. What was asked and answered is then the last of [`Model::asked`].
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Ahead { ms } => self.now += ms,
            Step::Back { ms } => self.now -= ms,
            Step::Drift { thing, steps } => *self.drift.entry(*thing).or_default() += steps,
            Step::Reopen => {}
            Step::Again { nth } => {
                let with_id: Vec<_> = self.asked.iter().filter(|asked| asked.id.is_some()).cloned().collect();
                if let Some(before) = with_id.get(nth % with_id.len().max(1)) {
                    self.ask(before.by, before.id, before.command.clone());
                }
            }
            Step::Ask { face, with_id, wish } => {
                let (command, about) = self.resolve(wish);
                let id = with_id.then_some(self.asked.len() as u64);
                self.ask(by(*face, about), id, command);
            }
        }
    }

    /// The command that a wish comes to now, and the principal that it is about.
    fn resolve(&self, wish: &Wish) -> (Command, Option<usize>) {
        match *wish {
            Wish::Open(account) => (Command::Open { account }, None),
            Wish::Register(who, name, path) => {
                let person = who.max(2);
                (Command::Register { person, name: NAMES[name], path: PATHS[path] }, None)
            }
            Wish::Rename(person, name, path) => {
                (Command::Rename { person, name: NAMES[name], path: PATHS[path] }, Some(person))
            }
            Wish::Remove(person, take_devices) => (Command::Remove { person, take_devices }, Some(person)),
            Wish::Create(thing) if is_virtual(thing) => (Command::Create { thing }, Some(2)),
            Wish::Create(thing) | Wish::Import(thing) => (Command::Import { thing }, None),
            Wish::Delete(thing, here) => (Command::Delete { account: usize::from(!here), thing }, Some(2)),
            Wish::Enable(aim, pair) => {
                let (person, thing) = self.aim(aim);
                let (first, second) = self.pair(thing, pair);
                (Command::Enable { person, thing, first, second }, Some(person))
            }
            Wish::Rotate(aim, old, pair) => {
                let (person, thing) = self.aim(aim);
                let old = self.history.devices(person).first().copied().unwrap_or(old);
                let (first, second) = self.pair(thing, pair);
                (Command::Rotate { person, old, thing, first, second }, Some(person))
            }
            Wish::Resync(aim, pair) => {
                let (person, thing) = self.aim(aim);
                let (first, second) = self.pair(thing, pair);
                (Command::Resync { person, thing, first, second }, Some(person))
            }
            Wish::Deactivate(aim) => {
                let (person, thing) = self.aim(aim);
                (Command::Deactivate { person, thing }, Some(person))
            }
            Wish::Verify(aim, code, purpose) => {
                let (person, thing) = self.aim(aim);
                (Command::Verify { person, thing, code: self.code(thing, code), purpose }, Some(person))
            }
        }
    }

    fn aim(&self, aim: Aim) -> (usize, usize) {
        let owner = |thing: &usize| self.history.owner(*thing).map(|person| (person, *thing));
        let things: Vec<usize> = (0..THINGS.len()).collect();
        match aim {
            Aim::Owned(nth) => {
                let owned: Vec<(usize, usize)> = things.iter().filter_map(owner).collect();
                owned.get(nth % owned.len().max(1)).copied().unwrap_or((2, nth))
            }
            Aim::Free(nth, person) => {
                let free = |thing: &&usize| self.history.made(**thing).is_some() && owner(thing).is_none();
                let free: Vec<&usize> = things.iter().filter(free).collect();
                (person, free.get(nth % free.len().max(1)).map_or(nth, |thing| **thing))
            }
            Aim::Any(person, thing) => (person, thing),
        }
    }

    /// What the device in the hand counts now.
    fn shown_step(&self, thing: usize) -> i64 {
        self.server_step() + self.drift.get(&thing).copied().unwrap_or(0)
    }

    fn code(&self, thing: usize, code: Typed) -> u32 {
        let shows = self.display(thing);
        match code {
            Typed::Shown(steps) => shows(self.shown_step(thing) + steps),
            Typed::Learned(steps) => shows(self.adjusted_step(thing) + steps),
            Typed::Used => shows(self.history.spent(thing).last().map_or(0, |counter| *counter as i64)),
            Typed::OfPair(nth, second) => {
                let pairs = self.history.pairs(thing);
                let counter = pairs.iter().rev().nth(nth).map_or(1, |(counter, _)| *counter as i64);
                shows(if second { counter } else { counter - 1 })
            }
            Typed::OfOther(other, steps) => self.display(other)(self.shown_step(other) + steps),
            Typed::Digits(digits) => digits,
        }
    }

    fn pair(&self, thing: usize, pair: Pair) -> (u32, u32) {
        let shows = self.display(thing);
        let at = |second: i64| (shows(second - 1), shows(second));
        let now = self.shown_step(thing);
        match pair {
            Pair::Shown(steps) => at(now + steps),
            Pair::Learned(steps) => at(self.adjusted_step(thing) + steps),
            Pair::AfterLast(steps) => {
                let last = self.history.pairs(thing).last().map_or(now, |(counter, _)| *counter as i64);
                at(last + 1 + steps)
            }
            Pair::Swapped(steps) => (shows(now + steps), shows(now + steps - 1)),
            Pair::Gap(steps) => (shows(now + steps - 2), shows(now + steps)),
            Pair::Twice(steps) => (shows(now + steps), shows(now + steps)),
            Pair::OfOther(other) => {
                let (other, then) = (self.display(other), self.shown_step(other));
                (other(then - 1), other(then))
            }
            Pair::Digits(one, two) => (one, two),
        }
    }
}

fn by(face: Face, about: Option<usize>) -> By {
    let own = about.unwrap_or(0);
    let key = |who| By { who: Some(who), channel: Channel::Api, session: false, mfa: false };
    match face {
        Face::OwnKey => key(own),
        Face::OwnSession { mfa } => By { session: true, mfa, ..key(own) },
        Face::OwnConsole { mfa } => By { channel: Channel::Console, session: true, mfa, ..key(own) },
        Face::OwnConsoleKey => By { channel: Channel::Console, ..key(own) },
        Face::OtherKey(who) => By { channel: Channel::Cli, ..key(who) },
        Face::OtherConsole(who) => By { channel: Channel::Console, session: true, ..key(who) },
        Face::Operator => By { who: None, channel: Channel::Operator, session: true, mfa: false },
    }
}
