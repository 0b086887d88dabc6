//! Durable verifications through the whole engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign::Countersign;
use tokio::runtime::Runtime;

use crate::args::Args;
use crate::load::{self, Phones};
use crate::population::People;
use crate::report::Report;
use crate::sample::{Numbers, Sample, median};
use crate::{Failure, fresh, machine, raw, store};

/// Principals with one enabled device each.
const PEOPLE: usize = 10_000;
/// In flight, and verifications of a short and of a full run.
const LOADS: [(usize, usize, usize); 5] = [
    (1, 1_500, 6_000),
    (64, 20_000, 100_000),
    (256, 40_000, 200_000),
    (1_024, 90_000, 400_000),
    (10_000, 80_000, 400_000),
];
/// The load that is compared with the store.
const COMPARED: usize = 1_024;

/// The engine under load, and what was spent on it.
struct Bench<'a> {
    args: &'a Args,
    engine: Countersign,
    phones: Arc<Phones>,
    client: Runtime,
    /// The position that the next answer has to tell.
    position: u64,
}

/// Everything that one load came to.
#[derive(Default)]
struct Load {
    times: Sample,
    rates: Vec<f64>,
    cpu_us: f64,
    threads_us: BTreeMap<String, f64>,
}

/// Prints verifications a second, their latency and what they cost.
pub fn rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    report.section("facade", "TOTP verifications through Countersign::verify_code: each accepted, folded and durable");
    let dir = fresh(&args.dir, "facade")?;
    let people = {
        let journal = store::journal(&dir, false)?;
        let people = People::settle(&journal, PEOPLE, &mut Numbers::new(args.seed))?;
        countersign_store::Journal::close(&journal)?;
        Arc::new(people)
    };
    let total: usize = LOADS.iter().map(|(_, short, full)| args.pick(*short, *full)).sum();
    let clock = store::clock_at(people.ends_s());
    // Everybody's first code, every load, and the load at 1,024 once more.
    let rounds = (PEOPLE + 2 * total).div_ceil(PEOPLE);
    let phones = Arc::new(Phones::new(Arc::clone(&people), rounds, clock.clone()));
    let engine = Countersign::open(&dir, store::config(&clock, store::wide_limits()))?;
    let client = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut bench = Bench { args, engine, phones, client, position: people.entries };

    let warm = bench.load(256, PEOPLE)?;
    report.row("first verification of everybody, 256 in flight", median(&warm.rates), "commands/s");
    bench.echo(report)?;
    for (in_flight, short, full) in LOADS {
        let count = args.pick(short, full);
        if in_flight == COMPARED {
            bench.compare(report, count)?;
        } else {
            let mut fsync = raw::fsync(&args.dir, args.pick(100, 300))?;
            let mut load = bench.load(in_flight, count)?;
            fsync.extend(&raw::fsync(&args.dir, args.pick(100, 300))?);
            print(report, in_flight, &mut load, &mut fsync);
        }
    }
    bench.two_threads(report)?;
    bench.client.block_on(bench.engine.close())?;
    drop(bench);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

