//! The end of a transport, told to all that works for it.

use tokio::sync::watch;

/// Says when the transport was closed or dropped.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until then.
    pub(crate) async fn stopped(&mut self) {
        // An error is the drop of the sender.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
