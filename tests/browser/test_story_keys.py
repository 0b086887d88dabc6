"""Security keys of both protocols: registering, signing in, and each way in which an answer is refused (R30..R35)."""

import copy
import json
import os
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from stage.house import House
from stage.keys import CTAP2, U2F, Key
from stage.places import Site
from stage.seat import Seat
from support.server import ROOT

PROTOCOLS = pytest.mark.parametrize("protocol", [CTAP2, U2F], ids=["ctap2", "u2f"])
# A trust anchor for the key with which Chromium's virtual authenticators attest.
ANCHOR = ROOT.parent / "shared" / "fixtures" / "chromium-att-anchor.pem"
# A page of somebody else that asks the key in the console's name, and shows what it got.
THIEF = """<!doctype html><html lang="en"><title>A friendly page</title><h1>Win a prize</h1><script>
const ask = async (kind, options) => {
  const parse = kind === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
  try {
    return (await navigator.credentials[kind]({ publicKey: PublicKeyCredential[parse](options) })).toJSON();
  } catch (error) { return { error: error.name }; }
};
</script></html>"""


def steals(seat: Seat, thief: Site, kind: str, options: dict) -> dict:
    """Has the thief's page ask the key."""
    seat.driver.get(thief.origin + "/")
    script = "const [kind, options, done] = arguments; ask(kind, options).then(done);"
    answer = seat.driver.execute_async_script(script, kind, options)
    assert "error" not in answer, answer
    return answer


@pytest.fixture
def owner(classic, sit):
    """A user with a key, in front of the second page, and the key."""

    def make(protocol: str = CTAP2, house: House = classic, **options):
        person = house.person()
        seat = sit(house).is_let_in(person)
        key = Key(seat, protocol, **options)
        seat.adds_key(name="blue-key")
        seat.takes_over(house.signs_in(person), "/console/mfa")
        return person, seat, key

    return make


@PROTOCOLS
def test_a_key_is_registered_and_signs_in(classic, sit, protocol):
    """R30..R33, R100: touched twice, never typed."""
    lee = classic.person()
    seat = sit(classic).is_let_in(lee, path="/console/devices")
    key = Key(seat, protocol)
    seat.press("#manage-mfa")
    assert "U2F" in seat.text("#add-key")
    seat.press("#add-key").fill(name="n/a").press("#submit")
    assert seat.error("name")
    seat.fill(name="blue-key").press("#submit")
    assert seat.path == "/console/devices/add/key/tap"
    seat.taps()
    assert "registered" in seat.message
    (device,) = seat.devices()
    assert (device.kind, device.name, device.tags) == ("U2F Security Key", "blue-key", [])
    assert device.serial.startswith(f"arn:aws:iam::{classic.account.id}:u2f/user/{lee.name}/blue-key-")
    for count in (1, 2):
        seat.signs_out().gives_password(lee)
        assert seat.path == "/console/mfa" and not seat.all("#code"), "there is nothing to type (R100)"
        before = key.counters()[0]
        seat.taps()
        assert seat.level == "Signed in with MFA" and key.counters()[0] > before, count
    assert seat.my_devices()[0].tags == []


def test_an_answer_opens_once(classic, owner):
    """NT-10: the posted form is caught and posted again, at the same sign-in, at a new one, and by somebody else."""
    lee, seat, _ = owner()
    cookies = {name: cookie["value"] for name, cookie in seat.cookies().items()}
    answer = seat.catches()
    token = seat.find("#key-form [name=token]").get_attribute("value")
    form = {"token": token, "response": json.dumps(answer)}
    seat.sends(answer)
    assert seat.level == "Signed in with MFA"
    again = classic.visitor(cookies)
    page = again.post("/console/mfa/key", form)
    assert page.path.startswith("/console/sign-in") or page.path == "/console/mfa", page.said
    assert "countersign-session" not in again.cookies
    seat.signs_out().gives_password(lee).sends(answer)
    assert seat.path == "/console/mfa" and "not accepted" in seat.message
    seat.taps()
    assert seat.is_in, "with a new challenge the key opens again"
    elsewhere = classic.signs_in(lee)
    assert elsewhere.page.path == "/console/mfa"
    elsewhere.submit("/console/mfa/key", response=json.dumps(answer))
    assert "countersign-session" not in elsewhere.cookies


def test_another_origin_is_refused(classic, owner, sit):
    """A page on another port asks the key with the console's own challenge, and sends what it gets."""
    lee, seat, _ = owner()
    with Site({"/": THIEF}) as thief:
        stolen = steals(seat, thief, "get", seat.key_options)
        seat.go("/console/mfa").sends(stolen)
        assert not seat.is_in and "not accepted" in seat.message
        seat.taps().signs_out()
        kim = classic.person()
        other = sit(classic).is_let_in(kim)
        Key(other)
        other.sets_up("key", name="red-key")
        made = steals(other, thief, "create", other.key_options)
        other.go("/console/devices/add/key/tap").sends(made)
        assert "not accepted" in other.message and not other.my_devices()


