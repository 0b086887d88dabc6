"""Hardware tokens: their seeds come from a vendor's file, and then they live like any other device (R25..R29)."""

import base64
import secrets
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from pskc import PSKC

from support.account import Account, Device
from support.canary import CANARY
from support.cli import Aws, oathtool, session_key
from support.otp import Seed, step_now
from support.server import countersign
from support.texts import BAD_PAIR, IN_USE, UNABLE, no_device

TOTP = "urn:ietf:params:xml:ns:keyprov:pskc:totp"


def token(serial: str) -> Device:
    """A token as its vendor made it."""
    return Device(serial, Seed(base64.b32encode(secrets.token_bytes(20)).decode()))


def container(*tokens: Device) -> PSKC:
    """A PSKC document with tokens in it."""
    document = PSKC()
    for made in tokens:
        document.add_key(
            id=made.serial, serial=made.serial, manufacturer="Feitian", model="c200", algorithm=TOTP,
            secret=made.seed.raw, time_interval=30, response_length=6, response_encoding="DECIMAL",
        )
    return document


@pytest.fixture(scope="module")
def shelf(new_account, tmp_path_factory) -> SimpleNamespace:
    """A server, and a folder for the files of vendors."""
    return SimpleNamespace(account=new_account("hardware"), folder=tmp_path_factory.mktemp("vendor"))


def write(shelf, name: str, content: PSKC | str) -> Path:
    """Writes a file of a vendor."""
    path = shelf.folder / name
    if isinstance(content, PSKC):
        content.write(str(path))
    else:
        path.write_text(content)
    return path


def run_import(shelf, path: Path, *options: str) -> subprocess.CompletedProcess:
    """Imports a file while the server is stopped; what is printed is searched for secrets later."""
    server = shelf.account.server
    server.stop()
    done = countersign("tokens", "import", str(path), "--data", str(server.data), *options)
    (server.logs / f"import-{path.name}.txt").write_text(done.stdout + done.stderr)
    server.start()
    return done


