"""The report as a person meets it: in a browser, from disk, in two languages, in print."""

import re
from itertools import pairwise

import numpy as np
import onnx
import pytest
from PIL import Image
from test_receipts_part import ROWS, receipts

from peephole.base.modelfile import read
from peephole.base.modelwrite import write
from peephole.decide.predictor import load
from peephole.explain.report import explain, write_report
from peephole.export.build import build
from peephole.nets.deep import Deep
from peephole.train.recipe import Options

LABELS = ("ana", "한글 이름", "<script>alert(1)</script>", "a-very-long-label-without-any-place-to-break-it-" * 2)
PARTS = ("value", "against", "difference")


@pytest.fixture(scope="module")
def page_file(make_door, tmp_path_factory):
    """A report on a colour model with awkward labels."""
    folder = tmp_path_factory.mktemp("report")
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (80, 60, 3), dtype=np.uint8)).save(folder / "door.png")
    explanation = explain(load(make_door(LABELS, size=30, channels=3, filters=(8, 10, 12))), folder / "door.png")
    return write_report(explanation, folder / "report.html")


@pytest.fixture
def visit(open_page, page_file):
    """Return a function that opens the report, or another page."""
    return lambda hash_="", file=page_file, **settings: open_page(file, hash_, **settings)


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


@pytest.fixture(scope="module")
def deep_page(drawn_photos, tmp_path_factory):
    """Return a function that gives the report of a small vgg, inception or resnet of a few steps, each made once."""
    made = {}

    def page(name):
        if name not in made:
            place = tmp_path_factory.mktemp(name)
            build(drawn_photos, place / "net.onnx", Options(network=name, size=(24, 24), steps=5, threads=1, deep=Deep(width=4, depth=1)))
            explanation = explain(load(place / "net.onnx"), sorted((drawn_photos / "X").iterdir())[0])
            made[name] = write_report(explanation, place / "report.html"), explanation
        return made[name]

    return page


def test_the_worked_sum_closes_on_screen(visit, deep_page):
    """One plus the other is the sum, in a residual block, with its shortcut as it is and with a fitted one; three maps stand beside it."""
    cells = visit("#en", file=deep_page("resnet")[0]).locator('[data-cell="addcell"]')
    assert cells.count() == 2
    for at in range(2):
        terms = numbers(cells.nth(at).locator('.en [data-part="term"]').all_inner_texts())
        value, residue = (numbers([cells.nth(at).locator(f'.en [data-part="{part}"]').inner_text()])[0] for part in ("value", "residue"))
        assert len(terms) == 2 and abs(terms.sum() - value) <= 1e-5 * np.abs(terms).sum()
        assert value - terms.sum() == pytest.approx(residue, abs=1e-9)
        assert cells.nth(at).locator(".maps img").count() == 3
    names = [cells.nth(at).locator("figcaption").all_inner_texts() for at in range(2)]
    assert "unchanged" in names[0][1] and "1\u00a0×\u00a01" in names[1][1]


def test_the_origin_of_a_joined_map_is_on_screen(visit, deep_page):
    """The spans of the branches follow on each other, the marked one holds the map, and its value is the same here and there."""
    file, explanation = deep_page("inception")
    cell = visit("#en", file=file).locator('[data-cell="concatcell"]')

    def read(part):
        return numbers(cell.locator(f'.en [data-part="{part}"]').all_inner_texts())

    first, last, (channel, _), (skip, _), (own,) = read("first"), read("last"), read("channel"), read("skip"), read("own")[:1]
    assert len(first) == 4 and first[0] == 0 and (first[1:] == last[:-1] + 1).all()
    branch = [at for at in range(4) if "win" in cell.locator(".branch").nth(at).get_attribute("class")]
    assert [at for at in range(4) if first[at] <= channel <= last[at]] == branch and channel - skip == own and skip == first[branch[0]]
    origin = explanation.look.find(cell.locator(".branch.win figcaption b").first.inner_text())
    assert read("before")[0] == read("value")[0] == pytest.approx(float(origin.values[int(own)].max()), abs=1e-4)


@pytest.mark.parametrize(("name", "ways"), [("inception", 4), ("resnet", 2), ("vgg", 0)])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_branches_are_seen_side_by_side(visit, deep_page, name, ways, language):
    """Each block has a picture of its ways, each way's layers stand together, on a desk and on a phone; a plain row has none."""
    file, explanation = deep_page(name)
    for width in (1100, 390):
        page = visit(f"#{language}", file=file, viewport={"width": width, "height": 800})
        forks = page.locator("figure.fork")
        joints = [layer for layer in explanation.look.layers if layer.op in {"Add", "Concat"}]
        assert forks.count() == len(joints) and bool(joints) == bool(ways)
        for at in range(forks.count()):
            rows = forks.nth(at).locator(".ways > ul > li")
            tops = [rows.nth(row).bounding_box()["y"] for row in range(rows.count())]
            assert len(tops) == ways and tops == sorted(set(tops))
        assert page.locator(".glance .forked").count() == forks.count()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        inside = page.evaluate("[...document.querySelectorAll('.way .layer h3')].map((each) => each.textContent)")
        assert all("branch" in each or "conv" in each or "relu1" in each or "shortcut" in each for each in inside)
    if name == "inception":
        assert page.locator(f".ways li > b .{language}").first.inner_text() == "1\u00a0×\u00a01"


def test_maps_are_not_squeezed_on_a_phone(visit, deep_page):
    """At 390 pixels every picture of maps and kernels is as large as it was drawn, and large maps of a few stand two in a row."""
    for file in (deep_page("inception")[0], deep_page("vgg")[0]):
        page = visit(file=file, viewport={"width": 390, "height": 800})
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        small = page.evaluate(
            "[...document.querySelectorAll('.layer .sheet:not(.bars)')].filter((each) => each.clientWidth < each.getAttribute('width') - 12).length"
        )
        assert small == 0


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


