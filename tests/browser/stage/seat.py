"""A person who sits at a browser and uses the console: the words of the stories."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from support.canary import CANARY

from .app import App
from .browser import Browser, Driver
from .house import House, Person, fields_of, path_of
from .visitor import Visitor

DEVELOPMENT = "/console/development"
KEY_WAIT_S = 5
TABS_MAX = 40
SHOWS_FOCUS = """
const style = getComputedStyle(document.activeElement);
return (style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none";
"""
# Instead of being sent, the form waits to be looked at.
CATCH = """
HTMLFormElement.prototype.send = HTMLFormElement.prototype.send || HTMLFormElement.prototype.submit;
window.caught = null;
HTMLFormElement.prototype.submit = function () { window.caught = document.getElementById('response').value; };
"""
SEND = """
document.getElementById('response').value = arguments[0];
const form = document.getElementById('key-form');
(form.send || form.submit).call(form);
"""
HURRY = """
const form = document.getElementById('key-form');
const options = JSON.parse(form.dataset.options);
options.publicKey.timeout = arguments[0];
form.dataset.options = JSON.stringify(options);
"""


@dataclass
class Device:
    """A device as the table of the page has it (R157)."""

    name: str
    kind: str
    serial: str
    tags: list[str]


class Seat(Browser):
    """A browser at a house's console."""

    def __init__(self, program: Driver, house: House, look=None, script: bool = True):
        self.house = house
        self.hidden: set[str] = set()
        super().__init__(program, house.site, look, script)

    def _arrived(self) -> "Seat":
        super()._arrived()
        if self.hidden and urlsplit(self.driver.current_url).path != DEVELOPMENT:
            source = self.source
            shown = [text for text in self.hidden if text in source]
            assert not shown, f"{self.driver.current_url} shows {shown}"
        return self

    def close(self) -> None:
        """Closes it; what the cookies held is searched for later."""
        if not self.is_closed:
            self.cookies()
        super().close()

    def cookies(self) -> dict[str, dict]:
        """Every cookie of the site."""
        found = super().cookies()
        for name, cookie in found.items():
            CANARY.secret(f"the cookie {name}", cookie["value"])
        return found

    def never_sees(self, *texts: str) -> "Seat":
        """From now on no page may have any of these in its source, but for the one that shows what was sent."""
        self.hidden |= set(texts)
        return self

    # ---- signing in

    def gives_password(self, person: Person) -> "Seat":
        """Fills in the first page."""
        return self.go(path_of(person)).fill(**fields_of(person)).press("#submit")

    def takes_over(self, visitor: Visitor, path: str | None = None) -> "Seat":
        """Goes on where somebody without a browser is, whose way there is told elsewhere; perhaps at some page."""
        self.command("Network.clearBrowserCookies")
        for name, value in visitor.cookies.items():
            self.set_cookie({"name": name, "value": value, "path": "/console", "httpOnly": True, "sameSite": "Strict"})
        return self.go(path) if path else self

    def is_let_in(self, person: Person, app: App | None = None, path: str | None = None) -> "Seat":
        """The whole of a sign-in, without its pages."""
        return self.takes_over(self.house.lets_in(person, app), path)

    def gives_code(self, code: str) -> "Seat":
        """Fills in the second page."""
        return self.fill(code=code).press("#submit")

    def signs_in(self, person: Person, app: App | None = None) -> "Seat":
        """The whole of it."""
        self.gives_password(person)
        if app:
            self.gives_code(app.code())
        assert self.is_in, f"{self.path}: {self.said()}"
        return self

    def signs_out(self) -> "Seat":
        """Leaves."""
        self.press("#sign-out")
        assert not self.is_in
        return self

    @property
    def is_in(self) -> bool:
        """Whether somebody is signed in."""
        return self.has("#sign-out")

    @property
    def level(self) -> str:
        """How far the session was proven."""
        return self.text("#level")

    @property
    def message(self) -> str:
        """What the page says about what was done before."""
        return self.text("#message")

    def error(self, field: str) -> str:
        """What the page says about a field."""
        return self.text(f"#{field}-error")

    # ---- by the keyboard alone

    @property
    def focus(self) -> str:
        """The id of what the keyboard is at, which has to be seen to be so."""
        return self.run("return document.activeElement.id")

    def types(self, text: str) -> "Seat":
        """Types wherever the keyboard is."""
        ActionChains(self.driver).send_keys(text).perform()
        return self

    def enters(self) -> None:
        """Presses Enter."""
        self.types(Keys.ENTER)

    def tabs(self) -> "Seat":
        """Presses Tab; what is reached by it has to show that it is."""
        self.types(Keys.TAB)
        assert self.run(SHOWS_FOCUS), f"{self.focus or 'something'} at {self.path} does not show that it has the focus"
        return self

    def tabs_to(self, wanted: str) -> "Seat":
        """Presses Tab until something is reached."""
        passed = []
        while self.focus != wanted:
            passed.append(self.tabs().focus)
            assert len(passed) < TABS_MAX, f"{wanted} is not reached at {self.path}: {passed}"
        return self

    # ---- devices

    def devices(self) -> list[Device]:
        """The table on this page."""
        return [
            Device(
                row.find_element("css selector", "td strong").text,
                row.find_element("css selector", "td[data-label=Type]").text,
                row.get_attribute("data-serial"),
                [tag.text for tag in row.find_elements("css selector", ".tag")],
            )
            for row in self.all("#devices tbody tr")
        ]

    def my_devices(self) -> list[Device]:
        """One's own."""
        return self.go("/console/devices").devices()

    def sets_up(self, kind: str, **fields: str) -> "Seat":
        """The first step of a kind of device; how to get there is told elsewhere."""
        self.go(f"/console/devices/add/{kind}")
        return self.fill(**fields).press("#submit")

    def scans(self, folder: Path) -> App:
        """The phone's camera reads the page; the app then knows the secret that the page shows."""
        app = App.scan(self, folder / "scanned.png")
        self.choose("#show-secret")
        assert self.text("#secret").replace(" ", "") == app.seed.base32
        return app

    def gives_pair(self, app: App) -> "Seat":
        """Types two codes one after the other."""
        one, two = app.pair()
        return self.fill(code1=one, code2=two).press("#submit")

    def adds_app(self, folder: Path, **fields: str) -> App:
        """Enables a virtual device."""
        self.sets_up("virtual", **fields)
        app = self.scans(folder)
        self.gives_pair(app)
        assert "is assigned" in self.message, self.said()
        return app

    def adds_key(self, kind: str = "key", **fields: str) -> "Seat":
        """Registers a security key, or a passkey."""
        self.sets_up(kind, **fields).taps()
        assert "registered" in self.message, self.said()
        return self

    def removes(self, serial: str, reason: str = "requested") -> "Seat":
        """Removes one of the devices on this page."""
        self.press(f"tr[data-serial='{serial}'] .act-remove")
        return self.choose(f"#reason-{reason}").press("#submit")

    # ---- keys

    def taps(self) -> "Seat":
        """Lets the browser talk to the key, and goes where that leads."""
        return self.leaves(lambda: self.find("#tap").click())

    def taps_in_vain(self, timeout_ms: int = 300) -> str:
        """The same, when the browser itself has something to say."""
        self.run(HURRY, timeout_ms)
        self.find("#tap").click()
        self.until(lambda: self.has("#key-error"), "what the browser says", KEY_WAIT_S)
        if self.look:
            self.look(self)
        return self.text("#key-error")

    def catches(self) -> dict:
        """What the page would send, held back."""
        self.run(CATCH)
        self.find("#tap").click()
        return json.loads(self.until(lambda: self.run("return window.caught"), "the key's answer", KEY_WAIT_S))

    def sends(self, response: dict) -> "Seat":
        """Sends an answer of a key from this page."""
        return self.leaves(lambda: self.run(SEND, json.dumps(response)))

    @property
    def key_options(self) -> dict:
        """What the page would have the key do."""
        return json.loads(self.find("#key-form").get_attribute("data-options"))["publicKey"]


def plain(page: str) -> str:
    """A page without what differs from visit to visit: tokens, sealed values, times."""
    page = re.sub(r'(name="token" value=)"[^"]*"', r"\1", page)
    return re.sub(r"\d+ (?:seconds?|minutes?)", "N", page)
