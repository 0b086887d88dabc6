//! The real engine, driven through its facade beside the model, and compared after every command.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::store::{EphemeralKeyRing, Journal, MemoryBackend, MemoryJournal, Options};
use countersign::*;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::ask::Asking;
use super::cast;
use super::hands::Hands;
use super::perform::Model;
use super::replayed::{self, Remembered};
use super::rules::Rules;
use super::scenes::{SCENES, prelude};
use super::steps::{Step, any_step};
use super::views;
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

    /// Histories begin where it gets interesting.
    fn init_state() -> BoxedStrategy<Model> {
        let begun = |scene| {
            let mut model = Model::new(D::RULES, START_MS);
            for step in prelude(scene) {
                model.take(&step);
            }
            model
        };
        (0..SCENES).prop_map(begun).boxed()
    }

    fn transitions(_state: &Model) -> BoxedStrategy<Step> {
        any_step().boxed()
    }

    fn apply(mut state: Model, step: &Step) -> Model {
        state.take(step);
        state
    }
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
    hands: Hands,
    /// Commands of the model that were sent; facts of its list and entries of the log that were compared.
    sent: usize,
    noted: usize,
    compared: Position,
    remembered: Remembered,
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

fn policy<D: Deployment>() -> Policy {
    D::RULES.applied_to(D::preset())
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
            hands: Hands::new(),
            sent: 0,
            noted: 0,
            compared: Position(0),
            remembered: Remembered::default(),
            deployment: PhantomData,
        };
        real.start();
        real
    }

    fn engine(&self) -> &Countersign {
        self.engine.as_ref().unwrap()
    }

    fn start(&mut self) {
        // Whoever asks for a code waits until it is handed over, so that what the sender writes is in the log as well
        // when the answer comes: the outbox takes everything, no route is ever full, and no machine that slow.
        let sms_wait = Duration::from_secs(60);
        let always = Limits { snapshot_every: 1, checkpoint_every: 1, sms_wait, ..Limits::default() };
        let brief = Limits { resident_max: 1, idle: Duration::ZERO, ..always };
        let limits = if D::RESIDENT { always } else { brief };
        let mut transports = Transports::development(&self.hands.outbox);
        transports.sms[0].per_second_max = 10_000;
        let config = Config {
            policy: policy::<D>(),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            transports,
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
        if matches!(step, Step::Reopen) {
            self.reopen();
        }
        for asked in &model.asked[self.sent..] {
            self.clock.set(UnixMillis(asked.now));
            let engine = self.engine.as_ref().unwrap();
            let mut asking = Asking { engine, hands: &mut self.hands, papers: &model.papers };
            let (answer, at) = block_on(asking.ask(asked));
            assert_eq!(answer, asked.answer, "the answer to {asked:?}");
            if !answer.is_rejection() {
                assert_eq!(at, asked.at, "the time of {asked:?}");
            }
            self.compare_log(model, asked.noted);
        }
        let decided = || model.asked[self.sent..].iter().map(|asked| UnixMillis(asked.now));
        let now = UnixMillis(model.now);
        let span = (decided().min().unwrap_or(now), decided().max().unwrap_or(now));
        self.sent = model.asked.len();
        self.clock.set(now);
        views::compare(self.engine(), model, &self.hands.names);
        let engine = self.engine.as_ref().unwrap();
        self.remembered.note(engine, span, now);
    }

    /// What was recorded since the last command, told in the model's words, is what the model noted.
    fn compare_log(&mut self, model: &Model, noted: usize) {
        let mut told = Vec::new();
        let names = &mut self.hands.names;
        self.compared = self
            .journal
            .scan(self.compared, &mut |entry| {
                let event = event_of(&*self.journal, &entry.header, entry.body);
                told.extend(tell_event(entry.header.stream, entry.header.time.0, &event, names));
                ControlFlow::Continue(())
            })
            .unwrap();
        let facts = &model.history.0[self.noted..noted];
        let mut expected: Vec<String> = facts.iter().flat_map(|(at, fact)| tell_fact(*at, fact, names)).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "the log");
        self.noted = noted;
    }

    /// What holds over the whole log.
    pub fn finish(&self) {
        check_laws(&*self.journal, &policy::<D>());
        let verified = self.journal.verify().unwrap();
        assert_eq!(verified.entries, self.compared.0);
        self.remembered.compare(&*self.journal);
        replayed::check(&*self.journal, &policy::<D>());
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
        views::compare(real.engine(), &model, &real.hands.names);
        real.finish();
    }
}
