//! Opening: after a clean close, and from what a crash leaves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use countersign::{Clock, Countersign, Limits};
use countersign_store::Journal;

use crate::Failure;
use crate::load::{self, Phones};
use crate::population::People;
use crate::report::Report;
use crate::sample::{Numbers, Sample};
use crate::store::{self, Stores};

/// Times of opening: the journal alone, and the whole engine.
struct Opened {
    journal: Sample,
    engine: Sample,
}

/// Opens a store as often as asked, each time as `prepare` leaves it.
fn open(
    times: usize,
    (entries, at_s): (u64, u64),
    mut prepare: impl FnMut() -> Result<PathBuf, Failure>,
) -> Result<Opened, Failure> {
    let mut opened = Opened { journal: Sample::default(), engine: Sample::default() };
    for turn in 0..2 * times {
        let dir = prepare()?;
        if turn % 2 == 0 {
            let began = Instant::now();
            let journal = store::journal(&dir, false)?;
            opened.journal.push(began.elapsed());
            if journal.head().0 != entries {
                return Err(format!("{} entries of {entries} are there", journal.head()).into());
            }
            journal.close()?;
        } else {
            let config = store::config(&store::clock_at(at_s), store::wide_limits());
            let began = Instant::now();
            let engine = Countersign::open(&dir, config)?;
            opened.engine.push(began.elapsed());
            if !engine.has_folded(countersign::Position(entries)) {
                return Err("the projections do not know the whole log".into());
            }
            store::wait(engine.close())??;
        }
    }
    Ok(opened)
}

fn print(report: &mut Report, name: &str, note: &str, mut opened: Opened) {
    report.row(&format!("{name}, journal alone, p50"), opened.journal.percentile(50.0) / 1e3, "ms");
    report.row_noting(&format!("{name}, engine, p50"), opened.engine.percentile(50.0) / 1e3, "ms", note);
    report.row(&format!("{name}, engine, worst"), opened.engine.percentile(100.0) / 1e3, "ms");
}

/// Prints opening times at ten thousand and at a million events.
pub fn rows(report: &mut Report, stores: &mut Stores<'_>) -> Result<(), Failure> {
    let args = stores.args();
    report.section("startup", "Countersign::open, the operating system's cache warm");
    let small = args.dir.join("small");
    let few = Arc::new(store::build(&small, 1_000, 10_000, &mut Numbers::new(args.seed))?);
    let tail = args.pick(20_000, 60_000);
    of_store(report, args.pick(3, 7), "10 k events", "", (&small, &few), tail / 10)?;
    let large = stores.large()?;
    let shared = (large.dir.as_path(), &large.people);
    of_store(report, args.pick(3, 7), "1 M events", "aim: under 100", shared, tail)
}

/// Prints one store's opening times: closed cleanly, and as copied while open after `tail` more events.
fn of_store(
    report: &mut Report,
    times: usize,
    name: &str,
    note: &str,
    (dir, people): (&Path, &Arc<People>),
    tail: usize,
) -> Result<(), Failure> {
    let clean = open(times, (people.entries, people.ends_s()), || Ok(dir.to_owned()))?;
    print(report, &format!("{name}, after a clean close"), note, clean);

    // A copy lives on, so that others find the store as it was.
    let (live, image) = (dir.with_extension("live"), dir.with_extension("image"));
    store::copy(dir, &live)?;
    let clock = store::clock_at(people.ends_s());
    let rounds = tail.div_ceil(people.len());
    let phones = Arc::new(Phones::new(Arc::clone(people), rounds, clock.clone()));
    // No quiet moment before the crash in which the projections would be written.
    let limits = Limits { checkpoint_every: u64::MAX, ..store::wide_limits() };
    let engine = Countersign::open(&live, store::config(&clock, limits))?;
    let outcome = store::wait(load::verify(&engine, &phones, 256, tail))??;
    store::copy(&live, &image)?;
    drop(engine);
    std::fs::remove_dir_all(&live)?;
    let crash = open(times, (outcome.position.0, clock.now().secs()), || {
        let trial = dir.with_extension("trial");
        if trial.exists() {
            std::fs::remove_dir_all(&trial)?;
        }
        store::copy(&image, &trial)?;
        Ok(trial)
    })?;
    print(report, &format!("{name}, after a crash"), &format!("{tail} events since the last checkpoint"), crash);
    std::fs::remove_dir_all(dir.with_extension("trial"))?;
    std::fs::remove_dir_all(&image)?;
    Ok(())
}
