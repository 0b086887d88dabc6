//! What an account has chosen: its alias, its rules, and what its people are offered.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::AccountId;
use crate::policy::{CodeOrder, PairCodes, Policy};
use crate::wire_enum;

wire_enum! {
    /// Who may enable an SMS device (R126, A16). Devices that exist go on working in every state, and can be
    /// deactivated.
    pub enum SmsEligibility {
        /// Any user.
        Open = 1,
        /// Users who had one before.
        ExistingOnly = 2,
        /// Users who had one before; everybody is told that support will end.
        Ending = 3,
        /// Nobody.
        Ended = 4,
    }
}

wire_enum! {
    /// A set of rules that an account chose.
    pub enum Preset {
        /// [`Policy::classic`].
        Classic = 1,
        /// [`Policy::modern`].
        Modern = 2,
        /// [`Policy::strict`].
        Strict = 3,
    }
}

impl Preset {
    /// The rules: what makes an era is the preset's (devices per principal, kinds, rotation, self-management), and the
    /// numbers are the deployment's, or the preset's where those are stricter. So an account tightens what its operator
    /// chose, and never loosens it.
    #[must_use]
    pub fn policy(self, deployment: &Policy) -> Policy {
        let preset = match self {
            Self::Classic => Policy::classic(),
            Self::Modern => Policy::modern(),
            Self::Strict => Policy::strict(),
        };
        let spent = |one: PairCodes, other: PairCodes| if one == PairCodes::Spent { one } else { other };
        let forwards = preset.code_order == CodeOrder::Increasing;
        let security_keys = preset.security_keys && deployment.security_keys;
        Policy {
            devices_per_principal_max: preset.devices_per_principal_max,
            self_management_needs_mfa: preset.self_management_needs_mfa || deployment.self_management_needs_mfa,
            atomic_rotation: preset.atomic_rotation,
            security_keys,
            // Keys that verify their user are the stricter ones: where the others are not taken, these are.
            passkeys: preset.passkeys || !security_keys,
            sms_enrolment: preset.sms_enrolment && deployment.sms_enrolment,
            pair_back_steps: preset.pair_back_steps.min(deployment.pair_back_steps),
            pair_ahead_steps: preset.pair_ahead_steps.min(deployment.pair_ahead_steps),
            code_window_steps: preset.code_window_steps.min(deployment.code_window_steps),
            code_attempts_max: preset.code_attempts_max.min(deployment.code_attempts_max),
            pair_attempts_max: preset.pair_attempts_max.min(deployment.pair_attempts_max),
            code_order: if forwards { preset.code_order } else { deployment.code_order },
            pair_codes_at_sign_in: spent(preset.pair_codes_at_sign_in, deployment.pair_codes_at_sign_in),
            pair_codes_at_sts: spent(preset.pair_codes_at_sts, deployment.pair_codes_at_sts),
            ..deployment.clone()
        }
    }
}

/// The settings of an account. What nobody chose is as in [`Settings::default`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// A name that stands for the account's number at sign-in.
    pub alias: Option<AccountAlias>,
    /// Who may enable an SMS device (A16).
    pub sms: SmsEligibility,
    /// Whether root may sign in by e-mail and phone when its device is lost (R130).
    pub alternative_factors: bool,
    /// The account's own rules; `None` is the deployment's.
    pub preset: Option<Preset>,
    /// The account whose root has the same e-mail address, and whose device is asked for as well (R5, A6).
    pub associate: Option<AccountId>,
}

impl Settings {
    /// Folds an event of an account's stream; whether it was one of the settings.
    pub fn fold(&mut self, event: &Event) -> bool {
        match event {
            Event::AliasChanged(changed) => self.alias.clone_from(&changed.alias),
            Event::SmsEligibilityChanged(changed) => self.sms = changed.eligibility,
            Event::AlternativeFactorsSwitched(switched) => self.alternative_factors = switched.allowed,
            Event::PolicyChosen(chosen) => self.preset = chosen.preset,
            Event::RootLinked(linked) => self.associate = linked.associate,
            _ => return false,
        }
        true
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { alias: None, sms: SmsEligibility::Open, alternative_factors: true, preset: None, associate: None }
    }
}

/// A name that stands for an account's number: 3 to 63 lower-case letters, digits and single hyphens inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountAlias(String);

impl AccountAlias {
    /// Checks and wraps an alias.
    ///
    /// # Errors
    /// When it has another form, or could be taken for an account's number.
    pub fn new(text: impl Into<String>) -> Result<Self, AliasError> {
        let text = text.into();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let framed = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        let number = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if (3..=63).contains(&text.len()) && text.bytes().all(allowed) && framed && !number {
            Ok(Self(text))
        } else {
            Err(AliasError)
        }
    }

    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AccountAlias {
    type Error = AliasError;
    fn try_from(text: String) -> Result<Self, AliasError> {
        Self::new(text)
    }
}

impl From<AccountAlias> for String {
    fn from(alias: AccountAlias) -> Self {
        alias.0
    }
}

impl fmt::Display for AccountAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasError;

impl fmt::Display for AliasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an account alias has 3 to 63 lower-case letters, digits and single hyphens, and is no account number",
        )
    }
}

impl core::error::Error for AliasError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_no_number_and_has_its_hyphens_inside() {
        for good in ["abc", "example-corp", "a1b", "1234567890123"] {
            assert!(AccountAlias::new(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "-ab", "ab-", "a--b", "Abc", "a_b", "123456789012"] {
            assert_eq!(AccountAlias::new(bad), Err(AliasError), "{bad}");
        }
    }
}
