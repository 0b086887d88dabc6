//! Codes on their way to a gateway: an outbox that is part of the principal's own history.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::OPEN_MAX;
use crate::event::{Event, SmsDelivery, SmsDropReason, SmsQueued, SmsSubmitFault};
use crate::ids::{ChallengeId, StreamId, UnixMillis, Version};
use crate::sms::RouteName;

/// The last codes that were to be sent for one principal, oldest first; the oldest makes room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing(Vec<Message>);

/// A code that was to be sent, and how far it came. It is remembered longer than the code is good for, so that what
/// the gateway says late still finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The challenge that the code answers.
    pub challenge: ChallengeId,
    /// The device that it is for.
    pub device: StreamId,
    /// The principal's version when it was decided on.
    pub decision: Version,
    /// Whose turn it is first.
    pub route: RouteName,
    /// Until when it is worth sending.
    pub until: UnixMillis,
    /// How far it came.
    pub phase: Phase,
    /// Tries to hand it over that were begun.
    pub submits: u8,
    /// Tries that do not count, because it was wanted after all since.
    pub forgiven: u8,
    /// Tries of which nobody knows how they ended.
    pub unknowns: u8,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for its next try.
    Waiting,
    /// A gateway is being asked.
    Submitting {
        /// When the outcome is unknown if nothing is recorded by then.
        lease: UnixMillis,
    },
    /// A gateway has it.
    Taken,
    /// A gateway reported on it.
    Reported(SmsDelivery),
    /// It is not sent any more.
    Dropped(SmsDropReason),
}

impl Outgoing {
    /// The message of a challenge.
    #[must_use]
    pub fn message(&self, challenge: ChallengeId) -> Option<&Message> {
        self.0.iter().find(|message| message.challenge == challenge)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.0.iter()
    }

    fn find(&mut self, challenge: ChallengeId) -> Option<&mut Message> {
        self.0.iter_mut().find(|message| message.challenge == challenge)
    }

    /// Folds an event; `None` when it cannot follow, `Some(false)` when it is of something else.
    pub(super) fn fold(&mut self, event: &Event) -> Option<bool> {
        match event {
            Event::SmsQueued(queued) => {
                if self.0.len() >= OPEN_MAX {
                    self.0.remove(0);
                }
                self.0.push(Message::queued(queued));
            }
            Event::SmsSubmitting(submitting) => {
                let message = self.find(submitting.challenge)?;
                message.submits = submitting.submit;
                message.phase = Phase::Submitting { lease: submitting.lease };
            }
            Event::SmsSubmitted(submitted) => {
                self.submit_ended(submitted.challenge, submitted.submit)?.phase = Phase::Taken
            }
            Event::SmsSubmitFailed(failed) => {
                let message = self.submit_ended(failed.challenge, failed.submit)?;
                if failed.fault == SmsSubmitFault::Unknown {
                    message.unknowns = message.unknowns.saturating_add(1);
                }
                message.phase = Phase::Waiting;
            }
            Event::SmsDropped(dropped) => self.find(dropped.challenge)?.phase = Phase::Dropped(dropped.reason),
            Event::SmsRedriven(redriven) => {
                let message = self.find(redriven.challenge)?;
                (message.phase, message.forgiven, message.unknowns) = (Phase::Waiting, message.submits, 0);
            }
            Event::SmsReported(reported) => self.find(reported.challenge)?.phase = Phase::Reported(reported.delivery),
            _ => return Some(false),
        }
        Some(true)
    }

    fn submit_ended(&mut self, challenge: ChallengeId, submit: u8) -> Option<&mut Message> {
        let under_way = |message: &&mut Message| matches!(message.phase, Phase::Submitting { .. });
        self.find(challenge).filter(under_way).filter(|message| message.submits == submit)
    }
}

impl Message {
    fn queued(queued: &SmsQueued) -> Self {
        let SmsQueued { challenge, device, decision, ref route, until, .. } = *queued;
        let (route, phase) = (route.clone(), Phase::Waiting);
        Self { challenge, device, decision, route, until, phase, submits: 0, forgiven: 0, unknowns: 0 }
    }
}
