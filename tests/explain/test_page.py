"""The report as a person meets it: in a browser, from disk, in two languages, in print."""

import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from peephole.decide.predictor import load
from peephole.explain.report import explain, write_report

LABELS = ("ana", "한글 이름", "<script>alert(1)</script>", "a-very-long-label-without-any-place-to-break-it-" * 2)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


@pytest.fixture(scope="module")
def page_file(make_door, tmp_path_factory):
    """A report on a colour model with awkward labels."""
    folder = tmp_path_factory.mktemp("report")
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (80, 60, 3), dtype=np.uint8)).save(folder / "door.png")
    explanation = explain(load(make_door(LABELS, size=30, channels=3, filters=(8, 10, 12))), folder / "door.png")
    return write_report(explanation, folder / "report.html")


@pytest.fixture(scope="module")
def browser(require_program):
    """Chromium without a network of its own."""
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require_program("chromium"), args=QUIET)
        yield started
        started.close()


@pytest.fixture
def visit(browser, page_file):
    """Return a function that opens the report; requests and complaints are collected on the page."""
    contexts = []

    def open_page(hash_="", **settings):
        context = browser.new_context(**{"locale": "en-US", "reduced_motion": "reduce"} | settings)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(page_file.as_uri() + hash_)
        return page

    yield open_page
    for context in contexts:
        context.close()


def numbers(texts):
    """Read numbers as a person would."""
    return np.array([float(text.replace("−", "-").replace(",", "")) for text in texts])


def test_no_requests_and_no_complaints(visit, page_file):
    """From disk the page asks for nothing but itself and its console is silent."""
    page = visit()
    outside = [url for url in page.requests if not url.startswith("data:")]
    assert outside == [page_file.as_uri()]
    assert page.complaints == []
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


def test_the_worked_convolution_closes_on_screen(visit):
    """Patch times kernel, read from the page, plus the bias is the value shown (|difference| <= 1e-5 of the sum of |terms|)."""
    page = visit()
    cell = page.locator('[data-cell="convcell"]')
    patch, kernel, product = (numbers(cell.locator(f'[data-part="{part}"] td').all_inner_texts()) for part in ("patch", "kernel", "product"))
    bias, total, value, residue = (
        numbers([cell.locator(f'.en [data-part="{part}"]').inner_text()])[0] for part in ("bias", "total", "value", "residue")
    )
    assert len(patch) == 27
    allowed = 1e-5 * (np.abs(patch * kernel).sum() + abs(bias))
    assert abs((patch * kernel).sum() + bias - value) <= allowed
    assert abs(product.sum() + bias - value) <= allowed
    assert value - total == pytest.approx(residue, abs=1e-9)


def test_relu_and_pool_close_on_screen(visit):
    """max(0, x) and the winner of the window are what they say."""
    page = visit()
    relu, pool = page.locator('[data-cell="relucell"]'), page.locator('[data-cell="poolcell"]')
    before, value = (numbers([relu.locator(f'.en [data-part="{part}"]').inner_text()])[0] for part in ("before", "value"))
    assert value == max(0, before)
    window = numbers(pool.locator('[data-part="window"] td').all_inner_texts())
    assert window.max() == numbers([pool.locator('.en [data-part="value"]').inner_text()])[0]
    assert numbers([pool.locator("td.win").first.inner_text()])[0] == window.max()


def test_softmax_closes_on_screen(visit):
    """Each column follows from the one before, and the sums are the sums, with the residue that is stated."""
    page = visit()
    rows = page.locator('.softmax [data-part="term"]')
    table = np.array([numbers(rows.nth(row).locator("td.n").all_inner_texts()) for row in range(rows.count())])
    temperature = float(re.search(r"temperature ([\d.]+)", page.locator("#softmax p").first.inner_text())[1])
    logits, tempered, shifted, powers, shares = table.T
    total, one = numbers(page.locator('.softmax [data-part="sum"] td.n').all_inner_texts())
    assert len(table) == len(LABELS)
    np.testing.assert_allclose(logits / temperature, tempered, atol=2e-5)
    np.testing.assert_allclose(tempered - tempered.max(), shifted, atol=2e-5)
    np.testing.assert_allclose(np.exp(shifted), powers, atol=2e-5)
    np.testing.assert_allclose(powers / total, shares, atol=2e-5)
    residue = numbers([page.locator(f'#softmax .en [data-part="{part}-residue"]').inner_text() for part in ("power", "share")])
    np.testing.assert_allclose([total - powers.sum(), one - shares.sum()], residue, atol=1e-9)


def test_the_vote_closes_on_screen(visit):
    """Contributions, rest and bias add up to the logit with the residue that is stated."""
    cell = visit().locator('[data-cell="vote"]')
    rows = cell.locator('[data-part="term"]')
    terms = np.array([numbers(rows.nth(row).locator("td").all_inner_texts()) for row in range(rows.count())])
    rest, bias, value = (numbers([cell.locator(f'td[data-part="{part}"]').inner_text()])[0] for part in ("rest", "bias", "value"))
    residue = numbers([cell.locator('.en [data-part="residue"]').inner_text()])[0]
    assert value - (terms[:, 2].sum() + rest + bias) == pytest.approx(residue, abs=1e-9)
    np.testing.assert_allclose(terms[:, 0] * terms[:, 1], terms[:, 2], atol=1e-4)


