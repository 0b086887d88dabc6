//! A script on the stage, and what must hold when the curtain falls.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::store::faults::Operation;
use countersign::testing::Dice;
use countersign::*;

use super::ledger::Ledger;
use super::steps::{Step, script};
use crate::door::{at_console, other_than, proven};
use crate::outbox::gateway::{Gateway, Reply};
use crate::outbox::stage::{End, Medium, Stage, clock, number};
use crate::support::{check_laws, operator};

const PEOPLE: usize = 3;
/// From when everything works, so long at most until a code is handed over: the end of a lease, of a circuit that is
/// open, and of a pause between tries.
const SOON_MS: u64 = 15_000 + 60_000 + 31_000;
/// What a message costs by each route.
const PRICES: [u64; 2] = [7_000, 11_000];

struct Person {
    id: PrincipalId,
    number: PhoneNumber,
    attempt: Option<AttemptId>,
    /// Codes that were asked for: the sign-in, unless it was an enrolment.
    codes: Vec<(ChallengeId, Option<AttemptId>)>,
}

pub struct Play {
    stage: Stage,
    gates: [Arc<Gateway>; 2],
    people: Vec<Person>,
    /// How often each code let somebody in.
    let_in: BTreeMap<ChallengeId, usize>,
    /// How often the engine ended, and how.
    ends: Reached,
}

/// What was reached, how often.
pub type Reached = BTreeMap<String, usize>;

fn policy() -> Policy {
    Policy {
        sms_again_after_s: 2,
        sms_sends_max: 1000,
        sms_change_pause_s: 5,
        sms_number_max: 1000,
        sms_conversion_min_percent: 0,
        sms_unknowns_max: 1,
        sms_submits_max: 3,
        ..Policy::classic()
    }
}

fn of<T>(from: &[T], which: u64) -> Option<&T> {
    from.get((which % from.len().max(1) as u64) as usize)
}

impl Play {
    /// Plays a seed, and looks at what it left.
    pub async fn through(seed: u64, medium: Medium) -> Reached {
        let mut dice = Dice::new(seed);
        let steps = script(&mut dice);
        Self::of(steps, dice, medium).await
    }

    /// Plays a script, and looks at what it left.
    pub async fn of(steps: Vec<Step>, mut dice: Dice, medium: Medium) -> Reached {
        let mut play = Self::begin(medium).await;
        for step in steps {
            play.step(&step, &mut dice).await;
            if dice.one_in(3) {
                play.stage.settle().await;
            }
            if !play.stage.engine.is_ready() {
                *play.ends.entry("ended by the medium".to_owned()).or_default() += 1;
                play.stage.reopen(dice.pick(&[End::Closed, End::Dropped])).await;
            }
        }
        play.finish().await
    }

    async fn begin(medium: Medium) -> Self {
        let clock = clock();
        let gates = [Gateway::new("main", &clock), Gateway::new("other", &clock)];
        let main = SmsRoute { price_micros: PRICES[0], in_flight_max: 2, ..gates[0].route_to(&["+1"]) };
        let other = SmsRoute { price_micros: PRICES[1], in_flight_max: 1, ..gates[1].route() };
        let stage = Stage::on(medium, policy(), &clock, (gates.to_vec(), vec![main, other])).await;
        let mut people = Vec::new();
        for nth in 0..PEOPLE {
            let german = PhoneNumber::parse("+4915112345678").unwrap();
            let number = if nth == 0 { german } else { number(nth) };
            let (id, _) = stage.person(&format!("user{nth}"), number.clone()).await;
            people.push(Person { id, number, attempt: None, codes: Vec::new() });
        }
        Self { stage, gates, people, let_in: BTreeMap::new(), ends: Reached::new() }
    }

    fn phone_of(&self, person: usize) -> Option<Serial> {
        self.stage.engine.devices(&self.people[person].id).first().map(|device| device.serial.clone())
    }

    async fn step(&mut self, step: &Step, dice: &mut Dice) {
        let person = |who: &u64| (*who % PEOPLE as u64) as usize;
        match step {
            Step::SignIn(who) => {
                let who = person(who);
                let id = self.people[who].id.clone();
                let begun = self.stage.engine.begin_sign_in(at_console(&id), &id).await;
                if let Ok(Ack { value: SignInStep::Wanted { attempt, .. }, .. }) = begun {
                    self.people[who].attempt = Some(attempt);
                    self.send(who, attempt).await;
                }
            }
            Step::Another(who) => {
                let who = person(who);
                if let Some(attempt) = self.people[who].attempt {
                    self.send(who, attempt).await;
                }
            }
            Step::Type { who, older, wrong } => self.type_code(person(who), *older as usize, *wrong).await,
            Step::Enrol(who) => {
                let who = person(who);
                let (id, number) = (self.people[who].id.clone(), self.people[who].number.clone());
                if let Ok(begun) = self.stage.engine.begin_sms_enrolment(proven(&id), &id, number).await {
                    self.people[who].codes.push((begun.value.challenge, None));
                }
            }
            Step::EndSignIns(who) => {
                let id = &self.people[person(who)].id;
                let _either = self.stage.engine.end_sign_ins(operator(), id).await.is_ok();
            }
            Step::TakePhone(who) => {
                if let Some(phone) = self.phone_of(person(who)) {
                    let _either = self.stage.take(&self.people[person(who)].id, &phone).await.is_ok();
                }
            }
            Step::Remove(who) => {
                let removed =
                    self.stage.engine.remove_user(operator(), &self.people[person(who)].id, Removal::TakeDevices);
                let _either = removed.await.is_ok();
            }
            Step::Redrive(which) => {
                let now = self.stage.engine.now();
                let mut given_up = self.stage.engine.sms_messages(self.stage.account, true, 1000);
                // Those for which somebody may still be waiting.
                given_up.retain(|message| message.until > now && Self::may_be_sent_after_all(message.state));
                if let Some(message) = of(&given_up, *which) {
                    let redriven = self.stage.engine.redrive_sms(operator(), &message.principal, message.challenge);
                    let _either = redriven.await.is_ok();
                }
            }
            Step::Pass(ms) => self.stage.pass_ms(*ms).await,
            Step::Jump => {
                self.stage.settle().await;
                let _moved = self.stage.jump(self.stage.clock.hands().now().plus_ms(120_000)).await;
            }
            Step::Settle => self.stage.settle().await,
            Step::Fault { skip, after } => {
                let operation = if *after { Operation::CommitAfterWriting } else { Operation::Commit };
                self.stage.faults.fail_after(operation, *skip);
            }
            Step::End(end, ms) => {
                *self.ends.entry(format!("{end:?}")).or_default() += 1;
                self.stage.reopen_after(*end, *ms).await;
            }
            other => self.gateway(other, dice),
        }
    }

