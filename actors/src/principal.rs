//! A principal's core: its state, its devices' generators, and its commands.

mod challenges;
mod forgetting;
mod outgoing;
mod sign_in;
mod stored;
mod work;

use std::sync::Arc;

use countersign_domain::account::Claim;
use countersign_domain::decide::{self, Candidate, Decision, Outcome, Record, Step, Verdict};
use countersign_domain::device::{Device, DeviceName, Entity, Serial};
use countersign_domain::event::{Event, Purpose};
use countersign_domain::ids::{AccountId, PrincipalId, StreamId, UnixMillis, Version};
use countersign_domain::principal::Principal;
use countersign_domain::rejection::Rejection;
use countersign_domain::totp::{CodeMatches, CodeSearch, PairSearch};
use countersign_store::Committed;

use crate::answer::Request;
use crate::code::Code;
use crate::error::Error;
use crate::history::{self, At};
use crate::recorded::{done_before, heads, moved_on, recorded_answer};
use crate::resident::{Answer, Begun, Core};
use crate::shared::{CommitError, Shared, Wrote, known_from};
use crate::totp::Generator;
use stored::{Held, enabled_devices, hold, read, save_snapshot};
pub(crate) use work::{CeremonyWork, PrincipalWork};

/// The stream of no device: a version-5 UUID is never zero.
const NO_DEVICE: StreamId = StreamId::from_bytes([0; 16]);

/// A principal in memory.
pub(crate) struct PrincipalCore {
    shared: Arc<Shared>,
    account: AccountId,
    stream: StreamId,
    at: At<Principal>,
    held: Vec<Held>,
    snapshot: Version,
}

impl Core for PrincipalCore {
    type Key = PrincipalId;
    type Work = PrincipalWork;
    type Pending = Pending;

    async fn load(shared: Arc<Shared>, key: PrincipalId) -> Result<Self, Error> {
        let (account, stream) = (key.account(), key.stream());
        let (at, held, snapshot) = shared.blocking(move |shared| read(shared, stream)).await?;
        Ok(Self { shared, account, stream, at, held, snapshot })
    }

    fn begin(&mut self, request: &Request, work: &PrincipalWork) -> Begun<Pending> {
        match work {
            PrincipalWork::Verify { serial, code, purpose } if done_before(&self.shared, request).is_none() => {
                self.begin_verify(request, serial, code, *purpose)
            }
            _ => Begun::Waits,
        }
    }

