//! Where the root user is reached: with this address it signs in, and here its alternative factors are sent (R130).

use super::account::{HERE, Part, wrong};
use super::frame::{Field, Flash, Frame};
use super::password::{FIELD_CHARS_MAX, is_current, not_current};
use super::problem::Problem;
use super::visit::{Answer, Signed, Visit};
use super::words;
use crate::directory::{DirectoryError, RootContact, is_email};
use crate::engine::{AccountId, PhoneNumber, Rejection};

const CURRENT: &str = "current_password";

/// Where root is reached; `None` where the directory does not know.
pub(super) async fn of(visit: &Visit<'_>, account: AccountId) -> Result<Option<RootContact>, Problem> {
    match visit.console.directory.root_contact(account).await {
        Ok(contact) => Ok(contact),
        Err(DirectoryError::NotSupported) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Its form.
pub(super) fn part(contact: &RootContact, frame: &Frame) -> Part {
    let email = Field::text("email", "E-mail address").kind("email", "email").value(&*contact.email).length_max(254);
    let phone = Field::text("phone", "Phone number").kind("tel", "tel").optional().length_max(64);
    let phone = phone.value(contact.phone.as_deref().unwrap_or_default());
    let phone = phone.hint("With + and the country code, such as +1 415 555 1234.");
    let current = Field::password(CURRENT, "Current password", "current-password").length_max(FIELD_CHARS_MAX);
    let lead = "You sign in with this e-mail address. When your device is lost, both let you in.";
    let mut part = Part::new("contact", "Where the root user is reached", lead);
    part.fields.extend([email, phone, current].map(|field| field.after(frame)));
    part
}

/// Changes it. It leads past the device, so it takes what a change of the device takes (R182), and the password: a
/// session that was left open must not become the account.
pub(super) async fn change(visit: &mut Visit<'_>, signed: &Signed, account: AccountId) -> Result<Answer, Problem> {
    if visit.needs_mfa(signed) {
        let text = words::rejection(&Rejection::SelfManagementNeedsMfa, visit.now);
        return visit.tell(HERE, &Flash::bad(text));
    }
    let (email, typed) = (visit.field("email").to_owned(), visit.field("phone").to_owned());
    if !is_email(&email) {
        return wrong(visit, "email", &email, "This is not an e-mail address.");
    }
    let phone = match (!typed.is_empty()).then(|| PhoneNumber::parse(&typed)).transpose() {
        Ok(phone) => phone.map(|phone| phone.e164().to_owned()),
        Err(_) => {
            let text = "A phone number begins with + and the country code, such as +1 415 555 1234.";
            return wrong(visit, "phone", &typed, text);
        }
    };
    if !is_current(visit, signed, CURRENT).await? {
        return visit.tell(HERE, &not_current(CURRENT).keep("email", &email).keep("phone", &typed));
    }
    let contact = RootContact { email: email.clone(), phone };
    let console = visit.console;
    match console.directory.set_root_contact(visit.request(signed.caller()), account, &contact).await {
        Ok(()) => {}
        Err(DirectoryError::EmailTaken) => {
            return wrong(visit, "email", &email, "Another root user has this e-mail address.");
        }
        Err(error) => return Err(error.into()),
    }
    // A way back in that has begun would go on with what was proven of the address before.
    console.end_sign_ins(visit.request(signed.caller()), &signed.user.id).await?;
    visit.tell(HERE, &Flash::good("Saved."))
}
