//! The reference model: what each deed comes to, by the rules.
//!
//! It is a second reading of the specification, and shares no rule with the engine: it keeps plain lists of what happened
//! and reads them again each time.

mod codes;
mod doors;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::deed::{Deed, Device, Outcome};
use super::hands::seed_of;
use crate::{Policy, UnixMillis};

/// When histories begin: ten seconds into a time step, at no window's edge.
///
/// ```
/// assert_eq!(countersign::testing::START.secs() % 30, 10);
/// ```
pub const START: UnixMillis = UnixMillis::from_secs(1_700_000_020);

/// Permanent codes of the reasons that the model knows; see [`Rejection::code`](crate::Rejection::code).
mod reason {
    pub const PRINCIPAL_UNKNOWN: u16 = 203;
    pub const NAME_TAKEN: u16 = 205;
    pub const DEVICE_UNKNOWN: u16 = 301;
    pub const NOT_YOURS: u16 = 302;
    pub const ALREADY_YOURS: u16 = 303;
    pub const IN_USE: u16 = 304;
    pub const DEVICE_EXISTS: u16 = 305;
    pub const ASSIGNED: u16 = 306;
    pub const NOT_AT_ONCE: u16 = 308;
    pub const CLOCK: u16 = 309;
    pub const NOT_THIS_FACTOR: u16 = 311;
    pub const KEY_FORM: u16 = 313;
    pub const NO_SMS: u16 = 314;
    pub const DEVICE_LIMIT: u16 = 401;
    pub const ACCOUNT_DEVICES: u16 = 402;
    pub const ACCOUNT_USERS: u16 = 403;
    pub const TOO_MANY: u16 = 404;
    pub const TOO_SOON: u16 = 405;
    pub const NO_BUDGET: u16 = 406;
}

/// The first reason that applies, in the order in which they are listed (R56).
fn first<const N: usize>(reasons: [(u16, bool); N]) -> Result<(), Outcome> {
    match reasons.iter().find(|(_, applies)| *applies) {
        Some((code, _)) => Err(Outcome::Rejected(*code, None)),
        None => Ok(()),
    }
}

/// An app in somebody's hand.
#[derive(Clone, Default)]
struct InHand {
    secret: Vec<u8>,
    drift: i64,
    typed: u32,
}

/// A virtual device as the server knows it.
#[derive(Clone, Default)]
struct App {
    name: &'static str,
    secret: Vec<u8>,
    owner: Option<&'static str>,
    /// Counters of the second codes of accepted pairs, in order.
    pairs: Vec<u64>,
    /// Steps that it is ahead, as far as anyone knows (R82).
    offset: i64,
    /// Counters of accepted single codes (R87).
    spent: Vec<u64>,
    learned_at: Option<u64>,
    /// The latest instant that is recorded of it since it was enabled (A40).
    latest: Option<u64>,
}

/// A registered key.
#[derive(Clone, Copy)]
struct Key {
    owner: &'static str,
    counter: u32,
    /// What a copy shows that was made when it was registered.
    first: u32,
    suspected: bool,
}

/// A user who is there. One who comes again is another.
#[derive(Clone, Default)]
struct User {
    handset: Option<&'static str>,
    /// Since when there is none any more.
    handset_gone: Option<u64>,
    /// Codes that were sent: when, and in which window.
    sends: Vec<(u64, u64)>,
    /// Windows in which a registration of a key was begun.
    registrations: Vec<u64>,
}

