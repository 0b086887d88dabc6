//! What `Debug` shows: nothing that opens a door, and nothing that says where a person sits (NT-33, A39).

use std::fmt::Debug;

use countersign_domain::caller::Caller;
use countersign_domain::client::Client;
use countersign_domain::decide::*;
use countersign_domain::device::{Device, PhoneNumber, Serial, seed_stream};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Ceremony, Errand, KeyChallenge, SentCode};
use countersign_domain::secret::{ChallengeSecret, Opaque, Seed};
use countersign_domain::sms::{Country, Destination, MessageId, Prefix};
use countersign_domain::wire::{self, Sealing, TYPES};

use crate::senders::route;
use crate::stage::{Stage, account, key, named, phone, root, sms, state, user};

const AGENT: &str = "Sentinelfox/99";
const ADDRESS: [u8; 4] = [198, 51, 100, 77];
const NUMBER: &str = "+4917698765432";
/// No other number in an event is made of these.
const SECRET: [u8; 32] = [0xb7; 32];

/// Every way in which a sentinel could be written out.
fn assert_hidden(what: &str, shown: &dyn Debug) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        let squeezed: String = text.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let sentinels = ["sentinelfox", "1985110077", "c633644d", "9876543", "1769876", "183183", "b7b7"];
        for sentinel in sentinels {
            assert!(!squeezed.contains(sentinel), "{what} shows {sentinel}: {text}");
        }
    }
}

fn client() -> Client {
    Client::new(Some(ADDRESS.into()), AGENT)
}

fn number() -> PhoneNumber {
    PhoneNumber::parse(NUMBER).unwrap()
}

/// Its digits but the last four, and a mark of it. The number shows the last four: together they would be all of it.
fn destination() -> Destination {
    Destination { number: [0xb7; 16], prefix: Prefix::of(&number()), country: Country::parse("DE").unwrap() }
}

fn opaque() -> Opaque {
    Opaque::new(SECRET.to_vec()).unwrap()
}

fn secret() -> ChallengeSecret {
    ChallengeSecret::new(SECRET)
}

/// An event of every type that may hold something of the kind.
fn telling() -> Vec<Event> {
    let (attempt, challenge) = (AttemptId::from_bytes([1; 16]), ChallengeId::from_bytes([2; 16]));
    let (until, window, lee) = (UnixMillis(3), 4, user("lee"));
    let (device, factor) = (phone("lee").stream(), AlternativeFactor::Mail);
    let by = Caller::operator().by();
    let seed_of = |serial: &Serial| seed_stream(serial.stream(), 1);
    let stored = SeedStored { device, seed: Seed::new(SECRET.to_vec()).unwrap() };
    let (path, account) = (countersign_domain::device::Path::root(), account());
    let token = Serial::new("GAHT12345678").unwrap();
    let created = SecurityKeyCreated {
        account,
        serial: key(&lee, "blue"),
        form: KeyForm::Passkey,
        credential_id: vec![5; 16],
        credential: opaque(),
        attestation: "none".to_owned(),
        model: None,
        backup_eligible: true,
        by,
    };
    let asked = KeyChallengeIssued {
        challenge,
        form: KeyForm::Passkey,
        attempt: Some(attempt),
        serial: None,
        replaces: None,
        until,
        window,
        state: opaque(),
        client: client(),
    };
    let (phone, route, decision) = (Some(number()), route(), Version(9));
    let destination = destination();
    vec![
        AliasChanged { alias: None, by }.into(),
        PasswordRefused { who: None, client: client() }.into(),
        PasswordsLocked { who: None, client: client() }.into(),
        VirtualDeviceCreated { account, serial: self::phone("lee"), seed: seed_of(&self::phone("lee")), by }.into(),
        stored.into(),
        HardwareTokenImported { seed: seed_of(&token), serial: token, manufacturer: "vendor".to_owned(), by }.into(),
        created.into(),
        SmsDeviceCreated { account, serial: sms("lee"), phone: number(), by }.into(),
        PrincipalRegistered { id: lee, name: named("lee"), path: path.clone() }.into(),
        PrincipalRenamed { name: named("lee"), path }.into(),
        SignInStarted { attempt, until, associate: None, client: client() }.into(),
        SignedIn { attempt, factor: SignInFactor::Nothing, device: None, client: client() }.into(),
        SignInRefused { attempt, device: None, fault: SignInFault::Wrong, client: client() }.into(),
        AssociateProven { attempt, device, until: UnixMillis(0), mark: [6; 16], client: client() }.into(),
        asked.into(),
        SmsCodeIssued { challenge, device, attempt: None, phone, window, until, secret: secret(), client: client() }
            .into(),
        SmsQueued { challenge, device, decision, route, destination, until }.into(),
        SmsSubmitted { challenge, submit: 1, message_id: MessageId::new(NUMBER) }.into(),
        AlternativeIssued { attempt, factor, challenge, until, window, secret: secret(), client: client() }.into(),
        AlternativeProven { attempt, factor, client: client() }.into(),
        AlternativeRefused { attempt, factor, client: client() }.into(),
    ]
}

