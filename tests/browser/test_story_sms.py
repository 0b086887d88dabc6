"""Codes by SMS: enrolling a phone, signing in with what was sent to it, and who is never asked (R118..R126, A15..A17)."""

import pytest

from stage.house import House, Person
from support.canary import CANARY

NUMBER = "+14155550{:03}"
AGAIN_S = 31


def phone(number: int) -> str:
    """A phone that nobody else has."""
    full = NUMBER.format(number)
    CANARY.secret("a phone number", full)
    CANARY.secret("a phone number", full.removeprefix("+"))
    return full


@pytest.fixture(scope="module")
def house(new_house) -> House:
    """A house whose clock is moved."""
    return new_house("sms")


def enrols(house: House, person: Person, number: str) -> None:
    """Somebody without a browser enables an SMS device with the code that was sent."""
    visitor = house.lets_in(person)
    visitor.get("/console/devices/add/sms")
    visitor.submit("/console/devices/add/sms", phone=number)
    page = visitor.submit("/console/devices/add/sms/code", code=house.outbox()[0].code)
    assert "is assigned" in page.said, page.said


def test_a_phone_is_enrolled_and_signs_in(house, sit):
    """R118..R121, R101: the code is shown by the development page alone, and the number nowhere else."""
    lee, number = house.person(), phone(123)
    seat = sit(house).is_let_in(lee, path="/console/devices").press("#manage-mfa")
    assert "carrier may charge" in seat.text("#add-sms")
    seat.press("#add-sms")
    assert "carrier may charge" in seat.said()
    seat.fill(phone="555 0123").press("#submit")
    assert "country code" in seat.error("phone") and seat.find("#phone").get_attribute("value") == "555 0123"
    seat.fill(phone="+1 (415) 555-0123")
    seat.never_sees(number, number[1:], "(415)", "555-0123").press("#submit")
    assert "0123" in seat.said(), "the end of the number tells the phone from others"

    sent = seat.go("/console/development").texts(".message .text")[0]
    assert seat.texts(".message p code")[0] == number
    code = CANARY.code(sent.rsplit(" ", 1)[1])
    seat.never_sees(code)
    seat.go("/console/devices/add/sms/code").gives_code(f"{(int(code) + 1) % 10**6:06}")
    assert "was not accepted" in seat.error("code")
    seat.press("#resend")
    assert "Another code can be sent in" in seat.said()
    seat.gives_code(code)
    assert "is assigned" in seat.message
    (device,) = seat.devices()
    assert device.kind == "SMS" and device.serial == f"arn:aws:iam::{house.account.id}:sms-mfa/{lee.name}"
    assert device.name.endswith("0123")

    seat.signs_out()
    house.server.restart(f"+{AGAIN_S}s")
    seat.gives_password(lee)
    (sign_in,) = house.outbox()
    assert (sign_in.via, sign_in.to) == ("sms", number), "it is sent by itself (R101)"
    seat.never_sees(sign_in.code)
    assert "0123" in seat.text("#instruction")
    seat.gives_code(code)
    assert "was not accepted" in seat.error("code"), "the code of the enrolment is no code of a sign-in"
    seat.gives_code(sign_in.code)
    assert seat.level == "Signed in with MFA"
    seat.go("/console/devices").signs_out()


def test_a_new_code_makes_the_old_one_worthless(house, sit):
    """R101, A15."""
    lee, seat = house.person(), sit(house)
    enrols(house, lee, phone(124))
    house.server.restart(f"+{2 * AGAIN_S}s")
    seat.gives_password(lee)
    first = house.outbox()[0].code
    seat.press("#resend")
    assert "Another code can be sent in" in seat.said() and len(house.outbox()) == 1
    house.server.restart(f"+{3 * AGAIN_S}s")
    seat.press("#resend")
    assert "another code" in seat.message.lower(), seat.said()
    (again,) = house.outbox()
    if first != again.code:
        seat.gives_code(first)
        assert "was not accepted" in seat.error("code")
    seat.gives_code(again.code)
    assert seat.is_in


def test_five_tries_and_then_a_new_code(house, sit):
    """A15: a code that was sent can be guessed at five times."""
    seat = sit(house).is_let_in(house.person())
    seat.sets_up("sms", phone=phone(125))
    code = house.outbox()[0].code
    visitor = house.visitor({name: cookie["value"] for name, cookie in seat.cookies().items()})
    visitor.get("/console/devices/add/sms/code")
    for guess in range(1, 6):
        visitor.submit("/console/devices/add/sms/code", code=f"{(int(code) + guess) % 10**6:06}")
    seat.gives_code(code)
    assert "is assigned" not in seat.said()
    assert not seat.my_devices()


def test_root_has_none_ever(house, sit):
    """R122: not on a page, and not behind one."""
    visitor = house.signs_in(house.root)
    assert "add-sms" not in visitor.get("/console/devices/add").text
    before = len(house.outbox())
    token = visitor.get("/console/devices/add/virtual").form("/console/devices/add/virtual").values["token"]
    for path, values in [
        ("/console/devices/add/sms", {"phone": phone(126)}),
        ("/console/devices/add/sms/send", {}),
        ("/console/devices/add/sms/code", {"code": "123456"}),
    ]:
        page = visitor.post(path, {"token": token, **values})
        assert page.status == 403 or page.path == "/console/devices/add/sms", (path, page.status, page.said)
    assert visitor.get("/console/devices/add/sms").status == 403
    assert len(house.outbox()) == before


def test_an_account_that_leaves_sms_behind(house, sit):
    """A16: the administrator ends it step by step; who has a phone enrolled still signs in."""
    lee, kim = house.person(), house.person()
    enrols(house, lee, phone(127))
    boss = sit(house).is_let_in(house.administrator, path="/console/users")
    boss.press("#still-on-sms")
    assert lee.name in boss.said() and kim.name not in boss.said()
    boss.press("#home")
    assert "still on SMS" in boss.said()
    boss.press("#nav-account").choose("#sms-ending").press("#save-sms")
    assert boss.message == "Saved." and boss.find("#sms-ending").is_selected()
    assert "add-sms" not in house.lets_in(kim).get("/console/devices/add").text, "who never had one gets none"
    boss.choose("#sms-ended").press("#save-sms")
    house.server.restart(f"+{5 * AGAIN_S}s")
    seat = sit(house).gives_password(lee).gives_code(house.outbox()[0].code)
    assert seat.level == "Signed in with MFA"
    (device,) = seat.my_devices()
    seat.removes(device.serial)
    seat.press("#manage-mfa")
    assert not seat.all("#add-sms")
    boss.go("/console/account").choose("#sms-open").press("#save-sms")
