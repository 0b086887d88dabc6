//! The numbers of the rules, typed off the specification a second time.

use countersign::{CodeOrder, KeyForm, PairCodes, Policy, Preset};

/// What a deployment, or one of its accounts, chose.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// R3, R172.
    pub devices_per_person: usize,
    /// R22; small here, so that histories reach it.
    pub devices_per_account: usize,
    /// As above.
    pub users_per_account: usize,
    /// R81: the second code's distance behind and ahead of the device's time.
    pub pair_range: (i64, i64),
    /// R86.
    pub code_window: i64,
    /// R91.
    pub codes_per_window: usize,
    /// R93, NT-15.
    pub pairs_per_window: usize,
    /// R91: the length of a window, aligned to UTC.
    pub window_s: u64,
    /// RFC 6238, section 5.2: codes go forwards only.
    pub forwards_only: bool,
    /// R90, A43: whether a pair's codes may still sign in.
    pub pair_codes_sign_in: bool,
    /// R90, A43: whether they may still get a session from STS.
    pub pair_codes_at_sts: bool,
    /// R180.
    pub self_management_needs_mfa: bool,
    /// R79.
    pub rotates_at_once: bool,
    /// R95.
    pub propagation_ms: u64,
    /// R30..R35: keys that are touched.
    pub security_keys: bool,
    /// R177.
    pub passkeys: bool,
    /// R170.
    pub sms: bool,
    /// Challenges to keys in one sign-in, and registrations in one window; small here, so that histories reach it.
    pub challenges: usize,
    /// Codes by SMS to one number, and of one account, in a budget window; small here as well.
    pub codes_per_number: usize,
    pub codes_per_account: usize,
}

/// A4: refused codes after which a resync is offered.
pub const MISSES: usize = 3;
/// A40.
pub const CLOCK_BACK_MS: u64 = 60_000;
/// A sign-in waits this long for its second factor.
pub const SIGN_IN_MS: u64 = 600_000;
/// Refused proofs that end a sign-in.
pub const REFUSALS: usize = 50;
/// Sign-ins that one person may have open.
pub const OPEN: usize = 16;
/// Challenges to keys that one sign-in may have open, and registrations that one person may.
pub const OPEN_CHALLENGES: usize = 8;
/// A challenge waits this long for a key.
pub const KEY_MS: u64 = 300_000;
/// A15.
pub const CODE_MS: u64 = 300_000;
/// A15.
pub const CODE_TRIES: usize = 5;
/// A15: between two codes, two mails, two calls.
pub const PAUSE_MS: u64 = 30_000;
/// A15: codes in a quarter of an hour; mails, and calls, as well.
pub const SENDS: usize = 5;
/// A15.
pub const SENDS_WINDOW_S: u64 = 900;
/// NT-43: between the loss of a phone and the enrolment of another; small here, so that histories outlive it.
pub const CHANGE_MS: u64 = 120_000;
/// NT-40: the window of the deployment's budgets, another one than that of a person's.
pub const BUDGET_WINDOW_S: u64 = 1200;
/// A22.
pub const FACTOR_MS: u64 = 600_000;
/// Tries at one alternative factor.
pub const FACTOR_TRIES: usize = 5;

impl Rules {
    pub const CLASSIC: Self = Self {
        devices_per_person: 1,
        devices_per_account: 3,
        users_per_account: 3,
        pair_range: (-998, 1000),
        code_window: 2,
        codes_per_window: 9,
        pairs_per_window: 9,
        window_s: 180,
        forwards_only: false,
        pair_codes_sign_in: false,
        pair_codes_at_sts: true,
        self_management_needs_mfa: false,
        rotates_at_once: false,
        propagation_ms: 0,
        security_keys: true,
        passkeys: false,
        sms: true,
        challenges: 9,
        codes_per_number: 3,
        codes_per_account: 4,
    };

    /// With the delay of R95, which no preset has, with SMS for those who still want it, and with windows of
    /// another length than those of the presets.
    pub const MODERN: Self = Self {
        devices_per_person: 4,
        self_management_needs_mfa: true,
        rotates_at_once: true,
        propagation_ms: 10_000,
        window_s: 240,
        passkeys: true,
        challenges: 12,
        ..Self::CLASSIC
    };

    pub const STRICT: Self = Self {
        pair_range: (-2, 2),
        code_window: 1,
        codes_per_window: 5,
        pairs_per_window: 5,
        forwards_only: true,
        pair_codes_at_sts: false,
        propagation_ms: 0,
        window_s: 180,
        security_keys: false,
        sms: false,
        challenges: 6,
        ..Self::MODERN
    };

