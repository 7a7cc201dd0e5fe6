"""Dropout after the fact: the hidden units of a trained file put out at random, T times over, and how far the T answers lie apart.

A model file has no dropout in it: it belongs to training, where each hidden unit was kept with probability `keep` and what was kept was divided by it
(inverted dropout), so that nothing need change at the door. Put back behind the last hidden layer, masks show how much the answer hangs on single
units (Gal & Ghahramani 2016 read the spread as doubt; it is no probability of being wrong, and nothing here was calibrated to be one).
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from peephole.base.card import Card
from peephole.base.errors import InputError, ModelFileError, SettingsError
from peephole.explain.graphs import session_of

__all__ = ["PASSES", "DropoutPasses", "drop", "drop_out", "keep_of", "with_mask"]

PASSES = 50
MASK = "dropout_mask"


@dataclass(frozen=True, eq=False)
class DropoutPasses:
    """T answers with hidden units put out, and the plain one.

    `layer` is the hidden layer, `hidden` (units,) what it says; `masks` bool (T, units), True where a unit was kept; `logits` (T, labels);
    `probabilities` (T, labels) with the card's temperature; `plain` (labels,) and `plain_probabilities` those of the file as it is. `keep` is the
    share kept, 0 < keep <= 1, `trained` whether it is the one the network was trained with.
    """

    layer: str
    keep: float
    trained: bool
    seed: int
    hidden: np.ndarray
    masks: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    plain: np.ndarray
    plain_probabilities: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean logits (labels,) of all passes: near the plain ones, for what comes behind the hidden layer is a plane."""
        return np.asarray(self.logits.mean(axis=0))

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation of each logit (labels,) over the passes."""
        return np.asarray(self.logits.std(axis=0, ddof=1)) if len(self.logits) > 1 else np.zeros_like(self.plain)

    @property
    def votes(self) -> np.ndarray:
        """How many passes each label (labels,) came out best in."""
        return np.bincount(self.logits.argmax(axis=1), minlength=len(self.plain))


def drop(x: np.ndarray | float, mask: np.ndarray, keep: float) -> np.ndarray:
    """Return x * mask / keep: inverted dropout with p = 1 - keep (MATH section 3); its mean over masks is x."""
    return np.asarray(x * mask / keep)


def keep_of(card: Card) -> float | None:
    """Return the share of hidden units that was kept in training, as the card's recipe says; None where it says nothing."""
    recipe = card.training.recipe
    plan = recipe.get("deep") if recipe.get("network") in {"vgg", "inception", "resnet"} else recipe.get("plain")
    if recipe.get("network") not in {"plain", "vgg", "inception", "resnet"} or not isinstance(plan, dict):
        return None
    keep = plan.get("keep_prob")
    return float(keep) if isinstance(keep, int | float) and 0 < keep <= 1 else None


def with_mask(data: bytes) -> tuple[bytes, str, str]:
    """Return (bytes, layer, tensor): a copy of the graph that multiplies the hidden units before the logits by an input of (T, units).

    `layer` is the name of the layer whose answer `tensor` is. Raises ModelFileError where the logits are not read off by one dense layer.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    last = next((node for node in graph.node if "logits" in node.output), None)
    if last is None or last.op_type not in {"Gemm", "MatMul"}:
        raise ModelFileError("the logits are not read off by one dense layer, so there are no hidden units to put out", "explain without --inside")
    hidden = last.input[0]
    before = next((node for node in graph.node if hidden in node.output), None)
    if before is None:
        raise ModelFileError("the logits are read off the picture itself, so there are no hidden units to put out", "explain without --inside")
    masked = helper.make_node("Mul", [hidden, MASK], [f"{MASK}ed"], "dropout")
    last.input[0] = masked.output[0]
    graph.node.insert(list(graph.node).index(last), masked)
    graph.input.append(helper.make_tensor_value_info(MASK, TensorProto.FLOAT, None))
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in ("logits", hidden))
    return bytes(model.SerializeToString()), before.name or hidden, hidden


def _softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    shifted = logits.astype(np.float64) / temperature
    powers = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def drop_out(
    data: bytes, picture: np.ndarray, *, keep: float, passes: int = PASSES, seed: int = 0, temperature: float = 1.0, trained: bool = True
) -> DropoutPasses:
    """Ask the graph in `data` about uint8 `picture` (H, W, C) `passes` times, each time with another draw of hidden units kept.

    Same seed, same masks. Raises SettingsError for a share that is no share or too few or many passes, ModelFileError where no dense layer ends the
    graph.
    """
    if not 0 < keep <= 1:
        raise SettingsError(f"the share kept is above 0 and at most 1, not {keep:g}", "0.7 is usual")
    if not 1 <= passes <= 10_000:
        raise SettingsError(f"{passes} passes are asked for; between 1 and 10000 can be", "50 are usual")
    copy, layer, hidden = with_mask(data)
    session = session_of(copy)
    name = next(each.name for each in session.get_inputs() if each.name != MASK)

    def ask(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (logits, hidden units) for masks (T, units), the units before they are masked."""
        try:
            logits, units = session.run(["logits", hidden], {name: picture[None], MASK: mask.astype(np.float32)})
        except Exception as error:  # ONNX Runtime's errors share no public base class
            raise InputError(f"the graph cannot take this picture: {str(error).splitlines()[0]}", "give it as its card says") from error
        return logits, units

    plain, units = ask(np.ones((1, 1)))
    masks = np.random.default_rng(seed).random((passes, units.shape[-1])) < keep
    logits, _ = ask(drop(1.0, masks, keep))
    return DropoutPasses(
        layer, keep, trained, seed, units[0], masks, logits, _softmax(logits, temperature), plain[0], _softmax(plain, temperature)[0]
    )
