"""The server as a program: first start, signals, locks, refusals to start, and a store that something happened to."""

import os
import random
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.account import Account, create_device
from support.canary import CANARY
from support.cli import Aws
from support.server import LISTENING, Server, binary, countersign
from support.wire import Key, send, signed

PANIC = 101


def refuses(done: subprocess.CompletedProcess) -> str:
    """A start that is refused says why, and is no panic."""
    said = done.stdout + done.stderr
    assert done.returncode not in (0, PANIC) and "panicked" not in said, said
    assert done.stderr.strip(), "it says why"
    return said


def test_init_prints_secrets_once(tmp_path):
    server = Server(tmp_path)
    made = server.init()
    assert re.fullmatch(r"\d{12}", made["account_id"])
    assert set(made) == {"account_id", "root", "administrator"} and set(made["root"]) == {"email", "password"}
    assert set(made["administrator"]) == {"user_name", "password", "access_key_id", "secret_access_key"}
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made["administrator"]["access_key_id"])
    assert len(made["administrator"]["secret_access_key"]) == 40
    again = countersign("init", "--data", str(server.data), "--json")
    said = refuses(again)
    assert made["administrator"]["secret_access_key"] not in said and made["root"]["password"] not in said


def test_keys_are_for_the_owner_only(account):
    data = account.server.data
    keys = [path for path in data.rglob("*") if "key" in path.name and path.is_file()]
    assert keys and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys), keys


def test_nothing_to_serve(tmp_path):
    refuses(countersign("serve", "--data", str(tmp_path / "nothing"), "--listen", "127.0.0.1:0"))


def test_two_servers_never_share_a_store(account):
    refuses(countersign("serve", "--data", str(account.server.data), "--listen", "127.0.0.1:0"))
    assert account.admin.call("GetCallerIdentity").ok


def test_no_plain_http_beyond_loopback(account):
    said = refuses(countersign("serve", "--data", str(account.server.data), "--listen", "0.0.0.0:0"))
    assert "--tls-cert" in said and "--allow-plain-http" in said


def test_bad_settings_are_named(tmp_path):
    for line in ("serve --policy lax", "serve --listen nowhere", "serve --config /none", "dance"):
        assert refuses(countersign(*line.split(), "--data", str(tmp_path)))


def test_help_version_and_completions():
    assert "tokens" in countersign("--help").stdout
    assert re.match(r"countersign \d+\.\d+", countersign("--version").stdout)
    for shell in ("bash", "zsh", "fish"):
        assert "countersign" in countersign("completions", shell).stdout


def test_the_first_start_without_arguments(tmp_path):
    """It makes an account, says how to point the AWS CLI at it, and serves."""
    folder, logs = tmp_path / "folder", tmp_path / "logs"
    folder.mkdir(), logs.mkdir()
    CANARY.watch(folder, "data")
    environment = os.environ | {"COUNTERSIGN_LISTEN": "127.0.0.1:0", "COUNTERSIGN_LOG": "debug"}
    said = run_for_a_while(folder, environment)
    key = re.search(r"AKIA[A-Z2-7]{16}", said)[0]
    secret = re.search(r"(?i)secret_access_key[^A-Za-z0-9/+]+([A-Za-z0-9/+]{40})\b", said)[1]
    CANARY.secret("the administrator's secret key", secret)
    endpoint = re.search(re.escape(LISTENING) + r"(\S+)", said)[1]
    assert "AWS_ENDPOINT_URL" in said or "--endpoint-url" in said or "endpoint_url" in said
    again = run_for_a_while(folder, environment, lambda at: Aws(at, Key(key, secret), tmp_path)("iam", "list-users"))
    assert secret not in again and key not in again and endpoint


