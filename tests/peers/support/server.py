"""The server under test, as a process: made, started, stopped, and killed."""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from .canary import CANARY

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
READY_WITHIN_S = 30
STOPPED_WITHIN_S = 15
LISTENING = "listening on "
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def binary(name: str) -> Path | None:
    """A binary of this workspace: the one that the environment names, or the newest that was built."""
    named = os.environ.get(f"{name.upper().replace('-', '_')}_BIN")
    if named:
        return Path(named)
    built = [path for profile in ("release", "debug") if (path := TARGET / profile / name).is_file()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


def countersign(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs the server's binary to its end."""
    program = binary("countersign")
    assert program, "build the server first: cargo build --release"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, **options)


class Server:
    """A data directory, and a process that serves it now and then."""

    def __init__(self, home: Path, *options: str, data: Path | None = None, port: int = 0):
        self.data = data or home / "data"
        self.logs = home / "logs"
        self.logs.mkdir(parents=True)
        self.options = options
        self.port = port
        self.endpoint = ""
        self.starts = 0
        self.process: subprocess.Popen | None = None
        CANARY.watch(self.data, "data")
        CANARY.watch(self.logs, "logs")

    def init(self, *options: str) -> dict:
        """Makes the account; returns its credentials, which are printed only now."""
        done = countersign("init", "--data", str(self.data), "--json", *options)
        assert done.returncode == 0, done.stderr
        (self.logs / "init.err").write_text(done.stderr)
        made = json.loads(done.stdout)
        CANARY.secret("root's password", made["root"]["password"])
        CANARY.secret("the administrator's password", made["administrator"]["password"])
        CANARY.secret("the administrator's secret key", made["administrator"]["secret_access_key"])
        return made

    def spawn(self, clock: str | None = None, file_bytes_max: int | None = None) -> Path:
        """Starts the process without waiting for it.

        `clock` shifts its time, such as `+3m`; no file of it may grow beyond `file_bytes_max`.
        """
        self.starts += 1
        program = binary("countersign")
        assert program, "build the server first: cargo build --release"
        command = [program, "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", *self.options]
        environment = os.environ | {"COUNTERSIGN_LOG": "debug", "RUST_BACKTRACE": "1"}
        if clock:
            assert FAKETIME, "install faketime first: tests/all.sh install"
            environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        out, err = (self.logs / f"serve-{self.starts}.{stream}" for stream in ("out", "err"))
        more = {}
        if file_bytes_max:
            # Python ignores SIGXFSZ; the child has to do so too, to see an error instead.
            limits = (file_bytes_max, file_bytes_max)
            more = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits), "restore_signals": False}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            self.process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment, **more)
        return out

    def start(self, clock: str | None = None, file_bytes_max: int | None = None) -> "Server":
        """Starts the process and waits until it listens."""
        out = self.spawn(clock, file_bytes_max)
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            ready = [line for line in out.read_text().splitlines(True) if line.startswith(LISTENING)]
            if ready and ready[0].endswith("\n"):
                self.endpoint = ready[0].removeprefix(LISTENING).strip()
                return self
            if self.process.poll() is not None:
                code, said = self.process.returncode, self.errors()[-2000:]
                raise AssertionError(f"the server ended at once with {code}: {said}")
            time.sleep(0.005)
        raise AssertionError(f"the server was not ready within {READY_WITHIN_S} s: {self.errors()[-2000:]}")

    def stop(self) -> None:
        """Stops it gracefully; it has to end by itself, and well."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the server did not stop on SIGTERM") from None
        assert code == 0, f"stopped with {code}: {self.errors()[-2000:]}"

    def kill(self) -> None:
        """Kills it with SIGKILL, at once."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def restart(self, clock: str | None = None) -> None:
        """Stops it gracefully and starts it again, perhaps with another clock."""
        self.stop()
        self.start(clock)

    def errors(self) -> str:
        """What the process of the last start logged."""
        return (self.logs / f"serve-{self.starts}.err").read_text(errors="replace")
