"""Servers whose clock is set elsewhere: what a restart, an hour, or a clock set back does (R91, A40).

The clock of a process is shifted by libfaketime; the requests are signed at its time.
"""

from datetime import timedelta

import pytest

from support.account import Account, Caller
from support.otp import STEP_S, WINDOW_S, step_now, within_one_window
from support.texts import REFUSED, UNABLE
from support.wire import Answer, Key, form, send, signed


@pytest.fixture(scope="module")
def house(new_account) -> Account:
    """An account on a server that is restarted at will."""
    return new_account("clock")


def opens(caller, device, code: str, at_s: int) -> Answer:
    """Gives a code to a server whose clock is ahead by some seconds, or behind."""
    body = form("sts", "GetSessionToken", {"SerialNumber": device.serial, "TokenCode": code})
    return send(signed(caller.server.endpoint, caller.key, body, service="sts", shift=timedelta(seconds=at_s)))


def asks_who(caller, at_s: int) -> Answer:
    """Asks who the caller is, at a time."""
    body = form("sts", "GetCallerIdentity", {})
    return send(signed(caller.server.endpoint, caller.key, body, service="sts", shift=timedelta(seconds=at_s)))


def test_what_was_spent_is_spent_after_a_restart(house):
    """NT-08."""
    lee, phone = house.user_with_device()
    step = step_now()
    assert lee.shows(phone, phone.seed.code(step + 1)).ok
    house.server.restart()
    assert lee.shows(phone, phone.seed.code(step + 1)).refusal == REFUSED
    assert lee.shows(phone, phone.seed.code(step)).ok


def test_the_budget_outlives_a_restart_and_ends_with_its_window(house):
    """R91: access returns at the next boundary."""

    def story(window):
        lee, phone = house.user_with_device()
        step = step_now()
        for guess in phone.seed.wrong(step, 9):
            assert lee.shows(phone, guess).refusal == REFUSED
        house.server.restart()
        assert lee.shows(phone, phone.seed.code(step + 1)).refusal == UNABLE
        return lee, phone

    lee, phone = within_one_window(story)
    house.server.restart(f"+{WINDOW_S}s")
    later = step_now() + WINDOW_S // STEP_S
    assert opens(lee, phone, phone.seed.code(later), WINDOW_S).ok


def test_a_session_ends(house):
    """R135: fifteen minutes are fifteen minutes, also over a restart."""
    lee = house.user()
    house.server.restart(f"+{WINDOW_S}s")
    body = form("sts", "GetSessionToken", {"DurationSeconds": 900})
    answer = send(signed(house.server.endpoint, lee.key, body, service="sts", shift=timedelta(seconds=WINDOW_S)))
    assert answer.ok, answer.refusal
    parts = (answer.find(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    session = Caller(house.server, Key(*parts))
    house.server.restart(f"+{WINDOW_S + 890}s")
    assert asks_who(session, WINDOW_S + 890).ok
    house.server.restart(f"+{WINDOW_S + 930}s")
    expired = (403, "ExpiredToken", "The security token included in the request is expired")
    assert asks_who(session, WINDOW_S + 930).refusal == expired


def test_a_clock_set_back_a_little_opens_no_used_code(new_account):
    """A40: spent counters are kept by value."""
    account = new_account("clock-back")
    lee, phone = account.user_with_device()
    code = phone.seed.code(step_now() + 3)
    account.server.restart("+90s")
    assert opens(lee, phone, code, 90).ok
    account.server.restart("+45s")
    assert opens(lee, phone, code, 45).refusal == REFUSED


def test_a_clock_set_back_far_checks_no_codes(new_account):
    """A40: a clear, retryable refusal; nothing is lost, and with the right time all is well."""
    account = new_account("clock-far-back")
    lee, phone = account.user_with_device()
    step = step_now()
    account.server.restart("-600s")
    early = opens(lee, phone, phone.seed.code(step - 20), -600)
    assert early.refusal[:2] == (503, "ServiceUnavailable"), early.refusal
    assert asks_who(lee, -600).ok
    account.server.restart()
    assert lee.shows(phone, phone.seed.code(step)).ok


def test_a_device_that_drifts_day_after_day(new_account):
    """R86, R89, R111: its codes go out of the window, and a resync brings them back; how far, is remembered."""
    account = new_account("drift")
    lee, phone = account.user_with_device()
    for day in range(1, 4):
        shift_s = day * 86_400
        account.server.restart(f"+{shift_s}s")
        # Each day the device loses three steps more.
        device_step = step_now() + shift_s // STEP_S - 3 * day
        assert opens(lee, phone, phone.seed.code(device_step), shift_s).refusal == REFUSED
        one, two = phone.seed.pair(device_step)
        body = form("iam", "ResyncMFADevice", {
            "UserName": lee.name, "SerialNumber": phone.serial, "AuthenticationCode1": one, "AuthenticationCode2": two,
        })
        resynced = send(signed(account.server.endpoint, lee.key, body, shift=timedelta(seconds=shift_s)))
        assert resynced.ok, resynced.refusal
        assert opens(lee, phone, phone.seed.code(device_step + 1), shift_s).ok
