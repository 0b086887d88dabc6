//! An SMSC on the codec and the sessions of `smpp34`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use smpp34::server::{DeliverSmBuilder, ESME};
use smpp34::{
    SmppConnectionInformation, SmppError, SmppServer, SmppServerListener, TlvTag, bind_receiver, bind_receiver_resp,
    bind_transceiver, bind_transceiver_resp, bind_transmitter, bind_transmitter_resp, submit_sm, submit_sm_resp,
};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::support::{PASSWORD, soon};

/// What is done with a message.
pub enum Plan {
    Accept(String),
    Reject(SmppError),
    /// Accepts when it is told to.
    Hold(String),
    Never,
}

/// What happened so far.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub submits: usize,
    pub unanswered: usize,
    pub unanswered_max: usize,
    pub binds: usize,
    pub refused: usize,
    pub unbinds: usize,
}

type Planner = Box<dyn Fn(&submit_sm, usize) -> Plan + Send + Sync>;

struct Desk {
    plan: Planner,
    messages: Mutex<Vec<submit_sm>>,
    counts: watch::Sender<Counts>,
    go: Semaphore,
    receiver: watch::Sender<Option<Arc<ESME>>>,
}

pub struct Smsc {
    pub port: u16,
    desk: Arc<Desk>,
    _server: SmppServer,
}

impl Smsc {
    /// Starts one on a free port; `plan` is asked with each message and its number, from 0.
    pub async fn start(plan: impl Fn(&submit_sm, usize) -> Plan + Send + Sync + 'static) -> Self {
        let desk = Arc::new(Desk {
            plan: Box::new(plan),
            messages: Mutex::default(),
            counts: watch::Sender::default(),
            go: Semaphore::new(0),
            receiver: watch::Sender::new(None),
        });
        // The server does not say which port it was given; another one may take the free one in between.
        for _ in 0..20 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = SmppServer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), free, desk.clone());
            server.start().await;
            if server.is_alive() {
                return Self { port: free, desk, _server: server };
            }
        }
        panic!("no port");
    }

    pub async fn accepting() -> Self {
        Self::start(|_, number| Plan::Accept(number.to_string())).await
    }

    pub fn message(&self, number: usize) -> submit_sm {
        self.desk.messages.lock().unwrap()[number].clone()
    }

    pub fn counts(&self) -> Counts {
        *self.desk.counts.borrow()
    }

    pub async fn until(&self, wanted: impl FnMut(&Counts) -> bool) {
        soon(self.desk.counts.subscribe().wait_for(wanted)).await.unwrap();
    }

    /// Lets so many held messages go.
    pub fn go(&self, messages: usize) {
        self.desk.go.add_permits(messages);
    }

    /// The link on which receipts go out.
    pub async fn receiver(&self) -> Arc<ESME> {
        let mut receiver = self.desk.receiver.subscribe();
        soon(receiver.wait_for(Option::is_some)).await.unwrap().clone().unwrap()
    }

    /// Delivers something, and returns before the answer comes, whose status the task returns.
    pub async fn delivering(
        &self,
        what: impl FnOnce(DeliverSmBuilder<'_>) -> DeliverSmBuilder<'_> + Send + 'static,
    ) -> JoinHandle<u32> {
        let receiver = self.receiver().await;
        tokio::spawn(async move {
            let delivery = receiver.deliver_sm().source_addr("15550101234").destination_addr("Countersign");
            soon(what(delivery).send()).await.unwrap().command_status()
        })
    }

    /// Delivers something, and returns the status of the answer.
    pub async fn deliver(
        &self,
        what: impl FnOnce(DeliverSmBuilder<'_>) -> DeliverSmBuilder<'_> + Send + 'static,
    ) -> u32 {
        soon(self.delivering(what).await).await.unwrap()
    }

    /// Delivers a receipt in the way of the optional parameters.
    pub async fn receipt(&self, id: &str, state: u8) -> JoinHandle<u32> {
        let id = format!("{id}\0");
        self.delivering(move |delivery| {
            let delivery = delivery.esm_class(4).tlv(TlvTag::ReceiptedMessageId, id.into_bytes());
            delivery.tlv(TlvTag::MessageStateTlv, [state])
        })
        .await
    }
}

impl Desk {
    fn bound(&self, password: &str) -> bool {
        let fine = password == PASSWORD;
        self.counts.send_modify(|counts| {
            counts.binds += usize::from(fine);
            counts.refused += usize::from(!fine);
        });
        fine
    }
}

const VERSION: Option<u8> = Some(0x34);

#[async_trait]
impl SmppServerListener for Desk {
    async fn on_bind_transceiver(
        &self,
        bind: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        let fine = self.bound(&bind.password);
        if fine { bind.accept("SMSC".to_owned(), VERSION) } else { bind.reject(SmppError::ESME_RINVPASWD) }
    }

    async fn on_bind_transmitter(
        &self,
        bind: bind_transmitter,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transmitter_resp {
        let fine = self.bound(&bind.password);
        if fine { bind.accept("SMSC".to_owned(), VERSION) } else { bind.reject(SmppError::ESME_RINVPASWD) }
    }

    async fn on_bind_receiver(
        &self,
        bind: bind_receiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_receiver_resp {
        let fine = self.bound(&bind.password);
        if fine { bind.accept("SMSC".to_owned(), VERSION) } else { bind.reject(SmppError::ESME_RINVPASWD) }
    }

    async fn on_esme_bound(&self, esme: ESME, _: &String) {
        if esme.can_receive {
            self.receiver.send_replace(Some(Arc::new(esme)));
        }
    }

    async fn on_esme_unbound(&self, session: &String) {
        self.receiver.send_if_modified(|receiver| {
            let is_it = receiver.as_ref().is_some_and(|esme| esme.session_id == *session);
            if is_it {
                *receiver = None;
            }
            is_it
        });
        self.counts.send_modify(|counts| counts.unbinds += 1);
    }

    async fn on_submit_sm(&self, message: submit_sm, _: &SmppConnectionInformation, _: &String) -> submit_sm_resp {
        let number = {
            let mut messages = self.messages.lock().unwrap();
            messages.push(message.clone());
            messages.len() - 1
        };
        self.counts.send_modify(|counts| {
            counts.submits += 1;
            counts.unanswered += 1;
            counts.unanswered_max = counts.unanswered_max.max(counts.unanswered);
        });
        let plan = (self.plan)(&message, number);
        if let Plan::Hold(_) = plan {
            self.go.acquire().await.unwrap().forget();
        }
        if let Plan::Never = plan {
            std::future::pending::<()>().await;
        }
        self.counts.send_modify(|counts| counts.unanswered -= 1);
        match plan {
            Plan::Reject(status) => message.reject(status),
            Plan::Accept(id) | Plan::Hold(id) => message.accept(id),
            Plan::Never => unreachable!(),
        }
    }
}
