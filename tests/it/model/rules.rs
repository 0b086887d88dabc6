//! The numbers of the rules, typed off the specification a second time.

use countersign::Policy;

/// What a deployment chose.
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
}

/// R91: windows of three minutes, aligned to UTC.
pub const WINDOW_S: u64 = 180;
/// A4: refused codes after which a resync is offered.
pub const MISSES: usize = 3;
/// A40.
pub const CLOCK_BACK_MS: u64 = 60_000;

impl Rules {
    pub const CLASSIC: Self = Self {
        devices_per_person: 1,
        devices_per_account: 3,
        users_per_account: 3,
        pair_range: (-998, 1000),
        code_window: 2,
        codes_per_window: 9,
        pairs_per_window: 9,
        forwards_only: false,
        pair_codes_sign_in: false,
        pair_codes_at_sts: true,
        self_management_needs_mfa: false,
        rotates_at_once: false,
        propagation_ms: 0,
    };

    /// With the delay of R95, which no preset has.
    pub const MODERN: Self = Self {
        devices_per_person: 3,
        self_management_needs_mfa: true,
        rotates_at_once: true,
        propagation_ms: 10_000,
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
        ..Self::MODERN
    };

    /// A preset under the small quotas of the model. What the model does not set stays the preset's.
    pub fn applied_to(&self, preset: Policy) -> Policy {
        Policy {
            devices_per_principal_max: self.devices_per_person as u8,
            virtual_devices_per_account_max: self.devices_per_account as u32,
            users_per_account_max: self.users_per_account as u32,
            sts_propagation_ms: self.propagation_ms as u32,
            ..preset
        }
    }
}
