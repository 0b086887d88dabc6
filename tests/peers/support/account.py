"""An account on a server, its people and their devices."""

import base64
import itertools
import threading
from dataclasses import dataclass
from functools import cached_property

import boto3
import botocore.config
from botocore.awsrequest import AWSRequest

from . import wire
from .canary import CANARY
from .otp import Seed, step_now
from .server import Server
from .wire import Answer, Key

STS_ACTIONS = {"GetSessionToken", "GetCallerIdentity"}
_numbers = itertools.count(1)
_boto_lock = threading.Lock()


@dataclass
class Device:
    """A device as its bearer knows it."""

    serial: str
    seed: Seed


class Caller:
    """Somebody with a key."""

    def __init__(self, server: Server, key: Key):
        self.server = server
        self.key = key

    def call(self, action: str, **parameters) -> Answer:
        """Makes a call and returns whatever is answered."""
        service = service_of(action)
        body = wire.form(service, action, parameters)
        return wire.send(wire.signed(self.server.endpoint, self.key, body, service=service))

    def does(self, action: str, **parameters) -> Answer:
        """Makes a call that has to succeed."""
        answer = self.call(action, **parameters)
        assert answer.ok, (action, answer.refusal)
        return answer

    def signed(self, action: str, invocation: str | None = None, **parameters) -> AWSRequest:
        """A call to be sent later, perhaps more than once; `invocation` is what clients keep over their retries."""
        service = service_of(action)
        body = wire.form(service, action, parameters)
        more = {"amz-sdk-invocation-id": invocation} if invocation else None
        return wire.signed(self.server.endpoint, self.key, body, service=service, more=more)

    def packed(self, action: str, invocation: str | None = None, **parameters) -> bytes:
        """A call as bytes, to be sent at a moment of one's choice."""
        return wire.as_bytes(self.signed(action, invocation, **parameters))

    def boto(self, service: str):
        """A boto3 client that sends what it is told, once, and leaves all checks to the server."""
        with _boto_lock:
            return boto3.session.Session().client(
                service, region_name="us-east-1", endpoint_url=self.server.endpoint,
                aws_access_key_id=self.key.id, aws_secret_access_key=self.key.secret, aws_session_token=self.key.token,
                config=botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1}),
            )

    @cached_property
    def iam(self):
        """A boto3 client of IAM."""
        return self.boto("iam")

    @cached_property
    def sts(self):
        """A boto3 client of STS."""
        return self.boto("sts")

    def session(self, **parameters) -> "Caller":
        """The same person with temporary credentials; MFA parameters may be given."""
        answer = self.does("GetSessionToken", **parameters)
        secret = CANARY.secret("a session's secret key", answer.find("SecretAccessKey"))
        token = CANARY.secret("a session token", answer.find("SessionToken"))
        return Caller(self.server, Key(answer.find("AccessKeyId"), secret, token))

    def shows(self, device: Device, code: str) -> Answer:
        """Gives a code of a device to STS."""
        return self.call("GetSessionToken", SerialNumber=device.serial, TokenCode=code)


class User(Caller):
    """A user of the account, with a long-term key."""

    def __init__(self, server: Server, name: str, key: Key):
        super().__init__(server, key)
        self.name = name

    def pair(self, action: str, device: Device, codes: tuple[str, str]) -> Answer:
        """Enables or resyncs a device of this user with a pair of codes."""
        one, two = codes
        return self.call(
            action, UserName=self.name, SerialNumber=device.serial, AuthenticationCode1=one, AuthenticationCode2=two
        )

    def enables(self, device: Device, step: int | None = None) -> Device:
        """Enables a device with the pair that ends at a step; now, if none is given."""
        answer = self.pair("EnableMFADevice", device, device.seed.pair(step_now() if step is None else step))
        assert answer.ok, answer.refusal
        return device

    def devices(self) -> list[str]:
        """The serial numbers of the enabled devices."""
        return self.does("ListMFADevices", UserName=self.name).all("SerialNumber")


class Account:
    """A fresh account on a server of its own."""

    def __init__(self, server: Server, *founding: str):
        self.server = server
        made = server.init(*founding)
        self.id = made["account_id"]
        self.root = made["root"]
        self.administrator = made["administrator"]
        key = Key(self.administrator["access_key_id"], self.administrator["secret_access_key"])
        self.admin = User(server, self.administrator["user_name"], key)

    def arn(self, device_name: str) -> str:
        """The serial number of a virtual device (R20)."""
        return f"arn:aws:iam::{self.id}:mfa/{device_name}"

    def user(self, name: str | None = None) -> User:
        """A new user with a key."""
        name = name or f"user-{next(_numbers)}"
        self.admin.does("CreateUser", UserName=name)
        return self.with_key(name)

    def with_key(self, name: str) -> User:
        """A user that exists, with one more key."""
        made = self.admin.does("CreateAccessKey", UserName=name)
        secret = CANARY.secret("a user's secret key", made.find("SecretAccessKey"))
        return User(self.server, name, Key(made.find("AccessKeyId"), secret))

    def device(self, name: str | None = None, **parameters) -> Device:
        """A new virtual device whose codes near the present step all differ."""
        while True:
            made = create_device(self.admin, name or f"device-{next(_numbers)}", **parameters)
            if name or made.seed.is_plain(step_now()):
                return made

    def takes(self, user: User, device: Device) -> None:
        """The administrator deactivates a device of a user."""
        self.admin.does("DeactivateMFADevice", UserName=user.name, SerialNumber=device.serial)

    def user_with_device(self, step: int | None = None) -> tuple[User, Device]:
        """A new user with an enabled device."""
        user = self.user()
        return user, user.enables(self.device(), step)


def create_device(caller: Caller, name: str, **parameters) -> Device:
    """Makes a virtual device; the seed is shown only now (R16)."""
    return device_of(caller.does("CreateVirtualMFADevice", VirtualMFADeviceName=name, **parameters))


def device_of(answer: Answer) -> Device:
    """The device that an answer shows."""
    seed = base64.b64decode(answer.find("Base32StringSeed")).decode()
    return Device(answer.find("SerialNumber"), Seed(seed))


def service_of(action: str) -> str:
    """The service that an action belongs to."""
    return "sts" if action in STS_ACTIONS else "iam"
