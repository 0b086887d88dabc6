//! The real engine, driven through its facade beside the model, and compared after every step.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::store::{EphemeralKeyRing, Journal, MemoryBackend, MemoryJournal, Options};
use countersign::*;
use countersign_tests::authenticator::{digits, from_base32};
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::cast::{self, ACCOUNTS, NAMES, PEOPLE, THINGS};
use super::perform::{Answer, Asked, By, Command, Model};
use super::rules::Rules;
use super::steps::{Aim, Face, Pair, Step, Wish, any_step};
use super::words::{tell_event, tell_fact};
use crate::support::{block_on, check_laws, event_of};

pub const START_MS: u64 = 1_700_000_010_000;

/// Steps of one history.
pub const STEPS: std::ops::Range<usize> = 20..120;

/// Rules under test, with the preset that should keep them.
pub trait Deployment: 'static {
    const RULES: Rules;
    /// Whether principals stay in memory, so that what others write must be noticed, or leave it at
    /// once, so that everything is read back from the log.
    const RESIDENT: bool;
    fn preset() -> Policy;
}

macro_rules! deployments {
    ($($name:ident, $rules:expr, $resident:expr, $preset:expr, $test:ident;)*) => {$(
        #[derive(Clone, Debug)]
        pub struct $name;

        impl Deployment for $name {
            const RULES: Rules = $rules;
            const RESIDENT: bool = $resident;
            fn preset() -> Policy {
                $preset
            }
        }

        prop_state_machine! {
            #![proptest_config(cases())]

            #[test]
            fn $test(sequential STEPS => Real<$name>);
        }
    )*};
}

deployments! {
    Classic, Rules::CLASSIC, true, Policy::classic(), the_engine_equals_the_model_under_classic;
    Modern, Rules::MODERN, false, Policy::modern(), the_engine_equals_the_model_under_modern;
    Strict, Rules::STRICT, true, Policy::strict(), the_engine_equals_the_model_under_strict;
}

/// How many histories of each kind: some on an everyday run, more by `COUNTERSIGN_CASES`.
fn cases() -> Cases {
    let asked = std::env::var("COUNTERSIGN_CASES").ok().and_then(|text| text.parse().ok());
    Cases { cases: asked.unwrap_or(32), failure_persistence: None, max_shrink_iters: 4000, ..Cases::default() }
}

// ---- the model as proptest sees it ----

pub struct Reference<D>(PhantomData<D>);

impl<D: Deployment> ReferenceStateMachine for Reference<D> {
    type State = Model;
    type Transition = Step;

    /// Histories begin where it gets interesting: an account with two users and some devices.
    fn init_state() -> BoxedStrategy<Model> {
        let mut model = Model::new(D::RULES, START_MS);
        for step in prelude() {
            model.take(&step);
        }
        Just(model).boxed()
    }

    fn transitions(_state: &Model) -> BoxedStrategy<Step> {
        any_step().boxed()
    }

    fn apply(mut state: Model, step: &Step) -> Model {
        state.take(step);
        state
    }
}

pub fn prelude() -> Vec<Step> {
    let ask = |wish| Step::Ask { face: Face::OwnSession { mfa: true }, with_id: false, wish };
    vec![
        ask(Wish::Open(0)),
        ask(Wish::Register(2, 0, 0)),
        ask(Wish::Register(3, 2, 0)),
        ask(Wish::Create(0)),
        ask(Wish::Create(1)),
        ask(Wish::Import(2)),
        ask(Wish::Enable(Aim::Any(2, 0), Pair::Shown(0))),
    ]
}

// ---- the engine ----

/// An engine on a journal in memory that outlives it.
pub struct Real<D> {
    backend: MemoryBackend,
    ring: Arc<EphemeralKeyRing>,
    journal: Arc<MemoryJournal>,
    engine: Option<Countersign>,
    clock: ManualClock,
    entropy: Arc<Secrets>,
    /// Commands of the model that were sent; facts of its list and entries of the log that were compared.
    sent: usize,
    noted: usize,
    compared: Position,
    deployment: PhantomData<D>,
}

