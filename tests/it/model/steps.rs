//! What may happen next in a generated history, with weights that lead into the corners of the rules.
//!
//! A step is made of small numbers that the model resolves when the step is taken, so that a history
//! stays meaningful while it is shrunk.

use countersign::{KeyForm, Preset, Purpose, SmsEligibility};
use proptest::prelude::*;

use super::ask::ADDRESSES;
use super::cast::{ACCOUNTS, ALIASES, HANDS, KEY_NAMES, NAMES, NUMBERS, PATHS, PEOPLE, SOFTS, THINGS};
use super::commands::Held;

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
    /// A command, perhaps several times.
    Ask { face: Face, with_id: bool, wish: Wish, times: usize },
    /// Several commands, one after the other.
    Do { face: Face, with_id: bool, chore: Chore },
}

/// How the one who asks appears, relative to the principal that the command is about.
#[derive(Clone, Copy, Debug)]
pub enum Face {
    OwnKey,
    OwnSession(Held),
    /// A console with a long-term key is one without a session: nothing real sends it.
    OwnConsole(Held),
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

/// A sign-in.
#[derive(Clone, Copy, Debug)]
pub enum Try {
    /// The n-th that is open, the newest first.
    Open(usize),
    /// The n-th that was ever begun, the newest first.
    Begun(usize),
}

/// A code that was sent.
#[derive(Clone, Copy, Debug)]
pub enum Read {
    /// The newest.
    Right,
    /// One before it, or for something else.
    Older(usize),
    Wrong,
}

/// How a key is held to the browser, and what the two do.
#[derive(Clone, Copy, Debug)]
pub struct Tap {
    pub key: Hand,
    /// How far its counter is from the highest that it ever showed.
    pub counter: i64,
    pub flaw: usize,
    /// Whether it does what it was asked, or the other thing.
    pub other_kind: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Hand {
    /// The n-th of those that would be right.
    Right(usize),
    Own(usize),
    Soft(usize),
}

/// Where a key's answer is sent.
#[derive(Clone, Copy, Debug)]
pub enum Post {
    Straight,
    /// By somebody else.
    Other(usize),
    /// To another sign-in.
    OtherTry(Try),
    /// To the other ceremony.
    Crossed(Try),
}

/// The next stage of a recovery, or some stage.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    Next,
    Mail,
    Confirm,
    Call,
    Answer,
    Finish,
}

/// What people do in several steps, if nothing comes between.
#[derive(Clone, Copy, Debug)]
pub enum Chore {
    /// A sign-in with the n-th device that is asked for; with the linked root's first, if there is one.
    Visit(Whom, usize, Proof),
    /// A new key; perhaps after all other devices were taken away.
    Enrol { whom: Whom, name: usize, form: KeyForm, old: Option<usize>, tap: Tap, clear: bool },
    /// A new number.
    EnrolPhone { whom: Whom, number: usize, read: Read, clear: bool },
    /// Root's way back in.
    Recover(Whom, Read),
}

/// What somebody has to show for any kind of device.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    pub typed: Typed,
    /// For the linked root's device.
    pub linked: Typed,
    pub read: Read,
    pub tap: Tap,
}

/// A command before it is resolved.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    Open(usize),
    Register(usize, usize, usize),
    Rename(usize, usize, usize),
    Remove(usize, bool),
    Create(usize),
    Delete(Aim, bool),
    Import(usize),
    Enable(Aim, Pair),
    Rotate(Aim, usize, Pair),
    Resync(Aim, Pair),
    Deactivate(Aim),
    Verify(Aim, Typed, Purpose),
    Password(Option<usize>, Option<usize>, bool),
    SignIn(Whom, usize),
    /// A new password.
    EndSignIns(Whom),
    /// A code at the second page: of the n-th device that is asked for.
    Type(Try, usize, Typed, Read),
    Offer(Try, bool),
    Touch(usize, Tap, Post),
    /// An answer that was given before.
    Replay(usize, usize, Post),
    Send(Try, usize),
    BeginKey(Whom, usize, KeyForm, Option<usize>),
    BeginSms(Whom, usize),
    /// A code that was sent, to where it belongs or to the other ceremony.
    TypeSent(usize, Read, bool),
    Recover(Try, Stage, Read),
    Alias(usize, Option<usize>),
    Eligibility(usize, SmsEligibility),
    Alternatives(usize, bool),
    Rules(usize, Option<Preset>),
    Link(usize, Option<usize>),
}

