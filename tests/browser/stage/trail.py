"""Audit logs of an AWS account, made up."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

ACCOUNT = "111122223333"
BEGIN = datetime(2024, 5, 1, 8, tzinfo=timezone.utc)
ADMIN = {
    "type": "AssumedRole", "accountId": ACCOUNT, "principalId": "AROAADMIN:admin",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/admin",
}


class Trail:
    """A log in the making; times are minutes after its begin."""

    def __init__(self):
        self.records: list[dict] = []

    def add(self, minute: float, source: str, name: str, who: dict, **rest) -> "Trail":
        """Adds any record."""
        at = (BEGIN + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.records.append({
            "eventVersion": "1.08", "eventTime": at, "eventSource": f"{source}.amazonaws.com", "eventName": name,
            "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userIdentity": who, "requestParameters": None,
            "responseElements": None, "recipientAccountId": ACCOUNT, "eventID": f"e{len(self.records):05}<b>",
        } | rest)
        return self

    def create(self, minute: float, name: str) -> "Trail":
        """A user is made."""
        made = {"user": {"userName": name, "userId": unique_id(name)}}
        return self.add(minute, "iam", "CreateUser", ADMIN, requestParameters={"userName": name}, responseElements=made)

    def delete(self, minute: float, name: str) -> "Trail":
        """A user is deleted."""
        return self.add(minute, "iam", "DeleteUser", ADMIN, requestParameters={"userName": name})

    def enable(self, minute: float, name: str, device: str) -> "Trail":
        """A user gets a device."""
        return self.add(minute, "iam", "EnableMFADevice", ADMIN, requestParameters=with_device(name, device))

    def deactivate(self, minute: float, name: str, device: str) -> "Trail":
        """A device is taken away."""
        return self.add(minute, "iam", "DeactivateMFADevice", ADMIN, requestParameters=with_device(name, device))

    def sign_in(self, minute: float, name: str, mfa: str) -> "Trail":
        """A user signs in to the console; `mfa` is what the record says of it."""
        who = {"type": "IAMUser", "accountId": ACCOUNT, "userName": name, "principalId": unique_id(name),
               "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
        done, more = {"ConsoleLogin": "Success"}, {"MFAUsed": mfa}
        return self.add(minute, "signin", "ConsoleLogin", who, responseElements=done, additionalEventData=more)

    def write(self, folder: Path) -> Path:
        """Writes it as one file in a folder, and returns the folder."""
        folder.mkdir(exist_ok=True)
        (folder / "records.json").write_text(json.dumps({"Records": self.records}))
        return folder


def unique_id(name: str) -> str:
    """A user's unique id."""
    return "AIDA" + name.encode().hex().upper()[:20].ljust(20, "X")


def with_device(name: str, device: str) -> dict:
    """What a request about a device says."""
    return {"userName": name, "serialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/{device}"}
