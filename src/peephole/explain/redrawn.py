"""Does a map show what was learned? The same map from weights drawn anew, from the top layer down (Adebayo et al. 2018, section 3).

A map that stays the same when the weights are noise shows the picture, not the network. Guided Backprop fails so; slopes and Grad-CAM do not.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from peephole.base.errors import InputError, did_you_mean
from peephole.explain.attribution import HeatMap, attribute
from peephole.explain.faithfulness import spearman
from peephole.explain.gradient import Tape
from peephole.explain.graphs import constants_of

__all__ = ["Redrawn", "cascade", "learned", "rank_correlation", "reinitialised"]

# Which inputs of an operation are learned.
LEARNED = {"Conv": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "BatchNormalization": (1, 2)}


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A map from a network whose layers from the top down to `upto` were drawn anew, `layers` of `total`.

    `similarity` is the rank correlation (Spearman, -1..1) of its values with the trained network's, NaN where one of the maps is all alike;
    `magnitudes` that of their absolute values.
    """

    upto: str
    layers: int
    total: int
    map: HeatMap
    similarity: float
    magnitudes: float


def _weights(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> list[int]:
    """Return which inputs of a node hold learned numbers; the steps of the normalisation have none."""
    places = LEARNED.get(node.op_type, ()) if not node.name.startswith("normalise") else ()
    return [at for at in places if at < len(node.input) and node.input[at] in constants and constants[node.input[at]].dtype.kind == "f"]


def learned(data: bytes, *, until: str = "logits") -> tuple[str, ...]:
    """Return the names of the layers with weights that lead to `until`, the top one (the last) first."""
    model = onnx.load_from_string(data)
    constants = constants_of(model.graph)
    names = {node.name or node.output[0] for node in model.graph.node if _weights(node, constants)}
    return tuple(name for name in reversed(Tape(data, until=until).names) if name in names)


def reinitialised(data: bytes, upto: str, seed: int = 0, *, until: str = "logits") -> bytes:
    """Return the bytes of a graph whose layers with weights, from the top down to `upto` (included), are drawn anew.

    Each tensor is drawn from a normal distribution of its own mean and spread, so that the size of the signal stays about what it was; the same
    seed gives the same layer the same weights, whatever `upto`. The rest of the graph, among it the known examples, stays.
    Raises InputError for a layer that has no weights.
    """
    order = learned(data, until=until)
    if upto not in order:
        raise InputError(f"layer '{upto}' has no weights to draw anew{did_you_mean(upto, order)}", f"one of {', '.join(order[:5])}")
    model = onnx.load_from_string(data)
    constants = constants_of(model.graph)
    named = {node.name or node.output[0]: node for node in model.graph.node}
    for place, name in enumerate(order[: order.index(upto) + 1]):
        node = named[name]
        for at in _weights(node, constants):
            old = constants[node.input[at]]
            new = np.random.default_rng([seed, place, at]).normal(old.mean(dtype=np.float64), old.std(dtype=np.float64), old.shape)
            # A name of its own: other nodes may share the constant.
            node.input[at] = f"{name}.redrawn.{at}"
            model.graph.initializer.append(numpy_helper.from_array(new.astype(old.dtype), node.input[at]))
    return bytes(model.SerializeToString())


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation -1..1 of two arrays of one shape; NaN where one of them is all alike."""
    return spearman(one.ravel(), other.ravel())


def _levels(count: int, most: int) -> list[int]:
    """Return how many layers to draw anew, from one to all, at most `most` numbers, about evenly spread."""
    return sorted({round(each) for each in np.linspace(1, count, min(most, count))})


def _again(data: bytes, trained: HeatMap, picture: np.ndarray, until: str) -> HeatMap:
    """Return the map that `trained` is, made anew from other weights; the tape, 100 MB for a large network, goes before the next one comes."""
    how, steps, layer = trained.baseline or "black", trained.steps or None, trained.layer or None
    return attribute(Tape(data, until=until), picture, trained.label, trained.method, how=how, steps=steps, layer=layer)


def cascade(
    data: bytes,
    trained: HeatMap,
    picture: np.ndarray,
    *,
    seed: int = 0,
    most: int = 4,
    until: str = "logits",
) -> tuple[Redrawn, ...]:
    """Draw the layers anew from the top down, in at most `most` stages of which the last is all of them, and map again.

    The map of the same label by the same method, at the same layer and from the same baseline as `trained`.
    """
    order = learned(data, until=until)
    found = []
    for level in _levels(len(order), most):
        again = _again(reinitialised(data, order[level - 1], seed, until=until), trained, picture, until)
        pair = (trained.values, again.values)
        similar, sizes = rank_correlation(*pair), rank_correlation(*(np.abs(each) for each in pair))
        found.append(Redrawn(order[level - 1], level, len(order), again, similar, sizes))
    return tuple(found)
