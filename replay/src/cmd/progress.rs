//! How far the reading of audit logs has come, on a terminal.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use countersign_replay::trail::{LoadOptions, Loaded, Progress, load};

/// How often the progress is shown anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Reads audit logs, and shows how far it is where somebody watches.
pub(super) fn load_with_progress(paths: &[PathBuf], options: &LoadOptions) -> Loaded {
    let progress = Progress::default();
    if !std::io::stderr().is_terminal() {
        return load(paths, options, &progress);
    }
    let (done, waits) = channel::<()>();
    let seen = progress.clone();
    let shows = thread::spawn(move || {
        let began = Instant::now();
        while waits.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
            show(&seen, began.elapsed());
        }
        let _closed = write!(std::io::stderr(), "\r\x1b[K");
    });
    let loaded = load(paths, options, &progress);
    drop(done);
    let _shown = shows.join();
    loaded
}

fn show(progress: &Progress, elapsed: Duration) {
    let (bytes, total) = (progress.bytes.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
    let rate = bytes as f64 / elapsed.as_secs_f64().max(0.001);
    let left = (total.saturating_sub(bytes)) as f64 / rate.max(1.0);
    let percent = bytes.saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
    let line = format!("{percent:3} %  {:.0} MB/s  {left:.0} s left", rate / 1e6);
    let _closed = write!(std::io::stderr(), "\r\x1b[K{line}");
}
