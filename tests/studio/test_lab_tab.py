"""The Lab tab in a real browser: its numbers against the mathematics and against NumPy, mouse against keyboard, in two languages and two widths."""

import io

import numpy as np
import pytest
from live import until
from PIL import Image

from peephole.base.errors import MissingExtra
from peephole.lab import drawn
from peephole.studio import labfiles

S1 = [
    [7, -1, 1, 3, 5, -1, 3],
    [-1, 9, -1, 3, -1, 1, -1],
    [1, -1, 9, -3, 1, -1, 5],
    [3, 3, -3, 5, -3, 3, 3],
    [5, -1, 1, -3, 9, -1, 1],
    [-1, 1, -1, 3, -1, 9, -1],
    [3, -1, 5, 3, 1, -1, 7],
]
# The first row of the first map as Rohrer's figure prints it, and as others round it.
PRINTED = ["0.77", "−0.11", "0.11", "0.33", "0.55", "−0.11", "0.33"]
ROUNDED = ["0.78", "−0.11", "0.11", "0.33", "0.56", "−0.11", "0.33"]
PARTS = ("xo", "learn", "ball", "echo", "kernel", "window")
READY = {
    "xo": "document.querySelectorAll('[data-grid=\"flat.0\"] [data-parts]').length === 12",
    "learn": "document.querySelector('#update [data-nudge]') && document.querySelector('#one [data-nudge]')",
    "ball": "document.querySelector('#chance')",
    "echo": "document.querySelector('#after')?.duration > 0",
    "kernel": "document.querySelector('#sums [data-total]')",
    "window": "document.querySelector('#sentence')?.textContent",
}
NEEDS = {"echo": "soundfile", "kernel": "scipy"}


@pytest.fixture
def lab(visit):
    """Return a function that opens a part of the lab for somebody who gave no code, and waits until it stands."""
    opened = []

    def open_(part, ready=None, **values):
        if part in NEEDS:
            pytest.importorskip(NEEDS[part])
        watched = visit(owner=False, **{key: values.pop(key) for key in ("viewport", "locale", "color_scheme") if key in values})
        opened.append(watched)
        page = watched.go("lab", part=part, **values)
        until(page, ready or READY[part])
        return page

    yield open_
    for watched in opened:
        watched.calm()


def read(page, grid, name="parts"):
    """Return a grid's numbers from their data attributes."""
    rows = f"[...document.querySelectorAll('[data-grid=\"{grid}\"] tr')]"
    script = f"{rows}.map((row) => [...row.cells].map((cell) => cell.dataset.{name}))"
    return np.array([[float(value) for value in row] for row in page.evaluate(script)])


def sheets(page, place):
    """Return the numbers of the small tables in a place."""
    cells = "[...each.querySelectorAll('td')].map((cell) => Number(cell.dataset.value))"
    return page.evaluate(f"[...document.querySelectorAll('{place} table')].map((each) => {cells})")


def cell(page, grid, row, column):
    return page.locator(f'[data-grid="{grid}"] tr').nth(row).locator("td").nth(column)


def sentence(page):
    """Return what is written about the chosen cell; a screen reader is told the same."""
    found = page.locator("#sentence").inner_text()
    assert page.locator("#spoken").text_content() == found
    return found


def pooled(values, partial=True):
    """2 x 2 max pooling, cut windows kept or left out, in one line of NumPy each."""
    side = len(values)
    ends = range(0, side if partial else side - 1, 2)
    return np.array([[values[row : row + 2, column : column + 2].max() for column in ends] for row in ends])


