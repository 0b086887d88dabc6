//! A map by stream that is quick where there are very many of them.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use crate::ids::StreamId;

/// How many bits of a stream's id choose its shard.
const SHARD_BITS: u32 = 12;

/// Small maps, side by side, in the order of streams: a search touches few nodes, and ids that were chosen to fall into one
/// shard make it as slow as one map is, and no slower.
#[derive(Debug)]
pub(super) struct ByStream<T> {
    shards: Vec<BTreeMap<StreamId, T>>,
}

impl<T> Default for ByStream<T> {
    fn default() -> Self {
        Self { shards: (0..1_usize << SHARD_BITS).map(|_| BTreeMap::new()).collect() }
    }
}

/// The shard of a stream.
fn shard(stream: &StreamId) -> usize {
    let [first, second, ..] = *stream.as_bytes();
    usize::from(u16::from_be_bytes([first, second]) >> (u16::BITS - SHARD_BITS))
}

impl<T> ByStream<T> {
    pub(super) fn get_mut(&mut self, stream: &StreamId) -> Option<&mut T> {
        self.shards.get_mut(shard(stream))?.get_mut(stream)
    }

    pub(super) fn entry(&mut self, stream: StreamId) -> Entry<'_, StreamId, T> {
        // There is a shard for each number that a shard can have.
        self.shards[shard(&stream)].entry(stream)
    }

    pub(super) fn insert(&mut self, stream: StreamId, value: T) -> Option<T> {
        self.shards.get_mut(shard(&stream))?.insert(stream, value)
    }

    pub(super) fn remove(&mut self, stream: &StreamId) -> Option<T> {
        self.shards.get_mut(shard(stream))?.remove(stream)
    }
}
