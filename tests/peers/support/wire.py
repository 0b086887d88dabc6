"""Requests signed by botocore and sent by hand: whatever a form can say, also what boto3 never would."""

import http.client
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
NAMESPACES = {service: f"https://{service}.amazonaws.com/doc/{version}/" for service, version in VERSIONS.items()}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TIMEOUT_S = 30


@dataclass(frozen=True)
class Key:
    """What a request is signed with."""

    id: str
    secret: str
    token: str | None = None


class ClockedAuth(SigV4Auth):
    """Botocore's signer with a clock that can be set."""

    def __init__(self, key: Key, service: str, region: str, shift: timedelta):
        super().__init__(Credentials(key.id, key.secret, key.token), service, region)
        self.shift = shift

    def add_auth(self, request):
        request.context["timestamp"] = (datetime.now(timezone.utc) + self.shift).strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))


@dataclass
class Answer:
    """An answer in XML, without its namespaces."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __post_init__(self):
        self.root = None
        if self.body.lstrip().startswith(b"<"):
            self.root = ElementTree.fromstring(re.sub(rb'\sxmlns="[^"]*"', b"", self.body))

    @property
    def ok(self) -> bool:
        return self.status == 200

    def find(self, name: str) -> str | None:
        """The text of the first element of a name."""
        return self.root.findtext(f".//{name}") if self.root is not None else None

    def all(self, name: str) -> list[str]:
        """The texts of all elements of a name."""
        return [element.text or "" for element in self.root.iter(name)] if self.root is not None else []

    @property
    def refusal(self) -> tuple[int, str | None, str | None]:
        """Status, code and message of an error."""
        return self.status, self.find("Code"), self.find("Message")

    def check_envelope(self, service: str = "iam") -> None:
        """Every answer has the shape of R206, R207, R212 and R213."""
        assert self.headers.get("content-type", "").startswith("text/xml"), self.headers
        named = self.find("RequestId")
        assert self.headers.get("x-amzn-requestid") == named, (self.headers, self.body)
        uuid.UUID(named)
        assert f'xmlns="{NAMESPACES[service]}"'.encode() in self.body, self.body
        if not self.ok:
            assert self.root.tag == "ErrorResponse", self.body
            assert self.find("Type") == ("Receiver" if self.status >= 500 else "Sender"), self.body


def form(service: str, action: str, parameters: dict) -> bytes:
    """The form of a call; parameters that are `None` are left out."""
    pairs = {"Action": action, "Version": VERSIONS[service]} | parameters
    return urlencode({name: value for name, value in pairs.items() if value is not None}, quote_via=quote).encode()


def signed(
    endpoint: str, key: Key | None, body: bytes, *, service="iam", region="us-east-1", method="POST", query="",
    path="/", content_type: str | None = FORM, shift=timedelta(), more: dict[str, str] | None = None,
) -> AWSRequest:
    """A signed request; without a key, an unsigned one."""
    url = endpoint + path + (f"?{query}" if query else "")
    headers = ({"Content-Type": content_type} if content_type else {}) | (more or {})
    request = AWSRequest(method=method, url=url, data=body or None, headers=headers)
    if key:
        ClockedAuth(key, service, region, shift).add_auth(request)
    return request


def send(request: AWSRequest, body: bytes | None = None) -> Answer:
    """Sends a request on a connection of its own; `body` replaces the signed one."""
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        payload = request.data if body is None else body
        connection.request(request.method, target, payload, dict(request.headers.items()))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


def as_bytes(request: AWSRequest) -> bytes:
    """The request as it goes over the wire, for clients that send it at a moment of their choice."""
    parts = urlsplit(request.url)
    body = request.data or b""
    lines = [f"{request.method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
