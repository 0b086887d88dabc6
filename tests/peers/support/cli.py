"""The tools that a person has: the AWS CLI as it is installed, oathtool, and zbarimg for the phone's camera."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .canary import CANARY
from .otp import STEP_S
from .wire import Key

AWS = Path(sys.executable).with_name("aws")


class Aws:
    """The AWS CLI with somebody's key."""

    def __init__(self, endpoint: str, key: Key, home: Path):
        empty = home / "aws-empty-file"
        empty.touch()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = inherited | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(empty),
            "AWS_SHARED_CREDENTIALS_FILE": str(empty),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        if key.token:
            self.environment["AWS_SESSION_TOKEN"] = key.token

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs the CLI."""
        return subprocess.run([AWS, *arguments], env=self.environment, capture_output=True, text=True, timeout=60)

    def __call__(self, *arguments: str):
        """Runs a command that has to succeed; returns what it printed, read as JSON."""
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments[:2], done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments: str) -> str:
        """Runs a command that the service has to refuse; returns the line that the person reads."""
        done = self.run(*arguments)
        assert done.returncode == 255 or done.returncode == 254, (arguments[:2], done.returncode, done.stdout)
        return done.stderr.strip("\n")


def refusal(code: str, operation: str, message: str) -> str:
    """The line that the CLI prints for an error."""
    return f"An error occurred ({code}) when calling the {operation} operation: {message}"


def session_key(printed: dict) -> Key:
    """The key of a session that the CLI printed."""
    made = printed["Credentials"]
    CANARY.secret("a session's secret key", made["SecretAccessKey"])
    CANARY.secret("a session token", made["SessionToken"])
    return Key(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def oathtool(base32: str, step: int, count: int = 1) -> list[str]:
    """Codes of a seed from a step on."""
    command = ["oathtool", "--totp", "--base32", f"--now=@{step * STEP_S}", f"--window={count - 1}", "-"]
    done = subprocess.run(command, input=base32, capture_output=True, text=True, check=True)
    return [CANARY.code(code) for code in done.stdout.split()]


def scan_qr(picture: Path) -> str:
    """What a phone reads in a picture."""
    command = ["zbarimg", "--quiet", "--raw", "--nodbus", str(picture)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip("\n")
