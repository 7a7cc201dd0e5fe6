"""Receipts after training: the model file is written, and its recipe is compared with others to see which augmentations helped on these photos."""

import math
import time
from pathlib import Path

from peephole.base.card import Receipts
from peephole.base.errors import NotANumber, SettingsError
from peephole.base.evidence import counted
from peephole.base.watch import Watcher
from peephole.data.photoset import PhotoSet
from peephole.data.splits import Split
from peephole.train import distributed
from peephole.train.ablation import TIMES, Plan, ablate, planned, sides_of
from peephole.train.learner import Learner
from peephole.train.recipe import Options

__all__ = ["receipts_of", "require_alone"]

SLACK = 1.3  # how much longer than planned it may take on a machine that has become busy


def require_alone() -> None:
    """Raise SettingsError where several processes train together."""
    if distributed.size() > 1:
        raise SettingsError(
            "--ablate makes many short trainings one after the other, which several processes would only slow down",
            "start it without torchrun: peephole train PHOTOS --ablate",
        )


def receipts_of(learner: Learner, photos: PhotoSet, parts: Split, *, options: Options, path: Path, watch: Watcher) -> Receipts | None:
    """Compare the recipe with and without each augmentation, for at most TIMES the seconds of the whole training.

    Says before how many trainings that takes and about how long. None when Ctrl-C came too early, or a training went wrong: the model file at
    `path` is written either way. With `options.steps` no clock is looked at: the same seed gives the same receipts.
    """
    watch.stage("planning the receipts")
    try:
        sides = len(sides_of(learner.recipe.augment))
        if not sides:
            watch.said("the recipe has no augmentation to leave out and none to add: nothing to compare")
            return None
        # The learner's seconds are its share of those that were asked for.
        plan = planned(learner, parts, sides, TIMES * options.seconds / learner.recipe.seconds)
        seconds = _seconds(learner, parts, plan, sides)
        watch.said(f"{path} is written; {_announced(plan, sides, learner)}: about {_rounded(seconds)}; Ctrl-C ends them and leaves the file whole")
        watch.stage("training with and without each augmentation")
        until = math.inf if options.steps else time.perf_counter() + SLACK * max(seconds, TIMES * options.seconds)
        found = ablate(learner, photos, parts, plan, until=until, note=watch.progress)
    except NotANumber as error:
        watch.said(f"no receipts: in one of their trainings {error.what}; {path} is whole")
        return None
    except KeyboardInterrupt:
        found = None
    if found is None:
        watch.said(f"stopped before each augmentation was compared twice: no receipts; {path} is whole")
    elif found.repeats < plan.repeats:
        why = "stopped" if found.stopped else "the machine has become busy"
        watch.said(f"{why}: the receipts rest on {found.repeats} of {plan.repeats} repeats; {path} is whole")
    return found


def _seconds(learner: Learner, parts: Split, plan: Plan, sides: int) -> float:
    """Return about how long the plan takes."""
    pace = learner.pace(parts.train)
    if plan.steps:
        return pace * plan.steps * plan.trainings
    return pace * len(parts.train) * plan.views * plan.repeats * (sides + 1)


def _announced(plan: Plan, sides: int, learner: Learner) -> str:
    """Say what will be trained."""
    if plan.steps:
        length = f"of {plan.steps} steps (the network's own took {learner.recipe.steps})"
    else:
        length = f"of a last layer on {counted(plan.views, 'varied view')} of each photo"
    held = f"{plan.parts} parts held out in turn" if plan.parts > 1 else "one part held out"
    return f"receipts take {plan.trainings} trainings {length}: the recipe and {sides} others, {held}, {plan.repeats} times"


def _rounded(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 150 else f"{max(1, seconds):.0f} s"
