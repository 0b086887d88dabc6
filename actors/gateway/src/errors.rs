//! What the API answers when it refuses: codes, statuses and texts, each in one place.
//!
//! The texts are the ones that clients of IAM and STS see today (A8). Where a rule of the
//! specification gives a text, the rule is named beside it.

use std::borrow::Cow;
use std::fmt;

/// The service whose API was called; it decides the namespace of an answer (R201, R212).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Identity and Access Management, version 2010-05-08.
    Iam,
    /// The Security Token Service, version 2011-06-15.
    Sts,
}

impl Service {
    /// The API version that the service speaks (R201).
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
        }
    }

    /// The XML namespace of its answers (R201).
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    /// Its name in a credential scope (R214) and before the colon of an action.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }
}

/// Whose fault an error is, as the envelope says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The caller's.
    Sender,
    /// Ours.
    Receiver,
}

impl Fault {
    /// The text in the `Type` element (R212).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }
}

/// A refusal of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// The form does not say what to do (R220).
    MissingAction,
    /// No operation of that name and version (R220).
    InvalidAction {
        /// The name that was asked for.
        action: String,
        /// The version that was asked for, when there was one.
        version: Option<String>,
    },
    /// The form cannot be read at all (R220).
    MalformedQueryString(&'static str),
    /// A list index or an integer that cannot be read (R204, R205).
    MalformedInput(String),
    /// A constraint is not met (R55, R58, R134, R160, R162).
    Validation(String),
    /// An argument that is well-formed and wrong, such as a reserved tag key (R58, R169).
    InvalidInput(String),
    /// The request carries no signature (R220).
    MissingAuthenticationToken,
    /// The signature lacks a part (R220).
    IncompleteSignature(String),
    /// The key is unknown, or may not be used here (R138, R220).
    InvalidClientTokenId,
    /// The signature is not that of the request, or its time or scope does not fit (R214, R220).
    SignatureDoesNotMatch(String),
    /// The session is over (R220).
    ExpiredToken,
    /// The caller may not do this (R47).
    NotAuthorized {
        /// ARN of the caller.
        caller: String,
        /// Action with its service, such as `iam:EnableMFADevice`.
        action: String,
        /// ARN of the resource.
        resource: String,
        /// Whether a rule forbids it; otherwise nothing allows it.
        forbidden: bool,
    },
    /// The caller must use a session that was opened with MFA (R180).
    SelfManagementNeedsMfa,
    /// A session asked for another session (R137).
    SessionTokenWithSession,
    /// The code given to STS is wrong, expired or used (R131).
    MfaCodeRefused,
    /// The device given to STS cannot be used by the caller, or its budget is spent (R131).
    MfaNotValidated,
    /// Only one of serial number and code was given to STS (R131).
    MfaParametersIncomplete,
    /// The pair of codes does not fit the device (R64, R111).
    InvalidAuthenticationCode,
    /// No user of that name (R64, R70, R159).
    NoSuchUser(String),
    /// No device of that serial number (R64, R70, R73).
    NoSuchDevice(String),
    /// The device is not this user's (R70, R111).
    DeviceNotOfUser,
    /// No access key of that id.
    NoSuchAccessKey(String),
    /// A user of that name exists.
    UserExists(String),
    /// A virtual device of that name and path exists (R58).
    DeviceExists,
    /// The device is already this user's (R64).
    DeviceAlreadyOfUser(String),
    /// The device is somebody else's (R64).
    DeviceInUse,
    /// The account may have no more virtual devices (R58).
    DeviceQuota(u32),
    /// The principal may have no more devices (R64).
    DevicesPerUserQuota,
    /// The user may have no more access keys.
    AccessKeyQuota(u32),
    /// The account may have no more users.
    UserQuota(u32),
    /// The virtual device is assigned (R73).
    DeviceAssigned,
    /// The user still has an MFA device (R76).
    UserHasDevice,
    /// The user still has access keys.
    UserHasAccessKeys,
    /// A retry that comes too late to be shown the secret again.
    AccessKeyShown,
    /// The standalone server keeps one administrator who can still call it.
    LastAdministratorKey,
    /// Another change of the same entity came between (A33).
    ConcurrentModification,
    /// Users are managed elsewhere.
    ReadOnly,
    /// The request is larger than the door takes.
    RequestTooLarge,
    /// Something of ours failed; the log says what (R53).
    ServiceFailure,
    /// The server is stopping or not ready; to be tried again (R220).
    ServiceUnavailable,
}

