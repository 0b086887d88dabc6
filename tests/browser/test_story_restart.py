"""The server dies between a challenge and its answer, and is started again (NT-08, NT-10)."""

import json

import pytest

from stage.house import House
from stage.keys import CTAP2, U2F, Key


@pytest.fixture(scope="module")
def house(new_house) -> House:
    """A house whose server is killed."""
    return new_house("killed")


def dies(house: House) -> None:
    """SIGKILL, and a new start."""
    house.server.kill()
    house.start()


def test_a_code_after_a_kill(house, sit):
    """The sign-in goes on; a code that was spent before is spent; sessions live on."""
    lee, seat = house.person(), sit(house)
    app = house.with_app(lee)
    seat.is_let_in(lee, app)
    dies(house)
    assert seat.go("/console/devices").is_in, "the session outlives the server"
    seat.signs_out().gives_password(lee)
    dies(house)
    code = app.code()
    seat.gives_code(code)
    assert seat.level == "Signed in with MFA"
    dies(house)
    assert seat.go("/console/").level == "Signed in with MFA", "with all that it has proven"
    other = sit(house).gives_password(lee).gives_code(code)
    assert not other.is_in
    seat.signs_out()
    dies(house)
    seat.go("/console/devices")
    assert not seat.is_in, "a session that was ended stays ended"


@pytest.mark.parametrize("protocol", [CTAP2, U2F], ids=["ctap2", "u2f"])
def test_an_answer_of_a_key_after_a_kill_is_taken_once(house, sit, protocol):
    """NT-10: the challenge is in the log, and so is that it was answered."""
    lee, seat = house.person(), sit(house)
    seat.is_let_in(lee)
    Key(seat, protocol)
    seat.sets_up("key", name="blue-key")
    made = seat.catches()
    dies(house)
    seat.sends(made)
    assert "registered" in seat.message, "the registration goes on"
    seat.signs_out().gives_password(lee)
    cookies = {name: cookie["value"] for name, cookie in seat.cookies().items()}
    token = seat.find("#key-form [name=token]").get_attribute("value")
    answer = seat.catches()
    dies(house)
    seat.sends(answer)
    assert seat.level == "Signed in with MFA"
    dies(house)
    again = house.visitor(cookies)
    again.post("/console/mfa/key", {"token": token, "response": json.dumps(answer)})
    assert "countersign-session" not in again.cookies, "once"
    seat.signs_out().gives_password(lee)
    dies(house)
    seat.go("/console/mfa")
    if seat.all("form#form #submit"):
        seat.press("#submit")
    assert seat.taps().is_in, "a page loaded after the kill asks again"


def test_a_code_by_sms_after_a_kill(house, sit):
    """What was sent before the kill is good after it, once."""
    lee, seat = house.person(), sit(house)
    seat.is_let_in(lee).sets_up("sms", phone="+14155550131")
    code = house.outbox()[0].code
    dies(house)
    seat.gives_code(code)
    assert "is assigned" in seat.message
    seat.go("/console/devices/add/sms/code")
    assert len(seat.my_devices()) == 1


def test_a_wizard_after_a_kill_says_where_to_begin(house, sit, tmp_path):
    """The secret of an app under way is forgotten on purpose."""
    lee, seat = house.person(), sit(house)
    seat.is_let_in(lee).sets_up("virtual")
    app = seat.scans(tmp_path)
    dies(house)
    seat.gives_pair(app)
    assert seat.path == "/console/devices/add/virtual" and "Begin here" in seat.message
    seat.press("#submit")
    again = seat.scans(tmp_path)
    seat.gives_pair(again)
    assert "is assigned" in seat.message
