"""Requests that no honest client sends: forged, late, broken, huge. Each gets a clear answer, and the server lives."""

import random
import socket
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from support.account import Account, Caller, service_of
from support.otp import step_now
from support.texts import BAD_TOKEN, UNABLE
from support.wire import Answer, Key, as_bytes, form, send, signed

WHO = form("sts", "GetCallerIdentity", {})
USERS = form("iam", "ListUsers", {})
MISMATCH = "SignatureDoesNotMatch"


@pytest.fixture(autouse=True)
def lives_on(account: Account):
    """After each request the server still answers, and it never panicked."""
    yield
    assert account.admin.call("GetCallerIdentity").ok
    assert "panicked" not in account.server.errors()


def ask(account: Account, body: bytes, *, key: Key | None = None, sent: bytes | None = None, **options) -> Answer:
    """Sends a signed form, as the administrator unless somebody else is named."""
    return send(signed(account.server.endpoint, key or account.admin.key, body, **options), sent)


# ---- who asks


def test_no_signature(account):
    answer = send(signed(account.server.endpoint, None, USERS))
    assert answer.refusal == (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    answer.check_envelope()


def test_unknown_key(account):
    stranger = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    for service, body in (("iam", USERS), ("sts", WHO)):
        answer = ask(account, body, key=stranger, service=service)
        assert answer.refusal == (403, "InvalidClientTokenId", BAD_TOKEN)
        answer.check_envelope(service)


def test_wrong_secret(account):
    forger = Key(account.admin.key.id, account.admin.key.secret[:-1] + "!")
    assert ask(account, USERS, key=forger).refusal[:2] == (403, MISMATCH)


def test_a_body_that_was_not_signed(account):
    other = form("iam", "CreateUser", {"UserName": "mallory"})
    assert ask(account, USERS, sent=other).refusal[:2] == (403, MISMATCH)
    assert "mallory" not in account.admin.does("ListUsers", MaxItems="1000").all("UserName")


@pytest.mark.parametrize("header, value", [("Host", "iam.amazonaws.com"), ("X-Amz-Date", "20190101T000000Z")])
def test_a_header_that_was_not_signed(account, header, value):
    request = signed(account.server.endpoint, account.admin.key, USERS)
    if header in request.headers:
        del request.headers[header]
    request.headers[header] = value
    assert send(request).refusal[:2] == (403, MISMATCH)


@pytest.mark.parametrize("service, region, body", [
    ("sts", "us-east-1", USERS), ("iam", "eu-west-1", USERS), ("s3", "us-east-1", USERS), ("iam", "us-east-1", WHO),
])
def test_a_scope_for_something_else(account, service, region, body):
    """R214."""
    assert ask(account, body, service=service, region=region).refusal[:2] == (403, MISMATCH)


def test_sts_has_regions(account):
    """R214."""
    assert ask(account, WHO, service="sts", region="eu-central-1").ok


@pytest.mark.parametrize("minutes, text", [(-16, "Signature expired"), (16, "Signature not yet current")])
def test_a_clock_that_is_off(account, minutes, text):
    """R214: fifteen minutes either way."""
    status, code, message = ask(account, USERS, shift=timedelta(minutes=minutes)).refusal
    assert (status, code) == (403, MISMATCH) and message.startswith(text), message
    assert ask(account, USERS, shift=timedelta(minutes=minutes * 14 / 16)).ok


@pytest.mark.parametrize("authorization", [
    "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=00",
    "AWS4-HMAC-SHA256 Credential=AKIA/20200101/us-east-1/iam/aws4_request, SignedHeaders=host",
    "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature=", "Basic dXNlcjpwYXNz", "Bearer x", "\x7f", "=,=,=",
])
def test_a_signature_with_parts_missing(account, authorization):
    request = signed(account.server.endpoint, None, USERS, more={"Authorization": authorization})
    answer = send(request)
    assert answer.status in (400, 403), answer.body
    if authorization.isprintable():
        codes = "IncompleteSignature", "MissingAuthenticationToken", MISMATCH, "InvalidClientTokenId"
        assert answer.find("Code") in codes, answer.body


def test_session_tokens_are_bound_to_their_key(account):
    one, other = account.user().session(), account.user().session()
    good = one.key
    assert Caller(account.server, good).call("GetCallerIdentity").ok
    forged = [
        Key(good.id, good.secret, None),
        Key(good.id, good.secret, other.key.token),
        Key(other.key.id, good.secret, good.token),
        Key(good.id, good.secret, good.token[:-8] + "AAAAAAA="),
        Key(good.id, good.secret, good.token[: len(good.token) // 2]),
        Key(good.id, good.secret, "x" * 10_000),
        Key(account.admin.key.id, account.admin.key.secret, good.token),
    ]
    for number, key in enumerate(forged):
        answer = ask(account, WHO, key=key, service="sts")
        assert answer.refusal[:2] == (403, "InvalidClientTokenId"), number
    request = signed(account.server.endpoint, good, WHO, service="sts")
    swapped = signed(account.server.endpoint, Key(good.id, good.secret), WHO, service="sts")
    swapped.headers["X-Amz-Security-Token"] = request.headers["X-Amz-Security-Token"]
    assert send(swapped).status == 403, "a token that is not signed could be swapped"


# ---- what is asked


def test_get_with_a_query(account):
    """R202."""
    answer = ask(account, b"", method="GET", query=USERS.decode(), content_type=None)
    assert answer.ok and account.admin.name in answer.all("UserName")
    device = account.device()
    user = account.user()
    user.enables(device)
    code = {"SerialNumber": device.serial, "TokenCode": device.seed.code(step_now() + 1)}
    query = form("sts", "GetSessionToken", code).decode()
    assert ask(account, b"", key=user.key, service="sts", method="GET", query=query, content_type=None).ok


@pytest.mark.parametrize("body, code, text", [
    (b"", "MissingAction", None),
    (b"Version=2010-05-08", "MissingAction", None),
    (b"Action=&Version=2010-05-08", "MissingAction", None),
    (b"Action=ListUsers", "InvalidAction", "ListUsers for version NO_VERSION_SPECIFIED"),
    (b"Action=ListUsers&Version=2011-06-15", "InvalidAction", "ListUsers for version 2011-06-15"),
    (b"Action=listusers&Version=2010-05-08", "InvalidAction", "listusers for version 2010-05-08"),
    (b"Action=DropTables&Version=2010-05-08", "InvalidAction", "DropTables for version 2010-05-08"),
    (b"Action=" + b"A" * 5000 + b"&Version=2010-05-08", "InvalidAction", None),
    (b"Action=%3Cb%3E%26&Version=2010-05-08", "InvalidAction", "<b>& for version 2010-05-08"),
])
def test_unknown_actions(account, body, code, text):
    """R220."""
    answer = ask(account, body)
    assert answer.refusal[:2] == (400, code)
    assert text is None or answer.find("Message") == f"Could not find operation {text}"
    assert len(answer.body) < 2000
    answer.check_envelope("sts" if b"2011" in body else "iam")


@pytest.mark.parametrize("body", [
    USERS + b"&Marker=%", USERS + b"&Marker=%4", USERS + b"&Marker=%zz", USERS + b"&Marker=%ff%fe",
    USERS + b"&Action=CreateUser", USERS + b"&MaxItems=1&MaxItems=2", USERS + b"&%C3=1",
    b"".join(b"p%d=1&" % number for number in range(600)) + USERS,
])
def test_malformed_forms(account, body):
    """R220: what two readers could read differently is refused."""
    answer = ask(account, body)
    assert answer.refusal[:2] == (404, "MalformedQueryString")


@pytest.mark.parametrize("body", [
    USERS + b"&Unknown=1", USERS + b"&", b"&&" + USERS, USERS + b"&Bare", USERS + b"&MaxItems=%31",
])
def test_odd_but_readable_forms(account, body):
    """R205: unknown parameters are ignored."""
    assert ask(account, body).ok


def test_a_list_where_a_value_belongs(account):
    answer = ask(account, USERS + b"&MaxItems.member.1=1")
    assert answer.refusal == (400, "MalformedInput", "Start of list found where not expected")


@pytest.mark.parametrize("kilobytes", [65, 1024, 20 * 1024])
def test_an_oversized_body(account, kilobytes):
    request = signed(account.server.endpoint, account.admin.key, USERS + b"&X=" + b"x" * (kilobytes * 1024))
    try:
        answer = send(request)
    except (BrokenPipeError, ConnectionResetError):
        assert kilobytes > 1000, "the server may hang up on what is far too much, and only on that"
        return
    assert answer.status == 413 and len(answer.body) < 2000


def test_an_oversized_promise(account):
    """A length that is only announced costs the server nothing."""
    head = as_bytes(signed(account.server.endpoint, account.admin.key, USERS)).replace(
        b"Content-Length: %d" % len(USERS), b"Content-Length: 99999999999"
    )
    assert b" 413 " in raw(account, head).splitlines()[0]


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n",
])
def test_what_is_hardly_http(account, head):
    answer = raw(account, head)
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4", answer[:200]


def raw(account: Account, content: bytes) -> bytes:
    """What the server says to some bytes."""
    parts = urlsplit(account.server.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)
        except OSError:
            return b""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods(account, method):
    assert ask(account, b"" if method == "HEAD" else USERS, method=method).status in (400, 403, 404, 405)


def test_other_paths(account):
    for path in ("/x", "/..%2f..%2fetc/passwd", "/%00"):
        assert ask(account, USERS, path=path).status in (400, 403, 404)


def test_other_content_types(account):
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", "x" * 1000):
        answer = ask(account, USERS, content_type=kind)
        assert answer.status < 500, kind


def test_names_are_ascii_and_escaped_in_answers(account):
    """R219; what is repeated in an answer cannot break its XML."""
    for name in ("<script>", "a&b", "\u202e", "名", "a\x00b", "a\nb", "' OR 1=1 --", "..", "%s%n"):
        answer = account.admin.call("ListMFADevices", UserName=name)
        assert answer.status in (400, 404), name
        answer.check_envelope()
    assert account.admin.call("ListMFADevices", UserName="..").refusal[2] == "The user with name .. cannot be found."


def test_whose_device_it_is_does_not_show(account):
    """NT-32: the same answer for a device that is unknown, unassigned and somebody else's."""
    lee, kim = account.user(), account.user()
    theirs, spare = kim.enables(account.device()), account.device()
    for serial in (account.arn("gone"), theirs.serial, spare.serial, "GAHT00000000"):
        assert lee.call("GetSessionToken", SerialNumber=serial, TokenCode="123456").refusal == UNABLE
    right = theirs.seed.code(step_now() + 1)
    assert lee.call("GetSessionToken", SerialNumber=theirs.serial, TokenCode=right).refusal == UNABLE
    assert kim.shows(theirs, right).ok, "and it cost the owner nothing"


def test_noise_never_brings_it_down(account):
    """A thousand signed forms, mutated by chance: each is answered, none with a failure of the server."""
    chance = random.Random(7617)
    device, user = account.device(), account.user()
    actions = ["CreateVirtualMFADevice", "EnableMFADevice", "ResyncMFADevice", "DeactivateMFADevice", "GetSessionToken",
               "DeleteVirtualMFADevice", "ListMFADevices", "ListVirtualMFADevices", "ListUsers", "GetUser"]
    values = ["", "x", "0", "-1", "1e9", "99999999999999999999", "true", "\x00", "\n", "💥", "é", "%", "a" * 4000,
              "../..", "<x>", device.serial, device.serial.upper(), user.name, "arn:aws:iam:::mfa/x", "１２３４５６",
              "arn:aws:iam::999999999999:mfa/x", "AssignmentStatus", "Any", "/", "//", "/a/", "{}", "'", '"', "\\"]
    names = ["UserName", "SerialNumber", "AuthenticationCode1", "AuthenticationCode2", "TokenCode", "Path", "Marker",
             "MaxItems", "AssignmentStatus", "VirtualMFADeviceName", "DurationSeconds", "PathPrefix", "X-Amz-Date",
             "Tags.member.1.Key", "Tags.member.1.Value", "Tags", "Tags.member.", "UserName.member.1", "Version", ""]
    for _ in range(1000):
        action = chance.choice(actions)
        service = service_of(action)
        picked = {chance.choice(names): chance.choice(values) for _ in range(chance.randrange(6))}
        body = bytearray(form(service, action, picked))
        for _ in range(chance.choice((0, 0, 1, 3))):
            body[chance.randrange(len(body))] = chance.randrange(256)
        answer = ask(account, bytes(body), key=user.key, service=service)
        assert answer.status < 500, (bytes(body), answer.refusal)
        answer.check_envelope("sts" if b"sts.amazonaws.com" in answer.body.partition(b">")[0] else "iam")


def test_idle_connections_keep_nobody_out(account):
    """Two hundred clients begin a sentence and never end it."""
    parts = urlsplit(account.server.endpoint)
    idle = [socket.create_connection((parts.hostname, parts.port), timeout=10) for _ in range(200)]
    try:
        for connection in idle:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
        began = time.monotonic()
        assert account.admin.call("GetCallerIdentity").ok
        assert time.monotonic() - began < 5
    finally:
        for connection in idle:
            connection.close()


def test_sessions_of_a_user_that_is_gone(account):
    """R10: nobody of the same name gets them back."""
    user = account.user()
    session = user.session()
    account.admin.does("DeleteAccessKey", UserName=user.name, AccessKeyId=user.key.id)
    account.admin.does("DeleteUser", UserName=user.name)
    for caller in (user, session):
        assert caller.call("GetCallerIdentity").refusal == (403, "InvalidClientTokenId", BAD_TOKEN)
    account.user(user.name)
    for caller in (user, session):
        assert caller.call("GetCallerIdentity").refusal == (403, "InvalidClientTokenId", BAD_TOKEN)
