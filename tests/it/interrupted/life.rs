//! A long life, a command at a time.

use countersign::testing::SecurityKey;
use countersign::testing::from_base32;
use countersign::*;

use crate::door::is_in;
use crate::support::{Phone, START_S, World, name, operator};

/// What a client knows: the answers that it got.
#[derive(Clone, Default)]
pub(super) struct Client {
    phones: Vec<Phone>,
    attempt: Option<AttemptId>,
    asked: Option<KeyChallenge>,
    sms: Option<ChallengeId>,
    code: Option<Code>,
}

/// The commands, in the order of the life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Register(&'static str),
    Create(&'static str),
    Enable,
    Accept,
    Refuse,
    Resync,
    Begin(&'static str),
    TypeCode,
    BeginKey,
    FinishKey,
    OfferKey,
    Touch,
    BeginSms,
    FinishSms,
    SendCode,
    TypeSentCode,
    Rename,
    Rotate,
    Alias,
    Preset,
    Record,
    Deactivate,
    Delete,
    Remove,
    Forget,
}

use Step::{
    Accept, Alias, Begin, BeginKey, BeginSms, Create, Deactivate, Delete, Enable, FinishKey, FinishSms, Forget,
    OfferKey, Preset, Record, Refuse, Register, Remove, Rename, Resync, Rotate, SendCode, Touch, TypeCode,
    TypeSentCode,
};

pub(super) const LIFE: [Step; 30] = [
    Register("lee"),
    Create("phone"),
    Enable,
    Accept,
    Refuse,
    Resync,
    Begin("lee"),
    TypeCode,
    Register("kim"),
    BeginKey,
    FinishKey,
    Begin("kim"),
    OfferKey,
    Touch,
    Register("tom"),
    BeginSms,
    FinishSms,
    Begin("tom"),
    SendCode,
    TypeSentCode,
    Preset,
    Rename,
    Create("spare"),
    Rotate,
    Alias,
    Record,
    Deactivate,
    Delete,
    Remove,
    Forget,
];

/// When a step is taken, in seconds: each in its own three minutes.
pub(super) const fn at_step(number: usize) -> u64 {
    START_S + 180 * (number as u64 + 1)
}

/// Does one step.
pub(super) async fn take(world: &World, client: &mut Client, number: usize) -> Result<(), Error> {
    take_later(world, client, (number, 0)).await
}

/// Does one step so many seconds after its time.
pub(super) async fn take_later(world: &World, client: &mut Client, (number, later): (usize, u64)) -> Result<(), Error> {
    let now = at_step(number) + later;
    world.clock.set(UnixMillis::from_secs(now));
    let (engine, account) = (&world.engine, world.account);
    let by = |request: Request| request.with_command(CommandId::derive(&["life", &number.to_string()]));
    let console = |who: &PrincipalId| by(crate::door::at_console(who));
    let proven = |who: &PrincipalId| by(crate::door::proven(who));
    let (lee, kim, tom) = (world.principal("lee"), world.principal("kim"), world.principal("tom"));
    let key = SecurityKey::new(7);
    let phone = |at: usize| client.phones[at].clone();
    match LIFE[number] {
        Register(who) => {
            let id = UserId::new(format!("AIDA-{who}")).unwrap();
            engine.register_user(by(operator()), account, id, name(who), Path::root()).await?;
        }
        Create(device) => {
            let made = engine.create_virtual_device(by(operator()), account, Path::root(), name(device)).await?.value;
            client.phones.push(Phone { serial: made.serial.clone(), secret: from_base32(&made.base32()) });
        }
        Enable => {
            let (first, second) = phone(0).pair(now);
            assert!(engine.enable(by(operator()), &lee, &phone(0).serial, first, second).await?.value.is_accepted());
        }
        Accept => {
            let code = phone(0).at(now);
            let proof = engine.verify_code(by(operator()), &lee, &phone(0).serial, code, Purpose::SessionToken).await?;
            assert!(proof.value.is_accepted());
        }
        Refuse => {
            let code = phone(0).at(now - 3600);
            let proof = engine.verify_code(by(operator()), &lee, &phone(0).serial, code, Purpose::SessionToken).await?;
            assert!(!proof.value.is_accepted());
        }
        Resync => {
            let (first, second) = phone(0).pair(now);
            assert!(engine.resync(by(operator()), &lee, &phone(0).serial, first, second).await?.value.is_accepted());
        }
        Begin(who) => {
            let who = world.principal(who);
            match engine.begin_sign_in(console(&who), &who).await?.value {
                SignInStep::Wanted { attempt, .. } => client.attempt = Some(attempt),
                other => panic!("{other:?}"),
            }
        }
        TypeCode => {
            let (attempt, code) = (client.attempt.unwrap(), phone(0).at(now));
            let done = engine.sign_in_with_code(console(&lee), &lee, attempt, &phone(0).serial, code).await?;
            assert!(is_in(&done.value));
        }
        BeginKey => {
            let form = KeyForm::SecurityKey;
            let asked = engine.begin_key_registration(proven(&kim), &kim, name("blue"), form, None).await?;
            client.asked = Some(asked.value);
        }
        FinishKey => {
            let asked = client.asked.clone().unwrap();
            let answer = key.create(&asked.options);
            let done = engine.finish_key_registration(proven(&kim), &kim, asked.id, &answer).await?;
            assert!(matches!(done.value, KeyRegistration::Registered(_)));
        }
        OfferKey => {
            let offered = engine.offer_key(console(&kim), &kim, client.attempt.unwrap(), KeyForm::SecurityKey).await?;
            client.asked = Some(offered.value);
        }
        Touch => {
            let (attempt, asked) = (client.attempt.unwrap(), client.asked.clone().unwrap());
            let answer = key.get(&asked.options);
            let done = engine.sign_in_with_key(console(&kim), &kim, attempt, asked.id, &answer).await?;
            assert!(is_in(&done.value));
        }
        BeginSms => {
            let sent = engine.begin_sms_enrolment(proven(&tom), &tom, crate::door::number()).await?.value;
            client.sms = Some(sent.challenge);
            client.code = Some(world.last_code());
        }
        FinishSms => {
            let (challenge, code) = (client.sms.unwrap(), client.code.clone().unwrap());
            let done = engine.finish_sms_enrolment(proven(&tom), &tom, challenge, code).await?;
            assert!(done.value.is_accepted());
        }
        SendCode => {
            let serial = engine.devices(&tom)[0].serial.clone();
            engine.send_sign_in_code(console(&tom), &tom, client.attempt.unwrap(), &serial).await?;
            client.code = Some(world.last_code());
        }
        TypeSentCode => {
            let (attempt, serial) = (client.attempt.unwrap(), engine.devices(&tom)[0].serial.clone());
            let done =
                engine.sign_in_with_code(console(&tom), &tom, attempt, &serial, client.code.clone().unwrap()).await?;
            assert!(is_in(&done.value));
        }
        Rename => {
            engine.rename_user(by(operator()), &lee, name("leah"), Path::root()).await?;
        }
        Rotate => {
            let (first, second) = phone(1).pair(now);
            let (old, new) = (phone(0).serial, phone(1).serial);
            assert!(engine.rotate(by(operator()), &lee, &old, &new, first, second).await?.value.is_accepted());
        }
        Alias => {
            engine.set_alias(by(operator()), account, Some(AccountAlias::new("acme").unwrap())).await?;
        }
        Preset => {
            engine.choose_policy(by(operator()), account, Some(countersign::Preset::Modern)).await?;
        }
        Record => {
            engine.append_record(by(operator()), "directory", Some(0), 7, vec![1]).await?;
        }
        Deactivate => {
            let reason = DeactivateReason::Requested;
            engine.deactivate(by(operator()), &lee, &phone(1).serial, reason).await?;
        }
        Delete => {
            engine.delete_virtual_device(by(operator()), account, &phone(1).serial).await?;
        }
        Remove => {
            engine.remove_user(by(operator()), &tom, Removal::TakeDevices).await?;
        }
        Forget => {
            engine.forget(by(operator()), &tom, ForgetReason::Requested, &[]).await?;
        }
    }
    Ok(())
}
