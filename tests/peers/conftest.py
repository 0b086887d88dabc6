"""The servers that the stories share. Each is made once, listens on a free port, and is stopped at the end."""

import pytest

from support.account import Account
from support.server import Server, binary


def pytest_collection_modifyitems(items):
    """What looks back comes last."""
    items.sort(key=lambda item: item.get_closest_marker("closing") is not None)


def pytest_report_header():
    """Names the binary under test."""
    return f"countersign: {binary('countersign')}"


@pytest.fixture(scope="session")
def new_account(tmp_path_factory):
    """Makes accounts, each on a running server of its own."""
    servers = []

    def make(name: str, *options: str) -> Account:
        server = Server(tmp_path_factory.mktemp(name), *options)
        account = Account(server)
        servers.append(server)
        server.start()
        return account

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def account(new_account) -> Account:
    """An account under the rules of 2019-20, which are the default."""
    return new_account("classic")


@pytest.fixture(scope="session")
def modern(new_account) -> Account:
    """An account under the rules since 2022."""
    return new_account("modern", "--policy", "modern")


@pytest.fixture(scope="session")
def strict(new_account) -> Account:
    """An account under the rules that prefer safety."""
    return new_account("strict", "--policy", "strict")
