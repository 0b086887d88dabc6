"""Every secret that the tests saw, and a search for them in what the server wrote (A39)."""

import base64
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

# Times and durations are no codes.
NOT_A_CODE = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z?|\d+\.\d+\w*|\w+_(?:s|ms|us|ns)=\d+")
SIX_DIGITS = re.compile(rb"(?<![0-9A-Za-z_:/.-])\d{6}(?![0-9A-Za-z_:/.-])")
# Shorter pieces would be found by chance.
PIECE_BYTES_MIN = 8


@dataclass
class Canary:
    """Secrets by the bytes to search for; and codes, which are too short to search for everywhere."""

    secrets: dict[bytes, str] = field(default_factory=dict)
    codes: set[bytes] = field(default_factory=set)
    places: dict[Path, str] = field(default_factory=dict)

    def secret(self, what: str, value: str) -> str:
        """Remembers a text and its usual encodings."""
        self._bytes(what, value.encode())
        return value

    def seed(self, base32: str, raw: bytes) -> None:
        """Remembers a seed in each form that it has."""
        self._bytes("a seed in Base32", base32.encode())
        self._bytes("a seed, raw", raw)

    def code(self, code: str) -> str:
        """Remembers a code."""
        self.codes.add(code.encode())
        return code

    def watch(self, place: Path, kind: str) -> None:
        """Remembers a directory of `logs` or of `data`."""
        self.places[place] = kind

    def files(self) -> list[tuple[Path, str]]:
        """The files to search now."""
        found = ((path, kind) for place, kind in self.places.items() for path in place.rglob("*"))
        return [(path, kind) for path, kind in found if path.is_file()]

    def leaks(self) -> list[str]:
        """Every secret found in clear, as sentences that do not repeat it."""
        files = self.files()
        found = self._search([path for path, _ in files])
        for path, kind in files:
            if kind == "logs":
                digits = set(SIX_DIGITS.findall(NOT_A_CODE.sub(b" ", path.read_bytes())))
                found += [f"{path} holds a code" for _ in digits & self.codes]
        return found

    def _bytes(self, what: str, raw: bytes) -> None:
        # grep reads lines, so of bytes that hold the end of a line the longest piece has to do.
        piece = max(re.split(rb"[\n\0]", raw), key=len)
        base64_text = base64.b64encode(raw).rstrip(b"=")[:-1]
        for form, name in (
            (piece, what),
            (raw.hex().encode(), f"{what}, in hex"),
            (raw.hex().upper().encode(), f"{what}, in hex"),
            (base64_text, f"{what}, in Base64"),
            (base64_text.translate(bytes.maketrans(b"+/", b"-_")), f"{what}, in Base64"),
            (", ".join(map(str, raw)).encode(), f"{what}, as a list of numbers"),
        ):
            if len(form) >= PIECE_BYTES_MIN:
                self.secrets[form] = name

    def _search(self, paths: list[Path]) -> list[str]:
        """Which of the secrets are in which of the files; grep looks for thousands at once."""
        with TemporaryDirectory() as folder:
            needles = Path(folder) / "needles"
            needles.write_bytes(b"\n".join(self.secrets) + b"\n")
            command = ["grep", "--text", "--only-matching", "--with-filename", "--null", "--fixed-strings"]
            done = subprocess.run(
                [*command, f"--file={needles}", "--", *paths], capture_output=True, env=os.environ | {"LC_ALL": "C"}
            )
        assert done.returncode in (0, 1), done.stderr
        hits = (line.partition(b"\0") for line in done.stdout.splitlines())
        return [f"{os.fsdecode(path)} holds {self.secrets.get(piece, 'a secret')}" for path, _, piece in hits]


CANARY = Canary()
