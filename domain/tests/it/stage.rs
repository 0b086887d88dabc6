//! A small world on which the decisions are played: states, log and laws, and people with their devices.
//!
//! What is written is checked on the way. Every event comes back from its stored form, a retry of the command would
//! get the same answer, and no law of the book is broken, neither by an event nor at the end of a batch.

use std::collections::BTreeMap;

use countersign_domain::account::{Account, Claim};
use countersign_domain::caller::Caller;
use countersign_domain::client::Client;
use countersign_domain::decide::*;
use countersign_domain::device::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::laws::{Fact, LawBook};
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Enabled, Pending, Principal, Registered};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::{ChallengeSecret, Opaque};
use countersign_domain::settings::Preset;
use countersign_domain::wire;

/// What a command came to.
pub type Answer = Result<Verdict, Rejection>;

/// Ten seconds into a step of thirty, at no window's edge.
pub const START: UnixMillis = UnixMillis::from_secs(1_700_000_050);

pub struct Stage {
    pub now: UnixMillis,
    /// The deployment's rules.
    pub deployment: Policy,
    /// Who asks; where it is `None`, everybody for themselves, at the console, with a second factor proven.
    pub caller: Option<Caller>,
    pub client: Client,
    /// Whether the deployment sends codes to anybody's number now.
    pub admitted: Result<(), Rejection>,
    pub log: Vec<(StreamId, Event)>,
    principals: BTreeMap<StreamId, Principal>,
    devices: BTreeMap<StreamId, Device>,
    accounts: BTreeMap<StreamId, Account>,
    claims: BTreeMap<StreamId, Claim>,
    versions: BTreeMap<StreamId, u64>,
    laws: LawBook,
    tickets: u8,
}

pub fn account() -> AccountId {
    AccountId::from_number(123_456_789_012).unwrap()
}

pub fn root() -> PrincipalId {
    PrincipalId::Root(account())
}

pub fn user(name: &str) -> PrincipalId {
    PrincipalId::User(account(), UserId::new(format!("AIDA-{name}")).unwrap())
}

