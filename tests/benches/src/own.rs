//! Reading a store in place, without its engine, as the auditor's tool does.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use countersign_domain::ids::Position;
use countersign_domain::policy::Policy;
use countersign_replay::own::{Entries, OwnStore, each_entry, state, verify};

use crate::args::Args;
use crate::report::Report;
use crate::sample::Numbers;
use crate::{Failure, machine, store};

/// The word that makes this program the reading process.
pub const CHILD: &str = "--read-own-store";
/// What the child does, in the order of the rows.
const WORK: [&str; 4] = ["scan", "decode", "state", "verify"];

/// Prints events a second of each kind of reading, and the most memory that it takes.
pub fn rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    let (people, entries) = (args.pick(10_000, 100_000), args.pick(1_000_000, 10_000_000) as u64);
    let dir = args.dir.join("own");
    let count = store::build(&dir, people, entries, &mut Numbers::new(args.seed ^ 0x0e))?.entries;
    let disk = store::disk_bytes(&dir)? as f64;
    report.section("own", &format!("{count} events of {people} principals read in place, a process for each row"));
    report.row("store on disk", disk / 1e6, "MB");
    let mut scan = None;
    for work in WORK {
        let [open_s, seconds, peak] = measured(&dir, work)?;
        let rate = count as f64 / seconds / 1e6;
        let scanned = *scan.get_or_insert(rate);
        if work == WORK[0] {
            report.row("finding the log in its file", disk / open_s / 1e6, "MB/s");
        }
        let note = format!("{:.2} of the raw scan", rate / scanned);
        report.row_noting(NAMES[WORK.iter().position(|one| *one == work).unwrap_or(0)], rate, "M events/s", &note);
        report.row("most memory of that", peak / 1e6, "MB");
    }
    Ok(())
}

const NAMES: [&str; 4] = ["raw scan", "scan + decode", "state: scan + decode + fold + answer", "verify: all of it"];

/// Does one kind of reading in a process of its own: seconds to open, seconds to read, bytes of memory.
fn measured(dir: &Path, work: &str) -> Result<[f64; 3], Failure> {
    let output = Command::new(std::env::current_exe()?).arg(CHILD).arg(dir).arg(work).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let numbers = numbers.try_into();
    numbers.map_err(|_| format!("the reading process: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The reading process.
pub fn child(mut words: impl Iterator<Item = String>) -> Result<(), Failure> {
    let dir = PathBuf::from(words.next().ok_or("which store")?);
    let work = words.next().ok_or("which work")?;
    let began = Instant::now();
    let log = OwnStore::open(&dir, None)?;
    let opened = began.elapsed().as_secs_f64();
    let began = Instant::now();
    match work.as_str() {
        "scan" => {
            let end = log.scan(Position(0), &mut |entry| {
                std::hint::black_box(entry.body);
                ControlFlow::Continue(())
            })?;
            assert_eq!(end, log.head());
        }
        "decode" => each_entry(&log, Position(0), &mut |_, event| {
            let _event = std::hint::black_box(event);
            Ok(ControlFlow::Continue(()))
        })?,
        "state" => drop(std::hint::black_box(state::state(&log, None, None)?)),
        _ => {
            let found = verify::verify(&dir, None, &Policy::classic())?;
            if !found.holds {
                return Err(found.to_string().into());
            }
        }
    }
    // What the measuring process reads.
    #[expect(clippy::print_stdout, reason = "the measuring process reads it")]
    {
        println!("{opened} {} {}", began.elapsed().as_secs_f64(), machine::peak_bytes());
    }
    Ok(())
}
