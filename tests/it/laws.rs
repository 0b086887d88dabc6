//! Each law of the domain is broken once by a forged history, and found: a law that nothing can break
//! shows nothing.

use countersign::domain::account::{Account, Claim};
use countersign::domain::caller::{By, Channel};
use countersign::domain::event::*;
use countersign::domain::ids::{StreamId, Version};
use countersign::domain::laws::{Fact, Law, LawBook};
use countersign::domain::totp::{Attempts, Budget, Learned, Spent};
use countersign::{AccountId, DeviceKind, Path, Policy, Position, PrincipalId, Seed, Serial, UnixMillis, UserId};

use crate::support::name;

const BY: By = By { who: None, channel: Channel::Operator, mfa: false };
const WINDOW: u64 = 9_444_444;

/// A log that is written entry by entry.
struct Forger {
    book: LawBook,
    versions: Vec<(StreamId, u64)>,
    position: u64,
    broken: Vec<Law>,
}

fn account() -> AccountId {
    AccountId::from_number(123_456_789_012).unwrap()
}

fn user(id: &str) -> PrincipalId {
    PrincipalId::User(account(), UserId::new(id).unwrap())
}

fn serial(device: &str) -> Serial {
    Serial::of_virtual(account(), &Path::root(), &name(device)).unwrap()
}

/// What a device has learned whose only pair ended at a counter.
fn learned(counter: u64) -> Learned {
    let paired: Spent = {
        let packed = postcard::to_allocvec(&(0_u64, vec![counter - 1, 1])).unwrap();
        postcard::from_bytes(&packed).unwrap()
    };
    let pairs = Attempts { window: WINDOW, used: 1, closed: false };
    Learned { paired, pairs, ..Learned::default() }
}

impl Forger {
    /// A sound beginning: an account with root, two users, two devices.
    fn new(policy: Policy) -> Self {
        let book = LawBook::new(policy);
        let mut forger = Self { book, versions: Vec::new(), position: 0, broken: Vec::new() };
        let root = PrincipalId::Root(account());
        forger.write(Account::stream(account()), AccountOpened { account: account(), by: BY });
        forger.write(root.stream(), PrincipalRegistered { id: root, name: name("root"), path: Path::root() });
        for called in ["lee", "dana"] {
            let id = user(called);
            let holder = id.stream();
            forger.write(Claim::stream(account(), &name(called)), NameClaimed { holder });
            forger.write(Account::stream(account()), UserAdded { user: holder });
            forger.write(holder, PrincipalRegistered { id, name: name(called), path: Path::root() });
        }
        for device in ["phone", "spare"] {
            let seed = Seed::new(vec![7; 20]).unwrap();
            let made = VirtualDeviceCreated { account: account(), serial: serial(device), seed, by: BY };
            forger.write(serial(device).stream(), made);
            forger.write(Account::stream(account()), DeviceAdded { device: serial(device).stream() });
        }
        assert_eq!(forger.broken, [], "the beginning is sound");
        forger
    }

    fn write(&mut self, stream: StreamId, event: impl Into<Event>) {
        let version = match self.versions.iter_mut().find(|(known, _)| *known == stream) {
            Some((_, version)) => {
                *version += 1;
                *version
            }
            None => {
                self.versions.push((stream, 1));
                1
            }
        };
        self.write_as(stream, version, event);
    }

    fn write_as(&mut self, stream: StreamId, version: u64, event: impl Into<Event>) {
        let fact = Fact {
            position: Position(self.position),
            stream,
            version: Version(version),
            at: UnixMillis::from_secs(1_700_000_000),
            event: &event.into(),
        };
        self.position += 1;
        self.broken.extend(self.book.observe(&fact).into_iter().map(|violation| violation.law));
    }

    fn enabled(&mut self, who: &str, device: &str, counter: u64) {
        let (stream, device) = (user(who).stream(), serial(device).stream());
        let kind = DeviceKind::VirtualTotp;
        self.write(stream, DeviceEnabled { device, kind, by: BY, learned: learned(counter) });
    }

    fn assigned(&mut self, who: &str, device: &str) {
        self.write(serial(device).stream(), DeviceAssigned { owner: user(who).stream() });
    }

