//! Security keys and passkeys.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::scene::{CREDENTIAL, NOW, Scene, lee, name, person, settled};
use super::{Apply, Chapter};
use crate::account::Claim;
use crate::caller::Caller;
use crate::decide::{
    Context, Decision, KeyAnswer, KeyProof, NewKey, Registering, Removal, Step, begin_key_registration, begin_sign_in,
    deactivate, finish_key_registration, offer_key, remove_user, sign_in_with_key, verify_code,
};
use crate::device::Serial;
use crate::event::{DeactivateReason, KeyFault, KeyForm, Purpose};
use crate::ids::{AttemptId, ChallengeId};
use crate::policy::Policy;
use crate::principal::{Key, Principal, Registered};
use crate::secret::Opaque;

const ATTEMPT: AttemptId = AttemptId::from_bytes([1; 16]);
const REGISTRATION: ChallengeId = ChallengeId::from_bytes([2; 16]);
const ASKED: ChallengeId = ChallengeId::from_bytes([3; 16]);

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Security keys and passkeys",
    about: "Asked by the user itself in the console, in a session that has proven a second factor; sign-ins by whoever\n\
            has the password.",
    scenes,
    commands: &[
        ("ask to register", |scene, context| began(scene, KeyForm::SecurityKey, false, context)),
        ("ask to register a passkey", |scene, context| began(scene, KeyForm::Passkey, false, context)),
        ("ask to register in its place", |scene, context| began(scene, KeyForm::SecurityKey, true, context)),
        ("register", |scene, context| finished(scene, Ok(CREDENTIAL), context)),
        ("register, bad answer", |scene, context| finished(scene, Err(KeyFault::Signature), context)),
        ("begin sign-in", |scene, context| Ok(begin_sign_in(scene.principal.as_ref(), ATTEMPT, None, context))),
        ("ask the key", |scene, context| offered(scene, KeyForm::SecurityKey, context)),
        ("ask the passkey", |scene, context| offered(scene, KeyForm::Passkey, context)),
        ("touch", TOUCH),
        ("touch, user not verified", |scene, context| touched(scene, &proof(scene, 1, false), context)),
        ("touch, counter as before", |scene, context| touched(scene, &proof(scene, 0, true), context)),
        ("touch, bad signature", |scene, context| touched(scene, &Err(KeyFault::Signature), context)),
        ("touch of a strange key", |scene, context| {
            let proof = KeyProof { credential_id: b"strange".to_vec(), counter: 9, user_verified: true };
            touched(scene, &Ok(proof), context)
        }),
        ("code at STS", |scene, context| {
            let (principal, device) = (scene.principal.as_ref(), scene.serial.stream());
            Ok(settled(verify_code(principal, device, Purpose::SessionToken, None, context)))
        }),
        ("deactivate", |scene, context| {
            Ok(deactivate(scene.principal.as_ref(), scene.candidate(), DeactivateReason::Requested, context))
        }),
        ("remove user and devices", |scene, context| {
            Ok(remove_user(scene.principal.as_ref(), Removal::TakeDevices, context))
        }),
    ],
    caller: |owner| Caller::at_console(owner, Some(NOW)),
};

const TOUCH: Apply = |scene, context| touched(scene, &proof(scene, 1, true), context);

fn opaque() -> Result<Opaque, &'static str> {
    Opaque::new(vec![]).ok_or("opaque")
}

fn began(scene: &Scene, form: KeyForm, replace: bool, context: &Context<'_>) -> Result<Decision, &'static str> {
    let (principal, asked) = (scene.principal.as_ref(), (form, opaque()?));
    let replaces = replace.then(|| scene.serial.stream());
    Ok(begin_key_registration(principal, REGISTRATION, scene.serial.clone(), replaces, asked, context))
}

fn finished(scene: &Scene, answer: Result<&[u8], KeyFault>, context: &Context<'_>) -> Result<Decision, &'static str> {
    let opaque = opaque()?;
    let answer = answer.map(|credential| NewKey {
        credential_id: credential.to_vec(),
        credential: opaque,
        counter: 7,
        attestation: String::from("none"),
        model: None,
        backup_eligible: false,
    });
    let read = Registering { claim: scene.claim, device: scene.device.as_ref() };
    Ok(settled(finish_key_registration(scene.principal.as_ref(), REGISTRATION, Some((&answer, read)), context)))
}

fn offered(scene: &Scene, form: KeyForm, context: &Context<'_>) -> Result<Decision, &'static str> {
    Ok(offer_key(scene.principal.as_ref(), ATTEMPT, ASKED, (form, opaque()?), context))
}

fn known(owner: &Registered) -> Option<Key> {
    owner.devices.iter().find_map(|enabled| enabled.key)
}

/// An answer of the key, so much above the counter that is known of it.
fn proof(scene: &Scene, above: u32, user_verified: bool) -> KeyAnswer {
    let key = scene.principal.as_ref().and_then(Principal::registered).and_then(known);
    let counter = key.map_or(0, |key| key.counter).saturating_add(above);
    Ok(KeyProof { credential_id: CREDENTIAL.to_vec(), counter, user_verified })
}

fn touched(scene: &Scene, answer: &KeyAnswer, context: &Context<'_>) -> Result<Decision, &'static str> {
    let principal = scene.principal.as_ref();
    Ok(match sign_in_with_key(principal, ATTEMPT, ASKED, None, context) {
        Step::Decided(decision) => decision,
        Step::Ask(_) => settled(sign_in_with_key(principal, ATTEMPT, ASKED, Some(answer), context)),
    })
}

fn scenes(policy: &Policy) -> Result<Vec<Scene>, &'static str> {
    // What exists outlives the rules that it was registered under.
    let rules = Policy { passkeys: true, ..policy.clone() };
    let advanced = |name, from: &Scene, commands: &[&str]| CHAPTER.advanced(name, from, &rules, commands);
    let user = lee()?;
    let owner = user.registered().ok_or("lee")?.id.clone();
    let serial = Serial::of_key(&owner, &name("lee")?, &name("blue")?, 7).map_err(|_| "serial")?;
    let absent = Scene::absent("security key, absent", &serial, user)?;
    let asked = advanced("security key, registration pending", &absent, &["ask to register"])?;
    let mut taken = Scene { name: "security key, registration pending; the key is another one's", ..asked.clone() };
    taken.claim = Some(Claim::Held(person("AIDADANA", "dana")?.registered().ok_or("dana")?.stream));
    let late = asked.clone().later("security key, registration pending too long", 300);
    let enabled = advanced("security key, enabled", &asked, &["register"])?;
    let open = advanced("security key, enabled; sign-in open", &enabled, &["begin sign-in"])?;
    let challenged = advanced("security key, challenged in a sign-in", &open, &["ask the key"])?;
    let too_late = challenged.clone().later("security key, challenged too long ago", 300);
    let refused = advanced("security key, challenge answered badly", &challenged, &["touch, bad signature"])?;
    let back = ["touch, counter as before", "ask the key"];
    let suspected = advanced("security key, suspected clone; challenged in a sign-in", &challenged, &back)?;
    let gone = advanced("security key, deactivated", &enabled, &["deactivate"])?;
    let pending = advanced("passkey, registration pending", &absent, &["ask to register a passkey"])?;
    let passkey = advanced("passkey, enabled", &pending, &["register"])?;
    let wanted = ["begin sign-in", "ask the passkey"];
    let seen = advanced("passkey, challenged in a sign-in", &passkey, &wanted)?;
    Ok(vec![
        absent, asked, taken, late, enabled, open, challenged, too_late, refused, suspected, gone, pending, passkey,
        seen,
    ])
}
