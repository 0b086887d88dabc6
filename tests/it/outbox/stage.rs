//! An engine whose outbox can be watched: what it has under way, and what it waits for.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::domain::event::Event;
use countersign::store::faults::{Faults, FaultyBackend};
use countersign::store::{
    Backend, EphemeralKeyRing, Journal, Log, MemoryBackend, Options, SledBackend, StoreOptions, Table,
};
use countersign::*;
use tempfile::TempDir;

use super::gateway::{Asked, Gateway};
use crate::door::{at_console, proven};
use crate::support::{START_S, World, operator};
use countersign::testing::VirtualClock;

/// Looks without any change after which nothing is under way.
const LOOKS: usize = 4;
/// For how long something that must come is waited for, by the machine's clock.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an engine that closes is left alone before the clock goes on.
const MOMENT: Duration = Duration::from_millis(20);
/// Jumps of the clock after which something that must come never will.
const JUMPS_MAX: usize = 10_000;

/// A number of a phone in one prefix.
pub fn number(nth: usize) -> PhoneNumber {
    PhoneNumber::parse(&format!("+1415555{nth:04}")).unwrap()
}

/// How an engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is closed.
    Closed,
    /// It is dropped; what is under way is broken off.
    Dropped,
    /// The process is killed: only what was durable at that moment is left, and nothing more was sent.
    Killed,
}

/// Where a log is kept.
pub enum Medium {
    Memory(MemoryBackend),
    /// In a directory, on sled.
    Directory(TempDir),
}

impl Medium {
    pub fn directory() -> Self {
        Self::Directory(tempfile::tempdir().unwrap())
    }

    fn journal(&self, ring: &Arc<EphemeralKeyRing>, faults: &Faults) -> Arc<dyn Journal> {
        match self {
            Self::Memory(backend) => {
                let backend = FaultyBackend::new(backend.clone(), faults.clone());
                Arc::new(Log::with_backend(backend, ring.clone(), Options::default()).unwrap())
            }
            Self::Directory(dir) => {
                let backend = SledBackend::open(&dir.path().join("store"), StoreOptions::default()).unwrap();
                let backend = FaultyBackend::new(backend, faults.clone());
                Arc::new(Log::with_backend(backend, ring.clone(), Options::default()).unwrap())
            }
        }
    }

    /// What would be left if the power went now. A directory has to be at rest.
    fn fork(&self) -> Self {
        match self {
            Self::Memory(backend) => Self::Memory(backend.fork()),
            Self::Directory(dir) => {
                let to = tempfile::tempdir().unwrap();
                copy(dir.path(), to.path());
                Self::Directory(to)
            }
        }
    }

