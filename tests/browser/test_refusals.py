"""What must not be possible, whoever tries: the negative list of the console (NT-10..NT-31)."""

import re
import time
from statistics import median

import pytest

from stage.app import App
from stage.house import SECRET, House, Person, new_password
from stage.places import Site
from stage.visitor import Page
from support.account import Device
from support.otp import within_one_window
from support.texts import UNABLE

PAGES = [
    "/console/", "/console/devices", "/console/devices/add", "/console/devices/add/virtual",
    "/console/devices/add/hardware", "/console/devices/add/key", "/console/devices/add/sms", "/console/devices/resync",
    "/console/devices/remove", "/console/password", "/console/users", "/console/create-user", "/console/account",
]
SESSION, ATTEMPT = "countersign-session", "countersign-attempt"


def with_app(house: House) -> tuple[Person, App]:
    """A new user with a device."""
    person = house.person()
    return person, house.with_app(person)


def token_of(page: Page) -> str:
    """The token of the first form on a page."""
    return re.search(r'name="token" value="([^"]+)"', page.text)[1]


def test_the_first_page_says_nothing_of_the_second(classic):
    """A24, R97: an unknown name, a wrong password and one without a password are alike, with a device and without."""
    lee, _ = with_app(classic)
    kim, nobody = classic.person(), Person(classic, new_password(), name="nobody-of-this-name")
    classic.account.admin.does("CreateUser", UserName="without-password")
    without = Person(classic, new_password(), name="without-password")
    pages = []
    for person in (lee, kim, nobody, without):
        guess = Person(classic, "not the password", name=person.name)
        page = classic.signs_in(guess).page
        assert ATTEMPT not in page.text and "MFA" not in page.said and "device" not in page.said
        pages.append((page.status, page.path, re.sub(r'value="[^"]*"', "", page.text)))
    assert len(set(pages)) == 1
    root = Person(classic, "not the password", email="nobody@example.com")
    known = Person(classic, "not the password", email=classic.root.email)
    texts = {re.sub(r'value="[^"]*"', "", classic.signs_in(person).page.text) for person in (root, known)}
    assert len(texts) == 1


def test_an_unknown_name_takes_the_same_work(new_house):
    """NT-16: the median time of a wrong password and of an unknown name are alike."""
    house = new_house("timing")
    lee = house.person()

    def took(name: str) -> float:
        visitor = house.visitor()
        visitor.get("/console/sign-in")
        began = time.perf_counter()
        visitor.submit("/console/sign-in", account=house.account.id, user_name=name, password="not the password")
        return time.perf_counter() - began

    def story(_):
        pairs = [(took(lee.name), took(f"nobody-{number}")) for number in range(8)]
        known, unknown = (median(times) for times in zip(*pairs, strict=True))
        assert 0.5 < known / unknown < 2, (known, unknown)

    within_one_window(story)


def test_the_first_cookie_opens_no_page_of_a_session(classic):
    """The password alone: every page leads back to the second one, and so does every form."""
    lee, app = with_app(classic)
    visitor = classic.signs_in(lee)
    assert set(visitor.cookies) & {SESSION, ATTEMPT} == {ATTEMPT}
    token = token_of(visitor.get("/console/mfa"))
    for path in PAGES:
        assert visitor.get(path).path == "/console/mfa", path
        page = visitor.post(path, {"token": token, "code1": "123456", "code2": "654321", "name": "x"})
        assert page.path == "/console/mfa" or page.status in (400, 405), (path, page.status, page.path)
        assert SESSION not in visitor.cookies
    forged = classic.visitor({SESSION: visitor.cookies[ATTEMPT]})
    assert forged.get("/console/devices").path == "/console/sign-in"
    visitor.get("/console/mfa")
    visitor.submit("/console/mfa/code", code=app.code())
    assert SESSION in visitor.cookies and ATTEMPT not in visitor.cookies, "the second factor makes a new secret (NT-31)"


def test_a_session_without_mfa_changes_no_device(classic):
    """R182, NT-21: not the session that was there before the device was."""
    lee = classic.person()
    first, app = classic.lets_in(lee), classic.with_app(lee)
    serial = classic.account.arn(lee.name)
    token = token_of(first.get("/console/devices"))
    for path, values in [
        ("/console/devices/remove", {"serial": serial, "reason": "lost"}),
        ("/console/devices/add/virtual", {"name": "another"}),
        ("/console/devices/add/hardware", {"serial": "GAHT12345678", "code1": "123456", "code2": "654321"}),
        ("/console/devices/add/key", {"name": "another"}),
        ("/console/devices/add/sms", {"phone": "+14155550161"}),
    ]:
        page = first.post(path, {"token": token, **values})
        assert "sign in again with MFA" in page.said or "Sign in again with MFA" in page.said, (path, page.said)
    assert serial in classic.lets_in(lee, app).get("/console/devices").text


