"""Calibration: the temperature that made the logits is found again, and the line comes from the right scores."""

import numpy as np
import pytest

from peephole.base.errors import DataError
from peephole.decide.judge import softmax
from peephole.decide.threshold import draw_line
from peephole.train.calibrate import line_for, temperature
from peephole.train.crossfit import Strange


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0, 5.0])
def test_a_known_temperature_is_recovered(true):
    """Labels drawn from softmax(z / T) ask for T."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (20_000, 4))
    chances = softmax(logits, true)
    labels = (chances.cumsum(1) > rng.random((len(logits), 1))).argmax(1)
    assert temperature(logits, labels) == pytest.approx(true, rel=0.08)


def test_it_lowers_the_cross_entropy():
    """Overconfident logits get cooler, and the held-out cost goes down."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 200)
    logits = 12 * np.eye(3)[np.where(rng.random(200) < 0.8, labels, (labels + 1) % 3)]
    found = temperature(logits, labels)

    def cost(t):
        return -np.log(softmax(logits, t)[np.arange(200), labels]).mean()

    assert found > 3 and cost(found) < cost(1.0)


def test_too_few_or_all_right_say_nothing():
    """With fewer than ten, or without a mistake, it is 1: the data cannot tell."""
    logits = 5 * np.eye(2)[[0, 1] * 10]
    assert temperature(logits, np.array([0, 1] * 10)) == 1.0
    assert temperature(logits[:9], np.array([1] * 9)) == 1.0


GENUINE = np.linspace(0.5, 0.99, 50)


def test_strangers_come_first():
    """Where there are some to choose by, they draw the line, not the labels held out in turn."""
    turned = Strange(GENUINE, np.full(30, 0.1), 5)
    line = line_for(GENUINE, turned, np.full(20, 0.6), 0.01)
    assert line.threshold > 0.6 and "strangers set aside" in line.how


def test_labels_in_turn_come_second():
    """Carried over at the same share of known examples refused."""
    line = line_for(GENUINE - 0.2, Strange(GENUINE, np.full(30, 0.6), 5), np.empty(0), 0.01)
    assert "5 labels held out in turn" in line.how and "carried over" in line.how
    assert np.mean(line.threshold > GENUINE - 0.2) == pytest.approx(line.refused)


def test_on_one_scale_the_line_stays_where_it_was_found():
    """Features that no training moves measure the same whichever labels are known: the line is not lowered to refuse as few."""
    strange = Strange(GENUINE, np.full(30, 0.6), 5)
    line = line_for(GENUINE - 0.2, strange, np.empty(0), 0.01, one_scale=True)
    assert line.threshold == draw_line(GENUINE, strange.impostors, 0.01, "").threshold > 0.6
    assert "carried over" not in line.how and line.refused == np.mean(line.threshold > GENUINE - 0.2)


def test_invented_strangers_only_ever_raise_the_line():
    """Where more than one in twenty of them would pass, the line goes up and says why; where fewer would, it stays; real strangers come first."""
    turned = Strange(GENUINE, np.full(30, 0.3), 5)
    alone = line_for(GENUINE, turned, np.empty(0), 0.01, one_scale=True)
    near, far = np.linspace(0, 0.6, 1000), np.linspace(0, 0.3, 1000)
    raised = line_for(GENUINE, turned, np.empty(0), 0.01, one_scale=True, made=near)
    assert raised.threshold > alone.threshold and np.mean(near >= raised.threshold) <= 0.05 and "invented" in raised.how
    assert line_for(GENUINE, turned, np.empty(0), 0.01, one_scale=True, made=far) == alone
    assert "invented" in line_for(GENUINE, None, np.empty(0), 0.01, made=near).how
    assert "strangers set aside" in line_for(GENUINE, turned, np.full(20, 0.6), 0.01, made=near).how
    among = line_for(GENUINE, turned, np.empty(0), 0.01, one_scale=True, made=np.linspace(0.2, 0.99, 1000))
    assert 0.24 <= among.refused <= 0.28 and "a quarter of held-out known" in among.how and np.mean(among.threshold > GENUINE) == among.refused


def test_nobody_to_choose_by():
    """The line refuses the least familiar of the known, and says that no stranger was there."""
    line = line_for(GENUINE, None, np.empty(0), 0.01)
    assert "no stranger was there" in line.how and 0 < line.refused <= 0.08


def test_no_known_example_held_out():
    """Nothing can be chosen from nothing."""
    with pytest.raises(DataError):
        line_for(np.empty(0), None, np.empty(0), 0.01)
