"""A toy to learn: bright left or bright right, and the smallest network that can."""

import numpy as np
import torch

from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain
from peephole.train.augment import Augment
from peephole.train.loop import Examples
from peephole.train.recipe import Recipe

PLAN = Plain(filters=(4,), hidden=8, norm="batch", keep_prob=0.8)


def halves(each: int, seed: int = 0) -> Examples:
    """Return `each` noisy 8 x 8 pictures that are bright on the left (0) and on the right (1)."""
    rng = np.random.default_rng(seed)
    images = rng.normal(60, 25, (2 * each, 8, 8, 1))
    images[:each, :, :4] += 90
    images[each:, :, 4:] += 90
    return Examples.of(np.clip(images, 0, 255).astype(np.uint8), np.repeat([0, 1], each))


def network(seed: int = 1, plan: Plain = PLAN, labels: int = 2) -> Network:
    """Return a fresh network for the toy."""
    torch.manual_seed(seed)
    return plain(plan, Shape(1, 8, 8), labels, (100.0,), (50.0,))


def recipe(steps: int = 40, **changes: object) -> Recipe:
    """Return a recipe for the toy, varied by all that draws numbers."""
    values = {"network": "plain", "fit": "train", "height": 8, "width": 8, "channels": 1, "seconds": 1.0, "seed": 3, "batch": 16, "threads": 1}
    return Recipe(**values | {"steps": steps, "plain": PLAN, "augment": Augment(shift=0.05, noise=8), "learning_rate": 0.01} | changes)
