//! The ledgers: what is written one command at a time and is no principal. An account with its quotas,
//! its users' names and its device entities; the inventory of tokens; a stream of the host's own records.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use countersign_domain::account::{Account, Claim};
use countersign_domain::decide::{self, Candidate, Decision, Outcome, Setting, Verdict};
use countersign_domain::device::{Device, DeviceName, Path, Serial};
use countersign_domain::event::{Event, HostRecord, PasswordRefused, PasswordsLocked};
use countersign_domain::ids::{AccountId, PrincipalId, StreamId, UnixMillis, Version};
use countersign_domain::principal::Principal;
use countersign_domain::secret::Seed;
use countersign_domain::sms::Prefix;
use countersign_store::Committed;

use crate::answer::Request;
use crate::error::Error;
use crate::history::{self, At};
use crate::identity::{Identity, Work};
use crate::recorded::{done_before, heads, moved_on, recorded_answer};
use crate::resident::{Answer, Begun, Core, Given};
use crate::shared::{CommitError, Shared, Wrote};
use crate::views::Group;

/// What is written one command at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LedgerKey {
    /// An account.
    Account(AccountId),
    /// The inventory of hardware tokens.
    Inventory,
    /// What is recorded of wrong passwords: of a principal, of nobody in an account, or of nobody anywhere.
    Door(Option<AccountId>, Option<StreamId>),
    /// What stops the sending of codes by SMS.
    SmsGuard,
    /// A stream of the host's own records.
    Host(String),
}

impl LedgerKey {
    /// The stream that the commands of this key are in order of.
    fn stream(&self) -> StreamId {
        match self {
            Self::Account(account) => Account::stream(*account),
            Self::Inventory => StreamId::derive(&["inventory"]),
            Self::Door(_, Some(principal)) => Account::door_of(*principal),
            Self::Door(account, None) => Account::door(*account),
            Self::SmsGuard => decide::guard_stream(),
            Self::Host(name) => Self::host_stream(name),
        }
    }

    /// The account whose rules a command of this key goes by.
    const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account) => Some(*account),
            Self::Inventory | Self::Door(..) | Self::SmsGuard | Self::Host(_) => None,
        }
    }

    /// The stream of a host's records.
    pub(crate) fn host_stream(name: &str) -> StreamId {
        StreamId::derive(&["host", name])
    }
}

impl fmt::Display for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Inventory => f.write_str("inventory"),
            Self::Door(_, Some(principal)) => write!(f, "door/{principal}"),
            Self::Door(Some(account), None) => write!(f, "door/{account}"),
            Self::Door(None, None) => f.write_str("door"),
            Self::SmsGuard => f.write_str("sms guard"),
            Self::Host(name) => write!(f, "host/{name}"),
        }
    }
}

/// A command to an account, the inventory, or a host's stream.
#[derive(Debug)]
pub(crate) enum LedgerWork {
    /// Opens the account with its root user.
    Open { root_name: DeviceName },
    /// R9.
    Register { id: PrincipalId, name: DeviceName, path: Path },
    /// R57..R61. The seed is fresh randomness.
    CreateVirtual { serial: Serial, seed: Seed },
    /// R73..R75.
    DeleteVirtual { serial: Serial },
    /// R27, A10.
    Import { serial: Serial, seed: Seed, manufacturer: String },
    /// A token is taken out of the inventory.
    RemoveToken { serial: Serial },
    /// What the account chooses.
    Change { setting: Setting },
    /// A wrong password, or the last one before none is looked at any more (R195).
    Refused { who: Option<StreamId>, locked: bool },
    /// A prefix is not sent to for a time: of so many codes, so few came back.
    BlockPrefix { group: Group, sent: u32, used: u32 },
    /// A prefix is sent to again.
    ClearPrefix { prefix: Prefix },
    /// A record of the host; `expected` is the version that it must follow.
    Record { expected: Option<u64>, record: HostRecord },
}

impl Work for LedgerWork {
    /// The seed of a device is made afresh for each try, so it is no part of what the command is.
    fn identity(&self, identity: &mut Identity) {
        match self {
            Self::Open { root_name } => identity.text("open").text(root_name.as_str()),
            Self::Register { id, name, path } => {
                identity.text("register").text(&id.to_string()).text(name.as_str()).text(path.as_str())
            }
            Self::CreateVirtual { serial, .. } => identity.text("create").text(serial.as_str()),
            Self::DeleteVirtual { serial } => identity.text("delete").text(serial.as_str()),
            Self::Import { serial, seed, .. } => identity.text("import").text(serial.as_str()).part(seed.expose()),
            Self::RemoveToken { serial } => identity.text("remove token").text(serial.as_str()),
            // Two wrong passwords of one request are one; a setting is what it is to be.
            Self::Change { setting } => identity.text("change").text(&format!("{setting:?}")),
            Self::Refused { who, locked } => {
                let who = who.map(|who| *who.as_bytes()).unwrap_or_default();
                identity.text("password").part(&who).part(&[u8::from(*locked)])
            }
            Self::BlockPrefix { group: (prefix, errand), .. } => {
                identity.text("block prefix").text(prefix.as_str()).part(&[u8::from(*errand)])
            }
            Self::ClearPrefix { prefix } => identity.text("clear prefix").text(prefix.as_str()),
            Self::Record { expected, record } => {
                let expected = expected.map_or(u64::MAX, |expected| expected).to_be_bytes();
                identity.text("record").part(&expected).part(&record.kind.to_be_bytes()).part(&record.body)
            }
        };
    }
}

