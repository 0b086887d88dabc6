//! The pages on which administrators manage users (R112, R129, R156).

use askama::Template;

use super::devices::{DeviceTable, subject, table};
use super::frame::{Choice, Field, Flash, FormPage, Frame, When};
use super::password::{new_password, set, typed_twice};
use super::problem::Problem;
use super::route::{UserPage, Whose};
use super::visit::{Answer, Signed, Visit};
use super::words;
use crate::directory::{DirectoryError, Resource, arn_of, check_password, user_arn};
use crate::engine::{AccountId, DeviceKind, DeviceName, Path, PrincipalId, UserId, UserView};

const HERE: &str = "/console/users";
const CREATE: &str = "/console/create-user";
/// Users on one page.
const PAGE: usize = 25;
/// Users that are looked at for one page of those without a device, and how many at once.
const SCAN_MAX: usize = 10_000;
const SCAN_PAGE: usize = 500;
/// The longest name of a new user, in characters (R9).
const NAME_CHARS_MAX: u16 = 64;

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    frame: Frame,
    kinds: Vec<KindOption>,
    chosen: &'static str,
    rows: Vec<UserRow>,
    next: Option<String>,
    further: bool,
}

struct KindOption {
    value: &'static str,
    label: &'static str,
}

struct UserRow {
    id: String,
    name: String,
    mfa: String,
    created: When,
}

#[derive(Template)]
#[template(path = "user.html")]
struct User {
    frame: Frame,
    id: String,
    arn: String,
    created: When,
    has_password: bool,
    many: bool,
    table: DeviceTable,
    base: String,
    may_add: bool,
}

/// What a list shows.
const FILTERS: [(&str, &str, Option<DeviceKind>); 6] = [
    ("", "Any", None),
    ("virtual", "Virtual", Some(DeviceKind::VirtualTotp)),
    ("hardware", "Hardware", Some(DeviceKind::HardwareTotp)),
    ("key", "Security key or passkey", Some(DeviceKind::SecurityKey)),
    ("sms", "SMS", Some(DeviceKind::Sms)),
    ("none", "Not enabled", None),
];

/// The users of the account, with their MFA column.
pub(super) async fn list(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = visit.administrator().await?;
    let wanted = visit.query.get("kind").unwrap_or_default();
    let (chosen, _, kind) = FILTERS.iter().find(|(value, ..)| *value == wanted).copied().unwrap_or(FILTERS[0]);
    let after = visit.query.get("after").filter(|after| !after.is_empty()).map(str::to_owned);
    let account = signed.user.id.account();
    let engine = &visit.console.engine;
    let (found, next) = match kind {
        // One more than a page has tells whether another one follows.
        Some(kind) => page_of(engine.users_with(account, kind, after.as_deref(), PAGE + 1)),
        None if chosen == "none" => without_device(visit, account, after.clone()).await?,
        None => page_of(visit.console.directory.users(account, after.as_deref(), PAGE + 1).await?),
    };
    let policy = engine.policy_of(account);
    let row = |user: &UserView| UserRow {
        id: id_of(user),
        name: user.name.to_string(),
        mfa: words::mfa(&engine.devices(&user.id), policy),
        created: When::at(user.created_at),
    };
    let rows = found.iter().map(row).collect();
    let kinds = FILTERS.map(|(value, label, _)| KindOption { value, label }).into();
    let frame = visit.frame_of(&signed, "Users", "users");
    visit.show(&Users { frame, kinds, chosen, rows, next, further: after.is_some() })
}

/// A page of users, and after whom the next one begins.
fn page_of(mut found: Vec<UserView>) -> (Vec<UserView>, Option<String>) {
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|user| user.name.to_string());
    (found, next)
}

/// A page of users who have no device. Where many have one, it may end early and go on after whom it came to.
async fn without_device(
    visit: &Visit<'_>,
    account: AccountId,
    mut after: Option<String>,
) -> Result<(Vec<UserView>, Option<String>), Problem> {
    let (mut found, mut scanned) = (Vec::new(), 0);
    while found.len() <= PAGE {
        if scanned >= SCAN_MAX {
            return Ok((found, after));
        }
        let page = visit.console.directory.users(account, after.as_deref(), SCAN_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.name.to_string());
        scanned += page.len();
        found.extend(page.into_iter().filter(|user| visit.console.engine.devices(&user.id).is_empty()));
    }
    Ok(page_of(found))
}

fn id_of(user: &UserView) -> String {
    match &user.id {
        PrincipalId::Root(_) => String::new(),
        PrincipalId::User(_, id) => id.to_string(),
    }
}

/// The pages of one user.
pub(super) async fn page(visit: &mut Visit<'_>, user: UserId, page: UserPage) -> Result<Answer, Problem> {
    let signed = visit.administrator().await?;
    let whose = Whose::Of(user);
    match page {
        UserPage::View => {
            let subject = subject(visit, &signed, &whose, "iam:GetUser").await?;
            let policy = visit.console.engine.policy_of(signed.user.id.account());
            let max = usize::from(policy.devices_per_principal_max);
            let table = table(visit, &subject, true);
            let has_password = match visit.console.directory.has_password(&subject.user.id).await {
                Ok(has) => has,
                Err(DirectoryError::NotSupported) => true,
                Err(error) => return Err(error.into()),
            };
            let page = User {
                id: id_of(&subject.user),
                arn: arn_of(&subject.user),
                created: When::at(subject.user.created_at),
                has_password,
                many: max > 1,
                may_add: table.rows.len() < max,
                base: subject.base.clone(),
                table,
                frame: visit.frame_of(&signed, subject.user.name.as_str(), "users"),
            };
            visit.show(&page)
        }
        UserPage::Password => set_password(visit, &signed, &whose).await,
        UserPage::Delete => delete(visit, &signed, &whose).await,
    }
}

