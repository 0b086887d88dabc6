//! What the run runs on, and what the process used of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::args::Args;
use crate::report::Report;

/// Microseconds of one tick of `/proc/self/stat`, which Linux fixes at a hundredth of a second.
const TICK_US: f64 = 10_000.0;

/// Prints the machine, the file system and the seed.
pub fn describe(report: &mut Report, args: &Args) -> Result<(), Failure> {
    report.section("machine", "what everything below was measured on");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    report.text("cores", &cores.to_string());
    report.text("cpu", &field("/proc/cpuinfo", "model name"));
    report.text("memory", &field("/proc/meminfo", "MemTotal"));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    report.text("kernel", kernel.trim());
    let (medium, kind) = file_system(&args.dir.canonicalize()?);
    report.text("file system", &format!("{kind} on {medium}"));
    report.text("seed", &args.seed.to_string());
    report.text("counts", if args.short { "short" } else { "full" });
    Ok(())
}

/// The value of the first line of a file that begins with a name.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// The device and the type of the file system that a path is on: the longest mount point above it.
fn file_system(path: &Path) -> (String, String) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (device, point, kind) = (words.next()?, words.next()?, words.next()?);
        path.starts_with(point).then(|| (point.len(), device.to_owned(), kind.to_owned()))
    });
    above.max_by_key(|(length, ..)| *length).map_or_else(Default::default, |(_, device, kind)| (device, kind))
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> f64 {
    let text = field("/proc/self/status", "VmRSS");
    let kib: f64 = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
    kib * 1024.0
}

/// The most memory that this process had resident, in bytes.
pub fn peak_bytes() -> f64 {
    let text = field("/proc/self/status", "VmHWM");
    let kib: f64 = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
    kib * 1024.0
}

/// CPU time that the process has used, of ended threads too, in microseconds.
pub fn cpu_us() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |place: usize| after_name.split(' ').nth(place).and_then(|word| word.parse::<f64>().ok());
    // Fields 14 and 15, of which two stand before the name's end.
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) * TICK_US
}

/// CPU time that the whole machine has used on all of its cores, in microseconds.
fn machine_us() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or("").split_whitespace().skip(1).map(|word| word.parse().unwrap_or(0.0));
    // User, nice, system; then idle and waiting, which are not work; then interrupts and what a host took.
    ticks
        .take(8)
        .enumerate()
        .filter(|(place, _)| !matches!(place, 3 | 4))
        .map(|(_, ticks): (_, f64)| ticks)
        .sum::<f64>()
        * TICK_US
}

/// How much of the machine others used while something was measured.
pub struct Others {
    machine_us: f64,
    own_us: f64,
    began: Instant,
}

impl Others {
    /// Begins to watch.
    pub fn watch() -> Self {
        Self { machine_us: machine_us(), own_us: cpu_us(), began: Instant::now() }
    }

    /// The cores that others used on average, and for how long it was watched.
    pub fn cores(&self) -> (f64, Duration) {
        let elapsed = self.began.elapsed();
        let spent = (machine_us() - self.machine_us) - (cpu_us() - self.own_us);
        ((spent / 1e6 / elapsed.as_secs_f64()).max(0.0), elapsed)
    }
}

/// CPU time of living threads by name, in microseconds; empty where the kernel does not tell.
pub fn threads_us() -> BTreeMap<String, f64> {
    let mut threads = BTreeMap::new();
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return threads };
    for task in tasks.flatten() {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).ok();
        let (Some(name), Some(times)) = (read("comm"), read("schedstat")) else { continue };
        let ran: f64 = times.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
        // A pool is one name: its threads are numbered.
        let name = name.trim().trim_end_matches(|last: char| last.is_ascii_digit() || last == '-');
        *threads.entry(name.to_owned()).or_insert(0.0) += ran / 1000.0;
    }
    threads
}
