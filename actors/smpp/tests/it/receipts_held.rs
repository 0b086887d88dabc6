//! Receipts that nobody takes.

use std::sync::Arc;

use countersign::{SmsDelivery, SmsTransport};
use countersign_smpp::SmppConfig;

use crate::smsc::Smsc;
use crate::support::{NUMBER, TEXT, bound, config, message, soon};

/// `ESME_RX_T_APPN`: deliver it later.
const LATER: u32 = 0x64;

#[tokio::test]
async fn they_stay_with_the_smsc() {
    let smsc = Arc::new(Smsc::accepting().await);
    let transport = bound(SmppConfig { receipts_max: 2, ..config(smsc.port) }).await;
    for id in ["1", "2"] {
        assert_eq!(smsc.receipt(id, 2).await, 0);
    }
    // The next two are not answered; the one after them is turned away, so they have been seen.
    let deliver = |id: &'static str| {
        let smsc = Arc::clone(&smsc);
        tokio::spawn(async move { smsc.receipt(id, 2).await })
    };
    let third = deliver("3");
    tokio::task::yield_now().await;
    let fourth = deliver("4");
    tokio::task::yield_now().await;
    let mut later = 0;
    while transport.health().put_off == 0 {
        assert_eq!(smsc.receipt("5", 2).await, LATER);
        later += 1;
    }
    assert_eq!(later, 1);
    assert!(!third.is_finished() && !fourth.is_finished());
    // Messages are not held up.
    soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    for id in ["1", "2", "3", "4"] {
        let receipt = soon(transport.receipt()).await.unwrap();
        assert_eq!((receipt.message_id.as_str(), receipt.delivery), (id, SmsDelivery::Delivered));
    }
    assert_eq!((soon(third).await.unwrap(), soon(fourth).await.unwrap()), (0, 0));
    assert_eq!(smsc.receipt("5", 2).await, 0);
    assert_eq!(soon(transport.receipt()).await.unwrap().message_id, "5");
}
