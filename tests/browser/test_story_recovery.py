"""Root gets back in after losing the device: by mail and by call, in one sign-in (R130, A22, A23)."""

import pytest

from stage.house import ROOT_EMAIL, ROOT_PHONE
from stage.seat import Seat


@pytest.fixture
def lost(new_house, sit):
    """A house whose root has lost the device: the house, root's seat before the second page, and the lost app."""
    house = new_house("lost")
    seat = sit(house)
    app = house.with_app(house.root)
    seat.takes_over(house.signs_in(house.root), "/console/mfa")
    return house, seat, app


def key_in(seat: Seat, digits: str) -> str:
    """Whoever answers the phone keys digits in; gives what is said then."""
    phone = seat.house.visitor()
    page = phone.get("/console/development")
    call = page.form("/console/development").values["call"]
    return phone.submit("/console/development", call=call, digits=digits.replace(" ", "")).said


def step(seat: Seat) -> int:
    """Which of the three steps the page is."""
    return int(seat.text("#steps").split()[1])


def gives_mail_code(seat: Seat) -> None:
    """Asks for the mail and types its code."""
    seat.press("#send-mail").fill(code=seat.house.outbox()[0].code).press("#submit")


def test_mail_and_call_lead_in_and_the_device_stays(lost, sit, tmp_path):
    house, seat, app = lost
    seat.never_sees(ROOT_EMAIL, ROOT_PHONE, ROOT_PHONE.removeprefix("+"), "4155550142")
    seat.press("#help").press("#alternative-factors")
    assert step(seat) == 1 and "o•••@example.com" in seat.said() and "0142" in seat.said()
    seat.press("#send-mail")
    mail = house.outbox()[0]
    assert (mail.via, mail.to) == ("mail", ROOT_EMAIL)
    seat.never_sees(mail.code)
    seat.fill(code="0" * 32).press("#submit")
    assert "was not accepted" in seat.error("code")

    seat.hidden.discard(mail.code)
    reader = sit(house).go("/console/development").press(".mail-link")
    assert "Continue" in reader.said(), "the link, opened elsewhere, confirms nothing by itself"
    seat.go("/console/recovery")
    assert step(seat) == 1
    seat.go("/console/development").press(".mail-link")
    assert seat.has("#form #submit") or seat.has("#onwards")
    seat.has("#onwards") and seat.press("#onwards")
    seat.press("#submit")
    assert "is confirmed" in seat.message and step(seat) == 2

    seat.press("#call")
    digits = seat.text("#digits")
    wrong = f"{(int(digits.replace(' ', '')) + 1) % 10**6:06}"
    assert "wrong" in key_in(seat, wrong)
    seat.press("#entered")
    assert step(seat) == 2
    assert "right" in key_in(seat, digits)
    seat.go("/console/recovery")
    assert step(seat) == 3
    seat.press("#finish")
    assert seat.level == "Signed in with alternative factors"
    assert seat.has("#status-recovered")

    (device,) = seat.my_devices()
    assert seat.has("#recovered") and device.kind == "Virtual", "the device is untouched"
    assert "Signed in with MFA" in house.lets_in(house.root, app).page.said, "whoever has it still gets in"
    seat.removes(device.serial, "lost")
    assert "is removed" in seat.message
    new = seat.adds_app(tmp_path)
    seat.signs_out().gives_password(house.root).gives_code(app.code())
    assert not seat.is_in
    seat.gives_code(new.code())
    assert seat.level == "Signed in with MFA"


def test_starting_over_makes_what_was_confirmed_worthless(lost):
    """A23."""
    house, seat, _ = lost
    seat.press("#help").press("#alternative-factors")
    gives_mail_code(seat)
    assert step(seat) == 2
    seat.press("#start-over").gives_password(house.root).go("/console/recovery")
    assert step(seat) == 1
    seat.press("#send-mail")
    assert "Another code can be sent in" in seat.driver.page_source, "the next mail waits for its pause (A15)"
    assert step(seat) == 1


def test_one_of_both_is_not_enough(lost):
    """A22: the last step cannot be jumped to, and the mail alone opens nothing."""
    house, seat, _ = lost
    cookies = {name: cookie["value"] for name, cookie in seat.cookies().items()}
    visitor = house.visitor(cookies)
    token = visitor.get("/console/recovery").form("/console/recovery/mail/send").values["token"]
    page = visitor.post("/console/recovery/finish", {"token": token})
    assert "countersign-session" not in visitor.cookies and page.path == "/console/recovery", page.said
    visitor.submit("/console/recovery/mail/send")
    visitor.submit("/console/recovery/mail", code=house.outbox()[0].code)
    page = visitor.post("/console/recovery/finish", {"token": token})
    assert "countersign-session" not in visitor.cookies and page.path == "/console/recovery", page.said
    visitor.post("/console/recovery/call", {"token": token})
    page = visitor.post("/console/recovery/finish", {"token": token})
    assert "countersign-session" not in visitor.cookies, "the phone was not answered yet"


def test_root_can_switch_it_off(lost, sit):
    """A23: then there is no way in without the device; an administrator cannot switch it."""
    house, seat, app = lost
    boss = sit(house).is_let_in(house.administrator, path="/console/account")
    assert not boss.all("#save-alternative-factors") and not boss.all("#save-contact")
    seat.gives_code(app.code())
    seat.press("#nav-account").choose("#allowed-off").press("#save-alternative-factors")
    assert seat.find("#allowed-off").is_selected()
    seat.signs_out().gives_password(house.root).press("#help")
    assert seat.has("#no-recovery") and not seat.all("#alternative-factors")
    seat.go("/console/recovery")
    assert not seat.all("#send-mail") and seat.has("#no-recovery"), "the page says what can be done instead"


def test_users_have_no_such_way(classic, sit):
    """A user's lost device is deactivated by an administrator (R129)."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    seat.takes_over(classic.signs_in(lee), "/console/mfa").press("#help")
    assert seat.has("#ask-administrator")
    seat.go("/console/recovery")
    assert seat.has("#ask-administrator") and not seat.all("#send-mail")
    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}")
    (device,) = boss.devices()
    assert not boss.all(".act-replace")
    boss.removes(device.serial, "lost")
    seat.go("/console/mfa")
    assert seat.path == "/console/sign-in", f"there is nothing to prove any more, but: {seat.said()}"
    assert app.code() and seat.message
    seat.gives_password(lee)
    assert seat.level == "Signed in without MFA"
