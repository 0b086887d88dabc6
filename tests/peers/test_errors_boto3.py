"""Every refusal that a client of IAM and STS can meet: code, status and text, letter by letter.

Not provoked here, because the server has no cause to give them: the era A texts (A8), `ConcurrentModification` and
`EntityTemporarilyUnmodifiable` (A33). A failing disk and its `ServiceFailure` are in `test_server.py`.
"""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import botocore.exceptions
import pytest

from support.account import Account, create_device, service_of
from support.otp import step_now
from support.texts import (
    BAD_PAIR,
    BAD_TOKEN,
    IN_USE,
    INCOMPLETE,
    NOT_OF_USER,
    REFUSED,
    SELF_MANAGEMENT,
    UNABLE,
    no_device,
    no_user,
)

ENABLE, RESYNC, DEACTIVATE = "EnableMFADevice", "ResyncMFADevice", "DeactivateMFADevice"
CREATE, DELETE = "CreateVirtualMFADevice", "DeleteVirtualMFADevice"
LIST, LIST_VIRTUAL, SESSION = "ListMFADevices", "ListVirtualMFADevices", "GetSessionToken"

BAD_PATH = (
    "The specified value for path is invalid. "
    "It must begin and end with / and contain only alphanumeric characters and/or / characters."
)
BAD_NAME = (
    "The specified value for {} is invalid. "
    "It must contain only alphanumeric characters and/or the following: +=,.@_-"
)
# Codes that nobody looks at, because something else is wrong first (R56).
SOME_CODES = {"AuthenticationCode1": "314159", "AuthenticationCode2": "265358"}


@pytest.fixture(scope="module")
def world(account: Account) -> SimpleNamespace:
    """Lee has a device, Kim has none, and there is a spare one."""
    lee, phone = account.user_with_device()
    kim, spare = account.user(), account.device()
    return SimpleNamespace(
        account=account, lee=lee, kim=kim, phone=phone, spare=spare, admin=account.admin,
        words={
            "lee": lee.name, "LEE": lee.name.upper(), "kim": kim.name, "acct": account.id,
            "phone": phone.serial, "spare": spare.serial, "phone_name": phone.serial.rpartition("/")[2],
            "PHONE": phone.serial.replace("device", "DEVICE"),
            "PHONE_NAME": phone.serial.rpartition("/")[2].upper(),
            "gone": account.arn("gone"), "foreign": "arn:aws:iam::999999999999:mfa/theirs",
            "token": "GAHT12345678", "key_device": f"arn:aws:iam::{account.id}:u2f/user/{lee.name}/default-X",
            "sms": f"arn:aws:iam::{account.id}:sms-mfa/{lee.name}",
            "user_arn": f"arn:aws:iam::{account.id}:user/{lee.name}",
        },
    )


def violation(what: str, count: int = 1) -> tuple[int, str, str]:
    """A refusal for constraints (R55)."""
    return 400, "ValidationError", f"{count} validation error{'s' if count > 1 else ''} detected: {what}"


def at(name: str, what: str, value: str | None = None) -> str:
    """One violated constraint; STS says the value, IAM leaves it out."""
    said = "" if value is None else f"'{value}' "
    return f"Value {said}at '{name}' failed to satisfy constraint: Member must {what}"


def null(name: str) -> str:
    """One parameter that is missing (R55)."""
    return f"Value null at '{name}' failed to satisfy constraint: Member must not be null"


def exists(message: str) -> tuple[int, str, str]:
    """A refusal because something is there already."""
    return 409, "EntityAlreadyExists", message


def invalid(message: str) -> tuple[int, str, str]:
    """A refusal of a value, in words of its own."""
    return 400, "ValidationError", message


def device_of(user: str, serial: str, **more) -> dict:
    """Parameters that name a user and a device."""
    return {"UserName": user, "SerialNumber": serial} | more


def pair_of(user: str, serial: str, **more) -> dict:
    """Parameters of enabling and resyncing."""
    return device_of(user, serial) | SOME_CODES | more


LONG_PATH = "/" + "p" * 511 + "/"
SIX_MORE, SIX_LESS = "have length greater than or equal to 6", "have length less than or equal to 6"
ENUM = "satisfy enum value set: [Assigned, Unassigned, Any]"

