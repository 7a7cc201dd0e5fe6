"""Who is taken for whom: the numbers are those of `peephole evaluate`, each cell shows its photos, and a layer's maps are kept as SVG."""

import base64
import io
import json
import re
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as ET
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import graphs
import numpy as np
import pytest
from live import until
from PIL import Image
from test_every_tab import FITS, violations

from peephole.decide.evaluate import examine
from peephole.explain.pictures import HALF, PALETTE
from peephole.studio import mistakes

SVG = "{http://www.w3.org/2000/svg}"
ASKED = "model=tiny.onnx&set=sides"


@pytest.fixture(scope="module")
def sides(folder, tiny_photos):
    """A set for the tiny model: sides with noise, some in the wrong folder, and two strangers."""
    draw = np.random.default_rng(3)

    def put(name, place, number, noise=25):
        pixels = tiny_photos[name] + draw.normal(0, noise, (8, 8, 1))
        path = folder / "sides" / place / f"{name}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)[..., 0]).save(path)

    for number in range(6):
        put("left-1", "left", number)
        put("top-1", "top", number)
        put("left-2", "left", number, noise=90)
    for number in range(3):
        put("top-1", "left", number)
        put("stranger", "unknown/chess", number)
        put("left-1", "unknown/twin", number)
    return folder / "sides"


@pytest.fixture(scope="module")
def evaluated(folder, sides):
    """What `peephole evaluate --json` says of the set, and the numbers of its report."""
    page = folder / "evaluated.html"
    words = ["evaluate", folder / "tiny.onnx", sides, "--json", "--report", page]
    told = subprocess.run([sys.executable, "-m", "peephole", *map(str, words)], capture_output=True, text=True, check=True)
    return json.loads(told.stdout), json.loads(page.with_suffix(".json").read_text("utf-8"))


@pytest.fixture(scope="module")
def owner(live):
    """The headers of the owner."""
    return live.owner()


def asked(live, owner, path, query=ASKED):
    answer = live.ask("GET", f"{path}?{query}", owner)
    assert answer.status == 200, answer.body
    return answer.json


def test_the_matrix_is_that_of_evaluate(live, owner, evaluated):
    """Every count, and every mistake in the report's order with its numbers."""
    told, report = evaluated
    found = asked(live, owner, "/api/mistakes")
    assert found["labels"] == told["labels"] and found["others"] == 0
    assert found["counts"] == [*told["confusion"], told["strangers"]]
    assert {name: found[name] for name in ("photos", "seen", "duplicates", "refused")} == {
        name: told[name] for name in ("photos", "seen", "duplicates", "refused")
    }
    assert sum(map(sum, found["counts"])) == found["photos"]
    kinds = set()
    for row, counts in enumerate(found["counts"]):
        for column, count in enumerate(counts):
            cell = asked(live, owner, "/api/mistakes/photos", f"{ASKED}&cell={row},{column}")
            assert cell["total"] == len(cell["photos"]) == count
            if row == column:
                assert not any(photo["what"] for photo in cell["photos"])
                continue
            names = [*found["labels"], None]
            wanted = [each for each in report["mistakes"] if (each["truth"], each["given"]) == (names[row], names[column])]
            kinds |= {each["kind"] for each in wanted}
            for name in ("id", "best", "probability", "familiarity"):
                assert [each[name] for each in cell["photos"]] == [each[name] for each in wanted]
    assert kinds == {"stranger_in", "wrong_label", "turned_away"}


def test_right_answers_stand_with_the_nearest_to_a_mistake_first(live, owner, evaluated):
    """The known with the least familiar first; strangers who were turned away with the most familiar first."""
    for cell, way in (("0,0", 1), ("1,1", 1), ("2,2", -1)):
        found = asked(live, owner, "/api/mistakes/photos", f"{ASKED}&cell={cell}")["photos"]
        familiar = [way * each["familiarity"] for each in found]
        assert len(familiar) > 1 and familiar == sorted(familiar)
    korean = asked(live, owner, "/api/mistakes/photos", f"{ASKED}&cell=0,0&language=ko")["photos"]
    assert "친숙도" in korean[0]["why"] and korean[0]["id"] == asked(live, owner, "/api/mistakes/photos", f"{ASKED}&cell=0,0")["photos"][0]["id"]


