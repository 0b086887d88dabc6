"""The texts of the refusals that several stories meet, letter by letter (R64, R70, R131)."""

CODE_REFUSED = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
NOT_VALIDATED = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
INCOMPLETE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
SELF_MANAGEMENT = (
    "To complete this action, please ensure that you are authenticated with an MFA device "
    "that is enabled for this user."
)
BAD_TOKEN = "The security token included in the request is invalid"

REFUSED = (403, "AccessDenied", CODE_REFUSED)
UNABLE = (403, "AccessDenied", NOT_VALIDATED)
BAD_PAIR = (403, "InvalidAuthenticationCode", "Authentication code for device is not valid.")
NOT_OF_USER = (404, "NoSuchEntity", "MFA Device invalid for user.")
IN_USE = (409, "EntityAlreadyExists", "MFA Device is already in use.")


def no_user(name: str) -> tuple[int, str, str]:
    """The refusal for a user that does not exist."""
    return 404, "NoSuchEntity", f"The user with name {name} cannot be found."


def no_device(serial: str) -> tuple[int, str, str]:
    """The refusal for a device that does not exist."""
    return 404, "NoSuchEntity", f"MFA Device with serial number {serial} does not exist."
