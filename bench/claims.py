"""What the course notes claim, measured: pooling, over-fitting, dropout, vanishing gradients, Inception, filters, depth, rates, few photos.

Small networks on small draws of MNIST and Fashion-MNIST (seeds 100 on), each setting on the same draws, one thread, recipes fixed
before; tested on 2,000 photos of the test folders. What was said, done and found stands in docs/claims; every value in claims.json.

What would make a figure unfair: choosing a setting by what it was tested on; comparing networks that differ in more than is said;
leaving out draws; a rule for the verdict made after the figures were seen.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import claims_page
from bench.notes import branches, few, filters, gradient, overfitting, pooling, rate, rebuilt
from bench.notes.measured import KEPT, Measured, keep
from bench.notes.trained import Effort
from bench.report import Row

WHOLE = Effort()
QUICK = Effort(seeds=(0, 1), steps=3, judged=4)
# In the order of the page; small variations take longer to be learned.
CLAIMS: dict[str, tuple[Callable[[Effort], Measured], Effort]] = {
    "pooling": (pooling.claim, WHOLE),
    "overfitting": (overfitting.claim_pooling, WHOLE),
    "dropout": (overfitting.claim_dropout, WHOLE),
    "gradient": (gradient.claim, WHOLE),
    "branches": (branches.claim, WHOLE),
    "filters": (filters.claim_count, WHOLE),
    "depth": (filters.claim_depth, WHOLE),
    "rebuilt": (rebuilt.claim, WHOLE),
    "rate": (rate.claim, WHOLE),
    "few": (few.claim, replace(WHOLE, steps=300)),
}


def rows(measured: Measured) -> list[Row]:
    """Return the share of right answers (the error of what was rebuilt) of every setting."""
    kind, what, unit = ("error", "error of a pixel", "of 255") if measured.claim == "rebuilt" else ("right", "right, unseen", "%")
    return [Row(f"claims, {measured.claim}: {one.name}: {what}", one.values[kind], unit, "draws", "mean") for one in measured.settings]


def run(quick: bool) -> list[Row]:
    """Measure every claim, keeping each at once, and write the page; a smoke test writes into a folder that goes."""
    with TemporaryDirectory() as temporary:
        kept = Path(temporary) / "claims.json" if quick else KEPT
        found = []
        for measure, effort in CLAIMS.values():
            measured = measure(QUICK if quick else effort)
            keep(measured, kept)
            found += rows(measured)
        claims_page.write(*((Path(temporary), kept) if quick else ()))
    return found
