"""A server with its console, and the people who have an account there."""

import html
import itertools
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from support.account import Account
from support.canary import CANARY
from support.server import Server

from .app import App
from .visitor import Page, Visitor

ROOT_EMAIL = "owner@example.com"
ROOT_PHONE = "+14155550142"
_numbers = itertools.count(1)
SECRET = re.compile(r'id="secret"[^>]*>([^<]+)<')
MESSAGE = re.compile(
    r'<li class="message" data-via="(\w+)">.*?to <code>([^<]*)</code>.*?<code class="text">([^<]*)</code>(.*?)</li>', re.S
)


@dataclass
class Person:
    """Somebody with a password; root, if there is an e-mail address."""

    house: "House"
    password: str
    name: str = ""
    email: str = ""
    id: str = ""


@dataclass
class Message:
    """What the server would have sent."""

    via: str
    to: str
    text: str
    rest: str

    @property
    def code(self) -> str:
        """The code in it."""
        return self.text.rsplit(" ", 1)[1]


class House:
    """A server with one account, whose console is at `http://localhost` and a port."""

    def __init__(self, home: Path, *options: str, named: bool = True, development: bool = True):
        port = free_port()
        self.site = f"http://localhost:{port}"
        # The origin pins the port: without it, keys could be asked by any page on this machine.
        name = ("--public-origin", self.site) if named else ()
        shown = ("--development-transports",) if development else ()
        self.server = Server(home, *shown, *name, *options, port=port)
        self.account = Account(self.server, "--root-email", ROOT_EMAIL, "--root-phone", ROOT_PHONE)
        self.policy = options[options.index("--policy") + 1] if "--policy" in options else "classic"
        self.root = Person(self, self.account.root["password"], email=ROOT_EMAIL)
        made = self.account.administrator
        self.administrator = Person(self, made["password"], name=made["user_name"])
        CANARY.secret("root's e-mail address", ROOT_EMAIL)
        CANARY.secret("root's phone number", ROOT_PHONE)
        CANARY.secret("root's phone number", ROOT_PHONE.removeprefix("+"))
        self._desk: Visitor | None = None

    def start(self, clock: str | None = None) -> "House":
        """Starts it."""
        self.server.start(clock)
        return self

    def stop(self) -> None:
        """Stops it."""
        self.server.stop()

    # ---- the stage is set without a browser

    def visitor(self, cookies: dict[str, str] | None = None) -> Visitor:
        """Somebody without a browser."""
        return Visitor(self.site, cookies)

    def signs_in(self, person: Person) -> Visitor:
        """Somebody without a browser who gave the right password."""
        visitor = self.visitor()
        visitor.get(path_of(person))
        visitor.submit(path_of(person), **fields_of(person))
        return visitor

    def lets_in(self, person: Person, app: App | None = None) -> Visitor:
        """Somebody without a browser who is signed in."""
        visitor = self.signs_in(person)
        if app:
            visitor.submit("/console/mfa/code", code=app.code())
        assert visitor.page.path == "/console/", visitor.page.said
        return visitor

    def with_app(self, person: Person, name: str = "") -> App:
        """Somebody without a browser enables a virtual device."""
        visitor = self.lets_in(person)
        visitor.get("/console/devices/add/virtual")
        page = visitor.submit("/console/devices/add/virtual", **({"name": name} if name else {}))
        app = App(SECRET.search(page.text)[1].replace(" ", ""))
        one, two = app.pair()
        page = visitor.submit("/console/devices/add/virtual/codes", code1=one, code2=two)
        assert "is assigned" in page.said, page.said
        return app

    @property
    def desk(self) -> Visitor:
        """The administrator, signed in without a browser; nobody has given a device to this one."""
        if self._desk is None:
            self._desk = self.signs_in(self.administrator)
        return self._desk

    def at_desk(self, path: str, action: str | None = None, **values: str) -> Page:
        """The administrator fills in a form."""
        self.at_desk_text(path)
        return self.desk.submit(action or path, **values)

    def at_desk_text(self, path: str) -> str:
        """What the administrator reads."""
        page = self.desk.get(path)
        if page.path.startswith("/console/sign-in"):
            self._desk = None
            page = self.desk.get(path)
        assert page.status == 200, (path, page.status, page.said)
        return page.said

    def person(self, name: str | None = None) -> Person:
        """A new user with a password."""
        name = name or f"person-{next(_numbers)}"
        password = new_password()
        page = self.at_desk("/console/create-user", user_name=name, new=password, again=password)
        assert page.status == 200 and page.path.startswith("/console/users/"), page.said
        return Person(self, password, name=name, id=page.path.rsplit("/", 1)[1])

    def outbox(self) -> list[Message]:
        """What the server would have sent, the newest first."""
        page = self.visitor().get("/console/development")
        assert page.status == 200, page.said
        found = [Message(*map(html.unescape, parts)) for parts in MESSAGE.findall(page.text)]
        for message in found:
            if message.via == "sms":
                CANARY.code(message.code)
            elif message.via == "mail":
                CANARY.secret("the code of a mail", message.code)
        return found


def new_password() -> str:
    """A password that nobody has."""
    return CANARY.secret("a password", secrets.token_hex(6))


def path_of(person: Person) -> str:
    """The first page of somebody's sign-in (R97)."""
    return "/console/sign-in/root" if person.email else "/console/sign-in"


def fields_of(person: Person) -> dict[str, str]:
    """What somebody types into it."""
    if person.email:
        return {"email": person.email, "password": person.password}
    return {"account": person.house.account.id, "user_name": person.name, "password": person.password}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