    fn settle(&mut self, pending: Pending, written: Result<Committed, CommitError>) -> Result<Option<Answer>, Error> {
        match written {
            Ok(committed) => {
                let Pending { event, verdict, now } = pending;
                self.evolve(&event, now)?;
                Ok(Some(Answer { verdict, position: known_from(&committed), at: now, given: None }))
            }
            Err(CommitError::Conflict | CommitError::Duplicate(_)) => Ok(None),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    async fn perform(&mut self, request: Request, work: PrincipalWork) -> Result<Answer, Error> {
        if let Some(done) = done_before(&self.shared, &request) {
            return recorded_answer(&self.shared, done, Some(self.account)).await;
        }
        for attempt in 0..=self.shared.limits.retries_max {
            let now = self.shared.clock.now();
            // Boxed, so that what every command carries around stays small.
            let answer = match Box::pin(self.attempt(&request, &work, now)).await {
                Err(error) if error.rejection().is_some() && self.is_stale().await? => None,
                // A device that was deleted a moment ago has no seed any more, and the next look finds no device.
                Err(error) if error.is_forgotten() && attempt < self.shared.limits.retries_max => None,
                answer => answer?,
            };
            match answer {
                Some(answer) => return Ok(answer),
                None => Box::pin(self.reload()).await?,
            }
        }
        Err(Error::conflict())
    }

    async fn passivate(self) {
        let due = self.at.version.0.saturating_sub(self.snapshot.0) >= self.shared.limits.snapshot_every;
        if !due {
            return;
        }
        let Some(state) = self.at.state.as_ref().and_then(|state| postcard::to_allocvec(state).ok()) else { return };
        let (stream, version) = (self.stream, self.at.version);
        let saved = self.shared.blocking(move |shared| save_snapshot(shared, stream, version, state)).await;
        if let Err(error) = saved {
            tracing::debug!(%error, "the snapshot was not written; the next activation reads more of the log");
        }
    }
}

/// A verification that is on its way into the log.
pub(crate) struct Pending {
    event: Event,
    verdict: Verdict,
    now: UnixMillis,
}

impl PrincipalCore {
    /// Verifies a code that is found in the window, which most are. One that is not has to be looked
    /// for in the wide range first.
    fn begin_verify(&self, request: &Request, serial: &Serial, code: &Code, purpose: Purpose) -> Begun<Pending> {
        let Some((held, generator)) = self.generator(serial) else { return Begun::Waits };
        let now = self.shared.clock.now();
        let context = self.context(request, now);
        let search = match decide::verify_code(self.state(), held.device, purpose, None, &context) {
            Step::Ask(search) => search,
            Step::Decided(_) => return Begun::Waits,
        };
        let decided = |matches: &CodeMatches| {
            let step = decide::verify_code(self.state(), held.device, purpose, Some(matches), &context);
            settled(step).ok().and_then(Decision::ok)
        };
        let accepted = |outcome: &Outcome| {
            matches!(outcome, Outcome::Record(Record { verdict: Verdict::CodeAccepted { .. }, .. }))
        };
        let at_once = if search.unused { decided(&generator.try_now(code, &search)).filter(accepted) } else { None };
        let outcome = at_once.or_else(|| {
            let matches = generator.try_window(code, &search);
            if matches.window.is_empty() { None } else { decided(&matches) }
        });
        let Some(Outcome::Record(record)) = outcome else { return Begun::Waits };
        let [(_, event)] = record.writes.as_slice() else { return Begun::Waits };
        let pending = Pending { event: event.clone(), verdict: record.verdict, now };
        let (command, version) = (self.shared.command_of(request), self.at.version);
        match self.shared.submit(command, now, record, |_| version) {
            Ok(written) => Begun::Queued(pending, written),
            Err(error) => Begun::Answered(Err(error)),
        }
    }

    fn evolve(&mut self, event: &Event, now: UnixMillis) -> Result<(), Error> {
        self.at.state = Some(Principal::evolve(self.at.state.take(), event, now)?);
        self.at.version = self.at.version.next();
        Ok(())
    }

    /// Decides once and writes; `None` when a stream had moved on.
    async fn attempt(
        &mut self,
        request: &Request,
        work: &PrincipalWork,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        match work {
            PrincipalWork::Verify { serial, code, purpose } => self.verify(request, now, serial, code, *purpose).await,
            PrincipalWork::Enable { serial, first, second } => {
                let candidate = self.look_up(serial).await?;
                let context = self.context(request, now);
                let decide =
                    |found: Option<&[u64]>| decide::enable(self.state(), candidate.of(serial), found, &context);
                let decision = self.proven(decide, &candidate, first, second).await?;
                self.write(request, now, decision, &[(serial.stream(), candidate.at.version)]).await
            }
            PrincipalWork::Rotate { old, new, first, second } => {
                let (retired, candidate) = (self.look_up(old).await?, self.look_up(new).await?);
                let gone = retired.of(old);
                let context = self.context(request, now);
                let decide =
                    |found: Option<&[u64]>| decide::rotate(self.state(), gone, candidate.of(new), found, &context);
                let decision = self.proven(decide, &candidate, first, second).await?;
                let mut read = vec![(new.stream(), candidate.at.version), (old.stream(), retired.at.version)];
                read.extend(self.credential_head(old.stream()).await?);
                self.write(request, now, decision, &read).await
            }
            PrincipalWork::Resync { serial, first, second } => {
                let candidate = self.look_up(serial).await?;
                let context = self.context(request, now);
                let decide =
                    |found: Option<&[u64]>| decide::resync(self.state(), candidate.of(serial), found, &context);
                let decision = self.proven(decide, &candidate, first, second).await?;
                self.write(request, now, decision, &[]).await
            }
            PrincipalWork::Deactivate { serial, reason } => {
                let candidate = self.look_up(serial).await?;
                let context = self.context(request, now);
                let decision = decide::deactivate(self.state(), candidate.of(serial), *reason, &context);
                let mut read = vec![(serial.stream(), candidate.at.version)];
                read.extend(self.credential_head(serial.stream()).await?);
                self.write(request, now, decision, &read).await
            }
            PrincipalWork::Rename { name, path } => {
                let (claim, read) = self.claims(Some(name)).await?;
                let context = self.context(request, now);
                let decision = decide::rename_user(self.state(), claim, name.clone(), path.clone(), &context);
                self.write(request, now, decision, &read).await
            }
            PrincipalWork::Remove { removal } => {
                let (_, mut read) = self.claims(None).await?;
                read.extend(self.heads_for_removal().await?);
                let decision = decide::remove_user(self.state(), *removal, &self.context(request, now));
                self.write(request, now, decision, &read).await
            }
            PrincipalWork::Forget { reason, records } => {
                let (stream, records) = (self.stream, records.clone());
                let found = move |shared: &Shared| forgetting::belongings(&*shared.journal, stream, &records);
                let belongings = self.shared.blocking(found).await?;
                let context = self.context(request, now);
                let decision = decide::forget((stream, self.state()), belongings, *reason, &context);
                self.write(request, now, decision, &[]).await
            }
            PrincipalWork::Ceremony(work) => Box::pin(self.attempt_sign_in(request, work, now)).await,
        }
    }

    /// Verifies a code with all that a refusal takes.
    async fn verify(
        &mut self,
        request: &Request,
        now: UnixMillis,
        serial: &Serial,
        code: &Code,
        purpose: Purpose,
    ) -> Result<Option<Answer>, Error> {
        // Serial numbers count exactly (A27): one that differs in case has a device's stream and no device.
        let device = self.device_of(serial);
        let decide = |principal: Option<&Principal>, found: Option<&CodeMatches>, context: &decide::Context<'_>| {
            decide::verify_code(principal, device, purpose, found, context)
        };
        let decision = self.code_tried(request, now, serial, Some(code), decide).await?;
        self.write(request, now, decision, &[]).await
    }

    /// Decides about a code, and looks for it in between if the decision asks for it. Without a code, none is found.
    async fn code_tried(
        &self,
        request: &Request,
        now: UnixMillis,
        serial: &Serial,
        code: Option<&Code>,
        decide: impl Fn(Option<&Principal>, Option<&CodeMatches>, &decide::Context<'_>) -> Step<CodeSearch>,
    ) -> Result<Decision, Error> {
        let search = match decide(self.state(), None, &self.context(request, now)) {
            Step::Decided(decision) => return Ok(decision),
            Step::Ask(search) => search,
        };
        let (_, generator) = self.generator(serial).ok_or(Rejection::DeviceNotYours)?;
        let generator = Arc::clone(generator);
        let mut matches = code.map(|code| generator.try_window(code, &search)).unwrap_or_default();
        if let Some(code) = code.filter(|_| matches.window.is_empty()) {
            let code = code.clone();
            let explain = self.shared.blocking(move |_| Ok(wide(&generator, &code, search.wide)));
            matches = Box::pin(explain).await?;
        }
        settled(decide(self.state(), Some(&matches), &self.context(request, now)))
    }

    /// The enabled device of exactly this serial number; the stream of no device otherwise.
    fn device_of(&self, serial: &Serial) -> StreamId {
        self.held.iter().find(|held| held.serial == *serial).map_or(NO_DEVICE, |held| held.device)
    }

    fn generator(&self, serial: &Serial) -> Option<(&Held, &Arc<Generator>)> {
        let held = self.held.iter().find(|held| held.serial == *serial)?;
        Some((held, held.generator()?))
    }

    const fn state(&self) -> Option<&Principal> {
        self.at.state.as_ref()
    }

    fn context<'a>(&'a self, request: &'a Request, now: UnixMillis) -> decide::Context<'a> {
        self.shared.context(now, request, Some(self.account))
    }

    /// The device that a serial number names, as the log has it now.
    async fn look_up(&self, serial: &Serial) -> Result<Found, Error> {
        let stream = serial.stream();
        let at = self.shared.blocking(move |shared| history::device(&*shared.journal, stream)).await?;
        Ok(Found { at })
    }

    /// Decides, and looks for the pair in between if the decision asks for it.
    async fn proven(
        &self,
        decide: impl Fn(Option<&[u64]>) -> Step<PairSearch>,
        device: &Found,
        first: &Code,
        second: &Code,
    ) -> Result<Decision, Error> {
        let search = match decide(None) {
            Step::Decided(decision) => return Ok(decision),
            Step::Ask(search) => search,
        };
        let (seed, first, second) = (device.seed()?, first.clone(), second.clone());
        let search = move |shared: &Shared| {
            let generator = Generator::new(&history::seed(&*shared.journal, seed)?)?;
            Ok(generator.try_pair(&first, &second, &search))
        };
        let found = self.shared.blocking(search).await?;
        settled(decide(Some(&found)))
    }

    /// The state of a new name, and the versions of it and of the present name.
    async fn claims(&self, new: Option<&DeviceName>) -> Result<(Option<Claim>, Vec<(StreamId, Version)>), Error> {
        let Some(user) = self.state().and_then(Principal::registered) else { return Ok((None, Vec::new())) };
        let account = user.id.account();
        let present = Claim::stream(account, &user.name);
        let wanted = new.map(|name| Claim::stream(account, name));
        let read = move |shared: &Shared| {
            let fold =
                |stream| history::fold_stream(&*shared.journal, stream, At::nothing(), (Claim::evolve, history::never));
            let mut versions = vec![(present, fold(present)?.version)];
            let mut claim = None;
            if let Some(wanted) = wanted.filter(|wanted| *wanted != present) {
                let at = fold(wanted)?;
                claim = at.state;
                versions.push((wanted, at.version));
            }
            Ok((claim, versions))
        };
        self.shared.blocking(read).await
    }

    /// The versions of the account and of every device that a removal may take along.
    async fn heads_for_removal(&self) -> Result<Vec<(StreamId, Version)>, Error> {
        let Some(user) = self.state().and_then(Principal::registered) else { return Ok(Vec::new()) };
        let account = countersign_domain::account::Account::stream(user.id.account());
        let credentials = user.devices.iter().filter_map(|enabled| Some(enabled.key?.credential));
        let devices = user.devices.iter().map(|enabled| enabled.device);
        let streams: Vec<StreamId> = devices.chain(credentials).chain([account]).collect();
        self.shared.blocking(move |shared| heads(shared, &streams)).await
    }

    /// The version of the stream that claims an enabled key's credential.
    async fn credential_head(&self, device: StreamId) -> Result<Vec<(StreamId, Version)>, Error> {
        let enabled = self.state().and_then(Principal::registered).and_then(|owner| owner.device(device));
        let Some(credential) = enabled.and_then(|enabled| enabled.key).map(|key| key.credential) else {
            return Ok(Vec::new());
        };
        self.shared.blocking(move |shared| heads(shared, &[credential])).await
    }

    /// Writes what was decided and takes it into the state; `None` when a stream had moved on.
    async fn write(
        &mut self,
        request: &Request,
        now: UnixMillis,
        decision: Decision,
        read: &[(StreamId, Version)],
    ) -> Result<Option<Answer>, Error> {
        match self.shared.write(request, now, decision, (self.stream, self.at.version), read).await? {
            Wrote::Nothing(answer) => Ok(Some(answer)),
            Wrote::Events(events, answer) => {
                self.take(&events, now).await?;
                Ok(Some(answer))
            }
            Wrote::MovedOn => Ok(None),
            Wrote::Before(done) => {
                Box::pin(self.reload()).await?;
                recorded_answer(&self.shared, done, Some(self.account)).await.map(Some)
            }
        }
    }

    /// Evolves by what was committed.
    async fn take(&mut self, own: &[Event], now: UnixMillis) -> Result<(), Error> {
        let mut devices_changed = false;
        for event in own {
            self.evolve(event, now)?;
            devices_changed |= matches!(event, Event::DeviceEnabled(_) | Event::DeviceDeactivated(_));
        }
        if devices_changed {
            let devices = enabled_devices(self.state());
            self.held = Box::pin(self.shared.blocking(move |shared| hold(shared, &devices))).await?;
        }
        Ok(())
    }

    /// Whether somebody else wrote to this principal's stream: the account registers its users.
    async fn is_stale(&self) -> Result<bool, Error> {
        moved_on(&self.shared, self.stream, self.at.version).await
    }

    async fn reload(&mut self) -> Result<(), Error> {
        let stream = self.stream;
        (self.at, self.held, self.snapshot) = self.shared.blocking(move |shared| read(shared, stream)).await?;
        Ok(())
    }
}

/// A device that was looked up.
struct Found {
    at: At<Device>,
}

impl Found {
    const fn of<'a>(&'a self, serial: &'a Serial) -> Candidate<'a> {
        Candidate { serial, device: self.at.state.as_ref() }
    }

    /// The stream that holds the device's seed.
    fn seed(&self) -> Result<StreamId, Error> {
        let entity = self.at.state.as_ref().and_then(Device::entity);
        entity.and_then(Entity::seed).ok_or_else(|| Error::history("the device has no seed"))
    }
}

fn wide(generator: &Generator, code: &Code, search: PairSearch) -> CodeMatches {
    CodeMatches { window: Vec::new(), wide: generator.try_wide(code, &search) }
}

/// A decision that was given its evidence.
fn settled<Question>(step: Step<Question>) -> Result<Decision, Error> {
    match step {
        Step::Decided(decision) => Ok(decision),
        Step::Ask(_) => Err(Error::history("a decision asked twice for the same evidence")),
    }
}
