//! A run: clients ask, things go wrong, and then everything works again and has to come to rest.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign::store::faults::Operation;
use countersign::testing::from_base32;
use countersign::*;
use tokio::task::JoinHandle;

use super::chance::{Shaker, Swarm, pass_ms};
use super::deed::{Answer, Command};
use super::gate::Mood;
use super::life::{Life, World};
use super::people::{PEOPLE, Person};
use super::watch::{Watch, shown, sums};
use crate::door::proven;
use crate::support::{Phone, name, narrow, operator};

/// What a client got: an answer, or nothing, because the process died or left it alone.
pub type Got = Option<Answer>;

pub struct Asking {
    pub command: Command,
    pub answer: JoinHandle<Got>,
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub trace: String,
    /// Every entry of the log: when, in which stream, as what.
    pub entered: String,
    pub entries: usize,
}

pub struct Play {
    pub world: World,
    pub life: Option<Life>,
    pub watch: Watch,
    pub account: AccountId,
    pub people: Vec<Person>,
    pub asking: Vec<Asking>,
    asked: Vec<Command>,
    pub spare: Vec<Phone>,
    next_id: u64,
    pub trace: String,
}

fn policy(swarm: &Swarm) -> Policy {
    let classic = narrow(Policy::classic());
    Policy {
        devices_per_principal_max: if swarm.many_devices { 4 } else { 1 },
        sms_again_after_s: 2,
        sms_sends_max: 1000,
        sms_change_pause_s: 5,
        sms_number_max: 1000,
        sms_conversion_min_percent: 0,
        sms_unknowns_max: 1,
        sms_submits_max: 3,
        ..classic
    }
}

/// Root with a phone, without which there is nothing to recover from.
async fn equipped_root(engine: &Countersign, account: AccountId, seconds: u64) -> Phone {
    let (root, named) = (PrincipalId::Root(account), name("root-phone"));
    let made = engine.create_virtual_device(operator(), account, Path::root(), named).await.unwrap().value;
    let phone = Phone { serial: made.serial.clone(), secret: from_base32(&made.base32()) };
    let (first, second) = phone.pair(seconds);
    let enabled = engine.enable(proven(&root), &root, &phone.serial, first, second).await;
    assert!(enabled.unwrap().value.is_accepted());
    phone
}

impl Play {
    /// Plays a seed to its end.
    pub async fn through(seed: u64) -> Outcome {
        let mut play = Self::begin(seed).await;
        let steps = 30 + play.world.dice.below(60);
        for _ in 0..steps {
            play.step().await;
            play.after_step().await;
        }
        play.finish().await
    }

    async fn begin(seed: u64) -> Self {
        let dice = Shaker::new(seed);
        let swarm = Swarm::of(&dice);
        let policy = policy(&swarm);
        let watch = Watch::new(&policy);
        let world = World::new(dice, swarm, policy);
        let life = world.start().await;
        let account = AccountId::from_number(123_456_789_012).unwrap();
        let engine = life.engine.clone();
        let set_up = async {
            engine.open_account(operator(), account, name("root")).await.unwrap();
            for nth in 0..PEOPLE {
                let id = UserId::new(format!("AIDA-{nth}-0")).unwrap();
                let named = name(&format!("user{nth}-0"));
                engine.register_user(operator(), account, id, named, Path::root()).await.unwrap();
            }
        };
        life.run(set_up).await.unwrap();
        let mut people: Vec<Person> = (0..=PEOPLE).map(|_| Person::default()).collect();
        if world.swarm.recovery {
            let phone = life.run(equipped_root(&life.engine, account, world.clock.read().secs())).await;
            people[PEOPLE].phones.extend(phone);
        }
        let trace = format!("{:?}\n", world.swarm);
        let mood = if world.swarm.bad_gateways { Mood::Moody } else { Mood::Works };
        world.gates.iter().for_each(|gate| gate.set(mood));
        Self {
            world,
            life: Some(life),
            watch,
            account,
            people,
            asking: Vec::new(),
            asked: Vec::new(),
            spare: Vec::new(),
            next_id: 0,
            trace,
        }
    }

