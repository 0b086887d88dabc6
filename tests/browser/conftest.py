"""The browsers, and the servers whose console the stories use. All are stopped at the end."""

import pytest

from stage.browser import Browser, Driver, artefacts
from stage.house import House
from stage.looks import Looks
from stage.seat import Seat
from support.server import binary

SCREENSHOTS = artefacts() / "console-screenshots"


def pytest_addoption(parser):
    parser.addoption("--no-looks", action="store_true", help="take no screenshots and inspect no pages")


def pytest_collection_modifyitems(items):
    """What looks back comes last."""
    items.sort(key=lambda item: item.get_closest_marker("closing") is not None)


def pytest_report_header():
    """Names the binaries under test."""
    return [*(f"{name}: {binary(name)}" for name in ("countersign", "countersign-replay")), f"screenshots: {SCREENSHOTS}"]


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
def opened():
    """The browsers of a test; they are closed after it, and may not have complained."""
    opened: list[Browser] = []
    yield opened
    failures = []
    for browser in opened:
        try:
            browser.close()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture
def browse(driver, opened):
    """Opens browsers at any site, each remembering nothing."""

    def open_one(site: str, look=None) -> Browser:
        opened.append(Browser(driver, site, look))
        return opened[-1]

    return open_one


@pytest.fixture
def sit(driver, looks, opened):
    """Seats people at browsers, each remembering nothing, at the console of a house."""

    def seat_one(house: House, script: bool = True) -> Seat:
        opened.append(Seat(driver, house, looks if script else None, script))
        return opened[-1]

    return seat_one


@pytest.fixture(scope="session")
def houses():
    """Every server of these tests."""
    made: list[House] = []
    yield made
    for house in made:
        house.stop()


@pytest.fixture(scope="session")
def new_house(tmp_path_factory, houses):
    """Makes servers with an account and a console."""

    def make(name: str, *options: str, named: bool = True, start: bool = True, development: bool = True) -> House:
        house = House(tmp_path_factory.mktemp(name), *options, named=named, development=development)
        houses.append(house)
        return house.start() if start else house

    return make


@pytest.fixture(scope="session")
def classic(new_house) -> House:
    """A house under the rules of 2019-20."""
    return new_house("classic")


@pytest.fixture(scope="session")
def modern(new_house) -> House:
    """A house under the rules since 2022."""
    return new_house("modern", "--policy", "modern")
