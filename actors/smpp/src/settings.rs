//! A configuration that was checked, taken apart.

use std::sync::Arc;
use std::time::Duration;

use countersign::SmsFailure;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::ids::IdForm;
use crate::source::Source;
use crate::{SmppConfig, SmppError, tls};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

impl Role {
    pub(crate) const fn submits(self) -> bool {
        matches!(self, Self::Transceiver | Self::Transmitter)
    }

    pub(crate) const fn receives(self) -> bool {
        matches!(self, Self::Transceiver | Self::Receiver)
    }
}

/// What the links and the messages need to know.
pub(crate) struct Settings {
    pub host: String,
    pub port: u16,
    pub tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    pub system_id: String,
    pub password: Zeroizing<String>,
    pub system_type: String,
    pub source: Source,
    pub ids: IdForm,
    pub statuses: Vec<(u32, SmsFailure)>,
    pub connect_time_max: Duration,
    pub response_time_max: Duration,
    pub enquire_every: Duration,
    pub enquire_time_max: Duration,
    pub window: usize,
    pub receipts_max: usize,
    pub pause_min: Duration,
    pub pause_max: Duration,
}

impl Settings {
    pub(crate) fn new(config: SmppConfig) -> Result<Self, SmppError> {
        config.check()?;
        let Address { host, port, server } = Address::parse(&config.address)?;
        let tls = match server {
            Some(server) => Some((server, tls::client(config.roots_pem.as_deref())?)),
            None => None,
        };
        Ok(Self {
            host,
            port,
            tls,
            source: Source::parse(&config.source)?,
            system_id: config.system_id,
            password: config.password,
            system_type: config.system_type,
            ids: config.ids,
            statuses: config.statuses,
            connect_time_max: config.connect_time_max,
            response_time_max: config.response_time_max,
            enquire_every: config.enquire_every,
            enquire_time_max: config.enquire_time_max,
            window: usize::from(config.window),
            receipts_max: usize::from(config.receipts_max),
            pause_min: config.pause_min,
            pause_max: config.pause_max,
        })
    }
}
