"""From a folder of photos to what more of them would buy: what `peephole budget` walks. Nothing is written.

The recipe's own learner learns from sub-draws of the photos and is asked about those that it was not given; how its error falls with their number
tells what more of them should do.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from peephole.base.card import Region
from peephole.base.errors import SettingsError
from peephole.base.evidence import counted, needed, upper_bound
from peephole.base.watch import Watcher
from peephole.data.dataset import merged_strangers, split, stranger_split
from peephole.data.photoset import PhotoSet
from peephole.export.build import Strangers, gather
from peephole.export.unlabelled import Frames, Helpful, beside, helpful, listed
from peephole.train.curve import LEAST_SIZES, Asked, Forecast, Reach, forecast, reach
from peephole.train.learner import learner_for
from peephole.train.recipe import Options, Recipe
from peephole.train.subdraws import sizes_of, sub_draws

__all__ = ["Budget", "Helpful", "LabelBudget", "Point", "StrangerBudget", "budget"]

RATE = 0.01  # the false-accept rate whose price in strangers is named
# Share of the seconds for the features, where they are computed once, and for all trainings, where the network learns.
FEATURES, TRAININGS = 0.7, 0.8
LEAST_TURNS = 2  # one draw of each size shows no spread


@dataclass(frozen=True)
class Point:
    """The mean error (0..1) of models of `photos` of each label on average, over `asked` answers about photos that they had not seen."""

    photos: float
    error: float
    asked: int


@dataclass(frozen=True)
class LabelBudget:
    """What more photos would buy for one label: its different photos now, and the forecast of its error; None where too little is known."""

    label: str
    photos: int
    forecast: Forecast | None


@dataclass(frozen=True)
class StrangerBudget:
    """The strangers that can prove a rate, the bound (0..1) that they prove if none is accepted, 1 without any; `needed` would prove `rate`."""

    strangers: int
    bound: float
    rate: float
    needed: int


@dataclass(frozen=True)
class Budget:
    """What `more` photos of every label beside the `photos` there are (the mean over the labels) would buy; errors are shares 0..1 named wrong.

    `curve` was measured, `line` is the law fitted to it, up to `more`. `forecast` is None, and `line` empty, where the photos are too few, or
    the time too short, to say, and `why` says so. `labels` stand in the order of what they would gain; `frames` (of `looked_at`) in the order of
    how much a label on them would help.
    """

    root: str
    more: int
    photos: float
    curve: tuple[Point, ...]
    line: tuple[Reach, ...]
    forecast: Forecast | None
    why: str
    labels: tuple[LabelBudget, ...]
    strangers: StrangerBudget
    frames: tuple[Helpful, ...]
    looked_at: int
    recipe: str
    notes: tuple[str, ...]


def budget(
    root: Path | str,
    options: Options | None = None,
    *,
    unlabelled: Path | str | None = None,
    more: int = 10,
    frames: int = 10,
    skip: tuple[str, ...] = (),
    region: Region | Literal["auto"] | None = None,
    watch: Watcher | None = None,
) -> Budget:
    """Say what `more` photos of every label would buy, for whom, and which `frames` of the folder `unlabelled` would help most.

    Takes about `options.seconds` (60 by default) beside reading the photos. Raises InputError for photos that cannot be learned from, for a
    number out of range, or for a folder of frames with none in it.
    """
    watch, options = watch or Watcher(), options or Options(seconds=60.0)
    for name, value in (("more", more), ("frames", frames)):
        if not 1 <= value <= 10_000:
            raise SettingsError(f"{name} is between 1 and 10000, not {value}", f"--{name} 10")
    listing, notes = listed(unlabelled, options.seconds, options.seed) if unlabelled is not None else (None, ())
    _, photos, recipe, spec = gather(Path(root), options, Strangers(), skip, region or Region(), watch=watch)
    split(photos, options.seed)  # refuses a label that nothing can be held out of
    against = _strangers(photos, options.seed)
    photos = photos.take(np.flatnonzero(photos.labels >= 0))
    if listing is not None:
        watch.stage(f"reading {counted(len(listing.photos), 'frame')}")
    both = beside(photos, listing, spec) if listing is not None else Frames(photos, len(photos), ())
    notes = (*notes, *both.notes)
    for text in notes:
        watch.said(text)
    asked, turns, picked, recipe = _learned(both, photos, recipe, frames, watch)
    found = _Curve.of(photos, asked, turns, more, options)
    return Budget(
        root=str(root),
        more=more,
        photos=found.now,
        curve=found.points,
        line=found.line,
        forecast=found.whole,
        why=found.why,
        labels=found.labels,
        strangers=against,
        frames=picked,
        looked_at=len(both.photos) - len(photos),
        recipe=recipe.sentence(),
        notes=notes,
    )


def _learned(both: Frames, photos: PhotoSet, recipe: Recipe, frames: int, watch: Watcher) -> tuple[Asked, int, tuple[Helpful, ...], Recipe]:
    """Learn from sub-draws for the recipe's seconds, and pick the frames."""
    end, known = time.perf_counter() + recipe.seconds, np.arange(len(photos))
    trainings = 3 * len(sizes_of(photos, recipe.fit)) + (len(both.photos) > len(photos))
    each = FEATURES if recipe.fit == "frozen" else TRAININGS / trainings
    watch.stage("learning from fewer of the photos")
    learner = learner_for(both.photos, replace(recipe, seconds=recipe.seconds * each), known, watch)
    if pace := learner.plan(known):
        watch.said(f"--seconds {recipe.seconds:g} is short: a step takes {1000 * pace:.0f} ms, and the least trainings take longer and say little")
    asked, turns = sub_draws(learner, photos, end=end, seed=recipe.seed, note=watch.progress)
    return asked, turns, helpful(learner, both, frames), learner.recipe


