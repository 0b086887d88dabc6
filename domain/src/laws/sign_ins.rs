//! Signing in: who is in has proven what was asked.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::by_stream::ByStream;
use super::holdings::Holdings;
use super::{Fact, Law};
use crate::event::{AlternativeFactor, Event, Purpose, SignInFactor, SignedIn};
use crate::ids::{AttemptId, Position, StreamId, UnixMillis};
use crate::principal::REFUSALS_MAX;

/// What every principal has begun and proven.
#[derive(Debug, Default)]
pub(super) struct SignIns {
    doors: ByStream<Door>,
    /// Devices that were proven for a sign-in of which their owner's stream says nothing more: for whom, and where.
    lent: BTreeMap<StreamId, (StreamId, Position)>,
}

#[derive(Debug, Default)]
struct Door {
    open: Vec<Open>,
    /// The device that the principal's last event accepted, and the sign-in that it was asked in, where it was.
    accepted: Option<(StreamId, Option<AttemptId>)>,
}

#[derive(Debug)]
struct Open {
    attempt: AttemptId,
    until: UnixMillis,
    begun: Position,
    /// The linked principal whose device is still to be proven (A6).
    associate: Option<StreamId>,
    mail: Alternative,
    phone: Alternative,
    refusals: u8,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Alternative {
    NotAsked,
    AskedUntil(UnixMillis),
    Proven,
}

impl Open {
    const fn alternative(&mut self, factor: AlternativeFactor) -> &mut Alternative {
        match factor {
            AlternativeFactor::Mail => &mut self.mail,
            AlternativeFactor::Phone => &mut self.phone,
        }
    }
}

impl SignIns {
    /// `answered` is the sign-in whose challenge the event answers.
    pub(super) fn observe(
        &mut self,
        fact: &Fact<'_>,
        answered: Option<AttemptId>,
        holdings: &Holdings,
        broken: &mut Vec<Law>,
    ) {
        let before = self.doors.get_mut(&fact.stream).and_then(|door| door.accepted.take());
        match fact.event {
            Event::CodeAccepted(accepted) if accepted.purpose == Purpose::SignIn => {
                self.accept(fact, accepted.device, None);
            }
            Event::KeyAccepted(accepted) => self.accept(fact, accepted.device, answered),
            Event::SmsCodeAccepted(accepted) => self.accept(fact, accepted.device, answered),
            Event::SignInStarted(started) => {
                let door = self.doors.entry(fact.stream).or_default();
                door.open.retain(|open| open.until > fact.at);
                // Starting over makes what was proven before worthless (A23).
                for open in &mut door.open {
                    (open.mail, open.phone) = (Alternative::NotAsked, Alternative::NotAsked);
                }
                door.open.push(Open {
                    attempt: started.attempt,
                    until: started.until,
                    begun: fact.position,
                    associate: started.associate,
                    mail: Alternative::NotAsked,
                    phone: Alternative::NotAsked,
                    refusals: 0,
                });
            }
            Event::SignInRefused(refused) => {
                if let Some(open) = self.open(fact, refused.attempt) {
                    open.refusals = open.refusals.saturating_add(1);
                }
            }
            Event::AssociateProven(proven) => {
                if !self.associate_proven(fact, proven.attempt, proven.device) {
                    broken.push(Law::SignInIsProven);
                }
            }
            Event::SignedIn(done) => {
                if !self.is_proven(fact, done, before, holdings) {
                    broken.push(Law::SignInIsProven);
                }
            }
            _ => broken.extend(self.alternative(fact)),
        }
    }

    fn accept(&mut self, fact: &Fact<'_>, device: StreamId, asked_in: Option<AttemptId>) {
        self.doors.entry(fact.stream).or_default().accepted = Some((device, asked_in));
        self.lent.insert(device, (fact.stream, fact.position));
    }

    /// The sign-in of this id, if it may still be completed.
    fn open(&mut self, fact: &Fact<'_>, attempt: AttemptId) -> Option<&mut Open> {
        let open = self.doors.get_mut(&fact.stream)?.open.iter_mut().find(|open| open.attempt == attempt)?;
        (open.until > fact.at && open.refusals < REFUSALS_MAX).then_some(open)
    }

    fn associate_proven(&mut self, fact: &Fact<'_>, attempt: AttemptId, device: StreamId) -> bool {
        let lent = self.lent.remove(&device);
        let Some(open) = self.open(fact, attempt) else { return false };
        let Some(associate) = open.associate.take() else { return false };
        lent.is_some_and(|(owner, place)| owner == associate && place > open.begun)
    }

    fn is_proven(
        &mut self,
        fact: &Fact<'_>,
        done: &SignedIn,
        before: Option<(StreamId, Option<AttemptId>)>,
        holdings: &Holdings,
    ) -> bool {
        let devices = holdings.devices_of(fact.stream);
        let linked = self.open(fact, done.attempt).map(|open| open.associate.is_some());
        let proven = match (done.factor, done.device, linked) {
            (SignInFactor::Nothing, None, None) => devices == 0,
            (SignInFactor::Device, Some(device), Some(false)) => {
                before.is_some_and(|(by, asked_in)| by == device && asked_in.is_none_or(|asked| asked == done.attempt))
            }
            (SignInFactor::Device, Some(device), Some(true)) => {
                devices == 0 && self.associate_proven(fact, done.attempt, device)
            }
            (SignInFactor::AlternativeFactors, None, Some(false)) => {
                let both = |open: &mut Open| (open.mail, open.phone) == (Alternative::Proven, Alternative::Proven);
                holdings.is_root(fact.stream) && self.open(fact, done.attempt).is_some_and(both)
            }
            _ => false,
        };
        if let Some(door) = self.doors.get_mut(&fact.stream) {
            door.open.retain(|open| open.attempt != done.attempt);
        }
        if let Some(device) = done.device {
            self.lent.remove(&device);
        }
        proven
    }

    /// An alternative factor is a challenge too: proven only when it was asked for, once, and in its time.
    fn alternative(&mut self, fact: &Fact<'_>) -> Option<Law> {
        match fact.event {
            Event::AlternativeIssued(issued) => {
                *self.open(fact, issued.attempt)?.alternative(issued.factor) = Alternative::AskedUntil(issued.until);
                None
            }
            Event::AlternativeProven(done) => {
                let asked = self
                    .open(fact, done.attempt)
                    .map(|open| core::mem::replace(open.alternative(done.factor), Alternative::Proven));
                let in_time = matches!(asked, Some(Alternative::AskedUntil(until)) if until > fact.at);
                (!in_time).then_some(Law::ChallengeAnsweredOnce)
            }
            _ => None,
        }
    }
}