# What is asked, with which parameters, and what is answered. Words in braces are those of the world.
REFUSALS = {
    # ---- R58
    "R58 the name exists": (CREATE, {"VirtualMFADeviceName": "{phone_name}"}, exists("MFA device already exists.")),
    "A27 in any case": (CREATE, {"VirtualMFADeviceName": "{PHONE_NAME}"}, exists("MFA device already exists.")),
    "R58 a path without its end": (CREATE, {"VirtualMFADeviceName": "x", "Path": "/a"}, invalid(BAD_PATH)),
    "R58 a path without its beginning": (CREATE, {"VirtualMFADeviceName": "x", "Path": "a/"}, invalid(BAD_PATH)),
    "R59 nothing but slashes": (CREATE, {"VirtualMFADeviceName": "x", "Path": "//"}, invalid(BAD_PATH)),
    "R58 a path with a space": (CREATE, {"VirtualMFADeviceName": "x", "Path": "/a b/"}, invalid(BAD_PATH)),
    "R58 a path that is not ASCII": (CREATE, {"VirtualMFADeviceName": "x", "Path": "/ä/"}, invalid(BAD_PATH)),
    "R58 a long path": (
        CREATE, {"VirtualMFADeviceName": "x", "Path": LONG_PATH},
        violation(at("path", "have length less than or equal to 512")),
    ),
    "R58 a bad name": (
        CREATE, {"VirtualMFADeviceName": "a b"}, invalid(BAD_NAME.format("virtualMFADeviceName")),
    ),
    "R219 a name that is not ASCII": (
        CREATE, {"VirtualMFADeviceName": "Ünal"}, invalid(BAD_NAME.format("virtualMFADeviceName")),
    ),
    "R58 no name": (CREATE, {}, violation(null("virtualMFADeviceName"))),
    # ---- R64
    "R64 no such user": (ENABLE, pair_of("nobody", "{spare}"), no_user("nobody")),
    "R56 the user before the device": (ENABLE, pair_of("nobody", "{gone}"), no_user("nobody")),
    "A18 root is no user": (ENABLE, pair_of("root", "{spare}"), no_user("root")),
    "R64 no such device": (ENABLE, pair_of("{kim}", "{gone}"), no_device("{gone}")),
    "A9 a device of another account": (ENABLE, pair_of("{kim}", "{foreign}"), no_device("{foreign}")),
    "A10 no such token": (ENABLE, pair_of("{kim}", "{token}"), no_device("{token}")),
    "A13 a security key": (ENABLE, pair_of("{kim}", "{key_device}"), no_device("{key_device}")),
    "A13 a phone number": (ENABLE, pair_of("{kim}", "{sms}"), no_device("{sms}")),
    "A27 another case of the ARN": (ENABLE, pair_of("{kim}", "{PHONE}"), no_device("{PHONE}")),
    "R64 it is theirs already": (
        ENABLE, pair_of("{lee}", "{phone}"), exists("MFA Device for user {lee} already exists."),
    ),
    "R64 it is somebody else's": (ENABLE, pair_of("{kim}", "{phone}"), IN_USE),
    "R64 they have one already": (
        ENABLE, pair_of("{lee}", "{spare}"),
        (409, "LimitExceeded", "Cannot exceed quota limit for MFADevicesPerUser."),
    ),
    "R64 a short code": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode1="12345"),
        violation(at("authenticationCode1", SIX_MORE)),
    ),
    "R64 a long second code": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode2="1234567"),
        violation(at("authenticationCode2", SIX_LESS)),
    ),
    "R64 a code with a letter": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode1="12345a"),
        violation(at("authenticationCode1", r"satisfy regular expression pattern: [\d]+")),
    ),
    "R64 a code with a space": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode1="123 56"),
        violation(at("authenticationCode1", r"satisfy regular expression pattern: [\d]+")),
    ),
    "R64 a code with spaces around it": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode2=" 23456"),
        violation(at("authenticationCode2", r"satisfy regular expression pattern: [\d]+")),
    ),
    "R64 a code of full-width digits": (
        ENABLE, pair_of("{kim}", "{spare}", AuthenticationCode1="１２３４５６"),
        violation(at("authenticationCode1", r"satisfy regular expression pattern: [\d]+")),
    ),
    "R62 everything is needed": (
        ENABLE, {},
        violation("; ".join(map(null, ("userName", "serialNumber", "authenticationCode1", "authenticationCode2"))), 4),
    ),
    "R62 the second code too": (
        ENABLE, device_of("{kim}", "{spare}", AuthenticationCode1="123456"), violation(null("authenticationCode2")),
    ),
    "R219 a short serial number": (
        ENABLE, pair_of("{kim}", "GAHT1234"), violation(at("serialNumber", "have length greater than or equal to 9")),
    ),
    # ---- R70
    "R70 no such user": (DEACTIVATE, device_of("nobody", "{phone}"), no_user("nobody")),
    "R70 no such device": (DEACTIVATE, device_of("{lee}", "{gone}"), no_device("{gone}")),
    "R70 it is unassigned": (DEACTIVATE, device_of("{lee}", "{spare}"), NOT_OF_USER),
    "R70 it is somebody else's": (DEACTIVATE, device_of("{kim}", "{phone}"), NOT_OF_USER),
    "R70 without a user it is the caller's": (DEACTIVATE, {"SerialNumber": "{phone}"}, NOT_OF_USER),
    "R70 no serial number": (DEACTIVATE, {"UserName": "{lee}"}, violation(null("serialNumber"))),
    # ---- R73
    "R73 it is in use": (
        DELETE, {"SerialNumber": "{phone}"},
        (409, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first."),
    ),
    "R73 no such device": (DELETE, {"SerialNumber": "{gone}"}, no_device("{gone}")),
    "A9 a device of another account to delete": (DELETE, {"SerialNumber": "{foreign}"}, no_device("{foreign}")),
    "R75 a token is not deleted": (DELETE, {"SerialNumber": "{token}"}, no_device("{token}")),
    # ---- R111
    "R111 no such user": (RESYNC, pair_of("nobody", "{phone}"), no_user("nobody")),
    "R111 no such device": (RESYNC, pair_of("{lee}", "{gone}"), no_device("{gone}")),
    "R111 it is unassigned": (RESYNC, pair_of("{lee}", "{spare}"), NOT_OF_USER),
    "R111 it is somebody else's": (RESYNC, pair_of("{kim}", "{phone}"), NOT_OF_USER),
    "R111 a short code": (
        RESYNC, pair_of("{lee}", "{phone}", AuthenticationCode2="1"), violation(at("authenticationCode2", SIX_MORE)),
    ),
    # ---- R76 and its like
    "R76 the user has a device": (
        "DeleteUser", {"UserName": "{lee}"},
        (409, "DeleteConflict", "Cannot delete entity, must remove tokens from principal first."),
    ),
    "R76 the user has a key": (
        "DeleteUser", {"UserName": "{kim}"},
        (409, "DeleteConflict", "Cannot delete entity, must delete access keys first."),
    ),
    "R76 no such user": ("DeleteUser", {"UserName": "nobody"}, no_user("nobody")),
    "R9 the name is taken": (
        "CreateUser", {"UserName": "{lee}"}, exists("User with name {lee} already exists."),
    ),
    "R9 in any case": ("CreateUser", {"UserName": "{LEE}"}, exists("User with name {LEE} already exists.")),
    "R9 a bad name": ("CreateUser", {"UserName": "a/b"}, invalid(BAD_NAME.format("userName"))),
    "R9 a long name": (
        "CreateUser", {"UserName": "n" * 65}, violation(at("userName", "have length less than or equal to 64")),
    ),
    # ---- R159, R160, R162
    "R159 no such user": (LIST, {"UserName": "nobody"}, no_user("nobody")),
    "R160 a bad status": (LIST_VIRTUAL, {"AssignmentStatus": "any"}, violation(at("assignmentStatus", ENUM))),
    "R162 a marker of nobody": (LIST_VIRTUAL, {"Marker": "AAAA"}, invalid("Invalid Marker.")),
    "R162 a marker for another list": (LIST, {"UserName": "{lee}", "Marker": "v1.AAAA.x"}, invalid("Invalid Marker.")),
    "R215 no marker": (
        LIST, {"Marker": ""},
        violation("; ".join((
            at("marker", "have length greater than or equal to 1"),
            at("marker", r"satisfy regular expression pattern: [\u0020-\u00FF]+"),
        )), 2),
    ),
    "R159 no items": (LIST, {"MaxItems": "0"}, violation(at("maxItems", "have value greater than or equal to 1"))),
    "R159 too many items": (
        LIST_VIRTUAL, {"MaxItems": "1001"}, violation(at("maxItems", "have value less than or equal to 1000")),
    ),
    # ---- R131, R134: the caller is the administrator, who has no device
    "R131 no such serial number": (SESSION, {"SerialNumber": "{gone}", "TokenCode": "123456"}, UNABLE),
    "R131 no such token": (SESSION, {"SerialNumber": "{token}", "TokenCode": "123456"}, UNABLE),
    "R131 somebody else's": (SESSION, {"SerialNumber": "{phone}", "TokenCode": "123456"}, UNABLE),
    "R131 an unassigned one": (SESSION, {"SerialNumber": "{spare}", "TokenCode": "123456"}, UNABLE),
    "R131 the user instead of the device": (SESSION, {"SerialNumber": "{user_arn}", "TokenCode": "123456"}, UNABLE),
    "A12 a security key": (SESSION, {"SerialNumber": "{key_device}", "TokenCode": "123456"}, UNABLE),
    "A12 a phone number": (SESSION, {"SerialNumber": "{sms}", "TokenCode": "123456"}, UNABLE),
    "R131 no code": (SESSION, {"SerialNumber": "{phone}"}, (403, "AccessDenied", INCOMPLETE)),
    "R131 no serial number": (SESSION, {"TokenCode": "123456"}, (403, "AccessDenied", INCOMPLETE)),
    "R134 a short code": (
        SESSION, {"SerialNumber": "{phone}", "TokenCode": "12345"}, violation(at("tokenCode", SIX_MORE, "12345")),
    ),
    "R134 a long code": (
        SESSION, {"SerialNumber": "{phone}", "TokenCode": "1234567"}, violation(at("tokenCode", SIX_LESS, "1234567")),
    ),
    "R134 a code with a letter": (
        SESSION, {"SerialNumber": "{phone}", "TokenCode": "12345x"},
        violation(at("tokenCode", r"satisfy regular expression pattern: [\d]*", "12345x")),
    ),
    "R134 full-width digits": (
        SESSION, {"SerialNumber": "{phone}", "TokenCode": "１２３４５６"},
        violation(at("tokenCode", r"satisfy regular expression pattern: [\d]*", "１２３４５６")),
    ),
    "R134 a short serial number": (
        SESSION, {"SerialNumber": "x", "TokenCode": "123456"},
        violation(at("serialNumber", "have length greater than or equal to 9", "x")),
    ),
    "R135 a short session": (
        SESSION, {"DurationSeconds": "899"},
        violation(at("durationSeconds", "have value greater than or equal to 900", "899")),
    ),
    "R135 a long session": (
        SESSION, {"DurationSeconds": "129601"},
        violation(at("durationSeconds", "have value less than or equal to 129600", "129601")),
    ),
}