def test_familiarity_closes_on_screen(visit):
    """The mean of the similarities shown is the familiarity shown."""
    rows = visit().locator("#nearest table").nth(1).locator("tbody tr")
    for row in range(rows.count()):
        sum_, value = rows.nth(row).locator("td").all_inner_texts()
        terms = numbers(re.findall(r"−?\d+\.\d+", sum_))
        assert terms.mean() == pytest.approx(numbers([value])[0], abs=2e-5 * np.abs(terms).sum())


@pytest.mark.parametrize(("locale", "language", "heading"), [("en-US", "en", "Verdict"), ("ko-KR", "ko", "판정"), ("fr-FR", "en", "Verdict")])
def test_the_language_is_the_readers(visit, locale, language, heading):
    """Korean for who reads Korean, else English; also the title and the descriptions of pictures."""
    page = visit(locale=locale)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.locator("#verdict h2").inner_text() == heading
    korean = bool(re.search("[가-힣]", page.title() + page.locator(".legend").first.get_attribute("alt")))
    assert korean == (language == "ko")


def test_switching_the_language_by_keyboard(visit):
    """The switch works by keyboard, its state is in the address, and links keep it."""
    page = visit()
    page.get_by_role("button", name="한국어").focus()
    page.keyboard.press("Enter")
    assert page.locator("#softmax h2").inner_text() == "소프트맥스, 한 항씩"
    assert page.url.endswith("#ko")
    page.get_by_role("link", name="소프트맥스, 한 항씩").click()
    page.wait_for_url("**#ko/softmax")
    assert page.evaluate("document.activeElement.id") == "softmax-title"
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "ko"
    assert page.get_by_role("button", name="한국어").get_attribute("aria-pressed") == "true"


def test_no_english_is_left_in_korean(visit):
    """In Korean no sentence of ours is still English: what stays is names, numbers and quotations of the card."""
    page = visit("#ko")
    page.evaluate("document.querySelectorAll('q, code, .op, th, h1, td, dd, b, summary').forEach((each) => each.remove())")
    words = re.findall(r"[A-Za-z]{3,}", page.locator("main").inner_text())
    allowed = {
        "ReLU",
        "max",
        "png",
        "door",
        "peephole",
        "explain",
        "photos",
        "FOLDER",
        "sha",
        "clopper",
        "pearson",
        "one",
        "sided",
        "false",
        "accept",
    }
    allowed |= {"reject", "held", "out", "Cast", "Sub", "Mul", "Transpose", "ana", *re.findall("[A-Za-z]+", " ".join(LABELS))}
    assert set(words) <= allowed, sorted(set(words) - allowed)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_do_not_overflow(visit, language, scheme):
    """At 390 pixels nothing stands over; wide tables scroll in their own box."""
    page = visit(f"#{language}", viewport={"width": 390, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    inside = "document.querySelectorAll('main *')].filter((each) => !each.closest('.scroll')"
    over = f"[...{inside} && each.getBoundingClientRect().right > 391).map((each) => each.outerHTML)"
    assert page.evaluate(over) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(visit, scheme):
    """Every colour of text against its paper has at least 4.5 : 1 (WCAG AA)."""
    page = visit(color_scheme=scheme)
    read = "(names) => names.map((name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())"

    def light(colour):
        parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))

    on_paper = [(ink, paper) for ink in ("ink", "quiet", "accent") for paper in ("paper", "sheet")]
    for ink, paper in [*on_paper, ("open", "open-sheet"), ("shut", "shut-sheet"), ("shut", "paper"), ("ink", "open-sheet"), ("mark-ink", "mark")]:
        low, high = sorted(light(colour) for colour in page.evaluate(read, [ink, paper]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, ink, paper)


def test_it_can_be_read_aloud(visit):
    """Every picture has words, tables have captions and heads, headings step down one level at a time, ids are unique."""
    page = visit()
    assert page.evaluate("[...document.images].every((image) => image.alt.length > 8)")
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((box) => box.tabIndex === 0 && box.getAttribute('aria-label'))")
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll table:not(.grid)')].every((table) => table.caption && table.querySelector('th[scope]'))"
    )
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size === document.querySelectorAll('[id]').length")


def test_without_script_it_is_english_and_whole(visit):
    """The page needs no script."""
    page = visit(java_script_enabled=False)
    assert page.locator("#verdict h2").inner_text() == "Verdict"
    assert page.locator("#layer-4 img").first.is_visible()
    assert not page.get_by_role("button").first.is_visible()


def test_it_prints(visit):
    """As PDF it has pages and is opened whole."""
    page = visit()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000


def test_print_does_not_cut_tables_off(visit):
    """On the width of an A4 page nothing stands over, and dark readers get black on white."""
    page = visit(viewport={"width": 718, "height": 1000}, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_two_screenshots_are_the_same(visit):
    """One state, one picture."""
    first, second = (visit(viewport={"width": 800, "height": 600}).screenshot(full_page=True) for _ in range(2))
    assert first == second
