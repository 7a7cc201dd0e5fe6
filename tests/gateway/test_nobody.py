"""SAFETY test 17, the policy's half: far strangers and nobody never open; near ones may, and the bound is printed.

The people of these tests are colours, and the model is the shipped fake: what is measured is what the gate makes of its answers.
"""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from peephole.base.evidence import describe, upper_bound
from peephole.base.records import Frame, Prediction
from peephole.gateway.agent import Summary, run
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import rehearsal

ANA, JUNHO = np.array([200, 30, 30]), np.array([30, 30, 200])
VISITS, FRAMES = 60, 5
LIGHT = "[sensor.quality]\nmin_light = 0.05"


def flat(colour: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.clip(colour + random.integers(-3, 4, (24, 32, 3)), 0, 255).astype(np.uint8)


def far(random: np.random.Generator) -> np.ndarray:
    """Somebody at least 0.3 of the scale away from everybody known."""
    while True:
        colour = random.integers(0, 256, 3)
        if min(np.abs(colour - known).max() for known in (ANA, JUNHO)) > 0.3 * 255:
            return colour


def two_at_once(random: np.random.Generator) -> np.ndarray:
    pixels = flat(ANA, random)
    pixels[:, 16:] = flat(JUNHO, random)[:, 16:]
    return pixels


def look_alike(random: np.random.Generator) -> np.ndarray:
    """Somebody whose likeness to ana lies about the threshold: 0.12 to 0.26 of the scale away."""
    away = random.uniform(0.12, 0.26) * 255
    return np.clip(ANA + np.array([-away, away * random.uniform(0, 1), away * random.uniform(0, 1)]), 0, 255)


def of_one(who: Callable[[np.random.Generator], np.ndarray]) -> Callable[[np.random.Generator], list[np.ndarray]]:
    """Return visits of one person each, drawn anew."""

    def visit(random: np.random.Generator) -> list[np.ndarray]:
        colour = who(random)
        return [flat(colour, random) for _ in range(FRAMES)]

    return visit


KINDS: dict[str, Callable[[np.random.Generator], list[np.ndarray]]] = {
    "far strangers": of_one(far),
    "a blank wall": lambda random: [flat(np.array([127, 127, 127]), random) for _ in range(FRAMES)],
    "a hand on the lens": lambda random: [flat(np.array([70, 8, 8]), random) for _ in range(FRAMES)],
    "night": lambda random: [flat(np.array([1, 1, 4]), random) for _ in range(FRAMES)],
    "two at once": lambda random: [two_at_once(random) for _ in range(FRAMES)],
    "two by turns": lambda random: [flat((ANA, JUNHO)[number % 2], random) for number in range(FRAMES)],
}


class Visitors:
    """A recorded sensor of visits whose truth is that nobody in them is known."""

    recorded, dated, notes = True, True, ()

    def __init__(self, kind: Callable[[np.random.Generator], list[np.ndarray]], seed: int = 11) -> None:
        self._kind, self._seed = kind, seed

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield five frames a visit, a minute apart."""
        random = np.random.default_rng(self._seed)
        for visit in range(VISITS):
            for number, pixels in enumerate(self._kind(random)):
                time = visit * 60 + number * 0.2
                yield Capture(time, 1.8e9 + time, "sim", Frame(time, 1.8e9 + time, "sim", pixels, measure(pixels)), "", f"v{visit}", "unknown")


def watched(door: Door, kind: Callable[[np.random.Generator], list[np.ndarray]], predict: Any = None) -> Summary:
    model = ColourPredictor({"ana": tuple(ANA), "junho": tuple(JUNHO)})
    with Journal(None, "front-door") as journal:
        return run(door, predict or model.predict, model.card, sensor=Visitors(kind), switchboard=rehearsal(door), journal=journal)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_and_far_strangers_never_open(make_door: Callable[..., Door], kind: str) -> None:
    """Sixty visits of each kind: 0 openings, and the rate is told with what zero of sixty allows."""
    summary = watched(make_door(more=LIGHT), KINDS[kind])
    assert (summary.opened, summary.visits, summary.faults) == (0, VISITS, 0)
    assert summary.false_accepts is not None and summary.false_accepts.bound == upper_bound(0, VISITS)


@pytest.mark.parametrize("kind", ["far strangers", "two at once"])
def test_a_model_that_takes_anybody_would_be_found(make_door: Callable[..., Door], kind: str) -> None:
    """Planted-bug twin: a threshold that was set far too low lets them in."""
    model = ColourPredictor({"ana": tuple(ANA), "junho": tuple(JUNHO)})

    def generous(pixels: np.ndarray) -> Prediction:
        seen = model.predict(pixels)
        return replace(seen, label=seen.best, accepted=True, threshold=0.0)

    assert watched(make_door(more=LIGHT), KINDS[kind], generous).opened > 0


def test_look_alikes_are_counted_and_bounded(make_door: Callable[..., Door]) -> None:
    """Near strangers do get in; each counts once, and the bound that is printed is that of the count."""
    summary = watched(make_door(more=LIGHT), of_one(look_alike))
    rate = summary.false_accepts
    assert rate is not None and 0 < rate.errors == summary.opened < VISITS and rate.trials == VISITS
    (printed,) = re.findall(r"at most ([\d.]+) %", describe(rate))
    assert float(printed) / 100 == pytest.approx(upper_bound(rate.errors, VISITS), abs=0.001) and rate.role == "simulated"


def test_the_margin_keeps_the_ambiguous_out(make_door: Callable[..., Door]) -> None:
    """Somebody between two who are alike is let in as one of them, and by nobody's name with a margin."""
    model = ColourPredictor({"ana": (200, 30, 30), "min": (200, 70, 30)})
    between = Visitors(lambda random: [flat(np.array([200, 49, 30]), random) for _ in range(FRAMES)])
    for decide, opened in (("", VISITS), ("margin = 0.1", 0)):
        door = make_door(decide=decide, more=LIGHT)
        door.path.write_text(door.path.read_text().replace('"ana", "junho"', '"ana", "min"'))
        door = load_door(door.path)
        with Journal(None, "front-door") as journal:
            assert run(door, model.predict, model.card, sensor=between, switchboard=rehearsal(door), journal=journal).opened == opened
