"""Codes at any time, computed by pyotp. A device that drifts is one whose codes are for another step."""

import base64
import random
import time

import pyotp

from .canary import CANARY

STEP_S = 30
WINDOW_S = 180
# Wrong codes are wrong as far around the present step as the classic policy looks, and a little further: a code of a step
# in there is one of a device that is out of sync, and treated so (A5). Of any four wrong ones, one in a hundred would be.
WRONG_WITHIN_STEPS = 1010
# Steps near which a device must not show the same code twice for a story to mean what it says.
PLAIN_WITHIN_STEPS = 12


def step_now() -> int:
    """The server's step, if its clock is ours (R80)."""
    return int(time.time()) // STEP_S


def window_now() -> int:
    """The attempt window (R91)."""
    return int(time.time()) // WINDOW_S


class Seed:
    """The seed of a device, as the phone app or the token knows it."""

    def __init__(self, base32: str):
        self.base32 = base32
        self.raw = base64.b32decode(base32 + "=" * (-len(base32) % 8))
        self._totp = pyotp.TOTP(base32)
        CANARY.seed(self.base32, self.raw)

    @classmethod
    def random(cls, length: int = 20) -> "Seed":
        return cls(base64.b32encode(random.randbytes(length)).decode().rstrip("="))

    def code(self, step: int) -> str:
        """The code at a step."""
        return CANARY.code(self._totp.at(step * STEP_S))

    def pair(self, step: int) -> tuple[str, str]:
        """Two consecutive codes, the second one at a step (R81)."""
        return self.code(step - 1), self.code(step)

    def wrong(self, step: int, count: int = 1) -> list[str]:
        """Different codes that the device shows at no step near this one."""
        near = range(step - WRONG_WITHIN_STEPS, step + WRONG_WITHIN_STEPS + 1)
        right = {self._totp.at(other * STEP_S) for other in near}
        found: list[str] = []
        while len(found) < count:
            guess = f"{random.randrange(10**6):06}"
            if guess not in right and guess not in found:
                found.append(CANARY.code(guess))
        return found

    def is_plain(self, step: int) -> bool:
        """Whether no two steps near this one show the same code, which about one seed in five thousand does."""
        near = range(step - PLAIN_WITHIN_STEPS, step + PLAIN_WITHIN_STEPS + 1)
        return len({self._totp.at(other * STEP_S) for other in near}) == len(near)


def within_one(clock, story, tries: int = 6):
    """Runs a story that has to begin and end within one tick of a clock.

    No test waits for a boundary: if one passed meanwhile, the story is told again, with fresh devices.
    """
    for _ in range(tries):
        tick = clock()
        try:
            result = story(tick)
        except AssertionError:
            if clock() == tick:
                raise
            continue
        if clock() == tick:
            return result
    raise AssertionError(f"a boundary passed in each of {tries} tries")


def within_one_step(story):
    """Runs a story within one step of thirty seconds; the story is told which."""
    return within_one(step_now, story)


def within_one_window(story):
    """Runs a story within one attempt window of three minutes."""
    return within_one(window_now, story)
