//! The facade: what an account platform calls.

mod backup;
mod custody;
mod devices;
mod forgetting;
mod keys;
mod messages;
mod outbox;
mod people;
mod proof;
mod queries;
mod records;
mod recovery;
mod settings;
mod sign_in;

pub use keys::{KeyChallenge, KeyRefusal, KeyRegistration};
pub use messages::SmsSent;
pub use outbox::{SmsBlocked, SmsLine, SmsMessageView, SmsReport, SmsRouteView};
pub use records::RECORDS_MAX;
pub use recovery::{RecoveryCall, RecoveryProgress, RecoverySent};
pub use sign_in::{FactorOf, SignInStep, SignedIn, SignedInBy};

use std::path::Path as FilePath;
use std::sync::Arc;

use countersign_domain::ids::{PrincipalId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_store::{
    EphemeralKeyRing, FileKeyRing, Journal, KeyRing, MemoryBackend, MemoryJournal, Options, SledJournal, StoreOptions,
};
use zeroize::Zeroizing;

use crate::anchor::Anchoring;
use crate::answer::{Ack, Proof, Request};
use crate::config::Config;
use crate::error::Error;
use crate::identity::IdentityKey;
use crate::ledger::{LedgerKey, LedgerWork};
use crate::open::{Layout, OpenError};
use crate::principal::PrincipalWork;
use crate::resident::Answer;
use crate::rewrapping::Rewrapping;
use crate::runtime::{Runtime, Secrets};
use crate::sent::MarkKey;
use crate::simulation::Disk;
use crate::transports::Transports;

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
    transports: Transports,
    anchoring: Arc<Anchoring>,
    rewrapping: Arc<Rewrapping>,
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
        let (store, options) = (&layout.store, StoreOptions::default());
        let journal = match &config.origin {
            Some(origin) => SledJournal::open_with_origin(store, Arc::clone(&ring), options, origin)?,
            None => SledJournal::open(store, Arc::clone(&ring), options)?,
        };
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
        let (backend, options) = (MemoryBackend::new(), Options::default());
        let journal = match &config.origin {
            Some(origin) => MemoryJournal::with_origin(backend, Arc::clone(&ring), options, origin)?,
            None => MemoryJournal::with_backend(backend, Arc::clone(&ring), options)?,
        };
        Self::on(Arc::new(journal), ring, config)
    }

    /// Opens an engine on a journal of one's own, and the ring that it was opened with: what is added to that is taken up
    /// while the engine runs ([`Self::rotate_keys`]).
    ///
    /// A stream whose key the ring cannot unwrap, because a key of it is missing or another one, stays closed: commands that
    /// need it fail ([`Error::is_key_missing`]), queries do not know it, and all others go on. The engine does not open when
    /// that is so of the store's own keys.
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
        Self::assemble(journal, ring, config, None)
    }

    /// Opens an engine for a simulation: without threads, on tasks of the `LocalSet` that this is called in; see [`Disk`].
    ///
    /// It is the same engine, only that nothing of it happens at the same time. With ports, a journal and a clock that can
    /// be repeated, so can a whole run. The journal is to keep no thread either, and the host must not block.
    ///
    /// # Errors
    /// As [`Self::on`].
    #[doc(hidden)]
    pub fn simulated_on(
        journal: Arc<dyn Journal>,
        ring: Arc<dyn KeyRing>,
        config: Config,
        disk: Disk,
    ) -> Result<Self, OpenError> {
        Self::assemble(journal, ring, config, Some(disk))
    }

    fn assemble(
        journal: Arc<dyn Journal>,
        ring: Arc<dyn KeyRing>,
        config: Config,
        simulated: Option<Disk>,
    ) -> Result<Self, OpenError> {
        config.policy.check()?;
        if config.issuer.is_empty() || config.issuer.contains(':') {
            return Err(OpenError::Issuer);
        }
        config.relying_party.check()?;
        crate::sms::check(&config.transports.sms, &config.sms_text).map_err(OpenError::Sms)?;
        if config.relying_party.attestation_roots.is_some() && !config.policy.security_keys {
            tracing::warn!("keys must attest, and only passkeys are taken, which cannot: no key can be registered");
        }
        let transports = config.transports.clone();
        let key = |label: &str| Ok::<_, OpenError>(Zeroizing::new(*journal.derive_key(label)?.expose()));
        let secrets = Secrets {
            identity: IdentityKey::new(key("commands")?),
            marks: MarkKey::new(key("codes of sign-ins")?),
            numbers: MarkKey::new(key("telephone numbers")?),
        };
        let (anchors, every) = (config.anchors.clone(), config.limits.anchor_every);
        let runtime = Arc::new(Runtime::start(Arc::clone(&journal), secrets, config, simulated)?);
        let anchoring = Arc::new(Anchoring::start(journal, &anchors, every)?);
        Ok(Self { runtime, ring, transports, anchoring, rewrapping: Arc::default() })
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
        self.rewrapping.stop();
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

    /// The rules that this engine was opened with; an account may have chosen others, see [`Self::policy_of`].
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// assert_eq!(engine.policy().code_attempts_max, 9);
    /// ```
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.runtime.shared.policies.of(None)
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

    /// A key of the host's own, derived from the store's own root: the same for the same label as long as the store lives.
    ///
    /// # Errors
    /// When it cannot be computed.
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// assert_eq!(engine.derive_key("sessions").unwrap(), engine.derive_key("sessions").unwrap());
    /// assert_ne!(engine.derive_key("sessions").unwrap(), engine.derive_key("cookies").unwrap());
    /// ```
    pub fn derive_key(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
        let key = self.runtime.shared.journal.derive_key(&format!("host/{label}"))?;
        Ok(Zeroizing::new(*key.expose()))
    }
}

// ---- what every part uses ----

impl Countersign {
    async fn ledger(&self, key: LedgerKey, request: Request, work: LedgerWork) -> Result<Ack<()>, Error> {
        let answer = self.runtime.ask_ledger(key, request, work).await?;
        Ok(acked((), &answer))
    }

    async fn principal_work(
        &self,
        principal: &PrincipalId,
        request: Request,
        work: impl Into<PrincipalWork>,
    ) -> Result<Answer, Error> {
        self.runtime.ask_principal(principal.clone(), request, work.into()).await
    }

    async fn proof(
        &self,
        principal: &PrincipalId,
        request: Request,
        work: impl Into<PrincipalWork>,
    ) -> Result<Ack<Proof>, Error> {
        let answer = self.principal_work(principal, request, work).await?;
        Ok(acked(Proof::of(answer.verdict), &answer))
    }
}

const fn acked<T>(value: T, answer: &Answer) -> Ack<T> {
    Ack { value, position: answer.position, at: answer.at }
}
