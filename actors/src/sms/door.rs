//! The senders' way to the principals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_domain::caller::Caller;
use countersign_domain::ids::{PrincipalId, UnixMillis};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::answer::Request;
use crate::error::Error;
use crate::principal::{CeremonyWork, PrincipalCore};
use crate::resident::{Answer, Job};
use crate::shared::Shared;

/// How long a sender waits when the engine is busy, in milliseconds.
pub(super) const BUSY_MS: u64 = 100;

/// The senders' way to the principals.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) principals: mpsc::Sender<Job<PrincipalCore>>,
    /// Commands that the senders may have under way at once, apart from everybody else's.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) closing: Arc<AtomicBool>,
}

impl Door {
    /// Asks a principal.
    pub(crate) async fn ask(&self, key: PrincipalId, work: CeremonyWork) -> Result<Answer, Error> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Request::by(Caller::operator());
        let job = Job { key, request, work: work.into(), reply, permit };
        self.principals.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::busy(),
            mpsc::error::TrySendError::Closed(_) => Error::closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(Error::interrupted()))
    }
}

/// How long to wait when the engine was busy.
pub(super) fn soon(shared: &Shared) -> UnixMillis {
    shared.clock.now().plus_ms(BUSY_MS)
}
