//! What an SMSC sends by itself, and what we answer.

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
use crate::inbox::{Acknowledgement, Held};
use crate::lively::{Answer, LivelyClient};
use crate::receipt::{self, Delivered};

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
    receipts: mpsc::Sender<Held>,
    health: &'a watch::Sender<SmppHealth>,
    ids: IdForm,
    /// Where receipts of this link are acknowledged.
    acknowledge: mpsc::UnboundedSender<u32>,
    acknowledged: mpsc::UnboundedReceiver<u32>,
}

impl<'a> Deliveries<'a> {
    pub(crate) fn new(
        client: LivelyClient,
        receipts: mpsc::Sender<Held>,
        ids: IdForm,
        health: &'a watch::Sender<SmppHealth>,
    ) -> Self {
        let (acknowledge, acknowledged) = mpsc::unbounded_channel();
        Self { client, receipts, health, ids, acknowledge, acknowledged }
    }

    /// Takes what comes until the link ends. Commands are taken off the client at once, always: its queue has no bound.
    pub(crate) async fn serve(mut self, mut events: impl Stream<Item = Event> + Unpin) -> Ended {
        let mut answers = FuturesUnordered::new();
        loop {
            let next = tokio::select! {
                Some(written) = answers.next() => match written {
                    Ok(()) => continue,
                    Err(_) => return Ended::Broken,
                },
                Some(number) = self.acknowledged.recv() => Some(Answer::Taken(number)),
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
    fn take(&self, command: Command) -> Option<Answer> {
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

    fn deliver(&self, number: u32, deliver: &DeliverSm) -> Option<Answer> {
        match receipt::read(deliver, self.ids) {
            Delivered::Receipt(receipt) => self.pass(number, receipt),
            Delivered::Unclear => self.unclear(number),
            Delivered::Message => {
                count(self.health, |health| &mut health.messages);
                Some(Answer::Taken(number))
            }
        }
    }

    /// Passes a receipt on, unanswered until it is recorded, or asks for it later.
    fn pass(&self, number: u32, receipt: SmsReceipt) -> Option<Answer> {
        tracing::debug!(message_id = receipt.message_id, delivery = ?receipt.delivery, "a receipt came");
        let acknowledgement = Acknowledgement::new(number, self.acknowledge.clone());
        match self.receipts.try_send(Held { receipt, acknowledgement }) {
            // Nobody will take receipts any more when it is closed; the end of the transport is near.
            Ok(()) | Err(TrySendError::Closed(_)) => None,
            Err(TrySendError::Full(_)) => {
                count(self.health, |health| &mut health.put_off);
                Some(Answer::Later(number))
            }
        }
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