def test_an_address_is_no_name(classic, new_house, sit):
    """At 127.0.0.1 a browser refuses keys; the page says so, and where it knows, where they work instead."""
    for house, known in [(classic, False), (new_house("unnamed", named=False), True)]:
        seat = sit(house)
        seat.site = house.site.replace("localhost", "127.0.0.1")
        seat.is_let_in(house.person()).sets_up("key", name="blue-key")
        if known:
            assert seat.has("#elsewhere") and not seat.all("#tap")
            assert seat.find("#own-name").get_attribute("href") == house.site + "/console/sign-in"
        else:
            assert "does not allow security keys on a page of this address" in seat.taps_in_vain()


@PROTOCOLS
def test_a_copied_key_is_refused_and_shown(classic, owner, sit, protocol):
    """A counter that goes back marks a suspected clone, which is refused from then on."""
    lee, seat, key = owner(protocol)
    seat.taps().signs_out().gives_password(lee).taps().signs_out()
    key.rewind(1)
    seat.gives_password(lee).taps()
    assert not seat.is_in and "not accepted" in seat.message
    key.rewind(1000)
    seat.go("/console/mfa").taps()
    assert not seat.is_in, "a suspected clone is not accepted any more, whatever it counts"
    boss = sit(classic).is_let_in(classic.administrator, path=f"/console/users/{lee.id}")
    (device,) = boss.devices()
    assert device.tags == ["Suspected clone"]
    boss.removes(device.serial, "lost")
    assert boss.text("#no-device")
    seat.gives_password(lee)
    assert seat.level == "Signed in without MFA"


def test_bogus_answers_are_refused(classic, owner):
    """A signature that is none, an owner who was not there, and what is no answer at all."""
    lee, seat, key = owner()
    key.spoil(signature=True)
    assert "not accepted" in seat.taps().message
    key.spoil(present=True)
    assert "not accepted" in seat.taps().message
    key.spoil()
    answer = seat.catches()
    for part, value in [("clientDataJSON", "e30"), ("authenticatorData", "AAAA"), ("signature", "")]:
        bad = copy.deepcopy(answer)
        bad["response"][part] = value
        assert "not accepted" in seat.sends(bad).message and not seat.is_in, part
    for junk in ({}, {"id": "x"}, answer | {"id": "AAAA", "rawId": "AAAA"}):
        assert "not accepted" in seat.sends(junk).message and not seat.is_in
    assert seat.taps().is_in


def test_who_does_not_touch_reads_why(classic, owner):
    """No touch, and no key at all; then it works without loading the page again."""
    lee, seat, key = owner()
    key.touch(False)
    assert "not used in time" in seat.taps_in_vain()
    assert seat.find("#tap").is_enabled()
    key.touch(True)
    key.unplug()
    assert seat.taps_in_vain()
    again = Key(seat)
    assert seat.taps_in_vain(), "another key is not asked"
    again.unplug()


def test_one_credential_is_registered_once(modern, sit):
    """The browser tells its owner, and the server refuses whoever claims the same credential."""
    lee, kim = modern.person(), modern.person()
    seat = sit(modern).is_let_in(lee)
    Key(seat)
    seat.sets_up("key", name="blue-key")
    mine = seat.catches()
    seat.sends(mine)
    assert "registered" in seat.message
    seat.signs_out().gives_password(lee).taps()
    seat.sets_up("key", name="same-key")
    assert [given["id"] for given in seat.key_options["excludeCredentials"]] == [mine["id"]]
    assert "registered already" in seat.taps_in_vain(2000)

    other = sit(modern).is_let_in(kim)
    Key(other)
    other.sets_up("key", name="red-key")
    forged = other.catches()
    forged["id"] = forged["rawId"] = mine["id"]
    forged["response"]["attestationObject"] = mine["response"]["attestationObject"]
    other.sends(forged)
    assert "registered already" in other.message and not other.my_devices()


@pytest.fixture(scope="module")
def trusted(new_house) -> House:
    """A house that accepts the browser's keys alone, by their maker's certificate."""
    if not ANCHOR.is_file():
        assert not os.environ.get("CI"), f"{ANCHOR} has to be there"
        pytest.skip(f"{ANCHOR} is not there")
    return new_house("trusted", "--key-attestation-roots", str(ANCHOR))


@pytest.fixture(scope="module")
def stranger(new_house, tmp_path_factory) -> House:
    """A house that accepts keys of another maker alone."""
    path = tmp_path_factory.mktemp("anchors") / "other.pem"
    path.write_bytes(some_root())
    return new_house("stranger", "--key-attestation-roots", str(path))


def some_root() -> bytes:
    """A certificate of an authority that has made no key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Keys of nobody")])
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=9))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@PROTOCOLS
def test_keys_of_a_trusted_maker_alone(trusted, stranger, sit, protocol):
    """With attestation roots, fido-u2f and packed keys of the maker are accepted, and no others."""
    lee = trusted.person()
    seat = sit(trusted).is_let_in(lee)
    Key(seat, protocol)
    seat.adds_key(name="blue-key").signs_out().gives_password(lee).taps()
    assert seat.is_in
    kim = stranger.person()
    other = sit(stranger).is_let_in(kim)
    Key(other, protocol)
    other.sets_up("key", name="blue-key").taps()
    assert "not accepted here" in other.message and not other.my_devices()
