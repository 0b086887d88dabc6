//! Every query, compared.

use countersign::domain::event::AlternativeFactor;
use countersign::*;

use super::cast::{self, ACCOUNTS, ALIASES, Device, NAMES, NUMBERS, PEOPLE, is_virtual};
use super::doors::Alternative;
use super::facts::Fact;
use super::hands::Names;
use super::perform::Model;
use super::rules::Rules;
use crate::support::block_on;

/// All queries of an engine beside what the model reads off its list.
pub fn compare(engine: &Countersign, model: &Model, names: &Names) {
    let opened = (0..ACCOUNTS.len()).filter(|account| model.history.opened_at(*account).is_some());
    assert_eq!(engine.accounts(), opened.map(cast::account).collect::<Vec<_>>());
    for person in 0..PEOPLE.len() {
        compare_person(engine, model, names, person);
    }
    for device in model.history.all_devices() {
        let serial = names.serial(device);
        let expected = model.history.exists_as(device).then(|| view(model, names, device));
        assert_eq!(engine.device(&serial), expected, "{serial}");
    }
    for number in 0..ACCOUNTS.len() {
        compare_account(engine, model, names, number);
        let rules = model.rules(number);
        let policy = engine.policy_of(cast::account(number));
        assert!(rules.describe(policy), "{rules:?} are not {policy:?}");
    }
    for (number, alias) in ALIASES.into_iter().enumerate() {
        let holder = (0..ACCOUNTS.len()).find(|account| model.history.alias(*account) == Some(number));
        assert_eq!(engine.account_of_alias(alias), holder.map(cast::account), "{alias}");
    }
    compare_recovery(engine, model, names);
    compare_messages(engine, model, names);
}

/// What became of every code that was sent: it was handed over once, and used or not.
fn compare_messages(engine: &Countersign, model: &Model, names: &Names) {
    let mut used = 0;
    for (person, challenge, _, _) in model.history.sent_codes() {
        let taken = |fact: &Fact| matches!(fact, Fact::CodeTaken { challenge: of, .. } if *of == challenge);
        let expected = (SmsState::Taken, 1, model.history.facts().any(taken));
        used += u64::from(expected.2);
        let Some(message) = engine.sms_message(names.challenge(challenge)) else {
            assert!(!model.history.exists(person), "#{challenge} was sent to somebody who is still there");
            continue;
        };
        assert_eq!((message.state, message.submits, message.used), expected, "#{challenge}");
        assert_eq!(message.principal, cast::principal(person), "#{challenge}");
    }
    let lines = engine.sms_report(None).lines;
    let sum = |of: fn(&SmsLine) -> u64| lines.iter().map(of).sum::<u64>();
    let sent = model.history.sent_codes().len() as u64;
    assert_eq!((sum(|line| line.taken), sum(|line| line.used)), (sent, used), "the report");
}

fn compare_person(engine: &Countersign, model: &Model, names: &Names, person: usize) {
    let id = cast::principal(person);
    assert_eq!(engine.principal(&id), user_view(model, person), "{id}");
    let views = |person: usize| -> Vec<DeviceView> {
        model.history.devices(person).into_iter().map(|device| view(model, names, device)).collect()
    };
    assert_eq!(engine.devices(&id), views(person), "the devices of {id}");
    assert_eq!(engine.sign_in_factors(&id, FactorOf::Own), views(person));
    let associates = model.associate(person).map(views).unwrap_or_default();
    let with_codes: Vec<DeviceView> = associates.into_iter().filter(|device| device.kind.is_totp()).collect();
    assert_eq!(engine.sign_in_factors(&id, FactorOf::Associate), with_codes);
    if model.history.exists(person) {
        assert_eq!(engine.sms_offered(&id), model.sms_offered(person), "SMS to {id}");
        assert_eq!(engine.recovery_allowed(&id), model.recovery_allowed(person), "recovery to {id}");
        let offered = KeyForm::ALL.iter().copied().filter(|form| model.rules_of(person).offers(*form));
        assert_eq!(engine.key_forms(&id), offered.collect::<Vec<_>>(), "keys of {id}");
    }
}

/// How far the newest recoveries are.
fn compare_recovery(engine: &Countersign, model: &Model, names: &Names) {
    for (attempt, person) in model.history.attempts().into_iter().take(2) {
        let open = model.history.sign_in(person, attempt, model.now);
        let proven = |factor| model.history.alternative(person, attempt, factor) == Alternative::Proven;
        let expected = open.map(|_| RecoveryProgress {
            mail: proven(AlternativeFactor::Mail),
            phone: proven(AlternativeFactor::Phone),
        });
        let progress = block_on(engine.recovery_progress(&cast::principal(person), names.attempt(attempt)));
        assert_eq!(progress, Ok(expected), "the recovery in sign-in {attempt}");
    }
}