def test_it_is_computed_once_until_something_changes(live, owner, sides, monkeypatch):
    """A second look costs no second examination; a photo that was added does."""
    calls = []
    monkeypatch.setattr(mistakes, "examine", lambda *given: calls.append(given) or examine(*given))
    next((sides / "top").iterdir()).touch()  # another state than the one that the tests before looked at
    first = asked(live, owner, "/api/mistakes")
    asked(live, owner, "/api/mistakes/photos", f"{ASKED}&cell=0,0")
    assert asked(live, owner, "/api/mistakes") == first and len(calls) == 1
    new = sides / "top" / "new.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (8, 8), np.uint8)).save(new)
    try:
        assert asked(live, owner, "/api/mistakes")["photos"] == first["photos"] + 1 and len(calls) == 2
    finally:
        new.unlink()
    assert asked(live, owner, "/api/mistakes") == first


def test_labels_beyond_the_most_are_summed(folder, sides):
    """No photo is lost: the others are summed, what is right among them too."""
    found = examine(folder / "tiny.onnx", sides)
    whole, folded = mistakes.Matrix.of(found), mistakes.Matrix.of(found, 1)
    assert (folded.labels, folded.others) == (("left",), 1)
    assert np.array_equal(folded.counts, whole.counts) and folded.counts.sum() == found.evaluation.photos


def test_labels_with_the_most_mistakes_keep_their_rows():
    """However many photos are right: of a, b, c, d with mistakes between b and d alone, those two stay; a and c are one row."""
    truth, given = np.array([0] * 50 + [1, 1, 2, 3, 3, -1, -1]), np.array([0] * 50 + [3, 1, 2, -1, 3, -1, 1])
    confusion, strangers = np.zeros((4, 5), int), np.zeros(5, int)
    for row, column in zip(truth, given, strict=True):
        (strangers if row < 0 else confusion[row])[column] += 1
    evaluation = SimpleNamespace(confusion=confusion, strangers=strangers)
    found = SimpleNamespace(evaluation=evaluation, card=SimpleNamespace(labels=("a", "b", "c", "d")), truth=truth, given=given)
    matrix = mistakes.Matrix.of(found, 2)
    assert (matrix.labels, matrix.others) == (("b", "d"), 2)
    assert matrix.counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 51, 0], [1, 0, 0, 1]]


BAD = [
    "", "model=tiny.onnx", "set=sides", "model=plain.onnx&set=sides", "model=none.onnx&set=sides", "model=tiny.onnx&set=..", "model=tiny.onnx&set=.",
    "model=tiny.onnx&set=.peephole-studio", "model=tiny.onnx&set=none", "model=../tiny.onnx&set=sides", "model=tiny.onnx&set=%00",
    "model=tiny.onnx&set=sides%2Funknown%2Fchess",
]  # fmt: skip
CELLS = ["", "0", "0,", ",0", "0,3", "3,0", "-1,0", "0,-1", "0,0,0", "0.5,1", "x,y", "1e1,0", "9" * 5000 + ",0", "²,0", "0, 1"]


@pytest.mark.parametrize("query", BAD)
def test_what_is_not_there_is_refused(live, owner, sides, query):
    """One sentence each, at both addresses."""
    for path in ("/api/mistakes", "/api/mistakes/photos"):
        found = live.ask("GET", f"{path}?{query}&cell=0,0", owner)
        assert found.status in (400, 404) and found.json["error"]


@pytest.mark.parametrize("cell", CELLS, ids=range(len(CELLS)))
def test_cells_that_are_not_there_are_refused(live, owner, sides, cell):
    """One sentence each."""
    found = live.ask("GET", f"/api/mistakes/photos?{ASKED}&cell={urllib.parse.quote(cell)}", owner)
    assert found.status == 400 and "no such cell" in found.json["error"]


