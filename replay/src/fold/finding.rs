//! Places where a log contradicts itself: a record is missing, or was changed.

use std::sync::Arc;

use serde::Serialize;

use crate::event::Observed;
use crate::time::Time;

/// A contradiction.
#[derive(Clone, Debug)]
pub struct Finding {
    /// When; `None` if the record does not tell.
    pub at: Option<Time>,
    /// The principal, as a place in [`History::lives`](super::History::lives); `None` if it is about no principal.
    pub life: Option<usize>,
    /// What is contradicted.
    pub kind: FindingKind,
    /// Serial numbers of the devices that it is about.
    pub devices: Vec<Arc<str>>,
    /// The record that contradicts, after those that it contradicts.
    pub evidence: Vec<Arc<Observed>>,
    /// The names of the records, where there is no event to show.
    pub cited: Vec<Arc<str>>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),* $(,)?) => {
        /// Kinds of contradictions (rule R17).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum FindingKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name in answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A sign-in without MFA by somebody who has it. For root it may be a recovery by other factors.
    SigninWithoutMfaWhileEnabled = "signin_without_mfa_while_enabled",
    /// A session with MFA of somebody who has none.
    MfaSessionWhileDisabled = "mfa_session_while_disabled",
    /// A second factor was checked of somebody who has none.
    MfaCheckWhileDisabled = "mfa_check_while_disabled",
    /// A sign-in with MFA by somebody who has none.
    MfaSigninWhileDisabled = "mfa_signin_while_disabled",
    /// A token was asked for with MFA by somebody who has none.
    MfaUseWhileDisabled = "mfa_use_while_disabled",
    /// The use of a device that its user does not have.
    MfaUseOfUnknownDevice = "mfa_use_of_unknown_device",
    /// A device was taken from somebody who does not have it.
    DeactivateOfUnknownDevice = "deactivate_of_unknown_device",
    /// A device was synchronised by somebody who does not have it.
    ResyncOfUnknownDevice = "resync_of_unknown_device",
    /// A device was deleted that somebody still has.
    DeviceDeletedWhileActive = "device_deleted_while_active",
    /// A device is another's that somebody still has.
    DeviceTakenWhileActive = "device_taken_while_active",
    /// A user was deleted who still has a device.
    DeletedWithActiveDevice = "deleted_with_active_device",
    /// A device was enabled for a user who is deleted.
    EnableOnDeleted = "enable_on_deleted",
    /// A user was created under a name that another still has.
    RecreatedWithoutDelete = "recreated_without_delete",
    /// A deleted user's name is in use again, and nobody was created.
    ImpliedRecreation = "implied_recreation",
    /// A name belongs to another unique id, and nobody was deleted.
    UidChangedWithoutDelete = "uid_changed_without_delete",
    /// A credential report says active where the log says disabled.
    ReportSaysActive = "report_says_active_log_says_disabled",
    /// A credential report says inactive where the log says enabled.
    ReportSaysInactive = "report_says_inactive_log_says_enabled",
    /// A change succeeded, and its record does not say of what.
    IncompleteRecord = "incomplete_record",
    /// A device was enabled for somebody who has more than anybody can have.
    TooManyDevices = "too_many_devices",
    /// A record without a time that can be read.
    BadEventTime = "bad_eventTime",
    /// Records of one id that differ.
    SameEventIdDifferentBody = "same_event_id_different_body",
}

impl std::str::FromStr for FindingKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("not a kind of finding; there are {}", names.join(", "))
        })
    }
}
