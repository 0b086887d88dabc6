"""Names as long as they may be: every page has room for them, on a phone too; the look at each page would say."""

from stage.keys import Key

NAME_MAX, DEVICE_MAX, KEY_MAX, ALIAS_MAX = 64, 128, 64, 63


def test_the_longest_names_have_room(new_house, sit, tmp_path):
    """R9: of a user, of devices and of the account, each one word without a place to break it."""
    house = new_house("long", "--policy", "modern")
    boss = sit(house).is_let_in(house.administrator, path="/console/account")
    boss.fill(alias="w" * ALIAS_MAX).press("#save-alias")
    lee = house.person("W" * NAME_MAX)
    seat = sit(house).is_let_in(lee)
    app = seat.adds_app(tmp_path, name="W" * DEVICE_MAX)
    seat.signs_out().signs_in(lee, app)
    (device,) = seat.my_devices()
    assert device.name == "W" * DEVICE_MAX
    for act in (".act-replace", ".act-resync", ".act-remove"):
        seat.press(act).press("#cancel")
    boss.go("/console/users").go(f"/console/users/{lee.id}").press("#set-password").press("#cancel")
    boss.press("#delete-user").press("#submit")
    assert "Say that you mean it" in boss.said()
    seat.signs_out().gives_password(lee)
    assert "W" * DEVICE_MAX in seat.text("#instruction") and lee.name in seat.text("#who")
    seat.press("#help")


def test_several_long_ones_have_room(new_house, sit, tmp_path):
    """Keys are told apart on one line each where one is chosen."""
    house = new_house("several-long", "--policy", "modern")
    lee = house.person("w" * NAME_MAX)
    seat = sit(house).is_let_in(lee)
    Key(seat)
    seat.adds_key(name="K" * KEY_MAX)
    seat.signs_out().gives_password(lee).taps()
    seat.adds_app(tmp_path, name="W" * DEVICE_MAX)
    seat.go("/console/devices").signs_out().gives_password(lee)
    assert seat.texts(".card span") == ["K" * KEY_MAX, "W" * DEVICE_MAX]