def test_an_enrolment_belongs_to_its_session(classic):
    """NT-22: another session of the same person cannot finish it, not even with the cookies of the first."""
    lee = classic.person()
    one, two = classic.signs_in(lee), classic.signs_in(lee)
    one.get("/console/devices/add/virtual")
    page = one.submit("/console/devices/add/virtual")
    app = App(SECRET.search(page.text)[1].replace(" ", ""))
    first, second = app.pair()
    token = token_of(two.get("/console/password"))
    page = two.post("/console/devices/add/virtual/codes", {"token": token, "code1": first, "code2": second})
    assert "Begin here" in page.said, page.said
    one.get("/console/devices/add/sms")
    page = one.submit("/console/devices/add/sms", phone="+14155550162")
    code = classic.outbox()[0].code
    thief = classic.visitor(two.cookies | {"countersign-enrolment": one.cookies["countersign-enrolment"]})
    page = thief.post("/console/devices/add/sms/code", {"token": token, "code": code})
    assert "Begin here" in page.said, page.said
    one.get("/console/devices/add/sms/code")
    assert "is assigned" in one.submit("/console/devices/add/sms/code", code=code).said


def test_a_deactivated_device_opens_nothing_at_once(classic):
    """An open second page is cut off in the very moment, and so is the API."""
    lee, app = with_app(classic)
    phone, by_key = Device(classic.account.arn(lee.name), app.seed), classic.account.with_key(lee.name)
    assert by_key.shows(phone, app.code()).ok, "what was enabled in the console opens the API"
    waiting = classic.signs_in(lee)
    assert waiting.page.path == "/console/mfa"
    classic.account.admin.does("DeactivateMFADevice", UserName=lee.name, SerialNumber=phone.serial)
    page = waiting.post("/console/mfa/code", {"token": token_of(waiting.page), "code": app.code()})
    assert SESSION not in waiting.cookies, page.said
    assert by_key.shows(phone, app.code()).refusal == UNABLE
    assert "No." in classic.at_desk_text(f"/console/users/{lee.id}")
    assert classic.signs_in(lee).page.path == "/console/"


def test_an_open_sign_in_ends_with_its_password(classic):
    """Who gave a password that was changed since is no further than at the beginning."""
    lee, app = with_app(classic)
    waiting = classic.signs_in(lee)
    lee.password = new_password()
    classic.at_desk(f"/console/users/{lee.id}/password", new=lee.password, again=lee.password)
    page = waiting.post("/console/mfa/code", {"token": token_of(waiting.page), "code": app.code()})
    assert SESSION not in waiting.cookies and page.path == "/console/sign-in", page.said
    assert "Signed in with MFA" in classic.lets_in(lee, app).page.said


def test_forms_count_from_our_own_pages_alone(classic):
    """A token of another session, none at all, or another origin: nothing is changed."""
    lee, kim = classic.person(), classic.person()
    mine, other = classic.signs_in(lee), classic.signs_in(kim)
    token = token_of(mine.get("/console/password"))
    values = {"current": lee.password, "new": "another password", "again": "another password"}
    for bad in ("", "x", token_of(other.get("/console/password")), token_of(classic.visitor().get("/console/sign-in"))):
        page = mine.post("/console/password", values | {"token": bad})
        assert page.status == 400 and "expired" in page.said, page.said
    page = mine.post("/console/password", values)
    assert page.status == 400
    for headers in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site", "Origin": "null"}):
        page = mine.post("/console/password", values | {"token": token}, **headers)
        assert page.status == 400, headers
    page = mine.ask("POST", "/console/password", '{"new": "x"}', Content_Type="application/json")
    assert page.status == 400
    assert classic.signs_in(lee).page.path == "/console/", "the password is the old one"


def test_people_stay_among_themselves(classic):
    """A user reaches no page of administrators, and no other user."""
    lee, kim = classic.person(), classic.person()
    visitor = classic.signs_in(lee)
    token = token_of(visitor.get("/console/password"))
    for path in ("/console/users", "/console/create-user", "/console/account", f"/console/users/{kim.id}",
                 f"/console/users/{kim.id}/devices/add", f"/console/users/{kim.id}/password", "/console/users/NOBODY"):
        assert visitor.get(path).status == 403, path
    for path in ("/console/account/policy", f"/console/users/{kim.id}/delete", f"/console/users/{kim.id}/password",
                 f"/console/users/{kim.id}/devices/remove", "/console/account/alternative-factors"):
        values = {"token": token, "confirm": "yes", "policy": "modern", "allowed": "off", "new": "x" * 20, "again": "x" * 20}
        assert visitor.post(path, values).status == 403, path
    desk = classic.signs_in(classic.administrator)
    token = token_of(desk.get("/console/password"))
    for path in ("/console/account/alternative-factors", "/console/account/contact", "/console/account/link"):
        page = desk.post(path, {"token": token, "allowed": "off", "email": "x@example.com", "associate": ""})
        assert page.status == 403, "only root changes what concerns root"


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-in/root", "/console/nothing", "/console/mfa",
                                  "/console/development", "/console/", "/console/devices"])