/// Text of [`ApiError::MfaCodeRefused`]; the space at its end is the service's own (R131).
pub const MFA_CODE_REFUSED: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";

/// Text of [`ApiError::MfaNotValidated`]; two spaces after its first sentence (R131).
pub const MFA_NOT_VALIDATED: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.";

/// Text of [`ApiError::MfaParametersIncomplete`] (R131).
pub const MFA_INCOMPLETE: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";

/// Text of [`ApiError::SelfManagementNeedsMfa`] (R180).
pub const SELF_MANAGEMENT: &str = "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for this user.";

impl ApiError {
    /// The status of the HTTP answer (R53, R54, R220).
    #[must_use]
    pub const fn status(&self) -> u16 {
        use ApiError as E;
        match self {
            E::MissingAction
            | E::InvalidAction { .. }
            | E::MalformedInput(_)
            | E::Validation(_)
            | E::InvalidInput(_)
            | E::IncompleteSignature(_) => 400,
            E::MissingAuthenticationToken
            | E::InvalidClientTokenId
            | E::SignatureDoesNotMatch(_)
            | E::ExpiredToken
            | E::NotAuthorized { .. }
            | E::SelfManagementNeedsMfa
            | E::SessionTokenWithSession
            | E::MfaCodeRefused
            | E::MfaNotValidated
            | E::MfaParametersIncomplete
            | E::ReadOnly
            | E::InvalidAuthenticationCode => 403,
            E::MalformedQueryString(_)
            | E::NoSuchUser(_)
            | E::NoSuchDevice(_)
            | E::DeviceNotOfUser
            | E::NoSuchAccessKey(_) => 404,
            E::UserExists(_)
            | E::DeviceExists
            | E::DeviceAlreadyOfUser(_)
            | E::DeviceInUse
            | E::DeviceQuota(_)
            | E::DevicesPerUserQuota
            | E::AccessKeyQuota(_)
            | E::UserQuota(_)
            | E::DeviceAssigned
            | E::UserHasDevice
            | E::UserHasAccessKeys
            | E::LastAdministratorKey
            | E::AccessKeyShown
            | E::ConcurrentModification => 409,
            E::RequestTooLarge => 413,
            E::ServiceFailure => 500,
            E::ServiceUnavailable => 503,
        }
    }

