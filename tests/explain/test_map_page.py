"""The map as a person meets it: in a browser, from disk, by mouse and by keys, in two languages; and as a table and a figure."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import OutputError
from peephole.explain import drawn
from peephole.explain.embedding import draw_map, project
from peephole.explain.mapfiles import draw, table, to_json, write_figure
from peephole.explain.mappage import About, pictures, render, write
from peephole.explain.scatter import NAMED, SHAPES, frame, scatter, signs

HOSTILE = "<img src=x onerror=alert(1)>"
FORMULA = "=1+1</script>"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A map of 66 points with hostile names and labels, strangers, and four new points, one of them far from all; and the pictures."""
    draw_ = np.random.default_rng(5)
    kinds = [HOSTILE, "ㅇ 동그라미", None]
    labels = [kinds[i % 3] for i in range(66)]
    vectors = 5 * np.eye(8)[np.arange(66) % 3] + draw_.normal(0, 0.6, (66, 8))
    names = [f"{FORMULA} {i}.png" for i in range(66)]
    projection = project(vectors, names, labels)
    new = np.concatenate([vectors[:3] + 0.01, [[90.0] * 8]])
    placed = projection.place(new, [f"new {i}" for i in range(4)], [HOSTILE, "", None, "another"])
    root = tmp_path_factory.mktemp("pictures")
    for i in range(66):
        Image.fromarray(draw_.integers(0, 255, (20, 30), np.uint8)).save(root / f"{i}.png")
    (root / "7.png").unlink()
    return replace(projection.map, new=placed), pictures([root / f"{i}.png" for i in range(66)])


@pytest.fixture(scope="module")
def page_file(found, tmp_path_factory):
    """Its page."""
    return write(found[0], About("door.onnx", "photos <b>", ("1 file left out",)), tmp_path_factory.mktemp("map") / "map.html", shown=found[1])


def test_it_asks_for_nothing(open_page, page_file):
    """Opened from disk it requests itself alone and complains of nothing; its policy forbids the rest."""
    page = open_page(page_file)
    assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.complaints == [] and "default-src 'none'" in page_file.read_text("utf-8")


def test_names_stay_names(open_page, page_file):
    """Names and labels that are HTML, or that would end the script's data, are read as they are called, everywhere."""
    page = open_page(page_file)
    assert page.evaluate("document.querySelectorAll('[onerror], main b b, img[src=x]').length") == 0
    assert HOSTILE in page.locator(".legend-list").inner_text()
    page.locator('[data-step="1"]').click()
    assert page.locator(".peek code").first.inner_text() == f"{FORMULA} 0.png"
    assert page.locator(".peek b").first.inner_text() == HOSTILE
    assert page.locator("h1").inner_text() == "How the model sees photos <b>: a map of 66 points"


def test_mouse_and_keys_say_the_same(open_page, page_file, found):
    """Pointing at a place, searching its name and stepping to it show the same name, picture and neighbours, in both views."""
    page = open_page(page_file, viewport={"width": 1200, "height": 900})
    data = json.loads(page.locator("#map-data").text_content())
    said = set()
    for view in range(2):
        x, y = data["views"][view][10:12]
        box = page.locator("svg.scatter").nth(view).bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 2)
        page.mouse.move(box["x"] + x * box["width"] / 480, box["y"] + y * box["height"] / 480)
        said.add(page.locator(".peek").inner_html())
    page.locator(".seek input").fill(f"{FORMULA} 5.png")
    said.add(page.locator(".peek").inner_html())
    assert page.locator(".seek output").inner_text() == "1"
    page.locator(".seek input").press("Escape")
    page.reload()
    for _ in range(7):
        page.locator('[data-step="1"]').click()
    page.locator('[data-step="-1"]').click()
    said.add(page.locator(".peek").inner_html())
    assert len(said) == 1 and page.locator(".peek code").first.inner_text() == f"{FORMULA} 5.png"
    near = found[0].neighbours[5]
    page.locator(".seek input").fill(f"{FORMULA} 5.png")
    assert page.locator(".peek code").all_inner_texts()[1:] == [found[0].names[int(each)] for each in near]
    assert page.locator("svg.scatter").nth(1).locator(".marks line").count() == len(near)