def worked(picture, kernels):
    """Return by NumPy alone what the page should show of a picture (9, 9) and filters (3, 3, 3): matches, ReLU, pooled, pooled again, in ninths."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 3))
    matches = [(windows * kernel).sum((2, 3)) for kernel in kernels]
    rectified = [np.maximum(match, 0) for match in matches]
    once = [pooled(each) for each in rectified]
    return {"match": matches, "relu": rectified, "pool": once, "twice": [pooled(each) for each in once]}


def settled(page, wanted):
    """Wait for what is wanted, and until the matches are those of the picture and the filters on the page; return what NumPy makes of them."""
    for _ in range(100):
        there = wanted(page)
        shown = worked(read(page, "picture", "value"), [read(page, f"filter.{which}", "value") for which in range(3)])
        if there and all(np.array_equal(read(page, f"match.{which}"), shown["match"][which]) for which in range(3)):
            return shown
        page.wait_for_timeout(50)
    raise AssertionError("the page does not settle")


class TestXOrO:
    def test_the_example(self, lab):
        """Every map of the X is the one of the mathematics; cut off as printed, rounded as others do."""
        page = lab("xo")
        assert read(page, "match.0").tolist() == S1
        assert read(page, "match.2").tolist() == np.fliplr(S1).tolist()
        assert read(page, "match.1")[3].tolist() == [-1, 3, -7, 9, -7, 3, -1]
        assert read(page, "pool.0").tolist() == [[9, 3, 5, 3], [3, 9, 3, 5], [5, 3, 9, 1], [3, 5, 1, 7]]
        assert read(page, "flat.0").tolist() == [[9, 5, 5, 9, 9, 5, 5, 5, 5, 9, 9, 5]]
        assert page.locator("#verdict").inner_text() == "X"
        first = page.locator('[data-grid="match.0"] tr').first.locator("td")
        assert first.all_inner_texts()[:2] == ["7/9", "−1/9"]
        for kind, wanted in (("cut", PRINTED), ("round", ROUNDED)):
            page.locator(f'[data-choice="{kind}"]').click()
            until(page, f"document.querySelector('[data-choice=\"{kind}\"]').ariaPressed === 'true'")
            assert first.all_inner_texts() == wanted

    def test_an_edited_picture_is_worked_as_numpy_works_it(self, lab):
        """A click, a drag and the keyboard change pixels; all maps, both poolings and the votes follow."""
        page = lab("xo")
        before = read(page, "picture", "value")
        cell(page, "picture", 0, 4).click()
        box = cell(page, "picture", 8, 1).bounding_box()
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 5 + 3 * box["width"], box["y"] + 5, steps=12)
        page.mouse.up()
        cell(page, "picture", 4, 4).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        shown = settled(page, lambda page: read(page, "picture", "value").sum() != before.sum())
        after = read(page, "picture", "value")
        assert {tuple(place) for place in np.argwhere(before != after).tolist()} == {(0, 4), (8, 1), (8, 2), (8, 3), (8, 4), (5, 4)}
        for stage in ("match", "relu", "pool", "twice"):
            for which in range(3):
                assert read(page, f"{stage}.{which}").tolist() == shown[stage][which].tolist(), (stage, which)
        flat = np.concatenate([each.ravel() for each in shown["twice"]])
        assert read(page, "flat.0")[0].tolist() == flat.tolist()
        page.locator("#step-pool summary").click()
        floors = sheets(page, "#step-pool details")
        assert floors == [pooled(each, partial=False).ravel().tolist() for each in shown["relu"]]
        for label, voters in (("X", [0, 3, 4, 9, 10]), ("O", [1, 2, 8, 11])):
            share = float(page.locator(f'[data-vote="{label}"]').get_attribute("data-share"))
            assert share == pytest.approx(flat[voters].mean() / 9, abs=1e-12)

    def test_a_filter_is_edited_by_keyboard(self, lab):
        """K[0, 0]: 1 -> -1 makes S[0][0] go from 7 to 9; Space takes it back."""
        page = lab("xo")
        assert read(page, "match.0")[0, 0] == 7
        cell(page, "filter.0", 0, 0).focus()
        page.keyboard.press("-")
        settled(page, lambda page: read(page, "match.0")[0, 0] == 9)
        assert read(page, "match.1")[0, 0] == 3
        page.keyboard.press("Space")
        settled(page, lambda page: read(page, "match.0")[0, 0] == 7)
        page.keyboard.press("x")
        page.keyboard.press("1")
        page.wait_for_timeout(100)
        assert read(page, "filter.0", "value").tolist() == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]

    @pytest.mark.parametrize("place", ["match.0.1.1", "match.2.0.3", "relu.1.3.2", "pool.2.3.3", "pool.0.1.1", "twice.1.1.0", "flat.0.0.7"])
    def test_mouse_and_keyboard_give_the_same_sentence(self, lab, place):
        """Going over a cell and walking to it by arrow keys say the same, aloud as well."""
        stage, which, row, column = place.split(".")
        page = lab("xo")
        cell(page, f"{stage}.{which}", int(row), int(column)).hover()
        by_mouse = sentence(page)
        assert by_mouse
        page = lab("xo")
        cell(page, f"{stage}.{which}", 0, 0).focus()
        for _ in range(int(row)):
            page.keyboard.press("ArrowDown")
        for _ in range(int(column)):
            page.keyboard.press("ArrowRight")
        assert sentence(page) == by_mouse
        assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"

    def test_the_nine_products_add_up(self, lab):
        """The products of a cell are those of the pixels under the filter, and their sum is the match that the server gave."""
        page = lab("xo", at="match.0.0.0")
        total = page.locator("#total")
        assert (total.get_attribute("data-cut"), total.get_attribute("data-round")) == ("0.77", "0.78")
        picture, kernel = read(page, "picture", "value"), read(page, "filter.2", "value")
        for row, column in ((1, 3), (2, 4), (5, 1)):
            cell(page, "match.2", row, column).hover()
            pixels, weights, products = sheets(page, "#cell")
            assert pixels == picture[row : row + 3, column : column + 3].ravel().tolist()
            assert weights == kernel.ravel().tolist()
            assert products == (np.array(pixels) * weights).tolist()
            assert float(total.get_attribute("data-total")) == float(total.get_attribute("data-parts")) == sum(products)
            assert total.get_attribute("data-closes") == "true"

    def test_buttons_and_going_back(self, lab):
        """O draws the O, shifting shifts it; going back undoes; a copied address shows the same."""
        page = lab("xo")
        page.locator('[data-change="o"]').click()
        settled(page, lambda page: np.array_equal(read(page, "picture", "value"), drawn.ring()))
        assert page.locator("#verdict").inner_text() == "O"
        page.locator('[data-change="down"]').click()
        wanted = drawn.shift(drawn.ring(), 1, 0)
        settled(page, lambda page: np.array_equal(read(page, "picture", "value"), wanted))
        copied = page.url
        page.go_back()
        settled(page, lambda page: np.array_equal(read(page, "picture", "value"), drawn.ring()))
        page.goto("about:blank")
        page.goto(copied)
        until(page, READY["xo"])
        assert np.array_equal(read(page, "picture", "value"), wanted)

    def test_whole_pictures_fail_where_parts_match(self, lab):
        """The X two to the right looks like an O as a whole, and is an X by its parts, with a line for each place that fits."""
        page = lab("xo")
        told = page.locator("[data-whole]")
        assert [told.get_attribute(f"data-{name}") for name in ("whole", "x", "o")] == ["O", "61", "62"]
        lines = page.evaluate("[...document.querySelectorAll('line[data-part]')].map((each) => each.dataset.part)")
        kernels = [read(page, f"filter.{which}", "value") for which in range(3)]
        both = [worked(drawn.shift(drawn.cross(), 0, right), kernels)["match"] for right in (0, 2)]
        fits = [min(int((matches[which] == 9).sum()) for matches in both) for which in range(3)]
        assert [lines.count(name) for name in ("F1", "F2", "F3")] == fits == [3, 1, 3]


class TestLearning:
    def test_one_weight(self, lab):
        """0.2 − 0.1 × (−2.4) = 0.44, and the nudge finds the same slope; the next step goes on from there."""
        page = lab("learn")
        told = page.locator("#one .total")
        assert [float(told.get_attribute(f"data-{name}")) for name in ("old", "slope", "rate", "new")] == pytest.approx([0.2, -2.4, 0.1, 0.44])
        assert float(page.locator("#one [data-nudge]").get_attribute("data-nudge")) == pytest.approx(-2.4, abs=1e-6)
        page.locator("#one-step").click()
        until(page, "Number(document.querySelector('#one .total').dataset.old) > 0.4")
        assert float(told.get_attribute("data-new")) == pytest.approx(0.488)

    def test_steps(self, lab):
        """Each step's weight moves by the rate times its slope; playing reaches the end; another weight is followed by a key."""
        page = lab("learn")
        page.locator("#forward").click()
        page.locator("#forward").click()
        until(page, "location.hash.endsWith('n=2')")
        told = page.locator("#update .total")
        old, slope, rate, new = (float(told.get_attribute(f"data-{name}")) for name in ("old", "slope", "rate", "new"))
        assert new == pytest.approx(old - rate * slope, rel=1e-12)
        assert read(page, "learned.0", "value")[1, 1] == pytest.approx(new, rel=1e-5)
        cell(page, "learned.2", 0, 0).focus()
        page.keyboard.press("Space")
        until(page, "document.querySelector('#update').textContent.includes('Filter 3, row 0, column 0')")
        assert read(page, "learned.2", "value")[0, 0] == pytest.approx(float(told.get_attribute("data-new")), rel=1e-5)
        page.locator("#step").fill("110")
        page.locator("#play").click()
        until(page, "document.querySelector('#step').value === '120'")
        assert float(page.locator("#told [data-accuracy]").get_attribute("data-accuracy")) > 0.95

    def test_too_large_a_rate_is_shown_to_run_away(self, lab):
        """At a rate of 10 the page says so; at 0.2 it does not."""
        assert lab("learn", rate=10, n=40).locator("#away").is_visible()
        assert lab("learn", rate=0.2, n=40).locator("#away").count() == 0