    /// Forgets what can be made again from the log.
    fn forget_derived(&self) {
        let clear = |backend: &dyn Fn(Table)| Table::ALL.into_iter().for_each(backend);
        match self {
            Self::Memory(backend) => clear(&|table| backend.clear(table).unwrap()),
            Self::Directory(dir) => {
                let backend = SledBackend::open(&dir.path().join("store"), StoreOptions::default()).unwrap();
                clear(&|table| backend.clear(table).unwrap());
                backend.sync().unwrap();
            }
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The engine with all that is around it.
pub struct Stage {
    world: Option<World>,
    pub clock: Arc<VirtualClock>,
    pub policy: Policy,
    medium: Medium,
    pub faults: Faults,
    ring: Arc<EphemeralKeyRing>,
    gates: Vec<Arc<Gateway>>,
    pub routes: Vec<SmsRoute>,
    limits: Limits,
}

impl Deref for Stage {
    type Target = World;

    fn deref(&self) -> &World {
        self.world.as_ref().unwrap()
    }
}

/// A clock at the beginning.
pub fn clock() -> Arc<VirtualClock> {
    VirtualClock::at(UnixMillis::from_secs(START_S))
}

/// One search at a time, so that who comes later is later; nobody waits for a gateway.
pub fn limits() -> Limits {
    Limits { sms_wait: Duration::ZERO, searches_max: 1, ..Limits::default() }
}

impl Stage {
    /// One gateway to everywhere.
    pub async fn with_one(policy: Policy) -> (Self, Arc<Gateway>) {
        Self::with_limits(policy, limits()).await
    }

    /// As above, of a size.
    pub async fn with_limits(policy: Policy, limits: Limits) -> (Self, Arc<Gateway>) {
        let clock = clock();
        let gateway = Gateway::new("main", &clock);
        let (gates, routes) = (vec![Arc::clone(&gateway)], vec![gateway.route()]);
        let medium = Medium::Memory(MemoryBackend::new());
        (Self::sized(medium, policy, &clock, (gates, routes), limits).await, gateway)
    }

    /// On a journal in memory.
    pub async fn new(
        policy: Policy,
        clock: &Arc<VirtualClock>,
        gates: Vec<Arc<Gateway>>,
        routes: Vec<SmsRoute>,
    ) -> Self {
        Self::on(Medium::Memory(MemoryBackend::new()), policy, clock, (gates, routes)).await
    }

    pub async fn on(
        medium: Medium,
        policy: Policy,
        clock: &Arc<VirtualClock>,
        around: (Vec<Arc<Gateway>>, Vec<SmsRoute>),
    ) -> Self {
        Self::sized(medium, policy, clock, around, limits()).await
    }

    async fn sized(
        medium: Medium,
        policy: Policy,
        clock: &Arc<VirtualClock>,
        (gates, routes): (Vec<Arc<Gateway>>, Vec<SmsRoute>),
        limits: Limits,
    ) -> Self {
        let (ring, faults) = (Arc::new(EphemeralKeyRing::new().unwrap()), Faults::new());
        let clock = Arc::clone(clock);
        let mut stage = Self { world: None, clock, policy, medium, faults, ring, gates, routes, limits };
        stage.open().await;
        stage
    }

    /// Opens an engine on what is durable.
    pub async fn open(&mut self) {
        let journal = self.medium.journal(&self.ring, &self.faults);
        let sms = self.routes.iter().map(|route| SmsRoute { transport: self.line(&route.name), ..route.clone() });
        let outbox = DevelopmentTransports::new(true);
        let transports = Transports { sms: sms.collect(), ..Transports::development(&outbox) };
        let config = Config {
            policy: self.policy.clone(),
            limits: self.limits,
            transports,
            clock: Arc::clone(&self.clock) as _,
            ..Config::default()
        };
        let hands = self.clock.hands().clone();
        self.world = Some(World::set_up(journal, self.ring.clone(), hands, outbox, config).await);
    }

    fn line(&self, route: &str) -> Arc<dyn SmsTransport> {
        self.gates.iter().find(|gate| gate.name() == route).expect("a gateway for the route").line()
    }

    /// Ends the engine, and opens another one on what it left.
    pub async fn reopen(&mut self, end: End) {
        self.reopen_after(end, 0).await;
    }

    /// As above, after some time in which no engine ran.
    pub async fn reopen_after(&mut self, end: End, ms: u64) {
        if end == End::Killed {
            self.gates.iter().for_each(|gate| gate.cut_off());
            if let Medium::Directory(_) = self.medium {
                // Files are not copied at one instant.
                self.settle().await;
            }
        }
        let left = (end == End::Killed).then(|| self.medium.fork());
        let old = self.world.take().unwrap();
        if end == End::Closed {
            self.close(&old.engine).await;
        }
        drop(old);
        if let Some(left) = left {
            self.medium = left;
        }
        self.clock.hands().advance_ms(ms);
        self.start_over().await;
    }

    /// Closes an engine, whose journal may be poisoned. It waits for gateways that have not answered yet: so long that the
    /// clock has to go on where one of them never does.
    async fn close(&self, engine: &Countersign) {
        let mut closing = std::pin::pin!(engine.close());
        while tokio::time::timeout(MOMENT, &mut closing).await.is_err() {
            self.clock.hands().advance_ms(1000);
        }
    }

    async fn start_over(&mut self) {
        self.faults = Faults::new();
        self.open().await;
    }

    /// Closes the engine, and opens another one that has to read everything off the log.
    pub async fn rebuild(&mut self) {
        let old = self.world.take().unwrap();
        old.engine.close().await.unwrap();
        drop(old);
        self.medium.forget_derived();
        self.start_over().await;
    }

    /// The key ring of the store.
    pub fn ring(&self) -> Arc<EphemeralKeyRing> {
        Arc::clone(&self.ring)
    }

    /// Ends the engine, and says where it was.
    pub async fn leave(&mut self) -> PathBuf {
        let old = self.world.take().unwrap();
        self.close(&old.engine).await;
        let Medium::Directory(dir) = &self.medium else { panic!("it is in memory") };
        dir.path().to_owned()
    }

    /// Every file of the store, with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let Medium::Directory(dir) = &self.medium else { return Vec::new() };
        let (mut folders, mut files) = (vec![dir.path().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = std::fs::read(&path).unwrap();
                    files.push((path, content));
                }
            }
        }
        files
    }

    // ---- waiting ----

    /// Waits until the engine has nothing under way: only gateways and the clock can make it go on.
    ///
    /// A look goes through every queue of the engine: the actors', the one of the searches, and the writer's. What was
    /// in one of them before is at least one step further then, and every step but a few shows in what is counted.
    pub async fn settle(&self) {
        let (mut seen, mut quiet) = ((0, 0, 0), 0);
        for look in 0.. {
            assert!(look < 100_000, "the engine never comes to rest");
            // A poisoned journal takes no record: then nothing goes on anyway.
            let nobody = PhoneNumber::parse("+1234567").unwrap();
            let root = PrincipalId::Root(self.account);
            let _refused = self.engine.begin_sms_enrolment(operator(), &root, nobody).await.is_err();
            let written = self.engine.append_record(operator(), "looks", None, 1, Vec::new()).await;
            let others = written.map_or(0, |ack| ack.position.0.saturating_sub(ack.value));
            let now = (others, self.clock.changes(), self.gates.iter().map(|gate| gate.news()).sum::<u64>());
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
            if quiet == LOOKS {
                return;
            }
        }
    }

    /// Waits, without moving the clock, for something that has to come.
    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let came = async {
            while !holds() {
                self.settle().await;
            }
        };
        tokio::time::timeout(PATIENCE, came).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Waits for something that has to come of what is under way, beside an engine that is never at rest.
    pub async fn soon(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let came = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, came).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// The next instant that somebody waits for. A wait that lasts for its span in real time is begun anew, and is not there
    /// for a moment: nobody waits when nobody does twice.
    async fn next_wake(&self) -> Option<UnixMillis> {
        let next = self.clock.next_wake();
        if next.is_none() {
            self.settle().await;
        }
        next.or_else(|| self.clock.next_wake())
    }

    /// Moves the clock to the next instant that somebody waits for, if there is one by then; everything is settled before
    /// and after.
    pub async fn jump(&self, by: UnixMillis) -> bool {
        let Some(next) = self.next_wake().await.filter(|next| *next <= by) else { return false };
        self.clock.hands().set(next);
        self.settle().await;
        true
    }

    /// Moves the clock from one instant that somebody waits for to the next, until something came.
    pub async fn run_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.settle().await;
        for _ in 0..JUMPS_MAX {
            if holds() {
                return;
            }
            if self.jump(UnixMillis(u64::MAX)).await {
                continue;
            }
            // Nobody waits any more; on a busy machine a thread may still be on its way, to the end or to the next wait.
            self.until(what, || holds() || self.clock.next_wake().is_some()).await;
        }
        panic!("never: {what}");
    }

