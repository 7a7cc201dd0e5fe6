"""Who watches long work: a silent watcher, to be subclassed by what draws progress.

The bench half reports through it without knowing of terminals or pages.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Inside", "Several", "Update", "Watcher"]


@dataclass(frozen=True)
class Update:
    """One step of one weight with all its numbers, as AdamW takes it (Loshchilov & Hutter 2019): after = before - decay - move.

    `weight` and `index` name it; `count` is the number t of the step. `mean` and `square` are the moments after the step:
    mean = beta1 mean_before + (1 - beta1) gradient, square = beta2 square_before + (1 - beta2) gradient^2. What the start at zero makes too small
    is divided out: mean_fair = mean / (1 - beta1^t), square_fair = square / (1 - beta2^t). Then decay = learning_rate weight_decay before, and
    move = learning_rate mean_fair / (sqrt(square_fair) + epsilon). `before`, `gradient` and `after` are the training's own float32 numbers; the sum
    closes to their rounding.
    """

    weight: str
    index: tuple[int, ...]
    count: int
    before: float
    gradient: float
    learning_rate: float
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    mean_before: float
    square_before: float
    mean: float
    square: float
    mean_fair: float
    square_fair: float
    decay: float
    move: float
    after: float


@dataclass(frozen=True, eq=False)
class Inside:
    """What a network looks like inside after `step` of `steps`.

    `filters` float32 (F, C, H, W) are the first of the `layer`'s, whose whole shape is `shape`; `update` is what this step did to one of
    their weights (None where no step was taken). `positions` float32 (N, 2) are embeddings of examples on two principal axes, turned to lie
    as near as can be to the positions before; `share` (0..1) of their variance lies in these axes; `labels` (N) are what they show, and
    `right` (0..1) is the share of them that the network names right, as they are.
    """

    step: int
    steps: int
    layer: str
    shape: tuple[int, ...]
    filters: np.ndarray
    update: Update | None
    positions: np.ndarray
    share: float
    labels: tuple[str, ...]
    right: float


class Watcher:
    """Hears how far the work is; this one keeps silent."""

    curious = False  # whether it wants to look inside, which takes a little of the training's time

    def stage(self, text: str) -> None:
        """A new stage begins."""

    def progress(self, done: int, total: int) -> None:
        """So much of the stage is done."""

    def learned(self, step: int, steps: int, loss: float, held_out: float | None, learning_rate: float) -> None:
        """Training moved on; `held_out` is the share of right answers on held-out examples, where there are any."""

    def inside(self, seen: Inside) -> None:
        """What the network in training looks like; only where somebody is curious."""

    def said(self, text: str) -> None:
        """Something the user should read."""


class Several(Watcher):
    """Tells several watchers the same, in their order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers
        self.curious = any(watcher.curious for watcher in watchers)

    def stage(self, text: str) -> None:
        """Tell all of a new stage."""
        for watcher in self._watchers:
            watcher.stage(text)

    def progress(self, done: int, total: int) -> None:
        """Tell all how far the stage is."""
        for watcher in self._watchers:
            watcher.progress(done, total)

    def learned(self, step: int, steps: int, loss: float, held_out: float | None, learning_rate: float) -> None:
        """Tell all how training moved on."""
        for watcher in self._watchers:
            watcher.learned(step, steps, loss, held_out, learning_rate)

    def inside(self, seen: Inside) -> None:
        """Show the network to those who are curious."""
        for watcher in self._watchers:
            if watcher.curious:
                watcher.inside(seen)

    def said(self, text: str) -> None:
        """Tell all what was said."""
        for watcher in self._watchers:
            watcher.said(text)
