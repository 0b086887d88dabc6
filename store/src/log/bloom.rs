//! A Bloom filter over stream ids, so that a new stream is known to be new without a read.

/// Bits for each row: about one wrong "maybe" in a hundred.
const BITS_PER_ROW: u64 = 10;
/// Bits set for each row.
const PROBES: u64 = 7;

#[derive(Debug)]
pub(super) struct Bloom {
    bytes: Vec<u8>,
}

impl Bloom {
    pub(super) fn for_rows(rows: u64) -> Self {
        let bytes = (rows.saturating_mul(BITS_PER_ROW) / 8).max(8);
        Self { bytes: vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)] }
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self { bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits of a stream, by double hashing of the id's two halves.
    fn bits(&self, stream: &[u8; 16]) -> impl Iterator<Item = (usize, u8)> + use<> {
        let id = u128::from_be_bytes(*stream);
        let mix = |half: u64| (half ^ half >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (start, step) = (mix((id >> 64) as u64), mix(id as u64) | 1);
        let count = self.bytes.len() as u64 * 8;
        (0..PROBES).map(move |probe| {
            let bit = start.wrapping_add(probe.wrapping_mul(step)).rotate_left(29) % count;
            ((bit / 8) as usize, 1 << (bit % 8))
        })
    }

    pub(super) fn add(&mut self, stream: &[u8; 16]) {
        for (byte, mask) in self.bits(stream) {
            self.bytes[byte] |= mask;
        }
    }

    pub(super) fn may_have(&self, stream: &[u8; 16]) -> bool {
        self.bits(stream).all(|(byte, mask)| self.bytes[byte] & mask != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_domain::ids::StreamId;

    #[test]
    fn what_was_added_may_be_there_and_most_else_is_not() {
        let id = |n: u32| *StreamId::derive(&["bloom", &n.to_string()]).as_bytes();
        let mut bloom = Bloom::for_rows(2_000);
        (0..2_000).for_each(|n| bloom.add(&id(n)));
        assert!((0..2_000).all(|n| bloom.may_have(&id(n))));
        let wrong = (2_000..12_000).filter(|n| bloom.may_have(&id(*n))).count();
        assert!(wrong < 300, "{wrong} of 10,000");
    }
}
