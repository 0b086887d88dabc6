//! The SMSC of `tests/peers/smsc`, which is a process of its own: Node.js, with the protocol library of yet others.
//!
//! ```sh
//! npm ci --prefix tests/peers/smsc && cargo test -p countersign-smpp --test it -- --ignored
//! ```
//!
//! `NODE_PATH` names the folder of the modules when they lie elsewhere.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use countersign::{SmsDelivery, SmsFailure, SmsTransport};
use countersign_smpp::{BindMode, SmppConfig, SmppTransport};
use tokio::sync::mpsc;

use crate::support::{TEXT, config, message, recorded, soon};

struct Node {
    process: Child,
    input: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
    port: u16,
}

impl Node {
    async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/smsc/smsc.js");
        let mut command = Command::new("node");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Node.js");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (sender, mut lines) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines();
            while let Some(Ok(line)) = lines.next() {
                let _ = sender.send(line);
            }
        });
        let ready = soon(lines.recv()).await.expect("the peer does not start; are its modules installed?");
        let port = ready.strip_prefix("READY ").unwrap().parse().unwrap();
        Self { process, input, lines, port }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// The next line with all of these in it.
    async fn says(&mut self, parts: &[&str]) -> String {
        loop {
            let line = soon(self.lines.recv()).await.expect("the peer has ended");
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn delivered(transport: &SmppTransport) -> (String, SmsDelivery) {
    let receipt = soon(transport.receipt()).await.unwrap();
    (receipt.message_id, receipt.delivery)
}

#[tokio::test]
#[ignore = "needs Node.js and the modules of tests/peers/smsc"]
async fn every_behaviour_of_the_peer() {
    let mut node = Node::start().await;
    let config =
        SmppConfig { bind: BindMode::Separate, response_time_max: config(1).enquire_time_max, ..config(node.port) };
    let transport = SmppTransport::start(config).unwrap();
    soon(transport.wait_for(|health| health.submits && health.receipts)).await;
    let send = async |last: &str| {
        let outcome = soon(transport.submit(message(&format!("+155501012{last}"), TEXT))).await;
        outcome.map(|accepted| accepted.message_id.unwrap())
    };
    let throttled = Err(SmsFailure::Throttled { retry_after: None });

    let id = send("00").await.unwrap();
    let line = node.says(&["\"message\"", &id]).await;
    for expected in
        ["@signin.example.com #123456", "\"esm_class\":0", "\"data_coding\":0", "\"parts\":1", "\"accepted\""]
    {
        assert!(line.contains(expected), "{expected}: {line}");
    }
    assert_eq!(delivered(&transport).await, (id.clone(), SmsDelivery::Delivered));
    recorded(&transport);
    node.says(&["\"receipt\"", &id, "\"status\":0"]).await;

    let id = send("50").await.unwrap();
    assert_eq!(delivered(&transport).await, (id, SmsDelivery::Undeliverable));
    let id = send("51").await.unwrap();
    assert_eq!(delivered(&transport).await, (id.clone(), SmsDelivery::Delivered));
    assert_eq!(delivered(&transport).await, (id, SmsDelivery::Delivered));
    let recorded_first = async {
        let receipt = delivered(&transport).await;
        recorded(&transport);
        receipt
    };
    let (id, receipt) = tokio::join!(send("52"), recorded_first);
    assert_eq!(receipt, (id.unwrap(), SmsDelivery::Delivered));
    assert_eq!((send("53").await, send("53").await), (throttled.clone(), throttled));
    let id = send("53").await.unwrap();
    assert_eq!(delivered(&transport).await, (id, SmsDelivery::Delivered));
    assert_eq!(send("54").await, Err(SmsFailure::Unknown));

    assert_eq!(send("55").await, Err(SmsFailure::Unknown));
    soon(transport.wait_for(|health| health.binds == 3 && health.submits)).await;
    let id = send("55").await.unwrap();
    assert_eq!(delivered(&transport).await, (id, SmsDelivery::Delivered));

    let late = send("56").await.unwrap();
    let id = send("00").await.unwrap();
    let mut both = [delivered(&transport).await.0, delivered(&transport).await.0];
    both.sort();
    assert_eq!(both, [late, id]);
    let late = send("56").await.unwrap();
    node.tell("flush");
    assert_eq!(delivered(&transport).await, (late, SmsDelivery::Delivered));
    assert_eq!(send("57").await, Err(SmsFailure::InvalidNumber));

    // The links break before this one is recorded: it is kept, and comes again.
    let id = send("00").await.unwrap();
    assert_eq!(delivered(&transport).await, (id.clone(), SmsDelivery::Delivered));
    node.tell("down 2");
    node.says(&["\"receipt\"", &id, "\"status\":null"]).await;
    node.says(&["\"bind\"", "\"accepted\":false"]).await;
    node.says(&["\"bind\"", "\"accepted\":false"]).await;
    soon(transport.wait_for(|health| health.binds == 5 && health.submits && health.receipts)).await;
    assert_eq!(transport.health().refusals, 2);
    assert_eq!(delivered(&transport).await, (id.clone(), SmsDelivery::Delivered));
    recorded(&transport);
    node.says(&["\"receipt\"", &id, "\"status\":0"]).await;
    transport.close();
    soon(transport.closed()).await;
    node.tell("stop");
    assert!(soon(async { node.process.wait() }).await.unwrap().success());
}
