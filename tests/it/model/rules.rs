//! The numbers of the rules, typed off the specification a second time.

use countersign::{KeyForm, Policy, Preset};

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
    /// Sign-ins and challenges in one window; small here, so that histories reach it.
    pub challenges_per_window: usize,
}

/// A4: refused codes after which a resync is offered.
pub const MISSES: usize = 3;
/// A40.
pub const CLOCK_BACK_MS: u64 = 60_000;
/// A sign-in waits this long for its second factor.
pub const SIGN_IN_MS: u64 = 600_000;
/// Refused proofs that end a sign-in.
pub const REFUSALS: usize = 50;
/// Sign-ins, and challenges to keys, that one person may have open.
pub const OPEN: usize = 8;
/// A challenge waits this long for a key.
pub const KEY_MS: u64 = 300_000;
/// A15.
pub const CODE_MS: u64 = 300_000;
/// A15.
pub const CODE_TRIES: usize = 5;
/// A15.
pub const PAUSE_MS: u64 = 30_000;
/// A15: codes in a quarter of an hour.
pub const SENDS: usize = 5;
/// A15.
pub const SENDS_WINDOW_S: u64 = 900;
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
        challenges_per_window: 14,
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
        challenges_per_window: 20,
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
        challenges_per_window: 10,
        ..Self::MODERN
    };

    /// The rules that an account may choose: those of the presets as they are.
    pub fn preset(preset: Preset) -> Self {
        let quotas = Self {
            devices_per_account: 5000,
            users_per_account: 5000,
            window_s: 180,
            propagation_ms: 0,
            challenges_per_window: 30,
            ..Self::CLASSIC
        };
        let kept = |rules: Self, devices_per_person: usize, sms: bool| Self {
            devices_per_person,
            sms,
            devices_per_account: quotas.devices_per_account,
            users_per_account: quotas.users_per_account,
            window_s: quotas.window_s,
            propagation_ms: quotas.propagation_ms,
            challenges_per_window: quotas.challenges_per_window,
            ..rules
        };
        match preset {
            Preset::Classic => kept(Self::CLASSIC, 1, true),
            Preset::Modern => kept(Self::MODERN, 8, false),
            Preset::Strict => kept(Self::STRICT, 8, false),
        }
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
            challenges_max: self.challenges_per_window as u32,
            ..preset
        }
    }
}
