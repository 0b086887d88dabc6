//! Links that come and go, and the thread that keeps them.

use std::sync::Arc;
use std::time::Duration;

use countersign::{SmsFailure, SmsTransport};
use countersign_smpp::{SmppConfig, SmppTransport};
use zeroize::Zeroizing;

use crate::smsc::{Plan, Smsc};
use crate::support::{NUMBER, Relay, TEXT, bound, bound_twice, config, message, recorded, soon, submitted};

#[tokio::test]
async fn a_wrong_password_is_tried_again_slowly() {
    let smsc = Smsc::accepting().await;
    let password = Zeroizing::new("wrong".to_owned());
    let (pause_min, pause_max) = (Duration::from_millis(10), Duration::from_secs(3600));
    let transport = SmppTransport::start(SmppConfig { password, pause_min, pause_max, ..config(smsc.port) }).unwrap();
    let health = soon(transport.wait_for(|health| health.refusals == 1)).await;
    assert!(!health.submits && !health.receipts && health.binds == 0);
    assert_eq!(soon(transport.submit(message(NUMBER, TEXT))).await, Err(SmsFailure::Unavailable));
    // The next try is half an hour away, and closing does not wait for it.
    transport.close();
    soon(transport.closed()).await;
    assert_eq!(smsc.counts().refused, 1);
}

#[tokio::test]
async fn a_wrong_password_is_tried_again() {
    let smsc = Smsc::accepting().await;
    let password = Zeroizing::new("wrong".to_owned());
    let transport = SmppTransport::start(SmppConfig { password, ..config(smsc.port) }).unwrap();
    soon(transport.wait_for(|health| health.refusals >= 3)).await;
}

#[tokio::test]
async fn the_smsc_may_come_later() {
    // Connections are taken and dropped until the SMSC is there.
    let relay = Relay::start(1, None).await;
    let transport = SmppTransport::start(config(relay.port)).unwrap();
    soon(transport.wait_for(|health| health.failures >= 2)).await;
    assert_eq!(transport.health().binds, 0);
    let smsc = Smsc::accepting().await;
    relay.lead_to(smsc.port);
    soon(transport.wait_for(|health| health.submits && health.receipts)).await;
}

#[tokio::test]
async fn a_link_that_breaks_before_the_answer_leaves_the_message_unknown() {
    let smsc = Smsc::start(|_, number| if number == 0 { Plan::Never } else { Plan::Accept(number.to_string()) }).await;
    let relay = Relay::start(smsc.port, None).await;
    let transport = bound(config(relay.port)).await;
    let submit = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    relay.cut();
    assert_eq!(soon(submit).await.unwrap(), Err(SmsFailure::Unknown));
    let health = soon(transport.wait_for(|health| health.binds == 2 && health.submits)).await;
    assert_eq!((health.losses, health.decode_errors), (1, 0));
    let accepted = soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    assert_eq!(accepted.message_id.as_deref(), Some("1"));
}

#[tokio::test]
async fn receipts_come_on_the_new_link() {
    let smsc = Smsc::accepting().await;
    let relay = Relay::start(smsc.port, None).await;
    let transport = bound(config(relay.port)).await;
    relay.cut();
    soon(transport.wait_for(|health| health.binds == 2 && health.receipts)).await;
    smsc.until(|counts| counts.unbinds == 1).await;
    let delivered = smsc.receipt("9", 2).await;
    assert_eq!(soon(transport.receipt()).await.unwrap().message_id, "9");
    recorded(&transport);
    assert_eq!(soon(delivered).await.unwrap(), 0);
}

#[tokio::test]
async fn dropping_the_transport_ends_its_thread_and_its_links() {
    let smsc = Smsc::accepting().await;
    for transport in [bound(config(smsc.port)).await, bound_twice(smsc.port).await] {
        let closed = transport.closed();
        drop(transport);
        soon(closed).await;
    }
    smsc.until(|counts| counts.unbinds == 3).await;
}

#[tokio::test]
async fn a_closed_transport_takes_and_gives_nothing() {
    let smsc = Smsc::start(|_, _| Plan::Never).await;
    let transport = bound(config(smsc.port)).await;
    // The answer to what is no receipt shows that the receipt before it is there.
    smsc.receipt("1", 2).await;
    assert_eq!(smsc.deliver(|delivery| delivery.short_message(&b"STOP"[..])).await, 0);
    let submit = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    transport.close();
    soon(transport.closed()).await;
    assert_eq!(soon(submit).await.unwrap(), Err(SmsFailure::Unknown));
    assert_eq!(soon(transport.submit(message(NUMBER, TEXT))).await, Err(SmsFailure::Unavailable));
    assert_eq!(soon(transport.receipt()).await.unwrap().message_id, "1");
    assert_eq!(soon(transport.receipt()).await, None);
    assert!(!transport.health().submits);
}

/// An engine is closed and opened again; the transport stays.
#[test]
fn it_works_for_one_runtime_after_the_other() {
    let host = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let smsc = host.block_on(Smsc::accepting());
    let transport = SmppTransport::start(config(smsc.port)).unwrap();
    for number in 0..3 {
        let transport = Arc::clone(&transport);
        let engine = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let accepted = engine.block_on(async move {
            soon(transport.wait_for(|health| health.submits)).await;
            let waiting = Arc::clone(&transport);
            let receipt = tokio::spawn(async move { waiting.receipt().await });
            tokio::task::yield_now().await;
            receipt.abort();
            soon(transport.submit(message(NUMBER, TEXT))).await
        });
        assert_eq!(accepted.unwrap().message_id, Some(number.to_string()));
    }
    assert_eq!(smsc.counts().binds, 1);
}