async fn set_password(visit: &mut Visit<'_>, signed: &Signed, whose: &Whose) -> Result<Answer, Problem> {
    let subject = subject(visit, signed, whose, "iam:UpdateLoginProfile").await?;
    if subject.own {
        // Where the present password is asked for.
        return visit.see("/console/password");
    }
    let here = format!("{}/password", subject.home);
    if visit.post {
        let new = match typed_twice(visit) {
            Ok(new) => new,
            Err(flash) => return visit.tell(&here, &flash),
        };
        return match set(visit, signed, &subject.user.id, &new).await? {
            Err(flash) => visit.tell(&here, &flash),
            Ok(()) => {
                visit.tell(&subject.home, &Flash::good("The password is set, and the user's sessions are closed."))
            }
        };
    }
    let frame = visit.frame_of(signed, "Set password", "users");
    let [new, again] = new_password();
    let page = FormPage::new(frame, &here, "Set password", &subject.home)
        .lead(format!("For {}. The user's sessions are closed; the MFA devices stay as they are.", subject.user.name))
        .field(new)
        .field(again);
    visit.show(&page)
}

async fn delete(visit: &mut Visit<'_>, signed: &Signed, whose: &Whose) -> Result<Answer, Problem> {
    let subject = subject(visit, signed, whose, "iam:DeleteUser").await?;
    let here = format!("{}/delete", subject.home);
    let name = subject.user.name.to_string();
    if visit.post {
        if visit.field("confirm") != "yes" {
            return visit.tell(&here, &Flash::bad("Say that you mean it.").at("confirm"));
        }
        let console = visit.console;
        match console.directory.remove_user(visit.request(signed.caller()), &subject.user.id).await {
            Ok(()) => {}
            Err(DirectoryError::LastAdministrator) => {
                let text = format!("{name} is the last administrator of the account and cannot be deleted.");
                return visit.tell(&subject.home, &Flash::bad(text));
            }
            Err(error) => return Err(error.into()),
        }
        console.sessions.close_others(visit.request(signed.caller()), &subject.user.id, None).await?;
        console.clear_away().await;
        return visit.tell(HERE, &Flash::good(format!("{name} is deleted.")));
    }
    let devices = visit.console.engine.devices(&subject.user.id).len();
    let frame = visit.frame_of(signed, "Delete user", "users");
    let sure = Choice::new("confirm", &format!("Delete {name}?"), "no").option("no", "No", "").option(
        "yes",
        "Yes, delete this user",
        "This cannot be undone.",
    );
    let what = match devices {
        0 => "Password and access keys go as well.",
        1 => "The MFA device, the password and the access keys go as well.",
        _ => "The MFA devices, the password and the access keys go as well.",
    };
    let mut page = FormPage::new(frame, &here, "Delete user", &subject.home).lead(what).choice(sure);
    page.danger = true;
    visit.show(&page)
}

/// Makes a user who can sign in.
pub(super) async fn create(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = visit.administrator().await?;
    let account = signed.user.id.account();
    let arn = user_arn(account, &Path::root(), visit.field("user_name"));
    if !visit.may(&signed, "iam:CreateUser", &Resource::Principal { id: None, arn }).await? {
        return Err(Problem::Forbidden("You may not create users.".to_owned()));
    }
    if visit.post {
        return make(visit, &signed).await;
    }
    let frame = visit.frame_of(&signed, "Create user", "users");
    let [new, again] = new_password();
    let name = Field::text("user_name", "User name").hint("Letters, digits and _+=,.@- such as lee.");
    let page = FormPage::new(frame, CREATE, "Create user", HERE)
        .lead("Tell the user the password in a safe way; it can be changed in the console.")
        .field(name.length_max(NAME_CHARS_MAX))
        .field(new)
        .field(again);
    visit.show(&page)
}

async fn make(visit: &mut Visit<'_>, signed: &Signed) -> Result<Answer, Problem> {
    let typed = visit.field("user_name").to_owned();
    let back = |flash: Flash| flash.keep("user_name", &typed);
    let name = DeviceName::new(typed.clone()).ok().filter(|name| name.as_str().len() <= usize::from(NAME_CHARS_MAX));
    let Some(name) = name else {
        let flash = Flash::bad("A user name has 1 to 64 letters, digits and _+=,.@- and nothing else.").at("user_name");
        return visit.tell(CREATE, &back(flash));
    };
    let new = match typed_twice(visit) {
        Ok(new) => new,
        Err(flash) => return visit.tell(CREATE, &back(flash)),
    };
    // Looked at first, so that no user is made who has no password.
    if let Err(fault) = check_password(&new) {
        let flash = Flash::bad(format!("This cannot be the password: {fault}.")).at("new");
        return visit.tell(CREATE, &back(flash));
    }
    let (console, account) = (visit.console, signed.user.id.account());
    let made = console.directory.create_user(visit.request(signed.caller()), account, name, Path::root()).await;
    let user = match made {
        Ok(user) => user,
        Err(DirectoryError::Engine(cause)) => match cause.rejection() {
            Some(rejection) => {
                let flash = Flash::bad(words::rejection(rejection, visit.now)).at("user_name");
                return visit.tell(CREATE, &back(flash));
            }
            None => return Err(cause.into()),
        },
        Err(error) => return Err(error.into()),
    };
    let to = format!("{HERE}/{}", id_of(&user));
    match set(visit, signed, &user.id, &new).await? {
        Ok(()) => visit.tell(&to, &Flash::good(format!("{} is created and can sign in.", user.name))),
        Err(flash) => visit.tell(&format!("{to}/password"), &flash),
    }
}
