"""The stage itself: what the stories take for granted about browsers, keys and the look at pages."""

import pytest

from stage.browser import Browser
from stage.keys import CTAP2, U2F, Key
from stage.looks import Looks
from stage.places import Site

CEREMONY = """
<!doctype html><html lang="en"><title>Keys</title><h1>Keys</h1><script>
const user = { id: new Uint8Array(8), name: "lee", displayName: "Lee" };
const said = async (act) => { try { return await act(); } catch (error) { return { error: error.name }; } };
const challenge = () => crypto.getRandomValues(new Uint8Array(32));
const bits = (data) => new Uint8Array(data)[32];
window.register = (exclude) => said(async () => {
  const made = await navigator.credentials.create({ publicKey: {
    rp: { id: "localhost", name: "Keys" }, user, challenge: challenge(), timeout: 1500, attestation: "direct",
    pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: exclude ? [{ type: "public-key", id: window.id }] : [] } });
  window.id = made.rawId;
  return { id: made.id };
});
window.sign = (timeout) => said(async () => {
  const got = await navigator.credentials.get({ publicKey: {
    rpId: "localhost", challenge: challenge(), timeout, userVerification: "discouraged",
    allowCredentials: [{ type: "public-key", id: window.id, transports: ["usb"] }] } });
  return { id: got.id, bits: bits(got.response.authenticatorData) };
});
</script></html>
"""
PRESENT = 1
PLAIN = "<!doctype html><title>x</title><h1>x</h1>"
KINDS = "dark", "desktop", "phone"


def asks(browser, call: str) -> dict:
    """What the page gets from the key."""
    return browser.driver.execute_async_script(f"const done = arguments[0]; {call}.then(done);")


@pytest.fixture
def site():
    """A relying party in one page."""
    with Site({"/": CEREMONY}) as running:
        yield running


@pytest.mark.parametrize("protocol", [CTAP2, U2F])
def test_a_key_registers_signs_is_copied_and_goes_wrong(browse, site, protocol):
    browser = browse(site.origin).go("/")
    key = Key(browser, protocol)
    made = asks(browser, "register(false)")
    assert "id" in made, made
    assert asks(browser, "register(true)") == {"error": "InvalidStateError"}
    first = key.counters()[0]
    assert asks(browser, "sign(1500)")["bits"] & PRESENT
    assert key.counters()[0] == first + 1
    key.rewind(1)
    assert asks(browser, "sign(1500)")["id"] == made["id"]
    assert key.counters() == [2]
    if protocol == CTAP2:
        key.spoil(present=True)
        assert not asks(browser, "sign(1500)")["bits"] & PRESENT
        key.spoil()
    key.touch(False)
    assert asks(browser, "sign(300)") == {"error": "NotAllowedError"}
    key.touch(True)
    (copied,) = key.credentials()
    key.unplug()
    other = Key(browser, protocol)
    other.put(copied)
    assert asks(browser, "sign(1500)")["id"] == made["id"]
    other.forget()
    assert asks(browser, "sign(300)") == {"error": "NotAllowedError"}


def test_keys_do_not_leave_their_browser(browse, site):
    one, two = browse(site.origin).go("/"), browse(site.origin).go("/")
    mine, other = Key(one), Key(two)
    asks(one, "register(false)")
    assert len(mine.credentials()) == 1 and other.credentials() == []


def test_a_browser_forgets(browse, site):
    """What one story did is not there for the next one: neither cookies nor keys."""
    browser = browse(site.origin).go("/")
    Key(browser)
    assert "id" in asks(browser, "register(false)")
    browser.run("document.cookie = 'a=b; max-age=600'; localStorage.a = 'b'")
    handle = browser.driver
    browser.close()
    again = browse(site.origin).go("/")
    assert again.driver is handle, "it is the same browser"
    assert again.run("return [document.cookie, localStorage.a || '', document.visibilityState]")[:2] == ["", ""]
    (key,) = [Key(again)]
    assert key.credentials() == []
    again.run("window.id = new Uint8Array(16)")
    assert asks(again, "sign(300)") == {"error": "NotAllowedError"}


def test_a_browser_complains_of_scripts_policies_and_missing_files(browse):
    pages = {"/script": PLAIN + "<script>null.x</script>", "/picture": PLAIN + "<img alt='' src='/none.png'>", "/": PLAIN}
    with Site(pages) as lax, Site(pages, "default-src 'none'") as strict:
        browser = browse(lax.origin)
        for site, path, complaint in [
            (lax, "/script", "TypeError"), (lax, "/picture", "404"), (lax, "/none", None), (strict, "/script", "inline script"),
            (strict, "/picture", "Content Security Policy"), (lax, "/", None), (strict, "/", None),
        ]:
            browser.go(site.origin + path).listen()
            said, browser.complaints = " ".join(browser.complaints), []
            assert (complaint in said) if complaint else not said, (path, said)


def test_a_browser_without_scripts_runs_none(driver):
    with Site({"/": "<!doctype html><title>still</title><script>document.title = 'ran'</script>"}) as site:
        for script, title in [(False, "still"), (True, "ran")]:
            browser = Browser(driver, site.origin, script=script).go("/")
            assert browser.driver.title == title
            browser.close()


BAD = """<!doctype html><html><meta name=viewport content="width=device-width,maximum-scale=1"><title>x</title>
<h1>a</h1><h1>b</h1><h4>c</h4><main><input id=a><input id=a>
<button></button><p class=field-error id=e>Wrong</p><p style="font-size:9px;color:#ccc;background:#fff">faint</p>
<div style="width:900px">wide</div><a href="/" tabindex=3>x</a></main></html>"""
GOOD = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>x</title>
<link rel="stylesheet" href="/style.css"><main><h1>a</h1><form><label for="a">A</label><p class="field-error" id="e">Wrong</p>
<input id="a" aria-invalid="true" aria-describedby="e"><button>Go</button></form></main></html>"""


def test_a_look_finds_what_is_wrong(browse, tmp_path):
    looks = Looks(tmp_path / "pictures")
    with Site({"/bad": BAD, "/good": GOOD, "/style.css": "input, button { font-size: 16px; height: 32px }"}) as site:
        browser = browse(site.origin, looks)
        browser.go("/bad").go("/good").go("/good")
        browser.complaints.clear()
    assert set(looks.wrong) == {"bad--a-b"}, looks.wrong
    found = "\n".join(looks.wrong["bad--a-b"])
    for sentence in [
        "no language", "cannot be zoomed", "2 first headings", "skips a level", "the id a is there 2 times", "has no label", "has no name",
        "tied to no field", "smaller than 12", "wider than its room", "jumps the order", "is inline",
    ]:
        assert sentence in found, sentence
    if looks.axe:
        assert "color-contrast" in found
    pictures = sorted(path.name for path in looks.folder.glob("*.png"))
    assert pictures == [f"{page}.{kind}.png" for page in ("bad--a-b", "good--a") for kind in KINDS]
    widths = [int.from_bytes((looks.folder / f"good--a.{kind}.png").read_bytes()[16:20]) for kind in KINDS]
    assert widths == [1280, 1280, 360]
