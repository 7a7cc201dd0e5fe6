"""The page of the photo budget as a person meets it: the curve with its table twin, the frames with their reasons, in two languages."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from drawings import draw, save
from peephole.cli.budgetpage import write
from peephole.export.budget import Budget, Helpful, LabelBudget, Point, StrangerBudget
from peephole.train.curve import Asked, forecast, reach

NAME = "<img src=x onerror=alert(1)> & 'ㅇ'.png"
RECIPE = (
    "lite0 with its ImageNet weights kept, a new last layer fitted on 8 views of each photo, at 224x224x3, "
    "no step through the network, varied by nothing; seed 7"
)


@pytest.fixture(scope="module")
def found():
    """A budget of two labels whose error falls by a known law, with two frames to name."""
    rng = np.random.default_rng(3)
    sizes = np.array([3.0, 5.0, 8.0, 12.0])
    wrong = rng.binomial(20, 0.5 * sizes**-0.6, size=(40, 4)).astype(float)
    asked = Asked(sizes, wrong, np.full((40, 4), 20.0), np.arange(40) % 2, np.arange(40))
    whole, labels = forecast(asked, 14, 10, 2, 7)
    frames = (Helpful(NAME, "X", "O", 0.52, 0.48, 0.61), Helpful("gone.png", "O", "X", 0.91, 0.09, 0.4))
    return Budget(
        root="photos/그림 <b>",
        more=10,
        photos=14.0,
        curve=tuple(Point(float(size), float(wrong[:, at].sum() / 800), 800) for at, size in enumerate(sizes)),
        line=reach(asked, 24, 2, 7),
        forecast=whole,
        why="",
        labels=tuple(LabelBudget(name, 14, each) for name, each in zip("XO", labels, strict=True)),
        strangers=StrangerBudget(2, 0.776, 0.01, 299),
        frames=frames,
        looked_at=40,
        recipe=RECIPE,
        notes=("3 frames left out: copies of another frame or of a photo that has its label",),
    )


@pytest.fixture(scope="module")
def page_file(found, tmp_path_factory):
    """Its page."""
    place = tmp_path_factory.mktemp("budget")
    save(draw("X", 1), place / "frames" / NAME)
    write(found, place / "frames", place / "budget.html")
    return place / "budget.html"


def test_it_asks_for_nothing_and_fits_a_phone(open_page, page_file):
    """From disk it requests itself alone and complains of nothing; names stay names; at 390 pixels nothing stands over."""
    page = open_page(page_file, viewport={"width": 390, "height": 800})
    assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()] and page.complaints == []
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0
    assert page.locator("#frames code").first.inner_text() == NAME
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length") == 0
    gained = page.locator("#gains tbody td").last.bounding_box()
    assert gained["x"] + gained["width"] <= 390 and "need not average to the whole" in page.locator("#gains").inner_text()
    assert "cannot be read any more" in page.locator("#frames li").nth(1).inner_text()


def test_the_picture_is_the_numbers(open_page, page_file, found):
    """Dots and line lie where the table's numbers say: the axes, read from the picture, give the measured errors and the fit."""
    page = open_page(page_file)
    texts = page.evaluate(
        "[...document.querySelectorAll('.chart text:not(.en):not(.ko)')].map((t) => [+t.getAttribute('x'), +t.getAttribute('y'), +t.textContent])"
    )
    ups = np.array([(y - 4, value) for x, y, value in texts if x < 46])
    acrosses = np.array([(x, value) for x, y, value in texts if x >= 46])
    to_error, to_photos = np.polyfit(*ups.T, 1), np.polyfit(*acrosses.T, 1)
    dots = np.array(page.evaluate("[...document.querySelectorAll('.chart circle')].map((c) => [+c.getAttribute('cx'), +c.getAttribute('cy')])"))
    np.testing.assert_allclose(np.polyval(to_photos, dots[:, 0]), [point.photos for point in found.curve], atol=0.1)
    np.testing.assert_allclose(np.polyval(to_error, dots[:, 1]), [100 * point.error for point in found.curve], atol=0.2)
    ahead = [point.split(",") for point in page.locator(".chart .ahead").get_attribute("points").split()]
    assert np.polyval(to_photos, float(ahead[-1][0])) == pytest.approx(24, abs=0.1)
    assert np.polyval(to_error, float(ahead[-1][1])) == pytest.approx(100 * found.line[-1].error.middle, abs=0.2)
    rows = page.locator("#curve tbody tr")
    assert rows.count() == len(found.curve) + 2
    assert f"{100 * found.forecast.now.middle:.1f}\u00a0%" in rows.nth(len(found.curve)).locator("td .en").first.inner_text()


def test_no_english_is_left_in_korean(open_page, page_file):
    """Also of the recipe and the notes; the frames' reasons name both labels."""
    page = open_page(page_file, "#ko")
    assert page.evaluate("document.documentElement.lang") == "ko" and "망설입니다" in page.locator("#frames li").first.inner_text()
    shown = page.evaluate("[...document.querySelectorAll('code, .nopicture')].forEach((each) => each.remove()); document.body.innerText")
    assert set(re.findall("[A-Za-z]{2,}", shown)) <= {"Peephole", "English", "ImageNet", "lite"}
    assert page.locator("main q").count() == 0


def test_the_curve_alone_is_a_picture(found, tmp_path):
    """An SVG without a script or an address beside its name space, its words in the language of who looks; well formed."""
    write(found, None, tmp_path / "curve.svg")
    text = (tmp_path / "curve.svg").read_text("utf-8")
    root = ET.fromstring(text)
    assert root.tag.endswith("svg") and not re.search(r"https?:", text.replace("http://www.w3.org/2000/svg", "")) and "script" not in text
    words = list(root.iter("{http://www.w3.org/2000/svg}switch"))
    assert len(words) == 4 and all(each[0].get("systemLanguage") == "ko" and each[1].get("systemLanguage") is None for each in words)


def test_what_cannot_be_said_is_not_drawn(open_page, found, tmp_path):
    """Without a fit there is no line and no table of labels, and the reason stands there in both languages."""
    why = "the time sufficed for one draw of each size, which shows no spread: give it more than --seconds 1"
    write(replace(found, line=(), forecast=None, why=why), None, tmp_path / "budget.html")
    page = open_page(tmp_path / "budget.html", "#ko")
    assert page.locator(".chart polyline").count() == 0 and page.locator(".chart circle").count() == 4 and page.locator("#gains").count() == 0
    assert "--seconds 1보다" in page.locator("#buys").inner_text() and page.locator("main q").count() == 0


def test_a_name_that_is_none_for_a_page_is_refused_before_the_work(refused, tmp_path):
    """A picture of pixels is not written."""
    assert "ends in .html or .svg" in refused("budget", tmp_path, "-o", tmp_path / "curve.png").error
