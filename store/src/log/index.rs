//! The heads of streams: what was touched lately in memory, the rest in sorted runs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign_domain::ids::{Position, StreamId, Version};
use foldhash::fast::RandomState;

use super::runs::Runs;
use crate::header::{Header, Leaf};
use crate::journal::Head;
use crate::limits::{HEAD_CACHE_LAYERS_MAX, HEAD_CACHE_ROWS_MAX};

/// The last entry of a stream, and the stream's data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) version: Version,
    pub(super) position: Position,
    pub(super) leaf: Leaf,
    /// 0 while the stream has no sealed entry.
    pub(super) key_id: u64,
}

impl Row {
    /// The row after an entry, given the stream's key before it.
    pub(super) const fn after(header: &Header, position: Position, leaf: Leaf, key_before: u64) -> Self {
        let key_id = if header.is_sealed() { header.key_id } else { key_before };
        Self { version: header.version, position, leaf, key_id }
    }

    pub(super) const fn head(&self) -> Head {
        Head { version: self.version, position: self.position, leaf: self.leaf }
    }
}

/// A map from ids. They are hashes or random, and the seed keeps those who choose them from aiming.
pub(super) type IdMap<Id, Value> = HashMap<Id, Value, RandomState>;

pub(super) type Rows = IdMap<StreamId, Row>;

/// Rows from the newest layer to the oldest: touched, being written, remembered, written.
#[derive(Debug, Default)]
pub(super) struct Index {
    touched: Rows,
    being_written: Arc<Rows>,
    remembered: VecDeque<Arc<Rows>>,
    runs: Arc<Runs>,
}

impl Index {
    pub(super) fn new(runs: Runs) -> Self {
        Self { runs: Arc::new(runs), ..Self::default() }
    }

    /// The row of a stream, unless it is in the runs only.
    pub(super) fn get(&self, stream: StreamId) -> Option<Row> {
        let written = self.remembered.iter().map(Arc::as_ref);
        let mut layers = [&self.touched, self.being_written.as_ref()].into_iter().chain(written);
        layers.find_map(|rows| rows.get(&stream)).copied()
    }

    pub(super) fn runs(&self) -> Arc<Runs> {
        self.runs.clone()
    }

    pub(super) fn set(&mut self, stream: StreamId, row: Row) {
        self.touched.insert(stream, row);
    }

    /// Hands out what is to be written. Appends go on meanwhile.
    pub(super) fn start_writing(&mut self) -> Arc<Rows> {
        self.being_written = Arc::new(std::mem::take(&mut self.touched));
        self.being_written.clone()
    }

    /// Takes note that it was written, and remembers it for as long as there is room. Whole layers
    /// come and go, so that appends wait for no row; what goes is handed out to be freed elsewhere.
    pub(super) fn done_writing(&mut self, runs: Runs) -> Vec<Arc<Rows>> {
        self.runs = Arc::new(runs);
        self.remembered.push_front(std::mem::take(&mut self.being_written));
        let mut gone = Vec::new();
        let rows = |layers: &VecDeque<Arc<Rows>>| layers.iter().map(|rows| rows.len()).sum::<usize>();
        while self.remembered.len() > HEAD_CACHE_LAYERS_MAX || rows(&self.remembered) > HEAD_CACHE_ROWS_MAX {
            gone.extend(self.remembered.pop_back());
        }
        gone
    }
}