/// A person.
#[derive(Clone, Copy, Debug)]
pub enum Whom {
    /// The n-th that has a device.
    Holder(usize),
    /// The n-th that exists.
    Present(usize),
    Any(usize),
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
        34 => (any_face(), any::<bool>(), any_wish(), any_times(40))
            .prop_map(|(face, with_id, wish, times)| Step::Ask { face, with_id, wish, times }),
        24 => (any_face_at_door(), any::<bool>(), any_wish_at_door(), any_times(10))
            .prop_map(|(face, with_id, wish, times)| Step::Ask { face, with_id, wish, times }),
        24 => (any_face_at_door(), any::<bool>(), any_chore())
            .prop_map(|(face, with_id, chore)| Step::Do { face, with_id, chore }),
    ]
}

/// Once, as a rule.
fn any_times(once: u32) -> impl Strategy<Value = usize> {
    prop_oneof![once => Just(1_usize), 1 => 2..20_usize]
}

fn any_chore() -> BoxedStrategy<Chore> {
    let fresh = || {
        prop_oneof![
            4 => (-1..=1_i64).prop_map(Typed::Shown),
            4 => (-2..=2_i64).prop_map(Typed::Learned),
            2 => any_code(),
        ]
    };
    let proof = (fresh(), fresh(), any_read(), any_tap()).prop_map(|(typed, linked, read, tap)| Proof {
        typed,
        linked,
        read,
        tap,
    });
    let clear = || prop::bool::weighted(0.6);
    let enrol = (any_whom(), 0..KEY_NAMES.len(), prop::sample::select(KeyForm::ALL), any_old(), any_tap(), clear());
    let phone = (any_whom(), 0..NUMBERS.len(), any_read(), clear());
    let root = prop_oneof![4 => (0..2_usize).prop_map(Whom::Any), 1 => any_whom()];
    prop_oneof![
        10 => (any_whom(), 0..3_usize, proof).prop_map(|(whom, nth, proof)| Chore::Visit(whom, nth, proof)),
        6 => enrol.prop_map(|(whom, name, form, old, tap, clear)| Chore::Enrol { whom, name, form, old, tap, clear }),
        3 => phone.prop_map(|(whom, number, read, clear)| Chore::EnrolPhone { whom, number, read, clear }),
        2 => (root, any_read()).prop_map(|(whom, read)| Chore::Recover(whom, read)),
    ]
    .boxed()
}

fn any_held() -> impl Strategy<Value = Held> {
    prop_oneof![4 => Just(Held::Device), 2 => Just(Held::Password), 1 => Just(Held::Recovered)]
}

fn any_face() -> impl Strategy<Value = Face> {
    prop_oneof![
        4 => Just(Face::OwnKey),
        5 => any_held().prop_map(Face::OwnSession),
        8 => any_held().prop_map(Face::OwnConsole),
        1 => Just(Face::OwnConsole(Held::LongTermKey)),
        1 => (0..PEOPLE.len()).prop_map(Face::OtherKey),
        1 => (0..PEOPLE.len()).prop_map(Face::OtherConsole),
        1 => Just(Face::Operator),
    ]
}

/// Most of what happens at the door happens in a console.
fn any_face_at_door() -> impl Strategy<Value = Face> {
    prop_oneof![12 => Just(Face::OwnConsole(Held::Device)), 3 => any_face()]
}

