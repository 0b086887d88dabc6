//! How an engine is set up: rules, ports and limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_domain::policy::Policy;
use countersign_store::KeyRing;

use crate::anchor::Anchor;
use crate::ports::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::sms::SmsText;
use crate::transports::Transports;
use crate::webauthn::RelyingParty;

/// How an engine is set up. The default is the classic policy on the machine's own clock.
///
/// ```
/// use countersign::{Config, Policy};
///
/// let config = Config { policy: Policy::modern(), issuer: "Example".to_owned(), ..Config::default() };
/// assert_eq!(config.policy.devices_per_principal_max, 8);
/// ```
#[derive(Clone)]
pub struct Config {
    /// The rules (R1..R221).
    pub policy: Policy,
    /// The issuer that authenticators show (A29); no colon.
    pub issuer: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Who keeps the keys of sealed bodies; `None` makes a key file in the store's directory.
    pub key_ring: Option<Arc<dyn KeyRing>>,
    /// The name that the log signs its checkpoints with: by convention a URL without a scheme, such as `example.com/mfa`. It is
    /// for good. `None` calls a new log after its first key, and takes any name that an old one has.
    pub origin: Option<String>,
    /// Places outside that the log's checkpoints are brought to, at most [`crate::ANCHORS_MAX`].
    pub anchors: Vec<Arc<dyn Anchor>>,
    /// Whom security keys are registered with (R30).
    pub relying_party: RelyingParty,
    /// What sends codes by SMS and mail, and makes calls.
    pub transports: Transports,
    /// What codes by SMS say.
    pub sms_text: SmsText,
    /// What bounds the engine.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::classic(),
            issuer: "Countersign".to_owned(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            key_ring: None,
            origin: None,
            anchors: Vec::new(),
            relying_party: RelyingParty::default(),
            transports: Transports::default(),
            sms_text: SmsText { service: "Countersign".to_owned(), host: None },
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("policy", &self.policy)
            .field("issuer", &self.issuer)
            .field("relying_party", &self.relying_party)
            .field("sms_text", &self.sms_text)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What bounds the engine: over a bound a command is answered `Busy` and nothing is dropped.
///
/// ```
/// let limits = countersign::Limits { in_flight_max: 10_000, ..countersign::Limits::default() };
/// assert!(limits.mailbox_max > 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands that may be under way at once.
    pub in_flight_max: u32,
    /// Commands that may wait for one principal.
    pub mailbox_max: usize,
    /// Appends that are made durable together.
    pub batch_max: usize,
    /// Principals that stay in memory.
    pub resident_max: usize,
    /// How long a principal stays in memory without a command.
    pub idle: Duration,
    /// Pair searches and other long computations that run at once.
    pub searches_max: usize,
    /// How often a command is decided again after a lost race.
    pub retries_max: u32,
    /// How long a request waits to learn whether its code was handed over to a gateway; it goes on without knowing then.
    pub sms_wait: Duration,
    /// Events since the last snapshot of a principal that make a new one worth its while.
    pub snapshot_every: u64,
    /// Entries of the log since the last checkpoint of the views that make a new one worth its while.
    pub checkpoint_every: u64,
    /// How long apart checkpoints are brought to places outside, while the log grows.
    pub anchor_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_max: 4096,
            mailbox_max: 256,
            batch_max: 1024,
            resident_max: 100_000,
            idle: Duration::from_secs(300),
            searches_max: 2,
            retries_max: 16,
            sms_wait: Duration::from_millis(1500),
            snapshot_every: 32,
            checkpoint_every: 65_536,
            anchor_every: Duration::from_secs(60),
        }
    }
}
