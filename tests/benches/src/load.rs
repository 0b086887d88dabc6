//! The client: many verifications in flight, each timed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign::testing::{digits, hotp};
use countersign::{Caller, Code, Countersign, ManualClock, Position, Purpose, Request};

use crate::Failure;
use crate::population::{People, STEP_S};
use crate::sample::Sample;

/// A source of fresh codes: person after person, and at the end of a round the clock goes on a step.
///
/// Six rounds fall into one attempt window, so that nobody's budget is touched.
pub struct Phones {
    people: Arc<People>,
    codes: Vec<u32>,
    first_s: u64,
    clock: ManualClock,
    next: AtomicUsize,
}

impl Phones {
    /// Computes the codes of some rounds ahead. The clock stands where the people's history ends.
    pub fn new(people: Arc<People>, rounds: usize, clock: ManualClock) -> Self {
        let first_s = people.ends_s() + STEP_S;
        let mut codes = Vec::with_capacity(rounds * people.len());
        for round in 0..rounds as u64 {
            let counter = first_s / STEP_S + round;
            codes.extend(people.all.iter().map(|person| hotp(&person.seed, counter)));
        }
        clock.set(countersign::UnixMillis::from_secs(first_s));
        Self { people, codes, first_s, clock, next: AtomicUsize::new(0) }
    }

    /// How many codes were not used yet.
    pub fn left(&self) -> usize {
        self.codes.len() - self.next.load(Ordering::Relaxed)
    }

    /// Sets the clock for a code, and says whose it is.
    fn turn(&self, index: usize) -> (&crate::population::Person, Result<Code, Failure>) {
        let (round, place) = (index / self.people.len(), index % self.people.len());
        if place == 0 {
            self.clock.set(countersign::UnixMillis::from_secs(self.first_s + round as u64 * STEP_S));
        }
        (&self.people.all[place], Code::parse(&digits(self.codes[index])).map_err(Into::into))
    }

    /// Whether a person's phone showed the same digits a step or two before: they were used then (R87).
    fn shown_before(&self, index: usize) -> bool {
        let (round, place) = (index / self.people.len(), index % self.people.len());
        let (counter, seed) = (self.first_s / STEP_S + round as u64, &self.people.all[place].seed);
        (1..=2).any(|back| hotp(seed, counter - back) == self.codes[index])
    }
}

/// What a load came to.
pub struct Outcome {
    /// The time of each.
    pub times: Sample,
    /// From the first to the last.
    pub elapsed: Duration,
    /// The highest position that an answer told.
    pub position: Position,
}

impl Outcome {
    /// How many a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Keeps `in_flight` calls under way until `total` are done.
async fn pump<F, R>(in_flight: usize, total: usize, call: F) -> Result<(Sample, Duration), Failure>
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let left = Arc::new(AtomicUsize::new(total));
    let began = Instant::now();
    let workers: Vec<_> = (0..in_flight.min(total))
        .map(|_| {
            let (call, left) = (call.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                let mut times = Sample::with_capacity(2 * total / in_flight);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let asked = Instant::now();
                    call().await?;
                    times.push(asked.elapsed());
                }
                Ok::<Sample, Failure>(times)
            })
        })
        .collect();
    let mut times = Sample::with_capacity(total);
    for worker in workers {
        times.extend(&worker.await??);
    }
    if times.len() != total {
        return Err(format!("{} of {total} calls came back", times.len()).into());
    }
    Ok((times, began.elapsed()))
}

/// Verifies codes through the engine; every one has to be accepted, but for digits that were used a step or two before.
pub async fn verify(
    engine: &Countersign,
    phones: &Arc<Phones>,
    in_flight: usize,
    total: usize,
) -> Result<Outcome, Failure> {
    if phones.left() < total {
        return Err(format!("{total} codes were wanted and {} are left", phones.left()).into());
    }
    let highest = Arc::new(AtomicU64::new(0));
    let (engine, phones, seen) = (engine.clone(), Arc::clone(phones), Arc::clone(&highest));
    let call = move || {
        let (engine, phones, seen) = (engine.clone(), Arc::clone(&phones), Arc::clone(&seen));
        async move {
            let index = phones.next.fetch_add(1, Ordering::Relaxed);
            let (person, code) = phones.turn(index);
            let request = Request::by(Caller::at_console(person.id.clone(), None));
            let ack = engine.verify_code(request, &person.id, &person.serial, code?, Purpose::SignIn).await?;
            if !ack.value.is_accepted() && !phones.shown_before(index) {
                return Err(format!("code {index} of {} was not accepted: {:?}", person.id, ack.value).into());
            }
            seen.fetch_max(ack.position.0, Ordering::Relaxed);
            Ok(())
        }
    };
    let (times, elapsed) = pump(in_flight, total, call).await?;
    Ok(Outcome { times, elapsed, position: Position(highest.load(Ordering::Relaxed)) })
}

/// The same client against a thread that answers at once: what the client itself costs.
pub async fn echo(phones: &Arc<Phones>, in_flight: usize, total: usize) -> Result<Outcome, Failure> {
    type Asked = (Request, Code, tokio::sync::oneshot::Sender<bool>);
    let (asking, mut asked) = tokio::sync::mpsc::channel::<Asked>(in_flight);
    let thread = std::thread::Builder::new().name("echo".to_owned()).spawn(move || {
        while let Some((_, _, reply)) = asked.blocking_recv() {
            // Whoever asked waits for it.
            let _waits = reply.send(true);
        }
    })?;
    let (phones, next) = (Arc::clone(phones), Arc::new(AtomicUsize::new(0)));
    let call = move || {
        let (phones, asking, next) = (Arc::clone(&phones), asking.clone(), Arc::clone(&next));
        async move {
            let place = next.fetch_add(1, Ordering::Relaxed) % phones.people.len();
            let person = &phones.people.all[place];
            let code = Code::parse(&digits(phones.codes[place]))?;
            let request = Request::by(Caller::at_console(person.id.clone(), None));
            let (reply, answer) = tokio::sync::oneshot::channel();
            asking.send((request, code, reply)).await.map_err(|_| "the echo is gone")?;
            if answer.await? { Ok(()) } else { Err("the echo refused".into()) }
        }
    };
    let (times, elapsed) = pump(in_flight, total, call).await?;
    thread.join().map_err(|_| "the echo panicked")?;
    Ok(Outcome { times, elapsed, position: Position(0) })
}
