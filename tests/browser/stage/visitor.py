"""A client of the console without a browser: it sends what a browser never would, and sets the stage quickly."""

import http.client
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

TIMEOUT_S = 30
HOPS_MAX = 5


@dataclass
class Form:
    """A form of a page, with what it would send."""

    action: str
    method: str
    id: str
    values: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms: list[Form] = []
        self.options: str | None = None
        self.words: list[str] = []
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag, pairs):
        has = {name: value or "" for name, value in pairs}
        if tag == "form":
            self._form = Form(has.get("action", ""), has.get("method", "get"), has.get("id", ""))
            self.forms.append(self._form)
            self.options = has.get("data-options", self.options)
        elif self._form and tag == "select":
            self._select = has["name"]
        elif self._form and tag == "option" and ("selected" in has or self._select not in self._form.values):
            self._form.values[self._select] = has.get("value", "")
        elif self._form and tag == "input" and has.get("name"):
            if has.get("type") not in ("radio", "checkbox") or "checked" in has:
                self._form.values[has["name"]] = has.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None

    def handle_data(self, data):
        self.words.append(data)


class Page:
    """An answer of the console."""

    def __init__(self, path: str, status: int, headers: list[tuple[str, str]], body: bytes):
        self.path = path
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.set_cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        self.text = body.decode(errors="replace")
        self._read = _Reader()
        if "html" in self.headers.get("content-type", ""):
            self._read.feed(self.text)

    @property
    def said(self) -> str:
        """Its words in one line."""
        return " ".join(" ".join(self._read.words).split())

    @property
    def options(self) -> dict:
        """What the page would have a security key do."""
        assert self._read.options, self.said
        return json.loads(self._read.options)["publicKey"]

    def form(self, action: str) -> Form:
        """The form that is sent to some path."""
        found = [form for form in self._read.forms if urlsplit(form.action).path == action]
        assert found, f"no form to {action} at {self.path} ({self.status}): {self.said}"
        return found[0]


class Visitor:
    """Somebody without a browser."""

    def __init__(self, site: str, cookies: dict[str, str] | None = None):
        self.site = site
        self.cookies = dict(cookies or {})
        self.page: Page | None = None

    def ask(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Page:
        """Makes one request; follows nothing."""
        parts = urlsplit(self.site)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=TIMEOUT_S)
        sent = {"Host": parts.netloc, "Accept": "text/html"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            self.page = Page(path, answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        for line in self.page.set_cookies:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies.pop(name, None) if not value else self.cookies.update({name: value})
        return self.page

    def get(self, path: str) -> Page:
        """Opens a page, and goes where it leads."""
        return self._follow(self.ask("GET", path))

    def post(self, path: str, values: dict[str, str], **headers: str) -> Page:
        """Sends a form that no page has to have, and goes where it leads."""
        return self._follow(self.ask("POST", path, urlencode(values), **headers))

    def submit(self, action: str, **values: str) -> Page:
        """Fills in a form of the present page and sends it."""
        form = self.page.form(action)
        target = urljoin(self.page.path, form.action)
        if form.method == "get":
            return self.get(f"{target}?{urlencode(form.values | values)}")
        return self.post(target, form.values | values)

    def _follow(self, page: Page) -> Page:
        for _ in range(HOPS_MAX):
            if page.status not in (302, 303):
                return page
            page = self.ask("GET", page.headers["location"])
        raise AssertionError(f"led in circles to {page.path}")
