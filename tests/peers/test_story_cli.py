"""A person with the AWS CLI, oathtool and a phone: the whole life of a virtual device.

The chapters follow each other; each goes on where the one before it ended.
"""

import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pyotp
import pytest

from support.account import Account
from support.canary import CANARY
from support.cli import Aws, oathtool, refusal, scan_qr, session_key
from support.otp import Seed, step_now
from support.texts import BAD_TOKEN, CODE_REFUSED, NOT_VALIDATED
from support.wire import Key

GET_SESSION = ("sts", "get-session-token")


@pytest.fixture(scope="module")
def story(new_account, tmp_path_factory) -> SimpleNamespace:
    account: Account = new_account("story")
    home: Path = tmp_path_factory.mktemp("home")

    def aws(key: Key) -> Aws:
        return Aws(account.server.endpoint, key, home)

    return SimpleNamespace(account=account, home=home, aws=aws, admin=aws(account.admin.key))


def pair_arguments(user: str, serial: str, one: str, two: str) -> tuple[str, ...]:
    """The arguments of enabling and resyncing."""
    return (
        "--user-name", user, "--serial-number", serial,
        "--authentication-code1", one, "--authentication-code2", two,
    )


def with_code(serial: str, code: str) -> tuple[str, ...]:
    """The arguments of opening a session with MFA."""
    return *GET_SESSION, "--serial-number", serial, "--token-code", code


def test_01_the_administrator_knows_who_it_is(story):
    who = story.admin("sts", "get-caller-identity")
    name = story.account.admin.name
    assert who["Account"] == story.account.id
    assert who["Arn"] == f"arn:aws:iam::{story.account.id}:user/{name}"
    assert who["UserId"].startswith("AIDA")


def test_02_a_user_with_a_key_is_made(story):
    made = story.admin("iam", "create-user", "--user-name", "lee")["User"]
    assert (made["UserName"], made["Path"]) == ("lee", "/")
    assert made["Arn"] == f"arn:aws:iam::{story.account.id}:user/lee"
    key = story.admin("iam", "create-access-key", "--user-name", "lee")["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA") and key["Status"] == "Active"
    CANARY.secret("a user's secret key", key["SecretAccessKey"])
    story.lee_key = Key(key["AccessKeyId"], key["SecretAccessKey"])
    story.lee = story.aws(story.lee_key)
    assert story.lee("sts", "get-caller-identity")["Arn"] == made["Arn"]
    names = [user["UserName"] for user in story.admin("iam", "list-users")["Users"]]
    assert set(names) == {"lee", story.account.admin.name}


def test_03_a_device_is_made_and_its_seed_printed_once(story):
    file = story.home / "seed.txt"
    printed = story.lee(
        "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "lee-spare",
        "--bootstrap-method", "Base32StringSeed", "--outfile", str(file),
    )
    story.spare = printed["VirtualMFADevice"]["SerialNumber"]
    assert printed == {"VirtualMFADevice": {"SerialNumber": story.account.arn("lee-spare")}}
    seed = Seed(file.read_text())
    assert len(seed.base32) == 64 and len(seed.raw) == 40, "320 bits without padding (R15)"
    assert oathtool(seed.base32, 1) == [seed.code(1)], "two implementations agree on the codes"


def test_04_the_qr_code_of_another_is_scanned(story):
    picture = story.home / "qr.png"
    printed = story.lee(
        "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "lee-phone",
        "--bootstrap-method", "QRCodePNG", "--outfile", str(picture),
    )
    story.phone = printed["VirtualMFADevice"]["SerialNumber"]
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    uri = scan_qr(picture)
    read = pyotp.parse_uri(uri)
    assert isinstance(read, pyotp.TOTP) and (read.digits, read.interval) == (6, 30)
    assert read.name.startswith("lee-phone@") and read.issuer, uri
    story.seed = Seed(read.secret)
    assert len(story.seed.base32) == 64


def test_05_the_picture_and_the_seed_are_of_one_secret(story):
    made = story.account.admin.iam.create_virtual_mfa_device(VirtualMFADeviceName="both", Path="/shelf/")
    made = made["VirtualMFADevice"]
    assert made["SerialNumber"] == f"arn:aws:iam::{story.account.id}:mfa/shelf/both"
    picture = story.home / "both.png"
    picture.write_bytes(made["QRCodePNG"])
    assert pyotp.parse_uri(scan_qr(picture)).secret == Seed(made["Base32StringSeed"].decode()).base32


