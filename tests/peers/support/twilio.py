"""A Twilio that sends nothing, as a process; it signs its reports with Twilio's own package."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

from .canary import CANARY

SCRIPT = Path(__file__).resolve().parents[1] / "sms_http" / "twilio_stub.py"
ACCOUNT = "AC" + "0123456789abcdef" * 2
READY_WITHIN_S = 30


class Twilio:
    """A running stub. What it does with a message is in the head of its script."""

    def __init__(self):
        self.token = CANARY.secret("an auth token", "feedfacecafebeef0123456789abcdef")
        command = [sys.executable, SCRIPT, "--account", ACCOUNT, "--token", self.token]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self._lines.get(timeout=READY_WITHIN_S)
        assert ready.startswith("READY "), ready
        self.url = f"http://127.0.0.1:{int(ready.split()[1])}"

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)

    def next(self, event: str, within_s: float = 20) -> dict:
        """The next thing of a kind that happens there; the code in a message is a secret from then on."""
        while True:
            said = json.loads(self._lines.get(timeout=within_s))
            if "body" in said:
                said["code"] = CANARY.code(said["body"].split(" ", 1)[0])
            if said["event"] == event:
                return said

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(timeout=10)
