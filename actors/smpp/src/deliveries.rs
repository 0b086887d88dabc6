//! What an SMSC sends by itself, and what we answer.

use std::collections::VecDeque;
use std::fmt;

use countersign::SmsReceipt;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use rusmpp::pdus::DeliverSm;
use rusmpp::{Command, CommandId, Pdu};
use rusmppc::Event;
use rusmppc::error::Error;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::health::{SmppHealth, count};
use crate::ids::IdForm;
use crate::lively::{Answer, LivelyClient};
use crate::receipt::{self, Delivered};
use crate::settings::Settings;

/// Answers that are being written, at most. An SMSC that sends and does not read has more.
const ANSWERS_MAX: usize = 4096;

/// Why a link is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Broken,
    Silent,
    Undecodable,
    Unbound,
    Deaf,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the gateway closed it",
            Self::Broken => "the connection broke",
            Self::Silent => "the gateway does not answer",
            Self::Undecodable => "the gateway sent what cannot be decoded",
            Self::Unbound => "the gateway unbound it",
            Self::Deaf => "the gateway does not read what we answer",
        })
    }
}

/// The receiving side of a link.
pub(crate) struct Deliveries<'a> {
    client: LivelyClient,
    receipts: mpsc::Sender<SmsReceipt>,
    health: &'a watch::Sender<SmppHealth>,
    ids: IdForm,
    /// Receipts that are not acknowledged yet, because nobody took those before them.
    held: VecDeque<(u32, SmsReceipt)>,
    held_max: usize,
}

impl<'a> Deliveries<'a> {
    pub(crate) fn new(
        client: LivelyClient,
        receipts: mpsc::Sender<SmsReceipt>,
        settings: &Settings,
        health: &'a watch::Sender<SmppHealth>,
    ) -> Self {
        let (held, held_max) = (VecDeque::new(), settings.receipts_max);
        Self { client, receipts, health, ids: settings.ids, held, held_max }
    }

    /// Takes what comes until the link ends. Commands are taken off the client at once, always: its queue has no bound.
    pub(crate) async fn serve(mut self, mut events: impl Stream<Item = Event> + Unpin) -> Ended {
        let mut answers = FuturesUnordered::new();
        let receipts = self.receipts.clone();
        loop {
            let next = tokio::select! {
                Some(written) = answers.next() => match written {
                    Ok(()) => continue,
                    Err(_) => return Ended::Broken,
                },
                permit = receipts.reserve(), if !self.held.is_empty() => match (permit, self.held.pop_front()) {
                    (Ok(permit), Some((number, receipt))) => {
                        permit.send(receipt);
                        Some(Answer::Taken(number))
                    }
                    // Nobody will take receipts any more; the end of the transport is near.
                    _ => None,
                },
                event = events.next() => match event {
                    None => return Ended::Broken,
                    Some(Event::Error(cause)) => return ended(&cause),
                    Some(Event::Incoming(command)) => self.take(command),
                },
            };
            if let Some(Answer::Unbound(_)) = next {
                answers.extend(next.map(|next| self.client.clone().answer(next)));
                while answers.next().await.is_some_and(|written| written.is_ok()) {}
                return Ended::Unbound;
            }
            answers.extend(next.map(|next| self.client.clone().answer(next)));
            if answers.len() > ANSWERS_MAX {
                return Ended::Deaf;
            }
        }
    }

    /// What is answered to a command, if it is answered now.
    fn take(&mut self, command: Command) -> Option<Answer> {
        let number = command.sequence_number();
        match command.id() {
            CommandId::EnquireLink => Some(Answer::Alive(number)),
            CommandId::Unbind => Some(Answer::Unbound(number)),
            CommandId::DeliverSm => match command.pdu() {
                Some(Pdu::DeliverSm(deliver)) => self.deliver(number, deliver),
                _ => self.unclear(number),
            },
            // Answers that came too late, and news of phones that we did not ask for.
            id if id.is_response() => None,
            CommandId::AlertNotification | CommandId::Outbind => None,
            _ => Some(Answer::NotUnderstood(number)),
        }
    }

    fn unclear(&self, number: u32) -> Option<Answer> {
        count(self.health, |health| &mut health.unclear);
        tracing::debug!("a receipt cannot be understood");
        Some(Answer::Taken(number))
    }

    fn deliver(&mut self, number: u32, deliver: &DeliverSm) -> Option<Answer> {
        match receipt::read(deliver, self.ids) {
            Delivered::Receipt(receipt) => self.pass(number, receipt),
            Delivered::Unclear => self.unclear(number),
            Delivered::Message => {
                count(self.health, |health| &mut health.messages);
                Some(Answer::Taken(number))
            }
        }
    }

    /// Passes a receipt on, or holds it back unanswered, or asks for it later.
    fn pass(&mut self, number: u32, receipt: SmsReceipt) -> Option<Answer> {
        tracing::debug!(message_id = receipt.message_id, delivery = ?receipt.delivery, "a receipt came");
        if self.held.is_empty() {
            match self.receipts.try_send(receipt) {
                Ok(()) => return Some(Answer::Taken(number)),
                Err(TrySendError::Full(receipt)) => self.held.push_back((number, receipt)),
                Err(TrySendError::Closed(_)) => {}
            }
            return None;
        }
        if self.held.len() < self.held_max {
            self.held.push_back((number, receipt));
            return None;
        }
        count(self.health, |health| &mut health.put_off);
        Some(Answer::Later(number))
    }
}

fn ended(cause: &Error) -> Ended {
    match cause {
        Error::ConnectionClosedByPeer => Ended::Closed,
        Error::EnquireLinkTimeout { .. } => Ended::Silent,
        Error::Decode(_) => Ended::Undecodable,
        _ => Ended::Broken,
    }
}
