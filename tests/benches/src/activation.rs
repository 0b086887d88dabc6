//! The first command of a principal that is not in memory.

use std::sync::Arc;
use std::time::Instant;

use countersign::{Caller, Code, Countersign, Limits, Purpose, Rejection, Request};

use crate::args::Args;
use crate::load::{self, Phones};
use crate::population::People;
use crate::report::Report;
use crate::sample::{Numbers, Sample};
use crate::{Failure, fresh, store};

/// Events of a principal.
const LENGTHS: [usize; 3] = [10, 100, 1_000];

/// Prints the time of a first verification by length of history, without and with a snapshot.
pub fn rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    let count = args.pick(100, 200);
    let about = format!("first verification of {count} passivated principals, one after another");
    report.section("activation", &about);
    for length in LENGTHS {
        let dir = fresh(&args.dir, &format!("activation-{length}"))?;
        let people = {
            let journal = store::journal(&dir, false)?;
            let mut people = People::settle(&journal, count, &mut Numbers::new(args.seed))?;
            // Two events brought the principal about; the rest is interleaved with everybody else's.
            people.live_rounds(&journal, length - 2)?;
            countersign_store::Journal::close(&journal)?;
            Arc::new(people)
        };
        let clock = store::clock_at(people.ends_s());
        let phones = Arc::new(Phones::new(Arc::clone(&people), 5, clock.clone()));
        // What each opening finds: nobody in memory. What each closing leaves: snapshots, if it may.
        let opened = |snapshot_every: u64, work: &dyn Fn(&Countersign) -> Result<Sample, Failure>| {
            let limits = Limits { snapshot_every, ..store::wide_limits() };
            let engine = Countersign::open(&dir, store::config(&clock, limits))?;
            let times = work(&engine)?;
            store::wait(engine.close())??;
            Ok::<_, Failure>(times)
        };
        let verified = |engine: &Countersign| Ok(store::wait(load::verify(engine, &phones, 1, count))??.times);
        let refused = |engine: &Countersign| store::wait(refuse(engine, &people))?;
        let again = |engine: &Countersign| verified(engine).and_then(|_first| verified(engine));
        for (what, snapshot_every) in [("without snapshot", u64::MAX), ("with snapshot", 1)] {
            if snapshot_every == 1 {
                opened(snapshot_every, &verified)?;
            }
            let mut reading = opened(snapshot_every, &refused)?;
            let mut times = opened(snapshot_every, &verified)?;
            report.row(&format!("{length} events, {what}, p50"), times.percentile(50.0), "us");
            report.row(&format!("{length} events, {what}, p99"), times.percentile(99.0), "us");
            report.row(&format!("{length} events, {what}, without the commit, p50"), reading.percentile(50.0), "us");
        }
        let mut resident = opened(u64::MAX, &again)?;
        report.row(&format!("{length} events, in memory already, p50"), resident.percentile(50.0), "us");
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

/// Asks each for a device that is another's: the principal is read, nothing is written.
async fn refuse(engine: &Countersign, people: &People) -> Result<Sample, Failure> {
    let mut times = Sample::default();
    for (place, person) in people.all.iter().enumerate() {
        let other = &people.all[(place + 1) % people.len()].serial;
        let request = Request::by(Caller::at_console(person.id.clone(), None));
        let code = Code::parse("000000")?;
        let asked = Instant::now();
        let answer = engine.verify_code(request, &person.id, other, code, Purpose::SignIn).await;
        times.push(asked.elapsed());
        match answer {
            Err(error) if error.rejection() == Some(&Rejection::DeviceNotYours) => {}
            answer => return Err(format!("another's device was answered by {answer:?}").into()),
        }
    }
    Ok(times)
}
