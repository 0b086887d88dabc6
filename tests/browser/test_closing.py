"""What all stories left behind: a log that verifies, no secret in clear, no page that is hard to use."""

import subprocess

import pytest

from support.canary import CANARY
from support.server import binary

pytestmark = pytest.mark.closing


def test_every_log_verifies(houses):
    """countersign-replay reads each store and finds nothing wrong."""
    if not houses:
        pytest.skip("no server ran in this session")
    program = binary("countersign-replay")
    assert program, "build it first: cargo build --release"
    for house in houses:
        house.stop()
        command = [program, "verify", str(house.server.data), "--policy", house.policy]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (house.server.data, done.stdout[-2000:], done.stderr[-2000:])


def test_no_secret_in_any_log_or_store():
    """A39, NT-33: no password, number, seed, cookie or code."""
    if not CANARY.files():
        pytest.skip("no server ran in this session")
    assert CANARY.secrets and CANARY.codes
    leaks = CANARY.leaks()
    assert not leaks, "\n".join(sorted(set(leaks))[:20])


def test_no_server_panicked():
    panicked = [path for path, kind in CANARY.files() if kind == "logs" and b"panicked at" in path.read_bytes()]
    assert not panicked, panicked


def test_every_page_is_fit_for_everybody(looks):
    """Headings, labels, names, contrast, room: by hand and by axe-core, on a desktop, on a phone and in the dark."""
    wrong = [f"{page}: {sentence}" for page, sentences in sorted(looks.wrong.items()) for sentence in sentences]
    assert not wrong, "\n".join(wrong)
