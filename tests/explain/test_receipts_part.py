"""The report's receipts: every row in both languages, only what the card says, nothing where there are none."""

import json

import numpy as np
import pytest
from PIL import Image

from peephole.base.card import Paired, Receipt, Receipts
from peephole.decide.predictor import load
from peephole.explain.receipts import receipts_section
from peephole.explain.report import explain, render, to_json


def row(effect, strength, verdict="unclear", *, used=True, difference=-0.25):
    """Return a receipt with its numbers around a difference of log-loss."""
    return Receipt(
        effect=effect,
        strength=strength,
        used=used,
        accuracy=Paired(present=0.9, absent=0.8, difference=0.1, interval=(-0.05, 0.25)),
        loss=Paired(present=0.5 + difference, absent=0.5, difference=difference, interval=(difference - 0.1, difference + 0.1)),
        verdict=verdict,
    )


def receipts(*rows, **changes):
    """Return receipts of some rows."""
    return Receipts(**{"rows": rows, "n": 24, "parts": 4, "repeats": 3, "steps": 68} | changes)


ROWS = (
    row("shift", "shift up to 12 %", "helped"),
    row("flip", "left-right flips", "harmed", difference=0.4),
    row("scratch", "scratches up to 2.5", used=False, difference=0.01),
    row("all", "shift up to 12 %, left-right flips"),
)


@pytest.fixture(scope="module")
def explained(make_door, tmp_path_factory):
    """Return a function that explains a picture by a model with or without receipts."""
    path = tmp_path_factory.mktemp("receipts") / "door.png"
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (28, 28), dtype=np.uint8)).save(path)
    return lambda found: explain(load(make_door(receipts=found)), path)


def test_nothing_where_there_are_none(explained):
    """A card without receipts has no such part, and the JSON says so."""
    assert receipts_section(None) == ""
    without = explained(None)
    assert "Receipts" not in render(without) and json.loads(to_json(without))["receipts"] is None


def test_every_row_in_both_languages(explained):
    """Names, numbers with a true minus, verdicts: helped and harm stand out, chance does not."""
    page = render(explained(receipts(*ROWS)))
    for part in (
        "shift up to 12 %",
        "이동 최대 12 %",
        "좌우 뒤집기",
        "not in the recipe, added",
        "레시피에 없어 더해 봄",
        "all of the recipe",
        "레시피의 변형 모두",
    ):
        assert part in page, part
    for part in ("80\u00a0% → 90\u00a0%", "0.500 → 0.250", "−0.250 (−0.350 to −0.150)", "+0.400 (+0.300 to +0.500)"):
        assert part in page, part
    assert page.count(">helped<") == 1 == page.count(">did harm<") and page.count(">cannot tell<") == 2
    assert '<b><span class="en" lang="en">helped' in page and '<b><span class="en" lang="en">cannot tell' not in page


def test_it_says_what_it_rests_on(explained):
    """How many originals, repeats, parts and steps; the confidence of all rows together; that it is an estimate."""
    page = render(explained(receipts(*ROWS)))
    for part in (
        "same 24 held-out originals, 3 times",
        "took 68 steps",
        "4 parts were held out",
        "The 4 intervals hold together with 95\u00a0%",
        "Estimate",
    ):
        assert part in page, part
    other = render(explained(receipts(*ROWS, parts=1, steps=0, stopped=True)))
    for part in ("a last layer was fitted", "The part that chooses was held out.", "Ctrl-C ended"):
        assert part in other, part


def test_names_of_a_card_are_escaped():
    """A hostile card's strength is a quotation, not markup."""
    section = receipts_section(receipts(row("<script>", "<script>alert(1)</script>")))
    assert "<script>" not in section and "&lt;script&gt;" in section


def test_the_numbers_are_in_the_json(explained):
    """The report's JSON carries the receipts as the card has them."""
    found = receipts(*ROWS)
    assert json.loads(to_json(explained(found)))["receipts"] == json.loads(found.model_dump_json())