    fn may_be_sent_after_all(state: SmsState) -> bool {
        matches!(state, SmsState::Dropped(reason) if reason != SmsDropReason::Void)
    }

    fn gateway(&mut self, step: &Step, dice: &mut Dice) {
        match step {
            Step::Gateway { which, replies } => {
                let (mut dice, replies) = (dice.clone(), replies.clone());
                self.gates[*which as usize].answer_by(move |_| dice.pick(&replies));
            }
            Step::Release => self.gates.iter().for_each(|gate| gate.release()),
            Step::Report { which, message, delivery, foreign } => {
                let from = &self.gates[*which as usize];
                let named = if *foreign { &self.gates[1 - *which as usize] } else { from };
                let taken: Vec<_> = named.asked().into_iter().filter(|asked| asked.reply.takes()).collect();
                let name = of(&taken, *message).map_or("nobody", |asked| &asked.name);
                from.report(name, *delivery);
            }
            _ => unreachable!("no step of a gateway"),
        }
    }

    async fn send(&mut self, who: usize, attempt: AttemptId) {
        let Some(phone) = self.phone_of(who) else { return };
        let sent = self.stage.ask_code(&self.people[who].id, attempt, &phone).await;
        if let Ok(sent) = sent {
            self.people[who].codes.push((sent.challenge, Some(attempt)));
        }
    }

    /// Somebody reads a code off the phone, if there is one on it, and types it where it was asked for.
    async fn type_code(&mut self, who: usize, older: usize, wrong: bool) {
        let Some(&(challenge, attempt)) = self.people[who].codes.iter().rev().nth(older) else { return };
        let Some(code) = self.stage.code_of(challenge) else { return };
        let typed = if wrong { other_than(&code) } else { code };
        let id = self.people[who].id.clone();
        let right = match attempt {
            None => matches!(self.stage.finish_sms(&id, challenge, typed).await, Ok(Proof::Accepted)),
            Some(attempt) => {
                let Some(phone) = self.phone_of(who) else { return };
                let step = self.stage.type_code(&id, attempt, &phone, typed).await;
                matches!(step, Ok(SignInStep::SignedIn(_)))
            }
        };
        if right {
            assert!(!wrong, "a wrong code was taken");
            *self.let_in.entry(challenge).or_default() += 1;
        }
    }

    // ---- the end ----

    async fn finish(mut self) -> Reached {
        for gate in &self.gates {
            gate.always(Reply::Take);
            gate.release();
        }
        // Nothing fails from here on.
        self.stage.reopen(End::Dropped).await;
        self.stage.settle().await;
        let now = self.stage.clock.hands().now();
        let before = Ledger::read(&*self.stage.journal, &self.stage.policy);
        let soon = |until: UnixMillis| until.0 > now.0 + SOON_MS;
        let in_time: Vec<ChallengeId> = before.waiting().filter(|(_, e)| soon(e.until)).map(|(id, _)| *id).collect();
        let waits = |message: &SmsMessageView| matches!(message.state, SmsState::Waiting | SmsState::Submitting);
        let rests = || !self.stage.engine.sms_messages(self.stage.account, false, 1000).iter().any(waits);
        self.stage.run_until("every code to be handed over or given up", rests).await;

        let ledger = Ledger::read(&*self.stage.journal, &self.stage.policy);
        assert_eq!(ledger.waiting().count(), 0, "nothing is left behind");
        for challenge in in_time {
            let state = ledger.entries[&challenge].state;
            assert_ne!(state, SmsState::Dropped(SmsDropReason::Expired), "it was lost: {challenge}");
        }
        for (challenge, times) in &self.let_in {
            assert_eq!((*times, ledger.entries[challenge].used), (1, 1), "each code lets in once");
        }
        ledger.against_gateways(&self.stage.asked());
        ledger.against_views(&self.stage.engine);
        check_laws(&*self.stage.journal, &self.stage.policy);
        let shown = |stage: &Stage| {
            let report = stage.engine.sms_report(None);
            (report.lines, report.spent_micros, stage.engine.sms_messages(stage.account, false, 1000))
        };
        let live = shown(&self.stage);
        self.stage.rebuild().await;
        assert_eq!(shown(&self.stage), live, "read off the log");
        assert!(self.stage.journal.verify().is_ok());
        ledger.reached(self.ends)
    }
}
