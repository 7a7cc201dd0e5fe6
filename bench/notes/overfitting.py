"""Max pooling and dropout against over-fitting: the gap between photos learned from and photos never seen, 20 of each label.

Without pooling the fully connected layer has sixteen times the weights, so average pooling and convolutions of stride 2, with exactly
the weights of max pooling, tell what the maximum itself does.
"""

from dataclasses import replace

from torch import nn

from bench.notes.measured import Measured
from bench.notes.pooling import NOTES, with_pools
from bench.notes.sets import Drawn
from bench.notes.trained import Effort, Trial, measure, plain
from bench.notes.verdict import NATS, Statement
from peephole.nets.blocks import Network

POOLS = ("none", "average", "stride")
SETS = ("mnist",)
KEEPS = (1.0, 0.7, 0.5, 0.3)
EACH = 20
MEASURES = (("gap", {}), ("loss gap", {"unit": NATS}))
POOL_STATEMENTS = tuple(
    Statement("overfitting", f"{name} {pool}", f"{name} max", measure, **more) for name in SETS for pool in POOLS for measure, more in MEASURES
)
DROPOUT_STATEMENTS = tuple(
    Statement("dropout", f"{name} keep 1", f"{name} keep {keep:g}", measure, **more)
    for name in SETS
    for keep in KEEPS[1:]
    for measure, more in MEASURES
)


def _averaging(drawn: Drawn) -> Network:
    return with_pools(plain(NOTES)(drawn), lambda: nn.AvgPool2d(2, ceil_mode=True))


def claim_pooling(effort: Effort) -> Measured:
    """Without pooling, with max pooling, with average pooling, with convolutions that take every second place."""
    ways = {
        "none": plain(replace(NOTES, pool=1)),
        "max": plain(NOTES),
        "average": _averaging,
        "stride": plain(replace(NOTES, pool=1, stride=2)),
    }
    trials = [Trial(f"{name} {way}", network, name, EACH) for name in SETS for way, network in ways.items()]
    return Measured("overfitting", effort.seeds, {"each": EACH, "steps": effort.steps, "judged": effort.judged}, measure(trials, effort))


def claim_dropout(effort: Effort) -> Measured:
    """Shares of the fully connected layer's neurons that are kept while training."""
    trials = [Trial(f"{name} keep {keep:g}", plain(replace(NOTES, hidden=128, keep_prob=keep)), name, EACH) for name in SETS for keep in KEEPS]
    return Measured("dropout", effort.seeds, {"each": EACH, "steps": effort.steps, "judged": effort.judged}, measure(trials, effort))
