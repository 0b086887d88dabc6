//! A run: clients ask, things go wrong, and then everything works again and has to come to rest.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign::store::faults::Operation;
use countersign::store::{DataKey, EphemeralKeyRing, MemoryBackend};
use countersign::*;
use tokio::task::JoinHandle;

use super::chance::{NodeClock, Shaker, Swarm, pass_ms};
use super::deed::{Answer, Command, Deed, Said};
use super::gate::Gate;
use super::life::{Life, World};
use super::watch::{Watch, shown};
use crate::outbox::campaign::ledger::Ledger;
use crate::outbox::gateway::Asked;
use crate::support::{Phone, name, narrow, operator};

/// People with devices.
const PEOPLE: usize = 3;
/// From when everything works, so long at most until a code is handed over: the end of a lease, of a circuit that is open, and
/// of a pause between tries.
const SOON_MS: u64 = 15_000 + 60_000 + 31_000;
/// How long anybody may have to wait for an answer then.
const ANSWER_MS: u64 = 60_000;

/// What a client got: an answer, or nothing, because the process died or left it alone.
type Got = Option<Answer>;

struct Asking {
    command: Command,
    answer: JoinHandle<Got>,
}

#[derive(Default)]
struct Person {
    phones: Vec<Phone>,
    attempt: Option<AttemptId>,
    codes: Vec<(ChallengeId, Option<AttemptId>)>,
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
    world: World,
    life: Option<Life>,
    watch: Watch,
    account: AccountId,
    people: Vec<Person>,
    asking: Vec<Asking>,
    asked: Vec<Command>,
    spare: Vec<Phone>,
    next_id: u64,
    trace: String,
}

