//! Devices that show time-based codes.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Chapter;
use super::scene::{NOW, Scene, answer_pair, created, imported, lee, person, seed, settled, virtual_serial};
use crate::caller::Caller;
use crate::decide::{
    Candidate, Context, Decision, Removal, Step, create_virtual_device, deactivate, delete_virtual_device,
    import_hardware_token, remove_user, resync, rotate, verify_code,
};
use crate::device::Serial;
use crate::event::{DeactivateReason, Purpose};
use crate::policy::Policy;
use crate::totp::{CodeMatches, CodeSearch};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Virtual devices and hardware tokens",
    about: "Asked by the user itself through the API, in a session that has proven a second factor.",
    scenes,
    commands: &[
        ("create", |scene, context| {
            Ok(create_virtual_device(scene.account.as_ref(), scene.candidate(), seed()?, context))
        }),
        ("import", |scene, context| {
            Ok(import_hardware_token(scene.candidate(), seed()?, String::from("vendor"), context))
        }),
        ("enable, good pair", |scene, context| Ok(scene.enable(true, context))),
        ("enable, bad pair", |scene, context| Ok(scene.enable(false, context))),
        ("good code", |scene, context| Ok(verify(scene, Found::Now, context))),
        ("code of the pair", |scene, context| Ok(verify(scene, Found::Pair, context))),
        ("drifted code", |scene, context| Ok(verify(scene, Found::Far, context))),
        ("wrong code", |scene, context| Ok(verify(scene, Found::Nowhere, context))),
        ("resync, good pair", |scene, context| Ok(synced(scene, true, context))),
        ("resync, bad pair", |scene, context| Ok(synced(scene, false, context))),
        ("deactivate", |scene, context| {
            Ok(deactivate(scene.principal.as_ref(), scene.candidate(), DeactivateReason::Requested, context))
        }),
        ("delete", |scene, context| Ok(delete_virtual_device(scene.account.as_ref(), scene.candidate(), context))),
        ("rotate to a new one", rotated),
        ("remove user", |scene, context| {
            Ok(remove_user(scene.principal.as_ref(), Removal::RefuseWithDevices, context))
        }),
    ],
    caller: |owner| Caller::with_session(owner, Some(NOW)),
};

/// Where a code is found by the one who tries it.
#[derive(Clone, Copy)]
pub(super) enum Found {
    Now,
    Pair,
    Far,
    Nowhere,
}

impl Found {
    pub(super) fn matches(self, search: CodeSearch) -> CodeMatches {
        let centre = search.wide.centre;
        match self {
            Self::Now => CodeMatches { window: vec![centre + 1], wide: None },
            Self::Pair => CodeMatches { window: vec![centre], wide: None },
            Self::Far => CodeMatches { window: vec![], wide: Some(centre + 40) },
            Self::Nowhere => CodeMatches::default(),
        }
    }
}

fn verify(scene: &Scene, found: Found, context: &Context<'_>) -> Decision {
    let (principal, device) = (scene.principal.as_ref(), scene.serial.stream());
    match verify_code(principal, device, Purpose::SignIn, None, context) {
        Step::Decided(decision) => decision,
        Step::Ask(search) => {
            let matches = found.matches(search);
            settled(verify_code(principal, device, Purpose::SignIn, Some(&matches), context))
        }
    }
}

fn synced(scene: &Scene, good: bool, context: &Context<'_>) -> Decision {
    let asked = resync(scene.principal.as_ref(), scene.candidate(), None, context);
    answer_pair(asked, good, |matches| resync(scene.principal.as_ref(), scene.candidate(), Some(matches), context))
}

fn rotated(scene: &Scene, context: &Context<'_>) -> Result<Decision, &'static str> {
    let serial = virtual_serial("spare")?;
    let spare = created(&serial)?;
    let old = scene.candidate();
    let candidate = Candidate { serial: &serial, device: Some(&spare) };
    let asked = rotate(scene.principal.as_ref(), old, candidate, None, context);
    Ok(answer_pair(asked, true, |matches| rotate(scene.principal.as_ref(), old, candidate, Some(matches), context)))
}

fn scenes(policy: &Policy) -> Result<Vec<Scene>, &'static str> {
    let advanced = |name, from: &Scene, commands: &[&str]| CHAPTER.advanced(name, from, policy, commands);
    let (arn, token) = (virtual_serial("lee")?, Serial::new("GAHT12345678").map_err(|_| "serial")?);
    let absent = Scene::absent("virtual device, absent", &arn, lee()?)?;
    let fresh = Scene::absent("virtual device, unassigned", &arn, lee()?)?.with(created(&arn)?);
    let in_sync = advanced("virtual device, enabled and in sync", &fresh, &["enable, good pair"])?;
    let used = advanced("virtual device, enabled, one code used", &in_sync, &["good code"])?;
    let out_of_sync = advanced("virtual device, enabled, out of sync", &in_sync, &["drifted code"])?;
    let locked = advanced("virtual device, enabled, locked", &in_sync, &["wrong code"; 10])?;
    let released = advanced("virtual device, deactivated", &used, &["deactivate"])?;
    let deleted = advanced("virtual device, deleted", &released, &["delete"])?;
    let inventory = Scene::absent("hardware token, in the inventory", &token, lee()?)?.with(imported(&token)?);
    let worn = advanced("hardware token, enabled and in sync", &inventory, &["enable, good pair"])?;
    let dana = Some(person("AIDADANA", "dana")?);
    let others = Scene { principal: dana, name: "virtual device of somebody else", ..in_sync.clone() };
    let gone = Scene { principal: None, name: "virtual device, unassigned; unknown user", ..fresh.clone() };
    Ok(vec![absent, fresh, in_sync, used, out_of_sync, locked, released, deleted, inventory, worn, others, gone])
}