def test_a_picture_that_went_away_is_left_out(open_page, page_file, found):
    """A photo that was deleted since has words and no picture; the others have theirs."""
    page = open_page(page_file)
    assert found[1][7] == "" and found[1][8].startswith("data:image/")
    for name, pictured in ((f"{FORMULA} 7.png", 0), (f"{FORMULA} 8.png", 1)):
        page.locator(".seek input").fill(name)
        assert page.locator(".peek img").count() == pictured


def test_the_page_says_what_was_measured(open_page, page_file, found):
    """Its tables hold the numbers of the map, and the cautions stand on it."""
    page, kept = open_page(page_file), found[0].faithfulness
    row = page.locator("#belief tbody tr").first.locator("td").all_inner_texts()
    assert row == [f"{value:.3f}" for value in (kept.trustworthiness, kept.continuity, kept.agreement, kept.chance, kept.spearman)]
    said = page.locator(".cautions").inner_text()
    for words in (
        "size of a cluster means nothing",
        "Distances between clusters may mean nothing",
        "Noise can look like structure",
        "must be smaller",
    ):
        assert words in said
    assert page.locator("#new tbody tr").nth(3).inner_text().endswith("far from all")
    page.locator("#points summary").click()
    places = page.locator("#points tbody tr").nth(2).locator("td").all_inner_texts()
    assert [float(each.replace("−", "-")) for each in places[1:5]] == pytest.approx([*found[0].points[2], *found[0].beside.points[2]], abs=0.0051)


