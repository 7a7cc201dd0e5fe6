"""Cells of a trace worked out again, for tests."""

import itertools

import numpy as np

from peephole.explain.recompute import recompute
from peephole.explain.trace import Trace


def close_all(found: Trace, most: int = 40) -> int:
    """Work out corners and `most` seeded cells of every layer that has a rule, and return how many; all must close."""
    draw, count = np.random.default_rng(1), 0
    for layer in found.layers[1:]:
        if layer.rule is None or not layer.count:
            continue
        corners = [*itertools.product(*({0, size - 1} for size in layer.shape))][: 16 if most > 4 else 2]
        drawn = [tuple(int(draw.integers(size)) for size in layer.shape) for _ in range(most)]
        for index in {*corners, *drawn}:
            worked = recompute(found, layer.id, index)
            assert worked.closes, f"{layer.id} {index}: {worked.total} is not {worked.shown}, size {worked.size}"
            count += 1
    return count
