//! Every number and switch of the rules, with three presets.

use core::fmt;

use crate::sms::Countries;

/// The rules that a deployment chose. All numbers of the engine are here.
///
/// Start from a preset and change what you need; [`Policy::check`] says whether the result makes
/// sense, and the engine refuses to open with one that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Devices that one principal may have enabled, of any kind: 1 to 8 (R3, R172, A7).
    pub devices_per_principal_max: u8,
    /// Virtual devices, assigned or not, that an account may have (R22).
    pub virtual_devices_per_account_max: u32,
    /// Users that an account may have (R22).
    pub users_per_account_max: u32,
    /// Length of a time step in seconds (R14; RFC 6238 section 4.1). What was learned of a device counts in
    /// steps: change this only while there are no devices.
    pub step_s: u32,
    /// How far behind the device's time a pair is searched, in steps (R81): 0 to 1000.
    pub pair_back_steps: u16,
    /// How far ahead of the device's time a pair is searched, in steps (R81): 0 to 1000.
    pub pair_ahead_steps: u16,
    /// Look-ahead and look-behind window of a single code, in steps (R86): 0 to 10.
    pub code_window_steps: u8,
    /// Codes evaluated per device in one attempt window (R91).
    pub code_attempts_max: u32,
    /// Pairs evaluated per device in one attempt window (R93 leaves it open; NT-15 asks for one).
    pub pair_attempts_max: u32,
    /// Length of an attempt window, aligned to UTC, in seconds (R91).
    pub attempt_window_s: u32,
    /// Whether an unused code may be accepted after a later one was (R88, A3).
    pub code_order: CodeOrder,
    /// Whether the codes of an enable or resync pair may sign in once more (R90, A43).
    pub pair_codes_at_sign_in: PairCodes,
    /// Whether the codes of an enable or resync pair may get an STS session once more (R90, A43).
    pub pair_codes_at_sts: PairCodes,
    /// Whether a user with a device needs an MFA session to change devices (R180).
    pub self_management_needs_mfa: bool,
    /// Whether one command may put a new device in the place of an old one (R79).
    pub atomic_rotation: bool,
    /// For how long after a change STS answers "unable to validate", in milliseconds (R95, A30).
    pub sts_propagation_ms: u32,
    /// Consecutive refused codes after which a resync is offered (R102, A4).
    pub misses_before_resync: u8,
    /// How far the clock may go back before codes are no longer checked, in seconds (A40).
    pub clock_back_max_s: u32,
    /// Whether security keys that are only touched may be registered (R30..R35).
    pub security_keys: bool,
    /// Whether passkeys, which verify their user, may be registered (R177).
    pub passkeys: bool,
    /// Whether SMS devices may be enabled, where the account allows it (R170, A16).
    pub sms_enrolment: bool,
    /// For how long a sign-in may be completed after the password, in seconds: 60 to 3600.
    pub sign_in_life_s: u32,
    /// Challenges to keys in one sign-in, and registrations of keys begun in one attempt window: 1 to 1000.
    pub challenges_max: u32,
    /// For how long a challenge to a security key may be answered, in seconds: 10 to 600.
    pub key_challenge_life_s: u32,
    /// For how long a code that was sent by SMS is good, in seconds (A15): 60 to 600, the most that NIST SP 800-63B,
    /// section 5.1.3.2, allows.
    pub sms_code_life_s: u32,
    /// Tries at one code that was sent (A15): 1 to 100.
    pub sms_tries_max: u8,
    /// Pause before another code may be sent by SMS, or another recovery mail or call made, in seconds (A15): 0 to 3600.
    pub sms_again_after_s: u32,
    /// Codes by SMS, recovery mails, and recovery calls, each, for one principal in a sending window (A15): 1 to 1000.
    pub sms_sends_max: u32,
    /// Length of a sending window, aligned to UTC, in seconds (A15): 1 to 86400.
    pub sms_sends_window_s: u32,
    /// Pause before an SMS device may be enrolled after one was given up, in seconds (NT-43): 0 to 604800.
    pub sms_change_pause_s: u32,
    /// Tries to hand one code over to gateways, over again each time it is wanted after all: 1 to 100.
    pub sms_submits_max: u8,
    /// How often a code is handed over again after nobody knows whether it was taken: 0 to 5. Each may be paid for.
    pub sms_unknowns_max: u8,
    /// Length of a budget window of the whole deployment, aligned to UTC, in seconds: 60 to 86400. The budgets, and the
    /// countries, are the deployment's: what an account chooses does not change them.
    pub sms_budget_window_s: u32,
    /// Codes to one number in a budget window: 1 to 1000.
    pub sms_number_max: u32,
    /// Codes to one prefix, the number without its last four digits, in a budget window.
    pub sms_prefix_max: u32,
    /// Codes to one country in a budget window.
    pub sms_country_max: u32,
    /// Codes of one account in a budget window.
    pub sms_account_max: u32,
    /// What all codes of a budget window may cost, in millionths of the deployment's currency.
    pub sms_spend_max_micros: u64,
    /// Countries that codes are sent to.
    pub sms_countries: Countries,
    /// Codes sent to a prefix, and settled, that say enough about it: 1 and more.
    pub sms_conversion_sample: u32,
    /// Of these, how many in a hundred have to be used; with fewer, nothing is sent to the prefix for a time: 0 to 100, 0
    /// never stops.
    pub sms_conversion_min_percent: u8,
    /// For how long a prefix stays blocked, in seconds: 60 to 604800.
    pub sms_block_s: u32,
    /// For how long an alternative factor may be proven, in seconds (A22): 60 to 3600.
    pub alternative_life_s: u32,
    /// Tries at one alternative factor: 1 to 100.
    pub alternative_tries_max: u8,
}

