"""The pages of countersign-replay: what they say, what they draw, and that nothing in a log gets out of its text."""

import json
import os
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stage.browser import DESKTOP, artefacts
from stage.trail import Trail
from support.server import ROOT, binary

WIDTHS = 1280, 390
# A sheet of A4 between its margins of 14 mm, in pixels of 1/96 inch.
SHEET = 688
FIXTURES = Path(os.environ.get("COUNTERSIGN_FIXTURES", ROOT.parent / "shared" / "fixtures")) / "cloudtrail"
STATES = "enabled", "disabled", "unknown"
HEIGHT = 200
# Changes that are nearer to each other than this share of a picture are drawn as one.
COLUMN = 0.002
ROWS_MAX, PRINCIPALS_MAX = 50, 100
HOSTILE = [
    "<script>window.ran=1</script>",
    '"><svg onload="window.ran=1">',
    "'><img src=http://127.0.0.1:9/x onerror=window.ran=1>",
    "</style></title></svg><style>body{display:none}</style>",
    "eve\u202e\u0007\u001b[31m{{7*7}}&lt;b&gt;",
    "o" * 64,
]
FACTS = """
const text = (element) => element.textContent.trim();
const rows = (section, css) => [...section.querySelectorAll(`${css} tbody tr`)].map((row) => [...row.cells].map(text));
const codes = (section, css) => [...section.querySelectorAll(css)].map((row) =>
  [...row.cells[row.cells.length - 1].querySelectorAll("code")].map(text));
return [...document.querySelectorAll("section.account")].map((section) => {
  const picture = section.querySelector("svg.coverage");
  const room = picture ? picture.getBoundingClientRect() : null;
  return {
    name: text(section.querySelector("h2")).split(" ").pop(),
    lead: text(section.querySelector("h2 + p")),
    legend: [...section.querySelectorAll(".legend li")].slice(0, 3).map(text),
    numbers: rows(section, ".coverage-numbers"),
    all: text(section.querySelector(".coverage-numbers th")) === "Since",
    gaps: [...section.querySelectorAll(".gap-row")].map((row) => [...row.cells].slice(0, 3).map((cell) =>
      cell.querySelectorAll("span").length ? [...cell.querySelectorAll("span")].map(text) : text(cell))),
    gapRecords: codes(section, ".gap-row"),
    signIns: rows(section, "[aria-labelledby$=-signins]"),
    principals: rows(section, ".principals"),
    more: [...section.querySelectorAll(".principals + .more")].map(text),
    bars: [...section.querySelectorAll(".principals svg")].map((bar) => ({
      words: bar.getAttribute("aria-label"),
      parts: [...bar.querySelectorAll("rect:not(.gap)")].map((part) => {
        const [box, { width }] = [part.getBBox(), bar.getBoundingClientRect()];
        return [part.getAttribute("class"), box.x / width, box.width / width];
      }) })),
    joined: / drawn as one/.test(section.querySelector("figcaption")?.textContent),
    blocks: picture ? [...picture.querySelectorAll("rect:not(.frame):not(.gap)")].map((block) => {
      const box = block.getBBox();
      return { title: text(block.querySelector("title")), x: box.x / room.width, width: box.width / room.width,
        y: box.y, height: box.height };
    }) : [],
  };
});
"""
LAYOUT = """
const wrong = [];
const room = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > room) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
for (const element of document.querySelectorAll("body *")) {
  const box = element.getBoundingClientRect();
  if (element.closest("thead") || !box.width || element.closest("defs")) continue;
  if (box.right > room + 1 || box.left < -1) {
    wrong.push(`${element.tagName} ${element.textContent.slice(0, 30)}: ${box.left} to ${box.right} of ${room}`);
  }
}
for (const picture of document.querySelectorAll("svg.chart")) {
  const plot = picture.getBoundingClientRect();
  const texts = [...picture.querySelectorAll("text")].filter((one) => one.textContent.trim());
  const boxes = texts.map((one) => [one.textContent, one.getBoundingClientRect(), one.getAttribute("class")]);
  const axis = [...picture.querySelectorAll("line.axis")].pop().getBoundingClientRect().top;
  boxes.forEach(([said, box, kind], number) => {
    if (kind === "tick" && box.top < axis) wrong.push(`the label ${said} is on the axis`);
    if (kind === "share" && box.right > plot.left) wrong.push(`the label ${said} is in the picture`);
    if (box.bottom > plot.bottom + 1) wrong.push(`the label ${said} is under the picture`);
    for (const [other, place] of boxes.slice(number + 1)) {
      const apart = box.right < place.left || place.right < box.left || box.bottom <= place.top + 2 ||
        place.bottom <= box.top + 2;
      if (!apart) wrong.push(`${said} and ${other} are one on the other`);
    }
  });
}
return wrong;
"""
SAFE = """
const found = [];
if (window.ran) found.push("a script of the log ran");
if (document.scripts.length) found.push("there is a script");
const loaded = performance.getEntriesByType("resource");
if (loaded.length) found.push(`it loads ${loaded[0].name}`);
for (const element of document.querySelectorAll("*")) {
  for (const { name, value } of element.attributes) {
    if (/^on|^style$|^src/.test(name)) found.push(`${element.tagName} has ${name}`);
    if (/href$/.test(name) && !value.startsWith("#")) found.push(`${element.tagName} leads to ${value}`);
  }
}
if (document.querySelectorAll("style, title:not(svg title)").length !== 2) found.push("there are more styles");
const policy = document.querySelector("meta[http-equiv]").content;
if (!/^default-src 'none'; style-src 'sha256-[^ ;]+'; /.test(policy)) found.push(policy);
if (getComputedStyle(document.body).maxWidth !== "1216px") found.push("the style is not taken");
return found;
"""
ROWS = """
return [...document.querySelectorAll(".records tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
"""
BARS = "return [...document.querySelectorAll('.lanes rect:not(.gap)')].map((bar) => bar.className.baseVal);"