impl Bench<'_> {
    fn load(&mut self, in_flight: usize, count: usize) -> Result<Load, Failure> {
        let (cpu, threads) = (machine::cpu_us(), machine::threads_us());
        let outcome = self.client.block_on(load::verify(&self.engine, &self.phones, in_flight, count))?;
        let cpu_us = machine::cpu_us() - cpu;
        let spent = |(name, after): (String, f64)| {
            let before = threads.get(&name).copied().unwrap_or(0.0);
            (name, after - before)
        };
        let threads_us = machine::threads_us().into_iter().map(spent).collect();
        self.position += count as u64;
        if outcome.position.0 != self.position {
            return Err(format!("the last answer told position {}, not {}", outcome.position, self.position).into());
        }
        Ok(Load { rates: vec![outcome.rate()], times: outcome.times, cpu_us, threads_us })
    }

    /// The client alone, against a thread that answers at once.
    fn echo(&self, report: &mut Report) -> Result<(), Failure> {
        let count = self.args.pick(100_000, 400_000);
        let before = machine::cpu_us();
        let echo = self.client.block_on(load::echo(&self.phones, COMPARED, count))?;
        let cpu = (machine::cpu_us() - before) / count as f64;
        report.row("the client alone, answered by an echo, 1,024 in flight", echo.rate(), "commands/s");
        report.row("the client alone, with the echo, CPU a call", cpu, "us");
        Ok(())
    }

    /// The load at 1,024, in turns with the store and the disk, so that all of them see the same machine.
    fn compare(&mut self, report: &mut Report, count: usize) -> Result<(), Failure> {
        let turns = self.args.pick(3, 5);
        let enough = Duration::from_millis(self.args.pick(300, 1_000) as u64);
        let mut numbers = Numbers::new(self.args.seed ^ 0x3a);
        let (mut load, mut fsync) = (Load::default(), Sample::default());
        let (mut backend, mut journal) = (Vec::new(), Vec::new());
        for _turn in 0..turns {
            fsync.extend(&raw::fsync(&self.args.dir, self.args.pick(200, 500))?);
            backend.push(raw::backend(&self.args.dir, COMPARED, enough, &mut numbers)?);
            journal.push(raw::journal(&self.args.dir, COMPARED, enough, &mut numbers)?);
            load.add(self.load(COMPARED, count / turns)?);
        }
        let rate = median(&load.rates);
        print(report, COMPARED, &mut load, &mut fsync);
        let (backend, journal) = (median(&backend), median(&journal));
        let note = format!("of {backend:.0} entries/s in turns; aim: 0.5");
        report.row_noting(&format!("verifications / backend, chunks only, {COMPARED}"), rate / backend, "", &note);
        let note = format!("of {journal:.0} entries/s in turns");
        report.row_noting(&format!("verifications / journal, {COMPARED}"), rate / journal, "", &note);
        Ok(())
    }

    /// The same load from a client on two threads of its own; the loads above come from one.
    fn two_threads(&self, report: &mut Report) -> Result<(), Failure> {
        let two = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
        let count = self.args.pick(80_000, 200_000);
        let outcome = two.block_on(load::verify(&self.engine, &self.phones, COMPARED, count))?;
        let note = "all other rows: a client on one thread";
        let name = format!("verifications, {COMPARED} in flight, client on two threads");
        report.row_noting(&name, outcome.rate(), "commands/s", note);
        Ok(())
    }
}

impl Load {
    fn add(&mut self, other: Self) {
        self.times.extend(&other.times);
        self.rates.extend(other.rates);
        self.cpu_us += other.cpu_us;
        for (name, spent) in other.threads_us {
            *self.threads_us.entry(name).or_insert(0.0) += spent;
        }
    }
}

/// Prints one load, and the disk beside it.
fn print(report: &mut Report, in_flight: usize, load: &mut Load, fsync: &mut Sample) {
    let name = |what: &str| format!("{what}, {in_flight} in flight");
    let count = load.times.len() as f64;
    report.row(&name("verifications"), median(&load.rates), "commands/s");
    let beside = |fsync: f64| format!("fsync beside it: {fsync:.0} us");
    for percent in [50.0, 99.0] {
        let note = beside(fsync.percentile(percent));
        report.row_noting(&name(&format!("ack p{percent}")), load.times.percentile(percent), "us", &note);
    }
    let p99s = load.times.percentile(99.0) / fsync.percentile(99.0);
    report.row_noting(&name("ack p99 / fsync p99"), p99s, "", "aim: under 3");
    let by_thread = load.threads_us.iter().filter(|(_, spent)| **spent / count >= 0.05);
    let note: Vec<_> = by_thread.map(|(name, spent)| format!("{name} {:.1}", spent / count)).collect();
    report.row_noting(&name("CPU a verification"), load.cpu_us / count, "us", &note.join(", "));
}
