"""Claims are judged by their rule, and the page says what was measured: no more, no less, in both languages."""

import json
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bench.claims import rows
from bench.claims_page import LANGUAGES, PAGES, block, filled
from bench.notes import figures, filters, gradient, pooling, rebuilt, said, sets, words_en, words_ko
from bench.notes.measured import KEPT, Measured, Setting, keep, load
from bench.notes.sets import Drawn
from bench.notes.trained import Effort, plain, products, weights
from bench.notes.verdict import FAILS, HOLDS, OPEN, Statement, Verdict, interval, judged, verdict
from torch import nn

from bench import claims_page
from peephole.nets.blocks import Network, Shape
from peephole.train.loop import Examples

TINY = Effort(seeds=(0, 1), steps=2, judged=3)


def _drawn(count: int = 30, side: int = 28) -> Drawn:
    torch.manual_seed(0)
    examples = Examples(torch.randint(0, 256, (count, 1, side, side), dtype=torch.uint8), torch.arange(count) % 10)
    return Drawn(examples, examples, examples)


class TestTheRule:
    """A verdict follows from the differences alone."""

    def test_the_interval_is_students(self):
        """Mean 3 of 1..5, half width 2.776 x 1.5811 / sqrt 5."""
        mean, low, high = interval([1.0, 2.0, 3.0, 4.0, 5.0])
        assert (mean, round(low, 3), round(high, 3)) == (3.0, 1.037, 4.963)

    @pytest.mark.parametrize(
        ("differences", "word"),
        [
            ([2.0, 2.4, 1.9, 2.2, 2.1], HOLDS),  # surely more
            ([-2.0, -2.4, -1.9, -2.2, -2.1], FAILS),  # surely less
            ([0.01, -0.02, 0.0, 0.02, -0.01], FAILS),  # surely no difference that matters
            ([0.1, 0.12, 0.11, 0.1, 0.12], FAILS),  # surely more, but by less than matters
            ([4.0, -3.0, 2.0, -1.0, 3.0], OPEN),  # too few draws for so much noise
        ],
    )
    def test_holds_does_not_hold_or_cannot_be_told(self, differences, word):
        """The margin is half a point."""
        assert verdict(differences, 0.5).word == word

    def test_differences_are_taken_draw_by_draw(self):
        """Draws that differ widely, while one setting always leads by a point, are no noise; the mirrored statement fails."""
        more, less = (60.0, 70.0, 80.0, 90.1), (59.0, 69.0, 79.0, 89.0)
        measured = Measured("c", (1, 2, 3, 4), {}, (Setting("a", {}, {"right": more}), Setting("b", {}, {"right": less})))
        assert judged(Statement("c", "a", "b"), measured).word == HOLDS
        assert judged(Statement("c", "b", "a"), measured).word == FAILS

    @pytest.mark.parametrize(
        ("words", "whole"),
        [((HOLDS, HOLDS), HOLDS), ((FAILS, FAILS), FAILS), ((HOLDS, OPEN), "part"), ((FAILS, OPEN), OPEN), ((HOLDS, FAILS), "part")],
    )
    def test_a_claim_of_several_statements(self, words, whole):
        """Only what all statements agree on is said of a claim without reserve."""
        assert said.together([Verdict(0, 0, 0, 5, word) for word in words]) == whole


