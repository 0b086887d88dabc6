"""What the tests before this one left behind in logs and stores holds no secret in clear (A39, NT-33)."""

import pytest

from support.canary import CANARY

pytestmark = pytest.mark.closing


def test_no_secret_in_any_log_or_store():
    files = CANARY.files()
    if not files:
        pytest.skip("no server ran in this session")
    assert CANARY.secrets and CANARY.codes
    leaks = CANARY.leaks()
    assert not leaks, "\n".join(sorted(set(leaks))[:20])


def test_no_server_panicked():
    logs = [path for path, kind in CANARY.files() if kind == "logs"]
    panicked = [path for path in logs if b"panicked at" in path.read_bytes()]
    assert not panicked, panicked
