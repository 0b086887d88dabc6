//! From a record of CloudTrail to observed events.

use std::sync::Arc;

use serde_json::Value;

use crate::event::{Actor, ActorKind, Cite, Device, HIDDEN, Observed, SignInClass, Subject, Via, What, Who};
use crate::time::Time;

/// The message of a sign-in with a name that no user has.
const NO_SUCH_NAME: &str = "No username found in supplied account";
/// The user name of root in requests.
const ROOT_NAME: &str = "AWS ROOT USER";
/// The account of records that tell none.
pub(crate) const UNKNOWN_ACCOUNT: &str = "unknown";
/// Names, ids and serial numbers are at most this long; AWS allows 256 for the longest.
const NAME_BYTES_MAX: usize = 512;

/// A record holds a name that is longer than any name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTooLong;

/// A record that may say something about the lifecycle of MFA.
pub(crate) struct Record<'a> {
    value: &'a Value,
    identity: &'a Value,
    request: &'a Value,
    response: &'a Value,
    account: Arc<str>,
    actor: Actor,
    at: Time,
    cite: Cite,
    failed: bool,
}

/// A text at a path of members; numbers count as text, nothing and `""` do not.
fn text<'a>(value: &'a Value, path: &[&str]) -> Option<std::borrow::Cow<'a, str>> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    match found {
        Value::String(text) if !text.is_empty() => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn shared(value: &Value, path: &[&str]) -> Option<Arc<str>> {
    text(value, path).map(|text| Arc::from(&*text))
}

/// Whether a boolean, or a text that spells one, is true.
fn is_true(value: &Value, path: &[&str]) -> bool {
    match path.iter().try_fold(value, |value, key| value.get(key)) {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The account in an ARN, as far as there is one.
fn account_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| !account.is_empty())
}

/// Whether a text is a user's unique id, and not the placeholder of a sample.
fn is_uid(text: &str) -> bool {
    let rest = text.strip_prefix("AIDA").unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (8..=28).contains(&rest.len()) && plain && !text.contains("EXAMPLE")
}

/// The session that a record was made in, if it was opened with MFA by a user or root: who, and when.
pub(crate) fn mfa_session(identity: &Value, recipient: Option<&str>, at: Time) -> Option<(Who, Time)> {
    let attributes = identity.get("sessionContext")?.get("attributes")?;
    if !is_true(attributes, &["mfaAuthenticated"]) {
        return None;
    }
    let actor = actor(identity, recipient);
    let who = actor.who.filter(|_| matches!(actor.kind, ActorKind::User | ActorKind::Root))?;
    let opened: Time = text(attributes, &["creationDate"])?.parse().ok()?;
    Some((who, opened.min(at)))
}

/// Reads a record's actor off its identity.
fn actor(identity: &Value, recipient: Option<&str>) -> Actor {
    let arn = text(identity, &["arn"]);
    let account = shared(identity, &["accountId"])
        .or_else(|| arn.as_deref().and_then(account_of_arn).map(Arc::from))
        .or_else(|| recipient.map(Arc::from));
    let label = ["arn", "principalId", "invokedBy", "userName", "type"]
        .iter()
        .find_map(|key| text(identity, &[key]))
        .unwrap_or_default();
    let (kind, who) = match text(identity, &["type"]).as_deref() {
        Some("Root") if is_true(identity, &["sessionContext", "assumedRoot"]) => (ActorKind::AssumedRoot, None),
        Some("Root") => (ActorKind::Root, account.map(|account| Who::Root { account })),
        Some("IAMUser") => (ActorKind::User, account.and_then(|account| user(identity, account))),
        Some("AssumedRole") if is_true(identity, &["sessionContext", "assumedRoot"]) => (ActorKind::AssumedRoot, None),
        Some("AWSService") => (ActorKind::Service, None),
        Some(_) => (ActorKind::Role, None),
        None => (ActorKind::Unknown, None),
    };
    let label = if label.contains(HIDDEN) { HIDDEN.into() } else { Arc::from(&*label) };
    Actor { kind, who, label, address: Arc::default(), region: Arc::default() }
}

fn user(identity: &Value, account: Arc<str>) -> Option<Who> {
    let uid = shared(identity, &["principalId"]).filter(|id| is_uid(id));
    let in_arn = || {
        let arn = text(identity, &["arn"])?;
        let (_, path) = arn.split_once(":user/")?;
        path.rsplit('/').next().filter(|name| !name.is_empty()).map(Arc::from)
    };
    let name = shared(identity, &["userName"]).or_else(in_arn).filter(|name| &**name != HIDDEN);
    (uid.is_some() || name.is_some()).then_some(Who::User { account, name, uid })
}

