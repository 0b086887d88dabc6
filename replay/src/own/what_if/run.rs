//! The two runs beside each other: what was, and what would have been.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::decide::{Denial, Outcome, Record, Verdict};
use countersign_domain::device::DeviceKind;
use countersign_domain::event::{CodeFault, Event, KeyForm};
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::principal::Enabled;
use countersign_domain::rejection::Rejection;

use crate::ask::Sealing;
use crate::own::again::{Again, Command, Recorded, Untold, command_of, decide};
use crate::own::describe::denial;
use crate::own::explain::concerned;
use crate::own::scene::Scene;
use crate::own::states::States;
use crate::own::words::instant;

use super::{Otherwise, WhatIf};

pub(super) struct Run<'a> {
    recorded: &'a Policy,
    instead: &'a Policy,
    listed_max: usize,
    /// What was.
    pub(super) scene: Scene,
    /// What would have been.
    pub(super) other: Scene,
    /// Names.
    pub(super) states: States,
    /// Devices that somebody has in the one and not in the other.
    apart: BTreeSet<(StreamId, StreamId)>,
    pub(super) met: BTreeSet<StreamId>,
    pub(super) answer: WhatIf,
}

impl<'a> Run<'a> {
    pub(super) fn new(recorded: &'a Policy, instead: &'a Policy, listed_max: usize) -> Self {
        let answer = WhatIf {
            schema: 1,
            decided: 0,
            same: 0,
            differing: 0,
            otherwise: Vec::new(),
            kinds: BTreeMap::new(),
            principals: 0,
            cannot_tell: BTreeMap::new(),
            sealed: Sealing::default(),
        };
        let (scene, other, states) = (Scene::default(), Scene::default(), States::default());
        Self {
            recorded,
            instead,
            listed_max,
            scene,
            other,
            states,
            apart: BTreeSet::new(),
            met: BTreeSet::new(),
            answer,
        }
    }

    /// Takes what one command recorded.
    pub(super) fn append(
        &mut self,
        first: Position,
        at: UnixMillis,
        events: &[(StreamId, Event)],
        hidden: bool,
    ) -> Result<(), countersign_domain::Corrupt> {
        let leading = concerned(&self.scene, events);
        let was = leading.map_or_else(|| self.recorded.clone(), |who| self.scene.policy_of(who, self.recorded));
        let read_back = if hidden { Err(Untold::Sealed) } else { command_of(&self.scene, events, at, &was) };
        let verdict = Verdict::recorded(events.iter().map(|(_, event)| event), &was);
        for (stream, event) in events {
            self.scene.evolve(*stream, event, at)?;
        }
        match read_back {
            Ok(command) => self.decide(first, at, events, &command, &verdict),
            Err(why) => self.follow(first, at, events, why),
        }
        Ok(())
    }

    fn decide(
        &mut self,
        first: Position,
        at: UnixMillis,
        events: &[(StreamId, Event)],
        command: &Recorded,
        verdict: &Verdict,
    ) {
        let who = command.principal;
        let device = device_of(&command.command);
        if device.is_some_and(|device| self.apart.contains(&(who, device))) && !self.rejoins(command) {
            *self.answer.cannot_tell.entry(FOLLOWS).or_default() += 1;
            self.repeat(at, events);
            return;
        }
        let rules = self.other.policy_of(who, self.instead);
        match decide(&self.other, command, at, &rules) {
            Again::CannotTell(why) => {
                *self.answer.cannot_tell.entry(why).or_default() += 1;
                self.repeat(at, events);
            }
            Again::Decided(Err(rejection)) => {
                self.answer.decided += 1;
                let kind = if rejection == Rejection::SelfManagementNeedsMfa { "asked_to_step_up" } else { "refused" };
                self.otherwise(first, at, who, device, kind, verdict, rejection.to_string());
                self.part_ways(who, events);
            }
            Again::Decided(Ok(Outcome::AlreadySo(now))) => {
                self.answer.decided += 1;
                self.compare(first, at, (who, device), verdict, &now, &rules);
            }
            Again::Decided(Ok(Outcome::Record(Record { writes, verdict: now }))) => {
                self.answer.decided += 1;
                for (stream, event) in &writes {
                    // What is refused by the other states leaves them as they are.
                    let _kept = self.other.evolve(*stream, event, at);
                }
                self.compare(first, at, (who, device), verdict, &now, &rules);
                if is_refused(&now) && !is_refused(verdict) {
                    self.part_ways(who, events);
                } else if let Some(device) = device {
                    self.apart.remove(&(who, device));
                }
            }
        }
    }

