//! What things are called on the pages.

use crate::engine::{
    AccountId, Countersign, Credential, DeviceKind, DeviceView, KeyForm, PhoneFault, Policy, PrincipalId, Rejection,
    Serial, SmsDelivery, SmsDropReason, SmsState, UnixMillis, UserView,
};

/// Length of the random end of a security key's ARN, with its hyphen (R35).
const KEY_ENDING_CHARS: usize = 27;

/// What is answered to every code that is refused: wrong, used, early, late and locked are one (NT-17).
pub(super) const CODE_REFUSED: &str = "That code was not accepted. Wait for the next one and try that. After several wrong \
     codes you have to wait for up to three minutes.";
/// The same for a code that was sent.
pub(super) const SENT_CODE_REFUSED: &str = "That code was not accepted. Type the newest code that was sent to you, or ask \
     for another one. After several wrong codes you need a new one.";
/// The same for two codes.
pub(super) const PAIR_REFUSED: &str = "Those codes were not accepted. Type two new codes that the device shows one after the \
     other, the first one first. After several tries you have to wait for up to three minutes.";
/// What is said where this server has nothing to send with.
pub(super) const NO_TRANSPORT: &str =
    "Messages cannot be sent by this server, or not to this number. Ask whoever operates it.";
/// What a field that wants a code says to anything else.
pub(super) const CODE_FORM: &str = "A code has six digits.";

/// The name of a principal.
pub(super) fn principal(user: &UserView) -> String {
    if user.id.is_root() { "Root user".to_owned() } else { user.name.to_string() }
}

/// An account, by its alias if it has one.
pub(super) fn account(engine: &Countersign, account: AccountId) -> String {
    let view = engine.account(account);
    view.and_then(|view| view.settings.alias).map_or_else(|| account.to_string(), |alias| alias.to_string())
}

/// How far a session was proven, and the style of it.
pub(super) const fn level(credential: Credential) -> (&'static str, &'static str) {
    match credential {
        Credential::Session { mfa_at: Some(_) } => ("Signed in with MFA", "mfa"),
        Credential::Recovered => ("Signed in with alternative factors", "recovered"),
        _ => ("Signed in without MFA", "none"),
    }
}

/// The kind of a device, as the users table has it (R156).
pub(super) const fn kind(device: &DeviceView, policy: &Policy) -> &'static str {
    match (device.kind, device.key) {
        (DeviceKind::VirtualTotp, _) => "Virtual",
        (DeviceKind::HardwareTotp, _) => "Hardware",
        (DeviceKind::Sms, _) => "SMS",
        (DeviceKind::SecurityKey, Some(key)) if matches!(key.form, KeyForm::Passkey) => "Passkey",
        (DeviceKind::SecurityKey, _) if policy.passkeys => "Security key",
        (DeviceKind::SecurityKey, _) => "U2F Security Key",
    }
}

/// The MFA column of a user (R156).
pub(super) fn mfa(devices: &[DeviceView], policy: &Policy) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for device in devices {
        let kind = kind(device, policy);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { "Not enabled".to_owned() } else { kinds.join(", ") }
}

/// What a person calls a device: the name in its ARN, its masked number, or what is printed on it.
pub(super) fn device(device: &DeviceView) -> String {
    if let Some(phone) = &device.phone {
        return phone.clone();
    }
    device_name(&device.serial)
}

/// The name in a serial number.
pub(super) fn device_name(serial: &Serial) -> String {
    let text = serial.as_str();
    match serial.kind() {
        DeviceKind::HardwareTotp => text.to_owned(),
        DeviceKind::SecurityKey => {
            let last = text.rsplit('/').next().unwrap_or(text);
            let end = last.len().saturating_sub(KEY_ENDING_CHARS);
            let named = last.is_char_boundary(end) && end > 0 && last[end..].starts_with('-');
            if named { last[..end].to_owned() } else { last.to_owned() }
        }
        _ => text.rsplit('/').next().unwrap_or(text).to_owned(),
    }
}

/// A remark behind the identifier: classic consoles mark U2F keys (R157).
pub(super) const fn remark(device: &DeviceView, policy: &Policy) -> &'static str {
    if matches!(device.kind, DeviceKind::SecurityKey) && !policy.passkeys { "(U2F security key)" } else { "" }
}

/// An e-mail address of which little is shown.
pub(super) fn masked_email(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{}•••@{domain}", local.chars().next().unwrap_or('•')),
        None => "•••".to_owned(),
    }
}

