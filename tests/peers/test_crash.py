"""The server is killed with SIGKILL at random moments, while clients work. What was acked is there afterwards.

Eight clients each lead users and devices through their lives and remember every answer. A request that
got no answer is in doubt: it may have happened or not, but not by halves, and asked again it is done once.
Rounds and chance are set by `COUNTERSIGN_CRASH_ROUNDS` and `COUNTERSIGN_CRASH_SEED`.
"""

import http.client
import json
import os
import random
import shutil
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.account import Account, Caller, Device, User, device_of
from support.canary import CANARY
from support.otp import step_now
from support.server import Server, binary, countersign
from support.texts import REFUSED
from support.wire import Answer, Key, send

ROUNDS = int(os.environ.get("COUNTERSIGN_CRASH_ROUNDS", "25"))
SEED = int(os.environ.get("COUNTERSIGN_CRASH_SEED", str(time.time_ns() % 1_000_000)))
ROUNDS_PER_STORE = 25
CLIENTS = 8
# How many devices of earlier rounds are looked at again after each kill, one by one.
LOOKED_AT_AGAIN = 20
NO_ANSWER = (OSError, http.client.HTTPException)

FREE, GONE = "free", "gone"
# The state of a device after a change; enabled, it is its user's.
STATE_AFTER = {"EnableMFADevice": None, "DeactivateMFADevice": FREE, "DeleteVirtualMFADevice": GONE}

pytestmark = pytest.mark.crash


@dataclass
class Life:
    """What is known of one device: the states that it may be in; more than one while a request is in doubt."""

    device: Device
    states: set[str]
    user: User | None = None
    spent: list[int] = field(default_factory=list)


@dataclass
class Doubt:
    """A request that got no answer, and what it would have changed."""

    caller: Caller
    action: str
    invocation: str
    parameters: dict

    def repeat(self) -> Answer:
        """Asks again under the same invocation id, as every AWS client does."""
        return send(self.caller.signed(self.action, self.invocation, **self.parameters))


@dataclass
class Memory:
    """What a client remembers."""

    users: dict[str, User] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    acked: int = 0
    surprises: list = field(default_factory=list)


class Client(threading.Thread):
    """A client that works until the server is gone."""

    def __init__(self, account: Account, name: str):
        super().__init__(name=name)
        self.account = account
        self.memory = Memory()
        self.chance = random.Random(f"{SEED}-{name}")

    def run(self):
        try:
            for number in range(100_000):
                self.live(f"{self.name}-{number}")
        except NO_ANSWER:
            pass
        except Exception as surprise:  # noqa: BLE001
            self.memory.surprises.append(repr(surprise))

    def live(self, name: str):
        """A user and a device, from creation to wherever chance leaves them."""
        memory, admin, server = self.memory, self.account.admin, self.account.server
        self.ask(admin, "CreateUser", UserName=name)
        memory.users[name] = User(server, name, admin.key)
        made = self.ask(admin, "CreateAccessKey", UserName=name)
        secret = CANARY.secret("a user's secret key", made.find("SecretAccessKey"))
        memory.users[name] = user = User(server, name, Key(made.find("AccessKeyId"), secret))

        device = device_of(self.ask(user, "CreateVirtualMFADevice", VirtualMFADeviceName=name))
        life = memory.lives[device.serial] = Life(device, {FREE})
        step = step_now()
        one, two = device.seed.pair(step)
        of_user = {"UserName": name, "SerialNumber": device.serial}
        codes = {"AuthenticationCode1": one, "AuthenticationCode2": two}
        self.change(life, name, user, "EnableMFADevice", **of_user, **codes)
        life.user = user
        for later in (step + 1, step + 2):
            # Spent or not, until the answer comes: it is looked at as a request in doubt.
            self.ask(user, "GetSessionToken", SerialNumber=device.serial, TokenCode=device.seed.code(later))
            life.spent.append(later)
        if self.chance.random() < 0.3:
            return
        self.change(life, FREE, admin, "DeactivateMFADevice", **of_user)
        if self.chance.random() < 0.3:
            return
        self.change(life, GONE, admin, "DeleteVirtualMFADevice", SerialNumber=device.serial)

    def ask(self, caller: Caller, action: str, **parameters) -> Answer:
        """A request that has to succeed, and is in doubt until it is answered."""
        doubt = Doubt(caller, action, str(uuid.uuid4()), parameters)
        self.memory.doubts = [doubt]
        answer = doubt.repeat()
        assert answer.ok, (action, answer.refusal)
        self.memory.doubts = []
        self.memory.acked += 1
        return answer

    def change(self, life: Life, to: str, caller: Caller, action: str, **parameters):
        """A step in the life of a device."""
        life.states.add(to)
        self.ask(caller, action, **parameters)
        life.states = {to}


