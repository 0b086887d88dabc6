//! Policies on the command line: a preset, or a file of the fields that differ from one.
//!
//! ```toml
//! preset = "classic"
//! code_attempts_max = 5
//! code_order = "increasing"
//! ```

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::ValueEnum;
use countersign_domain::policy::{CodeOrder, PairCodes, Policy};
use countersign_domain::sms::{Countries, Country};

use super::error::OwnError;
use super::words::shown;

/// The most that a policy file may have, in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// One of the presets of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// One device of any kind per principal.
    Classic,
    /// Up to eight devices, and the self-management rule.
    Modern,
    /// Safety over fidelity.
    Strict,
}

impl Preset {
    /// The rules.
    #[must_use]
    pub const fn policy(self) -> Policy {
        match self {
            Self::Classic => Policy::classic(),
            Self::Modern => Policy::modern(),
            Self::Strict => Policy::strict(),
        }
    }
}

/// Reads a policy from a file.
///
/// # Errors
/// When the file cannot be read, has an unknown field or a value that the field cannot have, or makes no sense as a whole.
pub fn read(file: &Path) -> Result<Policy, OwnError> {
    let failed = |what: &dyn fmt::Display| OwnError::Usage(format!("policy file `{}`: {what}", file.display()));
    let mut text = String::new();
    let opened = File::open(file).map_err(|cause| failed(&cause))?;
    opened.take(BYTES_MAX).read_to_string(&mut text).map_err(|cause| failed(&cause))?;
    parse(&text).map_err(|cause| failed(&cause))
}

/// Reads a policy from text.
///
/// ```
/// use countersign_replay::own::policy_file::parse;
///
/// assert_eq!(parse("preset = \"strict\"\ncode_attempts_max = 4")?.code_attempts_max, 4);
/// assert!(parse("code_atempts_max = 4").is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(text: &str) -> Result<Policy, String> {
    let mut table: toml::Table = toml::from_str(text).map_err(|cause| shown(cause.message()))?;
    let mut policy = match table.remove("preset") {
        None => Policy::classic(),
        Some(toml::Value::String(name)) => match Preset::from_str(&name, false) {
            Ok(preset) => preset.policy(),
            Err(_) => return Err(format!("there is no preset `{}`", shown(&name))),
        },
        Some(_) => return Err("`preset` is a text".to_owned()),
    };
    for (field, value) in &table {
        set(&mut policy, field, value).map_err(|what| format!("field `{}`: {what}", shown(field)))?;
    }
    policy.check().map_err(|cause| cause.to_string())?;
    Ok(policy)
}

fn number<T: TryFrom<i64>>(value: &toml::Value) -> Result<T, &'static str> {
    let number = value.as_integer().ok_or("it is a whole number")?;
    T::try_from(number).map_err(|_| "the number is out of range")
}

fn switch(value: &toml::Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("it is true or false")
}

fn pair_codes(value: &toml::Value) -> Result<PairCodes, &'static str> {
    match value.as_str() {
        Some("spent") => Ok(PairCodes::Spent),
        Some("once_more") => Ok(PairCodes::OnceMore),
        _ => Err("it is `spent` or `once_more`"),
    }
}

fn code_order(value: &toml::Value) -> Result<CodeOrder, &'static str> {
    match value.as_str() {
        Some("each_once") => Ok(CodeOrder::EachOnce),
        Some("increasing") => Ok(CodeOrder::Increasing),
        _ => Err("it is `each_once` or `increasing`"),
    }
}

fn countries(value: &toml::Value) -> Result<Countries, &'static str> {
    let wrong = "it is `all`, or a list of countries such as [\"DE\", \"FR\"]";
    if value.as_str() == Some("all") {
        return Ok(Countries::ALL);
    }
    let list = value.as_array().ok_or(wrong)?;
    list.iter().try_fold(Countries::NONE, |set, one| {
        let country = one.as_str().and_then(Country::parse).ok_or(wrong)?;
        Ok(set.with(country))
    })
}

macro_rules! fields {
    ($( $read:ident: $($name:ident)*; )*) => {
        fn set(policy: &mut Policy, field: &str, value: &toml::Value) -> Result<(), &'static str> {
            match field {
                $( $( stringify!($name) => policy.$name = $read(value)?, )* )*
                _ => return Err("no policy has it"),
            }
            Ok(())
        }

        #[cfg(test)]
        const FIELDS: &[&str] = &[ $( $( stringify!($name) ),* ),* ];
    };
}

fields! {
    number:
        devices_per_principal_max virtual_devices_per_account_max users_per_account_max step_s pair_back_steps
        pair_ahead_steps code_window_steps code_attempts_max pair_attempts_max attempt_window_s sts_propagation_ms
        misses_before_resync clock_back_max_s sign_in_life_s challenges_max key_challenge_life_s sms_code_life_s
        sms_tries_max sms_again_after_s sms_sends_max sms_sends_window_s sms_change_pause_s sms_submits_max
        sms_unknowns_max sms_budget_window_s sms_number_max sms_prefix_max sms_country_max sms_account_max
        sms_spend_max_micros sms_conversion_sample sms_conversion_min_percent sms_block_s alternative_life_s
        alternative_tries_max;
    switch: self_management_needs_mfa atomic_rotation security_keys passkeys sms_enrolment;
    pair_codes: pair_codes_at_sign_in pair_codes_at_sts;
    code_order: code_order;
    countries: sms_countries;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let text = "preset = \"strict\"\ncode_attempts_max = 7\ncode_order = \"each_once\"\npasskeys = false\n\
                    pair_codes_at_sts = \"once_more\"\nsms_countries = [\"DE\"]\n";
        let expected = Policy {
            code_attempts_max: 7,
            code_order: CodeOrder::EachOnce,
            passkeys: false,
            pair_codes_at_sts: PairCodes::OnceMore,
            sms_countries: Countries::NONE.with(Country::parse("DE").unwrap()),
            ..Policy::strict()
        };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse(""), Ok(Policy::classic()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, said) in [
            ("preset = \"lax\"", "there is no preset `lax`"),
            ("code_attempts = 3", "field `code_attempts`: no policy has it"),
            ("step_s = -1", "field `step_s`: the number is out of range"),
            ("step_s = 0", "policy field `step_s` is 0, outside 1 to 3600"),
            ("passkeys = 1", "field `passkeys`: it is true or false"),
            ("code_order = \"up\"", "field `code_order`: it is `each_once` or `increasing`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), said);
        }
    }

    #[test]
    fn every_field_can_be_set() {
        let shown = format!("{:?}", Policy::classic());
        let fields = shown.matches(": ").count();
        assert_eq!(FIELDS.len(), fields, "{shown}");
    }
}