@pytest.mark.parametrize("action, parameters, refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_code_status_and_text(world, action, parameters, refusal):
    filled = {name: value.format(**world.words) for name, value in parameters.items()}
    status, code, message = refusal
    answer = world.admin.call(action, **filled)
    assert answer.refusal == (status, code, message.format(**world.words))
    answer.check_envelope(service_of(action))


def boto_refusal(call, **parameters) -> tuple[int, str, str]:
    """What boto3 makes of a refusal."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    said = caught.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"]


def test_boto3_raises_its_typed_exceptions(world):
    iam, sts = world.admin.iam, world.admin.sts
    raised = iam.exceptions
    typed = [
        (raised.EntityAlreadyExistsException, iam.create_virtual_mfa_device, {"VirtualMFADeviceName": "{phone_name}"}),
        (raised.NoSuchEntityException, iam.list_mfa_devices, {"UserName": "nobody"}),
        (raised.DeleteConflictException, iam.delete_virtual_mfa_device, {"SerialNumber": "{phone}"}),
        (raised.LimitExceededException, iam.enable_mfa_device, pair_of("{lee}", "{spare}")),
        (raised.InvalidAuthenticationCodeException, iam.enable_mfa_device, pair_of("{kim}", "{spare}")),
    ]
    for exception, call, parameters in typed:
        with pytest.raises(exception):
            call(**{name: value.format(**world.words) for name, value in parameters.items()})
    assert boto_refusal(sts.get_session_token, SerialNumber=world.phone.serial) == (403, "AccessDenied", INCOMPLETE)


def test_a_code_that_is_wrong_and_one_that_is_used(world):
    lee, phone = world.account.user_with_device()
    step = step_now()
    wrong, used = phone.seed.wrong(step)[0], phone.seed.code(step + 1)
    assert boto_refusal(lee.sts.get_session_token, SerialNumber=phone.serial, TokenCode=wrong) == REFUSED
    lee.session(SerialNumber=phone.serial, TokenCode=used)
    assert boto_refusal(lee.sts.get_session_token, SerialNumber=phone.serial, TokenCode=used) == REFUSED


BAD_PAIRS = {
    "one code twice": lambda seed, step: (seed.code(step), seed.code(step)),
    "in the wrong order": lambda seed, step: (seed.code(step), seed.code(step - 1)),
    "not adjacent": lambda seed, step: (seed.code(step - 2), seed.code(step)),
    "half a pair": lambda seed, step: (seed.code(step - 1), seed.wrong(step)[0]),
    "the other half": lambda seed, step: (seed.wrong(step)[0], seed.code(step)),
    "too old": lambda seed, step: seed.pair(step - 1010),
    "too far ahead": lambda seed, step: seed.pair(step + 1010),
}


@pytest.mark.parametrize("choose", BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_a_bad_pair_enables_nothing_and_resyncs_nothing(world, choose):
    kim, device = world.account.user(), world.account.device()
    step = step_now()
    assert kim.pair(ENABLE, device, choose(device.seed, step)).refusal == BAD_PAIR
    assert kim.devices() == []
    kim.enables(device)
    assert kim.pair(RESYNC, device, choose(device.seed, step)).refusal == BAD_PAIR
    assert kim.shows(device, device.seed.code(step_now() + 1)).ok, "what was learned before is kept (R67)"


def test_state_is_looked_at_before_codes(world):
    """R56: repeating an enable with its own pair is a conflict, not a wrong code."""
    kim, device = world.account.user(), world.account.device()
    codes = device.seed.pair(step_now())
    assert kim.pair(ENABLE, device, codes).ok
    assert kim.pair(ENABLE, device, codes).refusal == exists(f"MFA Device for user {kim.name} already exists.")


def test_sessions_open_no_sessions_and_no_iam(world):
    """R137, R138."""
    plain = world.lee.session()
    assert plain.call("GetCallerIdentity").ok
    for parameters in ({}, {"SerialNumber": world.phone.serial, "TokenCode": "123456"}):
        assert plain.call(SESSION, **parameters).refusal == (
            403, "AccessDenied", "Cannot call GetSessionToken with session credentials",
        )
    for action in (LIST, LIST_VIRTUAL, "ListUsers", CREATE, "CreateUser", ENABLE):
        parameters = {"UserName": world.lee.name, "VirtualMFADeviceName": "x", "SerialNumber": world.spare.serial}
        answer = plain.call(action, **parameters, **SOME_CODES)
        assert answer.refusal == (403, "InvalidClientTokenId", BAD_TOKEN), action


def test_an_ordinary_user_manages_only_itself(world):
    """R45, R47: the text names the caller, the action and the resource."""
    lee, kim = world.lee, world.kim
    account = f"arn:aws:iam::{world.account.id}"
    denied = {
        "CreateUser": ({"UserName": "mole"}, f"{account}:user/mole"),
        "DeleteUser": ({"UserName": kim.name}, f"{account}:user/{kim.name}"),
        "CreateAccessKey": ({"UserName": kim.name}, f"{account}:user/{kim.name}"),
        ENABLE: (pair_of(kim.name, world.spare.serial), f"{account}:user/{kim.name}"),
        RESYNC: (pair_of(kim.name, world.spare.serial), f"{account}:user/{kim.name}"),
        DEACTIVATE: (device_of(kim.name, world.spare.serial), f"{account}:user/{kim.name}"),
        DELETE: ({"SerialNumber": world.spare.serial}, world.spare.serial),
        LIST_VIRTUAL: ({}, "*"),
        LIST: ({"UserName": kim.name}, f"{account}:user/{kim.name}"),
    }
    for action, (parameters, resource) in denied.items():
        status, code, text = lee.call(action, **parameters).refusal
        expected = (
            f"User: {account}:user/{lee.name} is not authorized to perform: iam:{action} on resource: {resource}"
        )
        assert (status, code) == (403, "AccessDenied"), action
        assert text == f"{expected} because no identity-based policy allows the iam:{action} action"
    assert lee.call(LIST).ok and lee.call(LIST, UserName=lee.name).ok


def test_a_key_alone_does_not_take_the_second_factor_away(world):
    """R48: deactivating one's own device needs a session with MFA."""
    lee, phone = world.account.user_with_device()
    status, code, text = lee.call(DEACTIVATE, **device_of(lee.name, phone.serial)).refusal
    assert (status, code) == (403, "AccessDenied")
    assert text.endswith("with an explicit deny in an identity-based policy")
    session = lee.session(SerialNumber=phone.serial, TokenCode=phone.seed.code(step_now() + 1))
    session.does(DEACTIVATE, SerialNumber=phone.serial)
    assert session.call(DEACTIVATE, SerialNumber=phone.serial).refusal == NOT_OF_USER
    assert lee.devices() == []


def test_self_management_needs_mfa_under_the_rules_since_2022(new_account):
    """R180, R181: the check comes before duplicates and missing devices, and not for resync."""
    account = new_account("self", "--policy", "modern")
    lee, admin = account.user(), account.admin
    phone, second, gone = admin.enables(account.device()), account.device(), account.arn("gone")
    rule = (403, "AccessDenied", SELF_MANAGEMENT)
    for serial in (second.serial, phone.serial, gone):
        assert admin.call(ENABLE, **pair_of(admin.name, serial)).refusal == rule
        assert admin.call(DEACTIVATE, **device_of(admin.name, serial)).refusal == rule
    step = step_now()
    assert admin.pair(RESYNC, phone, phone.seed.pair(step + 2)).ok
    assert admin.call(DEACTIVATE, **device_of(lee.name, gone)).refusal == no_device(gone), "others are no matter of it"
    session = admin.session(SerialNumber=phone.serial, TokenCode=phone.seed.code(step + 3))
    one, two = second.seed.pair(step)
    codes = {"AuthenticationCode1": one, "AuthenticationCode2": two}
    session.does(ENABLE, **device_of(admin.name, second.serial, **codes))
    for device in (phone, second):
        session.does(DEACTIVATE, **device_of(admin.name, device.serial))
    third = account.device()
    admin.enables(third)
    assert admin.devices() == [third.serial], "with none left, a key is enough again"


def test_a_user_with_a_device_does_not_enrol_another_with_a_key(modern):
    """R180, R181: the first enrolment works with a key."""
    lee, _ = modern.user_with_device()
    assert lee.pair(ENABLE, modern.device(), ("314159", "265358")).refusal == (403, "AccessDenied", SELF_MANAGEMENT)


def test_eight_devices_and_not_nine_under_the_rules_since_2022(modern):
    lee, first = modern.user_with_device()
    others = [modern.device() for _ in range(8)]
    answers = []
    for device in others:
        one, two = device.seed.pair(step_now())
        parameters = device_of(lee.name, device.serial, AuthenticationCode1=one, AuthenticationCode2=two)
        answers.append(modern.admin.call(ENABLE, **parameters))
    assert [answer.status for answer in answers] == [200] * 7 + [409]
    assert answers[-1].refusal == (409, "LimitExceeded", "Cannot exceed quota limit for MFADevicesPerUser.")
    serials = [first.serial] + [device.serial for device in others[:7]]
    assert lee.devices() == serials
    pages = lee.iam.get_paginator("list_mfa_devices").paginate(UserName=lee.name, PaginationConfig={"PageSize": 3})
    assert [[device["SerialNumber"] for device in page["MFADevices"]] for page in pages] == [
        serials[:3], serials[3:6], serials[6:],
    ]


def test_a_user_has_two_keys_at_most(world):
    user = world.account.user()
    world.account.with_key(user.name)
    answer = world.admin.call("CreateAccessKey", UserName=user.name)
    assert answer.refusal == (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    assert world.admin.does("ListAccessKeys", UserName=user.name).find("SecretAccessKey") is None


def test_an_account_has_five_thousand_virtual_devices_at_most(new_account):
    """R22, R58: assigned or not; one that is deleted makes room."""
    account, quota = new_account("quota"), 5000
    account.user_with_device()

    def create(number: int):
        return account.admin.call(CREATE, VirtualMFADeviceName=f"many-{number}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(quota + 20)))
    made = [answer for answer in answers if answer.ok]
    assert len(made) == quota - 1
    refused = {answer.refusal for answer in answers if not answer.ok}
    assert refused == {(409, "LimitExceeded", f"Cannot exceed quota for MFADevices: {quota}")}
    pages = account.admin.iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 1000})
    assert [len(page["VirtualMFADevices"]) for page in pages] == [1000] * 5
    account.admin.does(DELETE, SerialNumber=made[0].find("SerialNumber"))
    assert create(quota + 20).ok and not create(quota + 21).ok


def test_pages_and_their_markers(new_account):
    """R159, R160, R162, R215."""
    account = new_account("pages")
    made = [create_device(account.admin, f"page-{number:02}").serial for number in range(25)]
    iam = account.admin.iam
    pages = list(iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 7}))
    assert [len(page["VirtualMFADevices"]) for page in pages] == [7, 7, 7, 4]
    assert sorted(device["SerialNumber"] for page in pages for device in page["VirtualMFADevices"]) == sorted(made)
    first = iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned", MaxItems=10)
    assert first["IsTruncated"] and 1 <= len(first["Marker"]) <= 320
    rest = iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned", Marker=first["Marker"], MaxItems=1000)
    assert not rest["IsTruncated"] and "Marker" not in rest and len(rest["VirtualMFADevices"]) == 15
    refused = (400, "ValidationError", "Invalid Marker.")
    assert boto_refusal(iam.list_virtual_mfa_devices, Marker=first["Marker"]) == refused
    assert boto_refusal(iam.list_mfa_devices, UserName=account.admin.name, Marker=first["Marker"]) == refused
    assert boto_refusal(iam.list_users, Marker=first["Marker"]) == refused
    for number in range(5):
        account.admin.does("CreateUser", UserName=f"page-{number}")
    users = [page["Users"] for page in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})]
    assert [len(page) for page in users] == [2, 2, 2]
    assert len({user["UserName"] for page in users for user in page}) == 6


