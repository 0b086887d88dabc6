//! Reading a whole log back into states, on one core.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use countersign_domain::account::{Account, Claim};
use countersign_domain::device::Device;
use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::principal::Principal;
use countersign_domain::{Corrupt, wire};
use countersign_store::{EntryRef, Journal};

use crate::Failure;
use crate::args::Args;
use crate::report::Report;
use crate::sample::median;
use crate::store::{self, Stores};

/// Stream ids are hashes already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

type States<T> = HashMap<StreamId, Option<T>, BuildHasherDefault<IdHasher>>;

/// The states of every stream.
#[derive(Default)]
struct World {
    principals: States<Principal>,
    devices: States<Device>,
    accounts: States<Account>,
    names: States<Claim>,
}

impl World {
    fn take(&mut self, entry: &EntryRef<'_>, event: &Event) -> Result<(), Corrupt> {
        let (stream, at) = (entry.header.stream, entry.header.time);
        match entry.header.event_type {
            0x0300..=0x03ff => fold(&mut self.principals, stream, event, at, Principal::evolve),
            // A seed is read when a code is checked, and is part of no state.
            0x0210 => Ok(()),
            0x0200..=0x02ff => fold(&mut self.devices, stream, event, at, Device::evolve),
            0x0180..=0x01ff => fold(&mut self.names, stream, event, at, Claim::evolve),
            _ => fold(&mut self.accounts, stream, event, at, Account::evolve),
        }
    }

    fn streams(&self) -> usize {
        self.principals.len() + self.devices.len() + self.accounts.len() + self.names.len()
    }
}

fn fold<T>(
    states: &mut States<T>,
    stream: StreamId,
    event: &Event,
    at: UnixMillis,
    evolve: fn(Option<T>, &Event, UnixMillis) -> Result<T, Corrupt>,
) -> Result<(), Corrupt> {
    let state = states.entry(stream).or_default();
    *state = Some(evolve(state.take(), event, at)?);
    Ok(())
}

fn event_of(journal: &dyn Journal, entry: &EntryRef<'_>) -> Result<Event, Failure> {
    let (kind, version) = (entry.header.event_type, entry.header.type_version);
    if entry.header.is_sealed() {
        return Ok(wire::decode(kind, version, &journal.unseal(&entry.header, entry.body)?)?);
    }
    Ok(wire::decode(kind, version, entry.body)?)
}

/// Times a pass over the log; `visit` says what is done with each entry.
fn pass(
    journal: &dyn Journal,
    expected: u64,
    mut visit: impl FnMut(&EntryRef<'_>) -> Result<(), Failure>,
) -> Result<Duration, Failure> {
    let mut visited = 0;
    let mut failed = None;
    let began = Instant::now();
    journal.scan(Position(0), &mut |entry| {
        visited += 1;
        match visit(&entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    })?;
    let elapsed = began.elapsed();
    match failed {
        Some(failure) => Err(failure),
        None if visited == expected => Ok(elapsed),
        None => Err(format!("{visited} entries were visited, not {expected}").into()),
    }
}

/// Prints events a second: scanned, decoded, folded.
pub fn rows(report: &mut Report, args: &Args, stores: &mut Stores<'_>) -> Result<(), Failure> {
    let large = stores.large()?;
    let (count, people, accounts) = (large.people.entries, large.people.len(), large.people.accounts);
    report.section("replay", &format!("{count} events of {people} principals, one thread, median of several passes"));
    let journal = store::journal(&large.dir, true)?;
    let rate = |seconds: f64| count as f64 / seconds / 1e6;

    let mut cold = Vec::new();
    let mut seconds: [Vec<f64>; 4] = Default::default();
    let (mut sealed, mut streams) = (0_u64, 0);
    // In turns, so that all of them see the same machine.
    for turn in 0..args.pick(4, 8) {
        let scan = pass(&journal, count, |_| Ok(()))?;
        if turn == 0 {
            cold.push(scan.as_secs_f64());
            continue;
        }
        sealed = 0;
        let open = pass(&journal, count, |entry| {
            if entry.header.is_sealed() {
                sealed += 1;
                journal.unseal(&entry.header, entry.body)?;
            }
            Ok(())
        })?;
        let decode = pass(&journal, count, |entry| {
            std::hint::black_box(event_of(&journal, entry)?);
            Ok(())
        })?;
        let mut world = World::default();
        let fold = pass(&journal, count, |entry| Ok(world.take(entry, &event_of(&journal, entry)?)?))?;
        streams = world.streams();
        for (all, time) in seconds.iter_mut().zip([scan, open, decode, fold]) {
            all.push(time.as_secs_f64());
        }
    }
    // A principal has a stream, its device one and its name one; an account has one, and its root.
    if streams != 3 * people + 2 * accounts {
        return Err(format!("{streams} streams came out of {people} principals in {accounts} accounts").into());
    }
    let [scan, open, decode, fold] = seconds.map(|all| median(&all));
    report.row("raw scan, first", rate(median(&cold)), "M events/s");
    report.row("raw scan", rate(scan), "M events/s");
    report.row("scan + opening of sealed bodies", rate(open), "M events/s");
    let note = format!("{sealed} sealed bodies, {:.1} % of all", sealed as f64 / count as f64 * 100.0);
    report.row_noting("opening of one sealed body", (open - scan) / sealed as f64 * 1e6, "us", &note);
    report.row("scan + decode", rate(decode), "M events/s");
    report.row_noting("scan + decode + fold", rate(fold), "M events/s", "aim: 3");
    report.row("fold / raw scan", scan / fold, "");
    report.row("the same without the opening of sealed bodies", rate(fold - (open - scan)), "M events/s");
    Ok(())
}