/// In which order the codes of one device are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeOrder {
    /// Each code once, in any order inside the window (R88).
    EachOnce,
    /// Each code once and only forwards, as RFC 6238 section 5.2 advises.
    Increasing,
}

/// What becomes of the codes of an accepted pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairCodes {
    /// They are spent.
    Spent,
    /// Each may still be used once as a single code.
    OnceMore,
}

impl Policy {
    /// The rules of 2019-20: one device of any kind per principal.
    #[must_use]
    pub const fn classic() -> Self {
        Self {
            devices_per_principal_max: 1,
            virtual_devices_per_account_max: 5000,
            users_per_account_max: 5000,
            step_s: 30,
            pair_back_steps: 998,
            pair_ahead_steps: 1000,
            code_window_steps: 2,
            code_attempts_max: 9,
            pair_attempts_max: 9,
            attempt_window_s: 180,
            code_order: CodeOrder::EachOnce,
            pair_codes_at_sign_in: PairCodes::Spent,
            pair_codes_at_sts: PairCodes::OnceMore,
            self_management_needs_mfa: false,
            atomic_rotation: false,
            sts_propagation_ms: 0,
            misses_before_resync: 3,
            clock_back_max_s: 60,
            security_keys: true,
            passkeys: false,
            sms_enrolment: true,
            sign_in_life_s: 600,
            challenges_max: 30,
            key_challenge_life_s: 300,
            sms_code_life_s: 300,
            sms_tries_max: 5,
            sms_again_after_s: 30,
            sms_sends_max: 5,
            sms_sends_window_s: 900,
            sms_change_pause_s: 600,
            sms_submits_max: 20,
            sms_unknowns_max: 1,
            sms_budget_window_s: 3600,
            sms_number_max: 10,
            sms_prefix_max: 200,
            sms_country_max: 10_000,
            sms_account_max: 5_000,
            sms_spend_max_micros: 500_000_000,
            sms_countries: Countries::ALL,
            sms_conversion_sample: 50,
            sms_conversion_min_percent: 10,
            sms_block_s: 86_400,
            alternative_life_s: 600,
            alternative_tries_max: 5,
        }
    }

    /// The rules since November 2022: up to eight devices, and the self-management rule R180.
    #[must_use]
    pub const fn modern() -> Self {
        Self {
            devices_per_principal_max: 8,
            self_management_needs_mfa: true,
            atomic_rotation: true,
            passkeys: true,
            sms_enrolment: false,
            ..Self::classic()
        }
    }

