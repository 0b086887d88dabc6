"""What shows codes: an authenticator app, or a token. oathtool computes them, at the server's time."""

import base64
import secrets
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from support.cli import oathtool, scan_qr
from support.otp import STEP_S, Seed, step_now

from .browser import Browser

# Codes of these steps are in the window of a device that keeps time (R86); the latest ones stay there longest.
WINDOW = (1, 2, 0, -1, -2)


class App:
    """A device that shows codes. It never shows one twice."""

    def __init__(self, base32: str, name: str = ""):
        self.seed = Seed(base32)
        self.name = name
        self.shown: set[int] = set()
        # How far its clock is off, in steps; how far the server believes it to be; how far the server's is ahead.
        self.drift = 0
        self.learned = 0
        self.ahead_s = 0

    @classmethod
    def scan(cls, browser: Browser, picture: Path) -> "App":
        """Points the phone's camera at the page."""
        browser.driver.save_screenshot(str(picture))
        return cls.of_uri(scan_qr(picture))

    @classmethod
    def of_uri(cls, uri: str) -> "App":
        """Reads what a QR code says."""
        parts = urlsplit(uri)
        assert parts.scheme == "otpauth" and parts.netloc == "totp", uri
        (secret,) = parse_qs(parts.query)["secret"]
        return cls(secret, unquote(parts.path.removeprefix("/")))

    @classmethod
    def token(cls) -> "App":
        """A token as its vendor made it."""
        return cls(base64.b32encode(secrets.token_bytes(20)).decode())

    @property
    def now(self) -> int:
        """The step that it is in."""
        return self._server_now + self.drift

    @property
    def _server_now(self) -> int:
        return step_now() + self.ahead_s // STEP_S

    def code(self) -> str:
        """A code that it did not show yet and that the server takes now."""
        middle = self._server_now + self.learned
        step = next((middle + offset for offset in WINDOW if middle + offset not in self.shown), None)
        assert step is not None, "it has no code left; the story signs in too often"
        self.shown.add(step)
        return oathtool(self.seed.base32, step)[0]

    def shows(self) -> str:
        """The code that it shows at this moment, whatever the server thinks of it."""
        return oathtool(self.seed.base32, self.now)[0]

    def pair(self) -> tuple[str, str]:
        """Two codes one after the other, shown neither before; the server learns from them how late it is."""
        last = self.now
        while last in self.shown or last - 1 in self.shown:
            last += 1
        self.shown |= {last - 1, last}
        self.learned = last - self._server_now
        one, two = oathtool(self.seed.base32, last - 1, 2)
        return one, two

    def wrong(self, count: int = 1) -> list[str]:
        """Codes that it does not show for a while."""
        return self.seed.wrong(self.now, count)


def picture_text(picture: Path) -> str:
    """Everything that a camera reads in a picture, or nothing."""
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "--nodbus", str(picture)], capture_output=True, text=True)
    return done.stdout.strip()
