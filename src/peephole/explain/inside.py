"""What goes on inside, gathered for one answer: maps beside their control, rebuilt pictures, exciting patches, dropout passes.

Takes seconds for a small network and up to a minute for a large one, so it is asked for. Computes; draws nothing and writes nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.base.errors import ModelFileError
from peephole.decide.predictor import Predictor
from peephole.explain.attribution import STEPS, HeatMap, cam, grad_cam, gradient_times_input, integrated_gradients, map_layers
from peephole.explain.dropout import DropoutPasses, drop_out, keep_of
from peephole.explain.exciting import Search, exciting
from peephole.explain.gradient import Tape
from peephole.explain.layers import Look
from peephole.explain.rebuilt import Rebuilt, rebuilt, work_of
from peephole.explain.redrawn import Redrawn, cascade

__all__ = ["Compared", "Inside", "drawn", "look_inside"]

EFFORT = 150_000_000_000  # multiplications that the way of integrated gradients may take, once: tens of seconds for the largest network
CELLS = 32
USUAL = 0.7  # the share of hidden units kept where the recipe names none


def drawn(found: HeatMap) -> np.ndarray:
    """Return a map as it is drawn: single pixels summed over squares, at most 32 a side, so that they can be seen and still add up."""
    step = -(-max(found.values.shape) // CELLS)
    if step <= 1:
        return found.values
    tall, wide = (-(-size // step) * step for size in found.values.shape)
    padded = np.pad(found.values, ((0, tall - found.values.shape[0]), (0, wide - found.values.shape[1])))
    return np.asarray(padded.reshape(tall // step, step, wide // step, step).sum(axis=(1, 3)))


@dataclass(frozen=True, eq=False)
class Compared:
    """A map from the trained network, and the same map from weights drawn anew, from the top layer down."""

    trained: HeatMap
    redrawn: tuple[Redrawn, ...]

    @property
    def limit(self) -> float:
        """The one scale of the figure runs from minus to plus this, in logits a cell that is drawn."""
        values = [np.abs(drawn(each)) for each in (self.trained, *(stage.map for stage in self.redrawn))]
        return max((float(each[np.isfinite(each)].max()) for each in values if np.isfinite(each).any()), default=0.0)


@dataclass(frozen=True, eq=False)
class Inside:
    """What goes on inside, for one label and picture.

    Nothing is there where a layer's values are no finite numbers (not `finite`). `maps` may be empty: then `no_maps` says which operation has no
    slope. `class_map` is None where the graph does not end in a mean and a dense layer; `search` where no folder of photos was given; `dropout` where
    no dense layer reads the answer off.
    """

    maps: tuple[Compared, ...]
    no_maps: str
    class_map: HeatMap | None
    rebuilt: tuple[Rebuilt, ...]
    search: Search | None
    dropout: DropoutPasses | None
    finite: bool = True


def _trained(data: bytes, seen: Look, picture: np.ndarray, label: int, how: str) -> tuple[list[HeatMap], HeatMap | None]:
    """Return the maps of the network as it is, and the class activation map."""
    tape = Tape(data)
    each = work_of(seen, seen.layers[-1].name)
    most = max(1, min(STEPS[1], EFFORT // max(1, each)))
    trained = [integrated_gradients(tape, picture, label, how=how, most=most), gradient_times_input(tape, picture, label, how=how)]
    if map_layers(tape, tape.run(picture[None])):
        trained.insert(0, grad_cam(tape, picture, label))
    return trained, cam(tape, picture, label)


def _dropped(predictor: Predictor, picture: np.ndarray, seed: int) -> DropoutPasses | None:
    keep = keep_of(predictor.card)
    trained = keep is not None and keep < 1
    share = keep if keep is not None and trained else USUAL
    try:
        return drop_out(predictor.model.data, picture, keep=share, seed=seed, temperature=predictor.card.temperature, trained=trained)
    except ModelFileError:
        return None


def look_inside(
    predictor: Predictor, seen: Look, picture: np.ndarray, label: int, *, photos: Path | str | None = None, how: str = "mean", seed: int = 0
) -> Inside:
    """Gather what goes on inside for uint8 `picture` (H, W, C), prepared, its layers `seen`, and one label.

    `how` is the baseline of the maps (`attribution.BASELINES`): the mean colour is also what occlusion covers with. With `photos`, a folder, the
    patches that excite filters are looked for. The same seed gives the same numbers. Raises DataError and MissingInput for the folder.
    """
    if not (np.isfinite(seen.logits).all() and all(np.isfinite(layer.values).all() for layer in seen.layers)):
        return Inside((), "", None, (), None, None, finite=False)
    data, no_maps = predictor.model.data, ""
    maps: tuple[Compared, ...] = ()
    class_map = None
    try:
        trained, class_map = _trained(data, seen, picture, label, how)
        maps = tuple(Compared(one, cascade(data, one, picture, seed=seed)) for one in trained)
    except ModelFileError as error:
        no_maps = error.what
    return Inside(
        maps=maps,
        no_maps=no_maps,
        class_map=class_map,
        rebuilt=rebuilt(data, seen, picture),
        search=exciting(predictor, seen, photos) if photos is not None else None,
        dropout=_dropped(predictor, picture, seed),
    )