def _strangers(photos: PhotoSet, seed: int) -> StrangerBudget:
    """Count the strangers that could prove a rate, one person in two folders once."""
    _, prove = stranger_split(photos, seed)
    count = len(np.unique(merged_strangers(photos.strangers[prove], photos.sources[prove]))) if len(prove) else 0
    return StrangerBudget(count, upper_bound(0, count) if count else 1.0, RATE, needed(RATE))


@dataclass(frozen=True)
class _Curve:
    """What the sub-draws say."""

    now: float
    points: tuple[Point, ...]
    line: tuple[Reach, ...]
    whole: Forecast | None
    why: str
    labels: tuple[LabelBudget, ...]

    @classmethod
    def of(cls, photos: PhotoSet, asked: Asked, turns: int, more: int, options: Options) -> "_Curve":
        """Fit the curve, or say why it cannot be."""
        each = [len(np.unique(photos.sources[photos.labels == label])) for label in range(len(photos.names))]
        now = float(np.mean(each))
        counts = asked.asked.sum(0)
        points = tuple(
            Point(float(size), float(wrong / count), int(count)) for size, wrong, count in zip(asked.sizes, asked.wrong.sum(0), counts, strict=True)
        )
        why = ""
        if len(points) < LEAST_SIZES:
            why = f"{now:.3g} different photos of a label are too few for a curve: 4 of every label are the least, 10 say more"
        elif turns < LEAST_TURNS:
            why = f"the time sufficed for one draw of each size, which shows no spread: give it more than --seconds {options.seconds:g}"
        if why:
            return cls(now, points, (), None, why, tuple(LabelBudget(name, count, None) for name, count in zip(photos.names, each, strict=True)))
        whole, found = forecast(asked, now, more, len(photos.names), options.seed)
        labels = [LabelBudget(*entry) for entry in zip(photos.names, each, found, strict=True)]
        labels.sort(key=lambda label: -(label.forecast.gain.middle if label.forecast else 0))
        return cls(now, points, reach(asked, now + more, len(photos.names), options.seed), whole, "", tuple(labels))
