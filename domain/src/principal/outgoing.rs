//! Codes on their way to a gateway: an outbox that is part of the principal's own history.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{OPEN_MAX, SentCode};
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
    /// How often it was wanted after all.
    pub redriven: u8,
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
    pub(super) fn fold(&mut self, event: &Event, codes: &[SentCode]) -> Option<bool> {
        match event {
            Event::SmsQueued(queued) => {
                let same = |sent: &&SentCode| sent.id == queued.challenge && sent.device == queued.device;
                codes.iter().find(same).filter(|sent| sent.until == queued.until)?;
                if self.message(queued.challenge).is_some() {
                    return None;
                }
                if self.0.len() >= OPEN_MAX {
                    self.0.remove(0);
                }
                self.0.push(Message::queued(queued));
            }
            Event::SmsSubmitting(submitting) => {
                let message = self.waiting(submitting.challenge)?;
                message.submits = message.submits.checked_add(1).filter(|number| *number == submitting.submit)?;
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
            Event::SmsDropped(dropped) => self.waiting(dropped.challenge)?.phase = Phase::Dropped(dropped.reason),
            Event::SmsRedriven(redriven) => {
                let given_up = |message: &&mut Message| matches!(message.phase, Phase::Dropped(_));
                let message = self.find(redriven.challenge).filter(given_up)?;
                (message.phase, message.forgiven, message.unknowns) = (Phase::Waiting, message.submits, 0);
                message.redriven = message.redriven.saturating_add(1);
            }
            Event::SmsReported(reported) => {
                let message = self.find(reported.challenge).filter(|message| message.is_news(reported.delivery))?;
                message.phase = Phase::Reported(reported.delivery);
            }
            _ => return Some(false),
        }
        Some(true)
    }

    fn waiting(&mut self, challenge: ChallengeId) -> Option<&mut Message> {
        self.find(challenge).filter(|message| message.phase == Phase::Waiting)
    }

    fn submit_ended(&mut self, challenge: ChallengeId, submit: u8) -> Option<&mut Message> {
        let under_way = |message: &&mut Message| matches!(message.phase, Phase::Submitting { .. });
        self.find(challenge).filter(under_way).filter(|message| message.submits == submit)
    }
}

impl Message {
    /// Whether a report says more than is known. It proves that the message was taken, whatever the tries came to; of
    /// one that was never tried it can say nothing.
    #[must_use]
    pub fn is_news(&self, delivery: SmsDelivery) -> bool {
        match self.phase {
            Phase::Reported(known) => !known.is_final() && delivery > known,
            _ => self.submits > 0,
        }
    }

    fn queued(queued: &SmsQueued) -> Self {
        let SmsQueued { challenge, device, decision, ref route, until, .. } = *queued;
        let (route, phase) = (route.clone(), Phase::Waiting);
        Self { challenge, device, decision, route, until, phase, submits: 0, forgiven: 0, redriven: 0, unknowns: 0 }
    }
}
