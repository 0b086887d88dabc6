//! A state of one device and of the principal who has or wants it.

use alloc::string::{String, ToString};
use alloc::vec;

use crate::Corrupt;
use crate::account::{Account, Claim};
use crate::caller::{By, Channel};
use crate::decide::{Candidate, Context, Decision, Outcome, Step, Verdict, enable};
use crate::device::{Device, DeviceName, Path, Serial, credential_stream, seed_stream};
use crate::event::{Event, HardwareTokenImported, PrincipalRegistered, VirtualDeviceCreated};
use crate::ids::{AccountId, PrincipalId, StreamId, UnixMillis, UserId};
use crate::principal::Principal;
use crate::secret::Seed;
use crate::settings::Settings;
use crate::totp::PairSearch;

pub(super) const NOW: UnixMillis = UnixMillis::from_secs(1_700_000_010);

/// The credential of the key that is registered.
pub(super) const CREDENTIAL: &[u8] = b"key";

#[derive(Clone)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) now: UnixMillis,
    pub(super) serial: Serial,
    pub(super) device: Option<Device>,
    /// Who holds the credential of the key.
    pub(super) claim: Option<Claim>,
    pub(super) principal: Option<Principal>,
    pub(super) account: Option<Account>,
}

impl Scene {
    /// A device that does not exist, and who may want it.
    pub(super) fn absent(name: &'static str, serial: &Serial, principal: Principal) -> Result<Self, &'static str> {
        let account = Account {
            id: account_id()?,
            opened_at: UnixMillis(0),
            users: 1,
            virtual_devices: 1,
            settings: Settings::default(),
        };
        let (serial, principal) = (serial.clone(), Some(principal));
        Ok(Self { name, now: NOW, serial, device: None, claim: None, principal, account: Some(account) })
    }

    pub(super) fn with(self, device: Device) -> Self {
        Self { device: Some(device), ..self }
    }

    pub(super) fn later(self, name: &'static str, seconds: u64) -> Self {
        Self { name, now: self.now.plus_ms(seconds * 1000), ..self }
    }

    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate { serial: &self.serial, device: self.device.as_ref() }
    }

    pub(super) fn enable(&self, good: bool, context: &Context<'_>) -> Decision {
        let asked = enable(self.principal.as_ref(), self.candidate(), None, context);
        answer_pair(asked, good, |matches| enable(self.principal.as_ref(), self.candidate(), Some(matches), context))
    }

    pub(super) fn take(&mut self, stream: StreamId, event: &Event) -> Result<(), &'static str> {
        let (now, corrupt) = (self.now, |_: Corrupt| "an event that does not fit");
        let owner = self.principal.as_ref().and_then(Principal::registered).map(|owner| owner.stream);
        if matches!(event, Event::SeedStored(_)) {
            // A stream of its own, that no decision looks at.
        } else if stream == self.serial.stream() {
            self.device = Some(Device::evolve(self.device.take(), event, now).map_err(corrupt)?);
        } else if stream == credential_stream(CREDENTIAL) {
            self.claim = Some(Claim::evolve(self.claim.take(), event, now).map_err(corrupt)?);
        } else if owner == Some(stream) {
            self.principal = Some(Principal::evolve(self.principal.take(), event, now).map_err(corrupt)?);
        } else {
            self.account = Some(Account::evolve(self.account.take(), event, now).map_err(corrupt)?);
        }
        Ok(())
    }
}

pub(super) fn answer_pair(asked: Step<PairSearch>, good: bool, again: impl Fn(&[u64]) -> Step<PairSearch>) -> Decision {
    match asked {
        Step::Decided(decision) => decision,
        Step::Ask(search) if good => settled(again(&[search.centre + 4])),
        Step::Ask(_) => settled(again(&[])),
    }
}

/// A decision that has its evidence asks for nothing more.
pub(super) fn settled<Question>(step: Step<Question>) -> Decision {
    match step {
        Step::Decided(decision) => decision,
        Step::Ask(_) => Ok(Outcome::AlreadySo(Verdict::Done)),
    }
}

// ---- people and things ----

pub(super) fn account_id() -> Result<AccountId, &'static str> {
    "123456789012".parse().map_err(|_| "account")
}

pub(super) fn seed() -> Result<Seed, &'static str> {
    Seed::new(vec![0; 20]).map_err(|_| "seed")
}

pub(super) fn name(text: &str) -> Result<DeviceName, &'static str> {
    DeviceName::new(text.to_string()).map_err(|_| "name")
}

pub(super) fn virtual_serial(text: &str) -> Result<Serial, &'static str> {
    Serial::of_virtual(account_id()?, &Path::root(), &name(text)?).map_err(|_| "serial")
}

fn registered(id: PrincipalId, called: &str) -> Result<Principal, &'static str> {
    let event = Event::from(PrincipalRegistered { id, name: name(called)?, path: Path::root() });
    Principal::evolve(None, &event, UnixMillis(0)).map_err(|_| "principal")
}

pub(super) fn person(id: &str, called: &str) -> Result<Principal, &'static str> {
    let id = PrincipalId::User(account_id()?, UserId::new(id).map_err(|_| "id")?);
    registered(id, called)
}

pub(super) fn lee() -> Result<Principal, &'static str> {
    person("AIDALEE", "lee")
}

pub(super) fn root() -> Result<Principal, &'static str> {
    registered(PrincipalId::Root(account_id()?), "root")
}

/// Where the seed of a device's first life is.
fn seed_of(serial: &Serial) -> StreamId {
    seed_stream(serial.stream(), 1)
}

fn operator() -> By {
    By { who: None, channel: Channel::Operator, mfa: false }
}

pub(super) fn created(serial: &Serial) -> Result<Device, &'static str> {
    let event =
        VirtualDeviceCreated { account: account_id()?, serial: serial.clone(), seed: seed_of(serial), by: operator() };
    Device::evolve(None, &event.into(), UnixMillis(0)).map_err(|_| "device")
}

pub(super) fn imported(serial: &Serial) -> Result<Device, &'static str> {
    let manufacturer = String::from("vendor");
    let event = HardwareTokenImported { serial: serial.clone(), seed: seed_of(serial), manufacturer, by: operator() };
    Device::evolve(None, &event.into(), UnixMillis(0)).map_err(|_| "device")
}
