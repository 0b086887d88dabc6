//! The second phase: from here on nothing fails, and all that was begun comes to an end.

use countersign::domain::decide::LEASE_MS_MAX;
use countersign::*;

use super::deed::{Command, Deed};
use super::gate::{Mood, one_try_at_a_time};
use super::people::PEOPLE;
use super::play::{Outcome, Play};
use super::watch::sums;
use crate::outbox::campaign::ledger::Ledger;
use crate::outbox::gateway::Asked;

/// From when everything works, so long at most until a code is handed over: the end of a lease, of a circuit that is open, and
/// of a pause between tries.
const SOON_MS: u64 = 15_000 + 60_000 + 31_000;
/// How long anybody may have to wait for an answer then.
const ANSWER_MS: u64 = 60_000;

impl Play {
    /// From here on nothing fails, and all that was begun comes to an end.
    /// For a while everything works, and what was begun goes on. Then things go wrong again.
    pub async fn lull(&mut self) {
        self.note("everything works for a while");
        self.calm();
        if !self.life().engine.is_ready() {
            self.rise(false).await;
        }
        self.answers_come().await;
        self.codes_arrive().await;
        let mood = if self.world.swarm.bad_gateways { Mood::Moody } else { Mood::Works };
        self.world.gates.iter().for_each(|gate| gate.set(mood));
    }

    fn calm(&mut self) {
        self.life().faults.clear();
        self.life().entropy.set(0);
        self.world.clock.trap.set(0);
        self.world.gates.iter().for_each(|gate| gate.set(Mood::Works));
    }

    pub async fn finish(mut self) -> Outcome {
        self.note("everything works again");
        self.calm();
        self.world.swarm.slow_disk = false;
        if !self.life().engine.is_ready() || self.world.dice.one_in(2) {
            self.rise(false).await;
        }
        self.answers_come().await;
        self.each_principal_answers().await;
        self.codes_come_to_an_end().await;
        self.look().await;
        let live = self.shown(&self.life().engine);
        assert_eq!(self.world.folded_anew(|engine| self.shown(engine)).await, live, "read off the log");
        let sum = sums(&self.life().engine);
        self.restart().await;
        assert_eq!(self.shown(&self.life().engine), live, "after a restart");
        assert_eq!(sums(&self.life().engine), sum, "after a restart");
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

    /// Who is there does as asked, and who is not is told so.
    async fn each_principal_answers(&mut self) {
        for who in 0..=PEOPLE {
            for deed in [Deed::Begin, Deed::EndSignIns] {
                let whom = self.whom(who);
                let is_there = self.life().engine.principal(&whom).is_some();
                let command = Command { id: self.next_id(), who, whom, deed };
                let asked = command.clone().ask(self.life().engine.clone(), self.account);
                let answer = self.life().run(tokio::time::timeout(std::time::Duration::from_secs(60), asked)).await;
                let answer = answer.expect("nothing dies").unwrap_or_else(|_| panic!("{who} does not answer"));
                let told = answer.as_ref().is_ok_and(|_| is_there)
                    || answer.as_ref().is_err_and(|error| !is_there && error.rejection().is_some());
                assert!(told, "{who} answers {answer:?}");
                self.got(&command, &answer);
            }
        }
    }

    /// What waits and is good for long enough is handed over soon.
    async fn codes_arrive(&mut self) {
        let now = self.world.clock.read();
        // A clock that was set back makes a code wait so much longer, and no more.
        let soon_ms = SOON_MS + if self.world.swarm.clock_jumps { LEASE_MS_MAX } else { 0 };
        let ledger = Ledger::read(&*self.life().journal, &self.world.policy);
        let in_time = ledger.waiting().filter(|(_, entry)| entry.until.0 > now.0 + soon_ms).map(|(id, _)| *id);
        let in_time: Vec<ChallengeId> = in_time.collect();
        if in_time.is_empty() {
            return;
        }
        self.go_on(soon_ms).await;
        for challenge in in_time {
            let state = self.life().engine.sms_message(challenge).map(|message| message.state);
            let late = matches!(state, None | Some(SmsState::Waiting | SmsState::Submitting));
            let lost = state == Some(SmsState::Dropped(SmsDropReason::Expired));
            assert!(!late && !lost, "it is late: {challenge} is {state:?}");
        }
    }

    async fn codes_come_to_an_end(&mut self) {
        self.codes_arrive().await;
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
        if !self.world.swarm.clock_jumps {
            // Leases are instants: a clock that is set forwards ends them.
            one_try_at_a_time(&self.world.gates);
        }
        let asked: Vec<Asked> = self.world.gates.iter().flat_map(|gate| gate.asked()).collect();
        ledger.against_gateways(&asked);
        ledger.against_views(&self.life().engine);
    }
}
