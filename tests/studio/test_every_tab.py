"""What holds for every tab that exists: accessible, quiet, in two languages, in two widths, the same twice, and with names that are code."""

import json
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import graphs
import pytest
from live import Live, running, until

from drawings import folder as drawings_folder
from peephole.studio.files import PAGE

FILES = {"words": "fill"}
TABS = [
    name
    for name in ("see", "lab", "data", "train", "map", "words", "gate", "report", "walk")
    if PAGE.joinpath(f"{FILES.get(name, name)}.js").is_file()
]
LANGUAGES = ("en", "ko")
STILL = "!document.querySelector('#main > .quiet') && document.title.includes('·') && document.getElementById('main').childElementCount > 0"
FITS = "document.documentElement.scrollWidth <= window.innerWidth"


def settled(page: Any) -> Any:
    """Wait until the tab is shown and its content no longer changes."""
    until(page, STILL)
    before = None
    for _ in range(60):
        now = page.evaluate("document.body.innerText.length + ' ' + document.querySelectorAll('*').length")
        if now == before:
            return page
        before = now
        page.wait_for_timeout(150)
    return page


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script; MPL-2.0, for tests alone."""
    pytest.importorskip("axe_playwright_python")
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def violations(page: Any, axe: str) -> list[str]:
    """Return what breaks WCAG 2.2 A or AA, with the elements."""
    # What the head of the page covers while it is scrolled can be scrolled out from under it.
    page.evaluate(axe + "; scrollTo(0, 0)")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("(rules) => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })", rules)
    return [
        f"{each['id']}: {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
        for each in found["violations"]
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_no_violation_of_wcag(visit, axe, tab, scheme):
    """axe-core finds nothing, by day and by night, as the owner and as anybody."""
    for owner in (True, False):
        watched = visit(owner=owner, color_scheme=scheme)
        assert violations(settled(watched.go(tab)), axe) == []
        watched.calm()


@pytest.mark.parametrize("model", ["plain", "resnet", "tiny"])
def test_no_violation_with_a_cell_open(visit, axe, model):
    """A cell, the kernel's field and the dialog for the code are as accessible as the rest."""
    watched = visit()
    page = settled(watched.go("see", model=f"{model}.onnx", layer="stem" if model == "resnet" else "conv1", map=0, at="1,1"))
    page.wait_for_selector("#sentence")
    assert violations(page, axe) == []
    page.locator("[data-weight]").first.press("Enter")
    assert violations(page, axe) == []
    for part in page.locator("#main details").all():
        part.locator("summary").first.click()
    until(page, "![...document.querySelectorAll('#main details [role=status]')].some((each) => each.textContent.startsWith('Working'))", seconds=60)
    assert violations(settled(page), axe) == []


def test_axe_finds_a_planted_fault(visit, axe):
    """A button without a name and grey on grey are found: the check is awake."""
    page = settled(visit().go("see"))
    page.evaluate("document.querySelector('#main button').textContent = ''; document.querySelector('#main p').style.color = '#eee'")
    assert {each.split(":")[0] for each in violations(page, axe)} >= {"button-name"}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("tab", TABS)
def test_languages_and_widths(visit, tab, width):
    """Switching language leaves no key untranslated, nothing wider than the window, nothing asked elsewhere, nothing complained of."""
    watched = visit(viewport={"width": width, "height": 800})
    page = settled(watched.go(tab))
    for language in ("한국어", "English"):
        page.click(f"#tools button:has-text('{language}')")
        until(page, f"document.documentElement.lang === '{'ko' if language == '한국어' else 'en'}'")
        settled(page)
        assert page.evaluate(FITS), f"{tab} in {language}: {page.evaluate('document.documentElement.scrollWidth')} > {width}"
        text = page.evaluate("document.body.innerText")
        assert not re.findall(
            r"\b(?:see|cell|lab|data|train|map|gate|report|walk|inside|error|said|input|edit)\.[a-z][\w.]+\b(?<!\.onnx)(?<!\.py)", text
        )
        assert not re.findall(r"\{\w+\}", text)
        if language == "한국어":
            assert re.search("[가-힣]", page.evaluate("document.getElementById('main').innerText"))
    watched.calm()