/// The reference model of an account with virtual devices, security keys and telephones.
///
/// It says what each [`Deed`] comes to under a [`Policy`], exactly, and may be cloned, so that it is the state of a state
/// machine. What it does not know: budgets for codes by SMS other than those of a user and of a number, and the alarm about
/// codes that nobody uses; histories that send fewer than fifty codes to a telephone do not reach them.
///
/// ```
/// use countersign::Policy;
/// use countersign::testing::{Deed, Model, Outcome, Typed, With};
///
/// let mut model = Model::new(Policy::classic());
/// model.perform(&Deed::AddUser("lee"));
/// model.perform(&Deed::CreateApp("phone"));
/// model.perform(&Deed::Enable { user: "lee", app: "phone", codes: Typed::Shown(0) });
/// // The code of a pair is spent (R90).
/// let spent = Deed::SignIn { user: "lee", with: With::Code("phone", Typed::Again) };
/// assert_eq!(model.perform(&spent), Outcome::Refused);
/// assert!(model.has_mfa("lee"));
/// ```
#[derive(Clone)]
pub struct Model {
    policy: Policy,
    now: u64,
    users: BTreeMap<&'static str, User>,
    /// By names in lower case, which is how they are told apart (A27).
    apps: BTreeMap<String, App>,
    keys: BTreeMap<&'static str, Key>,
    in_hand: BTreeMap<&'static str, InHand>,
    /// How often each app was made, and each key touched.
    made: BTreeMap<&'static str, u32>,
    touched: BTreeMap<&'static str, u32>,
    /// By names in lower case, and whether of pairs: the window of each attempt, or of the first that was turned away.
    attempts: BTreeMap<(String, bool), Vec<(u64, bool)>>,
    /// Codes that were sent: when, whether to sign in, to which telephone.
    sent: Vec<(u64, bool, &'static str)>,
    /// Instants that outcomes named.
    told: BTreeSet<u64>,
    last: Outcome,
}

/// Only where a history begins, so that a failing one can be read.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<_> = self.users.keys().map(|user| (*user, self.devices(user))).collect();
        write!(f, "Model at {} ms with {users:?}", self.now)
    }
}

// ---- what a platform's model asks ----

impl Model {
    /// An account without users, at [`START`].
    ///
    /// ```
    /// # use countersign::{Policy, testing::Model};
    /// assert!(!Model::new(Policy::classic()).has_mfa("lee"));
    /// ```
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            now: START.0,
            users: BTreeMap::new(),
            apps: BTreeMap::new(),
            keys: BTreeMap::new(),
            in_hand: BTreeMap::new(),
            made: BTreeMap::new(),
            touched: BTreeMap::new(),
            attempts: BTreeMap::new(),
            sent: Vec::new(),
            told: BTreeSet::new(),
            last: Outcome::Done,
        }
    }

    /// The rules that it goes by.
    ///
    /// ```
    /// # use countersign::{Policy, testing::Model};
    /// assert_eq!(*Model::new(Policy::strict()).policy(), Policy::strict());
    /// ```
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The server's time.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Model, START}};
    /// assert_eq!(Model::new(Policy::classic()).now(), START);
    /// ```
    #[must_use]
    pub const fn now(&self) -> UnixMillis {
        UnixMillis(self.now)
    }

    /// What the last deed came to.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Model, Outcome}};
    /// let mut model = Model::new(Policy::classic());
    /// model.perform(&Deed::RemoveUser("lee"));
    /// assert_eq!(*model.outcome(), Outcome::Rejected(203, None));
    /// ```
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.last
    }

    /// Whether there is a user of just this name.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Model}};
    /// let mut model = Model::new(Policy::classic());
    /// model.perform(&Deed::AddUser("lee"));
    /// assert!(model.is_user("lee") && !model.is_user("Lee"));
    /// ```
    #[must_use]
    pub fn is_user(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// The users.
    ///
    /// ```
    /// # use countersign::{Policy, testing::Model};
    /// assert_eq!(Model::new(Policy::classic()).users().count(), 0);
    /// ```
    pub fn users(&self) -> impl Iterator<Item = &'static str> {
        self.users.keys().copied()
    }

    /// Whether a user has a device.
    ///
    /// ```
    /// # use countersign::{Policy, testing::Model};
    /// assert!(!Model::new(Policy::classic()).has_mfa("lee"));
    /// ```
    #[must_use]
    pub fn has_mfa(&self, user: &str) -> bool {
        !self.devices(user).is_empty()
    }

    /// The enabled devices of a user: apps, then keys, then a telephone; each kind by its name.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Device, Model}};
    /// let mut model = Model::new(Policy::classic());
    /// model.perform(&Deed::AddUser("lee"));
    /// model.perform(&Deed::EnrolKey { user: "lee", key: "blue" });
    /// assert_eq!(model.devices("lee"), [Device::Key("blue")]);
    /// ```
    #[must_use]
    pub fn devices(&self, user: &str) -> Vec<Device> {
        let apps = self.apps.values().filter(|app| app.owner == Some(user)).map(|app| Device::App(app.name));
        let keys = self.keys.iter().filter(|(_, key)| key.owner == user).map(|(name, _)| Device::Key(name));
        let handset = self.users.get(user).and_then(|user| user.handset).map(Device::Handset);
        let mut all: Vec<Device> = apps.chain(keys).chain(handset).collect();
        all.sort_unstable();
        all
    }

    /// The apps that exist and that nobody has.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Model}};
    /// let mut model = Model::new(Policy::classic());
    /// model.perform(&Deed::CreateApp("phone"));
    /// assert_eq!(model.free_apps(), ["phone"]);
    /// ```
    #[must_use]
    pub fn free_apps(&self) -> Vec<&'static str> {
        self.apps.values().filter(|app| app.owner.is_none()).map(|app| app.name).collect()
    }

    /// Does a deed, and says what it comes to.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Model, Outcome}};
    /// let mut model = Model::new(Policy::classic());
    /// assert_eq!(model.perform(&Deed::AddUser("lee")), Outcome::Done);
    /// assert_eq!(model.perform(&Deed::AddUser("LEE")), Outcome::Rejected(205, None));
    /// ```
    pub fn perform(&mut self, deed: &Deed) -> Outcome {
        let outcome = self.attempt(*deed).unwrap_or_else(|rejected| rejected);
        if let Outcome::Locked(at) | Outcome::Rejected(_, Some(at)) = outcome {
            self.told.insert(at.0);
        }
        self.last = outcome.clone();
        outcome
    }
}

