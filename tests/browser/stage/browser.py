"""Chromium as a person uses it: one profile a browser, explicit waits, and a record of what it complained about."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 10
POLL_S = 0.02
DESKTOP = (1280, 900)
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--lang=en",
    "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
]
# Two people at most sit there at once, and a third one may look on.
IDLE_MAX = 3
FORGET = [
    ("WebAuthn.disable", {}),
    ("Network.clearBrowserCookies", {}),
    ("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"}),
    ("Emulation.setEmulatedMedia", {"features": []}),
]
# A page that is a refusal is no fault of the page; a file of a page that is not there is.
REFUSED = re.compile(r"^(\S+) - Failed to load resource: the server responded with a status of 4\d\d ")
FILE = re.compile(r"\.\w+(\?|$)")


class Driver:
    """A running chromedriver, and the browsers that it started."""

    def __init__(self, log: Path):
        programs = [shutil.which(name) for name in ("chromedriver", "chromium")]
        assert all(programs), "install chromium and chromium-driver first: tests/all.sh install"
        self.chromium = programs[1]
        self.service = Service(programs[0], log_output=str(log))
        self.service.start()
        self.idle: list[webdriver.Remote] = []

    def open(self, script: bool = True) -> webdriver.Remote:
        """A browser that remembers nothing; perhaps one that runs no scripts of pages."""
        if script and self.idle:
            return self.idle.pop()
        options = Options()
        options.binary_location = self.chromium
        for flag in FLAGS:
            options.add_argument(flag)
        if not script:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Remote(ChromeRemoteConnection(self.service.service_url), options=options)
        driver.set_page_load_timeout(WAIT_S)
        driver.set_script_timeout(WAIT_S)
        return driver

    def close(self, driver: webdriver.Remote, script: bool = True) -> None:
        """Has a browser forget all that its user did; to start a new one for each would take a minute more.

        What is public stays in its cache: pictures, the script, and the stylesheet.
        """
        if not script or len(self.idle) == IDLE_MAX:
            driver.quit()
            return
        for name, parameters in FORGET:
            command(driver, name, **parameters)
        driver.get("about:blank")
        self.idle.append(driver)

    def stop(self) -> None:
        """Stops it, and every browser."""
        for driver in self.idle:
            driver.quit()
        self.service.stop()


class Browser:
    """One browser with one tab, at one site."""

    def __init__(self, program: Driver, site: str, look=None, script: bool = True):
        self.program = program
        self.driver = program.open(script)
        self.site = site
        self.look = look
        self.script = script
        self.complaints: list[str] = []
        self.is_closed = False
        self.resize(*DESKTOP)

    def close(self) -> None:
        """Closes it; nothing may have been complained about."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            self.listen()
        finally:
            self.program.close(self.driver, self.script)
        assert not self.complaints, "the browser complained:\n" + "\n".join(self.complaints)

    # ---- pages

    def go(self, path: str) -> "Browser":
        """Opens a page by its address."""
        self.driver.get(path if "://" in path else self.site + path)
        return self._arrived()

    def press(self, css: str) -> "Browser":
        """Clicks a button or a link, and waits for the page that it leads to."""
        return self.leaves(lambda: self.find(css).click())

    def leaves(self, act) -> "Browser":
        """Does something that leads to another page, and waits for that page."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        act()
        self.until(lambda: is_gone(page), "the next page")
        return self._arrived()

    def _arrived(self) -> "Browser":
        self.until(lambda: self.run("return document.readyState") == "complete", "the page to be complete")
        if self.look:
            self.look(self)
        return self

    @property
    def path(self) -> str:
        """Where the browser is, without what follows a question mark."""
        return urlsplit(self.driver.current_url).path

    @property
    def source(self) -> str:
        """The page as it is now."""
        return self.driver.page_source

    # ---- what is on a page

    def all(self, css: str) -> list[WebElement]:
        """Every element that fits."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def has(self, css: str) -> bool:
        """Whether there is such an element to be seen."""
        return any(found.is_displayed() for found in self.all(css))

    def find(self, css: str) -> WebElement:
        """The first such element, which has to be there."""
        found = self.all(css)
        assert found, f"no {css} at {self.path}, which says: {self.said()}"
        return found[0]

    def text(self, css: str) -> str:
        """What such an element says."""
        return self.find(css).text.strip()

    def texts(self, css: str) -> list[str]:
        """What all such elements say."""
        return [found.text.strip() for found in self.all(css)]

    def said(self) -> str:
        """What the page says, in one line."""
        return " ".join(self.driver.find_element(By.TAG_NAME, "body").text.split())

    def fill(self, **fields: str) -> "Browser":
        """Types into the fields with these ids."""
        for name, value in fields.items():
            self.find(f"#{name}").send_keys(Keys.CONTROL, "a", Keys.NULL, value or Keys.DELETE)
        return self

    def choose(self, css: str) -> "Browser":
        """Clicks something that stays on the page."""
        self.find(css).click()
        return self

    # ---- the machine below

    def run(self, script: str, *arguments):
        """Runs a script in the page; the page's own policy does not bind it."""
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, /, **parameters):
        """A command of the DevTools protocol."""
        return command(self.driver, name, **parameters)

    def until(self, condition, what: str, wait_s: float = WAIT_S):
        """Waits for a condition, and returns what it came to."""
        wait = WebDriverWait(self.driver, wait_s, poll_frequency=POLL_S)
        return wait.until(lambda _: condition(), message=f"waited for {what} at {self.driver.current_url}")

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        """Gives the page another room."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )

    def cookies(self) -> dict[str, dict]:
        """Every cookie of the site, also those that no script can read."""
        found = self.command("Network.getCookies", urls=[f"{self.site}/console/"])["cookies"]
        return {cookie["name"]: cookie for cookie in found}

    def set_cookie(self, cookie: dict) -> None:
        """Puts a cookie of another browser into this one."""
        kept = {name: cookie[name] for name in ("name", "value", "path", "httpOnly", "sameSite") if name in cookie}
        assert self.command("Network.setCookie", url=self.site + "/console/", **kept)["success"]

    def listen(self) -> None:
        """Takes down errors of scripts, breaches of the content policy, and whatever did not load."""
        for entry in self.driver.execute("getLog", {"type": "browser"})["value"]:
            refused = REFUSED.match(entry["message"])
            if refused and not FILE.search(refused[1]):
                continue
            if entry["source"] == "security" or entry["level"] in ("SEVERE", "WARNING"):
                self.complaints.append(f"{entry['source']}: {entry['message']}")


def command(driver: webdriver.Remote, name: str, /, **parameters):
    """A command of the DevTools protocol."""
    return driver.execute("executeCdpCommand", {"cmd": name, "params": parameters})["value"]


def is_gone(element: WebElement) -> bool:
    """Whether the page of an element is no more."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    except WebDriverException as error:
        # What Chromium says in the moment between two pages.
        return "does not belong to the document" in str(error) or "no such" in str(error)
    return False


def artefacts() -> Path:
    """Where the build puts what it makes; the screenshots go there as well."""
    return Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[3] / "target"))
