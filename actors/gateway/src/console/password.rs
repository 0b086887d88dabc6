//! Changing one's own password. It changes no factor (R108).

use super::contact;
use super::cookies::Cookie;
use super::frame::{Field, Flash, FormPage};
use super::limits::{Admission, Try};
use super::problem::Problem;
use super::visit::{Answer, Signed, Visit};
use crate::directory::{DirectoryError, PASSWORD_CHARS_MIN, Resource, arn_of};
use crate::engine::PrincipalId;
use crate::secret::Secret;

const HERE: &str = "/console/password";
const DEVICES: &str = "/console/devices";
/// The longest password that a field takes, in characters.
pub(super) const FIELD_CHARS_MAX: u16 = 1024;

pub(super) async fn page(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = visit.signed_in().await?;
    let own = Resource::Principal { id: Some(signed.user.id.clone()), arn: arn_of(&signed.user) };
    if !visit.may(&signed, "iam:ChangePassword", &own).await? {
        return Err(Problem::Forbidden("Your password cannot be changed here.".to_owned()));
    }
    if visit.post {
        return change(visit, &signed).await;
    }
    let frame = visit.frame_of(&signed, "Change password", "devices");
    let current = Field::password("current", "Current password", "current-password").length_max(FIELD_CHARS_MAX);
    let [new, again] = new_password();
    let page = FormPage::new(frame, HERE, "Change password", DEVICES)
        .lead("Your other sessions are closed. Your MFA devices stay as they are.")
        .field(current)
        .field(new)
        .field(again);
    visit.show(&page)
}

/// The two fields of a new password.
pub(super) fn new_password() -> [Field; 2] {
    let hint = format!("At least {PASSWORD_CHARS_MIN} characters. Length is what counts: a few words are fine.");
    [
        Field::password("new", "New password", "new-password").hint(hint).length_max(FIELD_CHARS_MAX),
        Field::password("again", "New password again", "new-password").length_max(FIELD_CHARS_MAX),
    ]
}

/// The new password, if it was typed twice the same.
pub(super) fn typed_twice(visit: &Visit<'_>) -> Result<Secret, Flash> {
    let new = Secret::new(visit.form.get("new").unwrap_or_default());
    let again = Secret::new(visit.form.get("again").unwrap_or_default());
    if new == again {
        Ok(new)
    } else {
        Err(Flash::bad("The two are not the same. Type the new password again.").at("again"))
    }
}

/// Gives a principal a new password, and ends what older ones have opened but the session that is here; what there
/// is to say about one that may not be chosen.
///
/// The new password alone ends the others: whatever stands by an older one is refused. So it does not matter where this
/// is interrupted; the rest clears up, and says so in the log.
pub(super) async fn set(
    visit: &mut Visit<'_>,
    signed: &Signed,
    principal: &PrincipalId,
    new: &Secret,
) -> Result<Result<(), Flash>, Problem> {
    let console = visit.console;
    let request = || visit.request(signed.caller());
    let password = match console.directory.set_password(request(), principal, new).await {
        Ok(password) => password,
        Err(DirectoryError::PasswordNotTaken(fault)) => {
            let text = fault.to_string();
            return Ok(Err(Flash::bad(format!("This cannot be your password: {text}.")).at("new")));
        }
        Err(error) => return Err(error.into()),
    };
    let keep = (*principal == signed.user.id).then_some(signed.session.key);
    let kept = match &keep {
        Some(key) => console.sessions.stand_by(request(), key, password).await,
        None => Ok(()),
    };
    let ended = console.end_sign_ins(request(), principal).await;
    let closed = console.sessions.close_others(request(), principal, keep).await;
    console.clear_away().await;
    kept.and(ended).and(closed)?;
    Ok(Ok(()))
}

async fn change(visit: &mut Visit<'_>, signed: &Signed) -> Result<Answer, Problem> {
    let new = match typed_twice(visit) {
        Ok(new) => new,
        Err(flash) => return visit.tell(HERE, &flash),
    };
    if !is_current(visit, signed, "current").await? {
        return visit.tell(HERE, &not_current("current"));
    }
    match set(visit, signed, &signed.user.id, &new).await? {
        Err(flash) => visit.tell(HERE, &flash),
        Ok(()) => {
            visit.clear(Cookie::Attempt);
            visit.tell(DEVICES, &Flash::good("Your password is changed, and your other sessions are closed."))
        }
    }
}

/// Whether the password in a field is the present one of whoever is signed in. A session that was left open must not
/// become a place to guess it at, so these tries are counted with those of the sign-in (NT-15).
pub(super) async fn is_current(visit: &Visit<'_>, signed: &Signed, field: &str) -> Result<bool, Problem> {
    let (console, id) = (visit.console, &signed.user.id);
    let request = || visit.request(signed.caller());
    let tried = own_try(visit, signed).await?;
    let charge = match console.limits.admit(&tried, visit.now) {
        Admission::Admitted(charge) => charge,
        Admission::Refused { until, first } => {
            if first {
                console.engine.record_passwords_locked(request(), Some(id.account()), Some(id)).await?;
            }
            return Err(Problem::TooMany { until });
        }
    };
    let typed = Secret::new(visit.form.get(field).unwrap_or_default());
    let fits = console.directory.password_is(id, &typed).await;
    if !matches!(fits, Ok(false)) {
        console.limits.forgive(&charge, visit.now);
    }
    if fits? {
        return Ok(true);
    }
    console.engine.record_password_refused(request(), Some(id.account()), Some(id)).await?;
    Ok(false)
}

/// What is said when it is not.
pub(super) fn not_current(field: &str) -> Flash {
    Flash::bad("That is not your current password.").at(field)
}

/// The same count as at the sign-in.
async fn own_try(visit: &Visit<'_>, signed: &Signed) -> Result<Try, Problem> {
    let id = &signed.user.id;
    let account = id.account();
    if !id.is_root() {
        return Ok(Try::new(&["user", &account.to_string(), signed.user.name.as_str()], visit.address));
    }
    let email = contact::of(visit, account).await?.map(|contact| contact.email);
    Ok(Try::new(&["root", &email.unwrap_or_else(|| account.to_string())], visit.address))
}
