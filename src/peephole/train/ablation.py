"""Which augmentations helped on these photos: short trainings with and without each, asked about the same held-out examples.

The recipe itself is trained once in every turn, and each other side beside it on the same photos with the same seed: the same first weights, the
same order, the same draws of all other effects. The network that was trained before is not touched.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from peephole.base.card import Receipt, Receipts
from peephole.base.errors import TrainingStopped
from peephole.data.photoset import PhotoSet
from peephole.data.splits import Split, dealt
from peephole.train.crossfit import fewer
from peephole.train.learner import Frozen, Learner
from peephole.train.loop import LEAST_STEPS
from peephole.train.paired import Turns, compared, losses, verdict
from peephole.train.strengths import Augment

__all__ = ["TIMES", "TRIED", "Plan", "Side", "ablate", "planned", "sides_of"]

# An ablation may take so many times the seconds that the whole training was given.
TIMES = 10
# Effects that are tried where the recipe has them not, at a medium strength (Augment.of).
TRIED, MEDIUM = ("noise", "scratch", "colour", "shift"), 0.5
ALL = "all"
# Repeats of every comparison; a training so much shorter than the network's own is still taken for one like it.
LEAST_REPEATS, MOST_REPEATS, LIKE_IT = 2, 5, 0.4
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Side:
    """One comparison with the recipe: `augment` is the other side, with `effect` left out where the recipe has `used` it, else added."""

    effect: str
    strength: str
    used: bool
    augment: Augment


def sides_of(how: Augment) -> tuple[Side, ...]:
    """Return what the recipe is compared with: each effect that is on left out, those of TRIED that are off added, and all of them off."""
    nothing = Augment()
    left = [Side(name, _alone(how, name).sentence(), True, replace(how, **{name: getattr(nothing, name)})) for name in how.on()]
    medium = Augment.of(TRIED, MEDIUM)
    more = [
        Side(name, _alone(medium, name).sentence(), False, replace(how, **{name: getattr(medium, name)})) for name in TRIED if name not in how.on()
    ]
    return (*left, *more, *([Side(ALL, how.sentence(), True, nothing)] if len(left) > 1 else []))


def _alone(how: Augment, name: str) -> Augment:
    return Augment(**{field.name: getattr(how, field.name) for field in fields(how) if field.name == name})


@dataclass(frozen=True)
class Plan:
    """How much is trained: `repeats` of `parts` held out in turn, for each side and the recipe; each for `share` of its steps or with `views`."""

    parts: int
    repeats: int
    share: float
    steps: int
    views: int
    trainings: int


def planned(learner: Learner, parts: Split, sides: int, room: float) -> Plan:
    """Plan for the work of `room` final trainings; two repeats of the least there is are always made.

    Longer trainings go before more parts, and these before more repeats.
    """
    recipe, most = learner.recipe, 1 if len(parts.choose) else len(parts.folds)
    if isinstance(learner, Frozen):
        once = learner.pace(parts.train) * len(parts.train) * (sides + 1)
        affordable = room * recipe.seconds / max(once, 1e-9)  # views of every photo for every side
        views = int(np.clip(affordable // LEAST_REPEATS, 1, recipe.views))
        repeats = int(np.clip(affordable // views, LEAST_REPEATS, MOST_REPEATS))
        return Plan(most, repeats, 1.0, 0, views, repeats * most * (sides + 1))
    enough = max(LIKE_IT, LEAST_STEPS // 2 / recipe.steps)
    for count in range(most, 1, -1) if most > 1 else (1,):
        each = room / (count * (sides + 1))  # how much of the network's own training each part and side may take in all repeats
        if each / LEAST_REPEATS >= enough:
            break
    repeats = int(np.clip(each // max(1.0, enough), LEAST_REPEATS, MOST_REPEATS))
    share = min(1.0, each / repeats)
    steps = max(LEAST_STEPS // 2, round(recipe.steps * share))
    return Plan(count, repeats, share, steps, recipe.views, repeats * count * (sides + 1))


@dataclass(frozen=True, eq=False)
class _Turn:
    """One repeat: indices of the folds that are held out in turn, the seed of each fold's trainings, and that of the views."""

    folds: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]
    views: int

    @property
    def asked(self) -> np.ndarray:
        """Indices (n,) of all that is held out, sorted."""
        return np.sort(np.concatenate(self.folds))