class TestBall:
    def test_the_example_and_the_way_back(self, lab):
        """1/5 for c = 3, four ways that light up, their shares; typing another weight changes all of it."""
        page = lab("ball")
        assert page.locator("#chance").get_attribute("data-chance") == "1/5"
        shares = page.evaluate("[...document.querySelectorAll('#ways [data-share]')].map((each) => each.dataset.share)")
        assert shares == ["1/5", "3/10", "3/10", "1/5"]
        page.locator("#c-0").click()
        until(page, "document.querySelector('#chance').dataset.chance === '1/100'")
        assert page.locator("#f .lit").count() == page.locator("#g .lit").count() == 1
        page.locator("#f-0").fill("5")
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#chance').dataset.chance === '1/28'")

    def test_a_way_lights_up_where_it_goes(self, lab):
        """Three and two places: the only way to 3 is first 2, then 1."""
        page = lab("ball", f="5,3,2", g="6,4", c=3)
        lit = "[...document.querySelectorAll('#{} .well i')].map((bar) => bar.classList.contains('lit'))"
        assert page.evaluate(lit.format("f")) == [False, False, True]
        assert page.evaluate(lit.format("g")) == [False, True]

    def test_dice_and_a_dragged_bar(self, lab):
        """Seven has 1/6; a bar dragged down takes its place's chance away."""
        page = lab("ball")
        page.locator('[data-preset="dice"]').click()
        until(page, "document.querySelector('#chance').dataset.chance === '1/6'")
        page.keyboard.press("Tab")
        box = page.locator("#f .well").first.bounding_box()
        page.mouse.move(box["x"] + 10, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 10, box["y"] + box["height"] - 1, steps=4)
        page.mouse.up()
        until(page, "document.querySelector('#f [data-chance]').dataset.chance === '0/1'")
        assert page.locator("#f-0").input_value() == "0"
        until(page, "document.querySelector('#chance').dataset.chance === '1/6'")