impl<'a> Record<'a> {
    pub(crate) fn new(value: &'a Value, at: Time, cite: Cite) -> Self {
        let part = |key| value.get(key).unwrap_or(&Value::Null);
        let identity = part("userIdentity");
        let recipient = text(value, &["recipientAccountId"]);
        let mut actor = actor(identity, recipient.as_deref());
        let message = text(value, &["errorMessage"]).unwrap_or_default();
        let beginning = message.get(..NO_SUCH_NAME.len()).unwrap_or_default();
        if beginning.eq_ignore_ascii_case(NO_SUCH_NAME) {
            // What was typed for a name may be a password.
            (actor.who, actor.label) = (None, Arc::from(HIDDEN));
        }
        actor.address = shared(value, &["sourceIPAddress"]).unwrap_or_default();
        actor.region = shared(value, &["awsRegion"]).unwrap_or_default();
        let account = shared(value, &["recipientAccountId"])
            .or_else(|| shared(identity, &["accountId"]))
            .or_else(|| text(identity, &["arn"]).as_deref().and_then(account_of_arn).map(Arc::from))
            .unwrap_or_else(|| Arc::from(UNKNOWN_ACCOUNT));
        let (request, response) = (part("requestParameters"), part("responseElements"));
        let failed = value.get("errorCode").is_some_and(|code| !code.is_null());
        Self { value, identity, request, response, account, actor, at, cite, failed }
    }

    /// The same, of a call that failed by what its bytes say: of members with one name the value has only the last.
    pub(crate) fn failed_if(mut self, failed: bool) -> Self {
        self.failed |= failed;
        self
    }

    /// What the record says; nothing, if it says nothing about MFA.
    ///
    /// # Errors
    /// When a name in it is longer than any name is.
    pub(crate) fn observed(self) -> Result<Vec<Observed>, NameTooLong> {
        let name = text(self.value, &["eventName"]).unwrap_or_default();
        let failed = self.failed;
        let source = text(self.value, &["eventSource"]).unwrap_or_default();
        let what = match source.to_ascii_lowercase().as_str() {
            "iam.amazonaws.com" if failed => self.attempt(&name),
            "iam.amazonaws.com" => self.of_iam(&name).or_else(|| self.untold(&name)),
            "signin.amazonaws.com" => self.of_sign_in(&name, failed),
            "sts.amazonaws.com" if !failed => self.of_sts(&name),
            _ => None,
        };
        let (at, cite, by) = (self.at, &self.cite, &self.actor);
        let too_long = what.as_ref().is_some_and(|what| longest(what, by) > NAME_BYTES_MAX);
        if too_long {
            return Err(NameTooLong);
        }
        let session = mfa_session(self.identity, Some(&self.account), at);
        let session = session.filter(|_| !failed && self.actor.who.is_some());
        let session = session.map(|(who, opened)| {
            let what = What::MfaUseObserved { who, device: None, via: Via::Session { seen: at } };
            Observed { at: opened, what, cite: cite.clone(), by: by.clone(), position: None }
        });
        let itself = what.map(|what| Observed { at, what, cite: cite.clone(), by: by.clone(), position: None });
        Ok(itself.into_iter().chain(session).collect())
    }

    fn device(&self, serial: Arc<str>) -> Device {
        Device { account: Arc::clone(&self.account), serial }
    }

    fn serial(&self) -> Option<Arc<str>> {
        shared(self.request, &["serialNumber"])
    }

    /// At whom a call is aimed (rule R10).
    fn target(&self) -> Option<Who> {
        let account = Arc::clone(&self.account);
        match text(self.request, &["userName"]).as_deref() {
            Some(HIDDEN) => None,
            Some(ROOT_NAME) => Some(Who::Root { account }),
            Some(name) => Some(self.named(name)),
            None if self.actor.kind == ActorKind::AssumedRoot => {
                let serial = self.serial();
                let of_device = serial.as_deref().and_then(account_of_arn).map(Arc::from);
                Some(Who::Root { account: of_device.unwrap_or(account) })
            }
            None => self.actor.who.clone(),
        }
    }

