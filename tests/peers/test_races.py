"""Many clients at the same instant: one acceptance for each code, and not one guess more than allowed.

R91, R96, NT-03, NT-11.
"""

import os

import pytest

from support.account import Account
from support.crowd import Crowd, message, status
from support.otp import step_now, within_one_step, within_one_window
from support.texts import BAD_PAIR, CODE_REFUSED, NOT_VALIDATED, UNABLE

CLIENTS = 16
DEVICES = int(os.environ.get("COUNTERSIGN_RACE_DEVICES", "1000"))
GUESSERS = 64
BUDGET = 9


def test_one_code_from_sixteen_clients_is_accepted_once_for_each_device(new_account):
    account: Account = new_account("crowd")
    accepted = refused = 0
    with Crowd(account.server.endpoint, CLIENTS) as crowd:
        for _ in range(DEVICES):

            def story(step):
                lee, phone = account.user_with_device(step)
                code = phone.seed.code(step + 1)
                request = lee.packed("GetSessionToken", SerialNumber=phone.serial, TokenCode=code)
                return crowd.send([request] * CLIENTS)

            answers = within_one_step(story)
            opened = [answer for answer in answers if status(answer) == 200]
            others = {message(answer) for answer in answers if status(answer) != 200}
            assert len(opened) == 1, [status(answer) for answer in answers]
            assert others <= {CODE_REFUSED, NOT_VALIDATED}, others
            accepted += len(opened)
            refused += CLIENTS - len(opened)
    assert (accepted, refused) == (DEVICES, DEVICES * (CLIENTS - 1))


def test_of_sixty_four_parallel_guesses_nine_are_looked_at(account: Account):
    def story(window):
        lee, phone = account.user_with_device()
        guesses = phone.seed.wrong(step_now(), GUESSERS)
        with Crowd(account.server.endpoint, GUESSERS) as crowd:
            packed = [lee.packed("GetSessionToken", SerialNumber=phone.serial, TokenCode=guess) for guess in guesses]
            answers = crowd.send(packed)
        assert {status(answer) for answer in answers} == {403}
        said = [message(answer) for answer in answers]
        assert (said.count(CODE_REFUSED), said.count(NOT_VALIDATED)) == (BUDGET, GUESSERS - BUDGET)
        assert lee.shows(phone, phone.seed.code(step_now() + 1)).refusal == UNABLE

    within_one_window(story)


@pytest.mark.parametrize("good_ones", [1, 3])
def test_right_codes_among_the_guesses_are_within_the_budget_too(account: Account, good_ones):
    def story(window):
        lee, phone = account.user_with_device()
        step = step_now()
        codes = phone.seed.wrong(step, GUESSERS - good_ones) + [phone.seed.code(step + n) for n in range(good_ones)]
        with Crowd(account.server.endpoint, GUESSERS) as crowd:
            packed = [lee.packed("GetSessionToken", SerialNumber=phone.serial, TokenCode=code) for code in codes]
            answers = crowd.send(packed)
        said = [message(answer) for answer in answers]
        opened = [status(answer) for answer in answers].count(200)
        assert opened + said.count(CODE_REFUSED) == BUDGET and opened <= good_ones

    within_one_window(story)


@pytest.mark.parametrize("action", ["EnableMFADevice", "ResyncMFADevice"])
def test_parallel_wrong_pairs_spend_their_budget_and_no_more(account: Account, action):
    """Pairs do not say whether they were looked at; but after sixty-four wrong ones the right one is not."""

    def story(window):
        lee, device = account.user(), account.device()
        step = step_now()
        if action == "ResyncMFADevice":
            lee.enables(device, step)
        one = device.seed.wrong(step, GUESSERS)
        with Crowd(account.server.endpoint, GUESSERS) as crowd:
            answers = crowd.send([
                lee.packed(
                    action, UserName=lee.name, SerialNumber=device.serial,
                    AuthenticationCode1=guess, AuthenticationCode2=other,
                )
                for guess, other in zip(one, reversed(one), strict=True)
            ])
        assert {message(answer) for answer in answers} == {BAD_PAIR[2]}
        assert lee.pair(action, device, device.seed.pair(step + 3)).refusal == BAD_PAIR

    within_one_window(story)


