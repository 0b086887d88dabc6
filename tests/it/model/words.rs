//! What happened, in words that the model's list and the engine's log have in common.

use countersign::domain::account::Account;
use countersign::domain::event::{CodeFault, Event, PairFault};
use countersign::domain::ids::StreamId;
use countersign::domain::totp::Budget;
use countersign::{Client, DeviceKind, Prefix};

use super::ask::{ADDRESSES, client};
use super::cast::{self, Device};
use super::facts::{Errand, Fact, Fault, Task};
use super::hands::{Names, hex};

/// A fact of the model: one line for each event that it stands for.
pub fn tell_fact(at: u64, fact: &Fact, names: &Names) -> Vec<String> {
    let who = |person: &usize| cast::principal(*person).stream();
    let thing = |thing: &usize| cast::serial(*thing).stream();
    let what = |device: &Device| names.serial(*device).stream();
    let whose = |device: &Option<Device>| device.as_ref().map(what);
    let account = |account: &usize| Account::stream(cast::account(*account));
    let lines = match fact {
        Fact::Opened { account } => vec![format!("opened {}", cast::account(*account))],
        Fact::Registered { person, name, path } => vec![format!("registered {} as {path}{name}", who(person))],
        Fact::Renamed { person, name, path } => vec![format!("renamed {} to {path}{name}", who(person))],
        Fact::Removed { person } => vec![format!("removed {}", who(person))],
        Fact::Made { thing: made, secret } => {
            vec![format!("made {}", thing(made)), format!("seed {} {secret:?}", thing(made))]
        }
        Fact::Deleted { device } => vec![format!("deleted {}", what(device))],
        Fact::Enabled { person, thing: of, window, counter, offset } => {
            vec![format!("enabled {} {} w{window} c{counter} {offset:+}", who(person), thing(of))]
        }
        Fact::EnableRefused { person, thing: of, window, fault } => {
            vec![format!("not enabled {} {} w{window} {fault:?}", who(person), thing(of))]
        }
        Fact::Resynced { person, thing: of, window, counter, offset } => {
            vec![format!("resynced {} {} w{window} c{counter} {offset:+}", who(person), thing(of))]
        }
        Fact::ResyncRefused { person, thing: of, window, fault } => {
            vec![format!("not resynced {} {} w{window} {fault:?}", who(person), thing(of))]
        }
        Fact::Accepted { person, thing: of, window, counter, purpose } => {
            vec![format!("accepted {} {} w{window} c{counter} {purpose:?}", who(person), thing(of))]
        }
        Fact::Refused { person, thing: of, window, fault, purpose } => {
            vec![format!("refused {} {} w{window} {fault:?} {purpose:?}", who(person), thing(of))]
        }
        Fact::OutOfBudget { holder, thing: of, pairs, window } => {
            let holder = holder.as_ref().map_or_else(|| thing(of), who);
            vec![format!("spent {holder} {} pairs:{pairs} w{window}", thing(of))]
        }
        Fact::Deactivated { person, device } => vec![format!("deactivated {} {}", who(person), what(device))],
        Fact::PasswordRefused { account, who: whose, locked } => {
            let whose = whose.as_ref().map(who);
            let door = whose.map_or_else(|| Account::door(account.map(cast::account)), Account::door_of);
            vec![format!("password {door} {whose:?} locked:{locked}")]
        }
        Fact::Started { person, attempt, until, associate, from } => {
            let associate = associate.as_ref().map(who);
            vec![format!("sign-in {} a{attempt} until {until} {associate:?} from {from}", who(person))]
        }
        Fact::SignInsEnded { person } => vec![format!("sign-ins ended {}", who(person))],
        Fact::SignedIn { person, attempt, factor, device, from } => {
            vec![format!("in {} a{attempt} {factor:?} {:?} from {from}", who(person), whose(device))]
        }
        Fact::SignInRefused { person, attempt, device, fault } => {
            vec![format!("not in {} a{attempt} {:?} {fault:?}", who(person), whose(device))]
        }
        Fact::AssociateProven { person, attempt, thing: of, until, .. } => {
            vec![format!("associate {} a{attempt} {} until {until}", who(person), thing(of))]
        }
        Fact::KeyAsked { person, challenge, form, task, until, window } => {
            let task = match task {
                Task::Prove { attempt, .. } => format!("in a{attempt}"),
                Task::Register { serial, replaces, .. } => format!("as {serial} for {:?}", whose(replaces)),
            };
            vec![format!("key asked {} #{challenge} {form:?} {task} until {until} w{window}", who(person))]
        }
        Fact::KeyEnabled { person, challenge, form, credential, counter } => {
            let device = what(&Device::Key(*challenge));
            let credential = names.credential(*credential);
            vec![
                format!("key made {device} {form:?} {credential}"),
                format!("enabled {} {device} {:?}", who(person), DeviceKind::SecurityKey),
                format!("key known {} {device} #{challenge} {form:?} c{counter}", who(person)),
            ]
        }
        Fact::KeyAccepted { person, challenge, device, counter, verified } => {
            vec![format!("key taken {} #{challenge} {} c{counter} uv:{verified}", who(person), what(device))]
        }
        Fact::KeyRefused { person, challenge, device, fault, counter } => {
            vec![format!("key refused {} #{challenge} {:?} {fault:?} {counter:?}", who(person), whose(device))]
        }
        Fact::CodeSent { person, challenge, device, number, errand, until, window } => {
            let errand = match errand {
                Errand::SignIn(attempt) => format!("in a{attempt}"),
                Errand::Enrolment(number) => format!("to {}", cast::NUMBERS[*number].0),
            };
            let (whose, prefix) = (who(person), Prefix::of(&cast::number(*number)));
            vec![
                format!("sent {whose} #{challenge} {} {errand} until {until} w{window}", what(device)),
                format!("queued {whose} #{challenge} {} {prefix} until {until}", what(device)),
                format!("handing over {whose} #{challenge} for the 1. time"),
                format!("handed over {whose} #{challenge}"),
            ]
        }
        Fact::CodeTaken { person, challenge, device } => {
            vec![format!("sent code taken {} #{challenge} {}", who(person), what(device))]
        }
        Fact::CodeMissed { person, challenge, device, fault } => {
            vec![format!("sent code refused {} #{challenge} {} {fault:?}", who(person), what(device))]
        }
        Fact::SmsEnabled { person, device, number } => {
            let serial = names.serial(*device);
            vec![
                format!("phone made {} {serial} {}", what(device), cast::NUMBERS[*number].0),
                format!("enabled {} {} {:?}", who(person), what(device), DeviceKind::Sms),
            ]
        }
        Fact::FactorAsked { person, attempt, factor, challenge, until, window } => {
            vec![format!("factor asked {} a{attempt} {factor:?} #{challenge} until {until} w{window}", who(person))]
        }
        Fact::FactorProven { person, attempt, factor } => {
            vec![format!("factor proven {} a{attempt} {factor:?}", who(person))]
        }
        Fact::FactorMissed { person, attempt, factor } => {
            vec![format!("factor missed {} a{attempt} {factor:?}", who(person))]
        }
        Fact::AliasChosen { account: of, alias } => {
            vec![format!("alias {} {:?}", account(of), alias.map(|alias| cast::ALIASES[alias]))]
        }
        Fact::EligibilityChosen { account: of, sms } => vec![format!("eligibility {} {sms:?}", account(of))],
        Fact::AlternativesSwitched { account: of, allowed } => vec![format!("alternatives {} {allowed}", account(of))],
        Fact::RulesChosen { account: of, preset } => vec![format!("rules {} {preset:?}", account(of))],
        Fact::Linked { account: of, other } => {
            vec![format!("linked {} {:?}", account(of), other.map(cast::account))]
        }
    };
    lines.into_iter().map(|line| format!("{at} {line}")).collect()
}

