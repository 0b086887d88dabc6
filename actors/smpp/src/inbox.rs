//! Receipts on their way from a link to the engine, and their acknowledgements on the way back.

use countersign::SmsReceipt;
use tokio::sync::mpsc;

/// Has the `deliver_sm` of one receipt answered, on the link that it came by. Dropped, it leaves it unanswered, and the
/// SMSC delivers the receipt again.
pub(crate) struct Acknowledgement {
    number: u32,
    /// It never holds more than the inbox did: a receipt is acknowledged once.
    link: mpsc::UnboundedSender<u32>,
}

impl Acknowledgement {
    pub(crate) const fn new(number: u32, link: mpsc::UnboundedSender<u32>) -> Self {
        Self { number, link }
    }

    fn send(self) {
        // When the link is gone the receipt comes again, on another one.
        let _ = self.link.send(self.number);
    }
}

/// A receipt that the SMSC keeps until it is acknowledged.
pub(crate) struct Held {
    pub receipt: SmsReceipt,
    pub acknowledgement: Acknowledgement,
}

/// The engine's end.
pub(crate) struct Inbox {
    waiting: mpsc::Receiver<Held>,
    /// That of the receipt which was taken last, and may not be recorded yet.
    last: Option<Acknowledgement>,
}

impl Inbox {
    pub(crate) const fn new(waiting: mpsc::Receiver<Held>) -> Self {
        Self { waiting, last: None }
    }

    /// Acknowledges the receipt that was taken before, and waits for the next one. Dropped half-way, it takes none.
    pub(crate) async fn next(&mut self) -> Option<SmsReceipt> {
        if let Some(last) = self.last.take() {
            last.send();
        }
        let Held { receipt, acknowledgement } = self.waiting.recv().await?;
        self.last = Some(acknowledgement);
        Some(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::SmsDelivery;
    use futures_util::FutureExt as _;

    #[test]
    fn a_receipt_is_acknowledged_when_the_next_one_is_asked_for() {
        let (sender, waiting) = mpsc::channel(2);
        let (link, mut acknowledged) = mpsc::unbounded_channel();
        let mut inbox = Inbox::new(waiting);
        let held = |number: u32| Held {
            receipt: SmsReceipt { message_id: number.to_string(), delivery: SmsDelivery::Delivered },
            acknowledgement: Acknowledgement::new(number, link.clone()),
        };
        let mut next = || inbox.next().now_or_never().map(|receipt| receipt.map(|receipt| receipt.message_id));
        assert!(sender.try_send(held(1)).is_ok() && sender.try_send(held(2)).is_ok());
        assert_eq!((next(), acknowledged.try_recv().ok()), (Some(Some("1".to_owned())), None));
        assert_eq!((next(), acknowledged.try_recv().ok()), (Some(Some("2".to_owned())), Some(1)));
        // Nobody waits until one comes.
        assert_eq!((next(), acknowledged.try_recv().ok()), (None, Some(2)));
        assert_eq!((next(), acknowledged.try_recv().ok()), (None, None));
        assert!(sender.try_send(held(3)).is_ok());
        drop(sender);
        assert_eq!(next(), Some(Some("3".to_owned())));
        drop(inbox);
        drop(link);
        assert_eq!(acknowledged.blocking_recv(), None);
    }
}
