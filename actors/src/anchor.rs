//! Anchoring: the log's checkpoints are kept at places that whoever has the log cannot change.

mod directory;
mod round;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use countersign_store::{Journal, SignedHead};

pub use directory::DirectoryAnchor;
use round::Place;

use crate::error::Error;

/// Places that checkpoints are brought to, at most.
pub const ANCHORS_MAX: usize = 16;
/// Longest reason that is kept of a refusal, in characters.
const REASON_CHARS_MAX: usize = 300;

/// A checkpoint on its way to a place outside.
pub struct Publication<'a> {
    signed: &'a SignedHead,
    journal: &'a dyn Journal,
}

impl fmt::Debug for Publication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Publication<'_> {
    /// The checkpoint, as it was signed (C2SP `tlog-checkpoint`).
    #[must_use]
    pub fn note(&self) -> &str {
        &self.signed.note
    }

    /// How many entries it is of.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.signed.head.size
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.note().lines().next().unwrap_or_default()
    }

    /// The root of the log's first entries, as many as an earlier checkpoint is of; `None` when there are fewer.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn root_at(&self, size: u64) -> Result<Option<[u8; 32]>, AnchorError> {
        let root = self.journal.tree_root_at(size).map_err(|cause| AnchorError::Unavailable(cause.to_string()))?;
        Ok(root.map(|root| root.0))
    }

    /// The proof that it continues an earlier checkpoint of so many entries: the hashes in base64, a line each.
    ///
    /// # Errors
    /// When the log cannot be read, or has fewer.
    pub fn proof_from(&self, old: u64) -> Result<Vec<[u8; 32]>, AnchorError> {
        let proof = self.journal.prove_growth(old, self.size());
        let proof = proof.map_err(|cause| AnchorError::Unavailable(cause.to_string()))?;
        let proof = proof.ok_or_else(|| AnchorError::Refused(format!("it has {old} entries, and the log fewer")))?;
        Ok(proof.into_iter().map(|hash| hash.0).collect())
    }
}

/// Why a checkpoint is not where it was to be brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorError {
    /// The place cannot be reached or written now; it is tried again.
    Unavailable(String),
    /// The place has a checkpoint that this one does not continue, or more of the log than there is: the log, or what is
    /// there, was changed. An alarm.
    Refused(String),
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(cause) => write!(f, "the place cannot be reached: {cause}"),
            Self::Refused(cause) => write!(f, "the place has another log: {cause}"),
        }
    }
}

impl std::error::Error for AnchorError {}

/// A place outside that keeps checkpoints: a directory on another machine, a witness.
///
/// It is called on a thread of its own, one checkpoint at a time, and may block; whoever waits for an answer of the engine
/// never waits for it.
///
/// ```
/// use countersign::{Anchor, AnchorError, Publication};
///
/// #[derive(Debug)]
/// struct Mailbox;
///
/// impl Anchor for Mailbox {
///     fn name(&self) -> &str {
///         "mailbox"
///     }
///
///     fn publish(&self, checkpoint: &Publication<'_>) -> Result<Vec<String>, AnchorError> {
///         println!("{}", checkpoint.note());
///         Ok(Vec::new())
///     }
/// }
/// ```
pub trait Anchor: Send + Sync + fmt::Debug {
    /// What it is called in log lines and by [`crate::Countersign::anchors`].
    fn name(&self) -> &str;

    /// Brings a checkpoint there. The answer is the lines by which the place signs it, too, if it does (C2SP
    /// `tlog-cosignature`).
    ///
    /// # Errors
    /// See [`AnchorError`].
    fn publish(&self, checkpoint: &Publication<'_>) -> Result<Vec<String>, AnchorError>;
}

/// How it stands with one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorState {
    /// Its name.
    pub name: String,
    /// Entries that the last checkpoint there is of; `None` before the first.
    pub size: Option<u64>,
    /// Checkpoints that were brought there.
    pub published: u64,
    /// Tries that failed one after another.
    pub failures: u32,
    /// Why the place has another log. An alarm: it stays until the process ends, and nothing more is brought there.
    pub refused: Option<String>,
    /// The lines by which the place has signed the last checkpoint.
    pub cosignatures: Vec<String>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    rung: Condvar,
}

/// The thread that brings checkpoints to their places. Dropping it ends it, after one last round.
pub(crate) struct Anchoring {
    states: Arc<Mutex<Vec<AnchorState>>>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Anchoring {
    pub(crate) fn start(
        journal: Arc<dyn Journal>,
        anchors: &[Arc<dyn Anchor>],
        every: Duration,
    ) -> Result<Self, Error> {
        if anchors.len() > ANCHORS_MAX {
            return Err(Error::unavailable(format!("there are more than {ANCHORS_MAX} anchors")));
        }
        let places: Vec<Place> = anchors.iter().map(|anchor| Place::new(Arc::clone(anchor))).collect();
        let states = Arc::new(Mutex::new(places.iter().map(|place| place.state.clone()).collect()));
        let stop = Arc::new(Stop::default());
        let thread = if places.is_empty() {
            None
        } else {
            let (states, stop) = (Arc::clone(&states), Arc::clone(&stop));
            let run = move || bring(&*journal, places, &states, &stop, every);
            let thread = Builder::new().name("countersign-anchor".to_owned()).spawn(run);
            Some(thread.map_err(Error::unavailable)?)
        };
        Ok(Self { states, stop, thread })
    }

    pub(crate) fn states(&self) -> Vec<AnchorState> {
        locked(&self.states).clone()
    }
}

impl Drop for Anchoring {
    fn drop(&mut self) {
        *locked(&self.stop.asked) = true;
        self.stop.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of an anchor was reported by the panic hook; nothing depends on its end.
            let _ended = thread.join();
        }
    }
}

fn bring(
    journal: &dyn Journal,
    mut places: Vec<Place>,
    states: &Mutex<Vec<AnchorState>>,
    stop: &Stop,
    every: Duration,
) {
    loop {
        let stopped = {
            let asked = locked(&stop.asked);
            let waited = stop.rung.wait_timeout_while(asked, every, |asked| !*asked);
            *waited.unwrap_or_else(PoisonError::into_inner).0
        };
        if let Some(signed) = journal.last_checkpoint() {
            for place in &mut places {
                place.bring(&Publication { signed: &signed, journal }, stopped);
            }
            *locked(states) = places.iter().map(|place| place.state.clone()).collect();
        }
        if stopped {
            return;
        }
    }
}
