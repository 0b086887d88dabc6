//! The facade: what an account platform calls.

use std::path::Path as FilePath;
use std::sync::Arc;

use countersign_domain::decide::Removal;
use countersign_domain::device::{DeviceName, Path, Serial};
use countersign_domain::event::{DeactivateReason, Event, HostRecord, Purpose};
use countersign_domain::ids::{AccountId, Position, PrincipalId, UnixMillis, UserId, Version};
use countersign_domain::policy::Policy;
use countersign_domain::secret::Seed;
use countersign_store::{EphemeralKeyRing, FileKeyRing, Journal, KeyRing, MemoryJournal, SledJournal, StoreOptions};
use zeroize::Zeroizing;

use crate::account::{LaneKey, LaneWork};
use crate::answer::{Ack, HostEntry, NewVirtualDevice, Proof, Request};
use crate::code::Code;
use crate::config::Config;
use crate::error::Error;
use crate::history;
use crate::open::{Layout, OpenError};
use crate::principal::PrincipalWork;
use crate::resident::Answer;
use crate::runtime::Runtime;
use crate::views::{AccountView, Assignment, DeviceView, UserView};

/// Bytes of a fresh seed: 320 bits (R15).
const SEED_BYTES: usize = 40;

/// Entries that one page of a list has at most.
pub const PAGE_MAX: usize = 1000;

/// An MFA engine. Clones are handles to the same one.
///
/// Methods that change something are asynchronous and can be awaited on any executor, or none; they
/// return once the change is durable. Methods that read are synchronous and never miss what was
/// acknowledged.
///
/// ```
/// use countersign::{Caller, Config, Countersign, DeviceName, Path, Request, UserId};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let engine = Countersign::in_memory(Config::default())?;
/// let operator = || Request::by(Caller::operator());
/// let account = "123456789012".parse()?;
/// engine.open_account(operator(), account, DeviceName::new("root")?).await?;
/// let lee = UserId::new("AIDALEE")?;
/// engine.register_user(operator(), account, lee, DeviceName::new("lee")?, Path::root()).await?;
/// assert_eq!(engine.user_named(account, "LEE").unwrap().name.as_str(), "lee");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Countersign {
    runtime: Arc<Runtime>,
    ring: Arc<dyn KeyRing>,
}

impl std::fmt::Debug for Countersign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Countersign").field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}

// ---- opening and closing ----