/// Gives out the secrets that the model expects, and fresh ids.
#[derive(Debug, Default)]
struct Secrets {
    given: AtomicU64,
    ids: AtomicU64,
}

impl Entropy for Secrets {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        if let [_, .., _] = buffer
            && buffer.len() == 40
        {
            buffer.copy_from_slice(&cast::secret(self.given.fetch_add(1, Ordering::SeqCst) + 1));
        } else {
            let id = self.ids.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            buffer.iter_mut().zip(id.iter().cycle()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

impl<D: Deployment> Real<D> {
    pub fn new() -> Self {
        let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
        let journal = MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap();
        let mut real = Self {
            backend,
            ring,
            journal: Arc::new(journal),
            engine: None,
            clock: ManualClock::at(UnixMillis(START_MS)),
            entropy: Arc::default(),
            sent: 0,
            noted: 0,
            compared: Position(0),
            deployment: PhantomData,
        };
        real.start();
        real
    }

    fn engine(&self) -> &Countersign {
        self.engine.as_ref().unwrap()
    }

    fn start(&mut self) {
        let always = Limits { snapshot_every: 1, checkpoint_every: 1, ..Limits::default() };
        let brief = Limits { resident_max: 1, idle: Duration::ZERO, ..always };
        let limits = if D::RESIDENT { always } else { brief };
        let config = Config {
            policy: D::RULES.applied_to(D::preset()),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            limits,
            ..Config::default()
        };
        self.engine = Some(Countersign::on(self.journal.clone(), self.ring.clone(), config).unwrap());
    }

    fn reopen(&mut self) {
        block_on(self.engine().close()).unwrap();
        self.engine = None;
        let journal = MemoryJournal::with_backend(self.backend.clone(), self.ring.clone(), Options::default());
        self.journal = Arc::new(journal.unwrap());
        self.start();
    }

    /// Takes the step that the model has just taken, and compares.
    pub fn follow(&mut self, model: &Model, step: &Step) {
        self.clock.set(UnixMillis(model.now));
        if matches!(step, Step::Reopen) {
            self.reopen();
        }
        for asked in &model.asked[self.sent..] {
            let (answer, at) = block_on(ask(self.engine(), asked));
            assert_eq!(answer, asked.answer, "the answer to {asked:?}");
            if !matches!(answer, Answer::Rejected(_)) {
                assert_eq!(at, asked.at, "the time of {asked:?}");
            }
        }
        self.sent = model.asked.len();
        self.compare_log(model);
        compare_queries(self.engine(), model);
    }

    /// What was recorded since the last step, told in the model's words, is what the model noted.
    fn compare_log(&mut self, model: &Model) {
        let mut told = Vec::new();
        self.compared = self
            .journal
            .scan(self.compared, &mut |entry| {
                let event = event_of(&*self.journal, &entry.header, entry.body);
                told.extend(tell_event(entry.header.stream, entry.header.time.0, &event));
                ControlFlow::Continue(())
            })
            .unwrap();
        let facts = &model.history.0[self.noted..];
        let mut noted: Vec<String> = facts.iter().map(|(at, fact)| tell_fact(*at, fact)).collect();
        told.sort_unstable();
        noted.sort_unstable();
        assert_eq!(told, noted, "the log");
        self.noted = model.history.0.len();
    }

    /// What holds over the whole log.
    pub fn finish(&self) {
        check_laws(&*self.journal, &D::RULES.applied_to(D::preset()));
        let verified = self.journal.verify().unwrap();
        assert_eq!(verified.entries, self.compared.0);
    }
}

impl<D: Deployment> StateMachineTest for Real<D> {
    type SystemUnderTest = Self;
    type Reference = Reference<D>;

    fn init_test(model: &Model) -> Self {
        let mut real = Self::new();
        real.follow(model, &Step::Ahead { ms: 0 });
        real
    }

    fn apply(mut real: Self, model: &Model, step: Step) -> Self {
        real.follow(model, &step);
        real
    }

    fn teardown(mut real: Self, model: Model) {
        real.reopen();
        compare_queries(real.engine(), &model);
        real.finish();
    }
}

// ---- asking ----

fn request(by: By, id: Option<u64>) -> Request {
    let mfa_at = by.mfa.then_some(UnixMillis(START_MS));
    let credential = if by.session { Credential::Session { mfa_at } } else { Credential::LongTermKey };
    let caller = Caller { principal: by.who.map(cast::principal), credential, channel: by.channel };
    let command = id.map(|id| CommandId::derive(&["model", &id.to_string()]));
    Request { command, ..Request::by(caller) }
}

fn code(number: u32) -> Code {
    Code::parse(&digits(number)).unwrap()
}

async fn ask(engine: &Countersign, asked: &Asked) -> (Answer, u64) {
    let request = request(asked.by, asked.id);
    let done = |result: Result<Ack<()>, Error>| settled(engine, result, |()| Answer::Done);
    let proven = |result: Result<Ack<Proof>, Error>| {
        settled(engine, result, |proof| match proof {
            Proof::Accepted => Answer::Accepted,
            Proof::Refused(Refusal::Wrong) => Answer::Refused,
            Proof::Refused(Refusal::NotYet) => Answer::NotYet,
            Proof::Refused(Refusal::Locked { until }) => Answer::Locked { until: until.0 },
        })
    };
    let who = cast::principal;
    match asked.command {
        Command::Open { account } => {
            done(engine.open_account(request, cast::account(account), cast::name("root")).await)
        }
        Command::Register { person, name, path } => {
            let PrincipalId::User(account, id) = who(person) else { unreachable!("root is not registered") };
            done(engine.register_user(request, account, id, cast::name(name), cast::path(path)).await)
        }
        Command::Rename { person, name, path } => {
            done(engine.rename_user(request, &who(person), cast::name(name), cast::path(path)).await)
        }
        Command::Remove { person, take_devices } => {
            let removal = if take_devices { Removal::TakeDevices } else { Removal::RefuseWithDevices };
            done(engine.remove_user(request, &who(person), removal).await)
        }
        Command::Create { thing } => {
            let cast::Thing::Virtual(account, path, name) = THINGS[thing] else { unreachable!("a token is imported") };
            let (account, path, name) = (cast::account(account), cast::path(path), cast::name(name));
            let made = engine.create_virtual_device(request, account, path, name).await;
            settled(engine, made, |made| {
                assert_eq!(made.serial, cast::serial(thing));
                Answer::Secret(from_base32(&made.base32()))
            })
        }
        Command::Delete { account, thing } => {
            done(engine.delete_virtual_device(request, cast::account(account), &cast::serial(thing)).await)
        }
        Command::Import { thing } => {
            let seed = Seed::new(cast::token_secret(thing)).unwrap();
            done(engine.import_hardware_token(request, &cast::serial(thing), seed, "maker").await)
        }
        Command::Enable { person, thing, first, second } => {
            let (first, second) = (code(first), code(second));
            proven(engine.enable(request, &who(person), &cast::serial(thing), first, second).await)
        }
        Command::Rotate { person, old, thing, first, second } => {
            let (first, second, old) = (code(first), code(second), cast::serial(old));
            proven(engine.rotate(request, &who(person), &old, &cast::serial(thing), first, second).await)
        }
        Command::Resync { person, thing, first, second } => {
            let (first, second) = (code(first), code(second));
            proven(engine.resync(request, &who(person), &cast::serial(thing), first, second).await)
        }
        Command::Deactivate { person, thing } => {
            let reason = DeactivateReason::Requested;
            done(engine.deactivate(request, &who(person), &cast::serial(thing), reason).await)
        }
        Command::Verify { person, thing, code: number, purpose } => {
            proven(engine.verify_code(request, &who(person), &cast::serial(thing), code(number), purpose).await)
        }
    }
}

fn settled<T>(engine: &Countersign, result: Result<Ack<T>, Error>, answer: impl FnOnce(T) -> Answer) -> (Answer, u64) {
    match result {
        Ok(ack) => {
            assert!(engine.has_folded(ack.position), "queries know of what was acknowledged");
            (answer(ack.value), ack.at.0)
        }
        Err(error) => {
            let rejection = error.rejection().unwrap_or_else(|| panic!("not an answer: {error}"));
            (Answer::Rejected(rejection.code()), 0)
        }
    }
}

// ---- queries ----

fn compare_queries(engine: &Countersign, model: &Model) {
    let opened = (0..ACCOUNTS.len()).filter(|account| model.history.opened_at(*account).is_some());
    assert_eq!(engine.accounts(), opened.map(cast::account).collect::<Vec<_>>());
    for person in 0..PEOPLE.len() {
        let id = cast::principal(person);
        assert_eq!(engine.principal(&id), user_view(model, person), "{id}");
        let devices: Vec<DeviceView> = model.history.devices(person).into_iter().map(|t| view(model, t)).collect();
        assert_eq!(engine.devices(&id), devices, "the devices of {id}");
    }
    for thing in 0..THINGS.len() {
        let expected = model.history.made(thing).map(|_| view(model, thing));
        assert_eq!(engine.device(&cast::serial(thing)), expected, "{}", cast::serial_text(thing));
    }
    for number in 0..ACCOUNTS.len() {
        compare_account(engine, model, number);
    }
}

fn compare_account(engine: &Countersign, model: &Model, number: usize) {
    let (account, history) = (cast::account(number), &model.history);
    let virtuals: Vec<DeviceView> = history.virtual_devices(number).into_iter().map(|t| view(model, t)).collect();
    for which in [Assignment::Any, Assignment::Assigned, Assignment::Unassigned] {
        let wanted = |view: &&DeviceView| match which {
            Assignment::Any => true,
            Assignment::Assigned => view.owner.is_some(),
            Assignment::Unassigned => view.owner.is_none(),
        };
        let expected: Vec<DeviceView> = virtuals.iter().filter(wanted).cloned().collect();
        let mut paged = Vec::new();
        while let [one] = &engine.virtual_devices(account, which, paged.last().map(|v: &DeviceView| &v.serial), 1)[..] {
            paged.push(one.clone());
        }
        assert_eq!(paged, expected, "{which:?} devices, page by page");
    }
    let mut users = history.users(number);
    users.sort_by_key(|person| history.profile(*person).unwrap().name.to_lowercase());
    let views: Vec<UserView> = users.iter().filter_map(|person| user_view(model, *person)).collect();
    assert_eq!(engine.users(account, None, 100), views);
    for name in NAMES {
        let named = views.iter().find(|view| view.name.as_str().eq_ignore_ascii_case(name));
        assert_eq!(engine.user_named(account, name).as_ref(), named, "{name}");
    }
    let in_use = (0..PEOPLE.len()).filter(|person| PEOPLE[*person].account == number);
    let expected = history.opened_at(number).map(|opened_at| AccountView {
        id: account,
        opened_at: UnixMillis(opened_at),
        users: users.len() as u32,
        virtual_devices: virtuals.len() as u32,
        devices_in_use: in_use.map(|person| history.devices(person).len() as u32).sum(),
        root_has_mfa: !history.devices(number).is_empty(),
        settings: Settings::default(),
    });
    assert_eq!(engine.account(account), expected);
}

fn user_view(model: &Model, person: usize) -> Option<UserView> {
    let profile = model.history.profile(person)?;
    let (name, path) = (cast::name(profile.name), cast::path(profile.path));
    Some(UserView { id: cast::principal(person), name, path, created_at: UnixMillis(profile.since) })
}

fn view(model: &Model, thing: usize) -> DeviceView {
    let history = &model.history;
    let enabled = history.enabled(thing);
    DeviceView {
        serial: cast::serial(thing),
        kind: if cast::is_virtual(thing) { DeviceKind::VirtualTotp } else { DeviceKind::HardwareTotp },
        created_at: UnixMillis(history.made_at(thing).unwrap()),
        owner: enabled.map(|(person, _)| cast::principal(person)),
        enabled_at: enabled.map(|(_, place)| UnixMillis(history.0[place].0)),
        last_used_at: history.last_used_at(thing).map(UnixMillis),
        offset_steps: enabled.map_or(0, |_| history.offset(thing)),
        wants_resync: history.wants_resync(thing),
        locked_until: history.locked_until(thing, model.now).map(UnixMillis),
        key: None,
        phone: None,
    }
}
