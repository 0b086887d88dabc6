//! A real engine, with everything around it simulated.

mod deeds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use countersign_domain::laws::Violation;
use countersign_store::{EphemeralKeyRing, Journal};

use super::authenticator::Authenticator;
use super::clock::VirtualClock;
use super::deed::{Deed, Device, Outcome};
use super::disk::TestDisk;
use super::entropy::SeededEntropy;
use super::hands::Hands;
use super::laws::broken_laws;
use super::model::START;
use crate::{
    AccountId, Caller, Clock, Config, Countersign, DevelopmentTransports, DeviceName, Policy, PrincipalId, Request,
    Serial, Transports, UnixMillis, UserId,
};

/// An engine on a [`TestDisk`] with a [`VirtualClock`], an account, and the hands of its users.
///
/// It does [deeds](Deed), and says what came of them; a platform under test is given [`Self::engine`], and does the rest. It
/// waits for the engine on the thread that calls it, which must not be one of an asynchronous runtime.
///
/// ```
/// use countersign::Policy;
/// use countersign::testing::{Deed, Device, Outcome, Typed, With, World};
///
/// let mut world = World::new(Policy::classic());
/// for deed in [
///     Deed::AddUser("lee"),
///     Deed::CreateApp("phone"),
///     Deed::Enable { user: "lee", app: "phone", codes: Typed::Shown(0) },
///     Deed::Wait { seconds: 30 },
///     Deed::Crash { kept: 0 },
/// ] {
///     world.perform(&deed);
/// }
/// let came_of_it = world.perform(&Deed::SignIn { user: "lee", with: With::Code("phone", Typed::Shown(0)) });
/// assert_eq!(came_of_it, Outcome::SignedIn(Some(Device::App("phone"))));
/// assert_eq!(world.broken_laws(), []);
/// ```
pub struct World {
    engine: Countersign,
    journal: Arc<dyn Journal>,
    disk: TestDisk,
    clock: Arc<VirtualClock>,
    entropy: Arc<SeededEntropy>,
    outbox: Arc<DevelopmentTransports>,
    ring: Arc<EphemeralKeyRing>,
    config: Config,
    hands: Hands,
    /// How often a user of each name came.
    came: BTreeMap<&'static str, u32>,
    told: BTreeSet<UnixMillis>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// An engine under a policy, with the default limits.
    ///
    /// # Panics
    /// When the policy makes no sense, or the machine has no thread to spare.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// let world = World::new(Policy::modern());
    /// ```
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::with(Config { policy, ..Config::default() })
    }

    /// An engine as it is configured; clock, entropy and transports are the world's.
    ///
    /// # Panics
    /// When the configuration makes no sense, or the machine has no thread to spare.
    ///
    /// ```
    /// # use countersign::{Config, Limits, testing::World};
    /// let limits = Limits { resident_max: 1, ..Limits::default() };
    /// let world = World::with(Config { limits, ..Config::default() });
    /// ```
    #[must_use]
    pub fn with(config: Config) -> Self {
        let (disk, clock) = (TestDisk::new(), VirtualClock::at(START));
        let (entropy, outbox) = (Arc::new(SeededEntropy::new(0)), DevelopmentTransports::new(true));
        let ring = Arc::new(EphemeralKeyRing::new().expect("the machine has randomness"));
        let transports = Transports::development(&outbox);
        let config = Config { clock: clock.clone(), entropy: entropy.clone(), transports, ..config };
        let (engine, journal) = open(&disk, &ring, &config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let opened = engine.open_account(Request::by(Caller::operator()), account(), name("root"));
        runtime.block_on(opened).expect("the account is the first thing there is");
        let (hands, came, told) = (Hands::default(), Default::default(), Default::default());
        Self { engine, journal, disk, clock, entropy, outbox, ring, config, hands, came, told, runtime }
    }

    /// Does a deed, and says what came of it.
    ///
    /// # Panics
    /// When a name in it is none that the engine takes, or the disk does not open again.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Outcome, World}};
    /// let mut world = World::new(Policy::classic());
    /// assert_eq!(world.perform(&Deed::AddUser("lee")), Outcome::Done);
    /// ```
    pub fn perform(&mut self, deed: &Deed) -> Outcome {
        let outcome = self.attempt(*deed).unwrap_or_else(|error| deeds::unsettled(&error));
        if let Outcome::Locked(at) | Outcome::Rejected(_, Some(at)) = outcome {
            self.told.insert(at);
        }
        outcome
    }

    /// The engine. After [`Deed::Restart`] and [`Deed::Crash`] it is another one: ask again.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// assert!(World::new(Policy::classic()).engine().is_ready());
    /// ```
    #[must_use]
    pub const fn engine(&self) -> &Countersign {
        &self.engine
    }

    /// Waits for a call of the engine, or of a platform around it.
    ///
    /// ```
    /// # use countersign::{Caller, Policy, Request, testing::{Deed, World}};
    /// let mut world = World::new(Policy::classic());
    /// world.perform(&Deed::AddUser("lee"));
    /// let lee = world.principal("lee");
    /// let step = world.run(world.engine().begin_sign_in(Request::by(Caller::at_console(lee.clone(), None)), &lee));
    /// assert!(step.is_ok());
    /// ```
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The clock.
    ///
    /// ```
    /// # use countersign::{Clock, Policy, testing::{START, World}};
    /// assert_eq!(World::new(Policy::classic()).clock().now(), START);
    /// ```
    #[must_use]
    pub const fn clock(&self) -> &Arc<VirtualClock> {
        &self.clock
    }

    /// The disk, to make it fail.
    ///
    /// ```
    /// # use countersign::{Policy, store::faults::Operation, testing::{Deed, Outcome, World}};
    /// let mut world = World::new(Policy::classic());
    /// world.disk().fail_next(Operation::Commit);
    /// assert!(matches!(world.perform(&Deed::AddUser("lee")), Outcome::Failed(_)));
    /// world.perform(&Deed::Crash { kept: 0 });
    /// assert_eq!(world.perform(&Deed::AddUser("lee")), Outcome::Done);
    /// ```
    #[must_use]
    pub const fn disk(&self) -> &TestDisk {
        &self.disk
    }

    /// Goes on from what is on another disk, as after a power cut; see [`TestDisk::crash_at`].
    ///
    /// # Panics
    /// When the disk does not open.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, World}};
    /// let mut world = World::new(Policy::classic());
    /// let before = world.disk().crash(0);
    /// world.perform(&Deed::AddUser("lee"));
    /// world.resume(before);
    /// assert!(world.engine().users(world.account(), None, 10).is_empty());
    /// ```
    pub fn resume(&mut self, disk: TestDisk) {
        self.disk = disk;
        self.reopen();
    }

    /// The randomness, to let it run dry.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Outcome, World}};
    /// let mut world = World::new(Policy::classic());
    /// world.entropy().set_dry(true);
    /// assert!(matches!(world.perform(&Deed::CreateApp("phone")), Outcome::Failed(_)));
    /// ```
    #[must_use]
    pub const fn entropy(&self) -> &Arc<SeededEntropy> {
        &self.entropy
    }

    /// What was sent to telephones and mailboxes.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// assert_eq!(World::new(Policy::classic()).outbox().messages().len(), 0);
    /// ```
    #[must_use]
    pub const fn outbox(&self) -> &Arc<DevelopmentTransports> {
        &self.outbox
    }

    /// The journal that the engine writes.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// let world = World::new(Policy::classic());
    /// assert!(world.journal().verify().is_ok());
    /// ```
    #[must_use]
    pub const fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// The rules of the deployment.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// assert_eq!(*World::new(Policy::strict()).policy(), Policy::strict());
    /// ```
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// The account.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// assert_eq!(World::new(Policy::classic()).account().to_string(), "123456789012");
    /// ```
    #[must_use]
    pub fn account(&self) -> AccountId {
        account()
    }

    /// The principal that a user of this name is, or was last.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// let world = World::new(Policy::classic());
    /// assert_eq!(world.principal("lee").account(), world.account());
    /// ```
    #[must_use]
    pub fn principal(&self, user: &str) -> PrincipalId {
        PrincipalId::User(account(), user_id(user, self.came.get(user).copied().unwrap_or_default()))
    }

    /// The serial number of a user's device.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Device, World}};
    /// let world = World::new(Policy::classic());
    /// assert_eq!(world.serial("lee", Device::App("phone")).as_str(), "arn:aws:iam::123456789012:mfa/phone");
    /// ```
    #[must_use]
    pub fn serial(&self, user: &str, device: Device) -> Serial {
        let account = account();
        let text = match device {
            Device::App(app) => format!("arn:aws:iam::{account}:mfa/{app}"),
            Device::Key(key) => match self.hands.key_serial(key) {
                Some(serial) => return serial.clone(),
                None => format!("arn:aws:iam::{account}:u2f/user/{user}/{key}-{}", "A".repeat(26)),
            },
            Device::Handset(handset) if self.has_handset(user, handset) => {
                format!("arn:aws:iam::{account}:sms-mfa/{user}")
            }
            Device::Handset(handset) => format!("arn:aws:iam::{account}:sms-mfa/none-{handset}"),
        };
        Serial::new(text).expect("names of devices are short")
    }

    /// The devices that a user has by the engine's own view, in the order of [`Model::devices`](super::Model::devices).
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Device, World}};
    /// let mut world = World::new(Policy::classic());
    /// world.perform(&Deed::AddUser("lee"));
    /// world.perform(&Deed::EnrolKey { user: "lee", key: "blue" });
    /// assert_eq!(world.devices("lee"), [Device::Key("blue")]);
    /// ```
    #[must_use]
    pub fn devices(&self, user: &str) -> Vec<Device> {
        let known = self.engine.devices(&self.principal(user));
        let mut all: Vec<Device> = known.iter().filter_map(|device| self.device_of(user, &device.serial)).collect();
        all.sort_unstable();
        all
    }

    /// The app of a name, with the secret that it scanned.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, START, World}};
    /// let mut world = World::new(Policy::classic());
    /// world.perform(&Deed::CreateApp("phone"));
    /// assert_eq!(world.authenticator("phone").unwrap().code(START).expose().len(), 6);
    /// ```
    #[must_use]
    pub fn authenticator(&self, app: &str) -> Option<&Authenticator> {
        self.hands.authenticator(app)
    }

    /// Every place where the journal breaks a law of the domain.
    ///
    /// # Panics
    /// When the journal cannot be read to its end.
    ///
    /// ```
    /// # use countersign::{Policy, testing::World};
    /// assert_eq!(World::new(Policy::classic()).broken_laws(), []);
    /// ```
    #[must_use]
    pub fn broken_laws(&self) -> Vec<Violation> {
        broken_laws(&*self.journal, self.policy()).expect("the journal is read")
    }
}

impl World {
    fn reopen(&mut self) {
        (self.engine, self.journal) = open(&self.disk, &self.ring, &self.config);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World at {}", self.clock.now().0)
    }
}

fn account() -> AccountId {
    AccountId::from_number(123_456_789_012).expect("twelve digits")
}

fn name(text: &str) -> DeviceName {
    DeviceName::new(text).expect("a name as the engine takes it")
}

/// Ids are never given out twice.
fn user_id(user: &str, number: u32) -> UserId {
    UserId::new(format!("AIDA-{user}-{number}")).expect("names of users are short")
}

fn open(disk: &TestDisk, ring: &Arc<EphemeralKeyRing>, config: &Config) -> (Countersign, Arc<dyn Journal>) {
    let journal = disk.journal(ring.clone()).expect("the disk opens");
    let engine = Countersign::on(journal.clone(), ring.clone(), config.clone()).expect("the engine opens");
    (engine, journal)
}
