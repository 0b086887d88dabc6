"""What a code is worth: once, in its window, within the budget, and for its own device (R80..R94)."""

import pytest

from support.account import Account, create_device
from support.otp import step_now, within_one_step, within_one_window
from support.texts import BAD_PAIR, IN_USE, NOT_OF_USER, REFUSED, UNABLE

ENABLE, RESYNC = "EnableMFADevice", "ResyncMFADevice"
BUDGET = 9


def opened(answer) -> bool:
    """Whether a session was opened; if not, the code was looked at and refused."""
    assert answer.ok or answer.refusal == REFUSED, answer.refusal
    return answer.ok


# ---- single codes


def test_each_code_counts_once_in_any_order(account: Account):
    """R87, R88: five codes in the window, later ones first; none of them twice."""

    def story(step):
        lee, phone = account.user_with_device(step)
        order = [step + 2, step - 1, step + 1, step - 2, step]
        assert [opened(lee.shows(phone, phone.seed.code(other))) for other in order] == [True] * 5
        replayed = [step, step + 2, step - 2, step + 1]
        assert [opened(lee.shows(phone, phone.seed.code(other))) for other in replayed] == [False] * 4

    within_one_step(story)


@pytest.mark.parametrize("steps, good", [(-2, True), (2, True), (-3, False), (3, False), (0, True)])
def test_the_window_is_two_steps_either_way(account, steps, good):
    """R86."""

    def story(step):
        lee, phone = account.user_with_device(step)
        assert opened(lee.shows(phone, phone.seed.code(step + steps))) is good

    within_one_step(story)


def test_success_does_not_move_the_window(account):
    """R89."""

    def story(step):
        lee, phone = account.user_with_device(step)
        for steps in (2, -2, 1, -1):
            assert opened(lee.shows(phone, phone.seed.code(step + steps)))
        assert not opened(lee.shows(phone, phone.seed.code(step + 3)))

    within_one_step(story)


def test_the_window_follows_what_was_learned(account):
    """R80, R84: a device enabled a hundred steps late is in sync with its own time, not with ours."""

    def story(step):
        lee, phone = account.user_with_device(step - 100)
        assert not opened(lee.shows(phone, phone.seed.code(step)))
        assert [opened(lee.shows(phone, phone.seed.code(step - 100 + steps))) for steps in (-3, -2, 2, 3)] == [
            False, True, True, False,
        ]

    within_one_step(story)


def test_codes_of_a_pair_open_a_session_once_each(account):
    """R90, A43: pair history and single-use history are apart."""

    def story(step):
        lee, phone = account.user_with_device(step)
        for used in (step, step - 1):
            assert opened(lee.shows(phone, phone.seed.code(used)))
            assert not opened(lee.shows(phone, phone.seed.code(used)))

    within_one_step(story)


def test_a_resync_does_not_unspend_a_code(account):
    """R90: spent codes may form a pair, and stay spent."""

    def story(step):
        lee, phone = account.user_with_device(step - 2)
        assert lee.pair(RESYNC, phone, phone.seed.pair(step)).ok
        for used in (step + 1, step + 2):
            assert opened(lee.shows(phone, phone.seed.code(used)))
        assert lee.pair(RESYNC, phone, phone.seed.pair(step + 2)).ok
        for used in (step + 1, step + 2):
            assert not opened(lee.shows(phone, phone.seed.code(used)))
        assert opened(lee.shows(phone, phone.seed.code(step + 3)))

    within_one_step(story)


def test_a_code_has_six_digits_and_its_zeros_count(account):
    """NT-04, NT-19: no variant of a code is the code."""
    lee, phone = account.user_with_device()
    code = phone.seed.code(step_now() + 1)
    full_width = "".join(chr(ord("０") + int(digit)) for digit in code)
    variants = [f" {code}", f"{code} ", f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}", full_width, code[:5],
                f"0{code}", f"+{code[1:]}", "", f"{code}\x00", f"{code}\n", "1" * 10_000, "٠١٢٣٤٥"]
    for variant in variants:
        answer = lee.shows(phone, variant)
        assert answer.refusal[:2] == (400, "ValidationError"), repr(variant)
    assert opened(lee.shows(phone, code)), "none of them was an attempt, none of them spent it"