/// How long something takes from now on.
pub(super) fn wait(until: UnixMillis, now: UnixMillis) -> String {
    let seconds = until.0.saturating_sub(now.0).div_ceil(1000).max(1);
    match seconds {
        1 => "1 second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// A secret in groups of four, to be typed.
pub(super) fn grouped(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    chars.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Why the engine refuses, for the person who asked.
pub(super) fn rejection(rejection: &Rejection, now: UnixMillis) -> String {
    let text = match rejection {
        Rejection::SelfManagementNeedsMfa => {
            "This session was opened without your MFA device, so it cannot change your devices and what guards your account. \
             Sign in again with MFA."
        }
        Rejection::ChannelNotAllowed => "That cannot be done here, or not by you.",
        Rejection::PrincipalUnknown => "This user does not exist any more.",
        Rejection::NameTaken => "Another user of the account has this name.",
        Rejection::AliasTaken => "Another account has this alias.",
        Rejection::AccountUnknown => "There is no such account.",
        Rejection::DeviceUnknown { .. } => "There is no device of this serial number.",
        Rejection::DeviceNotYours => "This device is not enabled any more.",
        Rejection::ClockWentBack { .. } => "The server's clock was set back, so codes cannot be checked safely now.",
        Rejection::ChallengeUnknown => "That took too long, or was done before. Start again.",
        Rejection::FactorUnknown => "The sign-in does not ask for this device.",
        Rejection::AlternativeFactorsNotOffered => {
            "Signing in by alternative factors is not possible for this account."
        }
        Rejection::KeyFormNotOffered => "Keys of this kind cannot be registered under the rules of this account.",
        Rejection::SmsNotOffered => "An SMS device cannot be enabled here.",
        Rejection::PhoneNotUsable { fault } => phone_fault(*fault),
        Rejection::CountryNotServed => {
            "Codes are not sent to phones of this country. Use another kind of MFA device, or a number of another country."
        }
        // Whose codes made it so is nobody's business here.
        Rejection::PrefixBlocked { .. } => "No codes can be sent to this number for now. Try again another day.",
        Rejection::SmsBudgetSpent { again_at, .. } => {
            return format!("No more codes can be sent for now. Try again in {}.", wait(*again_at, now));
        }
        Rejection::DeviceAlreadyYours => "This device is enabled already.",
        Rejection::DeviceInUse => "This device is in use by somebody else.",
        Rejection::DeviceExists => {
            "There is a device of this name already. It may be left over from an earlier try; then an administrator can \
             delete it."
        }
        Rejection::DeviceAssigned => "This device is in use. Deactivate it first.",
        Rejection::PrincipalHasDevices => "This user still has a device.",
        Rejection::RotationNotAtomic => "Under the rules of this account, remove the old device first.",
        Rejection::PrincipalDeviceLimit { max: 1 } => "One MFA device is the limit. Remove it first.",
        Rejection::PrincipalDeviceLimit { max } => {
            return format!("{max} MFA devices are the limit. Remove one first.");
        }
        Rejection::AccountDeviceLimit { .. } => "The account has as many virtual devices as it may have.",
        Rejection::AccountUserLimit { .. } => "The account has as many users as it may have.",
        Rejection::TooManyChallenges { again_at } => {
            return format!("There were too many tries. Try again in {}.", wait(*again_at, now));
        }
        Rejection::TooSoon { again_at } => {
            return format!("Another code can be sent in {}.", wait(*again_at, now));
        }
        _ => return format!("That is not possible: {rejection}."),
    };
    text.to_owned()
}

/// Why no code is sent to a number.
const fn phone_fault(fault: PhoneFault) -> &'static str {
    match fault {
        PhoneFault::NotAllocated => "This number does not exist. Check the country code and the digits.",
        PhoneFault::NotMobile => "Codes can only be sent to a mobile phone.",
        PhoneFault::Premium => "Codes cannot be sent to a number that costs extra. Use that of a mobile phone.",
        PhoneFault::VoiceOverIp => "Codes cannot be sent to an Internet telephone number. Use that of a mobile phone.",
        PhoneFault::Company => "Codes cannot be sent to a service number. Use that of a mobile phone.",
    }
}

/// What is said above the field for a code that was sent by SMS, and what is said besides when it will not come.
pub(super) fn sms(state: SmsState, to: &str) -> (String, Option<&'static str>) {
    if state.is_given_up() {
        let text = format!("A code was to go by SMS to {to}. Ask for another one with Resend Code, and type it here.");
        return (text, Some(sms_failure(state)));
    }
    let text = match state {
        SmsState::Reported(SmsDelivery::Delivered) => format!("We sent a code by SMS to {to}. Type it here."),
        _ => format!("A code is on its way to {to} by SMS. Type it here."),
    };
    (text, None)
}

/// Why a code will not come, for the person who waits for it.
const fn sms_failure(state: SmsState) -> &'static str {
    match state {
        SmsState::Dropped(SmsDropReason::NoRoute) => NO_TRANSPORT,
        SmsState::Dropped(SmsDropReason::Budget) => "No more messages can be sent for now. Try again later.",
        SmsState::Dropped(SmsDropReason::PrefixBlocked) => {
            "No messages can be sent to this number for now. Try again another day."
        }
        SmsState::Dropped(SmsDropReason::Void) => "This code is not good any more.",
        SmsState::Reported(_) => "The message did not reach the phone. See that it is switched on and has reception.",
        _ => "The message could not be sent. Try Resend Code in a moment.",
    }
}

/// Why a message was given up, for administrators.
pub(super) const fn given_up(state: SmsState) -> &'static str {
    match state {
        SmsState::Dropped(reason) => match reason {
            SmsDropReason::Expired => "The code's time was over before a gateway took it",
            SmsDropReason::Void => "Nobody waits for the code: another one took its place, or the sign-in was over",
            SmsDropReason::Refused => "The gateway refused it",
            SmsDropReason::NoRoute => "No route carries messages to this number",
            SmsDropReason::SubmitsSpent => "No gateway took it, as often as it may be tried",
            SmsDropReason::Unknown => "Whether a gateway took it is not known",
            SmsDropReason::Budget => "The money for this budget window was spent",
            SmsDropReason::PrefixBlocked => "Nothing is sent to numbers like this one for now",
        },
        SmsState::Reported(delivery) => match delivery {
            SmsDelivery::Undeliverable => "The gateway took it; the phone could not be reached",
            SmsDelivery::Expired => "The gateway took it; the phone was not reached in time",
            SmsDelivery::Rejected => "The gateway took it; the network refused it",
            SmsDelivery::Deleted => "The gateway took it, and withdrew it",
            SmsDelivery::Enroute | SmsDelivery::Unknown | SmsDelivery::Delivered => "It was not given up",
        },
        SmsState::Waiting | SmsState::Submitting | SmsState::Taken => "It was not given up",
    }
}