    /// Lets some time pass, with everything that is due in it.
    pub async fn pass_ms(&self, ms: u64) {
        let end = self.clock.hands().now().plus_ms(ms);
        self.settle().await;
        while self.jump(end).await {}
        self.clock.hands().set(end);
        self.settle().await;
    }

    pub async fn pass_s(&self, seconds: u64) {
        self.pass_ms(seconds * 1000).await;
    }

    // ---- people and codes ----

    /// A user with an enabled phone, past every pause.
    pub async fn person(&self, user: &str, number: PhoneNumber) -> (PrincipalId, Serial) {
        let who = self.user(user).await;
        let begun = self.engine.begin_sms_enrolment(proven(&who), &who, number).await.unwrap().value;
        self.run_until("the code of an enrolment", || self.code_of(begun.challenge).is_some()).await;
        let code = self.code_of(begun.challenge).unwrap();
        assert_eq!(self.finish_sms(&who, begun.challenge, code).await, Ok(Proof::Accepted));
        self.pass_s(u64::from(self.policy.sms_again_after_s)).await;
        let serial = self.engine.devices(&who)[0].serial.clone();
        (who, serial)
    }

    /// A sign-in that waits for its code.
    pub async fn awaited(&self, who: &PrincipalId, serial: &Serial) -> (AttemptId, SmsSent) {
        let attempt = self.begin_sign_in(who).await;
        (attempt, self.send(who, attempt, serial).await.unwrap())
    }

    /// Asks for a code in an open sign-in.
    pub async fn ask_code(&self, who: &PrincipalId, attempt: AttemptId, serial: &Serial) -> Result<SmsSent, Error> {
        Ok(self.engine.send_sign_in_code(at_console(who), who, attempt, serial).await?.value)
    }

    /// Every time that any gateway was asked.
    pub fn asked(&self) -> Vec<Asked> {
        let mut all: Vec<Asked> = self.gates.iter().flat_map(|gate| gate.asked()).collect();
        all.sort_by_key(|asked| asked.at);
        all
    }

    pub fn asked_of(&self, challenge: ChallengeId) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.challenge == challenge);
        asked
    }

    /// The code of a challenge, as the phone shows it.
    pub fn code_of(&self, challenge: ChallengeId) -> Option<Code> {
        let taken = self.asked_of(challenge).into_iter().find(|asked| asked.reply.takes())?;
        Some(Code::parse(&taken.code).unwrap())
    }

    pub fn state(&self, challenge: ChallengeId) -> SmsState {
        self.message(challenge).state
    }

    pub fn message(&self, challenge: ChallengeId) -> SmsMessageView {
        self.engine.sms_message(challenge).expect("a message that is known")
    }

    /// How many events of a challenge there are of which this holds.
    pub fn recorded(&self, holds: impl Fn(&Event) -> bool) -> usize {
        self.count(holds)
    }
}
