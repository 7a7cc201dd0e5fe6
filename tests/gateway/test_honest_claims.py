"""SAFETY test 5: a thousand simulated deployments whose truth is known; the printed 95 % bound covers it in at least 94 % of them."""

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from doorworld import FACES

from peephole.base.evidence import measure
from peephole.base.records import Evidence
from peephole.gateway.arming import arm
from peephole.gateway.hours import ALWAYS
from peephole.gateway.policy import Glance, Policy, Rule, State, finish, step

DEPLOYMENTS = 1000
FRAMES = 3
POLICY = Policy(agree=FRAMES, cool_down=0.0, rules=(Rule("rule 1", frozenset({"ana"}), ALWAYS, "open", True),))


@lru_cache  # three frames that were mistaken or not: there are eight such strangers
def opens(frames: tuple[bool, ...]) -> bool:
    """Whether a stranger whose frames are mistaken for ana where True gets in, by the gate's own policy."""
    state = State()
    for number, mistaken in enumerate(frames):
        state = step(POLICY, state, Glance(number * 0.2, 1.8e9, FACES["ana" if mistaken else "stranger"])).state
    return any(getattr(event, "verdict", "") == "open" for event in finish(POLICY, state).events)


def deployment(random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return which frames of each stranger were mistaken, bool (strangers, 3), and the true rate at which another stranger gets in.

    Strangers differ: each has a rate of their own per frame, from a Beta distribution, so the frames of one are not independent.
    """
    a, b = random.uniform(1.0, 6.0), random.uniform(0.5, 4.0)
    strangers = int(random.integers(20, 121))
    rates = random.beta(a, b, strangers)
    truth = float(np.prod([(a + k) / (a + b + k) for k in range(FRAMES)]))  # E[rate ** 3]
    return random.random((strangers, FRAMES)) < rates[:, None], truth


def per_stranger(mistaken: np.ndarray) -> Evidence:
    """Count as the card does: a stranger who got in is one error."""
    return measure("false accept", sum(opens(tuple(frames)) for frames in mistaken), len(mistaken), "stranger", "proof")


def per_frame(mistaken: np.ndarray) -> Evidence:
    """Count as one must not: every frame of a stranger who got in or did not is a trial."""
    wrong = sum(FRAMES * opens(tuple(frames)) for frames in mistaken)
    return measure("false accept", wrong, mistaken.size, "stranger", "proof")


def covered(count: Callable[[np.ndarray], Evidence], deployments: int = DEPLOYMENTS) -> float:
    """Return the share of deployments whose printed bound is not below the truth."""
    random = np.random.default_rng(20261125)
    good = 0
    for _ in range(deployments):
        mistaken, truth = deployment(random)
        told = arm([count(mistaken)], 0.001, low_risk=True).sentence
        (printed,) = re.findall(r"the true rate is at most ([\d.]+) %", told)
        good += float(printed) / 100 >= truth
    return good / deployments


def test_the_printed_bound_covers_the_truth() -> None:
    """What the gate prints when it arms, over a thousand deployments."""
    assert covered(per_stranger) >= 0.94


def test_counting_frames_would_be_found() -> None:
    """Planted-bug twin: a bound that counts frames as if they were strangers covers the truth far too rarely."""
    assert covered(per_frame, 300) < 0.9


def test_the_truth_of_a_deployment_is_the_truth() -> None:
    """The rate worked out from the Beta distribution is what many strangers show."""
    random = np.random.default_rng(7)
    rates = random.beta(0.7, 3.0, 200_000)
    shown = float((random.random((200_000, FRAMES)) < rates[:, None]).all(axis=1).mean())
    assert shown == pytest.approx(np.prod([(0.7 + k) / (3.7 + k) for k in range(FRAMES)]), rel=0.05)
