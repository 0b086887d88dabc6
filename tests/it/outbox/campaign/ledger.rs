//! What the log says of every code, read naively: a second opinion beside the laws of the domain.

use std::collections::{BTreeMap, BTreeSet};

use countersign::domain::event::{Event, SmsDelivery, SmsSubmitFault};
use countersign::domain::ids::{StreamId, Version};
use countersign::store::Journal;
use countersign::*;

use super::play::Reached;
use crate::outbox::gateway::Asked;
use crate::support::{events, forgotten};

/// One code.
#[derive(Clone, Debug)]
pub struct Entry {
    pub stream: StreamId,
    pub decision: Version,
    pub device: StreamId,
    pub attempt: Option<AttemptId>,
    pub until: UnixMillis,
    pub queued: bool,
    pub void: bool,
    pub state: SmsState,
    /// Tries of all, and those since it was wanted after all.
    pub tries: usize,
    pub counted: usize,
    pub unknown: usize,
    pub unknown_ever: usize,
    pub failed: usize,
    pub taken: usize,
    pub dropped: usize,
    pub redriven: usize,
    pub wrong: usize,
    pub used: usize,
    pub delivered: usize,
    pub cost: u64,
    price: u64,
}

/// Every code of a log.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: BTreeMap<ChallengeId, Entry>,
    removed: BTreeSet<StreamId>,
    /// Of these something was forgotten on purpose; nothing is known of their codes.
    forgotten: BTreeSet<StreamId>,
}

impl Ledger {
    /// Reads a log, and holds every step of a code against the rules.
    pub fn read(journal: &dyn Journal, policy: &Policy) -> Self {
        let mut ledger = Self { forgotten: forgotten(journal), ..Self::default() };
        for (header, event) in events(journal) {
            if ledger.forgotten.contains(&header.stream) {
                continue;
            }
            ledger.void_by(header.stream, &event);
            match &event {
                Event::SmsCodeIssued(issued) => {
                    let decision = Version(header.version.0 - 1);
                    let entry = Entry {
                        stream: header.stream,
                        decision,
                        device: issued.device,
                        attempt: issued.attempt,
                        until: issued.until,
                        queued: false,
                        void: false,
                        state: SmsState::Waiting,
                        tries: 0,
                        counted: 0,
                        unknown: 0,
                        unknown_ever: 0,
                        failed: 0,
                        taken: 0,
                        dropped: 0,
                        redriven: 0,
                        wrong: 0,
                        used: 0,
                        delivered: 0,
                        cost: 0,
                        price: 0,
                    };
                    assert!(ledger.entries.insert(issued.challenge, entry).is_none(), "a challenge twice");
                }
                event => ledger.step(event, header.time, policy),
            }
        }
        ledger
    }

    /// What makes codes worthless.
    fn void_by(&mut self, stream: StreamId, event: &Event) {
        let mut void = |holds: &dyn Fn(ChallengeId, &Entry) -> bool| {
            for (challenge, entry) in &mut self.entries {
                entry.void |= entry.stream == stream && holds(*challenge, entry);
            }
        };
        match event {
            Event::SmsCodeIssued(newer) => void(&|_, entry| entry.device == newer.device),
            Event::SmsCodeAccepted(done) => void(&|challenge, _| challenge == done.challenge),
            Event::SignedIn(done) => void(&|_, entry| entry.attempt == Some(done.attempt)),
            Event::DeviceDeactivated(gone) => void(&|_, entry| entry.device == gone.device),
            Event::SignInsEnded(_) => void(&|_, _| true),
            Event::PrincipalRemoved(_) => {
                void(&|_, _| true);
                self.removed.insert(stream);
            }
            _ => {}
        }
    }

    fn entry(&mut self, challenge: ChallengeId) -> &mut Entry {
        self.entries.get_mut(&challenge).expect("a code that was issued")
    }