fn compare_account(engine: &Countersign, model: &Model, names: &Names, number: usize) {
    let (account, history) = (cast::account(number), &model.history);
    let virtuals = history.virtual_devices(number).into_iter().map(|thing| view(model, names, Device::Thing(thing)));
    let virtuals: Vec<DeviceView> = virtuals.collect();
    for which in [Assignment::Any, Assignment::Assigned, Assignment::Unassigned] {
        let wanted = |view: &&DeviceView| match which {
            Assignment::Any => true,
            Assignment::Assigned => view.owner.is_some(),
            Assignment::Unassigned => view.owner.is_none(),
        };
        let expected: Vec<DeviceView> = virtuals.iter().filter(wanted).cloned().collect();
        let mut paged = Vec::new();
        while let [one] = &engine.virtual_devices(account, which, paged.last().map(|v: &DeviceView| &v.serial), 1)[..] {
            paged.push(one.clone());
        }
        assert_eq!(paged, expected, "{which:?} devices, page by page");
    }
    let mut users = history.users(number);
    users.sort_by_key(|person| history.profile(*person).unwrap().name.to_lowercase());
    let views: Vec<UserView> = users.iter().filter_map(|person| user_view(model, *person)).collect();
    assert_eq!(engine.users(account, None, 100), views);
    for name in NAMES {
        let named = views.iter().find(|view| view.name.as_str().eq_ignore_ascii_case(name));
        assert_eq!(engine.user_named(account, name).as_ref(), named, "{name}");
    }
    for kind in [DeviceKind::VirtualTotp, DeviceKind::HardwareTotp, DeviceKind::SecurityKey, DeviceKind::Sms] {
        let with = users.iter().filter(|person| history.has_kind(**person, kind));
        let expected: Vec<UserView> = with.filter_map(|person| user_view(model, *person)).collect();
        assert_eq!(engine.users_with(account, kind, None, 100), expected, "users with {kind:?}");
    }
    let in_use = (0..PEOPLE.len()).filter(|person| PEOPLE[*person].account == number);
    let expected = history.opened_at(number).map(|opened_at| AccountView {
        id: account,
        opened_at: UnixMillis(opened_at),
        users: users.len() as u32,
        virtual_devices: virtuals.len() as u32,
        devices_in_use: in_use.map(|person| history.devices(person).len() as u32).sum(),
        root_has_mfa: !history.devices(number).is_empty(),
        settings: Settings {
            alias: history.alias(number).map(cast::alias),
            sms: history.eligibility(number),
            alternative_factors: history.alternatives(number),
            preset: history.preset(number),
            associate: history.link(number).map(cast::account),
        },
    });
    assert_eq!(engine.account(account), expected);
}

fn user_view(model: &Model, person: usize) -> Option<UserView> {
    let profile = model.history.profile(person)?;
    let (name, path) = (cast::name(profile.name), cast::path(profile.path));
    Some(UserView { id: cast::principal(person), name, path, created_at: UnixMillis(profile.since) })
}

fn view(model: &Model, names: &Names, device: Device) -> DeviceView {
    let history = &model.history;
    let enabled = history.enabled(device);
    let (mut offset_steps, mut wants_resync, mut locked_until) = (0, false, None);
    if let (Some(thing), Some((owner, _))) = (device.thing(), enabled) {
        let Rules { window_s, .. } = model.rules_of(owner);
        offset_steps = history.offset(thing);
        wants_resync = history.wants_resync(thing);
        locked_until = history.locked_until(thing, model.now, window_s).map(UnixMillis);
    }
    let kind = match device {
        Device::Thing(thing) if is_virtual(thing) => DeviceKind::VirtualTotp,
        Device::Thing(_) => DeviceKind::HardwareTotp,
        Device::Key(_) => DeviceKind::SecurityKey,
        Device::Sms(..) => DeviceKind::Sms,
    };
    DeviceView {
        serial: names.serial(device),
        kind,
        created_at: UnixMillis(history.made_at(device).unwrap()),
        owner: enabled.map(|(person, _)| cast::principal(person)),
        enabled_at: enabled.map(|(_, place)| UnixMillis(history.0[place].0)),
        last_used_at: history.last_used_at(device).map(UnixMillis),
        offset_steps,
        wants_resync,
        locked_until,
        key: history.key(device).map(|(form, _)| KeyView { form, suspected_clone: history.is_suspected(device) }),
        phone: history.number(device).map(|number| NUMBERS[number].1.to_owned()),
    }
}
