"""The parts on what goes on inside as a person meets them: in a browser, in two languages, on a phone, in print."""

import re

import numpy as np
import pytest
from PIL import Image

from peephole.decide.predictor import load
from peephole.explain.report import explain, write_report

LABELS = ("ana", "한글 이름", "a-very-long-label-without-any-place-to-break-it-" * 2)
SECTIONS = ("maps", "rebuilt", "exciting", "dropout")


@pytest.fixture(scope="module")
def page_file(make_door, tmp_path_factory):
    """A report, inside too, of a colour model with awkward labels."""
    folder = tmp_path_factory.mktemp("inside")
    (folder / "photos" / "ana").mkdir(parents=True)
    draw = np.random.default_rng(7)
    for index in range(7):
        Image.fromarray(draw.integers(0, 256, (80, 60, 3), dtype=np.uint8)).save(folder / "photos" / "ana" / f"{index}.png")
    model = load(make_door(LABELS, size=40, channels=3, filters=(8, 10, 12)))
    explanation = explain(model, folder / "photos" / "ana" / "0.png", photos=folder / "photos", inside=True)
    return write_report(explanation, folder / "report.html")


@pytest.fixture
def visit(open_page, page_file):
    """Return a function that opens the report."""
    return lambda hash_="", **settings: open_page(page_file, hash_, **settings)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_phone_shows_all_of_it(visit, language):
    """At 390 pixels nothing stands over, in either language, and the console is silent; every picture is there."""
    page = visit(f"#{language}", viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    inside = "document.querySelectorAll('main *')].filter((each) => !each.closest('.scroll')"
    assert page.evaluate(f"[...{inside} && each.getBoundingClientRect().right > 391).map((each) => each.outerHTML)") == []
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [page.url.partition("#")[0]]


def test_korean_is_all_korean(visit):
    """Switched to Korean, the new parts have no English left but names: of layers, methods, files, authors and commands."""
    page = visit("#ko")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    allowed = set(re.findall("[A-Za-z]+", "Grad CAM Adebayo Mahendran Vedaldi ana png pool conv relu dense logits block " + LABELS[2]))
    for name in SECTIONS:
        shown = [page.locator(f"#{name}").inner_text()]
        shown += page.evaluate(f"[...document.querySelectorAll('#{name} [alt]')].map((each) => each.getAttribute('alt'))")
        for text in shown:
            assert re.search("[가-힣]", text), text
            assert set(re.findall("[A-Za-z]{2,}", text)) <= allowed, sorted(set(re.findall("[A-Za-z]{2,}", text)) - allowed)


def test_the_sum_closes_on_screen(visit):
    """Integrated gradients as printed: what the pixels add up to and the residue make the change of the logit."""
    words = visit("#en").locator("#maps p", has_text="The pixels add up to").first.locator("> .en").inner_text()
    found = re.search(r"add up to ([−\d.]+); .* changes by ([−\d.]+); residue ([−\d.]+)", words)
    total, wanted, residue = (float(each.rstrip(".").replace("−", "-")) for each in found.groups())
    assert total + residue == pytest.approx(wanted, abs=2e-4)


def test_the_table_says_what_the_pictures_say(visit):
    """Every control of a figure has its row, with the same rank correlation; both are behind a heading one step down."""
    page = visit("#en")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for at in range(3):
        tiles = page.locator("#maps .stages").nth(at).locator("li")
        rows = page.locator("#maps table").nth(at).locator("tbody tr")
        assert tiles.count() == rows.count() + 1 == 6
        for row in range(1, rows.count()):
            correlation = rows.nth(row).locator("td").first.inner_text()
            assert correlation in tiles.nth(row + 1).inner_text()
    assert page.evaluate("[...document.querySelectorAll('#maps h3')].length") == 3


def test_the_chart_is_not_cut(visit):
    """Every dot and word of the dropout chart lies within it, at the widths of a desk and a phone."""
    for width in (390, 1200):
        page = visit("#en", viewport={"width": width, "height": 800})
        out = page.evaluate(
            "(() => { const chart = document.querySelector('#dropout .chart'), box = chart.getBoundingClientRect();"
            " return [...chart.querySelectorAll('text,circle,line')].map((each) => each.getBoundingClientRect())"
            ".filter((at) => at.left < box.left - 1 || at.right > box.right + 1 || at.bottom > box.bottom + 1).length; })()"
        )
        assert out == 0
        assert page.locator("#dropout .chart circle").count() == 150


def test_it_prints(visit):
    """On the width of an A4 page nothing stands over."""
    page = visit(viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.pdf().startswith(b"%PDF")
