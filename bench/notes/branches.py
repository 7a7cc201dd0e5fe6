"""What Inception's branches cost and bring: against plain 3x3 and 5x5 networks of equal multiplications or equal weights; 1x1 first.

All have the same frame: a 3x3 convolution, pooling, one part at 14x14, pooling, one part at 7x7, the mean of each map, one last layer.
Only the parts differ, and the number of maps between them, which the equality leaves no freedom to choose.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from bench.notes.measured import Measured
from bench.notes.sets import Drawn, draw
from bench.notes.trained import SHAPE, USUAL, Effort, Trial, measure, products, weights
from bench.notes.verdict import Statement
from peephole.nets.blocks import Network, Steps, convolution
from peephole.nets.deep import Deep, averaged, network, settle
from peephole.nets.networks import draw as draw_network

CLAIM = "branches"
WIDTH = 8  # maps of the first convolution; the modules leave 32 and 64
RIVALS = ("3x3 products", "3x3 weights", "5x5 products", "5x5 weights")
STATEMENTS = (*(Statement(CLAIM, "inception", rival) for rival in RIVALS), Statement(CLAIM, "direct 5x5", "1x1 first"))
Drawing = Callable[[Drawn], Network]


def inception(drawn: Drawn) -> Network:
    """Two modules of the library's own."""
    plan = settle(Deep(width=WIDTH, depth=1, stages=2, keep_prob=1.0), "inception", SHAPE)
    return draw_network("inception", SHAPE, 10, drawn.mean, drawn.std, deep=plan)


def _framed(parts: list[Steps], maps: int, drawn: Drawn) -> Network:
    """Put parts, the last of which leaves `maps`, into the frame that the library's inception has."""
    steps: Steps = [*convolution("stem", 1, WIDTH, norm="batch"), ("relu_stem", nn.ReLU())]
    for number, part in enumerate(parts):
        steps += [(f"pool{number}", nn.MaxPool2d(3, 2, 1)), *part, (f"relu{number}", nn.ReLU())]
    return network([*steps, *averaged(maps, 10, 1.0)], "flatten", drawn.mean, drawn.std)


def simple(kernel: int, maps: int) -> Drawing:
    """One convolution for each module, with `maps` and twice as many filters."""

    def drawing(drawn: Drawn) -> Network:
        parts = [convolution("first", WIDTH, maps, kernel, norm="batch"), convolution("second", maps, 2 * maps, kernel, norm="batch")]
        return _framed(parts, 2 * maps, drawn)

    return drawing


def wide(reduced: int) -> Drawing:
    """A 5x5 convolution from 64 to 32 maps at 14x14, with a 1x1 convolution to `reduced` maps before it (0: none), as in their figure 2."""

    def drawing(drawn: Drawn) -> Network:
        many = [*convolution("many", WIDTH, 64, norm="batch"), ("relu_many", nn.ReLU())]
        first = [*convolution("reduce", 64, reduced, 1, norm="batch"), ("relu_reduce", nn.ReLU())] if reduced else []
        return _framed([[*many, *first, *convolution("large", reduced or 64, 32, 5, norm="batch")]], 32, drawn)

    return drawing


def nearest(kernel: int, count: Callable[[Network], int], drawn: Drawn) -> int:
    """Return the number of maps with which a simple network costs most nearly what inception does."""
    wanted = count(inception(drawn))
    return min(range(1, 65), key=lambda maps: abs(count(simple(kernel, maps)(drawn)) - wanted))


def trials(drawn: Drawn) -> list[Trial]:
    counts = {"products": products, "weights": weights}
    rivals = {rival: (int(rival[0]), counts[rival.split()[1]]) for rival in RIVALS}
    drawings: dict[str, Drawing] = {"inception": inception}
    drawings |= {rival: simple(kernel, nearest(kernel, count, drawn)) for rival, (kernel, count) in rivals.items()}
    drawings |= {"direct 5x5": wide(0), "1x1 first": wide(8)}
    recipe = replace(USUAL, network="inception", learning_rate=1e-2)  # what the library takes with batch norm
    return [Trial(name, drawing, recipe=recipe) for name, drawing in drawings.items()]


def claim(effort: Effort) -> Measured:
    settings = measure(trials(draw("mnist", 50, effort.seeds[0], effort.judged)), effort)
    return Measured(CLAIM, effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, settings)