def test_a_set_that_takes_too_long_is_refused(live, owner, sides, monkeypatch):
    """With the command that does it."""
    monkeypatch.setattr(mistakes, "MOST_FILES", 10)
    found = live.ask("GET", f"/api/mistakes?{ASKED}", owner)
    assert found.status == 400 and "more than 10 files" in found.json["error"] and "peephole evaluate" in found.json["hint"]


def test_a_visitor_sees_none_of_it(live, sides):
    """Neither counts nor photos."""
    for target in (f"/api/mistakes?{ASKED}", f"/api/mistakes/photos?{ASKED}&cell=0,0", "/api/data/whole?set=sides&photo=left/left-1-0.png"):
        assert live.ask("GET", target, live.visitor()).status == 401


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_whole_photo_is_the_photo(live, owner, folder, mode):
    """Not a pixel changes where it is small enough; a large one is 1,024 long; what the camera wrote is left out."""
    made = folder / "whole" / "x"
    made.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(1)
    for name, size in (("small", (40, 60)), ("large", (700, 1500))):
        pixels = draw.integers(0, 255, (*size, len(mode)), np.uint8)
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        Image.fromarray(pixels.squeeze()).save(made / f"{name}.png", exif=exif)
        answer = live.ask("GET", f"/api/data/whole?set=whole&photo=x/{name}.png", owner)
        found = Image.open(io.BytesIO(answer.body))
        assert found.mode == mode and answer.headers["content-type"] == "image/png" and not found.getexif()
        assert found.size == ((60, 40) if name == "small" else (1024, 478))
        assert name == "large" or np.array_equal(np.asarray(found), pixels.squeeze())
    for name in ("", "x", "../tiny.onnx", "../sides/left/left-1-0.png", "x/none.png", "/etc/passwd", "%00"):
        assert live.ask("GET", f"/api/data/whole?set=whole&photo={name}", owner).status == 400


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script; MPL-2.0, for tests alone."""
    pytest.importorskip("axe_playwright_python")
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def numbers(page: Any) -> list[list[int]]:
    """Return the matrix that a page shows."""
    rows = page.evaluate("[...document.querySelectorAll('.confused tbody tr')].map((row) => [...row.cells].slice(2).map((cell) => cell.innerText))")
    return [[0 if cell == "·" else int(cell) for cell in row] for row in rows]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ko", 390)])
def test_from_a_cell_to_its_photos_to_their_layers(visit, evaluated, axe, language, width):
    """Choose a set, a number, a photo; see what the model made of it, layer by layer, with the same numbers."""
    told, report = evaluated
    watched = visit(viewport={"width": width, "height": 800}, locale=language)
    page = watched.go("report", lang=language, model="tiny.onnx")
    page.select_option("#report-set", "sides")
    page.click("#who")
    page.wait_for_selector(".confused")
    assert numbers(page) == [*told["confusion"], told["strangers"]]
    cell = page.locator('[data-cell="0,1"]')
    assert cell.evaluate("(each) => each.tabIndex") == -1 and page.locator(".confused [tabindex='0']").count() == 1
    cell.click()
    page.wait_for_selector("#behind li")
    wanted = [each for each in report["mistakes"] if (each["truth"], each["given"]) == ("left", "top")]
    assert [each.split("\n")[1] for each in page.locator("#behind li span:not(.why)").all_inner_texts()] == [each["id"] for each in wanted]
    assert page.get_attribute('[data-cell="0,1"]', "aria-pressed") == "true" and "cell=0" in page.url
    assert page.evaluate(FITS) and violations(page, axe) == []
    until(page, "[...document.querySelectorAll('#behind img')].every((each) => each.complete && each.naturalWidth)")
    text = page.locator("#behind li").first.inner_text()
    assert f"{100 * wanted[0]['probability']:.1f} %" in text and f"{wanted[0]['familiarity']:.3f}" in text
    page.locator("#behind a").first.click()
    page.wait_for_selector("#main[data-traced]")
    assert page.inner_text("#verdict") == "top" and wanted[0]["id"] in page.inner_text("aside")
    assert page.locator("#answer .bars .n").first.inner_text() == f"{100 * wanted[0]['probability']:.1f} %"
    page.go_back()
    page.wait_for_selector("#behind li")
    watched.calm()


STEP = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}


def beyond(shown: list[str], cell: str, key: str) -> str:
    """Return the next cell with a number in a key's direction, or the cell itself."""
    row, column = map(int, cell.split(","))
    down, right = STEP[key]
    return next((each for far in range(1, 9) if (each := f"{row + far * down},{column + far * right}") in shown), cell)


