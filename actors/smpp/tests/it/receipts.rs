//! What the SMSC says of a message later.

use countersign::{SmsDelivery, SmsReceipt, SmsTransport};
use smpp34::TlvTag;

use crate::smsc::{Plan, Smsc};
use crate::support::{NUMBER, TEXT, bound, bound_twice, config, message, recorded, soon, submitted};

fn receipt(id: &str, delivery: SmsDelivery) -> Option<SmsReceipt> {
    Some(SmsReceipt { message_id: id.to_owned(), delivery })
}

#[tokio::test]
async fn a_receipt_is_passed_on_and_acknowledged() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    let (first, second) = (smsc.receipt("0", 2).await, smsc.receipt("0", 5).await);
    assert_eq!(soon(transport.receipt()).await, receipt("0", SmsDelivery::Delivered));
    assert_eq!(soon(transport.receipt()).await, receipt("0", SmsDelivery::Undeliverable));
    assert_eq!(soon(first).await.unwrap(), 0);
    recorded(&transport);
    assert_eq!(soon(second).await.unwrap(), 0);
}

#[tokio::test]
async fn a_receipt_of_text_is_read() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let text = b"id:00A1 sub:001 dlvrd:000 submit date:2611221305 done date:2611221306 stat:EXPIRED err:027 text:1234";
    smsc.delivering(|delivery| delivery.esm_class(4).short_message(&text[..])).await;
    assert_eq!(soon(transport.receipt()).await, receipt("00A1", SmsDelivery::Expired));
    // The same in the payload parameter.
    let payload = b"id:00A2 stat:REJECTD".to_vec();
    smsc.delivering(|delivery| delivery.esm_class(4).tlv(TlvTag::MessagePayload, payload)).await;
    assert_eq!(soon(transport.receipt()).await, receipt("00A2", SmsDelivery::Rejected));
}

#[tokio::test]
async fn receipts_come_twice_and_late() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    for _ in 0..2 {
        soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    }
    for id in ["1", "0", "0"] {
        let delivered = smsc.receipt(id, 2).await;
        assert_eq!(soon(transport.receipt()).await, receipt(id, SmsDelivery::Delivered));
        recorded(&transport);
        assert_eq!(soon(delivered).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_receipt_may_come_before_the_answer() {
    let smsc = Smsc::start(|_, number| Plan::Hold(number.to_string())).await;
    let transport = bound(config(smsc.port)).await;
    let submit = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    let delivered = smsc.receipt("0", 2).await;
    assert_eq!(soon(transport.receipt()).await, receipt("0", SmsDelivery::Delivered));
    recorded(&transport);
    assert_eq!(soon(delivered).await.unwrap(), 0);
    assert!(!submit.is_finished());
    smsc.go(1);
    assert_eq!(soon(submit).await.unwrap().unwrap().message_id.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_is_no_receipt_is_acknowledged_and_dropped() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    assert_eq!(smsc.deliver(|delivery| delivery.short_message(&b"STOP"[..])).await, 0);
    assert_eq!(smsc.deliver(|delivery| delivery.esm_class(4).short_message(&b"\xff\x00junk"[..])).await, 0);
    assert_eq!(smsc.deliver(|delivery| delivery.esm_class(4)).await, 0);
    assert_eq!(soon(smsc.receipt("", 2).await).await.unwrap(), 0);
    smsc.receipt("7", 2).await;
    assert_eq!(soon(transport.receipt()).await, receipt("7", SmsDelivery::Delivered));
    assert_eq!((transport.health().messages, transport.health().unclear, transport.health().losses), (1, 3, 0));
}

#[tokio::test]
async fn two_binds_share_the_work() {
    let smsc = Smsc::accepting().await;
    let transport = bound_twice(smsc.port).await;
    assert_eq!(smsc.counts().binds, 2);
    soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    // This SMSC takes no answers from a receiver, so the one to this is looked at elsewhere.
    smsc.receipt("0", 2).await;
    assert_eq!(soon(transport.receipt()).await, receipt("0", SmsDelivery::Delivered));
}