def test_06_both_are_unassigned(story):
    def listed(status: str) -> list[str]:
        found = story.admin("iam", "list-virtual-mfa-devices", "--assignment-status", status)
        assert all(set(device) == {"SerialNumber"} for device in found["VirtualMFADevices"])
        return [device["SerialNumber"] for device in found["VirtualMFADevices"]]

    assert {story.spare, story.phone} <= set(listed("Unassigned"))
    assert set(listed("Any")) == set(listed("Unassigned"))
    assert listed("Assigned") == []
    assert story.lee("iam", "list-mfa-devices") == {"MFADevices": []}


def test_07_codes_of_another_device_do_not_enable_it(story):
    one, two = oathtool(Seed.random().base32, step_now() - 1, 2)
    said = story.lee.refused("iam", "enable-mfa-device", *pair_arguments("lee", story.phone, one, two))
    assert said == refusal(
        "InvalidAuthenticationCode", "EnableMFADevice", "Authentication code for device is not valid."
    )


def test_08_two_consecutive_codes_enable_it(story):
    story.enabled_at = step_now()
    one, two = oathtool(story.seed.base32, story.enabled_at - 1, 2)
    assert story.lee("iam", "enable-mfa-device", *pair_arguments("lee", story.phone, one, two)) is None


def test_09_the_lists_show_whose_it_is(story):
    (mine,) = story.lee("iam", "list-mfa-devices", "--user-name", "lee")["MFADevices"]
    assert (mine["UserName"], mine["SerialNumber"]) == ("lee", story.phone)
    assert abs(time.time() - parse_time(mine["EnableDate"])) < 60
    (assigned,) = story.admin("iam", "list-virtual-mfa-devices", "--assignment-status", "Assigned")["VirtualMFADevices"]
    assert assigned["SerialNumber"] == story.phone and assigned["EnableDate"] == mine["EnableDate"]
    owner = assigned["User"]
    assert (owner["UserName"], owner["Path"]) == ("lee", "/") and owner["UserId"].startswith("AIDA")
    assert owner["Arn"] == f"arn:aws:iam::{story.account.id}:user/lee" and owner["CreateDate"]


def test_10_a_code_opens_a_session_and_only_once(story):
    (code,) = oathtool(story.seed.base32, story.enabled_at + 1)
    printed = story.lee(*with_code(story.phone, code))
    assert printed["Credentials"]["AccessKeyId"].startswith("ASIA")
    ends_in = parse_time(printed["Credentials"]["Expiration"]) - time.time()
    assert 43_000 < ends_in <= 43_200, "twelve hours by default (R135)"
    story.session_key = session_key(printed)
    story.session = story.aws(story.session_key)
    assert story.lee.refused(*with_code(story.phone, code)) == refusal("AccessDenied", "GetSessionToken", CODE_REFUSED)


def test_11_the_session_is_the_user_and_may_call_iam(story):
    who = story.session("sts", "get-caller-identity")
    assert who == story.lee("sts", "get-caller-identity")
    (mine,) = story.session("iam", "list-mfa-devices")["MFADevices"]
    assert mine["SerialNumber"] == story.phone


def test_12_a_session_without_mfa_may_not_call_iam(story):
    plain = story.aws(session_key(story.lee(*GET_SESSION)))
    assert plain("sts", "get-caller-identity")["Arn"].endswith(":user/lee")
    assert plain.refused("iam", "list-mfa-devices") == refusal("InvalidClientTokenId", "ListMFADevices", BAD_TOKEN)
    assert plain.refused("iam", "list-users") == refusal("InvalidClientTokenId", "ListUsers", BAD_TOKEN)
    for session in (plain, story.session):
        assert session.refused(*GET_SESSION) == refusal(
            "AccessDenied", "GetSessionToken", "Cannot call GetSessionToken with session credentials"
        )


def test_13_the_server_is_killed_and_everything_is_there(story):
    story.account.server.kill()
    story.account.server.start()
    story.admin, story.lee = story.aws(story.account.admin.key), story.aws(story.lee_key)
    story.session = story.aws(story.session_key)
    (mine,) = story.lee("iam", "list-mfa-devices")["MFADevices"]
    assert mine["SerialNumber"] == story.phone
    (spent,) = oathtool(story.seed.base32, story.enabled_at + 1)
    assert CODE_REFUSED in story.lee.refused(*with_code(story.phone, spent))


def test_14_the_device_is_taken_and_given_back(story):
    arguments = ("--user-name", "lee", "--serial-number", story.phone)
    assert story.admin.refused("iam", "delete-virtual-mfa-device", *arguments[2:]) == refusal(
        "DeleteConflict", "DeleteVirtualMFADevice", "MFA VirtualDevice in use. Must deactivate first."
    )
    said = story.lee.refused("iam", "deactivate-mfa-device", *arguments)
    assert "AccessDenied" in said and "with an explicit deny" in said, "a key alone does not take it away (R48)"
    assert story.session("iam", "deactivate-mfa-device", *arguments) is None
    assert story.session.refused("iam", "deactivate-mfa-device", *arguments) == refusal(
        "NoSuchEntity", "DeactivateMFADevice", "MFA Device invalid for user."
    )
    (code,) = oathtool(story.seed.base32, step_now())
    assert story.lee.refused(*with_code(story.phone, code)) == refusal("AccessDenied", "GetSessionToken", NOT_VALIDATED)


