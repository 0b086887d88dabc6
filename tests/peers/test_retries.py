"""A client that got no answer asks again, under the same invocation id: it gets the answer, and nothing happens twice.

Every AWS client sends `amz-sdk-invocation-id` and keeps it over its retries. A call in doubt is thus safe to
repeat, also when the server was killed in between; and a code still opens one session (R96).
"""

import uuid

import pytest

from support.account import Account, Caller
from support.crowd import Crowd, status
from support.otp import step_now
from support.texts import REFUSED
from support.wire import Answer, send

CLIENTS = 16


@pytest.fixture(scope="module")
def house(new_account) -> Account:
    """An account on a server that may be killed."""
    return new_account("retries")


def again(caller: Caller, action: str, invocation: str, **parameters) -> Answer:
    """Makes a call under an invocation id."""
    return send(caller.signed(action, invocation, **parameters))


def enable_with(user, device, step: int) -> dict:
    """Parameters of enabling."""
    one, two = device.seed.pair(step)
    return {
        "UserName": user.name, "SerialNumber": device.serial,
        "AuthenticationCode1": one, "AuthenticationCode2": two,
    }


@pytest.mark.parametrize("between", ["nothing", "a kill"])
def test_every_change_can_be_repeated(house, between):
    admin, name = house.admin, f"lee-{uuid.uuid4()}"

    def twice(action: str, **parameters) -> Answer:
        invocation = str(uuid.uuid4())
        first = again(admin, action, invocation, **parameters)
        if between == "a kill":
            house.server.kill()
            house.server.start()
        second = again(admin, action, invocation, **parameters)
        assert (first.status, second.status) == (200, 200), (action, first.refusal, second.refusal)
        for part in ("SerialNumber", "Base32StringSeed", "QRCodePNG", "UserId", "AccessKeyId", "SecretAccessKey"):
            assert first.find(part) == second.find(part), (action, part)
        return first

    twice("CreateUser", UserName=name)
    key = twice("CreateAccessKey", UserName=name)
    device = house.device()
    user = house.with_key(name)
    twice("EnableMFADevice", **enable_with(user, device, step_now()))
    step = step_now()
    one, two = device.seed.pair(step + 3)
    pair = {"AuthenticationCode1": one, "AuthenticationCode2": two}
    twice("ResyncMFADevice", UserName=name, SerialNumber=device.serial, **pair)
    twice("DeactivateMFADevice", UserName=name, SerialNumber=device.serial)
    twice("DeleteVirtualMFADevice", SerialNumber=device.serial)
    for made in (key.find("AccessKeyId"), user.key.id):
        twice("DeleteAccessKey", UserName=name, AccessKeyId=made)
    twice("DeleteUser", UserName=name)
    made = twice("CreateVirtualMFADevice", VirtualMFADeviceName=name)
    assert made.find("SerialNumber") == house.arn(name)


def test_a_repeated_call_opens_the_same_session_and_no_second_one(house):
    lee, phone = house.user_with_device()
    code = {"SerialNumber": phone.serial, "TokenCode": phone.seed.code(step_now() + 1)}
    with Crowd(house.server.endpoint, CLIENTS) as crowd:
        answers = crowd.send([lee.packed("GetSessionToken", "the-same", **code)] * CLIENTS)
    assert {status(answer) for answer in answers} == {200}
    assert len({answer.partition(b"<Credentials>")[2].partition(b"</Credentials>")[0] for answer in answers}) == 1
    assert again(lee, "GetSessionToken", "another", **code).refusal == REFUSED
    assert lee.call("GetSessionToken", **code).refusal == REFUSED


def test_a_session_in_doubt_is_given_after_a_kill(house):
    lee, phone = house.user_with_device()
    code = {"SerialNumber": phone.serial, "TokenCode": phone.seed.code(step_now() + 1)}
    first = again(lee, "GetSessionToken", "in-doubt", **code)
    house.server.kill()
    house.server.start()
    second = again(lee, "GetSessionToken", "in-doubt", **code)
    assert first.ok and first.find("SessionToken") == second.find("SessionToken")
    assert again(lee, "GetSessionToken", "fresh", **code).refusal == REFUSED


def test_an_invocation_id_belongs_to_its_caller_and_its_words(house):
    """Nobody claims the answer to somebody else's call, or to another one."""
    (lee, phone), kim = house.user_with_device(), house.user()
    name = f"mine-{uuid.uuid4()}"
    first = again(lee, "CreateVirtualMFADevice", "shared", VirtualMFADeviceName=name)
    assert first.ok
    assert again(kim, "CreateVirtualMFADevice", "shared", VirtualMFADeviceName=name).status == 409
    other = again(lee, "CreateVirtualMFADevice", "shared", VirtualMFADeviceName=f"{name}-2")
    assert other.ok and other.find("Base32StringSeed") != first.find("Base32StringSeed")
    step = step_now()
    guesses = phone.seed.wrong(step, 9)
    for guess in guesses:
        assert again(lee, "GetSessionToken", "shared", SerialNumber=phone.serial, TokenCode=guess).refusal == REFUSED
    right = {"SerialNumber": phone.serial, "TokenCode": phone.seed.code(step + 1)}
    assert not again(lee, "GetSessionToken", "shared", **right).ok, "the budget counts each guess under one id"


def test_without_the_id_nothing_is_repeated(house):
    name = f"once-{uuid.uuid4()}"
    assert house.admin.call("CreateVirtualMFADevice", VirtualMFADeviceName=name).ok
    assert house.admin.call("CreateVirtualMFADevice", VirtualMFADeviceName=name).status == 409
    for odd in ("x" * 10_000, " ", "\t"):
        assert again(house.admin, "CreateVirtualMFADevice", odd, VirtualMFADeviceName=name).status in (409, 413), odd