    /// A user of the account by name, with the unique id when it is the actor.
    fn named(&self, name: &str) -> Who {
        let uid = match &self.actor.who {
            Some(Who::User { account, name: Some(own), uid }) if own.eq_ignore_ascii_case(name) => {
                uid.clone().filter(|_| *account == self.account)
            }
            _ => None,
        };
        Who::User { account: Arc::clone(&self.account), name: Some(Arc::from(name)), uid }
    }

    fn attempt(&self, name: &str) -> Option<What> {
        is_of_iam(name).then(|| What::AttemptFailed {
            who: self.target(),
            name: Arc::from(name),
            error: shared(self.value, &["errorCode"]).unwrap_or_default(),
            device: None,
        })
    }

    fn of_iam(&self, name: &str) -> Option<What> {
        let made_by = || self.actor.who.clone();
        Some(match name {
            "CreateUser" => What::PrincipalCreated { who: self.created()? },
            "UpdateUser" => {
                let to = shared(self.request, &["newUserName"]).filter(|name| &**name != HIDDEN)?;
                What::PrincipalRenamed { who: self.target_by_name()?, to }
            }
            "DeleteUser" => What::PrincipalDeleted { who: self.target_by_name()? },
            "CreateVirtualMFADevice" => What::DeviceRegistered { device: self.made()?, by: made_by() },
            "EnableMFADevice" => What::DeviceAssigned { who: self.target()?, device: self.owned()? },
            "DeactivateMFADevice" => What::DeviceUnassigned { who: self.target()?, device: self.owned()? },
            "ResyncMFADevice" => What::DeviceResynced { who: self.target()?, device: self.owned()? },
            "DeleteVirtualMFADevice" => What::DeviceDestroyed { device: self.owned()?, by: made_by() },
            "CreateLoginProfile" => What::ConsolePasswordSet { who: self.target()?, by: "CreateLoginProfile" },
            "UpdateLoginProfile" => What::ConsolePasswordSet { who: self.target()?, by: "UpdateLoginProfile" },
            "ChangePassword" => What::ConsolePasswordSet { who: self.actor.who.clone()?, by: "ChangePassword" },
            "DeleteLoginProfile" => What::ConsolePasswordRemoved { who: self.target()? },
            _ => return None,
        })
    }

    /// A change whose record does not say of what. A new path of a user is none.
    fn untold(&self, name: &str) -> Option<What> {
        let who = match name {
            "EnableMFADevice" | "DeactivateMFADevice" | "ResyncMFADevice" => self.target(),
            "CreateUser" | "DeleteUser" | "CreateLoginProfile" | "DeleteLoginProfile" => None,
            "UpdateUser" if self.request.get("newPath").is_none() => None,
            _ => return None,
        };
        Some(What::ChangeUntold { who, name: Arc::from(name) })
    }

    /// At whom a call is aimed that never means its caller.
    fn target_by_name(&self) -> Option<Who> {
        text(self.request, &["userName"]).and_then(|_| self.target())
    }

    /// A device that a request names, in the account that its ARN names when a management account acts on a member.
    fn owned(&self) -> Option<Device> {
        let serial = self.serial()?;
        let elsewhere = account_of_arn(&serial).filter(|_| self.actor.kind == ActorKind::AssumedRoot);
        let account = elsewhere.map_or_else(|| Arc::clone(&self.account), Arc::from);
        Some(Device { account, serial })
    }

    fn created(&self) -> Option<Who> {
        let name = shared(self.response, &["user", "userName"]).or_else(|| shared(self.request, &["userName"]));
        let uid = shared(self.response, &["user", "userId"]).filter(|id| is_uid(id));
        let name = name.filter(|name| &**name != HIDDEN);
        let known = name.is_some() || uid.is_some();
        known.then(|| Who::User { account: Arc::clone(&self.account), name, uid })
    }

    fn made(&self) -> Option<Device> {
        let named = || {
            let name = text(self.request, &["virtualMFADeviceName"])?;
            let path = text(self.request, &["path"]).unwrap_or_else(|| "/".into());
            Some(Arc::from(format!("arn:aws:iam::{}:mfa{path}{name}", self.account)))
        };
        let serial = shared(self.response, &["virtualMFADevice", "serialNumber"]).or_else(named)?;
        Some(self.device(serial))
    }

