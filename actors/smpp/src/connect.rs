//! The way to a bound link: TCP, TLS, bind.

use std::io;

use futures_util::Stream;
use futures_util::future::{Either, FutureExt};
use rusmpp::CommandStatus;
use rusmpp::pdus::{BindReceiver, BindTransceiver, BindTransmitter};
use rusmpp::types::COctetString;
use rusmpp::values::InterfaceVersion;
use rusmppc::error::Error;
use rusmppc::{ConnectionBuilder, Event};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use zeroize::Zeroizing;

use crate::lively::{LivelyClient, LivelyStream, Owed};
use crate::pdu::c_string;
use crate::settings::{Role, Settings};

/// The longest command that is read; a receipt with the longest of texts has half of that.
const COMMAND_MAX: usize = 4096;

/// A link that is bound.
pub(crate) struct Bound<E> {
    pub client: LivelyClient,
    pub events: E,
    /// What reads and writes; it ends with the link.
    pub connection: JoinHandle<()>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NotBound {
    /// No connection, no TLS, or no answer to the bind; the text is for the log.
    Failed(&'static str, Option<io::Error>),
    /// The SMSC answered the bind with this status.
    Refused(CommandStatus),
}

/// Connects and binds.
pub(crate) async fn open(
    settings: &Settings,
    role: Role,
) -> Result<Bound<impl Stream<Item = Event> + Unpin + Send + use<>>, NotBound> {
    let late = |what| move |_| NotBound::Failed(what, None);
    let limit = settings.connect_time_max;
    let tcp = timeout(limit, connect(settings)).await.map_err(late("nobody answered the connection"))?;
    let tcp = tcp.map_err(|cause| NotBound::Failed("the connection failed", Some(cause)))?;
    let builder = ConnectionBuilder::new()
        .max_command_length(COMMAND_MAX)
        .enquire_link_interval(settings.enquire_every)
        .enquire_link_response_timeout(settings.enquire_time_max)
        // We answer the SMSC's own, so that all answers are bounded together.
        .disable_auto_enquire_link_response()
        // It would begin when a command has been written, and that may never be; we have our own.
        .no_response_timeout()
        .disable_interface_version_check()
        .no_spawn();
    let owed = Owed::default();
    let (client, events, connection) = match &settings.tls {
        None => {
            let (client, events, connection) = builder.connected(LivelyStream::new(tcp, owed.clone()));
            (client, Either::Left(events), connection.left_future())
        }
        Some((server, config)) => {
            let handshake = TlsConnector::from(config.clone()).connect(server.clone(), tcp);
            let tls = timeout(limit, handshake).await.map_err(late("TLS was not finished"))?;
            let tls = tls.map_err(|cause| NotBound::Failed("TLS failed", Some(cause)))?;
            let (client, events, connection) = builder.connected(LivelyStream::new(tls, owed.clone()));
            (client, Either::Right(events), connection.right_future())
        }
    };
    let client = LivelyClient::new(client, owed);
    // The codec would log whole commands: passwords, numbers, texts.
    let connection = tokio::spawn(connection.with_subscriber(NoSubscriber::default()));
    match timeout(limit, bind(&client, settings, role)).await {
        Ok(Ok(())) => Ok(Bound { client, events, connection }),
        failed => {
            connection.abort();
            Err(failed.map_or_else(late("the bind was not answered"), |bound| refusal(bound.err())))
        }
    }
}

/// Tries every address of the host, in the order of the resolver.
async fn connect(settings: &Settings) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn bind(client: &LivelyClient, settings: &Settings, role: Role) -> Result<(), Error> {
    let version = InterfaceVersion::Smpp3_4;
    let (system_id, system_type) = (c_string(&settings.system_id), c_string(&settings.system_type));
    let (system_id, system_type) = (system_id.unwrap_or_default(), system_type.unwrap_or_default());
    let password = password(&settings.password);
    match role {
        Role::Transceiver => {
            let bind = BindTransceiver::builder().system_id(system_id).password(password).system_type(system_type);
            let bind = bind.interface_version(version).build();
            client.bind(async |client| client.bind_transceiver(bind).await).await
        }
        Role::Transmitter => {
            let bind = BindTransmitter::builder().system_id(system_id).password(password).system_type(system_type);
            let bind = bind.interface_version(version).build();
            client.bind(async |client| client.bind_transmitter(bind).await).await
        }
        Role::Receiver => {
            let bind = BindReceiver::builder().system_id(system_id).password(password).system_type(system_type);
            let bind = bind.interface_version(version).build();
            client.bind(async |client| client.bind_receiver(bind).await).await
        }
    }
}

fn password(password: &Zeroizing<String>) -> COctetString<1, 9> {
    c_string(password).unwrap_or_default()
}

fn refusal(cause: Option<Error>) -> NotBound {
    match cause {
        Some(Error::UnexpectedResponse { response }) => NotBound::Refused(response.status()),
        _ => NotBound::Failed("the link was lost before it was bound", None),
    }
}