    /// Safety over fidelity: fresh pairs only (A1), codes only forwards (A3), pair codes spent (A43), no keys that do
    /// not verify their user.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            pair_back_steps: 2,
            pair_ahead_steps: 2,
            code_window_steps: 1,
            code_attempts_max: 5,
            pair_attempts_max: 5,
            code_order: CodeOrder::Increasing,
            pair_codes_at_sts: PairCodes::Spent,
            security_keys: false,
            ..Self::modern()
        }
    }

    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// Names the first field that is out of its range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let ranges: [(&'static str, u64, u64, u64); 32] = [
            ("devices_per_principal_max", self.devices_per_principal_max.into(), 1, 8),
            ("virtual_devices_per_account_max", self.virtual_devices_per_account_max.into(), 1, u64::from(u32::MAX)),
            ("users_per_account_max", self.users_per_account_max.into(), 1, u64::from(u32::MAX)),
            ("step_s", self.step_s.into(), 1, 3600),
            ("pair_back_steps", self.pair_back_steps.into(), 0, 1000),
            ("pair_ahead_steps", self.pair_ahead_steps.into(), 0, 1000),
            ("code_window_steps", self.code_window_steps.into(), 0, 10),
            ("code_attempts_max", self.code_attempts_max.into(), 1, 1000),
            ("pair_attempts_max", self.pair_attempts_max.into(), 1, 1000),
            ("attempt_window_s", self.attempt_window_s.into(), 1, 86_400),
            ("sign_in_life_s", self.sign_in_life_s.into(), 60, 3600),
            ("challenges_max", self.challenges_max.into(), 1, 1000),
            ("key_challenge_life_s", self.key_challenge_life_s.into(), 10, 600),
            ("sms_code_life_s", self.sms_code_life_s.into(), 60, 600),
            ("sms_tries_max", self.sms_tries_max.into(), 1, 100),
            ("sms_again_after_s", self.sms_again_after_s.into(), 0, 3600),
            ("sms_sends_max", self.sms_sends_max.into(), 1, 1000),
            ("sms_sends_window_s", self.sms_sends_window_s.into(), 1, 86_400),
            ("sms_change_pause_s", self.sms_change_pause_s.into(), 0, 604_800),
            ("sms_submits_max", self.sms_submits_max.into(), 1, 100),
            ("sms_unknowns_max", self.sms_unknowns_max.into(), 0, 5),
            ("sms_budget_window_s", self.sms_budget_window_s.into(), 60, 86_400),
            ("sms_number_max", self.sms_number_max.into(), 1, 1000),
            ("sms_prefix_max", self.sms_prefix_max.into(), 1, u64::from(u32::MAX)),
            ("sms_country_max", self.sms_country_max.into(), 1, u64::from(u32::MAX)),
            ("sms_account_max", self.sms_account_max.into(), 1, u64::from(u32::MAX)),
            ("sms_conversion_sample", self.sms_conversion_sample.into(), 1, u64::from(u32::MAX)),
            ("sms_conversion_min_percent", self.sms_conversion_min_percent.into(), 0, 100),
            ("sms_block_s", self.sms_block_s.into(), 60, 604_800),
            ("sms_spend_max_micros", self.sms_spend_max_micros, 0, u64::MAX),
            ("alternative_life_s", self.alternative_life_s.into(), 60, 3600),
            ("alternative_tries_max", self.alternative_tries_max.into(), 1, 100),
        ];
        for (field, value, min, max) in ranges {
            if value < min || value > max {
                return Err(PolicyError { field, value, min, max });
            }
        }
        Ok(())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::classic()
    }
}

/// A field of a [`Policy`] that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The field's name.
    pub field: &'static str,
    /// Its value.
    pub value: u64,
    /// The least value that it may have.
    pub min: u64,
    /// The greatest value that it may have.
    pub max: u64,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, min, max } = self;
        write!(f, "policy field `{field}` is {value}, outside {min} to {max}")
    }
}

impl core::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_sound_and_a_bad_field_is_named() {
        for preset in [Policy::classic(), Policy::modern(), Policy::strict()] {
            assert_eq!(preset.check(), Ok(()));
        }
        let bad = Policy { step_s: 0, ..Policy::classic() };
        assert_eq!(bad.check().unwrap_err().field, "step_s");
    }
}
