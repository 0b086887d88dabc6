//! Bytes of an event, and memory of a principal.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use countersign::{Countersign, UnixMillis};
use countersign_domain::ids::Position;
use countersign_store::Journal;
use countersign_store::header::{HEADER_BYTES, LEAF_BYTES};

use crate::args::Args;
use crate::load::{self, Phones};
use crate::population::{People, Person};
use crate::report::Report;
use crate::sample::Numbers;
use crate::store::{self, Stores};
use crate::{Failure, fresh, machine};

/// The word that makes this program the measuring process.
pub const CHILD: &str = "--measure-memory";
/// People who fill what is bounded before anything is measured, and how often each is verified.
const FILLERS: usize = 1_000;
const FILLER_ROUNDS: usize = 70;

/// Prints bytes of an event and memory of a principal.
pub fn rows(report: &mut Report, args: &Args, stores: &mut Stores<'_>) -> Result<(), Failure> {
    let large = stores.large()?;
    let count = large.people.entries;
    report.section("size", "bytes of an event and memory of a principal");
    let mut bodies = 0_u64;
    {
        let journal = store::journal(&large.dir, true)?;
        journal.scan(Position(0), &mut |entry| {
            bodies += entry.body.len() as u64;
            ControlFlow::Continue(())
        })?;
    }
    let body = bodies as f64 / count as f64;
    report.row("body, as stored", body, "B/event");
    let wire = body + (HEADER_BYTES + LEAF_BYTES) as f64;
    let note = format!("header {HEADER_BYTES} B, leaf {LEAF_BYTES} B");
    report.row_noting("entry: header, body and leaf", wire, "B/event", &note);
    let disk = store::disk_bytes(&large.dir)? as f64 / count as f64;
    let note = format!("{count} events, with index, keys and projections");
    report.row_noting("on disk", disk, "B/event", &note);
    report.row("on disk / entry", disk / wire, "");
    memory(report, args)
}

/// Measures in a process of its own, whose memory nothing was in before.
fn memory(report: &mut Report, args: &Args) -> Result<(), Failure> {
    let count = args.pick(20_000, 100_000);
    let dir = fresh(&args.dir, "resident")?;
    store::build(&dir, FILLERS + count, 0, &mut Numbers::new(args.seed))?;
    let child = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .args([dir.as_os_str(), count.to_string().as_ref(), args.seed.to_string().as_ref()])
        .output()?;
    let said = String::from_utf8_lossy(&child.stdout);
    let grown: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [opened, first, second] = grown[..] else {
        return Err(format!("the measuring process said `{said}{}`", String::from_utf8_lossy(&child.stderr)).into());
    };
    report.row("the opened store and its projections", opened, "B/principal");
    let note = format!("{count} principals with one device each, all verified once");
    report.row_noting("growth when everybody comes into memory", first, "B/principal", &note);
    report.row("growth by one more verification of everybody", second, "B/principal");
    report.row("a principal in memory: the one less the other", first - second, "B/principal");
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// The process of its own: prints bytes a principal, of the opening and of two rounds of verifications.
pub fn child(mut words: impl Iterator<Item = String>) -> Result<(), Failure> {
    let dir = PathBuf::from(words.next().ok_or("no directory")?);
    let count: usize = words.next().ok_or("no count")?.parse()?;
    let mut numbers = Numbers::new(words.next().ok_or("no seed")?.parse()?);
    // The number that the settling used up first.
    let _salt = numbers.next();
    let mut people = People::imagine(count + FILLERS, &mut numbers)?;
    let fillers: Vec<Person> = people[..FILLERS].to_vec();
    people.drain(..FILLERS);
    let clock = store::clock_at(0);
    let early = Arc::new(Phones::new(Arc::new(People::later(fillers, 0)), FILLER_ROUNDS, clock.clone()));
    let count = people.len();
    let late = People::later(people, FILLER_ROUNDS as u64 + 1);
    let late = Arc::new(Phones::new(Arc::new(late), 2, clock.clone()));
    clock.set(UnixMillis::from_secs(People::later(Vec::new(), 1).ends_s()));

    let before = machine::resident_bytes();
    let engine = Countersign::open(&dir, store::config(&clock, store::wide_limits()))?;
    let mut at = machine::resident_bytes();
    let mut grown = vec![at - before];
    // Fills what is bounded: the window of command ids, the index's layers. First everybody comes into
    // memory, so that nobody is still on the way when the clock has gone on.
    for count in [FILLERS, FILLERS * (FILLER_ROUNDS - 1)] {
        store::wait(load::verify(&engine, &early, 64, count))??;
    }
    at = machine::resident_bytes();
    for _round in 0..2 {
        store::wait(load::verify(&engine, &late, 256, count))??;
        let now = machine::resident_bytes();
        grown.push(now - at);
        at = now;
    }
    let each: Vec<String> = grown.iter().map(|bytes| (bytes / count as f64).to_string()).collect();
    writeln!(std::io::stdout(), "{}", each.join(" "))?;
    store::wait(engine.close())??;
    Ok(())
}