def test_a_code_with_a_leading_zero(account):
    def story(step):
        lee = account.user()
        while True:
            device = account.device()
            zeros = [other for other in range(step - 2, step + 3) if device.seed.code(other).startswith("0")]
            if zeros:
                break
        lee.enables(device, step)
        assert opened(lee.shows(device, device.seed.code(zeros[0])))

    within_one_step(story)


# ---- pairs


@pytest.mark.parametrize("steps, good", [(-998, True), (1000, True), (-999, False), (1001, False)])
def test_a_pair_is_searched_far_and_no_farther(account, steps, good):
    """R81."""

    def story(step):
        lee, device = account.user(), account.device()
        answer = lee.pair(ENABLE, device, device.seed.pair(step + steps))
        assert answer.ok if good else answer.refusal == BAD_PAIR

    within_one_step(story)


def test_resyncs_add_up(account):
    """R83: each one searches around the time that the last one taught."""

    def story(step):
        lee, phone = account.user_with_device(step)
        for steps in (600, 1200, 1800):
            assert lee.pair(RESYNC, phone, phone.seed.pair(step + steps)).ok, steps
        assert opened(lee.shows(phone, phone.seed.code(step + 1801)))
        assert not opened(lee.shows(phone, phone.seed.code(step + 1)))
        assert lee.pair(RESYNC, phone, phone.seed.pair(step + 1800 + 1001)).refusal == BAD_PAIR

    within_one_step(story)


def test_pairs_only_go_forwards(account):
    """R85: both codes have to be newer than the last pair."""

    def story(step):
        lee, phone = account.user_with_device(step)
        for bad in (step, step - 1, step + 1, step - 500):
            assert lee.pair(RESYNC, phone, phone.seed.pair(bad)).refusal == BAD_PAIR, bad - step
        assert lee.pair(RESYNC, phone, phone.seed.pair(step + 2)).ok

    within_one_step(story)


def test_a_used_pair_stays_used_in_other_hands(account):
    """R85, A11: what a device learned travels with it."""

    def story(step):
        (lee, phone), kim = account.user_with_device(step), account.user()
        account.takes(lee, phone)
        for user in (lee, kim):
            assert user.pair(ENABLE, phone, phone.seed.pair(step)).refusal == BAD_PAIR
            assert user.pair(ENABLE, phone, phone.seed.pair(step + 1)).refusal == BAD_PAIR
        kim.enables(phone, step + 2)
        account.takes(kim, phone)
        assert lee.pair(ENABLE, phone, phone.seed.pair(step + 3)).refusal == BAD_PAIR
        lee.enables(phone, step + 4)

    within_one_step(story)


def test_a_code_stays_spent_in_other_hands(account):
    """NT-24."""

    def story(step):
        (lee, phone), kim = account.user_with_device(step), account.user()
        code = phone.seed.code(step + 2)
        assert opened(lee.shows(phone, code))
        account.takes(lee, phone)
        assert lee.shows(phone, code).refusal == UNABLE
        kim.enables(phone, step + 2)
        assert not opened(kim.shows(phone, code))

    within_one_step(story)


def test_a_device_serves_one_user(account):
    """R4: neither its pair nor its codes do anything for another."""
    (lee, phone), (kim, other) = account.user_with_device(), account.user_with_device()
    step = step_now()
    assert account.user().pair(ENABLE, phone, phone.seed.pair(step + 3)).refusal == IN_USE
    assert kim.pair(RESYNC, phone, phone.seed.pair(step + 3)).refusal == NOT_OF_USER
    assert kim.pair(RESYNC, other, phone.seed.pair(step + 3)).refusal == BAD_PAIR
    assert kim.shows(phone, phone.seed.code(step + 1)).refusal == UNABLE
    assert kim.shows(other, phone.seed.code(step + 1)).refusal == REFUSED
    assert opened(lee.shows(phone, phone.seed.code(step + 1)))