class Witness:
    """All that was acked in all rounds on one store."""

    def __init__(self, account: Account, chance: random.Random):
        self.account = account
        self.chance = chance
        self.old = Memory()
        self.checked_codes = 0
        self.settled = 0

    def questions(self, fresh: Memory):
        """Compares what the server says after a restart with what was acked, and settles what was in doubt."""
        assert not fresh.surprises, fresh.surprises[:3]
        users, devices = self.listed_users(), self.listed_devices()
        self.old.users |= fresh.users
        self.old.lives |= fresh.lives
        self.old.acked += fresh.acked
        lost = set(self.old.users) - users
        assert not lost, f"{len(lost)} acked users are lost, such as {min(lost)}"
        for serial, life in self.old.lives.items():
            found = devices.get(serial, GONE)
            assert found in life.states, f"{serial} is {found}, and only {life.states} was acked or in doubt"
            life.states = {found}
        in_doubt = {self.account.arn(doubt.parameters.get("VirtualMFADeviceName", "")) for doubt in fresh.doubts}
        strange = set(devices) - set(self.old.lives) - in_doubt
        assert not strange, f"nobody made {min(strange)}"
        self.not_by_halves(fresh, devices)
        self.still_spent(fresh)
        self.repeated(fresh)
        for life in fresh.lives.values():
            life.spent = []

    def repeated(self, fresh: Memory):
        """What was in doubt can be asked again: it is done then, and done once."""
        for doubt in fresh.doubts:
            first, second = doubt.repeat(), doubt.repeat()
            assert first.ok and second.ok, (doubt.action, first.refusal, second.refusal)
            assert first.find("AccessKeyId") == second.find("AccessKeyId")
            name, serial = doubt.parameters.get("UserName"), doubt.parameters.get("SerialNumber")
            if doubt.action == "CreateUser":
                self.old.users[name] = User(self.account.server, name, self.account.admin.key)
            elif doubt.action == "CreateVirtualMFADevice":
                device = device_of(first)
                self.old.lives[device.serial] = Life(device, {FREE})
            elif doubt.action in STATE_AFTER:
                self.old.lives[serial].states = {STATE_AFTER[doubt.action] or name}
            self.settled += 1

    def not_by_halves(self, fresh: Memory, devices: dict[str, str]):
        """A user has a device exactly if the device has that user; its key works."""
        older = [user for name, user in self.old.users.items() if name not in fresh.users]
        for user in [*fresh.users.values(), *self.chance.sample(older, min(LOOKED_AT_AGAIN, len(older)))]:
            answer = self.account.admin.does("ListMFADevices", UserName=user.name)
            of_user = answer.all("SerialNumber")
            assert of_user == [serial for serial, owner in devices.items() if owner == user.name], user.name
            assert user.call("GetCallerIdentity").ok, f"the key of {user.name} is lost"

    def still_spent(self, fresh: Memory):
        """A code that was accepted is never accepted again."""
        for life in fresh.lives.values():
            if life.user is None or life.states != {life.user.name}:
                continue
            for step in life.spent:
                answer = life.user.shows(life.device, life.device.seed.code(step))
                assert answer.refusal == REFUSED, f"{life.device.serial}: a spent code gets {answer.refusal}"
                self.checked_codes += 1

    def listed_users(self) -> set[str]:
        """The names of all users."""
        return {name for page in self.pages("ListUsers") for name in page.all("UserName")}

    def listed_devices(self) -> dict[str, str]:
        """All virtual devices, each with the name of its user, or free."""
        found = {}
        for page in self.pages("ListVirtualMFADevices"):
            for member in page.root.iter("member"):
                found[member.findtext("SerialNumber")] = member.findtext("User/UserName") or FREE
        return found

    def pages(self, action: str):
        """All pages of a list."""
        marker = None
        while True:
            page = self.account.admin.does(action, MaxItems=1000, Marker=marker)
            yield page
            marker = page.find("Marker")
            if not marker:
                return