    fn of_sign_in(&self, name: &str, failed: bool) -> Option<What> {
        let success = !failed && text(self.response, &[name]).as_deref() == Some("Success");
        let extra = self.value.get("additionalEventData").unwrap_or(&Value::Null);
        match name {
            "CheckMfa" if success => {
                let kind = shared(extra, &["MfaType"])?;
                let who = self.actor.who.clone()?;
                Some(What::MfaUseObserved { who, device: None, via: Via::Check(kind) })
            }
            "CheckMfa" => {
                let error = shared(self.value, &["errorMessage"]).unwrap_or_else(|| Arc::from("Failure"));
                Some(What::AttemptFailed { who: self.actor.who.clone(), name: Arc::from(name), error, device: None })
            }
            "ConsoleLogin" => Some(self.console_login(extra, success)),
            _ => None,
        }
    }

    fn console_login(&self, extra: &Value, success: bool) -> What {
        let person = matches!(self.actor.kind, ActorKind::User | ActorKind::Root | ActorKind::AssumedRoot);
        let federated = !person || text(extra, &["SamlProviderArn"]).is_some();
        let class = match text(extra, &["MFAUsed"]) {
            _ if federated => SignInClass::Federated,
            Some(used) if used.eq_ignore_ascii_case("yes") => SignInClass::Mfa,
            Some(used) if used.eq_ignore_ascii_case("no") => SignInClass::NoMfa,
            _ => SignInClass::Unknown,
        };
        let subject = match &self.actor.who {
            _ if federated && &*self.actor.label != HIDDEN => Subject::Elsewhere(Arc::clone(&self.actor.label)),
            Some(who) => Subject::Principal(who.clone()),
            _ => Subject::Hidden,
        };
        let device = shared(extra, &["MFAIdentifier"]).map(|serial| self.device(serial));
        What::SignInObserved { subject, class, success, device: device.filter(|_| class == SignInClass::Mfa) }
    }

    fn of_sts(&self, name: &str) -> Option<What> {
        let via = match name {
            "GetSessionToken" => "GetSessionToken",
            "AssumeRole" => "AssumeRole",
            _ => return None,
        };
        let (serial, who) = (self.serial()?, self.actor.who.clone()?);
        let account = Arc::clone(who.account());
        Some(What::MfaUseObserved { who, device: Some(Device { account, serial }), via: Via::Token(via) })
    }
}

/// Whether a call to IAM is about users, devices or console passwords.
pub(crate) fn is_of_iam(name: &str) -> bool {
    matches!(
        name,
        "CreateUser"
            | "UpdateUser"
            | "DeleteUser"
            | "CreateVirtualMFADevice"
            | "EnableMFADevice"
            | "DeactivateMFADevice"
            | "ResyncMFADevice"
            | "DeleteVirtualMFADevice"
            | "CreateLoginProfile"
            | "UpdateLoginProfile"
            | "DeleteLoginProfile"
            | "ChangePassword"
    )
}

/// The length of the longest name in an event.
fn longest(what: &What, by: &Actor) -> usize {
    fn of_who(who: &Who) -> usize {
        match who {
            Who::Root { account } => account.len(),
            Who::User { account, name, uid } => {
                let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
                account.len().max(length(name)).max(length(uid))
            }
        }
    }
    let of_device = |device: &Device| device.account.len().max(device.serial.len());
    let own = match what {
        What::PrincipalCreated { who }
        | What::PrincipalDeleted { who }
        | What::ConsolePasswordSet { who, .. }
        | What::ConsolePasswordRemoved { who }
        | What::StateAnchored { who, .. } => of_who(who),
        What::PrincipalRenamed { who, to } => of_who(who).max(to.len()),
        What::DeviceRegistered { device, by } | What::DeviceDestroyed { device, by } => {
            of_device(device).max(by.as_ref().map_or(0, of_who))
        }
        What::DeviceAssigned { who, device }
        | What::DeviceUnassigned { who, device }
        | What::DeviceResynced { who, device } => of_who(who).max(of_device(device)),
        What::MfaUseObserved { who, device, .. } => of_who(who).max(device.as_ref().map_or(0, of_device)),
        What::SignInObserved { subject, device, .. } => {
            let subject = match subject {
                Subject::Principal(who) => of_who(who),
                Subject::Elsewhere(label) => label.len(),
                Subject::Hidden => 0,
            };
            subject.max(device.as_ref().map_or(0, of_device))
        }
        What::ChangeUntold { who, name } => who.as_ref().map_or(0, of_who).max(name.len()),
        What::AttemptFailed { who, name, error, .. } => who.as_ref().map_or(0, of_who).max(name.len()).max(error.len()),
    };
    own.max(by.label.len()).max(by.who.as_ref().map_or(0, of_who))
}