// ---- people, devices, time ----

impl Model {
    fn attempt(&mut self, deed: Deed) -> Result<Outcome, Outcome> {
        match deed {
            Deed::AddUser(name) => self.add(name)?,
            Deed::RemoveUser(user) => {
                first([(reason::PRINCIPAL_UNKNOWN, !self.is_user(user))])?;
                for device in self.devices(user) {
                    self.release(user, device);
                    if let Device::App(app) = device {
                        self.apps.remove(&app.to_lowercase());
                    }
                }
                self.users.remove(user);
            }
            Deed::CreateApp(name) => self.create(name)?,
            Deed::DeleteApp(name) => {
                let app = self.app(name);
                first([
                    (reason::DEVICE_UNKNOWN, app.is_none()),
                    (reason::ASSIGNED, app.is_some_and(|app| app.owner.is_some())),
                ])?;
                self.apps.remove(&name.to_lowercase());
            }
            Deed::Enable { user, app, codes } => return self.enable(user, app, None, codes),
            Deed::Rotate { user, old, app, codes } => return self.enable(user, app, Some(old), codes),
            Deed::Resync { user, app, codes } => return self.resync(user, app, codes),
            Deed::Deactivate { user, device } => {
                first([
                    (reason::PRINCIPAL_UNKNOWN, !self.is_user(user)),
                    (reason::DEVICE_UNKNOWN, !self.in_reach(user, device)),
                    (reason::NOT_YOURS, !self.devices(user).contains(&device)),
                ])?;
                self.release(user, device);
            }
            Deed::Verify { user, app, code, purpose } => {
                let digits = self.typed(app, code);
                first([(reason::PRINCIPAL_UNKNOWN, !self.is_user(user))])?;
                return self.verify(user, app, digits, purpose);
            }
            Deed::EnrolKey { user, key } => return self.enrol_key(user, key),
            Deed::EnrolHandset { user, handset } => return self.enrol_handset(user, handset),
            Deed::SignIn { user, with } => return self.sign_in(user, with),
            Deed::Drift { app, steps } => {
                if let Some(in_hand) = self.in_hand.get_mut(app) {
                    in_hand.drift += i64::from(steps);
                }
            }
            Deed::Wait { seconds } => self.now += u64::from(seconds) * 1000,
            Deed::SetBack { seconds } => self.now = self.now.saturating_sub(u64::from(seconds) * 1000),
            Deed::Jump => self.now = self.told.range(self.now + 1..).next().copied().unwrap_or(self.now),
            // What was acknowledged stays.
            Deed::Restart | Deed::Crash { .. } => {}
        }
        Ok(Outcome::Done)
    }