def imported(shelf, path: Path, *options: str) -> None:
    """Imports a file that is good."""
    done = run_import(shelf, path, *options)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_token_from_a_plain_pskc_file_lives_its_life(shelf):
    """The story of the issue, with the AWS CLI."""
    made = token("GAHT12345678")
    imported(shelf, write(shelf, "plain.xml", container(made)))
    account: Account = shelf.account
    lee = account.user("lee")
    aws = Aws(account.server.endpoint, lee.key, shelf.folder)
    device = ("--user-name", "lee", "--serial-number", made.serial)
    step = step_now()
    one, two = oathtool(made.seed.base32, step - 1, 2)
    aws("iam", "enable-mfa-device", *device, "--authentication-code1", one, "--authentication-code2", two)
    (listed,) = aws("iam", "list-mfa-devices")["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == ("lee", made.serial)
    assert account.admin.does("ListVirtualMFADevices").all("SerialNumber") == [], "it is not virtual (R29)"
    (code,) = oathtool(made.seed.base32, step + 1)
    printed = aws("sts", "get-session-token", "--serial-number", made.serial, "--token-code", code)
    session = Aws(account.server.endpoint, session_key(printed), shelf.folder)
    assert session("iam", "list-mfa-devices")["MFADevices"] == [listed]
    one, two = oathtool(made.seed.base32, step + 1, 2)
    aws("iam", "resync-mfa-device", *device, "--authentication-code1", one, "--authentication-code2", two)
    assert "explicit deny" in aws.refused("iam", "deactivate-mfa-device", *device), "a key alone does not (R48)"
    session("iam", "deactivate-mfa-device", *device)
    assert aws("iam", "list-mfa-devices") == {"MFADevices": []}


def test_back_in_the_inventory_it_goes_to_another_user(shelf):
    """R28."""
    account: Account = shelf.account
    made, lee, kim = token("GAHT22222222"), account.user(), account.user()
    imported(shelf, write(shelf, "again.xml", container(made)))
    step = step_now()
    lee.enables(made, step)
    assert kim.pair("EnableMFADevice", made, made.seed.pair(step + 2)).refusal == IN_USE
    assert account.admin.call("DeleteVirtualMFADevice", SerialNumber=made.serial).status in (404, 409)
    account.takes(lee, made)
    assert account.admin.call("DeleteVirtualMFADevice", SerialNumber=made.serial).refusal == no_device(made.serial)
    assert kim.pair("EnableMFADevice", made, made.seed.pair(step)).refusal == BAD_PAIR
    kim.enables(made, step + 2)
    assert lee.shows(made, made.seed.code(step + 2)).refusal == UNABLE
    assert kim.shows(made, made.seed.code(step + 2)).ok


def works(account: Account, made: Device) -> None:
    """A token can be enabled and opens a session."""
    user, step = account.user(), step_now()
    user.enables(made, step)
    assert user.shows(made, made.seed.code(step + 1)).ok
    account.takes(user, made)


@pytest.mark.parametrize("algorithm", ["aes128-cbc", "aes256-cbc"])
def test_pskc_under_a_pre_shared_key(shelf, algorithm):
    made, other = token(f"GAKT{algorithm[3:6]}00001"), token(f"GAKT{algorithm[3:6]}00002")
    document, key = container(made, other), secrets.token_bytes(int(algorithm[3:6]) // 8)
    document.encryption.setup_preshared_key(key=key, algorithm=algorithm)
    path, key_file = write(shelf, f"{algorithm}.xml", document), write(shelf, f"{algorithm}.key", key.hex() + "\n")
    assert made.seed.raw not in path.read_bytes()
    wrong = write(shelf, "wrong.key", secrets.token_bytes(len(key)).hex())
    for options in ((), ("--key-hex-file", str(wrong))):
        done = run_import(shelf, path, *options)
        assert done.returncode != 0 and (done.stdout + done.stderr).strip()
    imported(shelf, path, "--key-hex-file", str(key_file))
    for each in (made, other):
        works(shelf.account, each)


def test_pskc_under_a_password(shelf):
    made, password = token("GAKT256PBKDF"), CANARY.secret("a file's password", "korrektes Pferd")
    document = container(made)
    document.encryption.setup_pbkdf2(password, iterations=20_000, algorithm="aes256-cbc")
    path, wrong = write(shelf, "password.xml", document), write(shelf, "wrong.txt", "falsches Pferd\n")
    assert run_import(shelf, path, "--password-file", str(wrong)).returncode != 0
    imported(shelf, path, "--password-file", str(write(shelf, "password.txt", password + "\n")))
    works(shelf.account, made)


def test_csv_of_a_shop(shelf):
    made = token("GACS00000001")
    header = "upn,serial number,secret key,time interval,manufacturer,model"
    row = f"lee@example.com,{made.serial},{made.seed.base32},30,Feitian,c200"
    imported(shelf, write(shelf, "shop.csv", f"{header}\r\n{row}\r\n"))
    works(shelf.account, made)


def test_csv_of_two_columns_in_hex(shelf):
    made, other = token("GACS00000002"), token("GACS00000003")
    text = "".join(f"{each.serial},{each.seed.raw.hex()}\n" for each in (made, other))
    imported(shelf, write(shelf, "two.csv", text))
    works(shelf.account, other)


def test_what_cannot_be_taken_is_named_and_the_rest_is_not_lost(shelf):
    """NT-36: partial failure is told for each serial number."""
    good, doubled, short = token("GABD00000001"), token("GABD00000002"), "GABD00000003"
    rows = [good, doubled, doubled]
    text = "".join(f"{each.serial},{each.seed.raw.hex()}\n" for each in rows) + f"{short},31323334\n"
    done = run_import(shelf, write(shelf, "mixed.csv", text))
    said = done.stdout + done.stderr
    assert doubled.serial in said and short in said, said
    user = shelf.account.user()
    assert user.pair("EnableMFADevice", doubled, doubled.seed.pair(step_now())).refusal == no_device(doubled.serial)
    works(shelf.account, good)


def test_a_dry_run_changes_nothing(shelf):
    made = token("GADR00000001")
    imported(shelf, write(shelf, "dry.xml", container(made)), "--dry-run")
    user = shelf.account.user()
    assert user.pair("EnableMFADevice", made, made.seed.pair(step_now())).refusal == no_device(made.serial)


def test_a_second_import_does_not_change_a_token(shelf):
    made, impostor = token("GATW00000001"), token("GATW00000001")
    imported(shelf, write(shelf, "first.xml", container(made)))
    done = run_import(shelf, write(shelf, "second.xml", container(impostor)))
    assert made.serial in done.stdout + done.stderr
    user = shelf.account.user()
    assert user.pair("EnableMFADevice", made, impostor.seed.pair(step_now())).refusal == BAD_PAIR
    works(shelf.account, made)


@pytest.mark.parametrize("name, content", {
    "bomb.xml": '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><KeyContainer>&b;</KeyContainer>',
    "outside.xml": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><KeyContainer>&a;</KeyContainer>',
    "cut.xml": "<KeyContainer", "empty.csv": "", "noise.csv": "\x00\x01\x02", "columns.csv": "a,b,c,d,e,f,g,h\n",
}.items())
def test_files_that_are_none(shelf, name, content):
    done = run_import(shelf, write(shelf, name, content))
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 101) and "panicked" not in said and "root:" not in said, said


def test_a_changed_file_is_noticed(shelf):
    """NT-36: the authentication code is checked before anything is taken."""
    made, key = token("GAMC00000001"), secrets.token_bytes(16)
    document = container(made)
    document.encryption.setup_preshared_key(key=key, algorithm="aes128-cbc")
    text = write(shelf, "whole.xml", document).read_text()
    at = text.index("ValueMAC>") + len("ValueMAC>")
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    key_file = write(shelf, "whole.key", key.hex())
    done = run_import(shelf, write(shelf, "changed.xml", changed), "--key-hex-file", str(key_file))
    assert done.returncode != 0
    user = shelf.account.user()
    assert user.pair("EnableMFADevice", made, made.seed.pair(step_now())).refusal == no_device(made.serial)


def test_no_import_beside_a_running_server(shelf):
    """Two processes never write one store."""
    made = token("GALK00000001")
    path = write(shelf, "lock.xml", container(made))
    done = countersign("tokens", "import", str(path), "--data", str(shelf.account.server.data))
    assert done.returncode not in (0, 101) and done.stderr.strip(), done.stdout + done.stderr
    assert shelf.account.admin.call("GetCallerIdentity").ok