/// An account in memory. The inventory and host streams have no account.
pub(crate) struct LedgerCore {
    shared: Arc<Shared>,
    key: LedgerKey,
    at: At<Account>,
}

impl Core for LedgerCore {
    type Key = LedgerKey;
    type Work = LedgerWork;
    type Pending = Infallible;

    async fn load(shared: Arc<Shared>, key: LedgerKey) -> Result<Self, Error> {
        let mut core = Self { shared, key, at: At::nothing() };
        core.reload().await?;
        Ok(core)
    }

    /// Every command reads another stream first.
    fn begin(&mut self, _request: &Request, _work: &LedgerWork) -> Begun<Infallible> {
        Begun::Waits
    }

    fn settle(
        &mut self,
        pending: Infallible,
        _written: Result<Committed, CommitError>,
    ) -> Result<Option<Answer>, Error> {
        match pending {}
    }

    async fn perform(&mut self, request: Request, work: LedgerWork) -> Result<Answer, Error> {
        if let Some(done) = done_before(&self.shared, &request) {
            return recorded_answer(&self.shared, done, self.key.account()).await;
        }
        for _attempt in 0..=self.shared.limits.retries_max {
            let now = self.shared.clock.now();
            let answer = match self.attempt(&request, &work, now).await {
                Err(error) if error.rejection().is_some() && self.is_stale().await? => None,
                answer => answer?,
            };
            match answer {
                Some(answer) => return Ok(answer),
                None => self.reload().await?,
            }
        }
        Err(Error::conflict())
    }

    async fn passivate(self) {}
}

impl LedgerCore {
    async fn attempt(
        &mut self,
        request: &Request,
        work: &LedgerWork,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let context = self.shared.context(now, request, self.key.account());
        let account = self.at.state.as_ref();
        let (decision, read, seed) = match work {
            LedgerWork::Open { root_name } => {
                let LedgerKey::Account(id) = self.key else { return Err(misrouted()) };
                (decide::open_account(account, id, root_name.clone(), &context), Vec::new(), None)
            }
            LedgerWork::Register { id, name, path } => {
                let (principal, claim) = self.newcomer(id.clone(), name.clone()).await?;
                let read = vec![(id.stream(), principal.version), (self.name_stream(id, name), claim.version)];
                let profile = (id.clone(), name.clone(), path.clone());
                let decision = decide::register_user(account, principal.state.as_ref(), claim.state, profile, &context);
                (decision, read, None)
            }
            LedgerWork::CreateVirtual { serial, seed } => {
                let device = self.device(serial).await?;
                let candidate = Candidate { serial, device: device.state.as_ref() };
                let decision = decide::create_virtual_device(account, candidate, seed.clone(), &context);
                (decision, vec![(serial.stream(), device.version)], Some(seed.clone()))
            }
            LedgerWork::DeleteVirtual { serial } => {
                let device = self.device(serial).await?;
                let candidate = Candidate { serial, device: device.state.as_ref() };
                let decision = decide::delete_virtual_device(account, candidate, &context);
                (decision, vec![(serial.stream(), device.version)], None)
            }
            LedgerWork::Import { serial, seed, manufacturer } => {
                let device = self.device(serial).await?;
                let candidate = Candidate { serial, device: device.state.as_ref() };
                let decision = decide::import_hardware_token(candidate, seed.clone(), manufacturer.clone(), &context);
                (decision, vec![(serial.stream(), device.version)], None)
            }
            LedgerWork::RemoveToken { serial } => {
                let device = self.device(serial).await?;
                let candidate = Candidate { serial, device: device.state.as_ref() };
                let decision = decide::remove_hardware_token(candidate, &context);
                (decision, vec![(serial.stream(), device.version)], None)
            }
            LedgerWork::Change { setting } => {
                let (claim, read) = self.alias_claims(setting).await?;
                let caller = request.caller.principal.as_ref();
                let has_device = caller.is_some_and(|caller| self.shared.views(|views| views.has_device(caller)));
                (decide::change_setting(account, setting, (claim, has_device), &context), read, None)
            }
            LedgerWork::Refused { who, locked } => {
                let (stream, known) = (self.key.stream(), self.known().await?);
                let (who, client) = (*who, request.client.clone().unwrap_or_default());
                let event: Event = if *locked {
                    PasswordsLocked { who, client }.into()
                } else {
                    PasswordRefused { who, client }.into()
                };
                let writes = vec![(stream, event)];
                (Ok(Outcome::Record(decide::Record { writes, verdict: Verdict::Done })), known, None)
            }
            LedgerWork::BlockPrefix { group, sent, used } => {
                let known = self.known().await?;
                // Two who saw the same alarm raise it once.
                let blocked = self.shared.views(|views| views.sms.blocked.get(group).map(|blocked| blocked.until));
                let decision = if blocked.is_some_and(|until| until > now) {
                    Ok(Outcome::AlreadySo(Verdict::Done))
                } else {
                    decide::block_prefix(group.0.clone(), group.1, (*sent, *used), &context)
                };
                (decision, known, None)
            }
            LedgerWork::ClearPrefix { prefix } => {
                let known = self.known().await?;
                (decide::clear_prefix(prefix.clone(), &context), known, None)
            }
            LedgerWork::Record { expected, record } => {
                let (stream, known) = (self.key.stream(), self.known().await?);
                let version = known.first().map_or(Version::NONE, |(_, version)| *version);
                if expected.is_some_and(|expected| expected != version.0) {
                    return Err(Error::conflict());
                }
                let writes = vec![(stream, Event::from(record.clone()))];
                let decision = Ok(Outcome::Record(decide::Record { writes, verdict: Verdict::Done }));
                (decision, known, None)
            }
        };
        self.write(request, now, decision, &read, seed).await
    }