impl Countersign {
    /// Opens the engine on a sled store in a directory, and makes the store if the directory is new.
    ///
    /// The directory holds `store`, the log and what is derived from it, and `keyring`, the key of
    /// sealed bodies, made with mode 0600 on first use unless [`Config::key_ring`] names another keeper.
    /// One process has a store open at a time.
    ///
    /// # Errors
    /// See [`OpenError`]: in use elsewhere, of an unknown format, corrupt, the wrong keys, a policy out
    /// of range.
    ///
    /// ```
    /// use countersign::{Config, Countersign};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let engine = Countersign::open(dir.path(), Config::default())?;
    /// assert!(engine.is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(dir: &FilePath, config: Config) -> Result<Self, OpenError> {
        config.policy.check()?;
        let layout = Layout::prepare(dir)?;
        let ring: Arc<dyn KeyRing> = match &config.key_ring {
            Some(ring) => Arc::clone(ring),
            None => Arc::new(FileKeyRing::open_or_create(&layout.key_file)?),
        };
        let journal = SledJournal::open(&layout.store, Arc::clone(&ring), StoreOptions::default())?;
        Self::on(Arc::new(journal), ring, config)
    }

    /// Opens an engine that forgets everything when it is dropped: for tests and for trying out.
    ///
    /// # Errors
    /// When the policy is out of range or the machine gives no randomness.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// assert!(engine.accounts().is_empty());
    /// # Ok::<(), countersign::OpenError>(())
    /// ```
    pub fn in_memory(config: Config) -> Result<Self, OpenError> {
        config.policy.check()?;
        let ring: Arc<dyn KeyRing> = match &config.key_ring {
            Some(ring) => Arc::clone(ring),
            None => Arc::new(EphemeralKeyRing::new()?),
        };
        let journal = MemoryJournal::new(Arc::clone(&ring))?;
        Self::on(Arc::new(journal), ring, config)
    }

    /// Opens an engine on a journal of one's own.
    ///
    /// # Errors
    /// When the journal's history cannot be read, or a thread cannot be started.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use countersign::{Config, Countersign};
    /// use countersign::store::{EphemeralKeyRing, MemoryJournal};
    ///
    /// let ring = Arc::new(EphemeralKeyRing::new()?);
    /// let journal = Arc::new(MemoryJournal::new(ring.clone())?);
    /// let engine = Countersign::on(journal, ring, Config::default())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on(journal: Arc<dyn Journal>, ring: Arc<dyn KeyRing>, config: Config) -> Result<Self, OpenError> {
        config.policy.check()?;
        Ok(Self { runtime: Arc::new(Runtime::start(journal, config)?), ring })
    }

    /// Refuses new commands, waits for those under way and writes checkpoints.
    ///
    /// Queries go on; the store is released when the last handle is dropped. Not needed for safety: what
    /// was acknowledged survives a crash. It makes the next start quick.
    ///
    /// # Errors
    /// When an earlier write had failed.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// engine.close().await.unwrap();
    /// assert!(!engine.is_ready());
    /// # });
    /// ```
    pub async fn close(&self) -> Result<(), Error> {
        self.runtime.close().await
    }

    /// Whether commands can be done now: for a readiness probe.
    ///
    /// ```
    /// assert!(countersign::Countersign::in_memory(countersign::Config::default()).unwrap().is_ready());
    /// ```
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.runtime.is_ready()
    }

    /// The present instant of the engine's clock.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use countersign::{Config, Countersign, ManualClock, UnixMillis};
    /// let clock = ManualClock::at(UnixMillis::from_secs(1_700_000_000));
    /// let config = Config { clock: Arc::new(clock), ..Config::default() };
    /// assert_eq!(Countersign::in_memory(config).unwrap().now().secs(), 1_700_000_000);
    /// ```
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.runtime.shared.clock.now()
    }

    /// The rules that this engine was opened with.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// assert_eq!(engine.policy().code_attempts_max, 9);
    /// ```
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.runtime.shared.policy
    }

    /// Fills a buffer from the engine's entropy.
    ///
    /// # Errors
    /// When no randomness can be had.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// let mut nonce = [0; 12];
    /// engine.fill_random(&mut nonce).unwrap();
    /// ```
    pub fn fill_random(&self, buffer: &mut [u8]) -> Result<(), Error> {
        Ok(self.runtime.shared.entropy.fill(buffer)?)
    }

    /// A key of the host's own, derived from the key ring; the same for the same label and ring.
    ///
    /// # Errors
    /// When the ring fails.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// assert_eq!(engine.derive_key("sessions").unwrap(), engine.derive_key("sessions").unwrap());
    /// assert_ne!(engine.derive_key("sessions").unwrap(), engine.derive_key("cookies").unwrap());
    /// ```
    pub fn derive_key(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
        let key = self.ring.derive(&format!("host/{label}"))?;
        Ok(Zeroizing::new(*key.expose()))
    }
}

// ---- accounts and users ----

impl Countersign {
    /// Opens an account together with its root user.
    ///
    /// # Errors
    /// `AccountExists`; see [`Error`] for what any command may meet.
    pub async fn open_account(
        &self,
        request: Request,
        account: AccountId,
        root_name: DeviceName,
    ) -> Result<Ack<()>, Error> {
        self.lane(LaneKey::Account(account), request, LaneWork::Open { root_name }).await
    }

    /// Registers a user under a name that nobody in the account has, whatever its case (R9).
    ///
    /// # Errors
    /// `AccountUnknown`, `PrincipalExists`, `NameTaken`, `AccountUserLimit`.
    pub async fn register_user(
        &self,
        request: Request,
        account: AccountId,
        id: UserId,
        name: DeviceName,
        path: Path,
    ) -> Result<Ack<()>, Error> {
        let id = PrincipalId::User(account, id);
        self.lane(LaneKey::Account(account), request, LaneWork::Register { id, name, path }).await
    }

    /// Gives a user another name or path; it keeps its devices (R10).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `NameTaken`.
    pub async fn rename_user(
        &self,
        request: Request,
        principal: &PrincipalId,
        name: DeviceName,
        path: Path,
    ) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, PrincipalWork::Rename { name, path }).await?;
        Ok(acked((), &answer))
    }

    /// Removes a user for good and frees its name; a new user of that name inherits nothing (R10, R76).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `PrincipalHasDevices`.
    pub async fn remove_user(
        &self,
        request: Request,
        principal: &PrincipalId,
        removal: Removal,
    ) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, PrincipalWork::Remove { removal }).await?;
        Ok(acked((), &answer))
    }
}

// ---- devices ----

