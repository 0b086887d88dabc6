//! The disk, a plain file, the backend and the journal: what the engine is measured against.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_domain::ids::{Position, StreamId, UnixMillis, Version};
use countersign_store::header::{HEADER_BYTES, LEAF_BYTES};
use countersign_store::limits::CHUNK_BYTES_TARGET;
use countersign_store::{Append, Backend, Journal, NewEntry, SledBackend, StoreOptions, StreamAppend};

use crate::args::Args;
use crate::population::command;
use crate::report::Report;
use crate::sample::{Numbers, Sample};
use crate::{Failure, fresh, store};

/// Bytes of a body in this section.
const BODY_BYTES: usize = 130;
/// Bytes of a stored entry.
const ENTRY_BYTES: usize = LEAF_BYTES + HEADER_BYTES + BODY_BYTES;
/// Streams that the journal's entries are of.
const STREAMS: u64 = 10_000;
/// Entries of one commit.
const SIZES: [usize; 4] = [1, 64, 256, 1_024];

/// Times appends of 4 KiB, each made durable.
pub fn fsync(dir: &Path, count: usize) -> Result<Sample, Failure> {
    let path = dir.join("fsync");
    let mut file = File::create(&path)?;
    let block = [0x5a; 4096];
    let mut times = Sample::with_capacity(count);
    for _block in 0..count {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_all()?;
        times.push(began.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(times)
}

/// Prints what an fsync costs.
pub fn fsync_rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    report.section("fsync", "append of 4 KiB and fsync, one after another");
    let mut times = fsync(&args.dir, args.pick(500, 4_000))?;
    for percent in [50.0, 99.0] {
        report.row(&format!("p{percent}"), times.percentile(percent), "us");
    }
    Ok(())
}

/// Commits and the time that they alone took.
struct Rate {
    entries: usize,
    time: Duration,
}

impl Rate {
    fn per_second(&self) -> f64 {
        self.entries as f64 / self.time.as_secs_f64()
    }
}

/// Prepares commit after commit and times each, until enough time is spent in them.
fn commits<T>(
    enough: Duration,
    entries: usize,
    mut prepare: impl FnMut() -> T,
    mut commit: impl FnMut(T) -> Result<(), Failure>,
) -> Result<Rate, Failure> {
    let mut rate = Rate { entries: 0, time: Duration::ZERO };
    while rate.time < enough {
        let prepared = prepare();
        let began = Instant::now();
        commit(prepared)?;
        rate.time += began.elapsed();
        rate.entries += entries;
    }
    Ok(rate)
}

/// The chunks that the journal would make of some entries.
fn chunks(numbers: &mut Numbers, next: &mut u64, entries: usize) -> Vec<(Position, Vec<u8>)> {
    let whole = CHUNK_BYTES_TARGET / ENTRY_BYTES;
    let mut left = entries;
    let mut made = Vec::new();
    while left > 0 {
        let count = left.min(whole);
        made.push((Position(*next), numbers.bytes(count * ENTRY_BYTES)));
        *next += count as u64;
        left -= count;
    }
    made
}

/// Entries a second into a plain file: the same bytes, appended and synced.
fn plain(dir: &Path, size: usize, enough: Duration, numbers: &mut Numbers) -> Result<f64, Failure> {
    let path = dir.join(format!("plain-{size}"));
    let mut file = File::create(&path)?;
    let rate = commits(
        enough,
        size,
        || numbers.bytes(size * ENTRY_BYTES),
        |bytes| {
            file.write_all(&bytes)?;
            Ok(file.sync_data()?)
        },
    )?;
    std::fs::remove_file(&path)?;
    Ok(rate.per_second())
}

/// Entries a second through the backend: chunks only.
pub fn backend(dir: &Path, size: usize, enough: Duration, numbers: &mut Numbers) -> Result<f64, Failure> {
    let path = fresh(dir, &format!("backend-{size}"))?;
    let backend = SledBackend::open(&path, StoreOptions::default())?;
    let mut next = 0;
    let rate =
        commits(enough, size, || chunks(numbers, &mut next, size), |chunks| Ok(backend.commit(chunks)?))?.per_second();
    drop(backend);
    std::fs::remove_dir_all(&path)?;
    Ok(rate)
}

/// Entries a second through the whole journal: as many appends of one entry each.
pub fn journal(dir: &Path, size: usize, enough: Duration, numbers: &mut Numbers) -> Result<f64, Failure> {
    let path = fresh(dir, &format!("journal-{size}"))?;
    let journal = store::journal(&path, false)?;
    let mut versions: HashMap<StreamId, Version> = HashMap::new();
    let (mut commands, salt) = (0, numbers.next());
    let prepare = || {
        let one = || {
            commands += 1;
            let mut id = [7; 16];
            id[..8].copy_from_slice(&(commands % STREAMS).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
            let stream = StreamId::from_bytes(id);
            let version = versions.entry(stream).or_insert(Version::NONE);
            let expected = *version;
            *version = version.next();
            let body = numbers.bytes(BODY_BYTES);
            let entry = NewEntry { event_type: 0x0313, type_version: 1, time: UnixMillis(commands), body, seal: false };
            let streams = vec![StreamAppend { stream, expected, fresh_key: false, entries: vec![entry] }];
            Append { command: command(salt, commands), streams }
        };
        std::iter::repeat_with(one).take(size).collect::<Vec<_>>()
    };
    let rate = commits(enough, size, prepare, |group| {
        journal.append_group(group).into_iter().try_for_each(|answer| answer.map(|_| ()))?;
        Ok(())
    })?;
    if journal.head().0 != rate.entries as u64 {
        return Err(format!("the journal has {} entries, not {}", journal.head(), rate.entries).into());
    }
    journal.close()?;
    drop(journal);
    std::fs::remove_dir_all(&path)?;
    Ok(rate.per_second())
}

/// Prints how fast a store takes prebuilt entries.
pub fn store_rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    let about = format!("durable entries of {BODY_BYTES} B bodies ({ENTRY_BYTES} B stored), by entries a commit");
    report.section("raw", &about);
    let enough = Duration::from_millis(args.pick(700, 4_000) as u64);
    let mut numbers = Numbers::new(args.seed ^ 0x2a);
    for size in SIZES {
        let plain = plain(&args.dir, size, enough, &mut numbers)?;
        let backend = backend(&args.dir, size, enough, &mut numbers)?;
        let journal = journal(&args.dir, size, enough, &mut numbers)?;
        report.row(&format!("plain file, append + fdatasync, {size}"), plain, "entries/s");
        let share = format!("{:.2} of the plain file", backend / plain);
        report.row_noting(&format!("backend, chunks only, {size}"), backend, "entries/s", &share);
        let share = format!("{:.2} of the backend", journal / backend);
        report.row_noting(&format!("journal, hash + chain + index, {size}"), journal, "entries/s", &share);
    }
    Ok(())
}