def test_both_languages(open_page, page_file):
    """In Korean no English is left but names; the panel follows the language too."""
    page = open_page(page_file, "#ko")
    page.wait_for_function("document.documentElement.lang === 'ko'")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.locator('[data-step="1"]').click()
    assert "임베딩에서 가장 가까운 점" in page.locator(".peek").inner_text()
    shown = page.locator("body").inner_text() + page.title()
    shown += " ".join(page.evaluate("[...document.querySelectorAll('[aria-label]')].map((each) => each.getAttribute('aria-label'))"))
    names = "Peephole English img src onerror alert script png oner new another door onnx photos file left out SNE PCA MDS HDBSCAN KL map csv log"
    assert set(re.findall("[A-Za-z]{2,}", shown)) <= set(names.split()), set(re.findall("[A-Za-z]{2,}", shown)) - set(names.split())


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_fits_a_phone(open_page, page_file, language):
    """At 390 pixels nothing stands over, and what the panel says does not push the map about."""
    page = open_page(page_file, f"#{language}", viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    top = page.locator("svg.scatter").first.bounding_box()["y"]
    page.locator('[data-step="1"]').click()
    assert page.locator("svg.scatter").first.bounding_box()["y"] == top


def test_it_reads_without_its_script(open_page, page_file):
    """Without script every point still tells its name, and the controls that would do nothing are not shown."""
    page = open_page(page_file, java_script_enabled=False)
    titles = page.locator("svg.scatter").first.locator("use title")
    assert titles.count() == 70 and titles.first.text_content() == f"{FORMULA} 0.png · {HOSTILE}"
    assert not page.locator(".seek").is_visible() and page.locator("#points table").count() == 1


def test_every_colour_has_contrast(open_page, page_file):
    """Every sign against its sheet has at least 3 : 1 (WCAG 1.4.11), in light and in dark."""

    def light(colour):
        parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))

    for scheme in ("light", "dark"):
        page = open_page(page_file, color_scheme=scheme)
        names = ["sheet", *(f"c{at}" for at in range(8)), "c-rest"]
        read = "(names) => names.map((name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())"
        sheet, *colours = page.evaluate(read, names)
        for colour in colours:
            low, high = sorted((light(colour), light(sheet)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, colour)


def test_labels_have_signs_of_their_own():
    """48 labels differ in shape or colour; strangers and what is beyond have the sign of the rest."""
    given = signs([*(f"label {i:02}" for i in range(60)), None, ""])
    own = [(given[f"label {i:02}"].shape, given[f"label {i:02}"].colour) for i in range(60)]
    assert len(set(own[:48])) == 48 and set(own[48:]) == {(None, None)} and given[None].shape is None
    assert {shape for shape, _ in own[:48]} == set(range(SHAPES))


def test_many_points_are_dots():
    """Over 2,000 points one path for each label holds them all, at the same places; one scale for both axes."""
    draw_ = np.random.default_rng(1)
    points = draw_.normal(size=(NAMED + 1, 2)) * [3, 1]
    labels = ["a"] * 1_000 + ["b"] * (NAMED - 999)
    shown = scatter(points, [""] * len(points), labels, signs(labels), number=0, key="map.pca.alt")
    assert shown.count("<path class=") == 2 and shown.count("h0") == len(points) and "<title>" not in shown
    at = frame(points).pixels(points)
    assert np.ptp(at[:, 0]) / np.ptp(at[:, 1]) == pytest.approx(np.ptp(points[:, 0]) / np.ptp(points[:, 1]), rel=0.01)


def test_the_table_holds_every_point(found):
    """As CSV: known, new and far points; no cell is a formula; as JSON nothing is NaN."""
    rows = list(csv.DictReader(io.StringIO(table(found[0]).removeprefix("\ufeff"))))
    assert [row["kind"] for row in rows] == ["known"] * 66 + ["new"] * 3 + ["far"]
    assert (
        rows[5]["name"] == f"'{FORMULA} 5.png"
        and rows[5]["label"] == "stranger"
        and not any(cell[:1] in "=+@" and cell for row in rows for cell in row.values())
    )
    assert float(rows[3]["tsne_x"]) == pytest.approx(found[0].points[3, 0], rel=1e-4) and rows[0]["group_kmeans"] in {"1", "2", "3"}
    values = json.loads(to_json(found[0]), parse_constant=pytest.fail)
    assert values["points"][4] == found[0].points[4].tolist() and values["new"]["far"] == [False, False, False, True]


def test_the_same_map_is_the_same_bytes(found, tmp_path):
    """Page, table and figures, PNG and SVG, written twice are the same; no date or version stands in them."""
    about = About("door.onnx")
    assert render(found[0], about) == render(found[0], about)
    for ending in (".png", ".svg"):
        once, again = (write_figure(found[0], tmp_path / f"{name}{ending}").read_bytes() for name in ("once", "again"))
        assert once == again and len(once) > 10_000
        assert not re.search(rb"20\d\d-\d\d-\d\d|tEXtSoftware|matplotlib version", once, re.I)


def test_figures_write_korean(found, tmp_path, monkeypatch):
    """Letters of any script are drawn where a font has them, and without one nothing fails, warnings being errors here."""
    with_font = write_figure(found[0], tmp_path / "with.png", "ko").read_bytes()
    monkeypatch.setattr(drawn, "KOREAN", ())
    assert drawn.fonts() == ["DejaVu Sans"]
    assert write_figure(found[0], tmp_path / "without.png", "ko").stat().st_size > 10_000 and len(with_font) > 10_000


def test_names_are_no_formulas(tmp_path):
    """A label of dollars and backslashes is drawn as it is called."""
    vectors = np.random.default_rng(0).normal(size=(9, 3))
    odd = draw_map(vectors, [f"{i}" for i in range(9)], ["$\\frac{1$"] * 5 + ["_private"] * 4)
    assert write_figure(odd, tmp_path / "odd.svg").stat().st_size > 5_000
    assert [text.get_text() for text in draw(odd).legends[0].get_texts()] == ["$\\frac{1$ (5)", "_private (4)"]


def test_a_figure_is_called_png_or_svg(found, tmp_path):
    """Another ending is refused before anything is drawn."""
    with pytest.raises(OutputError, match=r"ends in \.png or \.svg"):
        write_figure(found[0], tmp_path / "map.jpg")