    fn step(&mut self, event: &Event, at: UnixMillis, policy: &Policy) {
        match event {
            Event::SmsQueued(queued) => {
                let entry = self.entry(queued.challenge);
                assert!(!entry.queued && queued.decision == entry.decision && queued.until == entry.until);
                entry.queued = true;
            }
            Event::SmsSubmitting(begun) => {
                let entry = self.entry(begun.challenge);
                assert!(entry.queued && entry.state == SmsState::Waiting, "{entry:?}");
                assert!(!entry.void && at < entry.until && begun.lease > at, "nobody waits for it: {entry:?}");
                assert!(entry.wrong < usize::from(policy.sms_tries_max), "{entry:?}");
                entry.state = SmsState::Submitting;
                (entry.tries, entry.counted) = (entry.tries + 1, entry.counted + 1);
                assert!(entry.counted <= usize::from(policy.sms_submits_max), "too often: {entry:?}");
                assert!(entry.unknown <= usize::from(policy.sms_unknowns_max), "too often in the dark: {entry:?}");
                (entry.price, entry.cost) = (begun.price_micros, entry.cost + begun.price_micros);
            }
            Event::SmsSubmitted(done) => {
                let entry = self.entry(done.challenge);
                assert_eq!((entry.state, entry.tries), (SmsState::Submitting, usize::from(done.submit)));
                (entry.state, entry.taken) = (SmsState::Taken, entry.taken + 1);
            }
            Event::SmsSubmitFailed(failed) => {
                let entry = self.entry(failed.challenge);
                assert_eq!((entry.state, entry.tries), (SmsState::Submitting, usize::from(failed.submit)));
                entry.state = SmsState::Waiting;
                if failed.fault == SmsSubmitFault::Unknown {
                    (entry.unknown, entry.unknown_ever) = (entry.unknown + 1, entry.unknown_ever + 1);
                } else {
                    (entry.failed, entry.cost) = (entry.failed + 1, entry.cost - entry.price);
                }
            }
            Event::SmsDropped(dropped) => {
                let entry = self.entry(dropped.challenge);
                assert_eq!(entry.state, SmsState::Waiting);
                assert!(dropped.reason != SmsDropReason::Void || entry.is_worthless(policy), "{entry:?}");
                assert!(dropped.reason != SmsDropReason::Expired || at >= entry.until, "{entry:?}");
                (entry.state, entry.dropped) = (SmsState::Dropped(dropped.reason), entry.dropped + 1);
            }
            Event::SmsRedriven(redriven) => {
                let entry = self.entry(redriven.challenge);
                assert!(matches!(entry.state, SmsState::Dropped(_)) && !entry.void && at < entry.until, "{entry:?}");
                (entry.state, entry.counted, entry.unknown) = (SmsState::Waiting, 0, 0);
                entry.redriven += 1;
            }
            Event::SmsReported(reported) => {
                let entry = self.entry(reported.challenge);
                assert!(entry.tries > 0, "{entry:?}");
                entry.state = SmsState::Reported(reported.delivery);
                entry.delivered += usize::from(reported.delivery == SmsDelivery::Delivered);
            }
            Event::SmsCodeAccepted(accepted) => {
                let entry = self.entry(accepted.challenge);
                entry.used += 1;
                assert!(entry.used == 1 && at < entry.until, "{entry:?}");
            }
            Event::SmsCodeRefused(refused) => self.entry(refused.challenge).wrong += 1,
            _ => {}
        }
    }

    /// Codes that are to be sent and for which nobody is gone.
    pub fn waiting(&self) -> impl Iterator<Item = (&ChallengeId, &Entry)> {
        self.entries.iter().filter(|(_, entry)| {
            let open = matches!(entry.state, SmsState::Waiting | SmsState::Submitting);
            open && !self.removed.contains(&entry.stream)
        })
    }

    pub fn is_there(&self, entry: &Entry) -> bool {
        !self.removed.contains(&entry.stream)
    }

    /// What happened in it, beside what is known already.
    pub fn reached(&self, mut reached: Reached) -> Reached {
        for entry in self.entries.values() {
            let told = [
                (format!("{:?}", entry.state), 1),
                ("a try of unknown outcome".to_owned(), entry.unknown_ever),
                ("a second try after that".to_owned(), usize::from(entry.unknown_ever > 0 && entry.taken > 0)),
                ("sent after all".to_owned(), usize::from(entry.redriven > 0 && entry.taken > 0)),
                ("used".to_owned(), entry.used),
            ];
            told.into_iter().for_each(|(what, times)| *reached.entry(what).or_default() += times);
        }
        reached
    }