def test_paths_with_double_slashes_are_taken(world):
    """R57, R59, R20."""
    made = world.admin.does(CREATE, VirtualMFADeviceName="x", Path="/a//b/")
    assert made.find("SerialNumber") == f"arn:aws:iam::{world.account.id}:mfa/a//b/x"
    assert world.admin.does(CREATE, VirtualMFADeviceName="x", Path="/c/").find("Tags") is None


def tags(*pairs: tuple[str, str]) -> dict[str, str]:
    """Tags in the form of the Query protocol (R203)."""
    numbered = enumerate(pairs, 1)
    return {
        f"Tags.member.{number}.{name}": text
        for number, (key, value) in numbered for name, text in (("Key", key), ("Value", value))
    }


@pytest.mark.parametrize("bad, code", [
    # Tags came later than this door; none of them is dropped in silence.
    (tags(("team", "sre")), "InvalidInput"),
    (tags(("aws:x", "1")), "InvalidInput"),
    (tags(("a", "1"), ("a", "2")), "InvalidInput"),
    (tags(("k" * 129, "1")), "ValidationError"),
    (tags(*((f"k{number}", "") for number in range(51))), "ValidationError"),
    ({"Tags.member.0.Key": "a"}, "MalformedInput"),
    ({"Tags.member.+1.Key": "a"}, "MalformedInput"),
    ({"Tags.member.x.Key": "a"}, "MalformedInput"),
    ({"Tags.member.1.Key": "a", "Tags.member.1.Value": "", "Tags.member.99.Key": "b"}, "MalformedInput"),
])
def test_bad_tags_fail_the_whole_call(world, bad, code):
    """R58, R204."""
    answer = world.admin.call(CREATE, VirtualMFADeviceName="tagged", **bad)
    assert answer.refusal[:2] == (400, code)
    assert world.account.arn("tagged") not in world.admin.does(LIST_VIRTUAL, MaxItems=1000).all("SerialNumber")


@pytest.mark.parametrize("number, code", [
    ("1", None), ("01", None), ("+1", None), ("1000", None),
    ("1.0", "MalformedInput"), ("1e2", "MalformedInput"), (" 1", "MalformedInput"), ("", "MalformedInput"),
    ("99999999999999999999", "MalformedInput"), ("-1", "ValidationError"), ("１", "MalformedInput"),
])
def test_integers(world, number, code):
    """R205."""
    assert world.admin.call(LIST, MaxItems=number).find("Code") == code