def test_15_a_late_pair_associates_it_but_leaves_it_out_of_sync(story):
    # Twenty steps are ten minutes. The pair is newer than the last one only on a fresh device (R85).
    file = story.home / "late.txt"
    story.lee(
        "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "lee-late",
        "--bootstrap-method", "Base32StringSeed", "--outfile", str(file),
    )
    story.late, story.late_seed = story.account.arn("lee-late"), file.read_text()
    CANARY.seed(story.late_seed, Seed(story.late_seed).raw)
    one, two = oathtool(story.late_seed, step_now() - 21, 2)
    story.lee("iam", "enable-mfa-device", *pair_arguments("lee", story.late, one, two))
    assert [device["SerialNumber"] for device in story.lee("iam", "list-mfa-devices")["MFADevices"]] == [story.late]
    (fresh,) = oathtool(story.late_seed, step_now())
    assert story.lee.refused(*with_code(story.late, fresh)) == refusal("AccessDenied", "GetSessionToken", CODE_REFUSED)
    (as_late,) = oathtool(story.late_seed, step_now() - 19)
    session_key(story.lee(*with_code(story.late, as_late)))


def test_16_a_resync_repairs_it(story):
    now = step_now()
    one, two = oathtool(story.late_seed, now - 1, 2)
    assert story.lee("iam", "resync-mfa-device", *pair_arguments("lee", story.late, one, two)) is None
    (fresh,) = oathtool(story.late_seed, now + 1)
    session_key(story.lee(*with_code(story.late, fresh)))
    (as_late,) = oathtool(story.late_seed, now - 18)
    assert story.lee.refused(*with_code(story.late, as_late)) == refusal(
        "AccessDenied", "GetSessionToken", CODE_REFUSED
    )


def test_17_deleted_and_made_again_it_is_another_device(story):
    story.admin("iam", "deactivate-mfa-device", "--user-name", "lee", "--serial-number", story.late)
    story.admin("iam", "delete-virtual-mfa-device", "--serial-number", story.late)
    gone = f"MFA Device with serial number {story.late} does not exist."
    assert story.admin.refused("iam", "delete-virtual-mfa-device", "--serial-number", story.late) == refusal(
        "NoSuchEntity", "DeleteVirtualMFADevice", gone
    )
    file = story.home / "again.txt"
    printed = story.lee(
        "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "lee-late",
        "--bootstrap-method", "Base32StringSeed", "--outfile", str(file),
    )
    assert printed["VirtualMFADevice"]["SerialNumber"] == story.late
    again = Seed(file.read_text())
    assert again.base32 != story.late_seed
    one, two = oathtool(story.late_seed, step_now() + 1, 2)
    assert "InvalidAuthenticationCode" in story.lee.refused(
        "iam", "enable-mfa-device", *pair_arguments("lee", story.late, one, two)
    )
    one, two = oathtool(again.base32, step_now() - 1, 2)
    story.lee("iam", "enable-mfa-device", *pair_arguments("lee", story.late, one, two))


def test_18_the_user_goes_only_when_its_device_is_gone(story):
    assert story.admin.refused("iam", "delete-user", "--user-name", "lee") == refusal(
        "DeleteConflict", "DeleteUser", "Cannot delete entity, must remove tokens from principal first."
    )
    story.admin("iam", "deactivate-mfa-device", "--user-name", "lee", "--serial-number", story.late)
    for serial in (story.late, story.phone, story.spare):
        story.admin("iam", "delete-virtual-mfa-device", "--serial-number", serial)
    story.admin("iam", "delete-access-key", "--user-name", "lee", "--access-key-id", story.lee_key.id)
    assert story.admin("iam", "delete-user", "--user-name", "lee") is None
    assert "lee" not in [user["UserName"] for user in story.admin("iam", "list-users")["Users"]]
    assert story.lee.refused("sts", "get-caller-identity") == refusal(
        "InvalidClientTokenId", "GetCallerIdentity", BAD_TOKEN
    )


def test_19_a_new_user_of_the_same_name_inherits_nothing(story):
    story.admin("iam", "create-user", "--user-name", "lee")
    assert story.admin("iam", "list-mfa-devices", "--user-name", "lee") == {"MFADevices": []}
    assert BAD_TOKEN in story.lee.refused("sts", "get-caller-identity")


def parse_time(text: str) -> float:
    """Seconds since the epoch of a time that the CLI printed."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
