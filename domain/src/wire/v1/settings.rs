//! What an account chose (A16, R5, R130).

use serde::{Deserialize, Serialize};

use super::bodies;
use crate::caller::By;
use crate::ids::AccountId;
use crate::settings::{AccountAlias, Preset, SmsEligibility};

bodies! {
    /// The account has another alias, or none. Account stream; sealed.
    AliasChanged {
        /// The alias.
        alias: Option<AccountAlias>,
        /// Who changed it.
        by: By,
    }
    /// Others than before may enable SMS devices (A16). Account stream.
    SmsEligibilityChanged {
        /// Who may.
        eligibility: SmsEligibility,
        /// Who changed it.
        by: By,
    }
    /// Signing in by e-mail and phone was switched on or off (R130). Account stream.
    AlternativeFactorsSwitched {
        /// Whether it is possible.
        allowed: bool,
        /// Who switched it.
        by: By,
    }
    /// The account goes by other rules. Account stream.
    PolicyChosen {
        /// The rules; `None` is the deployment's.
        preset: Option<Preset>,
        /// Who chose them.
        by: By,
    }
    /// The account's root shares its e-mail address with the root of another account, or no longer (R5).
    /// Account stream.
    RootLinked {
        /// The other account.
        associate: Option<AccountId>,
        /// Who said so.
        by: By,
    }
}
