//! Messages, setups, and a wait that ends.

use std::sync::Arc;
use std::time::Duration;

use countersign::{ChallengeId, Code, PhoneNumber, SmsKey, SmsMessage, SmsTransport, StreamId, UnixMillis, Version};
use countersign_smpp::{BindMode, SmppConfig, SmppTransport};
use futures_util::FutureExt as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

pub const PASSWORD: &str = "secret08";
pub const TEXT: &str = "123456 is your code. Do not share it.\n\n@signin.example.com #123456";
pub const LIFE: Duration = Duration::from_secs(600);
pub const NUMBER: &str = "+15550101234";

/// Waits for what must happen soon.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it did not happen")
}

pub fn message(to: &str, text: &str) -> SmsMessage {
    SmsMessage {
        to: PhoneNumber::parse(to).unwrap(),
        text: Zeroizing::new(text.to_owned()),
        code: Code::parse("123456").unwrap(),
        challenge: ChallengeId::from_bytes([7; 16]),
        key: SmsKey { principal: StreamId::from_bytes([1; 16]), version: Version(3) },
        until: UnixMillis(600_000),
        life: LIFE,
    }
}

/// A setup that loses no time.
pub fn config(port: u16) -> SmppConfig {
    SmppConfig {
        pause_min: Duration::from_millis(10),
        pause_max: Duration::from_millis(100),
        response_time_max: Duration::from_secs(10),
        ..SmppConfig::new(format!("smpp://127.0.0.1:{port}"), "countersign", PASSWORD, "Countersign")
    }
}

/// A transport whose links are all bound.
pub async fn bound(config: SmppConfig) -> Arc<SmppTransport> {
    let transport = SmppTransport::start(config).unwrap();
    soon(transport.wait_for(|health| health.submits && health.receipts)).await;
    transport
}

pub async fn bound_twice(port: u16) -> Arc<SmppTransport> {
    bound(SmppConfig { bind: BindMode::Separate, ..config(port) }).await
}

/// Submits in the background.
pub fn submitted(
    transport: &Arc<SmppTransport>,
    to: &str,
) -> tokio::task::JoinHandle<Result<countersign::SmsAccepted, countersign::SmsFailure>> {
    submitted_for(transport, to, LIFE)
}

/// Submits in the background what lives so long.
pub fn submitted_for(
    transport: &Arc<SmppTransport>,
    to: &str,
    life: Duration,
) -> tokio::task::JoinHandle<Result<countersign::SmsAccepted, countersign::SmsFailure>> {
    let (transport, message) = (Arc::clone(transport), SmsMessage { life, ..message(to, TEXT) });
    tokio::spawn(async move { transport.submit(message).await })
}

/// Asks for the next receipt, of which there is none, as when the one before was recorded.
pub fn recorded(transport: &SmppTransport) {
    assert_eq!(transport.receipt().now_or_never(), None);
}

/// Stands between the transport and an SMSC: cuts links, and speaks TLS.
pub struct Relay {
    pub port: u16,
    cuts: watch::Sender<u32>,
    to: watch::Sender<u16>,
}

impl Relay {
    pub async fn start(to: u16, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, cut) = watch::channel(0);
        let (to, way) = watch::channel(to);
        tokio::spawn(async move {
            while let Ok((link, _)) = listener.accept().await {
                let (tls, mut cut, to) = (tls.clone(), cut.clone(), *way.borrow());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut smsc) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    let mut link = link;
                    let relayed = async {
                        match tls {
                            None => drop(copy_bidirectional(&mut link, &mut smsc).await),
                            Some(tls) => {
                                if let Ok(mut link) = tls.accept(link).await {
                                    let _ = copy_bidirectional(&mut link, &mut smsc).await;
                                }
                            }
                        }
                    };
                    tokio::select! { () = relayed => {}, _ = cut.changed() => {} }
                });
            }
        });
        Self { port, cuts, to }
    }

    /// Leads new links elsewhere.
    pub fn lead_to(&self, port: u16) {
        self.to.send_replace(port);
    }

    /// Breaks all links that are there.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}
