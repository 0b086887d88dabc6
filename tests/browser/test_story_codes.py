"""Devices that show codes: from the first sign-in of the root user to a drifted app and a token (R13..R29, R97..R117)."""

import pytest
from pskc import PSKC
from selenium.webdriver.common.action_chains import ActionChains

from stage.app import App, picture_text
from stage.house import House, fields_of, path_of
from stage.seat import plain
from support.otp import WINDOW_S, within_one_window
from support.server import countersign

TOTP = "urn:ietf:params:xml:ns:keyprov:pskc:totp"
TOKEN = "GAHT12345678"


@pytest.fixture(scope="module")
def shelf(new_house, tmp_path_factory):
    """A house with a hardware token in its inventory, and the token."""
    house, token = new_house("shelf", start=False), App.token()
    vendor = tmp_path_factory.mktemp("vendor") / "tokens.xml"
    document = PSKC()
    document.add_key(
        id=TOKEN, serial=TOKEN, manufacturer="Feitian", model="c200", algorithm=TOTP, secret=token.seed.raw,
        time_interval=30, response_length=6, response_encoding="DECIMAL",
    )
    document.write(str(vendor))
    done = countersign("tokens", "import", str(vendor), "--data", str(house.server.data))
    assert done.returncode == 0, done.stderr
    return house.start(), token


def test_root_signs_in_enables_a_device_and_needs_it(new_house, sit, tmp_path):
    """The story of the issue: root by e-mail, a QR code read off the screen, and two pages from then on."""
    house = new_house("root")
    seat = sit(house)
    seat.go("/").until(lambda: seat.path == "/console/sign-in", "the sign-in")
    seat.press("#tab-root").fill(**fields_of(house.root)).press("#submit")
    assert seat.path == "/console/" and seat.level == "Signed in without MFA"
    assert "Activate MFA on your root user" in seat.text("#status-mfa")

    seat.go("/console/devices").press("#manage-mfa")
    assert not seat.all("#add-sms"), "SMS is not offered to root, ever"
    seat.press("#add-virtual").press("#submit")
    app = seat.scans(tmp_path)
    assert app.name.startswith("Countersign:"), app.name
    seat.resize(360, 740, phone=True)
    seat.driver.save_screenshot(str(tmp_path / "phone.png"))
    assert app.seed.base32 in picture_text(tmp_path / "phone.png"), "it can be scanned off a phone as well"
    seat.resize(1280, 900)
    one, _ = app.wrong(2)
    seat.fill(code1=one, code2="12345").press("#submit")
    assert "six digits" in seat.error("code2")
    seat.fill(code1=one, code2=one).press("#submit")
    assert "not accepted" in seat.error("code1")
    seat.gives_pair(app)
    assert "is assigned" in seat.message
    (device,) = seat.devices()
    assert (device.kind, device.name) == ("Virtual", "root-account-mfa-device")
    assert device.serial == house.account.arn("root-account-mfa-device")
    assert seat.has("#needs-mfa") and not seat.all(".act-remove"), "this session has no second factor (R106, R182)"

    seat.signs_out().gives_password(house.root)
    assert seat.path == "/console/mfa" and not seat.is_in
    seat.go("/console/devices")
    assert seat.path == "/console/mfa", "the password alone opens nothing"
    (wrong,) = app.wrong()
    seat.gives_code(wrong)
    assert "was not accepted" in seat.error("code") and seat.find("#code").get_attribute("value") == ""
    seat.gives_code("12 34")
    assert "six digits" in seat.error("code")
    code = app.code()
    seat.gives_code(f"{code[:3]} {code[3:]}")
    assert seat.level == "Signed in with MFA"
    assert "MFA is active on your root user" in seat.text("#status-mfa")

    seat.signs_out().gives_password(house.root).gives_code(code)
    assert "was not accepted" in seat.error("code"), "a code opens once"


def test_a_drifted_app_is_resynced_on_the_spot(classic, sit):
    """R102, A5: after a code that a late device would show, or three misses; two codes, and then the next one."""
    kim, lee, seat = classic.person(), classic.person(), sit(classic)
    one, two, three = classic.with_app(kim).wrong(3)
    seat.takes_over(classic.signs_in(kim), "/console/mfa").gives_code(one).gives_code(two)
    assert not seat.has("#resync-form")
    assert seat.gives_code(three).has("#resync-form")
    assert "Out of sync" in classic.at_desk_text(f"/console/users/{kim.id}")
    app = classic.with_app(lee)
    app.drift = 40
    seat.takes_over(classic.signs_in(lee), "/console/mfa")
    assert not seat.has("#resync-form")
    assert seat.gives_code(app.shows()).has("#resync-form"), seat.said()
    one, two = app.pair()
    seat.fill(code1=one, code2=one).press("#resync")
    assert "not accepted" in seat.said() and seat.path == "/console/mfa"
    seat.fill(code1=one, code2=two).press("#resync")
    assert "in sync again" in seat.message
    seat.gives_code(app.code())
    assert seat.level == "Signed in with MFA"


