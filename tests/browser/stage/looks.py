"""A look at every page: pictures of it on a desktop, on a phone and in the dark, and what is wrong with it."""

import base64
import html
import importlib.util
import re
import shutil
from pathlib import Path

from .browser import DESKTOP, Browser

PHONE = (360, 740)
INSPECT = (Path(__file__).parent / "inspect.js").read_text()
# Ids of users in addresses, and all that differs from run to run in words.
IDS = re.compile(r"/users/[A-Za-z0-9_-]+")
CHANGING = re.compile(r"person-[0-9]+|[0-9]+|[0-9a-f]{32}")
# What a page has to say in its state, in one go.
STATE = """
const seen = (css) => [...document.querySelectorAll(css)].filter((element) => !element.hidden);
const said = (css) => seen(css).map((element) => element.innerText.trim()).join(" ");
return [location.pathname, said("h1"), said("[data-message], #key-error, #delivery"),
  seen("[id]").map((element) => element.id).join(" ")];
"""
SLUG_CHARS_MAX = 48
MORE_MAX = 2
AXE_ALL = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# In the dark nothing but the colours differs.
AXE_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
AXE_RUN = """
const [options, done] = arguments;
axe.run(document, options).then(
  (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.html.slice(0, 120)} ${(node.any[0] || node.all[0] || node.none[0] || {}).message || rule.help}`))),
  (error) => done([`axe failed: ${error}`]));
"""


class Looks:
    """The pages that were seen, each once in each of its states."""

    def __init__(self, folder: Path, quick: bool = False):
        self.folder = folder
        self.quick = quick
        self.seen: dict[tuple, str] = {}
        self.first: dict[str, set[str]] = {}
        self.wrong: dict[str, list[str]] = {}
        self.axe = None if quick else axe_script()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def __call__(self, browser: Browser) -> None:
        """Looks at the page that a browser shows, unless it was looked at before."""
        if self.quick:
            return
        path, heading, message, ids = browser.run(STATE)
        path, heading = IDS.sub("/users/user", path), CHANGING.sub("user", heading)
        key = tuple(CHANGING.sub("#", text) for text in (path, heading, message, ids))
        if key in self.seen:
            return
        self.seen[key] = name = self._name(path, heading, CHANGING.sub("some", message), CHANGING.sub("some", ids))
        self.take(browser, name)

    def take(self, browser: Browser, name: str) -> None:
        """Takes the pictures of a page, and inspects it."""
        wrong = set(browser.run(INSPECT, False)) | self._axe(browser, AXE_ALL)
        self._shoot(browser, f"{name}.desktop")
        browser.resize(*PHONE, phone=True)
        wrong |= {f"on a phone, {sentence}" for sentence in set(browser.run(INSPECT, True)) - wrong}
        self._shoot(browser, f"{name}.phone")
        browser.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        wrong |= {f"in the dark, {sentence}" for sentence in self._axe(browser, AXE_COLOURS) - wrong}
        browser.resize(*DESKTOP)
        self._shoot(browser, f"{name}.dark")
        browser.command("Emulation.setEmulatedMedia", features=[])
        if wrong:
            self.wrong[name] = sorted(wrong)

    def _axe(self, browser: Browser, rules: dict) -> set[str]:
        if not self.axe:
            return set()
        if not browser.run("return !!window.axe"):
            browser.run(self.axe)
        return set(browser.driver.execute_async_script(AXE_RUN, {"runOnly": rules}))

    def _shoot(self, browser: Browser, name: str) -> None:
        shot = browser.command("Page.captureScreenshot", captureBeyondViewport=True)
        (self.folder / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def _name(self, path: str, heading: str, message: str, ids: str) -> str:
        parts = [slug(path.removeprefix("/console")) or "home", slug(heading), slug(message)]
        name = "--".join(part for part in parts if part)
        # States of one page are told apart by what the first one did not have.
        first = self.first.setdefault(name, set(ids.split()))
        more = [part for part in ids.split() if part not in first][:MORE_MAX]
        name = "+".join([name, *more])
        taken = sum(other.split("~")[0] == name for other in self.seen.values())
        return f"{name}~{taken + 1}" if taken else name

    def write_index(self) -> None:
        """A page that shows all pictures."""
        rows = []
        for name in sorted(path.name.removesuffix(".desktop.png") for path in self.folder.glob("*.desktop.png")):
            shots = "".join(f'<img src="{name}.{kind}.png" height=420>' for kind in ("desktop", "phone", "dark"))
            rows.append(f"<h2>{html.escape(name)}</h2>{shots}")
        (self.folder / "index.html").write_text("<!doctype html><title>The console</title>" + "\n".join(rows))


def slug(text: str) -> str:
    """Text as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:SLUG_CHARS_MAX].strip("-")


def axe_script() -> str | None:
    """The accessibility checker, if it is installed."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        return None
    return (Path(package.submodule_search_locations[0]) / "axe.min.js").read_text()