class TestTheNetworks:
    """What is said to be equal is equal."""

    def test_multiplications_are_those_of_the_paper(self):
        """28 x 28 x 192 to 32 maps by 5x5: 120,422,400; with 1x1 to 16 first 12,443,648 (Szegedy et al. 2015)."""
        direct = nn.Conv2d(192, 32, 5, padding=2)
        first = nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding=2))
        for steps, count in ((direct, 120_422_400), (first, 12_443_648)):
            network = Network(nn.Sequential(steps), "", (0.0,), (1.0,))
            assert products(network, Shape(192, 28, 28)) == count

    def test_windows_of_every_size_have_equal_networks(self):
        """With stride 2 to the last weight; with a wider layer within two per cent."""
        networks = {trial.name: trial.network(_drawn()) for trial in pooling.trials("mnist")}
        heavy = weights(networks["mnist stride 2"])
        for window in pooling.WINDOWS[1:]:
            assert weights(networks[f"mnist overlap {window}"]) == heavy
            assert weights(networks[f"mnist weights {window}"]) == pytest.approx(heavy, rel=0.02)
            assert networks[f"mnist overlap {window}"].eval()(torch.zeros(1, 1, 28, 28))[0].shape == (1, 10)

    def test_the_receptive_field_is_what_a_change_of_one_pixel_reaches(self):
        """Every pixel of 22x22 moves the cell in the middle of three stages, and none beyond: counted by the gradient."""
        plan = replace(pooling.NOTES, filters=(4, 4, 4))
        network = plain(plan)(_drawn())
        for step in network.modules():
            if isinstance(step, nn.Conv2d):
                nn.init.ones_(step.weight)
        pools = [nn.AvgPool2d(2, ceil_mode=True) for _ in plan.filters]
        pooling.with_pools(network, pools.pop)
        x = torch.rand(1, 1, 64, 64, requires_grad=True)
        y = x
        for name, step in network.body.named_children():
            if name == "flatten":
                break
            y = step(y)
        y[0, 0, 4, 4].backward()
        assert filters.field(plan) == 22
        assert (x.grad[0, 0].abs() > 0).any(0).sum() == 22


def test_shortcuts_hand_the_gradient_on_unchanged():
    """Blocks that begin at zero let through all of it; the same layers without shortcuts do not."""
    drawn = _drawn(side=14)
    torch.manual_seed(0)
    residual = gradient.lengths(gradient.network("residual")(drawn), drawn, 0)
    assert len(residual) == 1 + 2 * gradient.DEPTH
    assert residual[1] == pytest.approx(residual[6], rel=1e-3)
    plain_one = gradient.lengths(gradient.network("plain")(drawn), drawn, 0)
    assert abs(plain_one[1] / plain_one[6] - 1) > 0.05


def test_a_picture_is_rebuilt_from_a_layer_that_has_it():
    """A first layer that hands each pixel on lets the picture be rebuilt to the grey level; the mean picture is far off."""
    drawn = _drawn(60)
    network = plain(pooling.NOTES)(drawn)
    steps = dict(network.body.named_children())
    with torch.no_grad():
        steps["conv1"].weight.zero_()
        for number, (y, x) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):  # four neighbours, of which the pooling keeps the first cell's
            steps["conv1"].weight[number, 0, 1 + y, 1 + x] = 1
        steps["conv1"].bias.fill_(10)
    network.body.pool1 = nn.MaxPool2d(1, 2, ceil_mode=True)
    pictures = drawn.test.images
    assert rebuilt.error(rebuilt.rebuild(network, pictures, pictures, 1), pictures) < 2
    assert rebuilt.error(pictures.float().mean(0, keepdim=True), pictures) > 50


def test_draws_grow_and_share_nothing_with_what_judges(shared_data):
    """Ten of each are among the twenty of the same seed, the others are none of them; another seed draws others."""
    few, more = sets.draw("mnist", 10, 0, 3), sets.draw("mnist", 20, 0, 3)

    def seen(examples: Examples) -> set[bytes]:
        return {bytes(image.numpy().tobytes()) for image in examples.images}

    assert seen(few.train) < seen(more.train)
    assert not seen(more.train) & (seen(more.others) | seen(more.test))
    assert len(few.test) == 30
    assert seen(sets.draw("mnist", 10, 1, 3).train) != seen(few.train)


def test_one_claim_from_photos_to_page(shared_data, tmp_path):
    """The number of filters, two draws and two steps: measured, kept, judged, shown and drawn."""
    path = tmp_path / "claims.json"
    keep(filters.claim_count(TINY), path)
    measured = load(path)
    text = block("filters", measured, words_en)
    assert f"{statistics.mean(measured['filters']['filters 64'].values['right']):.1f} ±" in text
    assert "30 photos of the test folder" in text
    figures.save("filters", measured["filters"], tmp_path / "filters.png")
    assert (tmp_path / "filters.png").stat().st_size > 5000