def test_the_help_page_resyncs_as_well_and_the_devices_page_too(classic, sit):
    """R109, R113."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    app.drift = 30
    seat.gives_password(lee).press("#help")
    assert seat.has("#ask-administrator") and not seat.all("#alternative-factors")
    one, two = app.pair()
    seat.fill(code1=one, code2=two).press("#resync")
    assert "in sync again" in seat.message
    seat.gives_code(app.code())
    app.drift = 55
    one, two = app.pair()
    seat.go("/console/devices").press(".act-resync").fill(code1=one, code2=two).press("#submit")
    assert "in sync again" in seat.message and seat.path == "/console/devices"


def test_locked_says_what_wrong_says_and_ends_by_itself(new_house, sit):
    """NT-17, R91: after nine codes the right one is answered like a wrong one; three minutes later it opens."""
    house = new_house("locked")
    seat = sit(house)

    def story(_):
        lee = house.person()
        app = house.with_app(lee)
        visitor = house.signs_in(lee)
        pages = []
        for wrong in app.wrong(9):
            visitor.submit("/console/mfa/code", code=wrong)
            pages.append(visitor.page)
        visitor.submit("/console/mfa/code", code=app.code())
        pages.append(visitor.page)
        assert [page.path for page in pages] == ["/console/mfa"] * 10
        assert "Locked for a moment" in house.at_desk_text(f"/console/users/{lee.id}")
        return lee, app, visitor, pages

    lee, app, visitor, pages = within_one_window(story)
    assert plain(pages[9].text) == plain(pages[8].text)
    house.server.restart(f"+{WINDOW_S}s")
    app.ahead_s = WINDOW_S
    seat.gives_password(lee).gives_code(app.code())
    assert seat.level == "Signed in with MFA"
    visitor.get("/console/mfa")
    visitor.submit("/console/mfa/code", code=app.code())
    assert visitor.page.path == "/console/", "the sign-in that was begun before goes on as well"


def test_a_user_of_the_administrator_gets_a_token(shelf, sit):
    """The administrator makes a user in the console; the user signs in and enables a hardware token (R25..R29)."""
    house, token = shelf
    boss = sit(house).is_let_in(house.administrator, path="/console/")
    boss.press("#nav-users").press("#create-user")
    password = "correct horse battery staple"
    boss.fill(user_name="le e", new=password, again=password).press("#submit")
    assert "user name has" in boss.error("user_name")
    boss.fill(user_name="lee", new="short", again="short").press("#submit")
    assert boss.error("new")
    boss.fill(new=password, again=password + "r").press("#submit")
    assert "not the same" in boss.error("again") and boss.find("#user_name").get_attribute("value") == "lee"
    boss.fill(new=password, again=password).press("#submit")
    assert "lee is created" in boss.message and boss.text("#no-device").startswith("No.")

    lee = sit(house)
    lee.go("/console/sign-in").fill(account=house.account.id, user_name="lee", password=password).press("#submit")
    assert lee.level == "Signed in without MFA" and not lee.all("#nav-users")
    lee.go("/console/devices").press("#manage-mfa").press("#add-hardware")
    one, two = token.pair()
    lee.fill(serial="nothing", code1=one, code2=two).press("#submit")
    assert "serial number" in lee.error("serial").lower()
    lee.fill(serial="GAHT00000000", code1=one, code2=two).press("#submit")
    assert "no device of this serial number" in lee.said(), lee.said()
    assert lee.find("#serial").get_attribute("value") == "GAHT00000000"
    lee.fill(serial=TOKEN, code1=one, code2=two).press("#submit")
    assert "is assigned" in lee.message
    (device,) = lee.devices()
    assert (device.kind, device.serial, device.name) == ("Hardware", TOKEN, TOKEN)
    lee.signs_out()
    lee.go("/console/sign-in").fill(account=house.account.id, user_name="lee", password=password).press("#submit")
    assert TOKEN in lee.text("#instruction")
    lee.gives_code(token.code())
    assert lee.level == "Signed in with MFA"

    boss.press("#nav-users")
    assert "Hardware" in boss.said()
    kim = house.person("kim")
    other = house.lets_in(kim)
    other.get("/console/devices/add/hardware")
    page = other.submit("/console/devices/add/hardware", serial=TOKEN, code1="123456", code2="654321")
    assert "in use by somebody else" in page.said


def test_keyboard_alone(classic, sit):
    """Tab and Enter are enough to sign in with a code."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    seat.go(path_of(lee))
    assert seat.focus == "account", "the first field has the focus"
    seat.types(classic.account.id).tabs_to("user_name").types(lee.name).tabs_to("password").types(lee.password)
    seat.leaves(seat.enters)
    assert seat.path == "/console/mfa" and seat.focus == "code"
    seat.types(app.wrong()[0]).leaves(seat.enters)
    assert seat.focus == "code" and "was not accepted" in seat.error("code")
    seat.types(app.code()).tabs_to("submit").leaves(seat.enters)
    assert seat.is_in
    seat.go("/console/").tabs()
    assert seat.run("return document.activeElement.className") == "skip", "the first stop leads to the content"
    seat.enters()
    assert seat.focus == "main"
    seat.go("/console/").tabs_to("nav-devices").leaves(seat.enters)
    assert seat.path == "/console/devices"
    seat.tabs_to("sign-out").leaves(seat.enters)
    assert not seat.is_in


def test_a_button_that_is_pressed_twice(classic, sit):
    """Many people double-click: the browser drops the first answer, and the second has to let them in as well."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    for _ in range(3):
        seat.gives_password(lee).fill(code=app.code())
        twice = ActionChains(seat.driver).double_click(seat.find("#submit"))
        seat.leaves(twice.perform)
        seat.go("/console/devices")
        assert seat.is_in and seat.level == "Signed in with MFA", seat.said()
        seat.signs_out()
