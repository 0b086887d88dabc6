//! What is forgotten is gone: from the log, from what is derived from it, from memory, and from every copy.

mod canary;
mod people;
mod seeds;

use std::sync::Arc;

use countersign::domain::ids::{StreamId, Version};
use countersign::store::faults::{Faults, FaultyBackend};
use countersign::store::{EphemeralKeyRing, Journal, KeyError, Log, MemoryBackend, Options};
use countersign::*;

use crate::support::{World, narrow};

/// A medium that fails on cue and outlives the engines on it.
struct Medium {
    backend: MemoryBackend,
    ring: Arc<EphemeralKeyRing>,
    faults: Faults,
}

impl Medium {
    fn new() -> Self {
        let ring = Arc::new(EphemeralKeyRing::new().unwrap());
        Self { backend: MemoryBackend::new(), ring, faults: Faults::new() }
    }

    fn journal(&self) -> Arc<dyn Journal> {
        let backend = FaultyBackend::new(self.backend.clone(), self.faults.clone());
        Arc::new(Log::with_backend(backend, self.ring.clone(), Options::default()).unwrap())
    }

    async fn world(&self) -> World {
        World::on(self.journal(), self.ring.clone(), narrow(Policy::classic()), Limits::default()).await
    }
}

/// Whether the sealed entries of a stream can be opened; `None` when it has none.
fn is_readable(journal: &dyn Journal, stream: StreamId) -> Option<bool> {
    let entries = journal.read_stream(stream, Version::NONE, 1000).unwrap();
    let mut opened = entries.iter().filter(|entry| entry.header.is_sealed()).map(|entry| {
        match journal.unseal(&entry.header, entry.body.as_stored()) {
            Ok(_) => true,
            Err(KeyError::Destroyed(_)) => false,
            Err(cause) => panic!("{cause}"),
        }
    });
    let first = opened.next()?;
    assert!(opened.all(|other| other == first), "one key of a stream is gone and another is not");
    Some(first)
}
