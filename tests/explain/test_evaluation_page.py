"""An evaluation as a page and as figures: the same numbers as the evaluation, in two languages, on a desk and on a phone, the same bytes twice."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from drawings import draw, folder, save
from peephole.decide.curves import curves
from peephole.decide.evaluate import examine
from peephole.decide.predictor import load
from peephole.explain.evaluationcharts import det_chart, label_chart, probit, rates
from peephole.explain.evaluationfigures import figures, write_figures
from peephole.explain.evaluationpage import render, to_json, write

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def found(drawn_model, tmp_path_factory):
    """The drawn model examined on new drawings: strangers of a hostile name, and one drawing in the wrong folder."""
    root = folder(tmp_path_factory.mktemp("evaluation") / "사진", 12, strangers="=I", start=300)
    for seed in range(3):
        save(draw("L", seed), root / HOSTILE / f"{seed}.png")
    (root / "O" / "O300.png").rename(root / "X" / f"{HOSTILE}.png")
    one = examine(load(drawn_model), root)
    given = one.given.copy()
    given[np.flatnonzero(one.truth < 0)[0]] = 0  # whatever the small model says, there is a stranger let in
    return replace(one, given=given)


@pytest.fixture(scope="module")
def counted(found):
    """Its curves."""
    return curves(found)


@pytest.fixture(scope="module")
def page_file(found, counted, tmp_path_factory):
    """Its page."""
    return write(found, counted, tmp_path_factory.mktemp("page") / "evaluation.html", model="drawn.onnx", folder="사진 <b>")[0]


def test_it_asks_for_nothing(open_page, page_file):
    """Opened from disk it requests itself alone, complains of nothing, and shows every picture with words."""
    page = open_page(page_file)
    assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()] and page.complaints == []
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0 && image.alt.length > 4)")


def test_names_stay_names(open_page, page_file):
    """Labels, files and folders that are HTML are read as they are called."""
    page = open_page(page_file)
    assert page.evaluate("document.querySelectorAll('[onerror], img[src=x], main b b').length") == 0
    assert HOSTILE in page.locator("#mistakes").inner_text() and "사진 <b>" in page.locator("h1").inner_text()


def test_the_page_says_what_was_counted(open_page, page_file, found, counted):
    """Confusion, labels, bins and the card's line on the page are those of the evaluation."""
    page = open_page(page_file)
    rows = page.locator("#confusion tbody tr")
    read = [[0 if cell == "·" else int(cell) for cell in rows.nth(at).locator("td").all_inner_texts()] for at in range(rows.count())]
    assert [row[1:] for row in read] == [counts.tolist() for _, counts in found.evaluation.rows]
    assert all(row[0] == sum(row[1:]) for row in read) and rows.count() == 3
    for at in range(3):  # what is right is on the diagonal, strangers' in the last column
        kinds = [kind[:5] for kind in rows.nth(at).locator("td").evaluate_all("(cells) => cells.slice(1).map((cell) => cell.classList[1])")]
        assert kinds == ["right" if column == at else "wrong" for column in range(3)]
    labels = page.locator("#perlabel tbody tr")
    assert [labels.nth(at).locator("td").nth(1).inner_text() for at in range(2)] == [str(each.right) for each in counted.labels]
    assert page.locator("#calibration tbody tr").count() == len(counted.calibration.bins)
    own = page.locator("#det tbody tr", has_text="the model’s own").locator("td").all_inner_texts()
    assert (own[0], own[3]) == (str(counted.det.card.accepted), str(counted.det.card.rejected))
    first = page.locator("#mistakes article").first
    assert "stranger_in" in first.get_attribute("class") and found.ids[counted.wrong[0].row] in first.inner_text()
    assert page.locator("#mistakes article").count() == len(counted.wrong) <= 24


def test_both_languages(open_page, page_file):
    """In Korean no English is left but names of files, labels and the model; nothing stands over at 390 pixels, in either language."""
    names = "Peephole English img src onerror alert png drawn onnx unknown sign json ECE"
    for language in ("en", "ko"):
        page = open_page(page_file, f"#{language}", viewport={"width": 390, "height": 800})
        page.wait_for_function(f"document.documentElement.lang === '{language}'")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.evaluate("[...document.querySelectorAll('q')].forEach((each) => each.remove())")
    assert set(re.findall("[A-Za-z]{2,}", page.locator("body").inner_text() + page.title())) <= set(names.split())


