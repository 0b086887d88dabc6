"""Codes that really go out: over SMPP to an SMSC, and over HTTP to a Twilio; what administrators see of it; and what
happens when a gateway is away."""

import pytest

from stage.house import House
from support.canary import CANARY
from support.smsc import Smsc
from support.twilio import ACCOUNT, Twilio

NUMBER = "+14155550{:03}"
BRITISH = "+447400123{:03}"
AGAIN_S = 31
SMSC_PASSWORD = "secret08"


def phone(number: int, form: str = NUMBER) -> str:
    """A phone that nobody else has."""
    full = form.format(number)
    CANARY.secret("a phone number", full)
    CANARY.secret("a phone number", full.removeprefix("+"))
    return full


@pytest.fixture(scope="module")
def smsc():
    """An SMSC."""
    running = Smsc()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def twilio():
    """A Twilio."""
    running = Twilio()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(new_house, tmp_path_factory, smsc, twilio) -> House:
    """A house that sends to Britain by Twilio, and everywhere else by an SMSC."""
    files = tmp_path_factory.mktemp("routes")
    CANARY.secret("the password of an SMSC", SMSC_PASSWORD)
    for name, secret in [("password", SMSC_PASSWORD), ("token", twilio.token)]:
        (files / name).write_text(f"{secret}\n")
        (files / name).chmod(0o600)
    config = files / "countersign.toml"
    config.write_text(f"""
[sms]
service = "Example"
host = "signin.example.com"
currency = "EUR"

[[sms.route]]
name = "smsc"
kind = "smpp"
price = 0.0075
timeout-s = 5
address = "smpp://127.0.0.1:{smsc.port}"
system-id = "countersign"
password-file = "{files}/password"
source = "Example"

[[sms.route]]
name = "british"
kind = "twilio"
prefixes = ["+44"]
price = 0.04
account-sid = "{ACCOUNT}"
auth-token-file = "{files}/token"
from = "+14155552345"
base-url = "{twilio.url}"
""")
    return new_house("gateways", "--config", str(config), development=False)


def test_a_sign_in_by_a_code_that_went_over_smpp(house, sit, smsc):
    """R118, R101: the whole way, from the browser to the SMSC and back by hand."""
    lee, number = house.person(), phone(701)
    seat = sit(house).is_let_in(lee, path="/console/devices")
    seat.never_sees(number, number[1:])
    seat.sets_up("sms", phone=number)
    sent = smsc.message()
    assert (sent["to"], sent["from"], sent["esm_class"], sent["parts"]) == (number[1:], "Example", 0, 1)
    assert sent["text"].endswith(f"\n\n@signin.example.com #{sent['code']}"), "browsers fill it in there (WICG)"
    seat.never_sees(sent["code"]).gives_code(sent["code"])
    assert "is assigned" in seat.message
    seat.signs_out()
    house.server.restart(f"+{AGAIN_S}s")
    seat.gives_password(lee)
    again = smsc.message()
    assert again["code"] != sent["code"] and "0701" in seat.text("#instruction")
    seat.gives_code(again["code"])
    assert seat.level == "Signed in with MFA"


def test_a_sign_in_by_a_code_that_went_over_http(house, sit, twilio):
    """Twilio's reports are signed by Twilio's own package, and ours finds them genuine."""
    lee, number = house.person(), phone(702, BRITISH)
    seat = sit(house).is_let_in(lee, path="/console/devices")
    seat.sets_up("sms", phone=number)
    sent = twilio.next("message")
    assert (sent["to"], sent["from"]) == (number, "+14155552345")
    for _ in range(2):
        report = twilio.next("callback")
        assert (report["answer"], report["signer"]) == (204, "twilio"), report
    seat.gives_code(sent["code"])
    assert "is assigned" in seat.message
    page = house.at_desk_text("/console/sms")
    assert "british" in page and "0.04" in page and "100 %" in page.replace("\u00a0", " ").replace("100%", "100 %"), page


def test_a_report_that_is_not_twilios_is_not_believed(house, sit, twilio):
    """A callback with a wrong signature changes nothing, and says nothing."""
    seat = sit(house).is_let_in(house.person(), path="/console/devices")
    seat.sets_up("sms", phone=phone(759, BRITISH))
    sent = twilio.next("message")
    assert twilio.next("callback")["answer"] == 403
    visitor = house.visitor()
    for body in ["MessageSid=SM1&MessageStatus=delivered", "", "=" * 20_000]:
        page = visitor.ask("POST", "/sms/status/british", body)
        assert page.status in (400, 403, 413), (body[:20], page.status)
    assert visitor.ask("POST", "/sms/status/nobody", "x=1").status == 404
    seat.gives_code(sent["code"])
    assert "is assigned" in seat.message, "the person is not held up by it"


def test_who_has_no_such_number_is_told_to_ask_again(house, sit, smsc):
    """A15: a failed send leaves the person on the page, with Resend; administrators see it."""
    lee = house.person()
    seat = sit(house).is_let_in(lee, path="/console/devices")
    seat.sets_up("sms", phone=phone(757))
    assert smsc.message()["outcome"] == "invalid"
    assert "could not be sent" in seat.said() and seat.all("#resend")
    page = house.at_desk_text("/console/sms")
    assert lee.name in page and "could not" in page or "refused" in page, page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("+1 415 555", "country code"),
        ("+1 900 234 5678", "cost"),
        ("+49 30 901820", "mobile"),
        ("+1 555 010 1234", "not"),
    ],
)
def test_numbers_that_nobody_gets_a_code_at(house, sit, typed, said):
    """NT-43: premium rates, landlines, numbers that no plan has."""
    seat = sit(house).is_let_in(house.person(), path="/console/devices")
    seat.press("#manage-mfa").press("#add-sms").fill(phone=typed).press("#submit")
    assert said in seat.error("phone").lower(), seat.said()


def test_a_gateway_that_is_away_for_a_while(house, sit, smsc):
    """What was asked for meanwhile arrives when it is back, once, while the code is good."""
    lee = house.person()
    seat = sit(house).is_let_in(lee, path="/console/devices")
    smsc.tell("down")
    seat.sets_up("sms", phone=phone(703))
    assert seat.path == "/console/devices/add/sms/code"
    smsc.tell("up")
    sent = smsc.message(within_s=60)
    seat.gives_code(sent["code"])
    assert "is assigned" in seat.message


def test_a_kill_between_the_decision_and_the_gateway(house, sit, smsc):
    """The log is the outbox: the same code goes out after the restart."""
    lee = house.person()
    seat = sit(house).is_let_in(lee, path="/console/devices")
    smsc.tell("down")
    seat.sets_up("sms", phone=phone(704))
    house.server.kill()
    smsc.tell("up")
    house.server.start()
    sent = smsc.message(within_s=60)
    seat.gives_code(sent["code"])
    assert "is assigned" in seat.message
