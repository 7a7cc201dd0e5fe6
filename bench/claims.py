"""What the course notes claim, measured: pooling, over-fitting, dropout, vanishing gradients, Inception, filters, depth, rates, few photos.

Small networks on small draws of MNIST and Fashion-MNIST (seeds 100 on), each setting on the same draws, one thread, recipes fixed
before; tested on 2,000 photos of the test folders. What was said, done and found stands in docs/claims; every value in claims.json.

What would make a figure unfair: choosing a setting by what it was tested on; comparing networks that differ in more than is said;
leaving out draws; a rule for the verdict made after the figures were seen.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import claims_page
from bench.notes import branches, few, filters, gradient, overfitting, pooling, rate, rebuilt
from bench.notes.measured import KEPT, Measured, keep, load
from bench.notes.said import SECTIONS, source, together
from bench.notes.trained import Effort
from bench.notes.verdict import differences, judged
from bench.report import Row

WHOLE = Effort()
QUICK = Effort(seeds=(0, 1), steps=3, judged=4)
# In the order of the page; the deep networks take long, and so have fewer steps.
CLAIMS: dict[str, tuple[Callable[[Effort], Measured], Effort]] = {
    "pooling": (pooling.claim, WHOLE),
    "overfitting": (overfitting.claim_pooling, WHOLE),
    "dropout": (overfitting.claim_dropout, WHOLE),
    "gradient": (gradient.claim, replace(WHOLE, steps=100)),
    "branches": (branches.claim, replace(WHOLE, steps=150)),
    "filters": (filters.claim_count, WHOLE),
    "depth": (filters.claim_depth, WHOLE),
    "rebuilt": (rebuilt.claim, WHOLE),
    "rate": (rate.claim, WHOLE),
    "few": (few.claim, WHOLE),
}


def rows(measured: Mapping[str, Measured]) -> list[Row]:
    """Return one row for each claim: its differences draw by draw, the mean over its statements in the first one's unit, and its verdict."""
    found = []
    for section, claims in SECTIONS.items():
        one = measured[source(section)]
        for name, statements in claims.items():
            unit, word = statements[0].unit, together([judged(statement, one) for statement in statements])
            every = [differences(statement, one) for statement in statements if statement.unit == unit]
            values = tuple(statistics.mean(draw) for draw in zip(*every, strict=True))
            found.append(Row(f"notes, {name}: {word if word != 'part' else 'holds in part'}", values, unit, "draws", "mean"))
    return found


def run(quick: bool) -> list[Row]:
    """Measure every claim, keeping each at once, and write the page; a smoke test writes into a folder that goes."""
    with TemporaryDirectory() as temporary:
        kept = Path(temporary) / "claims.json" if quick else KEPT
        for measure, effort in CLAIMS.values():
            keep(measure(QUICK if quick else effort), kept)
        claims_page.write(*((Path(temporary), kept) if quick else ()))
        return rows(load(kept))