    /// Whether a command brings a device back under who lost it only here: then both go on alike.
    fn rejoins(&self, command: &Recorded) -> bool {
        matches!(&command.command, Command::Enable { serial, .. }
            if self.other.registered(command.principal).is_some_and(|owner| owner.device(serial.stream()).is_none()))
    }

    fn compare(
        &mut self,
        first: Position,
        at: UnixMillis,
        (who, device): (StreamId, Option<StreamId>),
        verdict: &Verdict,
        now: &Verdict,
        rules: &Policy,
    ) {
        let resync = device.and_then(|device| self.asks_for_resync(who, device, rules));
        let refused = |one: Class| matches!(one, Class::Refused | Class::Outside);
        match (class(verdict), class(now)) {
            // Who is refused either way learns nothing else of it.
            (was, now) if was == now || (refused(was) && refused(now)) => {
                if resync.is_some() {
                    self.otherwise(
                        first,
                        at,
                        who,
                        device,
                        "asked_to_resync",
                        verdict,
                        "a resync would be offered".into(),
                    );
                } else {
                    self.answer.same += 1;
                }
            }
            (_, Class::Locked) => self.otherwise(first, at, who, device, "locked", verdict, in_words(now)),
            (_, Class::Outside) => self.otherwise(first, at, who, device, "asked_to_resync", verdict, in_words(now)),
            (_, Class::Refused) => self.otherwise(first, at, who, device, "refused", verdict, in_words(now)),
            (_, Class::Accepted) => self.otherwise(first, at, who, device, "accepted", verdict, in_words(now)),
        }
    }