/// An event of the log; nothing for what follows from another one of the same command.
pub fn tell_event(stream: StreamId, at: u64, event: &Event, names: &mut Names) -> Option<String> {
    let pair = |fault: PairFault| match fault {
        PairFault::NoMatch => Fault::NoMatch,
        PairFault::NotNewer => Fault::NotNewer,
    };
    let words = match event {
        Event::AccountOpened(e) => format!("opened {}", e.account),
        Event::PrincipalRegistered(e) => format!("registered {stream} as {}{}", e.path, e.name),
        Event::PrincipalRenamed(e) => format!("renamed {stream} to {}{}", e.path, e.name),
        Event::PrincipalRemoved(_) => format!("removed {stream}"),
        Event::VirtualDeviceCreated(_) | Event::HardwareTokenImported(_) => format!("made {stream}"),
        Event::SeedStored(e) => format!("seed {} {:?}", e.device, e.seed.expose()),
        Event::DeviceDeleted(_) => format!("deleted {stream}"),
        Event::DeviceEnabled(e) if !e.kind.is_totp() => format!("enabled {stream} {} {:?}", e.device, e.kind),
        Event::DeviceEnabled(e) => {
            let (window, last, offset) = (e.learned.pairs.window, e.learned.last_pair().unwrap(), e.learned.offset);
            format!("enabled {stream} {} w{window} c{last} {offset:+}", e.device)
        }
        Event::PairRefused(e) => format!("not enabled {} {stream} w{} {:?}", e.owner, e.window, pair(e.fault)),
        Event::DeviceResynced(e) => {
            format!("resynced {stream} {} w{} c{} {:+}", e.device, e.window, e.counter, e.offset)
        }
        Event::ResyncRefused(e) => format!("not resynced {stream} {} w{} {:?}", e.device, e.window, pair(e.fault)),
        Event::CodeAccepted(e) => {
            format!("accepted {stream} {} w{} c{} {:?}", e.device, e.window, e.counter, e.purpose)
        }
        Event::CodeRefused(e) => {
            let fault = match e.fault {
                CodeFault::Wrong => Fault::Wrong,
                CodeFault::Used => Fault::Used,
                CodeFault::Outside => Fault::Outside(e.steps),
                CodeFault::NotPropagated => Fault::NotYet,
            };
            format!("refused {stream} {} w{} {fault:?} {:?}", e.device, e.window, e.purpose)
        }
        Event::BudgetSpent(e) => {
            format!("spent {stream} {} pairs:{} w{}", e.device, e.budget == Budget::Pairs, e.window)
        }
        Event::DeviceDeactivated(e) => format!("deactivated {stream} {}", e.device),
        event => return tell_door_event(stream, event, names).map(|words| format!("{at} {words}")),
    };
    Some(format!("{at} {words}"))
}

