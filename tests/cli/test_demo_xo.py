"""The demo's X-or-O act: real counts, quick, and the demo ends by naming the page."""

import re
import time

import numpy as np
import pytest

from peephole.base.extras import load as part
from peephole.cli import demo
from peephole.cli.demo import handwriting
from peephole.cli.demoxo import act
from peephole.lab.shipped import shipped


@pytest.fixture(scope="module")
def drawn():
    """The handwriting that the demo shows."""
    return handwriting()


def test_the_act_counts_what_the_shipped_model_answers(drawn, capsys):
    """The ninths of the X, the shift, and how many real digits were named or refused; in under three seconds of computing."""
    begun = time.process_time()
    act(drawn.pixels, drawn.digits)
    assert time.process_time() - begun < 3
    said = " ".join(capsys.readouterr().out.split())
    assert "7 -1 1 3 5 -1 3" in said and "X 45/45 and O 20/36" in said and "61 of 81 pixels in common with the X and 62 with an O" in said
    model = part("decide.predictor:load")(shipped())
    zeros = model.predict(list(drawn.pixels[drawn.digits == 0][:100]))
    named = sum(answer.label == "O" for answer in zeros)
    assert f"of 100 zeros {named} are round enough for an O, {sum(answer.label == 'X' for answer in zeros)} are an X" in said
    assert min(map(int, re.findall(r"(\d+) of 100 [XO] named", said))) >= 80 and int(re.search(r"(\d+) of 99 digits", said)[1]) >= 90


def test_the_act_reports_failures_too(drawn, capsys):
    """With noise in place of digits it says that no zero was named."""
    noise = np.random.default_rng(0).integers(0, 255, (1000, 28, 28)).astype(np.uint8)
    act(noise, np.arange(1000) % 10)
    said = " ".join(capsys.readouterr().out.split())
    assert "of 100 zeros 0 are round enough for an O" in said and "99 of 99 digits" in said


def test_the_demo_ends_by_naming_the_page(capsys):
    """The last line is the command that opens it."""
    demo._farewell("peephole", "demo-out", "night/visit-01/drawing.png")
    assert capsys.readouterr().out.strip().splitlines()[-1].strip().startswith("peephole studio ")
