//! What a simulation puts in the place of a machine.
//!
//! An engine has two threads, and more for searches. In a simulation everything is a task of one thread, in an order that
//! follows from the ports alone: the actors as ever, the writer with the same steps on the same queue, and searches one by
//! one. What is below, the system calls of a journal on files, is not simulated, nor is what a library of security keys
//! rolls for itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Pause = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// A disk that takes its time: awaited before each group is written, and after, before anybody is answered.
///
/// ```
/// let quick = countersign::Disk::new(|| Box::pin(async {}));
/// assert_eq!(format!("{quick:?}"), "Disk");
/// ```
#[derive(Clone)]
pub struct Disk(Arc<Pause>);

impl Disk {
    /// A disk that is waited for as something says.
    ///
    /// ```
    /// let quick = countersign::Disk::new(|| Box::pin(async {}));
    /// ```
    pub fn new(pause: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(pause))
    }

    pub(crate) async fn pause(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}