    pub fn life(&self) -> &Life {
        self.life.as_ref().expect("a node runs")
    }

    pub fn note(&mut self, what: impl std::fmt::Debug) {
        writeln!(self.trace, "{} {what:?}", self.world.clock.read().0).unwrap();
    }

    // ---- clients ----

    pub fn ask(&mut self, command: Command) {
        let life = self.life();
        let (engine, journal, death) = (life.engine.clone(), Arc::clone(&life.journal), life.death.clone());
        let asked = command.clone().ask(engine.clone(), self.account);
        let answer = life.spawn(async move {
            let answer = asked.await;
            if death.is_there() {
                return None;
            }
            if let Ok((_, position)) = &answer {
                assert!(journal.head() >= *position, "acked before it was durable: {answer:?}");
                assert!(engine.has_folded(*position), "a view misses what was acked: {answer:?}");
            }
            Some(answer)
        });
        self.asking.push(Asking { command, answer });
    }

    pub fn next_id(&mut self) -> CommandId {
        self.next_id += 1;
        CommandId::derive(&["node", &self.next_id.to_string()])
    }

    fn ask_something(&mut self) {
        let dice = self.world.dice.clone();
        if dice.one_in(5) && !self.asked.is_empty() {
            // Again, under the same id.
            let again = self.asked[self.asked.len() - 1 - dice.below(self.asked.len().min(12) as u64) as usize].clone();
            return self.ask(again);
        }
        let Some(command) = self.choose() else { return };
        self.note(&command.deed);
        self.asked.push(command.clone());
        self.ask(command);
    }

    /// Takes down what was answered meanwhile.
    pub async fn collect(&mut self) {
        let mut at = 0;
        while at < self.asking.len() {
            if !self.asking[at].answer.is_finished() {
                at += 1;
                continue;
            }
            let Asking { command, answer } = self.asking.remove(at);
            match answer.await {
                Ok(Some(answer)) => self.got(&command, &answer),
                Ok(None) => {}
                Err(cause) if cause.is_panic() => {
                    let cause = cause.into_panic();
                    let text = cause.downcast_ref::<String>().cloned().unwrap_or_default();
                    let told = cause.downcast_ref::<&str>().copied().unwrap_or(&text);
                    assert!(told.contains("a planted panic"), "{told}");
                }
                Err(_left) => {}
            }
        }
    }

    // ---- what goes wrong ----

    async fn step(&mut self) {
        let (dice, swarm) = (self.world.dice.clone(), self.world.swarm.clone());
        match dice.below(22) {
            0..8 => self.ask_something(),
            9 if swarm.read_fails && dice.one_in(2) => {
                self.life().faults.fail_after(Operation::Read, dice.below(8) as u32)
            }
            8 | 9 => (0..2 + dice.below(12)).for_each(|_| self.ask_something()),
            10 => self.guess(),
            11..14 => self.go_on(dice.pick(&[0, 1, 5, 300, 2_000, 15_000, 40_000])).await,
            14 if swarm.clock_jumps => {
                let ms = dice.pick(&[1_000, 20_000, 250_000, 3_600_000]);
                self.world.clock.jump_ms(if dice.one_in(2) { ms } else { -ms });
            }
            15 if swarm.commit_fails => {
                let fatal = [Operation::Commit, Operation::CommitAfterWriting, Operation::PutSlots];
                // A full disk: what is derived can be made again.
                let derived = [Operation::Put, Operation::Sync, Operation::RaiseHighWater];
                let operation = if dice.one_in(3) { dice.pick(&derived) } else { dice.pick(&fatal) };
                self.life().faults.fail_after(operation, dice.below(6) as u32);
            }
            16 if swarm.crashes => {
                let writes = [Operation::Commit, Operation::CommitAfterWriting, Operation::Put, Operation::PutSlots];
                let (operation, skip) = (dice.pick(&writes), dice.below(8) as u32);
                if dice.one_in(3) {
                    self.life().dies_now(&self.world);
                } else {
                    self.life().dies_at(&self.world, operation, skip);
                }
            }
            17 if swarm.restarts => self.restart().await,
            18 if swarm.leaving && !self.asking.is_empty() => {
                let gone = dice.below(self.asking.len() as u64) as usize;
                self.asking[gone].answer.abort();
            }
            19 if swarm.panics => match dice.below(3) {
                0 => self.world.clock.trap.set(1 + dice.below(12) as i64),
                1 => self.life().entropy.set(1 + dice.below(4) as i64),
                _ => {
                    let skip = dice.below(10) as u32;
                    let watched = Arc::clone(&self.life().watched);
                    let fall = move || assert!(watched.load(Ordering::SeqCst), "a planted panic");
                    self.life().faults.call_after(Operation::Read, skip, fall);
                }
            },
            20 if swarm.bad_gateways => {
                let mood = dice.pick(&[Mood::Works, Mood::Moody, Mood::Moody, Mood::Down, Mood::Refuses]);
                dice.pick(&[&self.world.gates[0], &self.world.gates[1]]).set(mood);
            }
            21 if dice.one_in(4) => self.lull().await,
            _ => self.go_on(1).await,
        }
    }