impl Countersign {
    /// Creates an unassigned virtual device and gives out its secret, this once (R57, R16).
    ///
    /// # Errors
    /// `AccountUnknown`, `DeviceExists`, `AccountDeviceLimit`; a name and path too long for an ARN.
    pub async fn create_virtual_device(
        &self,
        request: Request,
        account: AccountId,
        path: Path,
        name: DeviceName,
    ) -> Result<Ack<NewVirtualDevice>, Error> {
        let serial = Serial::of_virtual(account, &path, &name).map_err(Error::unavailable)?;
        let mut bytes = vec![0; SEED_BYTES];
        self.fill_random(&mut bytes)?;
        let seed = Seed::new(bytes).map_err(Error::unavailable)?;
        let work = LaneWork::CreateVirtual { serial: serial.clone(), seed };
        let answer = self.runtime.ask_lane(LaneKey::Account(account), request, work).await?;
        let seed = answer.seed.clone().ok_or_else(|| Error::history("the created device has no seed"))?;
        let label = format!("{name}@{account}");
        Ok(acked(NewVirtualDevice::new(serial, seed, self.runtime.shared.issuer.clone(), label), &answer))
    }

    /// Deletes an unassigned virtual device and frees its name (R73).
    ///
    /// # Errors
    /// `AccountUnknown`, `DeviceUnknown`, `DeviceAssigned`.
    pub async fn delete_virtual_device(
        &self,
        request: Request,
        account: AccountId,
        serial: &Serial,
    ) -> Result<Ack<()>, Error> {
        let work = LaneWork::DeleteVirtual { serial: serial.clone() };
        self.lane(LaneKey::Account(account), request, work).await
    }

    /// Puts a hardware token into the inventory, from which any account may enable it (R27, A10).
    ///
    /// # Errors
    /// `DeviceExists`; `DeviceUnknown` for an ARN.
    pub async fn import_hardware_token(
        &self,
        request: Request,
        serial: &Serial,
        seed: Seed,
        manufacturer: &str,
    ) -> Result<Ack<()>, Error> {
        let manufacturer = manufacturer.chars().filter(|c| !c.is_control()).take(128).collect();
        self.lane(LaneKey::Inventory, request, LaneWork::Import { serial: serial.clone(), seed, manufacturer }).await
    }

    /// Enables a device for a principal with two consecutive codes (R62..R67).
    ///
    /// # Errors
    /// In the order of R56: `ChannelNotAllowed`, `SelfManagementNeedsMfa`, `PrincipalUnknown`,
    /// `DeviceUnknown`, `DeviceAlreadyYours`, `DeviceInUse`, `PrincipalDeviceLimit`. A wrong pair is a
    /// refused [`Proof`].
    pub async fn enable(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Enable { serial: serial.clone(), first, second }).await
    }

    /// Puts a new device in the place of an old one, without a moment in between (R79).
    ///
    /// # Errors
    /// As [`Self::enable`]; `RotationNotAtomic` under the classic policy, `DeviceNotYours` when the old
    /// device is not the principal's.
    pub async fn rotate(
        &self,
        request: Request,
        principal: &PrincipalId,
        old: &Serial,
        new: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        let work = PrincipalWork::Rotate { old: old.clone(), new: new.clone(), first, second };
        self.proof(principal, request, work).await
    }

    /// Brings a TOTP device back into sync with two consecutive codes (R109..R117).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `DeviceUnknown`, `DeviceNotYours`, `ChannelNotAllowed`.
    pub async fn resync(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Resync { serial: serial.clone(), first, second }).await
    }

    /// Takes a device from its principal; no code is needed (R68..R72).
    ///
    /// # Errors
    /// `SelfManagementNeedsMfa`, `PrincipalUnknown`, `DeviceUnknown`, `ChannelNotAllowed`,
    /// `DeviceNotYours`.
    pub async fn deactivate(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        reason: DeactivateReason,
    ) -> Result<Ack<()>, Error> {
        let work = PrincipalWork::Deactivate { serial: serial.clone(), reason };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(acked((), &answer))
    }

    /// Verifies a single code; an accepted one is spent (R86..R91).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `DeviceNotYours`, `ClockWentBack`. A wrong, used, early or late code is a
    /// refused [`Proof`], and so is any code while the device is locked.
    pub async fn verify_code(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        code: Code,
        purpose: Purpose,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Verify { serial: serial.clone(), code, purpose }).await
    }
}

// ---- queries ----