def placeholders(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", sentence))


def parts() -> Iterator[str]:
    yield from sorted(path.name for path in PAGE.joinpath("i18n", "en").iterdir())


@pytest.mark.parametrize("part", [*parts()])
def test_both_languages_say_the_same(part):
    """The same keys in the same files, the same placeholders in each sentence, nothing empty."""
    english, korean = (json.loads(PAGE.joinpath("i18n", language, part).read_text("utf-8")) for language in LANGUAGES)
    assert english.keys() == korean.keys()
    for key in english:
        assert bool(english[key].strip()) == bool(korean[key].strip()), key
        # Korean may repeat a value or leave the count of a plural out of nothing: the same names, once each.
        assert {*placeholders(english[key])} == {*placeholders(korean[key])}, key


def test_no_language_has_a_part_of_its_own():
    """Files of words come in pairs."""
    english, korean = ({path.name for path in PAGE.joinpath("i18n", language).iterdir()} for language in LANGUAGES)
    assert english == korean


def test_what_is_fetched_first_is_small(visit):
    """The See tab, scripts and style: at most 120 kB, nothing compressed; other tabs fetch their own when they are opened."""
    watched = visit(owner=False)
    settled(watched.go("see"))
    names = {url.split("/page/")[1] for url in watched.requests if "/page/" in url and url.endswith((".js", ".css"))}
    size = sum(len(PAGE.joinpath(name).read_bytes()) for name in names)
    assert {"app.js", "see.js", "cell.js", "rule.js", "style.css"} <= names
    assert size <= 125_000, f"{size} bytes in {sorted(names)}"


@pytest.mark.parametrize("tab", TABS)
def test_two_screenshots_are_identical(visit, tab):
    """One state, two visits: the same pixels."""
    first, second = (settled(visit(owner=False).go(tab, lang="en")) for _ in range(2))
    for page in (first, second):
        page.wait_for_timeout(400)
    if tab == "lab":  # a clip of sound draws its own player
        first.wait_for_timeout(300)
    assert first.screenshot(animations="disabled") == second.screenshot(animations="disabled")


STOP = """() => {
  const [at, before] = [document.activeElement, window.before];
  if (at === document.body) return null;
  window.before = at;
  const name = at.getAttribute("aria-label") || at.textContent || at.labels?.[0]?.textContent || at.title || "";
  const follows = !before?.isConnected || before.contains(at) || Boolean(before.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING);
  return { tag: at.tagName, id: at.id, name: name.trim().slice(0, 40), forward: follows, again: before === at };
}"""


@pytest.mark.parametrize("tab", TABS)
def test_the_keyboard_reaches_everything(visit, tab):
    """Tab goes from the first thing to the last without a trap; everything it stops at is seen and has a name."""
    page = settled(visit().go(tab))
    page.evaluate("document.activeElement?.blur()")
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            break
        stops.append(stop)
    assert stops[0]["id"] == "skip"
    assert all(stop["name"] or stop["tag"] == "VIDEO" for stop in stops), [stop for stop in stops if not stop["name"]]
    assert all(stop["forward"] and (stop["tag"] in ("AUDIO", "VIDEO") or not stop["again"]) for stop in stops), stops


NASTY = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)<",
    '"><svg onload=alert(1)>',
    "' OR '1'='1",
    "%2e%2e%2f",
    "a\nb",
    "\u202egnp.exe",
    "{label}",
    "$&",
    "__proto__",
    "constructor",
    "${7*7}",
    "x" * 4000,
    "javascript:alert(1)",
    "&lt;b&gt;",
    "\u0007bell",
    " ",
]
MADE = "[...document.querySelectorAll('img[onerror], script:not([src]), svg[onload], b > b')].length"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory) -> Iterator[Live]:
    """A folder whose models, labels, sets and photos are called as code is."""
    made = tmp_path_factory.mktemp("nasty")
    graphs.plain(made / "labels.onnx", labels=NASTY)
    photos = drawings_folder(made / "photos", 2, strangers="=")
    for name in NASTY:
        if len(name) > 200 or "/" in name or not name.strip():
            continue
        graphs.plain(made / f"{name}.onnx", labels=[name, "b", "c"])
        (made / f"set {name}" / name).mkdir(parents=True)
        shutil.copy(next(photos.rglob("*.png")), made / f"set {name}" / name / f"{name}.png")
    with running(made) as live:
        yield live


def test_names_stay_text(browser, nasty):
    """On every tab: no element is made of a name, no dialog comes, nothing complains, and the name is there to read."""
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    page, complaints, dialogs = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{nasty.url}#code={nasty.auth.code}")
    page.wait_for_selector("#tools button:has-text('Leave')")
    for tab in TABS:
        page.goto(f"{nasty.url}#{tab}")
        settled(page)
        assert page.evaluate(MADE) == 0, tab
    page.goto(f"{nasty.url}#see?model=labels.onnx&layer=logits&map=0&at=0,0")
    page.wait_for_selector("#sentence")
    assert NASTY[0] in page.evaluate("document.getElementById('main').textContent") and page.evaluate(MADE) == 0
    options = page.evaluate("[...document.querySelectorAll('#model option')].map((each) => each.textContent)")
    assert f"{NASTY[0]}.onnx" in options and "__proto__.onnx" in options
    for name in (NASTY[0], NASTY[2], "__proto__", NASTY[6]):
        page.goto(nasty.url + "#see?" + page.evaluate("(model) => new URLSearchParams({ model }).toString()", f"{name}.onnx"))
        until(page, f"document.getElementById('answer')?.textContent.includes({json.dumps(name)})")
        if "data" in TABS:
            page.goto(nasty.url + "#data?" + page.evaluate("(set) => new URLSearchParams({ set }).toString()", f"set {name}"))
            until(page, f"document.getElementById('main').textContent.includes({json.dumps(name)})")
        assert page.evaluate(MADE) == 0
    for address in (
        "#<img src=x onerror=alert(1)>",
        "#../../x",
        "#see?model=<img src=x onerror=alert(1)>",
        "#see?at=NaN,__proto__&map=1e9",
        "#__proto__",
        "#see?ink=%00..zz",
        "#see?edit=%25@x@NaN~@@~a@0@1",
    ):
        page.goto(f"{nasty.url}{address}")
        page.wait_for_timeout(150)
        assert page.evaluate(MADE) == 0
    assert dialogs == []
    # What the server refuses, the browser itself notes on its console; nothing else is there.
    assert [line for line in complaints if "status of 40" not in line] == []
    context.close()


def test_elements_are_never_made_of_text(visit):
    """Even a slip in a script would be refused by the browser: the policy asks for trusted types and trusts nobody."""
    page = settled(visit().go("see"))
    assert (
        page.evaluate("(() => { try { document.body.innerHTML = '<p>x</p>'; return 'made'; } catch (error) { return error.name; } })()")
        == "TypeError"
    )
