use super::*;

#[test]
fn texts_statuses_and_codes_are_the_measured_ones() {
    let serial = "arn:aws:iam::123456789012:mfa/lee";
    for (error, status, code, text) in [
        (ApiError::DeviceExists, 409, "EntityAlreadyExists", "MFA device already exists."),
        (ApiError::NoSuchUser("lee".into()), 404, "NoSuchEntity", "The user with name lee cannot be found."),
        (
            ApiError::NoSuchDevice(serial.into()),
            404,
            "NoSuchEntity",
            "MFA Device with serial number arn:aws:iam::123456789012:mfa/lee does not exist.",
        ),
        (
            ApiError::DeviceAlreadyOfUser("lee".into()),
            409,
            "EntityAlreadyExists",
            "MFA Device for user lee already exists.",
        ),
        (ApiError::DeviceInUse, 409, "EntityAlreadyExists", "MFA Device is already in use."),
        (
            ApiError::InvalidAuthenticationCode,
            403,
            "InvalidAuthenticationCode",
            "Authentication code for device is not valid.",
        ),
        (ApiError::DeviceNotOfUser, 404, "NoSuchEntity", "MFA Device invalid for user."),
        (ApiError::DeviceAssigned, 409, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first."),
        (
            ApiError::UserHasDevice,
            409,
            "DeleteConflict",
            "Cannot delete entity, must remove tokens from principal first.",
        ),
        (
            ApiError::SessionTokenWithSession,
            403,
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials",
        ),
        (
            ApiError::InvalidClientTokenId,
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        ),
        (ApiError::DevicesPerUserQuota, 409, "LimitExceeded", "Cannot exceed quota limit for MFADevicesPerUser."),
    ] {
        assert_eq!((error.status(), error.code(), &*error.message()), (status, code, text));
        assert_eq!(error.fault(), Fault::Sender);
    }
    assert!(MFA_CODE_REFUSED.ends_with("code. "));
    assert!(MFA_NOT_VALIDATED.contains("MFA code.  Please"));
    assert_eq!(ApiError::ServiceFailure.fault(), Fault::Receiver);
}

#[test]
fn a_denial_names_its_reason() {
    let of = |forbidden| ApiError::NotAuthorized {
        caller: "arn:aws:iam::123456789012:user/bob".into(),
        action: "iam:DeactivateMFADevice".into(),
        resource: "arn:aws:iam::123456789012:user/lee".into(),
        forbidden,
    };
    assert_eq!(
        of(false).message(),
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: iam:DeactivateMFADevice on resource: arn:aws:iam::123456789012:user/lee because no identity-based policy allows the iam:DeactivateMFADevice action"
    );
    assert!(of(true).message().ends_with("user/lee with an explicit deny in an identity-based policy"));
}

#[test]
fn an_unknown_operation_names_the_version_or_its_absence() {
    let of = |version: Option<&str>| {
        ApiError::InvalidAction { action: "Publish".into(), version: version.map(Into::into) }.message().into_owned()
    };
    assert_eq!(of(Some("2010-03-31")), "Could not find operation Publish for version 2010-03-31");
    assert_eq!(of(None), "Could not find operation Publish for version NO_VERSION_SPECIFIED");
}