def merged(memories: list[Memory]) -> Memory:
    """The memories of all clients in one; they do not overlap."""
    whole = Memory()
    for memory in memories:
        whole.users |= memory.users
        whole.lives |= memory.lives
        whole.doubts += memory.doubts
        whole.acked += memory.acked
        whole.surprises += memory.surprises
    return whole


def verify_log(data: Path, scratch: Path) -> bool:
    """Lets the replay tool look at a copy of the store, as the kill left it."""
    tool = binary("countersign-replay")
    if tool is None:
        return False
    copy = scratch / "copy"
    # The socket of an operator, which is no file.
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("admin"))
    done = subprocess.run([tool, "verify", str(copy)], capture_output=True, text=True, timeout=120)
    shutil.rmtree(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def end(server: Server, chance: random.Random) -> None:
    """Ends a server that nobody talks to: well, at once, or at once while it ends well."""
    manner = chance.choice(("well", "at once", "in the middle"))
    if manner == "well":
        server.stop()
        return
    if manner == "in the middle":
        server.process.terminate()
        time.sleep(chance.uniform(0, 0.02))
    server.kill()


@pytest.mark.parametrize("store", range(-(-ROUNDS // ROUNDS_PER_STORE)))
def test_nothing_acked_is_lost_and_nothing_is_torn(tmp_path, capsys, store):
    chance = random.Random(f"{SEED}-{store}")
    server = Server(tmp_path)
    account = Account(server)
    witness = Witness(account, chance)
    rounds = min(ROUNDS_PER_STORE, ROUNDS - store * ROUNDS_PER_STORE)
    verified = 0
    for number in range(rounds):
        if number % 4 == 3:
            # Killed in the middle of opening the store.
            server.spawn()
            time.sleep(chance.uniform(0, 0.05))
            server.kill()
        server.start()
        clients = [Client(account, f"r{store}-{number}-{who}") for who in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.02, 1.0))
        server.kill()
        for client in clients:
            client.join()
        if number % 5 == 4 or number == rounds - 1:
            verified += verify_log(server.data, tmp_path)
        server.start()
        witness.questions(merged([client.memory for client in clients]))
        end(server, chance)
    known = witness.old
    with capsys.disabled():
        print(
            f"\n  store {store} (seed {SEED}): killed {rounds} times under load; {known.acked} acked changes, "
            f"{len(known.users)} users and {len(known.lives)} devices are all there; "
            f"{witness.checked_codes} spent codes stayed spent; {witness.settled} requests in doubt were repeated; "
            f"the log verified {verified} times"
        )
    assert known.acked > rounds


def test_a_first_start_that_was_killed(tmp_path):
    """Afterwards there is an account, or none, and the server says which; it is never stuck between."""
    chance = random.Random(SEED)
    for number in range(12):
        server = Server(tmp_path / str(number))
        command = [binary("countersign"), "init", "--data", str(server.data), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0, 0.08))
            process.kill()
            printed = process.stdout.read()
        if printed:
            made = json.loads(printed)["administrator"]
            key = Key(made["access_key_id"], CANARY.secret("the administrator's secret key", made["secret_access_key"]))
            assert User(server.start(), made["user_name"], key).call("GetCallerIdentity").ok
            server.stop()
            continue
        again = countersign("init", "--data", str(server.data), "--json")
        assert "panicked" not in again.stderr
        if again.returncode == 0:
            assert Server(tmp_path / f"{number}-served", data=server.data).start().stop() is None
        else:
            assert again.stderr.strip(), "it says what to do"
