"""What the deep networks `vgg`, `inception` and `resnet` have in common: their dials, their number of stages, their last layers.

A stage is a run of blocks at one resolution; each further stage halves height and width and doubles the filters.
"""

import operator
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import MappingProxyType

from torch import nn

from peephole.base.errors import SettingsError
from peephole.base.work import MAX_WORK
from peephole.nets.blocks import Network, Shape, Steps

__all__ = ["USUAL", "Deep", "Settled", "averaged", "classifier", "is_large", "network", "settle"]

# From this shorter side on, in pixels, inception and resnet begin with the halvings of the published networks for 224x224: at 64x64
# they learn three times as many photos in the same time and are better for it (docs/log.md).
LARGE = 48
WIDE = 96  # from this shorter side on, the larger of the usual widths is taken
MOST_STAGES = 5
# A model file may hold 200 MB: 160 for the network leave room for the known examples.
MOST_WEIGHTS = 40_000_000
LEAST_SIDE = 4  # cells: a stage that would leave fewer on the shorter side is not built


def _whole(value: object, low: int, high: int) -> bool:
    """Tell whether a number that was left open or given is a whole one in its range."""
    return value is None or (isinstance(value, Integral) and low <= int(value) <= high)


@dataclass(frozen=True)
class Deep:
    """The dials of a deep network, each an option of `peephole train`; None takes what is usual for the network and the picture's size.

    width: filters of the first convolution, 2 to 256; depth: convolutions (vgg), modules (inception) or blocks of two convolutions
    (resnet) per stage, 1 to 64; stages: 1 to 5; keep_prob: share of neurons before the last layer kept while training, 0 < p <= 1;
    norm: "none" or "batch"; shortcuts: False leaves out resnet's additions, all else alike.
    """

    width: int | None = None
    depth: int | None = None
    stages: int | None = None
    keep_prob: float | None = None
    norm: str | None = None
    shortcuts: bool = True

    def __post_init__(self) -> None:
        """Raise SettingsError for numbers no network can have."""
        rules = [
            (_whole(self.width, 2, 256), "width", "is a whole number between 2 and 256"),
            (_whole(self.depth, 1, 64), "depth", "is a whole number between 1 and 64"),
            (_whole(self.stages, 1, MOST_STAGES), "stages", f"is a whole number between 1 and {MOST_STAGES}"),
            (self.keep_prob is None or (isinstance(self.keep_prob, Real) and 0 < self.keep_prob <= 1), "keep_prob", "is above 0 and at most 1"),
            (self.norm in (None, "none", "batch"), "norm", "is none or batch"),
        ]
        for holds, name, rule in rules:
            if not holds:
                option = name.replace("_", "-")
                raise SettingsError(
                    f"{option} {rule}, not {getattr(self, name)}",
                    f"the default is a good start: leave --{option} out (peephole train --help lists all)",
                )


@dataclass(frozen=True)
class Settled:
    """A `Deep` with nothing left open; `part` says what its stages are made of, `filters` how many maps each of them leaves."""

    part: str
    filters: tuple[int, ...]
    width: int
    depth: int
    stages: int
    keep_prob: float
    norm: str
    shortcuts: bool

    def sentence(self) -> str:
        """Return the plan in words."""
        noun, gap, rest = self.part.partition(" ")
        made = f"{self.depth} {noun}{'s' * (self.depth > 1)}{gap}{rest}"
        more = [f"{self.stages} stage{'s' * (self.stages > 1)} of {made}", f"keep {self.keep_prob:g}"]
        more += ["batch norm"] * (self.norm == "batch") + ["without shortcuts"] * (not self.shortcuts)
        return f"{self.width} filters first, {', '.join(more)}"


@dataclass(frozen=True)
class Usual:
    """What a network is and takes by itself.

    part: what its stages are made of; times: the first stage's filters, in widths; doublings: after how many the filters stay; products:
    weights of one part with f filters before and behind, in f x f; small, wide: width for pictures below and from 96 pixels; stem:
    halvings before the first stage (two more for large pictures in all but vgg).
    """

    part: str
    times: int
    doublings: int
    products: float
    small: int
    wide: int
    depth: int
    stem: int
    keep_prob: float
    norm: str