# ---- the budget


def test_nine_codes_are_looked_at_and_not_ten(account):
    """R91, R93: successes, failures and replays count; another user's device, and resync, do not."""

    def story(window):
        (lee, phone), (kim, other) = account.user_with_device(), account.user_with_device()
        step = step_now()
        assert opened(lee.shows(phone, phone.seed.code(step)))
        assert not opened(lee.shows(phone, phone.seed.code(step)))
        for guess in phone.seed.wrong(step, BUDGET - 2):
            assert not opened(lee.shows(phone, guess))
        assert lee.shows(phone, phone.seed.code(step + 1)).refusal == UNABLE
        assert lee.shows(phone, phone.seed.wrong(step)[0]).refusal == UNABLE
        assert lee.pair(RESYNC, phone, phone.seed.pair(step + 3)).ok
        assert lee.shows(phone, phone.seed.code(step + 4)).refusal == UNABLE, "a resync is no way around it"
        assert opened(kim.shows(other, other.seed.code(step + 1)))

    within_one_window(story)


def test_nine_pairs_are_looked_at_and_not_ten(account):
    """NT-15: pairs have a budget of their own, through enable and resync together."""

    def story(window):
        lee, device = account.user(), account.device()
        step = step_now()
        for _ in range(4):
            assert lee.pair(ENABLE, device, tuple(device.seed.wrong(step, 2))).refusal == BAD_PAIR
        lee.enables(device, step)
        for _ in range(4):
            assert lee.pair(RESYNC, device, tuple(device.seed.wrong(step, 2))).refusal == BAD_PAIR
        assert lee.pair(RESYNC, device, device.seed.pair(step + 3)).refusal == BAD_PAIR
        assert opened(lee.shows(device, device.seed.code(step + 1))), "single codes are counted apart"

    within_one_window(story)


def test_eight_wrong_pairs_leave_one(account):
    def story(window):
        lee, device = account.user(), account.device()
        step = step_now()
        for _ in range(BUDGET - 1):
            assert lee.pair(ENABLE, device, tuple(device.seed.wrong(step, 2))).refusal == BAD_PAIR
        lee.enables(device, step)

    within_one_window(story)


def test_the_budget_outlives_the_device(account):
    """R94: deleted and made again, the same serial number has the same budget."""

    def story(window):
        lee, name = account.user(), f"phoenix-{step_now()}-{account.user().name}"
        phone = create_device(account.admin, name)
        lee.enables(phone)
        for guess in phone.seed.wrong(step_now(), BUDGET):
            assert not opened(lee.shows(phone, guess))
        account.takes(lee, phone)
        account.admin.does("DeleteVirtualMFADevice", SerialNumber=phone.serial)
        again = create_device(account.admin, name)
        assert again.serial == phone.serial and again.seed.base32 != phone.seed.base32
        lee.enables(again)
        assert lee.shows(again, again.seed.code(step_now() + 1)).refusal == UNABLE

    within_one_window(story)


# ---- the preset that prefers safety


def test_strict_takes_no_late_pairs_and_codes_only_forwards(strict):
    """A1, A3, A43."""

    def story(step):
        lee, late = strict.user(), strict.device()
        for steps in (-3, 3, -100):
            assert lee.pair(ENABLE, late, late.seed.pair(step + steps)).refusal == BAD_PAIR
        lee.enables(late, step)
        assert not opened(lee.shows(late, late.seed.code(step))), "a pair's codes are spent"
        assert not opened(lee.shows(late, late.seed.code(step + 2))), "the window is one step"
        assert opened(lee.shows(late, late.seed.code(step + 1)))
        assert not opened(lee.shows(late, late.seed.code(step + 1)))

    within_one_step(story)


def test_strict_looks_at_five_codes(strict):
    def story(window):
        lee, phone = strict.user_with_device()
        step = step_now()
        for guess in phone.seed.wrong(step, 5):
            assert not opened(lee.shows(phone, guess))
        assert lee.shows(phone, phone.seed.code(step + 1)).refusal == UNABLE

    within_one_window(story)
