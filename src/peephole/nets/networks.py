"""The networks by name: the one table that the recipe, the learner and the command line read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.deep import Deep, Settled, settle
from peephole.nets.inception import inception
from peephole.nets.lite import LITES, lite
from peephole.nets.resnet import resnet
from peephole.nets.strokes import strokes
from peephole.nets.vgg import vgg

__all__ = ["DEEP", "NETWORKS", "PRETRAINED", "draw"]

Builder = Callable[[Settled, Shape, int, tuple[float, ...], tuple[float, ...]], Network]

DEEP: Mapping[str, Builder] = MappingProxyType({"vgg": vgg, "inception": inception, "resnet": resnet})
PRETRAINED = ("strokes", *LITES)  # photos they never saw taught them: a last layer may be all that is left to learn
NETWORKS = ("plain", *DEEP, *PRETRAINED)


def draw(
    name: str, shape: Shape, labels: int, mean: tuple[float, ...], std: tuple[float, ...], *, plan: Plain | None = None, deep: Settled | None = None
) -> Network:
    """Build the network of that name for inputs of `shape` (strokes: 32x32x1).

    mean and std in 0..255 units, one per channel (lite0 and lite2 have their own). `plan` are the numbers of plain, `deep` those of vgg,
    inception and resnet; None takes the usual ones.
    Raises SettingsError for numbers that plain cannot have at this size (`settle` checks the deep ones).
    """
    if name in LITES:
        return lite(name, shape, labels)
    if name == "strokes":
        return strokes(labels, mean[0], std[0])
    if name in DEEP:
        return DEEP[name](deep or settle(Deep(), name, shape), shape, labels, mean, std)
    return plain(plan or Plain(), shape, labels, mean, std)