/// Whether a principal is named after its user: before November 2022 its virtual device was, too (R21).
pub(super) const fn devices_have_names(policy: &Policy) -> bool {
    policy.devices_per_principal_max > 1
}

/// The name of a virtual device where people do not choose one (R21).
pub(super) fn classic_device_name(user: &UserView) -> String {
    match &user.id {
        PrincipalId::Root(_) => "root-account-mfa-device".to_owned(),
        PrincipalId::User(..) => user.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_by_the_name_in_its_arn() {
        let name = |serial: &str| device_name(&Serial::new(serial).unwrap());
        assert_eq!(name("arn:aws:iam::123456789012:mfa/ops/lee-phone"), "lee-phone");
        assert_eq!(name("GAHT12345678"), "GAHT12345678");
        assert_eq!(name("arn:aws:iam::123456789012:u2f/user/lee/blue-key-ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "blue-key");
        assert_eq!(name("arn:aws:iam::123456789012:u2f/user/lee/x"), "x");
    }

    #[test]
    fn whoever_waits_in_vain_is_told_and_nobody_else() {
        let states = SmsDelivery::ALL.iter().map(|delivery| SmsState::Reported(*delivery));
        let states = states.chain(SmsDropReason::ALL.iter().map(|reason| SmsState::Dropped(*reason)));
        for state in states.chain([SmsState::Waiting, SmsState::Submitting, SmsState::Taken]) {
            let (text, warning) = sms(state, "+•••1234");
            assert!(text.contains("+•••1234"));
            assert_eq!((warning.is_some(), text.contains("Resend Code")), (state.is_given_up(), state.is_given_up()));
        }
        assert!(sms(SmsState::Waiting, "x").0.contains("on its way"));
    }

    #[test]
    fn waits_and_secrets_are_readable() {
        let wait_s = |seconds: u64| wait(UnixMillis::from_secs(100 + seconds), UnixMillis::from_secs(100));
        assert_eq!([wait_s(0), wait_s(30), wait_s(91)], ["1 second", "30 seconds", "2 minutes"]);
        assert_eq!(grouped("ABCDEFGHI"), "ABCD EFGH I");
        assert_eq!((masked_email("owner@example.com"), masked_email("x")), ("o•••@example.com".into(), "•••".into()));
    }
}