# Chosen for 30 s on two cores (docs/log.md); the usual widths keep a file below 20 MB.
USUAL: Mapping[str, Usual] = MappingProxyType(
    {
        "vgg": Usual("convolution", times=1, doublings=2, products=9, small=16, wide=64, depth=2, stem=0, keep_prob=0.5, norm="batch"),
        "inception": Usual("module", times=4, doublings=2, products=2.7, small=16, wide=32, depth=2, stem=1, keep_prob=0.6, norm="batch"),
        "resnet": Usual(
            "block of two convolutions", times=1, doublings=3, products=18, small=16, wide=32, depth=1, stem=0, keep_prob=1.0, norm="batch"
        ),
    }
)


def halvings(shape: Shape) -> int:
    """Return how often height and width can be halved (rounded up) with at least 4 cells left on the shorter side, 1 to 5."""
    side, count = min(shape.height, shape.width), 0
    while count < MOST_STAGES and (side := -(-side // 2)) >= LEAST_SIDE:
        count += 1
    return max(1, count)


def is_large(shape: Shape) -> bool:
    """Tell whether a picture gets the first layers of the published networks: 48 pixels or more on its shorter side."""
    return min(shape.height, shape.width) >= LARGE


def settle(plan: Deep, network: str, shape: Shape) -> Settled:
    """Return the plan of that network for inputs of `shape`, with what is usual wherever the user left it open."""
    usual, large = USUAL[network], is_large(shape)
    stem = usual.stem + 2 * (large and network != "vgg")
    width, depth = plan.width or (usual.wide if min(shape.height, shape.width) >= WIDE else usual.small), plan.depth or usual.depth
    # As in the papers: the last maps of small pictures are 7 or 8 cells wide, one halving more than that is for large ones and vgg.
    stages = plan.stages or max(1, halvings(shape) - stem + (large and network != "vgg"))
    settled = Settled(
        part=usual.part,
        filters=tuple(usual.times * width * 2 ** min(stage, usual.doublings) for stage in range(stages)),
        width=width,
        depth=depth,
        stages=stages,
        keep_prob=usual.keep_prob if plan.keep_prob is None else plan.keep_prob,
        norm=plan.norm or usual.norm,
        shortcuts=plan.shortcuts,
    )
    weights = [depth * usual.products * filters**2 for filters in settled.filters]
    cells = [shape.height * shape.width / 4 ** (stem + stage) for stage in range(stages)]
    _afford(network, settled, sum(weights), sum(map(operator.mul, weights, cells)))
    return settled


def _afford(network: str, plan: Settled, weights: float, products: float) -> None:
    """Raise SettingsError for a network that no model file holds or no gate would run."""
    for found, most, what in ((weights, MOST_WEIGHTS, "weights"), (products, MAX_WORK, "multiplications for one photo")):
        if found > most:
            raise SettingsError(
                f"{network} of width {plan.width} and depth {plan.depth} takes about {found / 1e6:,.0f} million {what}; "
                f"{most / 1e6:,.0f} million are the most",
                f"make it narrower or flatter: --width {max(2, plan.width // 2)} --depth {max(1, plan.depth // 2)}",
            )


def classifier(features: int, labels: int, keep_prob: float) -> Steps:
    """Return dropout and the last fully connected layer."""
    logits = nn.Linear(features, labels)
    nn.init.kaiming_normal_(logits.weight, nonlinearity="linear")
    nn.init.zeros_(logits.bias)
    return [("dropout", nn.Dropout(1 - keep_prob)), ("logits", logits)]


def averaged(features: int, labels: int, keep_prob: float) -> Steps:
    """Return the last layers of networks that end in the mean of each map (Lin et al. 2014): the means are the embedding."""
    return [("pool_head", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), *classifier(features, labels, keep_prob)]


def network(steps: Steps, embedding_of: str, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Return the network of these steps; mean and std in 0..255 units, one per channel."""
    return Network(nn.Sequential(OrderedDict(steps)), embedding_of, mean, std)