fn tell_door_event(stream: StreamId, event: &Event, names: &mut Names) -> Option<String> {
    Some(match event {
        Event::PasswordRefused(e) => format!("password {stream} {:?} locked:false{}", e.who, from(&e.client)),
        Event::PasswordsLocked(e) => format!("password {stream} {:?} locked:true{}", e.who, from(&e.client)),
        Event::SignInStarted(e) => {
            let attempt = names.attempt_number(e.attempt);
            let (until, associate, from) = (e.until.0, e.associate, address(&e.client));
            format!("sign-in {stream} a{attempt} until {until} {associate:?} from {from}")
        }
        Event::SignedIn(e) => {
            let attempt = names.attempt_number(e.attempt);
            format!("in {stream} a{attempt} {:?} {:?} from {}", e.factor, e.device, address(&e.client))
        }
        Event::SignInsEnded(_) => format!("sign-ins ended {stream}"),
        Event::SignInRefused(e) => {
            let attempt = names.attempt_number(e.attempt);
            format!("not in {stream} a{attempt} {:?} {:?}{}", e.device, e.fault, from(&e.client))
        }
        Event::AssociateProven(e) => {
            let (attempt, until, from) = (names.attempt_number(e.attempt), e.until.0, from(&e.client));
            format!("associate {stream} a{attempt} {} until {until}{from}", e.device)
        }
        Event::KeyChallengeIssued(e) => {
            let challenge = names.challenge_number(e.challenge);
            let task = match (e.attempt, &e.serial) {
                (Some(attempt), None) => format!("in a{}", names.attempt_number(attempt)),
                (None, Some(serial)) => {
                    let (name, letters) = serial.as_str().split_at(serial.as_str().len() - 26);
                    assert!(letters.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{serial}");
                    names.keep_serial(challenge, serial.clone());
                    format!("as {name} for {:?}", e.replaces)
                }
                task => format!("{task:?}"),
            };
            let (form, until, window, from) = (e.form, e.until.0, e.window, from(&e.client));
            format!("key asked {stream} #{challenge} {form:?} {task} until {until} w{window}{from}")
        }
        Event::SecurityKeyCreated(e) => {
            assert_eq!(e.serial.stream(), stream);
            format!("key made {stream} {:?} {}", e.form, hex(&e.credential_id))
        }
        Event::KeyRegistered(e) => {
            let challenge = names.challenge_number(e.challenge);
            format!("key known {stream} {} #{challenge} {:?} c{}", e.device, e.form, e.counter)
        }
        Event::KeyAccepted(e) => {
            let challenge = names.challenge_number(e.challenge);
            format!("key taken {stream} #{challenge} {} c{} uv:{}", e.device, e.counter, e.user_verified)
        }
        Event::KeyRefused(e) => {
            let challenge = names.challenge_number(e.challenge);
            format!("key refused {stream} #{challenge} {:?} {:?} {:?}", e.device, e.fault, e.counter)
        }
        Event::SmsDeviceCreated(e) => format!("phone made {stream} {} {}", e.serial, e.phone.e164()),
        Event::SmsCodeIssued(e) => {
            let challenge = names.challenge_number(e.challenge);
            let errand = match (e.attempt, &e.phone) {
                (Some(attempt), None) => format!("in a{}", names.attempt_number(attempt)),
                (None, Some(phone)) => format!("to {}", phone.e164()),
                errand => format!("{errand:?}"),
            };
            let (device, until, window, from) = (e.device, e.until.0, e.window, from(&e.client));
            format!("sent {stream} #{challenge} {device} {errand} until {until} w{window}{from}")
        }
        Event::SmsQueued(e) => {
            let (challenge, device, prefix) = (names.challenge_number(e.challenge), e.device, &e.destination.prefix);
            format!("queued {stream} #{challenge} {device} {prefix} until {}", e.until.0)
        }
        Event::SmsSubmitting(e) => {
            format!("handing over {stream} #{} for the {}. time", names.challenge_number(e.challenge), e.submit)
        }
        Event::SmsSubmitted(e) => format!("handed over {stream} #{}", names.challenge_number(e.challenge)),
        Event::SmsSubmitFailed(_)
        | Event::SmsDropped(_)
        | Event::SmsRedriven(_)
        | Event::SmsReported(_)
        | Event::SmsPrefixBlocked(_)
        | Event::SmsPrefixCleared(_) => panic!("nothing of the model does this: {event:?}"),
        Event::SmsCodeAccepted(e) => {
            format!("sent code taken {stream} #{} {}", names.challenge_number(e.challenge), e.device)
        }
        Event::SmsCodeRefused(e) => {
            let challenge = names.challenge_number(e.challenge);
            format!("sent code refused {stream} #{challenge} {} {:?}", e.device, e.fault)
        }
        Event::AlternativeIssued(e) => {
            let (attempt, challenge) = (names.attempt_number(e.attempt), names.challenge_number(e.challenge));
            let (factor, until, window) = (e.factor, e.until.0, e.window);
            let from = from(&e.client);
            format!("factor asked {stream} a{attempt} {factor:?} #{challenge} until {until} w{window}{from}")
        }
        Event::AlternativeProven(e) => {
            let (attempt, from) = (names.attempt_number(e.attempt), from(&e.client));
            format!("factor proven {stream} a{attempt} {:?}{from}", e.factor)
        }
        Event::AlternativeRefused(e) => {
            let (attempt, from) = (names.attempt_number(e.attempt), from(&e.client));
            format!("factor missed {stream} a{attempt} {:?}{from}", e.factor)
        }
        Event::AliasChanged(e) => format!("alias {stream} {:?}", e.alias.as_ref().map(|alias| alias.as_str())),
        Event::SmsEligibilityChanged(e) => format!("eligibility {stream} {:?}", e.eligibility),
        Event::AlternativeFactorsSwitched(e) => format!("alternatives {stream} {}", e.allowed),
        Event::PolicyChosen(e) => format!("rules {stream} {:?}", e.preset),
        Event::RootLinked(e) => format!("linked {stream} {:?}", e.associate),
        _ => return None,
    })
}

/// Nothing, where it is what most requests say.
fn from(told: &Client) -> &'static str {
    if *told == client(0) { "" } else { " from elsewhere" }
}

/// The number of the address that a sign-in was begun from.
fn address(told: &Client) -> usize {
    (0..ADDRESSES).find(|number| client(*number) == *told).expect("one of the addresses")
}
