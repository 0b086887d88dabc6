"""An SMSC that nobody here wrote: npm's `smpp`, as a process."""

import json
import queue
import subprocess
import threading
from pathlib import Path

from .canary import CANARY

SCRIPT = Path(__file__).resolve().parents[1] / "smsc" / "smsc.js"
READY_WITHIN_S = 30


class Smsc:
    """A running SMSC. What it does with a message is in the head of its script."""

    def __init__(self):
        self._process = subprocess.Popen(
            ["node", SCRIPT, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self._lines.get(timeout=READY_WITHIN_S)
        assert ready.startswith("READY "), ready
        self.port = int(ready.split()[1])

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)

    def message(self, within_s: float = 20) -> dict:
        """The next message that arrives; its code is a secret from then on."""
        while True:
            line = self._lines.get(timeout=within_s)
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if "text" in said:
                said["code"] = CANARY.code(said["text"].split(" ", 1)[0])
                return said

    def tell(self, command: str) -> None:
        """Gives a command, see the script."""
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