def run_for_a_while(folder: Path, environment: dict[str, str], visit=None) -> str:
    """Runs the binary without arguments until it listens, visits it, and stops it; returns what it printed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([binary("countersign")], cwd=folder, env=environment, **pipes)
    timer = threading.Timer(30, process.kill)
    timer.start()
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith(LISTENING):
            break
    assert LISTENING in said, said
    if visit:
        visit(said.rpartition(LISTENING)[2].split()[0])
    process.send_signal(signal.SIGTERM)
    said += process.stdout.read()
    timer.cancel()
    assert process.wait(15) == 0
    return said


def test_health_and_readiness(account):
    endpoint = account.server.endpoint
    for path in ("/healthz", "/readyz"):
        answer = send(signed(endpoint, None, b"", method="GET", path=path, content_type=None))
        assert answer.status == 200, path
        assert account.id.encode() not in answer.body


def test_sigterm_lets_running_requests_finish(new_account):
    """What was answered is there; what was not answered failed visibly."""
    account = new_account("sigterm")
    acked, unexpected = [], []

    def busy(number: int):
        for count in range(10_000):
            try:
                answer = account.admin.call("CreateVirtualMFADevice", VirtualMFADeviceName=f"busy-{number}-{count}")
            except OSError:
                return
            if answer.ok:
                acked.append(answer.find("SerialNumber"))
            elif answer.status != 503:
                unexpected.append(answer.refusal)

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    account.server.stop()
    for thread in threads:
        thread.join()
    account.server.start()
    assert not unexpected and acked
    assert set(acked) <= all_virtual(account)


def all_virtual(account: Account) -> set[str]:
    """The serial numbers of all virtual devices."""
    found, marker = set(), None
    while True:
        page = account.admin.does("ListVirtualMFADevices", MaxItems=1000, Marker=marker)
        found |= set(page.all("SerialNumber"))
        marker = page.find("Marker")
        if not marker:
            return found


def test_a_disk_that_is_full(new_account):
    """Writes fail with a clear error; nothing that was acked is lost."""
    account = new_account("full")
    server = account.server
    server.stop()
    biggest = max(path.stat().st_size for path in server.data.rglob("*") if path.is_file())
    server.start(file_bytes_max=biggest + 512 * 1024)
    acked, refused = [], None
    for number in range(5000):
        answer = account.admin.call("CreateVirtualMFADevice", VirtualMFADeviceName=f"full-{number}")
        if not answer.ok:
            refused = answer
            break
        acked.append(answer.find("SerialNumber"))
    assert refused is not None and refused.status in (500, 503), refused
    refused.check_envelope()
    assert account.admin.call("CreateVirtualMFADevice", VirtualMFADeviceName="one-more").status in (500, 503)
    server.kill()
    assert "panicked" not in server.errors()
    server.start()
    assert set(acked) <= all_virtual(account)
    create_device(account.admin, "room-again")


@pytest.fixture(scope="module")
def kept(new_account) -> tuple[Account, set[str]]:
    """A stopped store with some devices in it."""
    account = new_account("kept")
    for _ in range(20):
        account.user_with_device()
    devices = all_virtual(account)
    account.server.stop()
    return account, devices


@pytest.mark.parametrize("number", range(12))
def test_a_store_that_was_damaged(kept, tmp_path, number):
    """A flipped bit or a cut file is refused with a clear error, or nothing was lost by it."""
    account, devices = kept
    chance = random.Random(number)
    server = Server(tmp_path)
    shutil.copytree(account.server.data, server.data)
    files = sorted(path for path in server.data.rglob("*") if path.is_file() and path.stat().st_size)
    victim = max(files, key=lambda path: path.stat().st_size) if number % 3 else chance.choice(files)
    content = bytearray(victim.read_bytes())
    used = len(content.rstrip(b"\0"))
    place = chance.randrange(max(used, 1))
    if number % 2:
        del content[place:]
    else:
        content[place] ^= 1 << chance.randrange(8)
    victim.write_bytes(content)
    what = f"{victim.name}, {'cut' if number % 2 else 'a bit flipped'} at {place} of {used}"
    try:
        server.start()
    except AssertionError as refusal:
        assert "ended at once" in str(refusal) and "panicked" not in server.errors(), f"{what}: {refusal}"
        assert server.errors().strip(), what
        return
    try:
        account.server, before = server, account.server
        account.admin.server = server
        assert all_virtual(account) == devices, what
    finally:
        account.server = account.admin.server = before
        server.stop()