class TestEcho:
    def test_it_is_heard(self, lab):
        """Both sounds can be played; an echo of 0.5 s makes it 0.5 s longer; three echoes are three spikes more."""
        page = lab("echo", delay=0.5)
        seconds = [page.evaluate(f"document.getElementById('{name}').duration") for name in ("before", "after")]
        assert seconds[1] - seconds[0] == pytest.approx(0.5, abs=0.01)
        page.locator("#echo-times").fill("3")
        page.keyboard.press("Enter")
        until(page, "document.querySelectorAll('[data-spike]').length === 4")
        assert [float(each.get_attribute("data-spike")) for each in page.locator("[data-spike]").all()] == [1, 0.5, 0.25, 0.125]

    def test_a_file_that_is_no_sound(self, lab, visit):
        """The page says so and goes on."""
        pytest.importorskip("soundfile")
        watched = visit(owner=False)
        page = watched.go("lab", part="echo")
        until(page, READY["echo"])
        page.locator("#sound").set_input_files({"name": "song.wav", "mimeType": "audio/wav", "buffer": b"no sound at all"})
        page.wait_for_selector(".failure")
        assert "no sound file" in page.locator(".failure").inner_text()
        assert not watched.elsewhere


class TestKernel:
    def test_turned_and_not(self, lab):
        """At an edge of 0 and 9 the two differ in their sign; the products are those of the cells; typing a number makes a kernel of one's own."""
        page = lab("kernel", pic="step", kernel="edge", at="2,2")
        totals = {each.get_attribute("data-kind"): float(each.get_attribute("data-total")) for each in page.locator("#sums [data-kind]").all()}
        assert totals == {"convolution": -9, "correlation": 9}
        page.locator("#w-0-0").fill("3")
        page.keyboard.press("Enter")
        until(page, "location.hash.includes('kernel=own') && document.querySelector('[data-kind=correlation]').dataset.total === '9'")
        until(page, "document.querySelector('[data-kind=convolution]').dataset.total === '27'")
        page.locator('[data-view="correlation"]').focus()
        page.keyboard.press("ArrowRight")
        until(page, "document.querySelector('[data-kind=correlation]').dataset.total === '36'")

    def test_mouse_and_keyboard_give_the_same_sentence(self, lab):
        """The cell under the mouse and the one reached by keys are told alike."""
        page = lab("kernel", pic="step", kernel="sobel-x", at="0,0")
        box = page.locator('[data-view="convolution"]').bounding_box()
        page.mouse.move(box["x"] + 1.5 / 5 * box["width"], box["y"] + 2.5 / 5 * box["height"])
        until(page, "document.querySelector('#sentence').textContent.startsWith('Row 2, column 1')")
        by_mouse = sentence(page)
        page = lab("kernel", pic="step", kernel="sobel-x", at="0,0")
        page.locator('[data-view="convolution"]').focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
            page.keyboard.press(key)
        until(page, "document.querySelector('#sentence').textContent.startsWith('Row 2, column 1')")
        assert sentence(page) == by_mouse

    def test_a_picture_and_a_patch_of_ones_own(self, lab):
        """A picture that is chosen is shown grey and small; a patch cut from it is a filter that fits there best."""
        page = lab("kernel")
        picture = np.full((300, 200), 255, np.uint8)
        picture[100:180, 90:110] = 0
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        page.locator("#picture").set_input_files({"name": "bar.png", "mimeType": "image/png", "buffer": file.getvalue()})
        until(page, "document.querySelector('[data-choice=own]')")
        page.select_option("#kernel-kernel", "patch")
        until(page, "location.hash.includes('kernel=patch') && document.querySelectorAll('#sums table').length === 6")
        assert sum(sheets(page, "#sums")[4]) == pytest.approx(0, abs=1e-9)


