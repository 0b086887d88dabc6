"""What administrators do for the people of their account (R112, R129, R156, R157)."""

from stage.house import new_password
from stage.keys import Key
from test_story_sms import enrols, phone


def test_the_list_shows_who_has_what(new_house, sit):
    """R156: the MFA column, and a list for each kind."""
    house = new_house("people")
    lee, kim, pat, sam = (house.person(name) for name in ("lee", "kim", "pat", "sam"))
    house.with_app(lee)
    enrols(house, kim, phone(151))
    seat = sit(house).is_let_in(pat)
    Key(seat)
    seat.adds_key(name="blue-key")

    boss = sit(house).is_let_in(house.administrator, path="/console/users")
    column = dict(zip(boss.texts("#users td[data-label='User name']"), boss.texts("#users td.mfa"), strict=True))
    everybody = {"lee": "Virtual", "kim": "SMS", "pat": "U2F Security Key", "sam": "Not enabled"}
    assert column == everybody | {house.administrator.name: "Not enabled"}
    for kind, names in [
        ("virtual", ["lee"]), ("key", ["pat"]), ("hardware", []), ("none", sorted(["sam", house.administrator.name])),
    ]:
        boss.choose(f"#kind option[value='{kind}']").press("#apply")
        assert sorted(boss.texts("#users td[data-label='User name']")) == names, kind
        assert boss.find(f"#kind option[value='{kind}']").is_selected()
        assert bool(names) != boss.has("#no-user")
    boss.press("#still-on-sms")
    assert boss.texts("#users td[data-label='User name']") == ["kim"]


def test_a_list_longer_than_a_page(new_house, sit):
    """Twenty-five on a page, in the order of their names."""
    house = new_house("many")
    names = sorted(house.account.user(f"user-{number:03}").name for number in range(30))
    boss = sit(house).is_let_in(house.administrator, path="/console/users")
    seen = boss.texts("#users td[data-label='User name']")
    assert len(seen) == 25
    seen += boss.press("#next-page").texts("#users td[data-label='User name']")
    assert sorted(seen) == sorted([*names, house.administrator.name])
    assert not boss.all("#next-page") and len(boss.press("#first-page").all("#users tbody tr")) == 25


def test_a_lost_device_is_deactivated(classic, sit):
    """R129: with a reason; the password is then enough, until there is another device."""
    lee, seat = classic.person(), sit(classic)
    classic.with_app(lee)
    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}")
    assert boss.text("#user-name") == lee.name and boss.text("#has-password") == "Set"
    (device,) = boss.devices()
    boss.press(".act-remove")
    assert "stops working at once" in boss.said() and boss.find("#reason-requested").is_selected()
    boss.press("#cancel")
    assert len(boss.devices()) == 1, "asking is not doing"
    boss.removes(device.serial, "lost")
    assert "is removed" in boss.message and boss.has("#no-device")
    seat.gives_password(lee)
    assert seat.level == "Signed in without MFA" and not seat.my_devices()


def test_an_administrator_sets_a_device_up_for_a_user(classic, sit, tmp_path):
    """For who cannot: with the user's device at hand; keys have to be touched by their owners."""
    lee = classic.person()
    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}").press("#manage-mfa")
    assert lee.name in boss.said() and not boss.all("#add-key")
    boss.press("#add-virtual").press("#submit")
    app = boss.scans(tmp_path)
    boss.gives_pair(app)
    assert "the user" in boss.message
    app.drift = 20
    one, two = app.pair()
    boss.press(".act-resync").fill(code1=one, code2=two).press("#submit")
    assert "in sync again" in boss.message
    assert "Signed in with MFA" in classic.lets_in(lee, app).page.said


def test_a_new_password_changes_no_factor(classic, sit):
    """R108: by the user, and by an administrator; open sessions end."""
    lee, seat = classic.person(), sit(classic)
    app = classic.with_app(lee)
    other = classic.lets_in(lee, app)
    new = new_password()
    seat.is_let_in(lee, app, "/console/devices").press("#change-password")
    seat.fill(current="something else", new=new, again=new).press("#submit")
    assert "not your current" in seat.error("current")
    seat.fill(current=lee.password, new=new, again=new).press("#submit")
    assert "password is changed" in seat.message and len(seat.devices()) == 1
    page = other.get("/console/devices")
    assert page.path == "/console/sign-in" and "session has ended" in page.said
    assert "Sign-in failed" in classic.signs_in(lee).page.said, "the old one is worthless"
    lee.password = new
    seat.is_let_in(lee, app)

    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}").press("#set-password")
    lee.password = new_password()
    boss.fill(new=lee.password, again=lee.password).press("#submit")
    assert "password is set" in boss.message and len(boss.devices()) == 1
    seat.go("/console/")
    assert not seat.is_in
    seat.gives_password(lee)
    assert seat.path == "/console/mfa", "the device is asked for as before"


def test_a_deleted_user_is_gone(classic, sit):
    """R77: device and session go as well."""
    lee, seat = classic.person(), sit(classic)
    seat.is_let_in(lee, classic.with_app(lee))
    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}").press("#delete-user")
    boss.press("#submit")
    assert "mean it" in boss.said()
    boss.choose("#confirm-yes").press("#submit")
    assert boss.path == "/console/users" and f"{lee.name} is deleted" in boss.message
    seat.go("/console/devices")
    assert not seat.is_in
    seat.gives_password(lee)
    assert "Sign-in failed" in seat.message
    boss.go(f"/console/users/{classic.administrator.id or lee.id}")
    assert boss.text("h1") in ("There is nothing here", "You may not do that"), boss.said()