def replay(*arguments) -> str:
    """What countersign-replay says."""
    program = binary("countersign-replay")
    assert program, "build it first: cargo build --release"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    # Some of the public files are no records; the rest of them is used.
    assert done.returncode in (0, 3), (arguments, done.returncode, done.stderr[-2000:])
    return done.stdout


def answer(*arguments) -> dict:
    """The answer of countersign-replay for scripts."""
    return json.loads(replay(*arguments, "--json"))


def plain(text: str) -> str:
    """A text as pages show it."""
    unsafe = "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
    return re.sub(unsafe, lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def before(text: str) -> str:
    """The millisecond before an instant."""
    return (instant(text) - timedelta(milliseconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def shown(browse, tmp_path):
    """Makes a page and opens it."""

    def show(*question):
        page = tmp_path / "page.html"
        replay(*question, f"--html={page}")
        return browse("").go(page.as_uri())

    return show


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A log of a few people, some with names that nobody should have."""
    trail = Trail()
    for number, name in enumerate(["alice", "bob", *HOSTILE]):
        trail.create(number, name)
        trail.enable(20 + number, name, f"{name}-1")
    for number, name in enumerate(["alice", HOSTILE[0], HOSTILE[4]]):
        trail.deactivate(60 + number, name, f"{name}-1")
        trail.sign_in(65 + number, name, mfa="No")
        trail.enable(70 + number * 10, name, f"{name}-2")
    trail.sign_in(120, "carol", mfa="Yes")
    trail.delete(130, "bob")
    trail.sign_in(140, "dave", mfa="No")
    return trail.write(tmp_path_factory.mktemp("written"))


def check_pictures(browser, source) -> None:
    """The numbers are those of the answers for scripts, and the pictures have their heights and places."""
    facts = browser.run(FACTS)
    states = {}

    def counts(at: str, account: str) -> list[int]:
        if at not in states:
            rows = answer("state", "--at", at, source)["principals"]
            states[at] = [(row["account"], row["status"]) for row in rows]
        return [states[at].count((account, status)) for status in STATES]

    last = answer("state", source)["principals"]
    signed = answer("signins", "--without-mfa", source)["signins"]
    gaps = [row for row in answer("rotations", source)["rotations"] if row["without_mfa"] or row.get("maybe_without_mfa")]
    assert {fact["name"] for fact in facts} == {plain(row["account"]) for row in last}
    for fact in facts:
        account = fact["name"]
        for since, *numbers in fact["numbers"]:
            at = before(since.removeprefix("before ")) if since.startswith("before") else since
            expected = counts(at, account)
            assert [int(number) for number in numbers[:4]] == [*expected, sum(expected)], (account, since)
        seen = [(id, *times, int(seconds.split()[0])) for id, times, seconds in fact["gaps"]]
        expected = [(plain(row["id"]), row["off"], row["on"], row["gap_s"]) for row in of_account(gaps, account)]
        assert seen == expected[:ROWS_MAX]
        expected = [list(map(plain, row["citations"])) for row in of_account(gaps, account)]
        assert fact["gapRecords"] == expected[:ROWS_MAX]
        seen = [(time, id, record) for time, id, _, _, record in fact["signIns"]]
        expected = [(row["time"], plain(row["id"]), plain(row["event_id"])) for row in of_account(signed, account)]
        assert seen == expected[:ROWS_MAX]
        listed = {row[0]: row[1] for row in fact["principals"]}
        expected = {plain(row["id"]): row["status"] for row in last if row["account"] == account}
        assert listed.items() <= expected.items() and len(listed) == min(len(expected), PRINCIPALS_MAX)
        if len(expected) > PRINCIPALS_MAX:
            assert fact["more"][0].startswith(f"and {len(expected) - PRINCIPALS_MAX} more;")
        check_end(fact, [[row["status"] for row in of_account(last, account)].count(status) for status in STATES])
        check_blocks(fact)
        check_bars(fact)


def of_account(rows: list[dict], account: str) -> list[dict]:
    """Those rows that are of an account."""
    return [row for row in rows if row["id"].split("/")[0] == account]


def check_end(fact: dict, counts: list[int]) -> None:
    """The sentence and the legend have the numbers of the end."""
    said = [re.search(r": (\d+) \(", line)[1] if sum(counts) else 0 for line in fact["legend"]]
    assert list(map(int, said)) == (counts if said else [])
    if fact["blocks"]:
        told = re.findall(r"\b(\d+)\b", fact["lead"].split(", ", 2)[2])
        enabled, disabled, unknown = counts
        expected = [enabled, sum(counts), disabled, *([unknown] if unknown else [])]
        assert list(map(int, told)) == expected, fact["lead"]


def check_blocks(fact: dict) -> None:
    """Areas are as high as their share, stand on each other, and begin where their time is."""
    numbers = {row[0]: row for row in fact["numbers"]}
    columns: dict[str, list] = {}
    for block in fact["blocks"]:
        state, when, count, total = re.fullmatch(
            r"(\w+) (?:since )?(.+): (\d+) of (\d+) principals", block["title"]
        ).groups()
        columns.setdefault(when, []).append(block)
        assert block["height"] == pytest.approx(HEIGHT * int(count) / int(total), abs=0.02), block
        if fact["all"]:
            assert [count, total] == [numbers[when][1 + STATES.index(state)], numbers[when][4]], block
    for column in columns.values():
        assert sum(block["height"] for block in column) == pytest.approx(HEIGHT, abs=0.05)
        assert min(block["y"] for block in column) == pytest.approx(10, abs=0.05)
    near = COLUMN if fact["joined"] else 2e-4
    timed = sorted((instant(when), column[0]["x"]) for when, column in columns.items() if "before" not in when)
    for when, x in timed:
        (first, left), (last, right) = timed[0], timed[-1]
        share = (when - first) / (last - first) if last > first else 0
        assert x == pytest.approx(left + share * (right - left), abs=near), when


def check_bars(fact: dict) -> None:
    """The bar of a principal ends in its status, and is as full as the time in which there was one."""
    for row, bar in zip(fact["principals"], fact["bars"], strict=True):
        state, x, width = bar["parts"][-1]
        assert state == row[1] and x + width == pytest.approx(1, abs=1e-4), row
        assert bar["parts"][0][1] == 0 and row[1] in bar["words"]
        ends = [part[1] + part[2] for part in bar["parts"]]
        for end, (_, x, _) in zip(ends, bar["parts"][1:]):
            assert end == pytest.approx(x, abs=1e-4), row


def fits(browser, where: str) -> None:
    """Nothing is cut off, and no text is on another."""
    wrong = browser.run(LAYOUT)
    assert not wrong, f"{where}: " + "\n".join(wrong[:5])


def check_looks(browser, looks, name: str) -> None:
    """Everything has its place on a desk, on a phone and on paper, for everybody."""
    for width in WIDTHS:
        browser.resize(width, 844, phone=width < 600)
        fits(browser, f"at {width} pixels")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.resize(SHEET, 1000)
    browser.command("Emulation.setEmulatedMedia", media="print", features=dark)
    fits(browser, "on paper")
    ground = "return getComputedStyle(document.body).backgroundColor"
    assert browser.run(ground) == "rgb(255, 255, 255)"
    browser.command("Emulation.setEmulatedMedia", media="", features=dark)
    assert browser.run(ground) == "rgb(20, 24, 31)"
    browser.command("Emulation.setEmulatedMedia", media="", features=[])
    browser.resize(*DESKTOP)
    if looks.quick:
        return
    looks.take(browser, f"replay-{name}")
    # The page has the one style that its own policy names.
    wrong = looks.wrong.pop(f"replay-{name}", [])
    wrong = [said for said in wrong if not said.startswith(("<style>", "on a phone, <style>"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("question", [("report", "cis"), ("report", "pci"), ("report", "nist")], ids=" ".join)
def test_a_report_draws_what_the_answers_say(shown, looks, written, question):
    browser = shown(*question, written)
    assert not browser.run(SAFE)
    check_pictures(browser, written)
    verdicts = {row["id"]: row["verdict"].replace("_", " ") for row in answer(*question, written)["controls"]}
    cells = browser.texts(".controls tbody td")
    assert dict(zip(cells[::2], cells[1::2])) == verdicts
    for css, pattern in [("rect.disabled", "dots"), ("rect.unknown", "hatch")]:
        assert f"#{pattern}" in browser.run(f"return getComputedStyle(document.querySelector('.coverage {css}')).fill")
        assert browser.run(f"return document.querySelectorAll('pattern#{pattern}').length") == 1
    check_looks(browser, looks, "-".join(question))


@pytest.mark.parametrize("kind,name", [("plain", "alice"), ("script", HOSTILE[0]), ("control", HOSTILE[4])])
def test_a_timeline_draws_every_record(shown, looks, written, kind, name):
    browser = shown("timeline", name, written)
    assert not browser.run(SAFE)
    (told,) = answer("timeline", name, written)["timelines"]
    rows = browser.run(ROWS)
    seen = [(row[0], row[1], row[-1]) for row in rows]
    assert seen == [(row["time"], plain(row["event"]), plain(row["event_id"])) for row in told["events"]]
    assert len(browser.all(".lanes use.event, .lanes use.attempt")) == len(rows)
    assert len(browser.all(".lanes use.mark")) == 1 and len(browser.all(".lanes rect.gap")) == 1
    assert browser.run(BARS) == browser.texts(".stretches tbody th")
    check_looks(browser, looks, f"timeline-{kind}")


def test_a_log_of_many_is_drawn_within_limits(shown, looks, tmp_path):
    trail = Trail()
    for number in range(1200):
        name = f"user-{number:04}"
        trail.create(number * 3, name)
        if number % 4:
            trail.enable(number * 3 + 200, name, f"{name}-1")
        if number % 16 == 1:
            trail.deactivate(number * 3 + 800, name, f"{name}-1")
            trail.sign_in(number * 3 + 805, name, mfa="No")
            trail.enable(number * 3 + 840, name, f"{name}-2")
    source = trail.write(tmp_path / "many")
    browser = shown("report", "pci", source)
    check_pictures(browser, source)
    assert f"and {75 - ROWS_MAX} more" in browser.said()
    check_looks(browser, looks, "many")


def test_a_log_of_one_and_a_log_of_nobody_have_pages(shown, looks, tmp_path):
    one = Trail().sign_in(0, "alice", mfa="No").write(tmp_path / "one")
    browser = shown("report", "cis", one)
    check_pictures(browser, one)
    check_looks(browser, looks, "one")
    browser = shown("report", "cis", Trail().write(tmp_path / "none"))
    assert "names no principal" in browser.said() and not browser.run(SAFE)
    check_looks(browser, looks, "none")


def test_public_logs_are_drawn(shown, looks):
    if not FIXTURES.is_dir():
        assert "CI" not in os.environ, "the public audit logs are absent"
        pytest.skip(f"no audit logs at {FIXTURES}")
    browser = shown("report", "pci", FIXTURES)
    assert not browser.run(SAFE)
    check_pictures(browser, FIXTURES)
    check_looks(browser, looks, "public")


@pytest.mark.closing
def test_the_log_of_a_house_is_drawn(shown, looks, classic):
    """What the stories left, and a device at least."""
    if classic.server.process:
        classic.with_app(classic.person())
    store = classic.server.data
    browser = shown("report", "nist", store)
    assert not browser.run(SAFE)
    check_pictures(browser, store)
    assert any(row["status"] == "enabled" for row in answer("state", store)["principals"])
    check_looks(browser, looks, "house")


def test_a_page_on_standard_output_is_the_same(written, tmp_path):
    page = tmp_path / "page.html"
    replay("report", "cis", written, f"--html={page}")
    assert replay("report", "cis", written, "--html").rstrip("\n") == page.read_text().rstrip("\n")