class TestWindow:
    def test_formula_and_cells(self, lab):
        """Places by the formula, the sums of the cells inside, the cut window when it is asked for."""
        page = lab("window", n=7, k=2, s=2)
        assert page.locator("#formula").get_attribute("data-places") == "3"
        page.locator("#partial").check()
        until(page, "document.querySelector('#formula').dataset.places === '4'")
        grid = np.array([[(3 * row + 5 * column + row * column) % 10 for column in range(7)] for row in range(7)])
        wanted = [[grid[row : row + 2, column : column + 2].sum() for column in range(0, 7, 2)] for row in range(0, 7, 2)]
        assert read(page, "window.output", "value").tolist() == wanted
        cell(page, "window.output", 3, 1).hover()
        by_mouse = sentence(page)
        assert "2 of its 4 cells inside" in by_mouse
        inside = "[...document.querySelectorAll('[data-grid=\"window.input\"] td')].flatMap((each, at) => each.classList.contains('in') ? [at] : [])"
        assert page.evaluate(inside) == [44, 45]
        cell(page, "window.output", 3, 0).focus()
        page.keyboard.press("ArrowRight")
        assert sentence(page) == by_mouse
        page.locator("#window-p").fill("1")
        page.keyboard.press("Enter")
        until(page, "document.querySelectorAll('[data-grid=\"window.input\"] td').length === 81")


