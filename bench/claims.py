"""What the course notes claim, measured: pooling, over-fitting, dropout, vanishing gradients, Inception, filters, depth, rates, few photos.

Small networks on small draws of MNIST and Fashion-MNIST (seeds 100 on), each setting on the same draws, one thread, recipes fixed
before; tested on 2,000 photos of the test folders. What was said, done and found stands in docs/claims; every value in claims.json.

What would make a figure unfair: choosing a setting by what it was tested on; comparing networks that differ in more than is said;
leaving out draws; a rule for the verdict made after the figures were seen.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.notes import branches, few, filters, gradient, overfitting, pooling, rate, rebuilt
from bench.notes.measured import KEPT, Measured, keep
from bench.notes.trained import Effort
from bench.report import Row

WHOLE, DEEP = Effort(), Effort().fewer(6)
QUICK = Effort(seeds=(0, 1), steps=3, judged=4)
# By the order of the page; the deep networks take long, and so have fewer draws.
CLAIMS: dict[str, tuple[Callable[[Effort], Measured], Effort]] = {
    "pooling": (pooling.claim, WHOLE),
    "overfitting": (overfitting.claim_pooling, WHOLE),
    "dropout": (overfitting.claim_dropout, WHOLE),
    "gradient": (gradient.claim, DEEP),
    "branches": (branches.claim, WHOLE),
    "filters": (filters.claim_count, WHOLE),
    "depth": (filters.claim_depth, WHOLE),
    "rebuilt": (rebuilt.claim, WHOLE.fewer(6)),
    "rate": (rate.claim, WHOLE.fewer(6)),
    "few": (few.claim, replace(WHOLE, steps=300)),
}