#[test]
fn the_sentinels_would_be_found() {
    for leak in [format!("{:?}", SECRET), format!("{:x?}", SECRET), NUMBER.to_owned(), AGENT.to_owned()] {
        let shown = std::panic::catch_unwind(|| assert_hidden("a leak", &leak));
        assert!(shown.is_err(), "{leak}");
    }
}

#[test]
fn no_event_shows_what_it_seals() {
    let events = telling();
    let sealed = TYPES.iter().filter(|(_, _, _, sealing)| *sealing == Sealing::Sealed);
    for (_, _, name, _) in sealed {
        assert!(events.iter().any(|event| event.name() == *name), "{name} is not among those that are tried");
    }
    for event in &events {
        assert_hidden(event.name(), event);
        assert_hidden(event.name(), &wire::encode(event).unwrap());
    }
}

#[test]
fn no_question_or_answer_of_a_decision_shows_one() {
    assert_hidden("a question", &CodeQuestion { secret: secret() });
    assert_hidden("a question", &KeyQuestion { form: KeyForm::Passkey, state: opaque() });
    let key = NewKey {
        credential_id: vec![5; 16],
        credential: opaque(),
        counter: 0,
        attestation: "none".to_owned(),
        model: None,
        backup_eligible: false,
    };
    assert_hidden("a new key", &key);
    let (id, until, device) = (ChallengeId::from_bytes([2; 16]), UnixMillis(3), phone("lee").stream());
    let (form, ceremony) = (KeyForm::Passkey, Ceremony::SignIn(AttemptId::from_bytes([1; 16])));
    assert_hidden("a challenge", &KeyChallenge { id, form, ceremony, until, state: opaque() });
    let errand = Errand::Enrolment(number());
    assert_hidden("a sent code", &SentCode { id, device, errand, secret: secret(), until, tries: 0 });
}

#[test]
fn no_state_and_no_decision_shows_one() {
    let mut stage = Stage::new(Policy::modern());
    stage.client = client();
    stage.deployment.sms_enrolment = true;
    let lee = stage.user("lee");
    stage.phone(&root(), "root");
    let (serial, sent) = (sms("lee"), stage.ticket());
    let begun = stage.ask(&lee, |stage, context| {
        let enrolment = Enrolment {
            serial: &serial,
            device: None,
            eligibility: countersign_domain::settings::SmsEligibility::Open,
        };
        let sending = Sending { secret: secret(), destination: destination(), ..stage.sending(&lee, sent) };
        assert_hidden("a code to be sent", &sending);
        let decision = begin_sms_enrolment(stage.principal(&lee), enrolment, sending, number(), context);
        assert_hidden("a decision", &decision);
        decision
    });
    assert!(begun.is_ok());
    let attempt = stage.begin(&root());
    let mail = stage.ticket();
    let asked = stage.ask(&root(), |stage, context| {
        let sending = (mail, secret());
        ask_alternative(stage.principal(&root()), attempt, AlternativeFactor::Mail, sending, true, context)
    });
    assert!(asked.is_ok());
    assert_hidden("a principal", stage.principal(&lee).unwrap());
    assert_hidden("a principal", stage.principal(&root()).unwrap());
    for (_, event) in &stage.log {
        assert_hidden("the log", event);
    }
    for created in telling().into_iter().filter(Event::creates_device) {
        assert_hidden("a device", &Device::evolve(None, &created, UnixMillis(0)).unwrap());
    }
    assert_hidden("a state", &state(sent));
}
