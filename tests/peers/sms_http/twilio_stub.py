#!/usr/bin/env python3
"""A Twilio that sends nothing: it takes messages as Twilio does, and reports on them.

    twilio_stub.py --account AC... --token TOKEN [--port 0] [--log FILE]
                   [--deliver-to http://127.0.0.1:8080] [--ca FILE]

It listens on a loopback port, prints `READY <port>`, and then writes one JSON line for each thing that happens, to the
log file or to standard output:

    {"event": "message", "sid", "to", "from", "body", "validity_s", "max_price", "status_callback", "behaviour"}
    {"event": "refused", "status", "code"}                      a request that is not a message
    {"event": "callback", "sid", "status", "answer", "signer"}  a report, and the status that answered it

Reports go to the message's StatusCallback, and to loopback addresses only. With --deliver-to they are signed for that
address and posted to the same path of another. They are signed by the PyPI package twilio if it is there ("signer"
says).

The last two digits of the number choose a behaviour; every other number is sent, then delivered:

    53  429 the first time        57  400, code 21211 (no such number)     59  reports with a wrong signature
    54  never answers             58  400, code 21610 (opted out)          60  each report twice
    55  cut off in the answer

Nothing but the standard library is needed.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import re
import ssl
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    from twilio.request_validator import RequestValidator
except ImportError:
    RequestValidator = None

FORM_BYTES_MAX = 64 * 1024
REPORT_WITHIN_S = 10
FIELDS = {"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod", "MaxPrice"}
BEHAVIOURS = {"53": "throttled", "54": "silent", "55": "cut off", "57": "no number", "58": "opted out",
              "59": "wrong signature", "60": "twice"}


class Refusal(Exception):
    """An answer that is an error, in Twilio's form."""

    def __init__(self, status: int, code: int, message: str, retry_after_s: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after_s = status, code, message, retry_after_s


def wanted(true, status: int, code: int, message: str):
    """Refuses what is not true."""
    if not true:
        raise Refusal(status, code, message)


def checked(form: bytes) -> dict[str, str]:
    """The parameters of a message, each checked as Twilio's API description has it."""
    try:
        text = form.decode("ascii")
        pairs = urllib.parse.parse_qsl(text, strict_parsing=True, keep_blank_values=True, errors="strict")
    except ValueError as cause:
        raise Refusal(400, 20001, "the form cannot be read") from cause
    fields = dict(pairs)
    wanted(len(fields) == len(pairs), 400, 20001, "a parameter is there twice")
    wanted(set(fields) <= FIELDS, 400, 20001, "a parameter is not known")
    wanted("To" in fields, 400, 21604, "a 'To' number is required")
    wanted(re.fullmatch(r"\+[1-9][0-9]{6,14}", fields["To"]), 400, 21211, "the 'To' number is not valid")
    wanted(("From" in fields) != ("MessagingServiceSid" in fields), 400, 21603, "one sender is required")
    service = fields.get("MessagingServiceSid")
    wanted(service is None or re.fullmatch("MG[0-9a-f]{32}", service), 400, 21701, "there is no such service")
    wanted(1 <= len(fields.get("Body", "")) <= 1600, 400, 21602, "a body of 1 to 1600 characters is required")
    validity = fields.get("ValidityPeriod", "36000")
    lasting = re.fullmatch("[0-9]{1,5}", validity) and 1 <= int(validity) <= 36000
    wanted(lasting, 400, 21623, "the validity is not valid")
    wanted(re.fullmatch(r"[0-9]+(\.[0-9]+)?", fields.get("MaxPrice", "1")), 400, 20001, "the price is not a number")
    callback = urllib.parse.urlsplit(fields.get("StatusCallback", "https://localhost/"))
    wanted(callback.scheme in ("http", "https") and callback.hostname, 400, 21609, "the callback is no address")
    return fields


class Stub(ThreadingHTTPServer):
    """The server, and what it remembers."""

    daemon_threads = True

    def __init__(self, options: argparse.Namespace):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        self.log = open(options.log, "a", encoding="utf-8") if options.log else sys.stdout
        self.lock = threading.Lock()
        self.messages = 0
        self.throttled: set[str] = set()

    def note(self, event: str, **values):
        """Writes a line."""
        with self.lock:
            print(json.dumps({"event": event, **values}), file=self.log, flush=True)

    def sid(self) -> str:
        """The name of the next message."""
        with self.lock:
            self.messages += 1
            return f"SM{self.messages:032x}"

    def first_time(self, number: str) -> bool:
        """Whether a number was not throttled yet; from now on it was."""
        with self.lock:
            first = number not in self.throttled
            self.throttled.add(number)
            return first

    def signature(self, url: str, fields: dict[str, str]) -> tuple[str, str]:
        """The signature of a report, and who made it."""
        if RequestValidator is not None:
            return RequestValidator(self.options.token).compute_signature(url, fields), "twilio"
        text = url + "".join(name + fields[name] for name in sorted(fields))
        mac = hmac.new(self.options.token.encode(), text.encode(), hashlib.sha1)
        return base64.b64encode(mac.digest()).decode(), "stdlib"

    def report(self, fields: dict[str, str], sid: str, behaviour: str):
        """Reports that a message was sent, then that it was delivered."""
        url = fields["StatusCallback"]
        for status in ("sent", "delivered"):
            report = {
                "MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status, "To": fields["To"],
                "AccountSid": self.options.account, "ApiVersion": "2010-04-01",
            }
            report |= {name: fields[name] for name in ("From", "MessagingServiceSid") if name in fields}
            signature, signer = self.signature(url, report)
            if behaviour == "wrong signature":
                signature = base64.b64encode(bytes(20)).decode()
            for _ in range(2 if behaviour == "twice" else 1):
                try:
                    answer = self.post(url, urllib.parse.urlencode(report), signature)
                except (OSError, http.client.HTTPException) as cause:
                    answer = type(cause).__name__
                self.note("callback", sid=sid, status=status, answer=answer, signer=signer)

    def post(self, url: str, body: str, signature: str) -> int | str:
        """Posts a report to where it is delivered; the status of the answer."""
        to = urllib.parse.urlsplit(self.options.deliver_to or url)
        asked = urllib.parse.urlsplit(url)
        if not is_loopback(to.hostname or ""):
            return "not a loopback address"
        if to.scheme == "https":
            tls = ssl.create_default_context(cafile=self.options.ca)
            connection = http.client.HTTPSConnection(to.hostname, to.port, timeout=REPORT_WITHIN_S, context=tls)
        else:
            connection = http.client.HTTPConnection(to.hostname, to.port, timeout=REPORT_WITHIN_S)
        path = urllib.parse.urlunsplit(("", "", asked.path or "/", asked.query, ""))
        headers = {"Host": asked.netloc, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                   "X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def do_POST(self):
        """Takes a message, or says why not."""
        try:
            fields = self.read()
            behaviour = BEHAVIOURS.get(fields["To"][-2:], "")
            self.refuse_as_told(fields["To"], behaviour)
        except Refusal as refusal:
            self.server.note("refused", status=refusal.status, code=refusal.code)
            self.refuse(refusal)
            return
        sid = self.server.sid()
        self.server.note(
            "message", sid=sid, to=fields["To"], body=fields["Body"], behaviour=behaviour,
            validity_s=int(fields.get("ValidityPeriod", 36000)), max_price=fields.get("MaxPrice"),
            status_callback=fields.get("StatusCallback"),
            **{"from": fields.get("From") or fields.get("MessagingServiceSid")},
        )
        if behaviour == "silent":
            self.rfile.read(1)
            self.close_connection = True
        elif behaviour == "cut off":
            self.wfile.write(b"HTTP/1.1 201 Crea")
            self.close_connection = True
        else:
            queued = {"sid": sid, "status": "queued", "error_code": None, "error_message": None, "to": fields["To"]}
            self.answer(201, queued)
            if "StatusCallback" in fields:
                threading.Thread(target=self.server.report, args=(fields, sid, behaviour), daemon=True).start()

    def do_GET(self):
        """There is nothing to read."""
        self.refuse(Refusal(404, 20404, "there is nothing here"))

    def read(self) -> dict[str, str]:
        """The checked form of a request that may be made."""
        options = self.server.options
        length = self.headers.get("Content-Length", "")
        fits = length.isascii() and length.isdigit() and int(length) <= FORM_BYTES_MAX
        if not fits:
            self.close_connection = True
            raise Refusal(413, 20001, "the form is too long")
        body = self.rfile.read(int(length))
        basic = "Basic " + base64.b64encode(f"{options.account}:{options.token}".encode()).decode()
        given = self.headers.get("Authorization", "")
        wanted(hmac.compare_digest(given.encode(), basic.encode()), 401, 20003, "authenticate")
        path = f"/2010-04-01/Accounts/{options.account}/Messages.json"
        wanted(self.path == path, 404, 20404, "there is nothing here")
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        wanted(kind == "application/x-www-form-urlencoded", 415, 20001, "a form is required")
        return checked(body)

    def refuse_as_told(self, number: str, behaviour: str):
        """Refuses a number that stands for a refusal."""
        wanted(behaviour != "no number", 400, 21211, f"the 'To' number {number} is not a valid phone number")
        wanted(behaviour != "opted out", 400, 21610, "attempt to send to unsubscribed recipient")
        if behaviour == "throttled" and self.server.first_time(number):
            raise Refusal(429, 20429, "too many requests", retry_after_s=1)

    def refuse(self, refusal: Refusal):
        """Answers with an error."""
        error = {"code": refusal.code, "message": refusal.message, "status": refusal.status,
                 "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}"}
        self.answer(refusal.status, error, refusal.retry_after_s)

    def answer(self, status: int, said: dict, retry_after_s: int | None = None):
        """Answers with JSON."""
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after_s is not None:
            self.send_header("Retry-After", str(retry_after_s))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not logged; what they say is."""


def main():
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--account", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("--deliver-to")
    parser.add_argument("--ca")
    with Stub(parser.parse_args()) as stub:
        print(f"READY {stub.server_port}", flush=True)
        stub.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
