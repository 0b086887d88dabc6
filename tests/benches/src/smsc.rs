//! An SMSC that takes everything and reports it delivered, on the sessions of `smpp34`.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use smpp34::server::ESME;
use smpp34::{
    SmppConnectionInformation, SmppServer, SmppServerListener, TlvTag, bind_transceiver, bind_transceiver_resp,
    submit_sm, submit_sm_resp,
};
use tokio::sync::mpsc;

use crate::Failure;

/// State "delivered" of SMPP 3.4, section 5.2.28.
const DELIVERED: u8 = 2;

/// A running SMSC.
pub struct Smsc {
    /// Where it listens.
    pub port: u16,
    desk: Arc<Desk>,
    _server: SmppServer,
}

struct Desk {
    taken: AtomicUsize,
    reports: mpsc::UnboundedSender<String>,
    esme: Arc<Mutex<Option<Arc<ESME>>>>,
}

impl Smsc {
    /// Starts one on a port that nobody has.
    pub async fn start() -> Result<Self, Failure> {
        let (reports, mut to_report) = mpsc::unbounded_channel::<String>();
        let esme: Arc<Mutex<Option<Arc<ESME>>>> = Arc::default();
        let desk = Arc::new(Desk { taken: AtomicUsize::new(0), reports, esme: Arc::clone(&esme) });
        tokio::spawn(async move {
            while let Some(id) = to_report.recv().await {
                let Some(esme) = esme.lock().unwrap_or_else(PoisonError::into_inner).clone() else { continue };
                let report = esme.deliver_sm().source_addr("14155550100").destination_addr("Countersign").esm_class(4);
                let id = format!("{id}\0").into_bytes();
                let report = report.tlv(TlvTag::ReceiptedMessageId, id).tlv(TlvTag::MessageStateTlv, [DELIVERED]);
                // A receipt that is not taken is not sent again: the count tells.
                let _untaken = report.send().await.is_err();
            }
        });
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut server = SmppServer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port, Arc::clone(&desk) as _);
            server.start().await;
            if server.is_alive() {
                return Ok(Self { port, desk, _server: server });
            }
        }
        Err("no port for the SMSC".into())
    }

    /// Messages that it took.
    pub fn taken(&self) -> usize {
        self.desk.taken.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl SmppServerListener for Desk {
    async fn on_bind_transceiver(
        &self,
        bind: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        bind.accept("SMSC".to_owned(), Some(0x34))
    }

    async fn on_esme_bound(&self, esme: ESME, _: &String) {
        *self.esme.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(esme));
    }

    async fn on_submit_sm(&self, message: submit_sm, _: &SmppConnectionInformation, _: &String) -> submit_sm_resp {
        let id = self.taken.fetch_add(1, Ordering::Relaxed).to_string();
        // Its task ends with the runtime.
        let _ended = self.reports.send(id.clone()).is_err();
        message.accept(id)
    }
}
