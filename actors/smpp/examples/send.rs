//! Sends one message through an SMSC, and waits for its receipt.
//!
//! ```sh
//! SMPP_ADDRESS=smpp://127.0.0.1:2775 SMPP_PASSWORD=secret08 SMPP_TO=+15550101200 \
//!     cargo run -p countersign-smpp --example send
//! ```
//!
//! `SMPP_SYSTEM_ID`, `SMPP_SOURCE`, `SMPP_TEXT` and `SMPP_ROOTS` (a file of PEM) may be set as well, and
//! `SMPP_SEPARATE` for two binds. Set `SMPP_TO` to your own phone, and mind what it costs.

use std::env;
use std::error::Error;
use std::time::Duration;

use countersign::{ChallengeId, Code, PhoneNumber, SmsKey, SmsMessage, SmsTransport, StreamId, UnixMillis, Version};
use countersign_smpp::{BindMode, SmppConfig, SmppTransport};
use tokio::time::timeout;
use zeroize::Zeroizing;

fn or(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn config() -> Result<SmppConfig, Box<dyn Error>> {
    let (system_id, source) = (or("SMPP_SYSTEM_ID", "countersign"), or("SMPP_SOURCE", "Countersign"));
    let mut config = SmppConfig::new(env::var("SMPP_ADDRESS")?, system_id, or("SMPP_PASSWORD", ""), source);
    if env::var_os("SMPP_SEPARATE").is_some() {
        config.bind = BindMode::Separate;
    }
    if let Some(roots) = env::var_os("SMPP_ROOTS") {
        config.roots_pem = Some(std::fs::read(roots)?);
    }
    Ok(config)
}

fn message() -> Result<SmsMessage, Box<dyn Error>> {
    let text = or("SMPP_TEXT", "123456 is your code. Do not share it.\n\n@signin.example.com #123456");
    let life = Duration::from_secs(600);
    Ok(SmsMessage {
        to: PhoneNumber::parse(&env::var("SMPP_TO")?)?,
        text: Zeroizing::new(text),
        code: Code::parse("123456")?,
        challenge: ChallengeId::from_bytes([1; 16]),
        key: SmsKey { principal: StreamId::from_bytes([1; 16]), version: Version(1) },
        until: UnixMillis(600_000),
        life,
    })
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example may talk")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (transport, message) = (SmppTransport::start(config()?)?, message()?);
    let bound = transport.wait_for(|health| health.submits && health.receipts);
    let bound = timeout(Duration::from_secs(10), bound).await;
    println!("health: {:?}", transport.health());
    bound.map_err(|_| "the gateway does not let us in")?;
    let outcome = transport.submit(message).await;
    println!("outcome: {outcome:?}");
    if outcome.is_ok_and(|accepted| accepted.message_id.is_some()) {
        let receipt = timeout(Duration::from_secs(10), transport.receipt()).await;
        println!("receipt: {receipt:?}");
        // It is acknowledged when the next one is asked for, and would come again otherwise.
        let _none = timeout(Duration::from_millis(500), transport.receipt()).await;
    }
    transport.close();
    transport.closed().await;
    Ok(())
}