    fn accepted(&mut self, counter: u64) {
        let (device, purpose, window) = (serial("phone").stream(), Purpose::SignIn, WINDOW);
        self.write(user("lee").stream(), CodeAccepted { device, purpose, window, counter });
    }

    /// Every law that was broken, at the end too.
    fn end(mut self) -> Vec<Law> {
        self.broken.extend(self.book.finish().into_iter().map(|violation| violation.law));
        self.broken
    }
}

/// A beginning with lee's phone enabled.
fn with_phone() -> Forger {
    let mut forger = Forger::new(Policy::classic());
    forger.enabled("lee", "phone", 56_666_667);
    forger.assigned("lee", "phone");
    forger
}

/// The forgery that breaks a law, and this law before any other. Exhaustive on purpose.
fn forge(law: Law) -> Vec<Law> {
    let mut forger = with_phone();
    let (lee, phone, spare) = (user("lee").stream(), serial("phone").stream(), serial("spare").stream());
    match law {
        Law::VersionsHaveNoGap => {
            let (purpose, window, counter) = (Purpose::SignIn, WINDOW, 56_666_668);
            forger.write_as(lee, 9, CodeAccepted { device: phone, purpose, window, counter });
        }
        Law::HistoryFolds => forger.write(spare, DeviceReleased { owner: lee, learned: Learned::default() }),
        Law::OneOwner => {
            forger.write(user("dana").stream(), {
                let kind = DeviceKind::VirtualTotp;
                DeviceEnabled { device: phone, kind, by: BY, learned: learned(56_666_670) }
            });
            forger.assigned("dana", "phone");
        }
        Law::AssignedIsEnabled => forger.assigned("dana", "spare"),
        Law::CounterAcceptedOnce => {
            forger.accepted(56_666_668);
            forger.accepted(56_666_668);
        }
        Law::PairsIncrease => {
            let (window, counter, offset) = (WINDOW, 56_666_668, 1);
            forger.write(lee, DeviceResynced { device: phone, by: BY, window, counter, offset });
        }
        Law::BudgetHolds => (1..=10).for_each(|step| forger.accepted(56_666_667 + step)),
        Law::DeviceLimitHolds => {
            forger.enabled("lee", "spare", 56_666_667);
            forger.assigned("lee", "spare");
        }
        Law::RootHasNoSms => {
            let device = Serial::new("arn:aws:iam::123456789012:sms-mfa/root").unwrap().stream();
            let (kind, learned) = (DeviceKind::Sms, Learned::default());
            forger.write(PrincipalId::Root(account()).stream(), DeviceEnabled { device, kind, by: BY, learned });
        }
    }
    forger.end()
}

#[test]
fn a_sound_history_breaks_no_law() {
    let mut forger = with_phone();
    forger.accepted(56_666_668);
    assert_eq!(forger.end(), []);
}

#[test]
fn every_law_can_be_broken_and_is_found() {
    let laws = [
        Law::VersionsHaveNoGap,
        Law::HistoryFolds,
        Law::OneOwner,
        Law::AssignedIsEnabled,
        Law::CounterAcceptedOnce,
        Law::PairsIncrease,
        Law::BudgetHolds,
        Law::DeviceLimitHolds,
        Law::RootHasNoSms,
    ];
    for law in laws {
        let broken = forge(law);
        assert!(broken.contains(&law), "{law:?} is not among {broken:?}");
    }
}

#[test]
fn resync_refusals_and_refused_codes_count_against_the_budgets() {
    let window = WINDOW;
    for budget in [Budget::Codes, Budget::Pairs] {
        let mut forger = with_phone();
        let (lee, device) = (user("lee").stream(), serial("phone").stream());
        for _ in 0..10 {
            match budget {
                Budget::Codes => {
                    let (fault, purpose) = (CodeFault::Wrong, Purpose::StepUp);
                    forger.write(lee, CodeRefused { device, purpose, window, fault, steps: 0 });
                }
                Budget::Pairs => {
                    forger.write(lee, ResyncRefused { device, by: BY, window, fault: PairFault::NoMatch });
                }
            }
        }
        assert!(forger.end().contains(&Law::BudgetHolds), "{budget:?}");
    }
}