impl Countersign {
    /// The open accounts.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        self.runtime.shared.views(|views| views.accounts())
    }

    /// What an account counts (R163).
    #[must_use]
    pub fn account(&self, account: AccountId) -> Option<AccountView> {
        self.runtime.shared.views(|views| views.account_view(account))
    }

    /// The user of this name, whatever its case (R9).
    #[must_use]
    pub fn user_named(&self, account: AccountId, name: &str) -> Option<UserView> {
        self.runtime.shared.views(|views| views.user_named(account, name))
    }

    /// A principal by its id.
    #[must_use]
    pub fn principal(&self, id: &PrincipalId) -> Option<UserView> {
        self.runtime.shared.views(|views| views.principal(id))
    }

    /// The users of an account by name, those after a name, at most [`PAGE_MAX`].
    #[must_use]
    pub fn users(&self, account: AccountId, after: Option<&str>, limit: usize) -> Vec<UserView> {
        self.runtime.shared.views(|views| views.users(account, after, limit.min(PAGE_MAX)))
    }

    /// The devices that a principal has enabled, oldest first: its MFA status (R159).
    #[must_use]
    pub fn devices(&self, id: &PrincipalId) -> Vec<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        shared.views(|views| views.devices_of(id, now, &shared.policy))
    }

    /// The device of exactly this serial number, enabled or not.
    #[must_use]
    pub fn device(&self, serial: &Serial) -> Option<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        shared.views(|views| views.device(serial, now, &shared.policy))
    }

    /// The virtual devices of an account by serial, those after a serial, at most [`PAGE_MAX`] (R160).
    #[must_use]
    pub fn virtual_devices(
        &self,
        account: AccountId,
        which: Assignment,
        after: Option<&Serial>,
        limit: usize,
    ) -> Vec<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        let limit = limit.min(PAGE_MAX);
        shared.views(|views| views.virtual_devices(account, which, after, limit, (now, &shared.policy)))
    }

    /// Whether every query knows of what an [`Ack`] with this position acknowledged. On one node it
    /// always does.
    #[must_use]
    pub fn has_folded(&self, position: Position) -> bool {
        self.runtime.shared.views(|views| views.folded >= position.0)
    }
}

// ---- records of the host ----

impl Countersign {
    /// Adds a record of the host's own to the log: sealed, durable, in the same order and chain.
    ///
    /// `expected` is the version that the stream must have; `None` takes any. The answer is the new
    /// version.
    ///
    /// # Errors
    /// A conflict when the stream has another version; a `kind` over 0x7fff or a body too large.
    pub async fn append_record(
        &self,
        request: Request,
        stream: &str,
        expected: Option<u64>,
        kind: u16,
        body: Vec<u8>,
    ) -> Result<Ack<u64>, Error> {
        let record = HostRecord { kind, body };
        let key = LaneKey::Host(stream.to_owned());
        let answer = self.runtime.ask_lane(key, request, LaneWork::Record { expected, record }).await?;
        let entry = self.runtime.shared.journal.read_at(Position(answer.position.0.saturating_sub(1)))?;
        Ok(acked(entry.map_or(0, |entry| entry.header.version.0), &answer))
    }

    /// The host's records of a stream after a version, at most [`PAGE_MAX`] of them.
    ///
    /// # Errors
    /// When a record cannot be read or opened.
    pub fn read_records(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<HostEntry>, Error> {
        let journal = &*self.runtime.shared.journal;
        let page = journal.read_stream(LaneKey::host_stream(stream), Version(after), limit.min(PAGE_MAX))?;
        let open = |entry: countersign_store::Recorded| {
            let event = history::event_of(journal, &entry.header, entry.body.as_stored())?;
            let Event::HostRecord(record) = event else {
                return Err(Error::history("a host stream has an event that is not the host's"));
            };
            let (version, at) = (entry.header.version.0, entry.header.time);
            Ok(HostEntry { version, kind: record.kind, at, body: Zeroizing::new(record.body) })
        };
        page.into_iter().map(open).collect()
    }
}

// ---- inside ----

impl Countersign {
    async fn lane(&self, key: LaneKey, request: Request, work: LaneWork) -> Result<Ack<()>, Error> {
        let answer = self.runtime.ask_lane(key, request, work).await?;
        Ok(acked((), &answer))
    }

    async fn principal_work(
        &self,
        principal: &PrincipalId,
        request: Request,
        work: PrincipalWork,
    ) -> Result<Answer, Error> {
        self.runtime.ask_principal(principal.clone(), request, work).await
    }

    async fn proof(&self, principal: &PrincipalId, request: Request, work: PrincipalWork) -> Result<Ack<Proof>, Error> {
        let answer = self.principal_work(principal, request, work).await?;
        Ok(acked(Proof::of(answer.verdict), &answer))
    }
}

const fn acked<T>(value: T, answer: &Answer) -> Ack<T> {
    Ack { value, position: answer.position, at: answer.at }
}