    /// The version of the own stream.
    async fn known(&self) -> Result<Vec<(StreamId, Version)>, Error> {
        let stream = self.key.stream();
        self.shared.blocking(move |shared| heads(shared, &[stream])).await
    }

    /// Who holds an alias that is to be taken, and the versions of it and of the present one.
    async fn alias_claims(&self, setting: &Setting) -> Result<(Option<Claim>, Vec<(StreamId, Version)>), Error> {
        let Setting::Alias(wanted) = setting else { return Ok((None, Vec::new())) };
        let present = self.at.state.as_ref().and_then(|account| account.settings.alias.as_ref());
        let (present, wanted) = (present.map(Claim::alias_stream), wanted.as_ref().map(Claim::alias_stream));
        let read = move |shared: &Shared| {
            let fold =
                |stream| history::fold_stream(&*shared.journal, stream, At::nothing(), (Claim::evolve, history::never));
            let mut versions = Vec::new();
            if let Some(present) = present {
                versions.push((present, fold(present)?.version));
            }
            let mut claim = None;
            if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != present) {
                let at = fold(wanted)?;
                claim = at.state;
                versions.push((wanted, at.version));
            }
            Ok((claim, versions))
        };
        self.shared.blocking(read).await
    }

    async fn newcomer(&self, id: PrincipalId, name: DeviceName) -> Result<(At<Principal>, At<Claim>), Error> {
        let (principal, claim) = (id.stream(), self.name_stream(&id, &name));
        let read = move |shared: &Shared| {
            let journal = &*shared.journal;
            let principal = history::principal(journal, principal, At::nothing())?;
            Ok((principal, history::fold_stream(journal, claim, At::nothing(), (Claim::evolve, history::never))?))
        };
        self.shared.blocking(read).await
    }

    fn name_stream(&self, id: &PrincipalId, name: &DeviceName) -> StreamId {
        Claim::stream(id.account(), name)
    }

    async fn device(&self, serial: &Serial) -> Result<At<Device>, Error> {
        let stream = serial.stream();
        self.shared.blocking(move |shared| history::device(&*shared.journal, stream)).await
    }

    async fn write(
        &mut self,
        request: &Request,
        now: UnixMillis,
        decision: Decision,
        read: &[(StreamId, Version)],
        seed: Option<Seed>,
    ) -> Result<Option<Answer>, Error> {
        match self.shared.write(request, now, decision, (self.key.stream(), self.at.version), read).await? {
            Wrote::Nothing(answer) => Ok(Some(answer)),
            Wrote::Events(events, answer) => {
                // The inventory and a host's stream have nothing to fold.
                let folded = if matches!(self.key, LedgerKey::Account(_)) { events } else { Vec::new() };
                for event in &folded {
                    self.at.state = Some(Account::evolve(self.at.state.take(), event, now)?);
                    self.at.version = self.at.version.next();
                }
                Ok(Some(Answer { given: seed.map(|seed| Box::new(Given::Seed(seed))), ..answer }))
            }
            Wrote::MovedOn => Ok(None),
            Wrote::Before(done) => {
                self.reload().await?;
                recorded_answer(&self.shared, done, self.key.account()).await.map(Some)
            }
        }
    }

    /// Whether somebody else wrote to this account's stream: a user that is removed leaves its counts.
    async fn is_stale(&self) -> Result<bool, Error> {
        match self.key {
            LedgerKey::Account(account) => moved_on(&self.shared, Account::stream(account), self.at.version).await,
            LedgerKey::Inventory | LedgerKey::Door(..) | LedgerKey::SmsGuard | LedgerKey::Host(_) => Ok(false),
        }
    }

    async fn reload(&mut self) -> Result<(), Error> {
        if let LedgerKey::Account(account) = self.key {
            let stream = Account::stream(account);
            let fold = move |shared: &Shared| {
                history::fold_stream(&*shared.journal, stream, At::nothing(), (Account::evolve, history::never))
            };
            self.at = self.shared.blocking(fold).await?;
        }
        Ok(())
    }
}

fn misrouted() -> Error {
    Error::unavailable("the command went to the wrong actor")
}
