//! The log engine's small files beside its log: checked, and not used.

use std::fs;
use std::path::Path;

/// The most that such a file may have, in bytes.
const BYTES_MAX: u64 = 1 << 30;

/// What does not hold in the engine's settings and its recovery snapshots.
#[must_use]
pub fn check(store: &Path) -> Vec<String> {
    let log = store.join("log");
    let mut problems = Vec::new();
    match fs::read(log.join("conf")) {
        Ok(bytes) if is_sealed_by_crc(&bytes, 0) && bytes.starts_with(b"segment_size: 2097152\n") => {}
        Ok(_) => problems.push("the log engine's settings (`log/conf`) are not what was written".to_owned()),
        Err(cause) => problems.push(format!("the log engine's settings (`log/conf`) could not be read: {cause}")),
    }
    let mut names: Vec<_> = fs::read_dir(&log).into_iter().flatten().flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A snapshot that is being written has another ending, and counts only when it is done.
        if !name.starts_with("snap.") || name.ends_with("generating") {
            continue;
        }
        let small = entry.metadata().is_ok_and(|metadata| metadata.len() <= BYTES_MAX);
        match fs::read(entry.path()) {
            Ok(bytes) if small && is_sealed_by_crc(&bytes, 8) => {}
            // A running engine replaces it.
            Err(_) => {}
            Ok(_) => {
                problems.push(format!("the log engine's recovery snapshot (`log/{name}`) is not what was written"))
            }
        }
    }
    problems
}

/// Whether the last four bytes are the checksum of all before them, some in between left out.
fn is_sealed_by_crc(bytes: &[u8], between: usize) -> bool {
    let Some((before, crc)) = bytes.split_last_chunk::<4>() else { return false };
    let Some(covered) = before.len().checked_sub(between).and_then(|end| before.get(..end)) else { return false };
    // The length of what is covered stands between, when it does.
    let length = before.get(covered.len()..).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
    crc32fast::hash(covered) == u32::from_le_bytes(*crc) && length.is_none_or(|length| length == covered.len() as u64)
}