    /// R9: case does not count.
    fn add(&mut self, name: &'static str) -> Result<(), Outcome> {
        first([
            (reason::NAME_TAKEN, self.users.keys().any(|user| user.eq_ignore_ascii_case(name))),
            (reason::ACCOUNT_USERS, self.users.len() as u64 >= self.policy.users_per_account_max.into()),
        ])?;
        self.users.insert(name, User::default());
        Ok(())
    }

    fn create(&mut self, name: &'static str) -> Result<(), Outcome> {
        let key = name.to_lowercase();
        first([
            (reason::DEVICE_EXISTS, self.apps.contains_key(&key)),
            (reason::ACCOUNT_DEVICES, self.apps.len() as u64 >= self.policy.virtual_devices_per_account_max.into()),
        ])?;
        let made = self.made.entry(name).or_default();
        *made += 1;
        let secret = seed_of(name, *made);
        self.in_hand.insert(name, InHand { secret: secret.clone(), ..InHand::default() });
        self.apps.insert(key, App { name, secret, ..App::default() });
        Ok(())
    }

    /// The virtual device of exactly this name.
    fn app(&self, name: &str) -> Option<&App> {
        self.apps.get(&name.to_lowercase()).filter(|app| app.name == name)
    }

    fn app_mut(&mut self, name: &str) -> Option<&mut App> {
        self.apps.get_mut(&name.to_lowercase()).filter(|app| app.name == name)
    }

    /// Whether there is such a device; a telephone is one only for who enrolled it.
    fn in_reach(&self, user: &str, device: Device) -> bool {
        match device {
            Device::App(name) => self.app(name).is_some(),
            Device::Key(name) => self.keys.contains_key(name),
            Device::Handset(_) => self.devices(user).contains(&device),
        }
    }

    /// A device leaves its owner; a key and a telephone are gone then (R49, R69).
    fn release(&mut self, user: &str, device: Device) {
        let now = self.now;
        match device {
            Device::App(name) => {
                if let Some(app) = self.app_mut(name) {
                    (app.owner, app.latest) = (None, None);
                }
            }
            Device::Key(name) => drop(self.keys.remove(name)),
            Device::Handset(_) => {
                if let Some(user) = self.users.get_mut(user) {
                    (user.handset, user.handset_gone) = (None, Some(now));
                }
            }
        }
    }

    /// R3, R172.
    fn is_full(&self, user: &str) -> bool {
        self.devices(user).len() >= usize::from(self.policy.devices_per_principal_max)
    }

    fn clock_back_ms(&self) -> u64 {
        u64::from(self.policy.clock_back_max_s) * 1000
    }

    /// How much of a budget is used in the window that counts now, and which that is. Each entry says whether it is an
    /// attempt, or only tells that there may be no more. A clock set back a little opens no older window (A40).
    fn window(&self, entries: impl Iterator<Item = (u64, bool)>, window_s: u32) -> Window {
        let mut last = Window { number: 0, used: 0, told: false };
        for (number, is_attempt) in entries {
            if number != last.number {
                last = Window { number, used: 0, told: false };
            }
            last.used += u64::from(is_attempt);
            last.told |= !is_attempt;
        }
        let at = |ms: u64| ms / 1000 / u64::from(window_s);
        let counts = (at(self.now)..=at(self.now + self.clock_back_ms())).contains(&last.number);
        if counts { last } else { Window { number: at(self.now), used: 0, told: false } }
    }
}

#[derive(Clone, Copy)]
struct Window {
    number: u64,
    used: u64,
    told: bool,
}

impl Window {
    fn ends(self, window_s: u32) -> UnixMillis {
        UnixMillis((self.number + 1) * u64::from(window_s) * 1000)
    }
}
