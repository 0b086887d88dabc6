//! What a refusal of the engine or of the directory is called on the wire.

use crate::directory::{ACCESS_KEYS_MAX, DirectoryError};
use crate::engine::{Error, Rejection, Serial};
use crate::errors::ApiError;

/// What a command was about, for the texts that name it.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// Name of the user.
    pub(super) user: &'a str,
    /// Serial number of the device.
    pub(super) serial: Option<&'a Serial>,
    /// Whether it was an attempt to enable, which sees devices of the console as absent (A13, A18).
    pub(super) enabling: bool,
}

/// Names a refusal of the engine.
pub(super) fn of_engine(error: &Error, about: About<'_>) -> ApiError {
    if let Some(rejection) = error.rejection() {
        return of_rejection(rejection, about);
    }
    if error.is_conflict() {
        // A33: a lost race, which the client may repeat.
        return ApiError::ConcurrentModification;
    }
    if error.is_busy() || error.is_closed() || error.outcome_unknown() {
        // A retry carries the same id and gets the recorded answer, if there is one (R96).
        return ApiError::ServiceUnavailable;
    }
    tracing::error!(%error, "the engine failed");
    ApiError::ServiceFailure
}

fn of_rejection(rejection: &Rejection, about: About<'_>) -> ApiError {
    let no_such_device = || {
        let serial = about.serial.map_or_else(String::new, ToString::to_string);
        ApiError::NoSuchDevice(serial)
    };
    match rejection {
        Rejection::ChannelNotAllowed if about.enabling => no_such_device(),
        Rejection::ChannelNotAllowed | Rejection::DeviceNotYours => ApiError::DeviceNotOfUser,
        Rejection::SelfManagementNeedsMfa => ApiError::SelfManagementNeedsMfa,
        Rejection::ClockWentBack { .. } => ApiError::ServiceUnavailable,
        // Who was forgotten is nobody that this API knows.
        Rejection::PrincipalUnknown | Rejection::PrincipalForgotten => ApiError::NoSuchUser(about.user.to_owned()),
        Rejection::PrincipalExists | Rejection::NameTaken => ApiError::UserExists(about.user.to_owned()),
        Rejection::DeviceUnknown { serial } => ApiError::NoSuchDevice(serial.to_string()),
        Rejection::DeviceAlreadyYours => ApiError::DeviceAlreadyOfUser(about.user.to_owned()),
        Rejection::DeviceInUse => ApiError::DeviceInUse,
        Rejection::DeviceExists => ApiError::DeviceExists,
        Rejection::DeviceAssigned => ApiError::DeviceAssigned,
        Rejection::PrincipalHasDevices => ApiError::UserHasDevice,
        Rejection::PrincipalDeviceLimit { .. } => ApiError::DevicesPerUserQuota,
        Rejection::AccountDeviceLimit { max } => ApiError::DeviceQuota(*max),
        Rejection::AccountUserLimit { max } => ApiError::UserQuota(*max),
        Rejection::AccountUnknown
        | Rejection::AccountExists
        | Rejection::AliasTaken
        | Rejection::RotationNotAtomic
        | Rejection::ChallengeUnknown
        | Rejection::FactorUnknown
        | Rejection::AlternativeFactorsNotOffered
        | Rejection::KeyFormNotOffered
        | Rejection::SmsNotOffered
        | Rejection::PhoneNotUsable { .. }
        | Rejection::CountryNotServed
        | Rejection::PrefixBlocked { .. }
        | Rejection::SmsBudgetSpent { .. }
        | Rejection::PrincipalNotRemoved
        | Rejection::DeviceLeftBehind { .. }
        | Rejection::TooMuchToForget
        | Rejection::TooManyChallenges { .. }
        | Rejection::TooSoon { .. } => {
            tracing::error!(%rejection, "the engine refused what no request asks");
            ApiError::ServiceFailure
        }
    }
}

/// Names a refusal of the directory about a user, by name, and an access key, by id.
pub(super) fn of_directory(error: &DirectoryError, about: Option<(&str, &str)>) -> ApiError {
    let (user, key) = about.unwrap_or_default();
    match error {
        DirectoryError::Engine(cause) => of_engine(cause, About { user, serial: None, enabling: false }),
        DirectoryError::AccessKeyQuota => ApiError::AccessKeyQuota(u32::try_from(ACCESS_KEYS_MAX).unwrap_or(u32::MAX)),
        DirectoryError::NoSuchAccessKey => ApiError::NoSuchAccessKey(key.to_owned()),
        DirectoryError::UserHasAccessKeys => ApiError::UserHasAccessKeys,
        DirectoryError::AccessKeyShown => ApiError::AccessKeyShown,
        DirectoryError::LastAdministratorKey => ApiError::LastAdministratorKey,
        DirectoryError::ReadOnly | DirectoryError::NotSupported => ApiError::ReadOnly,
        DirectoryError::PasswordNotTaken(_) | DirectoryError::EmailTaken | DirectoryError::LastAdministrator => {
            tracing::error!(%error, "the directory refused what no request asks");
            ApiError::ServiceFailure
        }
        DirectoryError::Busy => ApiError::ServiceUnavailable,
        DirectoryError::Unavailable(cause) => {
            tracing::error!(%cause, "the directory failed");
            ApiError::ServiceFailure
        }
    }
}
