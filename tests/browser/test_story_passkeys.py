"""Several devices and passkeys, under the rules since 2022; and one device at a time, under those before (R172..R182)."""

from stage.app import App
from stage.keys import Key


def test_a_passkey_verifies_its_owner(modern, sit):
    """R177: it signs in after the password, and only when it knows who uses it."""
    lee = modern.person()
    seat = sit(modern).is_let_in(lee)
    key = Key(seat, passkey=True)
    seat.adds_key("passkey", name="laptop")
    assert len(key.credentials()) == 1
    (device,) = seat.devices()
    assert (device.kind, device.name) == ("Passkey", "laptop")
    seat.signs_out().gives_password(lee)
    key.spoil(verified=True)
    assert "not accepted" in seat.taps().message
    key.spoil()
    key.knows_owner(False)
    assert seat.taps_in_vain()
    key.knows_owner(True)
    assert seat.taps().level == "Signed in with MFA"


def test_a_key_that_does_not_know_its_owner_is_no_passkey(modern, sit):
    """A passkey has to verify its user; the browser refuses before it blinks."""
    seat = sit(modern).is_let_in(modern.person())
    Key(seat)
    seat.sets_up("passkey", name="blue-key")
    assert seat.taps_in_vain()


def test_several_devices_any_of_which_is_enough(modern, sit, tmp_path):
    """R107, R173: the person chooses, and may change the mind."""
    lee, seat = modern.person(), sit(modern)
    app = seat.signs_in(lee).adds_app(tmp_path, name=f"{lee.name}-phone")
    assert seat.has("#needs-mfa") and not seat.all("#manage-mfa"), "the next one needs a session with MFA (R182)"
    seat.press("#sign-in-again")
    seat.signs_in(lee, app)
    Key(seat, passkey=True)
    seat.adds_key("passkey", name="laptop")
    assert [device.kind for device in seat.devices()] == ["Virtual", "Passkey"]

    seat.signs_out().gives_password(lee)
    kinds = seat.texts("button.card strong")
    assert kinds == ["Authenticator app", "Passkey"], kinds
    seat.press("#method-1").taps()
    assert seat.level == "Signed in with MFA"
    seat.signs_out().gives_password(lee).press("#method-1").press("#methods").press("#method-0")
    assert lee.name in seat.text("#instruction")
    seat.gives_code(app.code())
    assert seat.level == "Signed in with MFA"


def test_a_device_is_replaced_without_a_gap(modern, sit, tmp_path):
    """R79: the old app signs in until the new one is enabled, and not once after."""
    lee, seat = modern.person(), sit(modern)
    old = modern.with_app(lee, f"{lee.name}-old")
    seat.is_let_in(lee, old)
    (device,) = seat.my_devices()
    seat.press(".act-replace")
    assert f"{lee.name}-old" in seat.said()
    seat.press("#add-virtual").fill(name=f"{lee.name}-new").press("#submit")
    new = seat.scans(tmp_path)
    assert modern.lets_in(lee, old).page.path == "/console/", "the old one still works"
    seat.gives_pair(new)
    assert "is assigned" in seat.message
    assert [device.name for device in seat.devices()] == [f"{lee.name}-new"]
    other = sit(modern).gives_password(lee).gives_code(old.code())
    assert not other.is_in and "was not accepted" in other.error("code")
    other.gives_code(new.code())
    assert other.is_in
    # The key takes the place of the app in the same way.
    Key(seat)
    seat.is_let_in(lee, new, "/console/devices").press(".act-replace").press("#add-key")
    seat.fill(name="blue-key").press("#submit").taps()
    assert [device.name for device in seat.devices()] == ["blue-key"]


def test_classic_has_one_place(classic, sit, tmp_path):
    """R3: replace means remove, and then add; nothing is offered in between that would not work."""
    lee, seat = classic.person(), sit(classic)
    old = classic.with_app(lee)
    seat.is_let_in(lee, old, "/console/devices")
    assert not seat.all("#manage-mfa") and not seat.all(".act-replace")
    seat.go("/console/devices/add")
    assert seat.path == "/console/devices" and "Remove it first" in seat.message
    (device,) = seat.devices()
    seat.removes(device.serial, "replaced")
    assert "is removed" in seat.message and not seat.devices()
    seat.press("#manage-mfa").press("#add-virtual").press("#submit")
    new: App = seat.scans(tmp_path)
    assert new.seed.base32 != old.seed.base32
    seat.gives_pair(new)
    seat.signs_out().gives_password(lee).gives_code(old.code())
    assert not seat.is_in
    seat.gives_code(new.code())
    assert seat.is_in


def test_a_wizard_left_open_leaves_nothing_behind(modern, sit, tmp_path):
    """A28: an app that was scanned and never proven is forgotten when another one is begun, or at the sign-out."""
    lee, seat = modern.person(), sit(modern)
    seat.is_let_in(lee).sets_up("virtual", name=f"{lee.name}-one")
    first = seat.scans(tmp_path)
    seat.press("#cancel")
    assert seat.text("#no-device")
    seat.sets_up("virtual", name=f"{lee.name}-one")
    again = seat.scans(tmp_path)
    assert again.seed.base32 == first.seed.base32 or again.seed.base32, "the same wizard goes on, or begins anew"
    seat.sets_up("virtual", name=f"{lee.name}-two")
    seat.signs_out()
    listed = modern.account.admin.does("ListVirtualMFADevices", AssignmentStatus="Unassigned").all("SerialNumber")
    assert not [serial for serial in listed if f"/{lee.name}-" in serial], listed
    modern.with_app(lee, f"{lee.name}-one")


def test_the_administrator_changes_the_rules(new_house, sit):
    """The policy is a setting of the account; devices that exist stay as they are."""
    house = new_house("changing")
    lee, seat = house.person(), sit(house)
    app = house.with_app(lee)
    boss = sit(house).is_let_in(house.administrator, path="/console/account")
    boss.choose("#policy-modern").press("#save-policy")
    house.policy = "modern"
    assert boss.find("#policy-modern").is_selected()
    seat.is_let_in(lee, app, "/console/devices").press("#manage-mfa")
    assert seat.all("#add-passkey") and not seat.all("#add-sms")
    boss.choose("#policy-strict").press("#save-policy")
    seat.go("/console/devices/add")
    assert seat.all("#add-passkey") and not seat.all("#add-key"), "strict wants keys that know their owner"
    boss.fill(alias="Not an alias").press("#save-alias")
    assert "lower-case" in boss.error("alias") and boss.find("#alias").get_attribute("value") == "Not an alias"
    boss.fill(alias="acme").press("#save-alias")
    other = sit(house).go("/console/sign-in?account=acme")
    assert other.find("#account").get_attribute("value") == "acme"
    other.fill(user_name=lee.name, password=lee.password).press("#submit")
    assert other.path == "/console/mfa" and "acme" in other.text("#who")
