//! Where one thing ends and another goes on: challenges beside each other, last instants, serials that are nearly the same.

use countersign_domain::client::Client;
use countersign_domain::decide::*;
use countersign_domain::device::Serial;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{CHALLENGES_OPEN_MAX, Principal};
use countersign_domain::rejection::Rejection;

use crate::people::Touch;
use crate::senders::waiting;
use crate::stage::*;

/// Somebody with a security key.
fn equipped() -> (Stage, PrincipalId) {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    stage.key(&lee, "blue", KeyForm::SecurityKey, b"blue", 7);
    (stage, lee)
}

fn offered(stage: &mut Stage, who: &PrincipalId, attempt: AttemptId) -> ChallengeId {
    challenge(stage.offer(who, attempt, KeyForm::SecurityKey))
}

fn begun(stage: &mut Stage, who: &PrincipalId) -> ChallengeId {
    challenge(stage.begin_key(who, &key(who, "green"), KeyForm::SecurityKey, None))
}

/// The challenges that are open, oldest first.
fn open(stage: &Stage, who: &PrincipalId) -> Vec<ChallengeId> {
    stage.pending(who).keys.iter().map(|open| open.id).collect()
}

#[test]
fn an_answer_takes_its_own_challenge_away_and_a_sign_in_those_that_were_for_it() {
    let (mut stage, lee) = equipped();
    let (one, other) = (stage.begin(&lee), stage.begin(&lee));
    let asked = [one, one, one, other].map(|attempt| offered(&mut stage, &lee, attempt));
    let registering = begun(&mut stage, &lee);
    stage.touch(&lee, one, asked[0], &Touch::new(b"blue", 8, asked[1])).unwrap();
    assert_eq!(open(&stage, &lee), [asked[1], asked[2], asked[3], registering], "a wrong answer");
    assert_eq!(stage.touch(&lee, one, asked[1], &Touch::new(b"blue", 8, asked[1])), in_by(one, &key(&lee, "blue")));
    assert_eq!(open(&stage, &lee), [asked[3], registering], "a right one");
    let second = begun(&mut stage, &lee);
    stage.finish_key(&lee, registering, b"green", 0).unwrap();
    assert_eq!(open(&stage, &lee), [asked[3], second], "a registration");
}

#[test]
fn registrations_make_room_for_each_other_and_not_for_sign_ins() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    let asked = offered(&mut stage, &lee, attempt);
    let begun: Vec<_> = (0..=CHALLENGES_OPEN_MAX).map(|_| begun(&mut stage, &lee)).collect();
    assert_eq!(open(&stage, &lee), [&[asked], &begun[1..]].concat());
}

#[test]
fn what_is_open_until_an_instant_is_over_at_it() {
    for (late_ms, left) in [(0, 1), (1, 0)] {
        let (mut stage, lee) = equipped();
        begun(&mut stage, &lee);
        stage.now = stage.now.plus_ms(299_999 + late_ms);
        stage.begin(&lee);
        assert_eq!(open(&stage, &lee).len(), left);
        stage.now = START.plus_ms(299_999 + late_ms + 599_999 + late_ms);
        stage.begin(&lee);
        assert_eq!(stage.pending(&lee).sign_ins.len(), left + 1);
    }
}

#[test]
fn a_sent_code_is_forgotten_at_its_end_by_the_next_that_is_sent() {
    for (late_ms, left) in [(0, 2), (1, 1)] {
        let mut stage = Stage::new(Policy::classic());
        let lee = stage.user("lee");
        let attempt = Some(stage.attempt());
        let mut state = stage.principal(&lee).cloned();
        for (number, (at, device)) in (1..).zip([(0, "one"), (9 + late_ms, "other")]) {
            let (challenge, device) = (ChallengeId::from_bytes([number; 16]), sms(device).stream());
            let (phone, window, until, client) = (None, 0, START.plus_ms(at + 10), Client::default());
            let secret = secret(challenge);
            let issued = SmsCodeIssued { challenge, device, attempt, phone, window, until, secret, client };
            state = Some(Principal::evolve(state, &issued.into(), START.plus_ms(at)).unwrap());
        }
        let codes = state.as_ref().and_then(Principal::registered).map(|owner| owner.pending.codes.len());
        assert_eq!(codes, Some(left));
    }
}

#[test]
fn messages_are_told_oldest_first() {
    let (mut stage, lee, first) = waiting();
    stage.wait_s(30);
    let attempt = stage.begin(&lee);
    let second = challenge(stage.send(&lee, attempt, &sms("lee")));
    let told: Vec<_> = stage.registered(&lee).outgoing.iter().map(|message| message.challenge).collect();
    // The first of all was the one of the enrolment.
    assert_eq!(told[1..], [first, second]);
}

#[test]
fn a_device_is_that_of_exactly_this_serial_in_this_account() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let serial = stage.created(&lee, "lee");
    let elsewhere = AccountId::from_number(42).unwrap();
    stage.open(elsewhere);
    let unknown = |serial: &Serial| Err(Rejection::DeviceUnknown { serial: serial.clone() });
    let delete = |stage: &mut Stage, account: AccountId, serial: &Serial| {
        stage.ask(&PrincipalId::Root(account), |stage, context| {
            delete_virtual_device(stage.account_of(account), stage.candidate(serial), context)
        })
    };
    let shouted = phone("LEE");
    assert_eq!(shouted.stream(), serial.stream());
    assert_eq!(stage.enable(&lee, &shouted, &[]), unknown(&shouted));
    assert_eq!(stage.enable(&PrincipalId::Root(elsewhere), &serial, &[]), unknown(&serial));
    assert_eq!(delete(&mut stage, account(), &shouted), unknown(&shouted));
    assert_eq!(delete(&mut stage, elsewhere, &serial), unknown(&serial));
    let token = Serial::new("GAHT12345678").unwrap();
    let import = |stage: &mut Stage, serial: &Serial| {
        stage.ask(&root(), |stage, context| {
            let seed = countersign_domain::secret::Seed::new(vec![7; 20]).unwrap();
            import_hardware_token(stage.candidate(serial), seed, "vendor".to_owned(), context)
        })
    };
    for arn in [phone("new"), Serial::new("arn:aws:iam::123456789012:other/new").unwrap()] {
        assert_eq!(import(&mut stage, &arn), unknown(&arn), "an ARN is no token's");
    }
    assert_eq!(import(&mut stage, &token), Ok(Verdict::Done));
    assert_eq!(import(&mut stage, &token), Err(Rejection::DeviceExists));
    assert_eq!(delete(&mut stage, account(), &token), unknown(&token), "R75");
    assert_eq!(delete(&mut stage, account(), &serial), Ok(Verdict::Done));
    assert_eq!(delete(&mut stage, account(), &serial), unknown(&serial));
}