def test_charts_are_not_cut(open_page, page_file):
    """Every word of every chart lies within it, in both languages."""
    for language in ("en", "ko"):
        page = open_page(page_file, f"#{language}")
        out = page.evaluate(
            "[...document.querySelectorAll('.chart')].flatMap((chart) => { const box = chart.getBoundingClientRect();"
            " return [...chart.querySelectorAll('text')].filter((each) => each.getClientRects().length)"
            ".filter((each) => { const at = each.getBoundingClientRect();"
            " return at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1; })"
            ".map((each) => each.textContent); })"
        )
        assert out == []


def test_the_numbers_stand_beside_the_page(page_file, found, counted):
    """The JSON twin has the same counts and no NaN."""
    values = json.loads(page_file.with_suffix(".json").read_text("utf-8"), parse_constant=pytest.fail)
    assert values["confusion"] == found.evaluation.confusion.tolist() and values["det"]["card"]["accepted"] == counted.det.card.accepted
    assert [each["id"] for each in values["mistakes"]] == [found.ids[each.row] for each in counted.wrong]
    assert values["calibration"]["n"] == counted.calibration.n and values["per_label"][0]["interval"] == list(counted.labels[0].interval)


def test_twice_the_same_bytes(found, counted, tmp_path):
    """Page, numbers and every figure."""
    names = {"model": "drawn.onnx", "folder": "photos"}
    assert render(found, counted, **names) == render(found, counted, **names) and to_json(found, counted, **names) == to_json(
        found, curves(found), **names
    )
    once, again = ({path.name: path.read_bytes() for path in write_figures(found, counted, tmp_path / name)} for name in ("once", "again"))
    assert once == again and len(once) == 10
    assert not any(re.search(rb"20\d\d-\d\d-\d\d", data) for data in once.values())


def test_what_cannot_be_counted_is_not_drawn(found, tmp_path):
    """Without strangers no DET, without known labels no calibration and no labels; the page and the figures that are left are written."""
    for wanted, absent, drawn in ((True, "det", {"confusion", "labels", "calibration"}), (False, "calibration", {"confusion"})):
        rows = np.flatnonzero((found.truth >= 0) == wanted)
        evaluation = replace(found.evaluation, evidence=(), accuracy=None, strangers=found.evaluation.strangers * (not wanted))
        arrays = {name: getattr(found, name)[rows] for name in ("truth", "strangers", "sources", "given")}
        texts = {name: tuple(getattr(found, name)[row] for row in rows) for name in ("ids", "paths")}
        part = replace(found, evaluation=evaluation, outputs=found.outputs.at(rows), **arrays, **texts)
        page = render(part, curves(part), model="m", folder="f")
        assert f'id="{absent}"' not in page and 'id="confusion"' in page
        assert set(figures(part, curves(part))) - {"mistakes"} == drawn
        assert ("No strangers were given" in page) and to_json(part, curves(part), model="m", folder="f")


def test_many_labels(found, counted):
    """Over 24 labels the matrix is told as the pairs that occur; over 60 the chart is left to its table."""
    many = tuple(f"label {i:03}" for i in range(70))
    confusion = np.diag(np.arange(1, 71))
    confusion = np.concatenate([confusion, np.zeros((70, 1), int)], axis=1)
    confusion[3, 5] = 9
    evaluation = replace(found.evaluation, labels=many, confusion=confusion, strangers=np.zeros(71, int))
    page = render(replace(found, evaluation=evaluation), counted, model="m", folder="f")
    assert 'class="confusion"' not in page and re.search("label 003.*label 005.*9.*13", page)
    assert label_chart(counted.labels * 5).count("<circle") == 10


def test_axes_are_normal_deviates(counted):
    """10 % and 90 % lie as far from the middle; one error of all lies within the axes, and nothing is drawn outside."""
    assert probit(0.1) == pytest.approx(-probit(0.9)) and probit(0.5) == 0 and probit(0.975) == pytest.approx(1.959964, abs=1e-6)
    axes = rates(counted.det)
    assert axes[0] < 1 / max(counted.det.strangers, counted.det.known) and axes == sorted(axes)
    places = [float(each) for pair in re.findall(r'points="([^"]+)"', det_chart(counted.det)) for each in re.split("[ ,]", pair)]
    assert min(places) >= 14 and max(places) <= 352 + 14