fn any_wish() -> BoxedStrategy<Wish> {
    let thing = || 0..THINGS.len();
    let account = || 0..ACCOUNTS.len();
    prop_oneof![
        2 => account().prop_map(Wish::Open),
        6 => (2..PEOPLE.len(), 0..NAMES.len(), 0..PATHS.len())
            .prop_map(|(who, name, path)| Wish::Register(who, name, path)),
        3 => (0..PEOPLE.len(), 0..NAMES.len(), 0..PATHS.len())
            .prop_map(|(who, name, path)| Wish::Rename(who, name, path)),
        2 => (2..PEOPLE.len(), any::<bool>()).prop_map(|(who, take)| Wish::Remove(who, take)),
        6 => thing().prop_map(Wish::Create),
        3 => (any_aim(1, 4), prop::bool::weighted(0.9)).prop_map(|(aim, here)| Wish::Delete(aim, here)),
        2 => thing().prop_map(Wish::Import),
        12 => (any_aim(1, 6), any_pair()).prop_map(|(aim, pair)| Wish::Enable(aim, pair)),
        3 => (any_aim(1, 6), 0..4_usize, any_pair()).prop_map(|(aim, old, pair)| Wish::Rotate(aim, old, pair)),
        9 => (any_aim(8, 1), any_pair()).prop_map(|(aim, pair)| Wish::Resync(aim, pair)),
        5 => prop_oneof![6 => (0..8_usize).prop_map(Aim::Owned), 1 => any_aim(1, 1)].prop_map(Wish::Deactivate),
        28 => (any_aim(20, 1), any_code(), any_purpose()).prop_map(|(aim, code, why)| Wish::Verify(aim, code, why)),
        3 => (account(), any_alias()).prop_map(|(of, alias)| Wish::Alias(of, alias)),
        2 => (account(), prop::sample::select(SmsEligibility::ALL)).prop_map(|(of, sms)| Wish::Eligibility(of, sms)),
        1 => (account(), prop::bool::weighted(0.7)).prop_map(|(of, on)| Wish::Alternatives(of, on)),
        3 => (account(), any_preset()).prop_map(|(of, preset)| Wish::Rules(of, preset)),
        2 => (account(), any_link()).prop_map(|(of, other)| Wish::Link(of, other)),
        1 => (prop::option::of(account()), prop::option::of(0..PEOPLE.len()), any::<bool>())
            .prop_map(|(of, who, locked)| Wish::Password(of, who, locked)),
    ]
    .boxed()
}

/// Mostly the one that the other account wants, too.
fn any_alias() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![1 => Just(None), 4 => Just(Some(0)), 1 => (0..ALIASES.len()).prop_map(Some)]
}

fn any_preset() -> impl Strategy<Value = Option<Preset>> {
    prop_oneof![2 => Just(None), 3 => prop::sample::select(Preset::ALL).prop_map(Some)]
}

fn any_link() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![1 => Just(None), 3 => (0..ACCOUNTS.len()).prop_map(Some)]
}

fn any_wish_at_door() -> BoxedStrategy<Wish> {
    let nth = || prop_oneof![3 => Just(0), 1 => 0..4_usize];
    prop_oneof![
        10 => (any_whom(), any_address()).prop_map(|(whom, from)| Wish::SignIn(whom, from)),
        2 => any_whom().prop_map(Wish::EndSignIns),
        12 => (any_try(), nth(), any_code(), any_read())
            .prop_map(|(which, device, code, read)| Wish::Type(which, device, code, read)),
        8 => (any_try(), prop::bool::weighted(0.1)).prop_map(|(which, other)| Wish::Offer(which, other)),
        22 => (nth(), any_tap(), any_post()).prop_map(|(challenge, tap, post)| Wish::Touch(challenge, tap, post)),
        3 => (nth(), nth(), any_post()).prop_map(|(paper, challenge, post)| Wish::Replay(paper, challenge, post)),
        6 => (any_try(), nth()).prop_map(|(which, device)| Wish::Send(which, device)),
        10 => (any_whom(), 0..KEY_NAMES.len(), prop::sample::select(KeyForm::ALL), any_old())
            .prop_map(|(who, name, form, old)| Wish::BeginKey(who, name, form, old)),
        8 => (any_whom(), 0..NUMBERS.len()).prop_map(|(who, number)| Wish::BeginSms(who, number)),
        12 => (nth(), any_read(), prop::bool::weighted(0.1))
            .prop_map(|(code, read, crossed)| Wish::TypeSent(code, read, crossed)),
        12 => (any_try(), any_stage(), any_read()).prop_map(|(which, stage, read)| Wish::Recover(which, stage, read)),
    ]
    .boxed()
}

