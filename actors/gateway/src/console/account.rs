//! The settings of the account (A16, R5, R130): each an event of its own in the log.

use askama::Template;

use super::contact;
use super::frame::{Choice, Field, Flash, Frame};
use super::problem::{Problem, explained};
use super::route::Setting;
use super::visit::{Answer, Signed, Visit};
use crate::directory::Resource;
use crate::engine::{AccountAlias, AccountId, AccountPreset, AccountView, SmsEligibility};

pub(super) const HERE: &str = "/console/account";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    id: String,
    users: u32,
    devices: u32,
    root: bool,
    needs_mfa: bool,
    parts: Vec<Part>,
}

/// One setting, with a form of its own.
pub(super) struct Part {
    id: &'static str,
    title: &'static str,
    lead: Vec<String>,
    choices: Vec<Choice>,
    pub(super) fields: Vec<Field>,
}

impl Part {
    pub(super) fn new(id: &'static str, title: &'static str, lead: &str) -> Self {
        Self { id, title, lead: vec![lead.to_owned()], choices: Vec::new(), fields: Vec::new() }
    }
}

/// An administrator who may change the account, and the account.
async fn changer(visit: &mut Visit<'_>) -> Result<(Signed, AccountView), Problem> {
    let signed = visit.administrator().await?;
    if !visit.may(&signed, "countersign:UpdateAccountSettings", &Resource::All).await? {
        return Err(Problem::Forbidden("You may not change the settings of the account.".to_owned()));
    }
    let view = visit.console.engine.account(signed.user.id.account()).ok_or(Problem::NotFound)?;
    Ok((signed, view))
}

pub(super) async fn page(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let (signed, view) = changer(visit).await?;
    let root = signed.user.id.is_root();
    let contact = if root { contact::of(visit, view.id).await? } else { None };
    let frame = visit.frame_of(&signed, "Account settings", "account");
    let mut parts = vec![alias(&view, &frame), sms(&view), policy(&view)];
    if root {
        parts.push(alternative_factors(&view));
        parts.extend(contact.map(|contact| contact::part(&contact, &frame)));
        parts.push(link(&view, &frame));
    }
    let (id, users, devices) = (view.id.to_string(), view.users, view.devices_in_use);
    let needs_mfa = visit.needs_mfa(&signed);
    visit.show(&AccountPage { frame, id, users, devices, root, needs_mfa, parts })
}

fn alias(view: &AccountView, frame: &Frame) -> Part {
    let present = view.settings.alias.as_ref().map(ToString::to_string).unwrap_or_default();
    let field = Field::text("alias", "Alias").optional().value(present).length_max(63);
    let hint = "3 to 63 lower-case letters, digits and single hyphens. Empty for none.";
    let mut part =
        Part::new("alias", "Account alias", "A name that users can type for the account ID when they sign in.");
    part.fields.push(field.hint(hint).after(frame));
    part
}

fn sms(view: &AccountView) -> Part {
    let chosen = match view.settings.sms {
        SmsEligibility::Open => "open",
        SmsEligibility::ExistingOnly => "existing",
        SmsEligibility::Ending => "ending",
        SmsEligibility::Ended => "ended",
    };
    let choice = Choice::new("sms", "Who may enable an SMS device", chosen)
        .option("open", "Every user", "")
        .option("existing", "Users who have had one", "")
        .option("ending", "Users who have had one, with a notice that it will end", "")
        .option("ended", "Nobody", "");
    let lead = "Devices that exist go on working in every case and can be removed. The root user never has one.";
    let mut part = Part::new("sms", "SMS devices", lead);
    part.choices.push(choice);
    part
}

fn policy(view: &AccountView) -> Part {
    let chosen = match view.settings.preset {
        None => "deployment",
        Some(AccountPreset::Classic) => "classic",
        Some(AccountPreset::Modern) => "modern",
        Some(AccountPreset::Strict) => "strict",
    };
    let choice = Choice::new("policy", "Rules for MFA devices", chosen)
        .option("deployment", "As this server has it", "")
        .option("classic", "Classic", "One device for each user, SMS where it is allowed.")
        .option("modern", "Modern", "Up to eight devices with names, passkeys, no new SMS devices.")
        .option("strict", "Strict", "As modern, with narrower windows and fewer tries, and passkeys only.");
    let mut part = Part::new("policy", "Policy", "Devices that exist stay as they are.");
    part.choices.push(choice);
    part
}

