//! Challenges to keys and codes that were sent: each is answered once, in its time.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::rules::Rules;
use super::{Fact, Law};
use crate::event::{Event, SmsFault};
use crate::ids::{AttemptId, ChallengeId, StreamId, UnixMillis};

/// What every principal was asked and may still answer.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    open: BTreeMap<StreamId, Vec<Open>>,
}

#[derive(Debug)]
struct Open {
    id: ChallengeId,
    /// The sign-in that it is for; a registration and an enrolment have none.
    attempt: Option<AttemptId>,
    until: UnixMillis,
    /// A code that was sent: to which device, and how often it was mistaken.
    sent: Option<(StreamId, u32)>,
}

/// The challenge that an event answers well.
struct Answered {
    id: ChallengeId,
    /// Whether a sign-in is answered by it, where the event tells.
    sign_in: Option<bool>,
    /// For a code that was sent, the device.
    sent_to: Option<StreamId>,
}

impl Challenges {
    /// Gives the sign-in that was answered, if one was.
    pub(super) fn observe(&mut self, fact: &Fact<'_>, rules: &Rules, broken: &mut Vec<Law>) -> Option<AttemptId> {
        let answered = match fact.event {
            Event::KeyChallengeIssued(issued) => {
                let (id, attempt, until) = (issued.challenge, issued.attempt, issued.until);
                self.issue(fact, Open { id, attempt, until, sent: None });
                return None;
            }
            Event::SmsCodeIssued(issued) => {
                self.forget(fact.stream, issued.device);
                let (id, attempt, until) = (issued.challenge, issued.attempt, issued.until);
                self.issue(fact, Open { id, attempt, until, sent: Some((issued.device, 0)) });
                return None;
            }
            Event::DeviceDeactivated(gone) => {
                self.forget(fact.stream, gone.device);
                return None;
            }
            Event::KeyRefused(refused) => {
                self.take(fact.stream, refused.challenge);
                return None;
            }
            Event::SmsCodeRefused(refused) if refused.fault == SmsFault::Wrong => {
                broken.extend(self.mistaken(fact, refused.challenge, rules));
                return None;
            }
            Event::KeyRegistered(done) => Answered { id: done.challenge, sign_in: Some(false), sent_to: None },
            Event::KeyAccepted(done) => Answered { id: done.challenge, sign_in: Some(true), sent_to: None },
            Event::SmsCodeAccepted(done) => Answered { id: done.challenge, sign_in: None, sent_to: Some(done.device) },
            _ => return None,
        };
        let Some(open) = self.take(fact.stream, answered.id) else {
            broken.push(Law::ChallengeAnsweredOnce);
            return None;
        };
        let fits = answered.sign_in.is_none_or(|sign_in| sign_in == open.attempt.is_some())
            && answered.sent_to == open.sent.map(|(device, _)| device);
        if !fits || open.until <= fact.at {
            broken.push(Law::ChallengeAnsweredOnce);
        }
        if open.sent.is_some_and(|(_, mistaken)| mistaken >= tries_max(fact, rules)) {
            broken.push(Law::SmsTriesHold);
        }
        open.attempt
    }

    /// What is past cannot be answered, whether it is remembered or not.
    fn issue(&mut self, fact: &Fact<'_>, issued: Open) {
        let open = self.open.entry(fact.stream).or_default();
        // As the engine does, which bears a clock that goes back a little: each kind is swept by its own.
        open.retain(|open| open.until > fact.at || open.sent.is_some() != issued.sent.is_some());
        open.push(issued);
    }

    fn take(&mut self, stream: StreamId, id: ChallengeId) -> Option<Open> {
        let open = self.open.get_mut(&stream)?;
        let place = open.iter().position(|open| open.id == id)?;
        Some(open.swap_remove(place))
    }

    /// Codes of a device that is gone, or that a newer one makes worthless (A15).
    fn forget(&mut self, stream: StreamId, device: StreamId) {
        if let Some(open) = self.open.get_mut(&stream) {
            open.retain(|open| open.sent.is_none_or(|(of, _)| of != device));
        }
    }

    fn mistaken(&mut self, fact: &Fact<'_>, id: ChallengeId, rules: &Rules) -> Option<Law> {
        let open = self.open.get_mut(&fact.stream)?.iter_mut().find(|open| open.id == id)?;
        let (_, mistaken) = open.sent.as_mut()?;
        *mistaken += 1;
        (*mistaken > tries_max(fact, rules)).then_some(Law::SmsTriesHold)
    }
}

fn tries_max(fact: &Fact<'_>, rules: &Rules) -> u32 {
    rules.most(fact.stream, fact.at, |policy| policy.sms_tries_max.into())
}