    /// Whether a resync would be offered here where none was offered.
    fn asks_for_resync(&self, who: StreamId, device: StreamId, rules: &Policy) -> Option<()> {
        let enabled = |scene: &'_ Scene| -> Option<Enabled> { scene.registered(who)?.device(device).cloned() };
        let (was, now) = (enabled(&self.scene)?, enabled(&self.other)?);
        let recorded = self.scene.policy_of(who, self.recorded);
        // At the miss that makes it so, and not at each one after it.
        let first_time = now.sync.misses() <= rules.misses_before_resync;
        (now.sync.wants_resync(rules) && !was.sync.wants_resync(&recorded) && first_time).then_some(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one finding")]
    fn otherwise(
        &mut self,
        first: Position,
        at: UnixMillis,
        who: StreamId,
        device: Option<StreamId>,
        kind: &'static str,
        was: &Verdict,
        instead: String,
    ) {
        *self.answer.kinds.entry(kind).or_default() += 1;
        self.met.insert(who);
        self.answer.differing += 1;
        if self.answer.otherwise.len() >= self.listed_max {
            return;
        }
        self.answer.otherwise.push(Otherwise {
            time: instant(at),
            position: first.0,
            id: self.states.label(who),
            device: device.map(|device| self.states.serial(device)),
            kind,
            recorded: in_words(was),
            instead,
        });
    }

    /// What cannot be decided again is done as it was, as far as the other states bear it.
    fn follow(&mut self, first: Position, at: UnixMillis, events: &[(StreamId, Event)], why: Untold) {
        match self.not_offered(events) {
            Some((who, device, rejection)) => {
                self.answer.decided += 1;
                let device = Some(device);
                self.otherwise(first, at, who, device, "refused", &Verdict::Done, rejection.to_string());
                self.part_ways(who, events);
            }
            None => {
                let counts = events.iter().any(|(_, event)| is_decision(event));
                if counts {
                    *self.answer.cannot_tell.entry(why.as_str()).or_default() += 1;
                }
                self.repeat(at, events);
            }
        }
    }

    /// Does again what was recorded, without deciding.
    fn repeat(&mut self, at: UnixMillis, events: &[(StreamId, Event)]) {
        for (stream, event) in events {
            let before = self.other.people.get(stream).cloned();
            if self.other.evolve(*stream, event, at).is_err()
                && let Some(before) = before
            {
                self.other.people.insert(*stream, before);
            }
        }
    }

    /// A key or an SMS device that these rules would not have let in.
    fn not_offered(&self, events: &[(StreamId, Event)]) -> Option<(StreamId, StreamId, Rejection)> {
        let form = events.iter().find_map(|(_, event)| match event {
            Event::KeyRegistered(key) => Some(key.form),
            _ => None,
        });
        events.iter().find_map(|(stream, event)| {
            let Event::DeviceEnabled(enabled) = event else { return None };
            let rules = self.other.policy_of(*stream, self.instead);
            let replaced =
                events.iter().any(|(of, event)| of == stream && matches!(event, Event::DeviceDeactivated(_)));
            let owned = self.other.registered(*stream).map_or(0, |owner| owner.devices.len());
            let max = rules.devices_per_principal_max;
            let rejection = match (enabled.kind, form) {
                (DeviceKind::SecurityKey, Some(KeyForm::SecurityKey)) if !rules.security_keys => {
                    Rejection::KeyFormNotOffered
                }
                (DeviceKind::SecurityKey, Some(KeyForm::Passkey)) if !rules.passkeys => Rejection::KeyFormNotOffered,
                (DeviceKind::Sms, _) if !rules.sms_enrolment => Rejection::SmsNotOffered,
                _ if replaced && !rules.atomic_rotation => Rejection::RotationNotAtomic,
                _ if !replaced && owned >= usize::from(max) => Rejection::PrincipalDeviceLimit { max },
                _ => return None,
            };
            Some((*stream, enabled.device, rejection))
        })
    }

    /// Notes the devices that somebody got or lost in the log only.
    fn part_ways(&mut self, who: StreamId, events: &[(StreamId, Event)]) {
        for (_, event) in events {
            match event {
                Event::DeviceEnabled(enabled) => drop(self.apart.insert((who, enabled.device))),
                Event::DeviceDeactivated(gone) => drop(self.apart.insert((who, gone.device))),
                _ => {}
            }
        }
    }
}

const FOLLOWS: &str = "it follows from a device that would not have been enabled, or not have been taken away";

/// Whether an event is what somebody was told, and not bookkeeping.
const fn is_decision(event: &Event) -> bool {
    matches!(
        event,
        Event::KeyAccepted(_)
            | Event::KeyRefused(_)
            | Event::KeyRegistered(_)
            | Event::SmsCodeIssued(_)
            | Event::SmsCodeAccepted(_)
            | Event::SmsCodeRefused(_)
            | Event::AlternativeIssued(_)
            | Event::AlternativeProven(_)
            | Event::AlternativeRefused(_)
            | Event::CodeAccepted(_)
            | Event::CodeRefused(_)
            | Event::DeviceEnabled(_)
            | Event::BudgetSpent(_)
    )
}

fn device_of(command: &Command) -> Option<StreamId> {
    match command {
        Command::Code { device, .. } | Command::SentCode { device, .. } => Some(*device),
        Command::Resync { serial, .. } | Command::Enable { serial, .. } | Command::Deactivate { serial, .. } => {
            Some(serial.stream())
        }
        Command::BeginSignIn { .. } => None,
    }
}

/// What a verdict comes to for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Accepted,
    Refused,
    Outside,
    Locked,
}

const fn class(verdict: &Verdict) -> Class {
    match verdict {
        Verdict::Denied(Denial::Locked { .. }) => Class::Locked,
        Verdict::Denied(Denial::Code { fault: CodeFault::Outside, .. }) => Class::Outside,
        Verdict::Denied(_) => Class::Refused,
        _ => Class::Accepted,
    }
}

const fn is_refused(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Denied(_))
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Denied(why) => denial(why).to_owned(),
        _ => "accepted".to_owned(),
    }
}