def test_the_matrix_by_keyboard(visit, evaluated):
    """Arrow keys go from number to number, over the gaps; Enter shows the photos."""
    watched = visit()
    page = watched.go("report", lang="en", model="tiny.onnx", set="sides")
    page.wait_for_selector(".confused")
    at = "document.activeElement.dataset.cell"
    page.focus(".confused [tabindex='0']")
    shown = page.evaluate("[...document.querySelectorAll('[data-cell]')].map((each) => each.dataset.cell)")
    assert page.evaluate(at) == shown[0]
    seen = [shown[0]]
    for key in ("ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowLeft"):
        wanted = beyond(shown, seen[-1], key)
        page.keyboard.press(key)
        assert page.evaluate(at) == wanted
        seen.append(wanted)
    assert "2,0" in seen and "1,0" not in shown  # one gap at least was gone over
    page.keyboard.press("Enter")
    page.wait_for_selector("#behind li")
    watched.calm()


def test_many_labels_scroll_under_their_heads(visit, evaluated):
    """Thirty labels and the sum of the others: the page stays as wide as the window, the heads stay in sight."""
    watched = visit(viewport={"width": 390, "height": 800})
    size, names = 32, [f"label {number}" for number in range(30)]
    told = {"labels": names, "others": 7, "counts": (np.eye(size, dtype=int) * 3 + 1).tolist(), "photos": 1120, "seen": 0, "notes": []}
    watched.page.route("**/api/mistakes?*", lambda route: route.fulfill(json=told))
    page = watched.go("report", lang="en", model="tiny.onnx", set="sides")
    page.wait_for_selector(".confused")
    assert page.locator(".confused tbody tr").count() == size and page.evaluate(FITS)
    heads = page.locator(".confused tbody th").all_inner_texts()
    assert heads[-2:] == ["7 other labels", "stranger"]
    scroll = "document.querySelector('.confused').parentElement"
    page.evaluate(f"{scroll}.scrollTo(600, 500)")
    for place, side in ((".confused thead th:nth-child(20)", "top"), (".confused tbody tr:nth-child(20) th", "left")):
        spots = page.evaluate(f"[{scroll}, document.querySelector('{place}')].map((each) => each.getBoundingClientRect().{side})")
        assert abs(spots[0] - spots[1]) < 3, place


def kept(page: Any) -> tuple[ET.Element, bytes, str]:
    """Save what is shown and return it read, as bytes, and its name."""
    with page.expect_download() as waited:
        page.click("#save")
    data = waited.value.path().read_bytes()
    return ET.fromstring(data), data, waited.value.suggested_filename


def pixels(group: ET.Element, height: int, width: int) -> np.ndarray:
    """Paint the rectangles of one map."""
    found = np.zeros((height, width, 3), int) - 1
    for each in group.iter(f"{SVG}rect"):
        x, y, wide = (int(each.get(name)) for name in ("x", "y", "width"))
        assert each.get("height") == "1" and (found[y, x : x + wide] == -1).all() and x + wide <= width
        found[y, x : x + wide] = [int(each.get("fill")[at : at + 2], 16) for at in (1, 3, 5)]
    return found


def colours(values: np.ndarray, limit: float) -> np.ndarray:
    """The report's colours of values."""
    return np.array(PALETTE).reshape(-1, 3)[(HALF + np.floor(HALF * values.astype(float) / limit + 0.5)).astype(int)]


def values_of(page: Any, live: Any, owner: Any, layer: str, *shape: int) -> np.ndarray:
    """The layer's values as the server has them."""
    answer = live.ask("GET", f"/api/values?trace={page.evaluate('document.getElementById(`main`).dataset.traced')}&layer={layer}", owner)
    return np.frombuffer(answer.body, "<f4").reshape(shape)


