//! Commands that may not be asked: nothing is recorded, and the reason has a permanent code.

use core::fmt;

use crate::device::Serial;
use crate::ids::UnixMillis;
use crate::sms::{PhoneFault, SmsBudget};

macro_rules! rejections {
    ($( $(#[$doc:meta])* $name:ident $( { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* } )? = $code:literal, $text:literal; )*) => {
        /// Why a command is refused, in the order in which the reasons are looked at (R56).
        ///
        /// The order of the variants is the precedence: where two apply, the earlier one is given. (Whether
        /// the channel and the caller fit can only be asked of a principal that exists.)
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Rejection {
            $( $(#[$doc])* $name $( { $( $(#[$fdoc])* $field: $ty ),* } )?, )*
        }

        impl Rejection {
            /// The permanent code of this reason; codes are never given to another reason.
            #[must_use]
            pub const fn code(&self) -> u16 {
                match self { $( Self::$name { .. } => $code, )* }
            }

            /// Every code in order of precedence.
            pub const PRECEDENCE: &'static [u16] = &[ $( $code ),* ];
        }

        impl fmt::Display for Rejection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $( Self::$name { .. } => $text, )* })
            }
        }
    };
}

rejections! {
    /// A user with a device needs an MFA session to change devices (R180); before existence (R181).
    SelfManagementNeedsMfa = 102, "changing your own devices needs a session with multi-factor authentication";
    /// The channel or the caller may not do this to this principal's devices (R39..R44).
    ChannelNotAllowed = 101, "this may not be done through this channel by this caller";
    /// No account of this id is open.
    AccountUnknown = 201, "the account does not exist";
    /// The account is already open.
    AccountExists = 202, "the account already exists";
    /// No such principal, or it was removed (R64).
    PrincipalUnknown = 203, "the principal does not exist";
    /// The principal was forgotten; nothing is known of it any more.
    PrincipalForgotten = 207, "the principal was forgotten";
    /// The principal already exists.
    PrincipalExists = 204, "the principal already exists";
    /// Another principal of the account has this name; case does not count (R9).
    NameTaken = 205, "the name is taken";
    /// Another account has this alias.
    AliasTaken = 206, "the alias is taken";
    /// No such device in reach of this account (R64, R70, R73, A9, A10).
    DeviceUnknown {
        /// The serial number that was asked for.
        serial: Serial
    } = 301, "the device does not exist";
    /// The device exists but is not this principal's (R70, R111).
    DeviceNotYours = 302, "the device is not enabled for this principal";
    /// The clock went back further than the policy allows; codes are not checked (A40).
    ClockWentBack {
        /// The latest instant that is recorded of the device.
        latest: UnixMillis
    } = 309, "the clock went back too far to check codes safely";
    /// No sign-in or challenge of this id is open for the principal: never begun, answered, or over (NT-10).
    ChallengeUnknown = 310, "nothing of this id is open: it was never asked, was answered, or its time is over";
    /// The sign-in does not ask for this device, or not yet (A6, NT-26).
    FactorUnknown = 311, "the sign-in does not ask for this device now";
    /// Root may not sign in by e-mail and phone here (R130).
    AlternativeFactorsNotOffered = 312, "signing in by alternative factors is not possible here";
    /// The policy does not take keys of this form (R170, R177).
    KeyFormNotOffered = 313, "security keys of this form cannot be registered here";
    /// SMS devices cannot be enabled here, or not by this principal (R122, R126, A16).
    SmsNotOffered = 314, "an SMS device cannot be enabled here";
    /// Codes cannot be sent to this number: the numbering plan says what it is.
    PhoneNotUsable {
        /// What is against it.
        fault: PhoneFault
    } = 315, "codes cannot be sent to this telephone number";
    /// Codes are not sent to the number's country.
    CountryNotServed = 316, "codes are not sent to this country";
    /// Too few codes sent to numbers like this one came back; nothing is sent there for now.
    PrefixBlocked {
        /// Until when.
        until: UnixMillis
    } = 317, "no codes are sent to numbers like this one for now";
    /// The device is already enabled for this principal (R64).
    DeviceAlreadyYours = 303, "the device is already enabled for this principal";
    /// The device is enabled for another principal (R64).
    DeviceInUse = 304, "the device is already in use";
    /// A device of this name and path, or a token of this serial, exists (R58).
    DeviceExists = 305, "the device already exists";
    /// An enabled device cannot be deleted (R73).
    DeviceAssigned = 306, "the device is in use and must be deactivated first";
    /// A principal with a device cannot be removed (R76).
    PrincipalHasDevices = 307, "the principal still has a device";
    /// Who is to be forgotten has to be removed first.
    PrincipalNotRemoved = 318, "the principal has to be removed before it can be forgotten";
    /// A device that nobody but the principal ever had is still there, and has to be deleted first.
    DeviceLeftBehind {
        /// The device.
        serial: Serial
    } = 319, "a device that only this principal ever had has to be deleted first";
    /// More is to be forgotten than one command can take.
    TooMuchToForget = 407, "more is to be forgotten than one command can take";
    /// One command may not replace a device under this policy (R78).
    RotationNotAtomic = 308, "this policy replaces a device in two steps";
    /// The principal has as many devices as the policy allows (R3, R172, A34).
    PrincipalDeviceLimit {
        /// The limit.
        max: u8
    } = 401, "the principal has as many devices as it may have";
    /// The principal began as many sign-ins and challenges as it may for now.
    TooManyChallenges {
        /// When it may again.
        again_at: UnixMillis
    } = 404, "too many sign-ins or challenges were begun; try again later";
    /// As many codes, mails or calls were sent as may be for now, or the last one moments ago (A15).
    TooSoon {
        /// When the next one may be sent.
        again_at: UnixMillis
    } = 405, "another one may not be sent yet";
    /// A budget of the deployment for codes by SMS is spent (NT-40).
    SmsBudgetSpent {
        /// Which.
        budget: SmsBudget,
        /// When it opens again.
        again_at: UnixMillis
    } = 406, "as many codes were sent as may be for now";
    /// The account has as many virtual devices as the policy allows (R22).
    AccountDeviceLimit {
        /// The limit.
        max: u32
    } = 402, "the account has as many virtual devices as it may have";
    /// The account has as many users as the policy allows.
    AccountUserLimit {
        /// The limit.
        max: u32
    } = 403, "the account has as many users as it may have";
}

impl Rejection {
    /// Where this reason stands in the order of precedence, from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        Self::PRECEDENCE.iter().position(|&code| code == self.code()).unwrap_or(usize::MAX)
    }

    /// Whether the same command may succeed later without anyone changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::ClockWentBack { .. }
                | Self::TooManyChallenges { .. }
                | Self::TooSoon { .. }
                | Self::PrefixBlocked { .. }
                | Self::SmsBudgetSpent { .. }
        )
    }
}

impl core::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    /// A code may be retired, never changed: callers and logs of old releases know it.
    #[test]
    fn codes_are_permanent_and_distinct() {
        let codes = [
            102, 101, 201, 202, 203, 207, 204, 205, 206, 301, 302, 309, 310, 311, 312, 313, 314, 315, 316, 317, 303,
            304, 305, 306, 307, 318, 319, 407, 308, 401, 404, 405, 406, 402, 403,
        ];
        assert_eq!(Rejection::PRECEDENCE, codes);
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }
}