def test_a_device_that_sixteen_users_want_goes_to_one(account: Account):
    """R24: enabling is one transition."""
    device, users = account.device(), [account.user() for _ in range(CLIENTS)]
    one, two = device.seed.pair(step_now())
    with Crowd(account.server.endpoint, CLIENTS) as crowd:
        answers = crowd.send([
            user.packed(
                "EnableMFADevice", UserName=user.name, SerialNumber=device.serial,
                AuthenticationCode1=one, AuthenticationCode2=two,
            )
            for user in users
        ])
    assert sorted(status(answer) for answer in answers) == [200] + [409] * (CLIENTS - 1)
    assert sum(len(user.devices()) for user in users) == 1


def test_a_user_who_wants_sixteen_devices_gets_one(account: Account):
    """A7: of parallel enrolments at the limit exactly one succeeds."""
    user, devices = account.user(), [account.device() for _ in range(CLIENTS)]
    step = step_now()
    with Crowd(account.server.endpoint, CLIENTS) as crowd:
        answers = crowd.send([
            user.packed(
                "EnableMFADevice", UserName=user.name, SerialNumber=device.serial,
                AuthenticationCode1=device.seed.pair(step)[0], AuthenticationCode2=device.seed.pair(step)[1],
            )
            for device in devices
        ])
    assert sorted(status(answer) for answer in answers) == [200] + [409] * (CLIENTS - 1)
    assert len(user.devices()) == 1


def test_a_name_that_sixteen_want_is_given_once(account: Account):
    with Crowd(account.server.endpoint, CLIENTS) as crowd:
        for action, name in (("CreateVirtualMFADevice", "VirtualMFADeviceName"), ("CreateUser", "UserName")):
            request = account.admin.packed(action, **{name: f"wanted-{step_now()}"})
            answers = crowd.send([request] * CLIENTS)
            assert sorted(status(answer) for answer in answers) == [200] + [409] * (CLIENTS - 1), action


def test_a_device_is_taken_away_once(account: Account):
    user, device = account.user_with_device()
    with Crowd(account.server.endpoint, CLIENTS) as crowd:
        gone = {"UserName": user.name, "SerialNumber": device.serial}
        answers = crowd.send([account.admin.packed("DeactivateMFADevice", **gone)] * CLIENTS)
        assert sorted(map(status, answers)) == [200] + [404] * (CLIENTS - 1)
        answers = crowd.send([account.admin.packed("DeleteVirtualMFADevice", SerialNumber=device.serial)] * CLIENTS)
        assert sorted(map(status, answers)) == [200] + [404] * (CLIENTS - 1)


@pytest.mark.parametrize("rival", ["DeleteUser", "DeleteVirtualMFADevice"])
def test_enabling_against_deleting(account: Account, rival):
    """Whoever comes first, nobody ends up with half of it."""
    outcomes = set()
    with Crowd(account.server.endpoint, 2) as crowd:
        for number in range(20):
            name, device = f"rival-{rival}-{number}-{step_now()}", account.device()
            account.admin.does("CreateUser", UserName=name)
            one, two = device.seed.pair(step_now())
            enable = account.admin.packed(
                "EnableMFADevice", UserName=name, SerialNumber=device.serial,
                AuthenticationCode1=one, AuthenticationCode2=two,
            )
            target = {"UserName": name} if rival == "DeleteUser" else {"SerialNumber": device.serial}
            enabled, deleted = map(status, crowd.send([enable, account.admin.packed(rival, **target)]))
            assert (enabled, deleted) in {(200, 409), (404, 200)}, (enabled, deleted)
            listed = account.admin.call("ListMFADevices", UserName=name)
            expected = [device.serial] if enabled == 200 else []
            assert listed.all("SerialNumber") == expected
            assert listed.ok or (rival == "DeleteUser" and deleted == 200)
            outcomes.add(enabled)
    assert outcomes <= {200, 404}