def worked(found: ET.Element) -> tuple[str, float, float]:
    """Return the cell's sum as text, what it comes to when it is worked out, and what it says it is."""
    words = " ".join(each.text for each in found.find(f".//{SVG}g[@id='sum']"))
    text = words[words.index(".", words.index("are ") + 8) + 1 :].strip()
    sum_, _, value = text.replace("−", "-").replace("×", "*").replace(",", "").rpartition(" = ")
    assert re.fullmatch(r"[-+*(). \dΣ:]+", sum_)
    return text, eval(re.sub(r"Σ\d+:", "", sum_)), float(value)  # digits and signs alone


def test_maps_are_saved_as_they_are_shown(visit, live, owner):
    """Every cell of every map in its colour, name and scale, the chosen cell and its sum; the same twice."""
    watched = visit()
    page = watched.go("see", lang="en", model="tiny.onnx", layer="conv1", map=1, at="3,4")
    page.wait_for_selector("#sentence")
    found, data, name = kept(page)
    values = values_of(page, live, owner, "conv1", 2, 8, 8)
    limit = np.abs(values).max()
    assert name == "conv1.svg" and kept(page)[1] == data
    for which in range(2):
        assert np.array_equal(pixels(found.find(f".//{SVG}g[@data-map='{which}']"), 8, 8), colours(values[which], limit))
    texts = [each.text for each in found.iter(f"{SVG}text")]
    assert texts[:3] == ["tiny.onnx · conv1 · Conv · 2 × 8 × 8", f"−{limit:.3f}", f"+{limit:.3f}"]
    assert "conv1, map 1, row 3, column 4" in " ".join(texts)
    text, total, value = worked(found)
    page = watched.go("see", lang="en", model="tiny.onnx", layer="relu1", map=1, at="3,4")
    until(page, "document.getElementById('unit').dataset.cell === 'relu1 1,3,4'")
    zeros = values_of(page, live, owner, "relu1", 2, 8, 8)
    assert np.array_equal(pixels(kept(page)[0].find(f".//{SVG}g[@data-map='1']"), 8, 8), colours(zeros[1], np.abs(zeros).max()))
    assert text.count("×") == 9 and total == pytest.approx(value, abs=2e-5) and value == pytest.approx(float(values[1, 3, 4]), abs=1e-2)
    watched.calm()


def test_a_large_layer_is_a_picture_in_the_drawing(visit, live, owner, folder):
    """More than 20,000 cells: a picture without loss; a sum of 3,456 terms is cut, and says what the rest comes to."""
    graphs.plain(folder / "large.onnx", side=96)
    watched = visit()
    page = watched.go("see", lang="en", model="large.onnx", layer="conv1", map=0, at="5,6")
    page.wait_for_selector("#sentence")
    found, _, _ = kept(page)
    values = values_of(page, live, owner, "conv1", 4, 96, 96)
    for which in range(4):
        drawn = found.findall(f".//{SVG}g[@data-map='{which}']/{SVG}image")
        assert len(drawn) == 1 and drawn[0].get("href").startswith("data:image/png;base64,")
        picture = Image.open(io.BytesIO(base64.b64decode(drawn[0].get("href").split(",")[1]))).convert("RGB")
        assert np.array_equal(np.asarray(picture), colours(values[which], np.abs(values).max()))
    page = watched.go("see", lang="en", model="large.onnx", layer="dense1", map=0, at="0,3")
    until(page, "document.getElementById('unit').dataset.cell === 'dense1 3'")
    found, _, name = kept(page)
    text, total, value = worked(found)
    assert name == "dense1.svg" and text.count("×") == 400 and f"Σ{6 * 24 * 24 - 400}:" in text
    assert total == pytest.approx(value, abs=2e-3)
    row = values_of(page, live, owner, "dense1", 1, 10)
    assert np.array_equal(pixels(found.find(f".//{SVG}g[@data-map='0']"), 1, 10), colours(row, np.abs(row).max()))
    watched.calm()
