//! Receipts that are not recorded yet: they stay with the SMSC.

use std::sync::Arc;

use countersign::{SmsDelivery, SmsTransport};
use countersign_smpp::{BindMode, SmppConfig, SmppTransport};

use crate::raw::{DELIVER, ENQUIRE, Listener, Peer, RESPONSE, UNBIND};
use crate::smsc::Smsc;
use crate::support::{NUMBER, TEXT, bound, config, message, recorded, soon};

/// `ESME_RX_T_APPN`: deliver it later.
const LATER: u32 = 0x64;

async fn next(transport: &SmppTransport) -> String {
    let receipt = soon(transport.receipt()).await.unwrap();
    assert_eq!(receipt.delivery, SmsDelivery::Delivered);
    receipt.message_id
}

/// What was sent on the link before this is dealt with, and nothing of it is answered.
async fn nothing_is_answered(link: &mut Peer) {
    link.write(ENQUIRE, 0, 70, b"").await;
    let answer = link.read().await.unwrap();
    assert_eq!((answer.id, answer.number), (ENQUIRE | RESPONSE, 70));
}

async fn is_acknowledged(link: &mut Peer, number: u32) {
    let answer = link.read().await.unwrap();
    assert_eq!((answer.id, answer.status, answer.number), (DELIVER | RESPONSE, 0, number));
}

#[tokio::test]
async fn a_receipt_is_acknowledged_when_the_next_one_is_asked_for() {
    let smsc = Listener::start().await;
    let transport = SmppTransport::start(config(smsc.port())).unwrap();
    let mut link = smsc.bound().await;
    link.receipt(1, b"a\0").await;
    link.receipt(2, b"b\0").await;
    nothing_is_answered(&mut link).await;
    assert_eq!(next(&transport).await, "a");
    nothing_is_answered(&mut link).await;
    assert_eq!(next(&transport).await, "b");
    is_acknowledged(&mut link, 1).await;
    nothing_is_answered(&mut link).await;
    // Whether there is a next one does not matter, and it is done once.
    recorded(&transport);
    is_acknowledged(&mut link, 2).await;
    recorded(&transport);
    nothing_is_answered(&mut link).await;
}

#[tokio::test]
async fn a_receipt_comes_again_when_the_link_breaks_before() {
    for bind in [BindMode::Transceiver, BindMode::Separate] {
        let smsc = Listener::start().await;
        let transport = SmppTransport::start(SmppConfig { bind, ..config(smsc.port()) }).unwrap();
        let first = smsc.bound().await;
        // The one that stays is kept to the end.
        let (mut link, _other) = match (bind, first.bind) {
            (BindMode::Transceiver, _) => (first, None),
            (BindMode::Separate, 1) => (first, Some(smsc.bound().await)),
            (BindMode::Separate, _) => (smsc.bound().await, Some(first)),
        };
        link.receipt(1, b"a\0").await;
        assert_eq!(next(&transport).await, "a");
        drop(link);
        let mut link = smsc.bound().await;
        // Nobody wants to know any more that it is recorded, on another link least of all.
        recorded(&transport);
        nothing_is_answered(&mut link).await;
        link.receipt(7, b"a\0").await;
        assert_eq!(next(&transport).await, "a");
        nothing_is_answered(&mut link).await;
        recorded(&transport);
        is_acknowledged(&mut link, 7).await;
    }
}

#[tokio::test]
async fn the_end_of_the_transport_leaves_the_last_one_unacknowledged() {
    for is_dropped in [true, false] {
        let smsc = Listener::start().await;
        let transport = SmppTransport::start(config(smsc.port())).unwrap();
        let mut link = smsc.bound().await;
        for (number, id) in [(1, b"a\0"), (2, b"b\0"), (3, b"c\0")] {
            link.receipt(number, id).await;
        }
        nothing_is_answered(&mut link).await;
        assert_eq!((next(&transport).await, next(&transport).await), ("a".to_owned(), "b".to_owned()));
        is_acknowledged(&mut link, 1).await;
        let closed = transport.closed();
        let transport = if is_dropped {
            drop(transport);
            None
        } else {
            transport.close();
            Some(transport)
        };
        let farewell = link.read().await.unwrap();
        assert_eq!(farewell.id, UNBIND);
        link.write(UNBIND | RESPONSE, 0, farewell.number, b"").await;
        assert!(link.read().await.is_none());
        soon(closed).await;
        if let Some(transport) = transport {
            assert_eq!(next(&transport).await, "c");
            assert_eq!(soon(transport.receipt()).await, None);
        }
    }
}

#[tokio::test]
async fn what_is_no_receipt_does_not_wait_for_those_that_are() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let held = smsc.receipt("1", 2).await;
    assert_eq!(smsc.deliver(|delivery| delivery.short_message(&b"STOP"[..])).await, 0);
    assert_eq!(smsc.deliver(|delivery| delivery.esm_class(4).short_message(&b"junk"[..])).await, 0);
    assert!(!held.is_finished());
    assert_eq!(next(&transport).await, "1");
    recorded(&transport);
    assert_eq!(soon(held).await.unwrap(), 0);
}

#[tokio::test]
async fn too_many_are_put_off() {
    let smsc = Arc::new(Smsc::accepting().await);
    let transport = bound(SmppConfig { receipts_max: 2, ..config(smsc.port) }).await;
    let (first, second) = (smsc.receipt("1", 2).await, smsc.receipt("2", 2).await);
    let third = smsc.receipt("3", 2).await;
    assert_eq!((soon(third).await.unwrap(), transport.health().put_off), (LATER, 1));
    assert!(!first.is_finished() && !second.is_finished());
    // Messages are not held up.
    soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    assert_eq!(next(&transport).await, "1");
    let third = smsc.receipt("3", 2).await;
    for id in ["2", "3"] {
        assert_eq!(next(&transport).await, id);
    }
    recorded(&transport);
    for answered in [first, second, third] {
        assert_eq!(soon(answered).await.unwrap(), 0);
    }
}