    /// The rules of an account that chose a preset: what makes an era is the preset's, and of two numbers the
    /// stricter one holds. Everything else stays the deployment's.
    pub fn with(self, preset: Preset) -> Self {
        let era = match preset {
            Preset::Classic => Self::CLASSIC,
            Preset::Modern => Self { devices_per_person: 8, sms: false, ..Self::MODERN },
            Preset::Strict => Self { devices_per_person: 8, ..Self::STRICT },
        };
        let security_keys = self.security_keys && era.security_keys;
        Self {
            devices_per_person: era.devices_per_person,
            rotates_at_once: era.rotates_at_once,
            self_management_needs_mfa: self.self_management_needs_mfa || era.self_management_needs_mfa,
            security_keys,
            // Who may not have keys that are touched may have those that verify their user.
            passkeys: era.passkeys || !security_keys,
            sms: self.sms && era.sms,
            pair_range: (self.pair_range.0.max(era.pair_range.0), self.pair_range.1.min(era.pair_range.1)),
            code_window: self.code_window.min(era.code_window),
            codes_per_window: self.codes_per_window.min(era.codes_per_window),
            pairs_per_window: self.pairs_per_window.min(era.pairs_per_window),
            forwards_only: self.forwards_only || era.forwards_only,
            pair_codes_sign_in: self.pair_codes_sign_in && era.pair_codes_sign_in,
            pair_codes_at_sts: self.pair_codes_at_sts && era.pair_codes_at_sts,
            ..self
        }
    }

    /// Whether these are the rules that a policy has, number by number.
    pub fn describe(&self, policy: &Policy) -> bool {
        let once_more = |rule: PairCodes| rule == PairCodes::OnceMore;
        let numbers = [
            (self.devices_per_person, policy.devices_per_principal_max.into()),
            (self.devices_per_account, policy.virtual_devices_per_account_max as usize),
            (self.users_per_account, policy.users_per_account_max as usize),
            (-self.pair_range.0 as usize, policy.pair_back_steps.into()),
            (self.pair_range.1 as usize, policy.pair_ahead_steps.into()),
            (self.code_window as usize, policy.code_window_steps.into()),
            (self.codes_per_window, policy.code_attempts_max as usize),
            (self.pairs_per_window, policy.pair_attempts_max as usize),
            (self.window_s as usize, policy.attempt_window_s as usize),
            (self.propagation_ms as usize, policy.sts_propagation_ms as usize),
            (self.challenges, policy.challenges_max as usize),
            (self.codes_per_number, policy.sms_number_max as usize),
            (self.codes_per_account, policy.sms_account_max as usize),
            (BUDGET_WINDOW_S as usize, policy.sms_budget_window_s as usize),
            (CHANGE_MS as usize / 1000, policy.sms_change_pause_s as usize),
        ];
        let switches = [
            (self.forwards_only, policy.code_order == CodeOrder::Increasing),
            (self.pair_codes_sign_in, once_more(policy.pair_codes_at_sign_in)),
            (self.pair_codes_at_sts, once_more(policy.pair_codes_at_sts)),
            (self.self_management_needs_mfa, policy.self_management_needs_mfa),
            (self.rotates_at_once, policy.atomic_rotation),
            (self.security_keys, policy.security_keys),
            (self.passkeys, policy.passkeys),
            (self.sms, policy.sms_enrolment),
        ];
        numbers.iter().all(|(ours, theirs)| ours == theirs) && switches.iter().all(|(ours, theirs)| ours == theirs)
    }

    pub fn offers(&self, form: KeyForm) -> bool {
        match form {
            KeyForm::SecurityKey => self.security_keys,
            KeyForm::Passkey => self.passkeys,
        }
    }

    /// A preset under the small quotas of the model. What the model does not set stays the preset's.
    pub fn applied_to(&self, preset: Policy) -> Policy {
        Policy {
            devices_per_principal_max: self.devices_per_person as u8,
            virtual_devices_per_account_max: self.devices_per_account as u32,
            users_per_account_max: self.users_per_account as u32,
            sts_propagation_ms: self.propagation_ms as u32,
            attempt_window_s: self.window_s as u32,
            sms_enrolment: self.sms,
            challenges_max: self.challenges as u32,
            sms_change_pause_s: (CHANGE_MS / 1000) as u32,
            sms_number_max: self.codes_per_number as u32,
            sms_account_max: self.codes_per_account as u32,
            sms_budget_window_s: BUDGET_WINDOW_S as u32,
            // No history is long enough for the alarm; see the tests of the outbox.
            sms_conversion_min_percent: 0,
            ..preset
        }
    }
}