    /// The code on the wire, without the suffix that the models carry (R53).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        use ApiError as E;
        match self {
            E::MissingAction => "MissingAction",
            E::InvalidAction { .. } => "InvalidAction",
            E::MalformedQueryString(_) => "MalformedQueryString",
            E::MalformedInput(_) => "MalformedInput",
            E::Validation(_) => "ValidationError",
            E::InvalidInput(_) => "InvalidInput",
            E::MissingAuthenticationToken => "MissingAuthenticationToken",
            E::IncompleteSignature(_) => "IncompleteSignature",
            E::InvalidClientTokenId => "InvalidClientTokenId",
            E::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
            E::ExpiredToken => "ExpiredToken",
            E::NotAuthorized { .. }
            | E::SelfManagementNeedsMfa
            | E::SessionTokenWithSession
            | E::MfaCodeRefused
            | E::MfaNotValidated
            | E::MfaParametersIncomplete
            | E::ReadOnly => "AccessDenied",
            E::InvalidAuthenticationCode => "InvalidAuthenticationCode",
            E::NoSuchUser(_) | E::NoSuchDevice(_) | E::DeviceNotOfUser | E::NoSuchAccessKey(_) => "NoSuchEntity",
            E::UserExists(_) | E::DeviceExists | E::DeviceAlreadyOfUser(_) | E::DeviceInUse | E::AccessKeyShown => {
                "EntityAlreadyExists"
            }
            E::DeviceQuota(_) | E::DevicesPerUserQuota | E::AccessKeyQuota(_) | E::UserQuota(_) => "LimitExceeded",
            E::DeviceAssigned | E::UserHasDevice | E::UserHasAccessKeys | E::LastAdministratorKey => "DeleteConflict",
            E::ConcurrentModification => "ConcurrentModification",
            E::RequestTooLarge => "RequestEntityTooLarge",
            E::ServiceFailure => "ServiceFailure",
            E::ServiceUnavailable => "ServiceUnavailable",
        }
    }

    /// Whose fault it is (R53).
    #[must_use]
    pub const fn fault(&self) -> Fault {
        if self.status() >= 500 { Fault::Receiver } else { Fault::Sender }
    }

    /// The text that people and tests read.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        use ApiError as E;
        match self {
            E::MissingAction => "Request is missing an Action".into(),
            E::InvalidAction { action, version } => {
                let version = version.as_deref().unwrap_or("NO_VERSION_SPECIFIED");
                format!("Could not find operation {action} for version {version}").into()
            }
            E::MalformedQueryString(text) => (*text).into(),
            E::MalformedInput(text)
            | E::Validation(text)
            | E::InvalidInput(text)
            | E::IncompleteSignature(text)
            | E::SignatureDoesNotMatch(text) => text.clone().into(),
            E::MissingAuthenticationToken => "Request is missing Authentication Token".into(),
            E::InvalidClientTokenId => "The security token included in the request is invalid".into(),
            E::ExpiredToken => "The security token included in the request is expired".into(),
            E::NotAuthorized { caller, action, resource, forbidden } => {
                let reason = if *forbidden {
                    "with an explicit deny in an identity-based policy".to_owned()
                } else {
                    format!("because no identity-based policy allows the {action} action")
                };
                format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {reason}").into()
            }
            E::SelfManagementNeedsMfa => SELF_MANAGEMENT.into(),
            E::SessionTokenWithSession => "Cannot call GetSessionToken with session credentials".into(),
            E::MfaCodeRefused => MFA_CODE_REFUSED.into(),
            E::MfaNotValidated => MFA_NOT_VALIDATED.into(),
            E::MfaParametersIncomplete => MFA_INCOMPLETE.into(),
            E::InvalidAuthenticationCode => "Authentication code for device is not valid.".into(),
            E::NoSuchUser(name) => format!("The user with name {name} cannot be found.").into(),
            E::NoSuchDevice(serial) => format!("MFA Device with serial number {serial} does not exist.").into(),
            E::DeviceNotOfUser => "MFA Device invalid for user.".into(),
            E::NoSuchAccessKey(id) => format!("The Access Key with id {id} cannot be found.").into(),
            E::UserExists(name) => format!("User with name {name} already exists.").into(),
            E::DeviceExists => "MFA device already exists.".into(),
            E::DeviceAlreadyOfUser(name) => format!("MFA Device for user {name} already exists.").into(),
            E::DeviceInUse => "MFA Device is already in use.".into(),
            E::DeviceQuota(limit) => format!("Cannot exceed quota for MFADevices: {limit}").into(),
            E::DevicesPerUserQuota => "Cannot exceed quota limit for MFADevicesPerUser.".into(),
            E::AccessKeyQuota(limit) => format!("Cannot exceed quota for AccessKeysPerUser: {limit}").into(),
            E::UserQuota(limit) => format!("Cannot exceed quota for UsersPerAccount: {limit}").into(),
            E::DeviceAssigned => "MFA VirtualDevice in use. Must deactivate first.".into(),
            E::UserHasDevice => "Cannot delete entity, must remove tokens from principal first.".into(),
            E::AccessKeyShown => "The access key was created before; its secret is not shown again.".into(),
            E::LastAdministratorKey => {
                "Cannot delete entity, it is the last access key of the last administrator.".into()
            }
            E::UserHasAccessKeys => "Cannot delete entity, must delete access keys first.".into(),
            E::ConcurrentModification => {
                "Another request changed this entity at the same time. Please try again.".into()
            }
            E::ReadOnly => "Users are not managed through this endpoint".into(),
            E::RequestTooLarge => "Request is too large".into(),
            E::ServiceFailure => {
                "The request processing has failed because of an unknown error, exception or failure.".into()
            }
            E::ServiceUnavailable => "Service is currently unavailable. Please try again.".into(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests;