@dataclass(frozen=True, eq=False)
class _Work:
    """What all trainings share."""

    learner: Learner
    photos: PhotoSet
    parts: Split
    plan: Plan

    def turn(self, repeat: int) -> _Turn:
        """Deal the examples anew for each repeat; the first has the folds that judged the network."""
        parts, seed = self.parts, self.learner.recipe.seed
        if len(parts.choose):
            folds: tuple[np.ndarray, ...] = (parts.choose,)
        else:
            every = np.sort(np.concatenate(parts.folds))
            folds = fewer(dealt(self.photos, every, seed + repeat) if repeat else parts.folds, self.plan.parts)
        *seeds, views = (int(number) for number in np.random.default_rng([seed % 2**32, 9, repeat]).integers(2**31, size=len(folds) + 1))
        return _Turn(folds, tuple(seeds), views)

    def answers(self, how: Augment, turn: _Turn, note: Callable[[], None]) -> np.ndarray:
        """Return logits (n, labels) for all that a turn holds out, each by a model that learned the rest, varied as `how` says."""
        taught = self.learner.other(replace(self.learner.recipe, augment=how, seed=turn.views, views=self.plan.views))
        logits = np.empty((len(turn.asked), len(self.photos.names)), np.float32)
        for fold, seed in zip(turn.folds, turn.seeds, strict=True):
            model = taught.learn(np.setdiff1d(self.parts.train, fold), self.photos.labels, self.plan.share, seed)
            logits[np.searchsorted(turn.asked, fold)] = model.answers(fold)[0]
            note()
        return logits

    def receipts(self, logits: np.ndarray, turns: list[_Turn], stopped: bool) -> Receipts:
        """Compare the sides' logits (1 + sides, R, n, labels) with the recipe's, which stand first."""
        asked = turns[0].asked
        numbers = np.empty((len(turns), len(asked)), np.int64)
        for row, turn in enumerate(turns):
            for at, fold in enumerate(turn.folds):
                numbers[row, np.searchsorted(asked, fold)] = row * len(turn.folds) + at
        labels, who = self.photos.labels[asked], Turns(self.photos.sources[asked], numbers)
        right, loss = [(side.argmax(2) == labels).astype(float) for side in logits], [losses(side, labels) for side in logits]
        n, sides, rows = len(np.unique(who.sources)), sides_of(self.learner.recipe.augment), list[Receipt]()
        sure = 1 - (1 - CONFIDENCE) / len(sides)  # Bonferroni: all rows together
        for at, side in enumerate(sides, 1):
            present, absent = (0, at) if side.used else (at, 0)
            accuracy = compared(right[present], right[absent], who, sure, counts=True)
            cost = compared(loss[present], loss[absent], who, sure)
            told = verdict(cost, accuracy, n)
            rows.append(Receipt(effect=side.effect, strength=side.strength, used=side.used, accuracy=accuracy, loss=cost, verdict=told))
        return Receipts(
            rows=tuple(rows), n=n, parts=len(turns[0].folds), repeats=len(turns), steps=self.plan.steps, confidence=CONFIDENCE, stopped=stopped
        )


def ablate(
    learner: Learner, photos: PhotoSet, parts: Split, plan: Plan, *, until: float = np.inf, note: Callable[[int, int], None] | None = None
) -> Receipts | None:
    """Train all sides as planned and compare them; None when it was stopped before two repeats were done.

    What chooses is held out where there is such a part, else each example once in every repeat, dealt anew; what proves is never asked. After two
    repeats none begins that would end after `until` (seconds of time.perf_counter). Raises NotANumber when a side cannot be trained.
    """
    work, how = _Work(learner, photos, parts, plan), learner.recipe.augment
    counted, found, turns, stopped = iter(range(1, plan.trainings + 1)), list[list[np.ndarray]](), list[_Turn](), False

    def noted() -> None:
        if note:
            note(next(counted), plan.trainings)

    try:
        for repeat in range(plan.repeats):
            begun, turn = time.perf_counter(), work.turn(repeat)
            found.append([work.answers(way, turn, noted) for way in (how, *(side.augment for side in sides_of(how)))])
            turns.append(turn)
            if len(turns) >= LEAST_REPEATS and 2 * time.perf_counter() - begun > until:
                break
    except (KeyboardInterrupt, TrainingStopped):
        stopped = True
    if len(turns) < LEAST_REPEATS:
        return None
    return work.receipts(np.stack([np.stack(side) for side in zip(*found, strict=True)]), turns, stopped)
