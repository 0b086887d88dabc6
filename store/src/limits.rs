//! Every bound of the store in one place, with its unit in its name.

/// Streams that one append may touch: a user with its account, its name, eight devices and what they claim.
pub const APPEND_STREAMS_MAX: usize = 32;
/// Entries that one append may hold, over all its streams.
pub const APPEND_ENTRIES_MAX: usize = 64;
/// Stored bytes (leaf, header and body of every entry) that one append may take.
pub const APPEND_BYTES_MAX: usize = 24 * 1024;
/// Appends of one group; the rest of a larger group is refused.
pub const GROUP_APPENDS_MAX: usize = 16_384;
/// Stored bytes of one group; what does not fit is refused.
pub const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes after which a chunk is closed. One larger append has a chunk of its own.
pub const CHUNK_BYTES_TARGET: usize = 8 * 1024;
/// Appends whose command ids are remembered, so that a retry is answered and not done again.
pub const DEDUPE_APPENDS_MAX: usize = 65_536;
/// Entries since the last index checkpoint that start the next one in the background.
pub const INDEX_CHECKPOINT_ENTRIES: u64 = 65_536;
/// Heads of streams kept in memory besides those touched since the last index checkpoint.
pub const HEAD_CACHE_ROWS_MAX: usize = 131_072;
/// Index checkpoints whose heads are kept in memory that way.
pub const HEAD_CACHE_LAYERS_MAX: usize = 4;
/// Bytes of one block of a derived table, which keeps the log engine on its fast path.
pub const DERIVED_BLOCK_BYTES_TARGET: usize = 8 * 1024;
/// Unwrapped data keys kept in memory.
pub const CIPHER_CACHE_MAX: usize = 4_096;
/// Chunks kept in memory for reading streams.
pub const CHUNK_CACHE_MAX: usize = 256;
/// Entries that one call of `read_stream` returns.
pub const READ_ENTRIES_MAX: usize = 65_536;
/// Bytes of a snapshot's state.
pub const SNAPSHOT_BYTES_MAX: usize = 24 * 1024;
/// Bytes of any one value that a backend is given: the largest chunk or row, with its frame.
pub const VALUE_BYTES_MAX: usize = 24 * 1024 + 256;
/// Bytes of one block of a checkpoint.
pub const CHECKPOINT_BLOCK_BYTES_MAX: usize = 64 * 1024;
/// Blocks of one checkpoint.
pub const CHECKPOINT_BLOCKS_MAX: usize = 65_536;
/// Bytes of a checkpoint's name.
pub const CHECKPOINT_NAME_BYTES_MAX: usize = 64;
/// Bytes of a data key as its ring wrapped it; what a key slot has room for.
pub const WRAPPED_KEY_BYTES_MAX: usize = 92;
/// Keys of a key ring file.
pub const RING_KEYS_MAX: usize = 256;
/// Problems that one verification lists before it stops.
pub const PROBLEMS_MAX: usize = 100;
/// Longest time between two high-water marks while the journal is written, in milliseconds.
pub const HIGH_WATER_EVERY_MS: u64 = 1_000;
/// Memory for the log engine's page cache unless the options say otherwise, in bytes.
pub const PAGE_CACHE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// Longest time between two signed checkpoints while the log grows, in milliseconds.
pub const CHECKPOINT_EVERY_MS: u64 = HIGH_WATER_EVERY_MS;
/// Keys that a log is signed with in its life, the retired ones included.
pub const SIGNING_KEYS_MAX: usize = 1_024;
/// Bytes of a log's name.
pub const ORIGIN_BYTES_MAX: usize = 128;
/// Bytes of the list of signing keys, and of a checkpoint with its signatures.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Key slots that are looked at in one step when keys are wrapped anew.
pub const REWRAP_SLOTS: u64 = 4_096;
/// Keys that are wrapped anew in one step at most; each takes three writes that are waited for.
pub const REWRAPPED_MAX: u64 = 16;
