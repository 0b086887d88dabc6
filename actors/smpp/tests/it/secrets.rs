//! What the log says, and what it does not say.

use std::io;
use std::sync::{Arc, Mutex};

use countersign::SmsTransport;
use countersign_smpp::{SmppConfig, SmppTransport};
use tracing_subscriber::fmt::MakeWriter;
use zeroize::Zeroizing;

use crate::raw::Listener;
use crate::smsc::Smsc;
use crate::support::{PASSWORD, bound, config, message, recorded, soon};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With everything logged that there is, by every crate.
#[tokio::test]
async fn neither_numbers_nor_texts_nor_passwords_are_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.with_writer(log.clone()).finish()).unwrap();
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let text = "Kirschkernkissen 987654";
    soon(transport.submit(message("+4915550199887", text))).await.unwrap();
    let delivered = smsc.delivering(|delivery| delivery.esm_class(4).short_message(&b"id:0 stat:DELIVRD"[..])).await;
    soon(transport.receipt()).await.unwrap();
    recorded(&transport);
    assert_eq!(soon(delivered).await.unwrap(), 0);
    let password = Zeroizing::new("passwrt9".to_owned());
    let wrong = SmppTransport::start(SmppConfig { password, ..config(smsc.port) }).unwrap();
    soon(wrong.wait_for(|health| health.refusals >= 1)).await;
    let raw = Listener::start().await;
    let poisoned = SmppTransport::start(config(raw.port())).unwrap();
    let mut link = raw.bound().await;
    link.receipt(1, b"12345").await;
    soon(poisoned.wait_for(|health| health.decode_errors >= 1)).await;

    let shown = format!("{transport:?} {:?} {:?}", config(1), message("+4915550199887", text));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap() + &shown;
    for expected in ["bound to the gateway", "refuses the bind", "cannot be decoded", "message_id=\"0\"", "9887"] {
        assert!(log.contains(expected), "{expected}");
    }
    let bytes = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    for secret in ["4915550199887", "15550199", "Kirschkern", "987654", PASSWORD, "passwrt9"] {
        assert!(!log.contains(secret), "{secret}");
        for separator in ["", " ", ", "] {
            assert!(!log.to_lowercase().contains(&bytes(secret).join(separator)), "{secret}");
        }
    }
}