    pub async fn go_on(&mut self, ms: u64) {
        let _died = self.life().run(pass_ms(ms)).await.is_none();
    }

    async fn after_step(&mut self) {
        if self.world.dice.one_in(2) {
            self.go_on(1).await;
        }
        self.collect().await;
        if self.life().death.is_there() {
            self.rise(true).await;
        } else if !self.life().engine.is_ready() {
            self.note("the node stopped");
            self.rise(false).await;
        }
        self.look().await;
    }

    /// What must hold at every moment.
    pub async fn look(&mut self) {
        let life = self.life.as_ref().expect("a node runs");
        // Nothing of this counts as the node's.
        let calls = self.world.clock.trap.lift();
        life.watched.store(true, Ordering::SeqCst);
        life.faults.unheeded(|| self.watch.look(&*life.journal));
        if self.world.dice.one_in(8) && life.engine.is_ready() {
            let live = self.shown(&life.engine);
            let anew = self.world.folded_anew(|engine| self.shown(engine)).await;
            assert_eq!(live, anew, "the views are not what the log says");
        }
        let life = self.life();
        life.watched.store(false, Ordering::SeqCst);
        self.world.clock.trap.set(calls);
    }

    /// What queries show that follows from the log.
    pub fn shown(&self, engine: &Countersign) -> String {
        let sums = if self.watch.forgot { String::new() } else { sums(engine) };
        format!("{} {sums}", shown(engine, self.account))
    }

    /// Another process begins, on what the one before left.
    pub async fn rise(&mut self, died: bool) {
        self.note(if died { "died" } else { "ended" });
        let old = self.life.take().expect("a node runs");
        old.faults.clear();
        self.world.clock.trap.set(0);
        if died {
            self.world.medium = old.left().expect("a dead process leaves its medium");
        }
        // What was under way is broken off.
        old.death.comes();
        drop(old);
        self.asking.clear();
        let life = self.world.start().await;
        self.watch.after_end(&*life.journal, died);
        self.life = Some(life);
    }

    /// The node is closed as it should be, and starts again.
    pub async fn restart(&mut self) {
        let engine = self.life().engine.clone();
        let closed =
            self.life().run(async { tokio::time::timeout(std::time::Duration::from_secs(120), engine.close()).await });
        let closed = closed.await;
        if let Some(closed) = closed {
            assert!(closed.is_ok(), "the node does not close");
            self.go_on(1).await;
        }
        self.collect().await;
        let died = self.life().death.is_there();
        self.rise(died).await;
    }
}

/// Shows how a run ended that did not end well, if it is asked for.
impl Drop for Play {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("COUNTERSIGN_TRACE").is_some() {
            eprintln!("{}\n{}", self.trace, self.watch.entered());
        }
    }
}
