"""The browsers, and the servers whose console the stories use. All are stopped at the end."""

import pytest

from stage.browser import Browser, Driver, artefacts
from stage.looks import Looks
from support.server import binary

SCREENSHOTS = artefacts() / "console-screenshots"


def pytest_addoption(parser):
    parser.addoption("--no-looks", action="store_true", help="take no screenshots and inspect no pages")


def pytest_collection_modifyitems(items):
    """What looks back comes last."""
    items.sort(key=lambda item: item.get_closest_marker("closing") is not None)


def pytest_report_header():
    """Names the binary under test."""
    return [f"countersign: {binary('countersign')}", f"screenshots: {SCREENSHOTS}"]


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The program that drives browsers."""
    running = Driver(tmp_path_factory.mktemp("chromedriver") / "chromedriver.log")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def looks(request) -> Looks:
    """The look at every page of the console."""
    seen = Looks(SCREENSHOTS, quick=request.config.getoption("--no-looks"))
    yield seen
    seen.write_index()


@pytest.fixture
def browse(driver):
    """Opens browsers, each with a fresh profile; they are closed after the test, and may not have complained."""
    opened: list[Browser] = []

    def open_one(site: str, look=None, script: bool = True) -> Browser:
        opened.append(Browser(driver.open(script), site, look))
        return opened[-1]

    yield open_one
    failures = []
    for browser in opened:
        try:
            browser.close()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)