class TestEveryPart:
    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("width", [1280, 390])
    def test_in_both_languages_without_overflow(self, lab, part, width):
        """Each part stands in English and Korean, at both widths, with no key for a word and nothing beside the page."""
        texts = {}
        for locale in ("en-US", "ko-KR"):
            page = lab(part, locale=locale, viewport={"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            texts[locale] = page.locator("#main").inner_text()
            assert f"{part}." not in texts[locale].replace("e.g.", "")
            assert "undefined" not in texts[locale]
        assert any("가" <= letter <= "힣" for letter in texts["ko-KR"])
        assert not any("가" <= letter <= "힣" for letter in texts["en-US"])

    @pytest.mark.parametrize(("part", "scheme"), [*((part, "light") for part in PARTS), ("ball", "dark"), ("kernel", "dark")])
    def test_can_be_used_by_anybody(self, lab, part, scheme):
        """axe-core finds no violation of WCAG A and AA; the colours that turn in the dark are those of all parts."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        page = lab(part, color_scheme=scheme)
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []

    @pytest.mark.parametrize(
        ("part", "control", "key", "settled"),
        [
            ("xo", "[data-choice=cut]", "Enter", "document.querySelector('[data-choice=cut]').ariaPressed === 'true'"),
            ("learn", "#one-step", "Enter", "Number(document.querySelector('#one .total').dataset.old) > 0.4"),
            ("ball", "#c-5", "Space", "document.querySelector('#c-5').ariaPressed === 'true'"),
            ("echo", "[data-choice=spike]", "Enter", "document.querySelector('[data-choice=spike]').ariaPressed === 'true'"),
            ("kernel", "[data-choice=star]", "Enter", "document.querySelector('[data-choice=star]').ariaPressed === 'true'"),
            ("window", "[data-choice=max]", "Enter", "document.querySelector('[data-choice=max]').ariaPressed === 'true'"),
        ],
    )
    def test_the_keyboard_stays_where_it_is(self, lab, part, control, key, settled):
        """A control that is pressed by key keeps the focus when the page draws anew."""
        page = lab(part)
        page.locator(control).focus()
        page.keyboard.press(key)
        until(page, settled)
        assert page.evaluate(f"document.activeElement === document.querySelector({control!r})")

    def test_without_scipy_the_page_says_what_is_missing(self, visit, monkeypatch):
        """The kernel names the pip command; the other parts work."""

        def absent(name):
            raise MissingExtra("this needs scipy, which is not installed", 'pip install "peephole[explore]"')

        monkeypatch.setattr(labfiles, "load", absent)
        page = visit(owner=False).go("lab", part="kernel")
        page.wait_for_selector(".failure")
        assert 'pip install "peephole[explore]"' in page.locator(".failure").inner_text()
        page.goto(page.url.split("#")[0] + "#lab?part=ball")
        until(page, READY["ball"])