@pytest.mark.parametrize(("locale", "language", "heading"), [("en-US", "en", "The answer"), ("ko-KR", "ko", "판정"), ("fr-FR", "en", "The answer")])
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
    assert page.locator("#softmax h2").inner_text() == "소프트맥스 한 항씩 계산하기"
    assert page.url.endswith("#ko")
    page.get_by_role("link", name="소프트맥스 한 항씩 계산하기").click()
    page.wait_for_url("**#ko/softmax")
    assert page.evaluate("document.activeElement.id") == "softmax-title"
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "ko"
    assert page.get_by_role("button", name="한국어").get_attribute("aria-pressed") == "true"


@pytest.fixture(scope="module")
def trained_page(drawn_model, drawn_photos, tmp_path_factory):
    """A report on a model that was really trained, so that every sentence of its card is one of ours; a stranger is explained."""
    stranger = sorted((drawn_photos / "unknown").rglob("*.png"))[0]
    drawn, path = read(drawn_model), tmp_path_factory.mktemp("receipts") / drawn_model.name
    write(path, onnx.load_from_string(drawn.data), drawn.card.model_copy(update={"receipts": receipts(*ROWS)}))
    explanation = explain(load(path), stranger, photos=drawn_photos)
    return write_report(explanation, tmp_path_factory.mktemp("trained") / "report.html"), explanation


def test_no_english_is_left_in_korean(visit, trained_page):
    """In Korean the only Latin words are names: of layers, operators, files, labels and commands; pictures' descriptions too."""
    file, explanation = trained_page
    page = visit("#ko", file=file)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    shown = [page.locator("body").inner_text(), page.title()]
    shown += page.evaluate("[...document.querySelectorAll('[alt],[aria-label]')].map((e) => e.getAttribute('alt') || e.getAttribute('aria-label'))")
    names = [*explanation.card.labels, *explanation.card.software, explanation.image, explanation.model.name, explanation.model.sha256]
    names += [each.id for each in explanation.known] + [explanation.image_sha256, *explanation.card.software.values()]
    names += [word for layer in explanation.look.layers for word in (layer.name, layer.op)] + list(explanation.card.training.strangers)
    ours = "Peephole English ReLU ReLU6 max sha256 peephole check explain photos FOLDER unknown png plain"
    allowed = set(re.findall("[A-Za-z]+", " ".join([*names, ours])))
    for text in shown:
        assert re.search("[가-힣]", text), text
        assert set(re.findall("[A-Za-z]{2,}", text)) <= allowed, sorted(set(re.findall("[A-Za-z]{2,}", text)) - allowed)
    assert page.evaluate("[...document.querySelectorAll('main q')].length") == 0


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
    for ink, paper in [
        *on_paper,
        ("known", "known-sheet"),
        ("stranger", "stranger-sheet"),
        ("stranger", "paper"),
        ("known", "paper"),
        ("ink", "known-sheet"),
        ("ink", "stranger-sheet"),
        ("mark-ink", "mark"),
    ]:
        low, high = sorted(light(colour) for colour in page.evaluate(read, [ink, paper]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, ink, paper)


def test_the_chart_is_not_cut(visit, page_file):
    """Every word and number of the chart lies within it, long labels and negative numbers too, in both languages."""
    for language in ("en", "ko"):
        page = visit(f"#{language}")
        out = page.evaluate(
            "(() => { const box = document.querySelector('.chart').getBoundingClientRect();"
            " return [...document.querySelectorAll('.chart text')].filter((each) => each.getClientRects().length)"
            ".filter((each) => { const at = each.getBoundingClientRect(); return at.left < box.left - 1 || at.right > box.right + 1; })"
            ".map((each) => each.textContent); })()"
        )
        assert out == []
        assert "−" in page.locator(".chart").text_content()


def test_long_networks_print_short(visit, trained_page):
    """Printing opens what is closed, but for the layers of a long network, and closes it again afterwards."""
    page = visit(file=trained_page[0])
    page.evaluate("document.querySelectorAll('details').forEach((each, at) => { each.open = false; each.classList.toggle('deep', at === 0); })")
    opened = "[...document.querySelectorAll('details')].map((each) => each.open)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(opened)[0] is False
    assert all(page.evaluate(opened)[1:])
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not any(page.evaluate(opened))


def test_the_conditions_close_on_screen(visit, trained_page):
    """Each condition's numbers, read from the page, add up; the mark is said in words too."""
    file, explanation = trained_page
    page = visit("#en", file=file)
    rows = page.locator(".checks li")
    for row in range(1, rows.count()):
        value, against, difference = (numbers([rows.nth(row).locator(f'.en [data-part="{part}"]').inner_text()])[0] for part in PARTS)
        assert value - against == pytest.approx(difference, abs=1e-9)
        assert rows.nth(row).locator(".mark .en").inner_text() == ("met" if difference >= 0 else "not met")
    assert rows.count() == 3
    assert page.locator(".answer .en").inner_text().startswith("Recognised" if explanation.prediction.accepted else "A stranger")


def test_a_stop_leads_to_its_layer(visit):
    """Following a stop opens the layer it names and moves the focus there."""
    page = visit()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    link = page.locator(".glance a").first
    link.focus()
    page.keyboard.press("Enter")
    place = link.get_attribute("href").split("/")[-1]
    page.wait_for_function(f"document.getElementById('{place}').open")
    assert page.evaluate("document.activeElement.parentElement.id") == place


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
    assert page.locator("#verdict h2").inner_text() == "The answer"
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