fn alternative_factors(view: &AccountView) -> Part {
    let chosen = if view.settings.alternative_factors { "on" } else { "off" };
    let choice = Choice::new("allowed", "Sign-in without the device", chosen)
        .option("on", "Possible with e-mail and phone", "")
        .option("off", "Not possible", "Whoever loses the device then needs the operator of this server.");
    let lead = "When your device is lost, you can get in by an e-mail and a phone call, if both reach you.";
    let mut part = Part::new("alternative-factors", "Alternative factors of the root user", lead);
    part.choices.push(choice);
    part
}

fn link(view: &AccountView, frame: &Frame) -> Part {
    let present = view.settings.associate.map(|account| account.to_string()).unwrap_or_default();
    let field = Field::text("associate", "Account ID of the other account").optional().value(present).length_max(12);
    let lead = "If the root user of another account has the same e-mail address, each of you can link to the other. When \
                both have done so, a root sign-in asks for the codes of both devices.";
    let mut part = Part::new("link", "Account with the same e-mail address", lead);
    part.fields.push(field.hint("Twelve digits. Empty for none.").after(frame));
    part
}

/// Changes one setting.
pub(super) async fn change(visit: &mut Visit<'_>, setting: Setting) -> Result<Answer, Problem> {
    let (signed, view) = changer(visit).await?;
    let roots_own = matches!(setting, Setting::AlternativeFactors | Setting::Contact | Setting::Link);
    if roots_own && !signed.user.id.is_root() {
        return Err(Problem::Forbidden("This is changed by the root user alone.".to_owned()));
    }
    let (engine, id) = (&visit.console.engine, view.id);
    let request = visit.request(signed.caller());
    let typed = |name: &str| visit.field(name).to_owned();
    let done = match setting {
        Setting::Alias => {
            let text = typed("alias");
            let alias = match (!text.is_empty()).then(|| AccountAlias::new(text.clone())).transpose() {
                Ok(alias) => alias,
                Err(_) => {
                    return wrong(
                        visit,
                        "alias",
                        &text,
                        "An alias has 3 to 63 lower-case letters, digits and single hyphens, and is no account ID.",
                    );
                }
            };
            engine.set_alias(request, id, alias).await
        }
        Setting::Sms => {
            let eligibility = match &*typed("sms") {
                "open" => SmsEligibility::Open,
                "existing" => SmsEligibility::ExistingOnly,
                "ending" => SmsEligibility::Ending,
                "ended" => SmsEligibility::Ended,
                _ => return Err(Problem::Malformed),
            };
            engine.set_sms_eligibility(request, id, eligibility).await
        }
        Setting::Policy => {
            let preset = match &*typed("policy") {
                "deployment" => None,
                "classic" => Some(AccountPreset::Classic),
                "modern" => Some(AccountPreset::Modern),
                "strict" => Some(AccountPreset::Strict),
                _ => return Err(Problem::Malformed),
            };
            engine.choose_policy(request, id, preset).await
        }
        Setting::AlternativeFactors => engine.allow_alternative_factors(request, id, typed("allowed") == "on").await,
        Setting::Link => {
            let text = typed("associate");
            let associate: Option<AccountId> = match (!text.is_empty()).then(|| text.parse()).transpose() {
                Ok(associate) => associate,
                Err(_) => return wrong(visit, "associate", &text, "An account ID has twelve digits."),
            };
            if associate == Some(id) {
                return wrong(visit, "associate", &text, "This is the account itself.");
            }
            engine.link_root(request, id, associate).await
        }
        Setting::Contact => return contact::change(visit, &signed, id).await,
    };
    match explained(done, visit.now)? {
        Ok(_) => visit.tell(HERE, &Flash::good("Saved.")),
        Err(text) => {
            let flash = Flash::bad(text).keep("alias", &typed("alias")).keep("associate", &typed("associate"));
            visit.tell(HERE, &flash)
        }
    }
}

pub(super) fn wrong(visit: &mut Visit<'_>, field: &str, typed: &str, text: &str) -> Result<Answer, Problem> {
    visit.tell(HERE, &Flash::bad(text).at(field).keep(field, typed))
}