class TestThePage:
    """The pages are those of claims.json."""

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_number_is_the_measured_one(self, language):
        """What stands between the markers is what the generator writes; `python -m bench.claims_page` writes it anew."""
        page = (PAGES / f"{language}.md").read_text(encoding="utf-8")
        assert page == filled(page, load(), LANGUAGES[language])
        assert re.findall(r"<!-- measured: (\w+)", page) == ["summary", *said.SECTIONS]

    def test_a_number_that_drifts_is_seen(self):
        """Another measurement gives another page: nothing is typed into the generator."""
        measured = load()
        one = measured["filters"]
        first = one.settings[0]
        other = replace(first, values={name: tuple(v - 3 for v in values) for name, values in first.values.items()})
        changed = measured | {"filters": replace(one, settings=(other, *one.settings[1:]))}
        assert block("filters", measured, words_ko) != block("filters", changed, words_ko)
        assert block("summary", measured, words_ko) != block("summary", changed, words_ko)

    def test_means_and_differences_follow_from_the_file(self):
        """Reckoned once more, without the generator: a mean of the table, and the difference of a statement."""
        kept = json.loads(KEPT.read_text(encoding="utf-8"))["filters"]["settings"]
        values = {one["name"]: one["values"]["right"] for one in kept}
        page = (PAGES / "en.md").read_text(encoding="utf-8")
        for name, right in values.items():
            assert re.search(rf"^\| {name.split()[1]} filters \|.* {statistics.mean(right):.1f} ± {statistics.stdev(right):.1f} \|$", page, re.M), (
                name
            )
        difference = statistics.mean(a - b for a, b in zip(values["filters 8"], values["filters 4"], strict=True))
        assert f"8 filters more than 4 filters | {difference:+.1f} [" in page

    def test_both_languages_have_words_for_everything(self):
        """The same keys, and one figure for every section, which draws the means that were measured."""
        for name in ("VERDICTS", "UNITS", "SETS", "HEADS", "MEASURES", "SETTINGS", "CLAIMS"):
            assert getattr(words_en, name).keys() == getattr(words_ko, name).keys()
        assert list(figures.DRAWN) == list(said.SECTIONS)
        assert set(words_en.CLAIMS) == {name for claims in said.SECTIONS.values() for name in claims}
        assert all((PAGES / f"{section}.png").exists() for section in said.SECTIONS if said.source(section) in load())

    def test_every_claim_has_a_row_of_its_differences(self):
        """The rows for results.md: the differences of the one statement about 1x1 first, draw by draw, and its verdict."""
        measured = load()
        found = {row.what.partition(":")[0]: row for row in rows(measured)}
        assert len(found) == sum(len(claims) for claims in said.SECTIONS.values())
        direct, first = (measured["branches"][name].values["right"] for name in ("direct 5x5", "1x1 first"))
        row = found["notes, branches first"]
        assert list(row.values) == pytest.approx([a - b for a, b in zip(direct, first, strict=True)])
        assert row.what.endswith(verdict(row.values, 0.5).word)

    def test_a_figure_shows_the_means(self):
        """The points of the figure of filters are the means in the file."""
        one = load()["filters"]
        line = figures.DRAWN["filters"](one).axes[0].lines[0]
        assert list(line.get_ydata()) == pytest.approx([statistics.mean(each.values["right"]) for each in one.settings])

    def test_hand_written_words_hold_no_measured_decimals(self):
        """Outside the markers stand only numbers of the set-up and of papers, none with a plus-minus or a per cent of photos right."""
        for language in LANGUAGES:
            written = claims_page.MARKED.sub("", Path(PAGES / f"{language}.md").read_text(encoding="utf-8"))
            assert not re.findall(r"± ?\d|\d\d\.\d", written)