    // ---- beside the gateways ----

    /// What gateways were asked is what the log says, and nothing was paid for twice that nobody was in the dark about.
    pub fn against_gateways(&self, asked: &[Asked]) {
        let mut of_key: BTreeMap<SmsKey, ChallengeId> = BTreeMap::new();
        let mut of_code: BTreeMap<ChallengeId, (&str, &str)> = BTreeMap::new();
        for asked in asked.iter().filter(|asked| !self.forgotten.contains(&asked.key.principal)) {
            let entry = &self.entries[&asked.challenge];
            let key = SmsKey { principal: entry.stream, version: entry.decision };
            assert_eq!(asked.key, key, "one key of one decision");
            assert_eq!(*of_key.entry(asked.key).or_insert(asked.challenge), asked.challenge, "no key of two");
            let said = (asked.code.as_str(), asked.to.as_str());
            assert_eq!(*of_code.entry(asked.challenge).or_insert(said), said, "one code to one number");
            assert!(asked.at < asked.until && asked.until == entry.until && asked.life_ms > 0, "{asked:?}");
        }
        for (challenge, entry) in &self.entries {
            let tries = asked.iter().filter(|asked| asked.challenge == *challenge);
            let (all, taken) =
                tries.fold((0, 0), |(all, taken), asked| (all + 1, taken + usize::from(asked.reply.takes())));
            assert!(all <= entry.tries, "asked {all} times without a record: {entry:?}");
            assert!(taken <= 1 + entry.unknown_ever, "taken {taken} times: {entry:?}");
            assert!(all > 0 || entry.taken == 0, "taken and never asked: {entry:?}");
        }
    }

    // ---- beside what the engine shows ----

    /// What the engine shows of every code, and of all of them together, is what the log says.
    pub fn against_views(&self, engine: &Countersign) {
        for (challenge, entry) in self.entries.iter().filter(|(_, entry)| self.is_there(entry)) {
            let view = engine.sms_message(*challenge).expect("it was decided on in these three days");
            let (shown, said) = ((view.state, usize::from(view.submits), view.cost_micros), (entry.state, entry.tries));
            assert_eq!(shown, (said.0, said.1, entry.cost), "{challenge}");
            assert_eq!((view.used, view.until), (entry.used == 1, entry.until), "{challenge}");
            let given_up = engine.sms_messages(view.principal.account(), true, 1000);
            let listed = given_up.iter().any(|message| message.challenge == *challenge);
            assert_eq!(listed, entry.state.is_given_up(), "what is given up is shown");
        }
        let lines = engine.sms_report(None).lines;
        let shown = |of: fn(&SmsLine) -> u64| lines.iter().map(of).sum::<u64>();
        let said = |of: fn(&Entry) -> usize| self.entries.values().map(|entry| of(entry) as u64).sum::<u64>();
        let sums = [
            (shown(|line| line.taken), said(|entry| entry.taken)),
            (shown(|line| line.failed), said(|entry| entry.failed)),
            (shown(|line| line.unknown), said(|entry| entry.unknown_ever)),
            (shown(|line| line.dropped), said(|entry| entry.dropped)),
            (shown(|line| line.used), said(|entry| entry.used)),
            (shown(|line| line.delivered), said(|entry| entry.delivered)),
            (shown(|line| line.cost_micros), self.entries.values().map(|entry| entry.cost).sum::<u64>()),
        ];
        // What is counted of who was forgotten may stay.
        let counted = |(shown, said): &(u64, u64)| shown == said || (shown > said && !self.forgotten.is_empty());
        assert!(sums.iter().all(counted), "{sums:?}");
    }
}

impl Entry {
    fn is_worthless(&self, policy: &Policy) -> bool {
        self.void || self.wrong >= usize::from(policy.sms_tries_max)
    }
}