fn policy() -> Policy {
    let classic = narrow(Policy::classic());
    Policy {
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

fn who(nth: usize, account: AccountId) -> PrincipalId {
    PrincipalId::User(account, UserId::new(format!("AIDA-{nth}")).unwrap())
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
        let (dice, clock) = (Shaker::new(seed), NodeClock::new());
        let swarm = Swarm::of(&dice);
        let ring = Arc::new(EphemeralKeyRing::from_key(DataKey::from_bytes([7; 32])).unwrap());
        let gates = ["main", "other"].map(|name| Gate::new(name, &clock, &dice));
        let policy = policy();
        let watch = Watch::new(&policy);
        let world = World { medium: MemoryBackend::new(), ring, clock, dice, gates, swarm, policy };
        let life = world.start().await;
        let account = AccountId::from_number(123_456_789_012).unwrap();
        let engine = life.engine.clone();
        let set_up = async {
            engine.open_account(operator(), account, name("root")).await.unwrap();
            for nth in 0..PEOPLE {
                let id = UserId::new(format!("AIDA-{nth}")).unwrap();
                let named = name(&format!("user{nth}"));
                engine.register_user(operator(), account, id, named, Path::root()).await.unwrap();
            }
        };
        life.run(set_up).await.unwrap();
        let people = (0..PEOPLE).map(|_| Person::default()).collect();
        let trace = format!("{:?}\n", world.swarm);
        world.gates.iter().for_each(|gate| gate.set_bad(world.swarm.bad_gateways));
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

    fn life(&self) -> &Life {
        self.life.as_ref().expect("a node runs")
    }

    fn note(&mut self, what: impl std::fmt::Debug) {
        writeln!(self.trace, "{} {what:?}", self.world.clock.read().0).unwrap();
    }

    // ---- clients ----

    fn choose(&mut self) -> Option<(usize, Deed)> {
        let dice = self.world.dice.clone();
        let nth = dice.below(PEOPLE as u64) as usize;
        let step = self.world.clock.read().secs() / 30;
        let at = step + dice.pick(&[0, 0, 0, 0, 1]) - dice.pick(&[0, 0, 0, 1, 2]);
        let wrong = dice.one_in(3);
        let person = &self.people[nth];
        let calls = self.world.clock.trap.lift();
        let devices = self.life().engine.devices(&who(nth, self.account));
        self.world.clock.trap.set(calls);
        let phone = person.phones.iter().rev().nth(dice.below(3) as usize).or(person.phones.last()).cloned();
        // Sometimes one that somebody had, or has.
        let others = self.people.iter().flat_map(|person| &person.phones);
        let (had, fresh): (Vec<&Phone>, Vec<&Phone>) = (others.collect(), self.spare.iter().collect());
        let pool = if dice.one_in(3) { had } else { fresh };
        let spare = pool.get(dice.below(pool.len() as u64) as usize).map(|phone| Phone::clone(phone));
        let sms = devices.iter().find(|device| device.kind == DeviceKind::Sms).map(|device| device.serial.clone());
        let any = devices.first().map(|device| device.serial.clone());
        let deed = match dice.below(30) {
            0..3 => Deed::Create(format!("phone{}", dice.below(8))),
            3 => Deed::Delete(spare?.serial),
            4..7 => Deed::Enable(spare?, step),
            7 => Deed::Resync(phone?, step),
            8 => Deed::Rotate(any?, spare?, step),
            9 => Deed::Deactivate(any?),
            10..16 => Deed::Verify(phone?, at, wrong),
            16..19 => Deed::Begin,
            19..22 => Deed::TypeCode(person.attempt?, phone?, at, wrong),
            22 => Deed::EndSignIns,
            23 => Deed::Enrol(crate::outbox::stage::number(nth)),
            24..26 => Deed::Send(person.attempt?, sms?),
            26..29 => {
                let (challenge, attempt) = *person.codes.iter().rev().nth(dice.below(2) as usize)?;
                let read = self.code_of(challenge)?;
                let code = if wrong { crate::door::other_than(&read) } else { read };
                match attempt {
                    None => Deed::FinishEnrol(challenge, code),
                    Some(attempt) => Deed::TypeSent(attempt, sms?, code),
                }
            }
            _ => Deed::Record(dice.below(256) as u8),
        };
        Some((nth, deed))
    }

    fn code_of(&self, challenge: ChallengeId) -> Option<Code> {
        let asked = self.world.gates.iter().flat_map(|gate| gate.asked());
        let taken = asked.into_iter().find(|asked: &Asked| asked.challenge == challenge && asked.reply.takes())?;
        Some(Code::parse(&taken.code).unwrap())
    }

    fn ask(&mut self, command: Command) {
        let life = self.life();
        let (engine, journal, death) = (life.engine.clone(), Arc::clone(&life.journal), life.death.clone());
        let asked = command.clone().ask(engine.clone(), self.account, who(command.who, self.account));
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

    fn next_id(&mut self) -> CommandId {
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
        let Some((who, deed)) = self.choose() else { return };
        let command = Command { id: self.next_id(), who, deed };
        self.note(&command.deed);
        self.asked.push(command.clone());
        self.ask(command);
    }

    /// Takes down what was answered meanwhile.
    async fn collect(&mut self) {
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

    fn got(&mut self, command: &Command, answer: &Answer) {
        self.note((command.who, answer));
        self.watch.answered(command, answer);
        let Ok((said, _)) = answer else { return };
        let person = &mut self.people[command.who];
        match (said, &command.deed) {
            (Said::Made(phone), _) => self.spare.push(phone.clone()),
            (Said::Proof(Proof::Accepted), Deed::Enable(phone, _) | Deed::Rotate(_, phone, _)) => {
                self.spare.retain(|spare| spare.secret != phone.secret);
                person.phones.push(phone.clone());
            }
            (Said::Step(SignInStep::Wanted { attempt, .. }), _) => person.attempt = Some(*attempt),
            (Said::Sent(challenge), Deed::Send(attempt, _)) => person.codes.push((*challenge, Some(*attempt))),
            (Said::Sent(challenge), _) => person.codes.push((*challenge, None)),
            _ => {}
        }
    }

    // ---- what goes wrong ----

    async fn step(&mut self) {
        let (dice, swarm) = (self.world.dice.clone(), self.world.swarm.clone());
        match dice.below(20) {
            0..8 => self.ask_something(),
            8..10 => (0..2 + dice.below(12)).for_each(|_| self.ask_something()),
            10 => {
                // Somebody guesses.
                let who = dice.below(PEOPLE as u64) as usize;
                let Some(phone) = self.people[who].phones.last().cloned() else { return };
                let step = self.world.clock.read().secs() / 30;
                for _ in 0..6 + dice.below(10) {
                    let id = self.next_id();
                    self.ask(Command { id, who, deed: Deed::Verify(phone.clone(), step, true) });
                }
            }
            11..14 => self.go_on(dice.pick(&[0, 1, 5, 300, 2_000, 15_000, 40_000])).await,
            14 if swarm.clock_jumps => {
                let ms = dice.pick(&[1_000, 20_000, 250_000, 3_600_000]);
                self.world.clock.jump_ms(if dice.one_in(2) { ms } else { -ms });
            }
            15 if swarm.commit_fails => {
                let operation = dice.pick(&[Operation::Commit, Operation::CommitAfterWriting, Operation::PutSlots]);
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
            _ => self.go_on(1).await,
        }
    }

    async fn go_on(&mut self, ms: u64) {
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
    async fn look(&mut self) {
        let life = self.life.as_ref().expect("a node runs");
        // Nothing of this counts as the node's.
        let calls = self.world.clock.trap.lift();
        life.watched.store(true, Ordering::SeqCst);
        self.watch.look(&*life.journal);
        if self.world.dice.one_in(8) && life.engine.is_ready() {
            let account = self.account;
            let live = shown(&life.engine, account);
            let anew = self.world.folded_anew(|engine| shown(engine, account)).await;
            assert_eq!(live, anew, "the views are not what the log says");
        }
        let life = self.life();
        life.watched.store(false, Ordering::SeqCst);
        self.world.clock.trap.set(calls);
    }

    /// Another process begins, on what the one before left.
    async fn rise(&mut self, died: bool) {
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
    async fn restart(&mut self) {
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

    // ---- the end ----

    /// From here on nothing fails, and all that was begun comes to an end.
    async fn finish(mut self) -> Outcome {
        self.note("everything works again");
        self.life().faults.clear();
        self.life().entropy.set(0);
        self.world.clock.trap.set(0);
        self.world.gates.iter().for_each(|gate| gate.set_bad(false));
        self.world.swarm.slow_disk = false;
        if !self.life().engine.is_ready() || self.world.dice.one_in(2) {
            self.rise(false).await;
        }
        self.answers_come().await;
        self.each_principal_answers().await;
        self.codes_come_to_an_end().await;
        self.look().await;
        let (live, account) = (shown(&self.life().engine, self.account), self.account);
        assert_eq!(self.world.folded_anew(|engine| shown(engine, account)).await, live, "read off the log");
        self.restart().await;
        assert_eq!(shown(&self.life().engine, account), live, "after a restart");
        assert!(self.life().journal.verify().is_ok());
        self.watch.seeds_are_gone();
        Outcome { entries: self.watch.len(), entered: self.watch.entered(), trace: std::mem::take(&mut self.trace) }
    }

    async fn answers_come(&mut self) {
        for _ in 0..ANSWER_MS / 100 {
            self.collect().await;
            if self.asking.is_empty() {
                return;
            }
            self.go_on(100).await;
        }
        panic!("nobody answers: {:?}", self.asking.iter().map(|asking| &asking.command).collect::<Vec<_>>());
    }

    async fn each_principal_answers(&mut self) {
        for nth in 0..PEOPLE {
            for deed in [Deed::Begin, Deed::EndSignIns] {
                let command = Command { id: self.next_id(), who: nth, deed };
                let asked = command.clone().ask(self.life().engine.clone(), self.account, who(nth, self.account));
                let answer = self.life().run(tokio::time::timeout(std::time::Duration::from_secs(60), asked)).await;
                let answer = answer.expect("nothing dies").unwrap_or_else(|_| panic!("{nth} does not answer"));
                assert!(answer.is_ok(), "{nth} answers {answer:?}");
                self.got(&command, &answer);
            }
        }
    }

    async fn codes_come_to_an_end(&mut self) {
        let now = self.world.clock.read();
        let before = Ledger::read(&*self.life().journal, &self.world.policy);
        // A sender waits for instants: one that was told by a clock ahead of this one comes late.
        let judged = !self.world.swarm.clock_jumps;
        let soon = |until: UnixMillis| judged && until.0 > now.0 + SOON_MS;
        let in_time: Vec<ChallengeId> = before.waiting().filter(|(_, e)| soon(e.until)).map(|(id, _)| *id).collect();
        let waits = |message: &SmsMessageView| matches!(message.state, SmsState::Waiting | SmsState::Submitting);
        let mut left_ms: u64 = 3 * 3_600_000;
        while self.life().engine.sms_messages(self.account, false, 1000).iter().any(waits) {
            assert!(left_ms > 0, "codes are left behind");
            left_ms = left_ms.saturating_sub(20_000);
            self.go_on(20_000).await;
        }
        // What was reported is recorded by then.
        self.go_on(30_000).await;
        let ledger = Ledger::read(&*self.life().journal, &self.world.policy);
        assert_eq!(ledger.waiting().count(), 0, "nothing is left behind");
        for challenge in in_time {
            let state = ledger.entries[&challenge].state;
            assert_ne!(state, SmsState::Dropped(SmsDropReason::Expired), "it was lost: {challenge}");
        }
        let asked: Vec<Asked> = self.world.gates.iter().flat_map(|gate| gate.asked()).collect();
        ledger.against_gateways(&asked);
        ledger.against_views(&self.life().engine);
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