def test_headers_and_cookies(classic, path):
    """A strict policy, nothing kept by anybody, and cookies that no script and no other site gets."""
    page = classic.visitor().ask("GET", path)
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'", policy
    assert policy["script-src"] == "'self'" and policy["style-src"] == "'self'", policy
    assert policy["base-uri"] == "'none'" and policy["form-action"] == "'self'", policy
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff" and page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"
    for cookie in page.set_cookies:
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/console"} <= flags, cookie


def test_the_cookies_in_the_browser(classic, sit):
    """No script sees one, and none outlives what it is for."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    seat.signs_in(lee, app)
    session = seat.cookies()[SESSION]
    assert session["httpOnly"] and session["sameSite"] == "Strict" and session["path"] == "/console"
    assert session["session"], "it ends with the browser"
    assert seat.run("return document.cookie") == ""
    seat.signs_out()
    assert SESSION not in seat.cookies()
    thief = sit(classic).go("/console/sign-in")
    thief.set_cookie(session)
    thief.go("/console/devices")
    assert not thief.is_in, "a session that was ended is worth nothing"
    seat.gives_password(lee)
    assert ATTEMPT in seat.cookies() and SESSION not in seat.cookies()
    seat.gives_code(app.code())
    assert seat.cookies()[SESSION]["value"] != session["value"] and ATTEMPT not in seat.cookies()


def test_no_script_is_needed_for_codes(classic, sit, tmp_path):
    """Everything but keys works in a browser that runs no scripts."""
    lee, seat = classic.person(), sit(classic, script=False)
    app = seat.signs_in(lee).sets_up("virtual").scans(tmp_path)
    seat.gives_pair(app)
    seat.signs_out().gives_password(lee).gives_code(app.wrong()[0])
    assert "was not accepted" in seat.error("code")
    seat.gives_code(app.code())
    assert seat.level == "Signed in with MFA"
    other = sit(classic, script=False).is_let_in(classic.person())
    other.sets_up("key", name="blue-key")
    assert "JavaScript" in other.text("noscript"), other.said()


def test_passwords_are_limited_apart_from_codes(new_house):
    """Who tries passwords cannot lock the codes, nor the other way round; the pages say how long it takes."""
    house = new_house("limits")

    def story(_):
        lee, app = with_app(house)
        waiting = house.signs_in(lee)
        wrong = Person(house, "not the password", name=lee.name)
        pages = [house.signs_in(wrong).page for _ in range(12)]
        statuses = [page.status for page in pages]
        assert statuses[0] == 200 and statuses[-1] == 429 and "Too many tries" in pages[-1].said, statuses
        assert int(pages[-1].headers["retry-after"]) <= 180
        nobody = [house.signs_in(Person(house, "x", name="nobody")).page.status for _ in range(12)]
        assert nobody == [200, *statuses[:-1]], "alike; the sign-in that waits for its code was a try as well"
        waiting.submit("/console/mfa/code", code=app.code())
        assert waiting.page.path == "/console/", "the second page goes on"

    within_one_window(story)


def test_odd_requests_get_a_page(classic):
    """Whatever is asked, a person reads what happened; nothing is shown as it was typed."""
    visitor = classic.visitor()
    page = visitor.get("/console/%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.status == 404 and "<script>alert" not in page.text
    page = visitor.get("/console/sign-in?account=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.status == 200 and "<script>alert" not in page.text
    assert visitor.ask("DELETE", "/console/").status == 405
    assert visitor.ask("GET", "/console/sign-out").status == 405
    assert visitor.ask("POST", "/console/sign-in", "x" * 3_000_000).status == 413
    assert visitor.ask("POST", "/console/sign-in", b"\xff%zz&==").status == 400
    assert visitor.get("/console/mfa").path == "/console/sign-in"
    assert "took too long" in visitor.page.said or visitor.page.status == 200
    lee = classic.person("lee-o.script+x@example")
    page = classic.signs_in(lee).page
    assert lee.name in page.said


def test_a_link_elsewhere_leads_in(classic, sit):
    """The strict cookies do not come along with a link on another site; the page is then loaded once more."""
    seat = sit(classic).is_let_in(classic.person())
    with Site({"/": f'<!doctype html><html lang="en"><title>Mail</title><a href="{classic.site}/console/devices">x</a>'}) as mail:
        seat.driver.get(mail.origin.replace("localhost", "127.0.0.1"))
        seat.find("a").click()
        seat.until(lambda: seat.path == "/console/devices" and seat.has("#sign-out"), "the page that was linked")
