//! A client that does not stall.
//!
//! The connection of rusmppc 0.4.0 takes five actions from its clients and writes two commands or three each time it
//! is polled, and does not ask to be polled again when more wait: with an SMSC that is silent they would wait for the
//! next `enquire_link`. So the polls that are owed to it are counted here, and the stream, which it polls last, has it
//! polled so many times more. Its orderly close spins while the socket is full; links are aborted instead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rusmpp::pdus::{DeliverSmResp, SubmitSm, SubmitSmResp};
use rusmpp::{CommandId, CommandStatus};
use rusmppc::Client;
use rusmppc::error::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Polls that are owed to a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owed(Arc<AtomicUsize>);

impl Owed {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn pay(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1)).is_ok()
    }
}

/// The stream of a connection.
pub(crate) struct LivelyStream<S> {
    stream: S,
    owed: Owed,
}

impl<S> LivelyStream<S> {
    pub(crate) const fn new(stream: S, owed: Owed) -> Self {
        Self { stream, owed }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LivelyStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if polled.is_pending() && self.owed.pay() {
            cx.waker().wake_by_ref();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LivelyStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_ready() {
            // A command was written; another one may wait.
            self.owed.add();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client that counts what it asks for.
#[derive(Clone)]
pub(crate) struct LivelyClient {
    client: Client,
    owed: Owed,
}

/// An answer to a command of the SMSC, by its sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// A `deliver_sm` was taken.
    Taken(u32),
    /// A `deliver_sm` should come again later.
    Later(u32),
    /// An `enquire_link` arrived.
    Alive(u32),
    /// An `unbind` is done.
    Unbound(u32),
    /// Something that is not done here.
    NotUnderstood(u32),
}

impl LivelyClient {
    pub(crate) const fn new(client: Client, owed: Owed) -> Self {
        Self { client, owed }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The client, for one request. When its future is dropped that is another action.
    fn asked(&self) -> (&Client, Asked<'_>) {
        self.owed.add();
        (&self.client, Asked(&self.owed))
    }

    pub(crate) async fn submit(&self, message: SubmitSm) -> Result<SubmitSmResp, Error> {
        let (client, _asked) = self.asked();
        client.submit_sm(message).await
    }

    /// Binds by one of the client's methods.
    pub(crate) async fn bind<R>(&self, bind: impl AsyncFnOnce(&Client) -> Result<R, Error>) -> Result<(), Error> {
        let (client, _asked) = self.asked();
        match bind(client).await {
            Ok(_) => Ok(()),
            // An answer without a body is one.
            Err(Error::UnexpectedResponse { response }) if is_bound(response.id(), response.status()) => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    pub(crate) async fn unbind(&self) {
        let (client, _asked) = self.asked();
        // The link ends either way.
        let _ = client.unbind().await;
    }

    pub(crate) async fn answer(self, answer: Answer) -> Result<(), Error> {
        let (client, _asked) = self.asked();
        let taken = DeliverSmResp::default();
        match answer {
            Answer::Taken(number) => client.deliver_sm_resp(number, taken).await,
            Answer::Later(number) => client.status(CommandStatus::EsmeRxTAppn).deliver_sm_resp(number, taken).await,
            Answer::Alive(number) => client.enquire_link_resp(number).await,
            Answer::Unbound(number) => client.unbind_resp(number).await,
            Answer::NotUnderstood(number) => client.status(CommandStatus::EsmeRinvcmdid).generic_nack(number).await,
        }
    }
}

/// A request that is under way.
struct Asked<'a>(&'a Owed);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.add();
    }
}

const fn is_bound(id: CommandId, status: CommandStatus) -> bool {
    matches!(status, CommandStatus::EsmeRok)
        && matches!(id, CommandId::BindTransceiverResp | CommandId::BindTransmitterResp | CommandId::BindReceiverResp)
}