pub fn named(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

/// The ARN of the virtual device of a name.
pub fn phone(name: &str) -> Serial {
    Serial::of_virtual(account(), &Path::root(), &named(name)).unwrap()
}

/// The ARN of the security key of a name.
pub fn key(owner: &PrincipalId, name: &str) -> Serial {
    Serial::of_key(owner, &named("someone"), &named(name), 7).unwrap()
}

/// The ARN of the SMS device of a user.
pub fn sms(name: &str) -> Serial {
    Serial::of_sms(account(), &named(name)).unwrap()
}

/// What is stored of a challenge; whoever answers another one is found out by it.
pub fn state(challenge: ChallengeId) -> Opaque {
    Opaque::new(challenge.as_bytes().to_vec()).unwrap()
}

/// The code that is sent under a challenge follows from this.
pub fn secret(challenge: ChallengeId) -> ChallengeSecret {
    let [first, ..] = *challenge.as_bytes();
    ChallengeSecret::new([first; 32])
}

pub fn denied<E>(denial: Denial) -> Result<Verdict, E> {
    Ok(Verdict::Denied(denial))
}

pub fn in_by(attempt: AttemptId, device: &Serial) -> Answer {
    Ok(Verdict::SignedIn { attempt, factor: SignInFactor::Device, device: Some(device.stream()) })
}

/// The only challenge that an answer is about.
pub fn challenge(answer: Answer) -> ChallengeId {
    match answer {
        Ok(Verdict::Challenged { challenge, .. }) => challenge,
        other => panic!("no challenge: {other:?}"),
    }
}

impl Stage {
    /// An account with its root user.
    pub fn new(deployment: Policy) -> Self {
        let mut stage = Self {
            now: START,
            laws: LawBook::new(deployment.clone()),
            deployment,
            caller: None,
            client: Client::new(Some([203, 0, 113, 7].into()), "Firefox/130"),
            admitted: Ok(()),
            log: Vec::new(),
            principals: BTreeMap::new(),
            devices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            claims: BTreeMap::new(),
            versions: BTreeMap::new(),
            tickets: 0,
        };
        stage.open(account());
        stage
    }

    /// Opens an account.
    pub fn open(&mut self, account: AccountId) {
        let opened = self.ask(&PrincipalId::Root(account), |stage, context| {
            open_account(stage.account_of(account), account, named("root"), context)
        });
        assert_eq!(opened, Ok(Verdict::Done));
    }

    /// A user of this name.
    pub fn user(&mut self, name: &str) -> PrincipalId {
        let id = user(name);
        let registered = self.ask(&root(), |stage, context| {
            let claim = stage.claim(Claim::stream(account(), &named(name)));
            register_user(stage.account(), None, claim, (user(name), named(name), Path::root()), context)
        });
        assert_eq!(registered, Ok(Verdict::Done));
        id
    }

    pub fn policy(&self) -> Policy {
        let chosen = self.account().and_then(|account| account.settings.preset);
        chosen.map_or_else(|| self.deployment.clone(), |preset| preset.policy(&self.deployment))
    }

    pub fn choose(&mut self, preset: Option<Preset>) {
        assert_eq!(self.set(&Setting::Policy(preset)), Ok(Verdict::Done));
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
    }

    pub fn account(&self) -> Option<&Account> {
        self.account_of(account())
    }

    pub fn account_of(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(&Account::stream(account))
    }

    pub fn claim(&self, stream: StreamId) -> Option<Claim> {
        self.claims.get(&stream).copied()
    }

    pub fn principal(&self, who: &PrincipalId) -> Option<&Principal> {
        self.principals.get(&who.stream())
    }

    pub fn registered(&self, who: &PrincipalId) -> &Registered {
        self.principal(who).and_then(Principal::registered).unwrap()
    }

    pub fn pending(&self, who: &PrincipalId) -> &Pending {
        &self.registered(who).pending
    }

    pub fn enabled(&self, who: &PrincipalId, serial: &Serial) -> &Enabled {
        self.registered(who).device(serial.stream()).unwrap()
    }

    pub fn device(&self, serial: &Serial) -> Option<&Device> {
        self.devices.get(&serial.stream())
    }

    pub fn candidate<'a>(&'a self, serial: &'a Serial) -> Candidate<'a> {
        Candidate { serial, device: self.device(serial) }
    }

    pub fn attempt(&mut self) -> AttemptId {
        self.tickets += 1;
        AttemptId::from_bytes([self.tickets; 16])
    }

    pub fn ticket(&mut self) -> ChallengeId {
        self.tickets += 1;
        ChallengeId::from_bytes([self.tickets; 16])
    }

    /// How many events a principal's stream has.
    pub fn version(&self, who: &PrincipalId) -> Version {
        Version(self.versions.get(&who.stream()).copied().unwrap_or_default())
    }

    /// The names of the last events, oldest first.
    pub fn last(&self, count: usize) -> Vec<&'static str> {
        self.log[self.log.len() - count..].iter().map(|(_, event)| event.name()).collect()
    }

    /// Decides a command and, if it is one to be written, writes it.
    pub fn ask(&mut self, who: &PrincipalId, decide: impl Fn(&Self, &Context<'_>) -> Decision) -> Answer {
        self.step(who, |stage, _: Option<&()>, context| Step::Decided(decide(stage, context)), |()| ())
    }

    /// As [`Self::ask`], for a command that asks for evidence.
    pub fn step<Question, Evidence>(
        &mut self,
        who: &PrincipalId,
        decide: impl Fn(&Self, Option<&Evidence>, &Context<'_>) -> Step<Question>,
        find: impl FnOnce(Question) -> Evidence,
    ) -> Answer {
        let policy = self.policy();
        let caller = self.caller.clone().unwrap_or_else(|| Caller::at_console(who.clone(), Some(self.now)));
        let context = Context { now: self.now, policy: &policy, caller: &caller, client: Some(&self.client) };
        let decision = match decide(self, None, &context) {
            Step::Decided(decision) => decision,
            Step::Ask(question) => match decide(self, Some(&find(question)), &context) {
                Step::Decided(decision) => decision,
                Step::Ask(_) => panic!("asked twice"),
            },
        };
        match decision? {
            Outcome::AlreadySo(verdict) => Ok(verdict),
            Outcome::Record(record) => Ok(self.commit(record)),
        }
    }

    /// Writes what was decided, stream by stream as an append does.
    fn commit(&mut self, record: Record) -> Verdict {
        let Record { writes, verdict } = record;
        self.retry(&writes, verdict);
        let mut order: Vec<StreamId> = Vec::new();
        for (stream, _) in &writes {
            if !order.contains(stream) {
                order.push(*stream);
            }
        }
        for stream in order {
            writes.iter().filter(|(of, _)| *of == stream).for_each(|(_, event)| self.write(stream, event));
        }
        assert_eq!(self.laws.finish(), [], "{writes:?}");
        verdict
    }

    /// A retry of the command gets the same answer.
    fn retry(&self, writes: &[(StreamId, Event)], verdict: Verdict) {
        let again = Verdict::recorded(writes.iter().map(|(_, event)| event), &self.policy());
        match writes {
            // Why the linked device was refused is recorded with the linked principal.
            [(_, Event::SignInRefused(_))] => assert!(matches!(again, Verdict::Denied(_)), "{again:?}"),
            _ => assert_eq!(again, verdict),
        }
    }

    fn write(&mut self, stream: StreamId, event: &Event) {
        let encoded = wire::encode(event).unwrap();
        let read = wire::decode(encoded.event_type, encoded.type_version, &encoded.body);
        assert_eq!(read.as_ref(), Ok(event), "it comes back from its stored form");
        let version = self.versions.entry(stream).or_default();
        *version += 1;
        let (position, version) = (Position(self.log.len() as u64), Version(*version));
        let broken = self.laws.observe(&Fact { position, stream, version, at: self.now, event });
        assert_eq!(broken, [], "{event:?}");
        self.log.push((stream, event.clone()));
        self.evolve(stream, event);
    }

    fn evolve(&mut self, stream: StreamId, event: &Event) {
        let at = self.now;
        if let Some(before) = self.principals.remove(&stream) {
            self.principals.insert(stream, Principal::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.accounts.remove(&stream) {
            self.accounts.insert(stream, Account::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.claims.remove(&stream) {
            self.claims.insert(stream, Claim::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.devices.remove(&stream) {
            self.devices.insert(stream, Device::evolve(Some(before), event, at).unwrap());
        } else {
            match event {
                Event::PrincipalRegistered(_) => {
                    self.principals.insert(stream, Principal::evolve(None, event, at).unwrap());
                }
                Event::AccountOpened(_) => {
                    self.accounts.insert(stream, Account::evolve(None, event, at).unwrap());
                }
                // Nothing follows from it but codes, and no decision looks at it.
                Event::SeedStored(_) => {}
                Event::NameClaimed(_) | Event::CredentialClaimed(_) => {
                    self.claims.insert(stream, Claim::evolve(None, event, at).unwrap());
                }
                _ => {
                    self.devices.insert(stream, Device::evolve(None, event, at).unwrap());
                }
            }
        }
    }
}
