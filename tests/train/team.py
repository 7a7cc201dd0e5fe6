"""Run by torchrun in tests/train/test_distributed.py: what each process comes to lies in a file of its own afterwards."""

import os
import signal
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from toys import halves, network, recipe

from peephole.base.errors import SettingsError, TrainingStopped
from peephole.data.photoset import PhotoSet
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import draw
from peephole.train import distributed, loop
from peephole.train.checkpoint import Kept
from peephole.train.learner import Frozen, Scratch
from peephole.train.loop import Examples, fit
from peephole.train.recipe import Recipe
from peephole.train.scenery import Scenery

STEPS = 12
# A bias before batch norm changes nothing, so its gradient is rounding noise, which Adam makes a step of: here without batch norm, in `deep` with.
PLAN = Plain(filters=(4,), hidden=8, keep_prob=0.8)


def uneven() -> Examples:
    """Three times as many of one label as of the other: each step draws by weight."""
    examples = halves(24)
    return Examples(examples.images[:32], examples.labels[:32])


def deep(name: str) -> torch.nn.Module:
    """Return a network with batch norm inside its blocks."""
    torch.manual_seed(5)
    shape = Shape(1, 8, 8)
    return draw(name, shape, 2, (100.0,), (50.0,), plan=None, deep=settle(Deep(width=4, keep_prob=0.8), name, shape))


def photos() -> PhotoSet:
    """Return a dozen coloured pictures, as the data stage would."""
    images = np.random.default_rng(2).integers(0, 256, (13, 32, 32, 3), dtype=np.uint8)
    labels, none = np.arange(13) % 2, np.full(13, -1)
    return PhotoSet(images, labels, ("a", "b"), np.arange(13), none, (), ("",) * 13, ("",) * 13, ("",) * 13, (), 0, ())


def learned(at: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Train what the test compares, in however many processes, and return all weights by name."""
    loop.low_precision = lambda _: nullcontext()  # bfloat16 rounds more than the order of sums does
    held, found = halves(8, seed=5), {}
    fitted = fit(network(plan=PLAN), halves(20), recipe(STEPS, batch=15), held)
    found["plain"] = fitted.network.state_dict()
    found["seen"] = {"costs": torch.tensor([m.loss for m in fitted.history]), "right": torch.tensor([m.held_out for m in fitted.history])}
    found["weighted"] = fit(network(plan=PLAN), uneven(), recipe(STEPS)).network.state_dict()
    for name in ("resnet", "inception", "vgg"):
        found[name] = fit(deep(name), halves(20), recipe(STEPS)).network.state_dict()
    scratch = Scratch(photos(), replace(recipe(STEPS), height=32, width=32, channels=3, plain=PLAN), np.arange(13))
    logits, embedding = scratch.learn(np.arange(9), photos().labels, 1.0).answers(np.arange(9, 13))
    found["asked"] = {"logits": torch.from_numpy(logits), "embedding": torch.from_numpy(embedding)}
    few = Recipe("lite0", "frozen", 32, 32, 3, 100.0, 3, views=1, augment=recipe().augment)
    frozen = Frozen(photos(), few, np.arange(11))
    walls = Scenery.of(photos().images, np.zeros((len(photos()), 32, 32), np.uint8), photos().labels, np.arange(11), np.empty(0, np.int64))
    behind = Frozen(photos(), replace(few, augment=replace(few.augment, background=0.7)), np.arange(11), scenery=walls)
    found["behind"] = {"views": torch.from_numpy(behind.views)}
    found["frozen"] = {"features": torch.from_numpy(frozen.features), "views": torch.from_numpy(frozen.views)}
    return found


def stopped(at: Path) -> dict[str, torch.Tensor]:
    """Press Ctrl-C in the last process, go on from what process 0 kept, and return the weights."""
    kept = Kept(at / "toy.checkpoint", "toy")

    class Pressed(Examples):
        def pixels(self, chosen: torch.Tensor) -> torch.Tensor:
            Pressed.taken += 1
            if Pressed.taken == 5 and distributed.rank() == distributed.size() - 1:
                os.kill(os.getpid(), signal.SIGINT)
            return super().pixels(chosen)

    Pressed.taken = 0
    examples = halves(20)
    try:
        fit(network(plan=PLAN), Pressed(examples.images, examples.labels), recipe(STEPS, batch=15), halves(8, seed=5), kept=kept)
    except TrainingStopped as stop:
        (at / f"stop{distributed.rank()}").write_text(str(stop))
    again = fit(network(seed=9, plan=PLAN), examples, recipe(STEPS, batch=15), halves(8, seed=5), kept=Kept(kept.path, "toy", resume=True))
    return again.network.state_dict()


def main() -> None:
    what, at = sys.argv[1], Path(sys.argv[2])
    with distributed.together():
        if what == "learn":
            found = learned(at) | {"resumed": stopped(at)}
            torch.save(found, at / f"{distributed.rank()}.pt")
            distributed.dismiss()
        elif distributed.rank() == int(what):
            raise SettingsError("this one cannot go on", "help it")
        else:
            distributed.agreed(None)
            distributed.exchanged(None)


if __name__ == "__main__":
    main()
