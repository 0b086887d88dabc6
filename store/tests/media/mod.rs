//! The media that the tests run on.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::sync::Arc;

use countersign_store::contract::Medium;
use countersign_store::{
    DataKey, EphemeralKeyRing, KeyRing, MemoryBackend, MemoryJournal, Options, SledJournal, StoreOptions, Table,
};
use tempfile::TempDir;

/// A ring that every run has.
pub fn ring() -> Arc<dyn KeyRing> {
    Arc::new(EphemeralKeyRing::from_key(DataKey::from_bytes([42; 32])).unwrap())
}

/// A journal in memory that outlives its handle.
pub struct InMemory {
    pub backend: MemoryBackend,
}

impl Medium for InMemory {
    type Journal = MemoryJournal;

    fn fresh() -> Self {
        Self { backend: MemoryBackend::new() }
    }

    fn open(&self) -> MemoryJournal {
        MemoryJournal::with_backend(self.backend.clone(), ring(), Options::default()).unwrap()
    }

    fn raw(&self) -> Vec<u8> {
        let chunks = self.backend.chunks().into_iter().map(|(_, bytes)| bytes);
        let rows = Table::ALL.into_iter().flat_map(|table| self.backend.rows(table)).map(|(_, value)| value);
        chunks.chain(rows).flatten().collect()
    }
}

/// A store in a directory of its own.
pub struct OnDisk {
    pub dir: TempDir,
}

impl OnDisk {
    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("store")
    }
}

impl Medium for OnDisk {
    type Journal = SledJournal;

    fn fresh() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    fn open(&self) -> SledJournal {
        let options = StoreOptions { page_cache_bytes: 8 * 1024 * 1024, ..StoreOptions::default() };
        SledJournal::open(&self.path(), ring(), options).unwrap()
    }

    fn raw(&self) -> Vec<u8> {
        let mut all = Vec::new();
        read_all(&self.path(), &mut all);
        all
    }
}

fn read_all(path: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, all);
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
}
