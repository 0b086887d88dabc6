//! The keys of the key ring: new ones are taken up, old ones are given up.

use std::sync::Arc;

use countersign_store::{KeyUse, Rewrapped};

use super::Countersign;
use crate::error::Error;
use crate::rewrapping::KeyRotation;

impl Countersign {
    /// Takes up what was added to the key ring, and begins to wrap every key of the store with its newest key, behind the
    /// commands, which go on meanwhile. [`Self::key_rotation`] says how far that is. Broken off, by a crash too, it
    /// is begun again by calling this again; when there is nothing to do it comes to its end at once.
    ///
    /// A ring that lacks a key that it had is not taken up: the engine goes on with the one that it has.
    ///
    /// # Errors
    /// When the ring cannot be read or lacks a key, or the engine is closing.
    ///
    /// ```
    /// use countersign::store::FileKeyRing;
    /// use countersign::{Config, Countersign, Layout};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let engine = Countersign::open(dir.path(), Config::default())?;
    /// FileKeyRing::add_key(Layout::of(dir.path()).key_file)?;
    /// engine.rotate_keys()?;
    /// while engine.key_rotation().running {
    ///     std::thread::yield_now();
    /// }
    /// assert!(engine.ring_key_use(1)?.is_nothing());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rotate_keys(&self) -> Result<(), Error> {
        self.ring.refresh()?;
        self.rewrapping.start(Arc::clone(&self.runtime.shared.journal))
    }

    /// How far the keys of the store are wrapped with the newest key of the ring.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// assert!(!engine.key_rotation().running);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn key_rotation(&self) -> KeyRotation {
        self.rewrapping.progress()
    }

    /// What is wrapped by one key of the ring, by its number. When there is nothing, and the key is not the newest, the ring
    /// can do without it.
    ///
    /// # Errors
    /// When a slot cannot be read, or the ring does not number its keys.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// assert!(engine.ring_key_use(1)?.root);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ring_key_use(&self, number: u32) -> Result<KeyUse, Error> {
        Ok(self.runtime.shared.journal.key_use(number)?)
    }

    /// Wraps the keys in some slots of the store anew, from one on, with the key that the ring wraps with now: one step of
    /// what [`Self::rotate_keys`] does, for a host that has no server running. Called again with `next` until there is
    /// none; `total` says how much there is. Commands go on meanwhile, and broken off at any instant it can be begun again from 0.
    ///
    /// It waits for the medium, a little for each key, so an asynchronous host calls it where it may block.
    ///
    /// # Errors
    /// When a slot cannot be written; nothing more is taken then until the engine is opened again.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// let mut next = Some(0);
    /// while let Some(from) = next {
    ///     next = engine.rewrap_keys(from)?.next;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rewrap_keys(&self, from: u64) -> Result<Rewrapped, Error> {
        Ok(self.runtime.shared.journal.rewrap_keys(from)?)
    }
}