fn any_address() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => 0..ADDRESSES]
}

fn any_whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        5 => (0..6_usize).prop_map(Whom::Holder),
        5 => (0..6_usize).prop_map(Whom::Present),
        1 => (0..2_usize).prop_map(Whom::Any),
        1 => (0..PEOPLE.len()).prop_map(Whom::Any),
    ]
}

fn any_try() -> impl Strategy<Value = Try> {
    prop_oneof![
        8 => Just(Try::Open(0)),
        3 => (0..6_usize).prop_map(Try::Open),
        1 => (0..6_usize).prop_map(Try::Begun),
    ]
}

fn any_read() -> impl Strategy<Value = Read> {
    prop_oneof![6 => Just(Read::Right), 1 => (1..4_usize).prop_map(Read::Older), 3 => Just(Read::Wrong)]
}

fn any_tap() -> BoxedStrategy<Tap> {
    let key = prop_oneof![
        9 => (0..HANDS + SOFTS).prop_map(Hand::Right),
        4 => (0..HANDS).prop_map(Hand::Own),
        1 => (0..SOFTS).prop_map(Hand::Soft),
    ];
    let counter = prop_oneof![6 => Just(1), 2 => Just(0), 1 => -2..=5_i64];
    let flaw = prop_oneof![9 => Just(0), 2 => 1..9_usize];
    (key, counter, flaw, prop::bool::weighted(0.03))
        .prop_map(|(key, counter, flaw, other_kind)| Tap { key, counter, flaw, other_kind })
        .boxed()
}

fn any_post() -> impl Strategy<Value = Post> {
    prop_oneof![
        16 => Just(Post::Straight),
        1 => (0..PEOPLE.len()).prop_map(Post::Other),
        1 => any_try().prop_map(Post::OtherTry),
        1 => any_try().prop_map(Post::Crossed),
    ]
}

fn any_stage() -> impl Strategy<Value = Stage> {
    let any = vec![Stage::Mail, Stage::Confirm, Stage::Call, Stage::Answer, Stage::Finish];
    prop_oneof![6 => Just(Stage::Next), 1 => prop::sample::select(any)]
}

fn any_old() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![5 => Just(None), 1 => (0..4_usize).prop_map(Some)]
}

fn any_aim(owned: u32, free: u32) -> impl Strategy<Value = Aim> {
    prop_oneof![
        owned => prop_oneof![3 => Just(0), 1 => 0..6_usize].prop_map(Aim::Owned),
        free => (0..4_usize, prop_oneof![3 => 2..4_usize, 1 => 0..PEOPLE.len()]).prop_map(|(n, who)| Aim::Free(n, who)),
        1 => (0..PEOPLE.len(), 0..40_usize).prop_map(|(who, device)| Aim::Any(who, device)),
    ]
}

fn any_purpose() -> impl Strategy<Value = Purpose> {
    prop::sample::select(vec![Purpose::SignIn, Purpose::SessionToken, Purpose::AssumeRole, Purpose::StepUp])
}

fn any_code() -> BoxedStrategy<Typed> {
    prop_oneof![
        8 => (-4..=4_i64).prop_map(Typed::Shown),
        8 => (-4..=4_i64).prop_map(Typed::Learned),
        1 => edges(-998, 1000).prop_map(Typed::Learned),
        3 => Just(Typed::Used),
        4 => (0..3_usize, any::<bool>()).prop_map(|(nth, second)| Typed::OfPair(nth, second)),
        1 => (0..THINGS.len(), -2..=2_i64).prop_map(|(thing, steps)| Typed::OfOther(thing, steps)),
        1 => (0..1_000_000_u32).prop_map(Typed::Digits),
    ]
    .boxed()
}

fn any_pair() -> BoxedStrategy<Pair> {
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
    .boxed()
}

/// Both ends of a range from three within to three without, and now and then anything between.
fn edges(low: i64, high: i64) -> impl Strategy<Value = i64> {
    prop_oneof![2 => low - 3..=low + 3, 2 => high - 3..=high + 3, 1 => low..=high]
}
