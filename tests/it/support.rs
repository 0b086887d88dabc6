//! What several of the tests need.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::domain::ids::StreamId;
use countersign::domain::wire;
use countersign::store::{EphemeralKeyRing, Header, Journal, KeyError, KeyRing, MemoryJournal};
use countersign::testing::{Authenticator, STEP_S, broken_laws, digits, from_base32};
use countersign::*;

/// Waits for a future on this thread.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// Decodes an entry of a log, opened if it is sealed.
pub fn event_of(journal: &dyn Journal, header: &Header, body: &[u8]) -> Event {
    let body = journal.unseal(header, body).unwrap();
    wire::decode(header.event_type, header.type_version, &body).unwrap()
}

/// Every event of a log in its global order, without what was forgotten.
pub fn events(journal: &dyn Journal) -> Vec<(Header, Event)> {
    let mut all = Vec::new();
    let scanned = journal.scan(Position(0), &mut |entry| {
        if !matches!(journal.unseal(&entry.header, entry.body), Err(KeyError::Destroyed(_))) {
            let event = event_of(journal, &entry.header, entry.body);
            all.push((entry.header, event));
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    all
}

/// The streams of which something was forgotten.
pub fn forgotten(journal: &dyn Journal) -> BTreeSet<StreamId> {
    let mut streams = BTreeSet::new();
    let scanned = journal.scan(Position(0), &mut |entry| {
        if matches!(journal.unseal(&entry.header, entry.body), Err(KeyError::Destroyed(_))) {
            streams.insert(entry.header.stream);
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    streams
}

/// Every law of the domain over a whole log.
pub fn check_laws(journal: &dyn Journal, policy: &Policy) {
    assert_eq!(broken_laws(journal, policy).unwrap(), []);
}

/// When the tests begin: ten seconds into a step, at no window's edge.
pub const START_S: u64 = 1_700_000_020;

/// A pair search of a few steps: for tests in which its width is not the matter.
pub fn narrow(policy: Policy) -> Policy {
    Policy { pair_back_steps: 3, pair_ahead_steps: 3, ..policy }
}

/// An authenticator with a right clock, which is asked by the second.
#[derive(Clone, Debug)]
pub struct Phone {
    pub serial: Serial,
    pub secret: Vec<u8>,
}

impl Phone {
    fn held(&self) -> Authenticator {
        Authenticator::new(self.serial.clone(), self.secret.clone())
    }

    /// What it shows at an instant.
    pub fn at(&self, seconds: u64) -> Code {
        self.held().code(UnixMillis::from_secs(seconds))
    }

    /// Two codes, the second of which it shows at an instant.
    pub fn pair(&self, seconds: u64) -> (Code, Code) {
        (self.at(seconds - STEP_S), self.at(seconds))
    }

    /// Codes that it shows at no time near an instant.
    pub fn wrong(&self, seconds: u64) -> impl Iterator<Item = Code> + use<> {
        self.held().wrong(UnixMillis::from_secs(seconds))
    }
}

pub fn typed(number: u32) -> Code {
    Code::parse(&digits(number)).unwrap()
}

pub fn operator() -> Request {
    Request::by(Caller::operator())
}

pub fn name(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

/// An engine with one account on a journal that can be looked into.
pub struct World {
    pub engine: Countersign,
    pub journal: Arc<dyn Journal>,
    pub clock: ManualClock,
    pub account: AccountId,
    /// What was sent to phones and mailboxes.
    pub outbox: Arc<DevelopmentTransports>,
}

impl World {
    /// In memory, under a policy and the usual limits.
    pub async fn new(policy: Policy) -> Self {
        Self::with(policy, Limits::default()).await
    }

    pub async fn with(policy: Policy, limits: Limits) -> Self {
        let ring = Arc::new(EphemeralKeyRing::new().unwrap());
        let journal = Arc::new(MemoryJournal::new(ring.clone()).unwrap());
        Self::on(journal, ring, policy, limits).await
    }

    /// On a journal that may have a history.
    pub async fn on(journal: Arc<dyn Journal>, ring: Arc<dyn KeyRing>, policy: Policy, limits: Limits) -> Self {
        let clock = ManualClock::at(UnixMillis::from_secs(START_S));
        let outbox = DevelopmentTransports::new(true);
        let transports = Transports::development(&outbox);
        let config = Config { policy, limits, transports, clock: Arc::new(clock.clone()), ..Config::default() };
        Self::set_up(journal, ring, clock, outbox, config).await
    }

    /// As [`Self::on`], with every port of its own.
    pub async fn set_up(
        journal: Arc<dyn Journal>,
        ring: Arc<dyn KeyRing>,
        clock: ManualClock,
        outbox: Arc<DevelopmentTransports>,
        config: Config,
    ) -> Self {
        let engine = Countersign::on(journal.clone(), ring, config).unwrap();
        let account = AccountId::from_number(123_456_789_012).unwrap();
        if engine.account(account).is_none() {
            engine.open_account(operator(), account, name("root")).await.unwrap();
        }
        Self { engine, journal, clock, account, outbox }
    }

    pub fn now(&self) -> u64 {
        self.clock.now().secs()
    }

    pub fn principal(&self, user: &str) -> PrincipalId {
        PrincipalId::User(self.account, UserId::new(format!("AIDA-{user}")).unwrap())
    }

    pub async fn user(&self, user: &str) -> PrincipalId {
        let id = UserId::new(format!("AIDA-{user}")).unwrap();
        self.engine.register_user(operator(), self.account, id, name(user), Path::root()).await.unwrap();
        self.principal(user)
    }

    pub async fn phone(&self, device: &str) -> Phone {
        let made = self.engine.create_virtual_device(operator(), self.account, Path::root(), name(device)).await;
        let made = made.unwrap().value;
        Phone { serial: made.serial.clone(), secret: from_base32(&made.base32()) }
    }

    /// A user with an enabled phone of the same name.
    pub async fn equipped(&self, user: &str) -> (PrincipalId, Phone) {
        let (who, phone) = (self.user(user).await, self.phone(user).await);
        assert_eq!(self.enable(&who, &phone, self.now()).await, Ok(Proof::Accepted));
        (who, phone)
    }

    pub async fn enable(&self, who: &PrincipalId, phone: &Phone, seconds: u64) -> Result<Proof, Error> {
        let (first, second) = phone.pair(seconds);
        Ok(self.engine.enable(operator(), who, &phone.serial, first, second).await?.value)
    }

    pub async fn resync(&self, who: &PrincipalId, phone: &Phone, seconds: u64) -> Result<Proof, Error> {
        let (first, second) = phone.pair(seconds);
        Ok(self.engine.resync(operator(), who, &phone.serial, first, second).await?.value)
    }

    pub async fn deactivate(&self, who: &PrincipalId, phone: &Phone) -> Result<(), Error> {
        let reason = DeactivateReason::Requested;
        self.engine.deactivate(operator(), who, &phone.serial, reason).await.map(|ack| ack.value)
    }

    pub async fn verify(&self, who: &PrincipalId, phone: &Phone, code: Code, why: Purpose) -> Result<Proof, Error> {
        Ok(self.engine.verify_code(operator(), who, &phone.serial, code, why).await?.value)
    }

    pub async fn sign_in(&self, who: &PrincipalId, phone: &Phone, seconds: u64) -> Result<Proof, Error> {
        self.verify(who, phone, phone.at(seconds), Purpose::SignIn).await
    }

    pub async fn sts(&self, who: &PrincipalId, phone: &Phone, seconds: u64) -> Result<Proof, Error> {
        self.verify(who, phone, phone.at(seconds), Purpose::SessionToken).await
    }

    /// How many recorded events there are of which this holds.
    pub fn count(&self, holds: impl Fn(&Event) -> bool) -> usize {
        events(&*self.journal).iter().filter(|(_, event)| holds(event)).count()
    }

    /// How many entries of a type there are; nothing is opened for it.
    pub fn count_headers(&self, event_type: u16) -> usize {
        let mut count = 0;
        let scanned = self.journal.scan(Position(0), &mut |entry| {
            count += usize::from(entry.header.event_type == event_type);
            ControlFlow::Continue(())
        });
        scanned.unwrap();
        count
    }
}

/// Whatever a test did to it, its history obeys the laws. Of what was forgotten on purpose only some can be judged.
impl Drop for World {
    fn drop(&mut self) {
        let mut readable = true;
        let scanned = self.journal.scan(Position(0), &mut |entry| {
            let opened = self.journal.unseal(&entry.header, entry.body);
            readable = matches!(opened, Ok(_) | Err(KeyError::Destroyed(_)));
            if readable { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if readable && scanned.is_ok() && !std::thread::panicking() {
            check_laws(&*self.journal, self.engine.policy());
        }
    }
}
