"""peephole train --ablate: a table that fits a terminal, and the same in --json."""

import json

import pytest
from rich.console import Console

from drawings import folder
from peephole.base.card import Paired, Receipt, Receipts
from peephole.base.modelfile import read
from peephole.cli.tables import receipts
from peephole.export import receipts as receipting
from peephole.train import ablation


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Five X and five O, and receipts that take no longer than the training."""
    monkeypatch.setattr(receipting, "TIMES", 1)
    monkeypatch.setattr(ablation, "TRIED", ("noise",))
    return folder(tmp_path / "photos", 5)


def _typed(photos, tmp_path):
    off = [word for name in ("shift", "scale", "rotate", "colour") for word in (f"--{name}", "0")]
    off += [word for name in ("elastic", "thickness", "shear") for word in ("--vary", f"{name}=0")]
    small = ("--network", "plain", "--filters", "4", "--hidden", "12", "--threads", "1", "--steps", "20")
    return ("train", photos, "-o", tmp_path / "xo.onnx", *small, *off, "--ablate")


def test_the_table_and_the_card(peep, photos, tmp_path):
    """The table stands at the end, with what it rests on; the file's card has the same rows."""
    said = peep(*_typed(photos, tmp_path))
    found = read(tmp_path / "xo.onnx").card.receipts
    assert said.code == 0 and [row.effect for row in found.rows] == ["noise"]
    for part in ("receipts: held-out scores", "noise of 8/255", "verdict", f"{found.n} held-out sources", "hold together with 95 %", "estimate"):
        assert part in said.out, part
    assert "receipts take" in said.err and "xo.onnx is written" in said.err


def test_as_json(peep, photos, tmp_path):
    """Nothing but the card on stdout, receipts within."""
    said = peep(*_typed(photos, tmp_path), "--json")
    assert json.loads(said.out) == read(tmp_path / "xo.onnx").card.model_dump(mode="json")
    assert json.loads(said.out)["receipts"]["rows"][0]["effect"] == "noise"


@pytest.mark.parametrize(("width", "losses"), [(80, False), (120, True)])
def test_the_table_fits_the_terminal(width, losses, capsys):
    """At 80 characters no word is broken and no line is longer; the two log-losses are shown where there is room."""
    half = Paired(present=0.072, absent=0.068, difference=0.004, interval=(-0.025, 0.034))
    names = ("strokes thicker or thinner by up to 3.0 %", "noise of 10/255", "shift up to 12 %, scale up to 25 %")
    rows = tuple(
        Receipt(effect=effect, strength=name, used=used, accuracy=half, loss=half, verdict=verdict)
        for effect, name, used, verdict in zip(
            ("thickness", "noise", "all"), names, (True, False, True), ("helped", "harmed", "unclear"), strict=True
        )
    )
    receipts(Receipts(rows=rows, n=20, parts=5, repeats=5, steps=0), Console(width=width, color_system=None))
    out = capsys.readouterr().out
    table = out.partition("verdict")[2].partition("  20 held-out")[0]
    assert max(map(len, table.splitlines())) <= width
    for word in ("strokes thicker or", "noise of 10/255", "(added)", "all of them", "+0.004 (-0.025, +0.034)", "helped", "did harm", "cannot tell"):
        assert word in table, word
    assert ("0.068 -> 0.072" in table) == losses and "scale" not in table
