"""What a model file's graph compares an embedding with, read out of its constants; trusted only where it gives the graph's own answers."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from peephole.base.engine import Outputs
from peephole.base.errors import ModelFileError
from peephole.base.modelfile import ModelFile
from peephole.decide.familiarity import similarity

__all__ = ["Compared", "compared", "require_same"]

CENTRE, KNOWN = "familiarity.centre", "familiarity.known"
TOLERANCE = 1e-3  # in cosines; sums in another order stay far below


@dataclass(frozen=True, eq=False)
class Compared:
    """The `centre` float32 (D,) that is taken from every embedding, and the `directions` (M, D) of the known examples from there."""

    centre: np.ndarray
    directions: np.ndarray


def compared(model: ModelFile) -> Compared:
    """Return what a model file compares with; raises ModelFileError for a graph that does not have it by the names of our exporter."""
    wide, many = int(model.card.outputs["embedding"][1]), len(model.card.unknown.known_labels)
    found = {tensor.name: tensor for tensor in onnx.load_from_string(model.data).graph.initializer if tensor.name.startswith("familiarity.")}
    if CENTRE in found and (named := [name for name in (f"{KNOWN}.weight", KNOWN) if name in found]):
        centre, known = numpy_helper.to_array(found[CENTRE]), numpy_helper.to_array(found[named[0]])
        known = known if known.shape[-1] == wide else known.T
        if centre.shape == (wide,) and known.ndim == 2 and known.shape[1] == wide and len(known) >= many:
            return Compared(np.asarray(centre, np.float32), np.asarray(known[:many], np.float32))
    raise ModelFileError(f"{model.name} does not show what it compares with, so nobody can be enrolled beside it", "train it again with this version")


def require_same(found: Compared, outputs: Outputs) -> None:
    """Raise ModelFileError unless numpy gives the similarities (N, M) that the graph gave for the same embeddings."""
    mine = similarity(outputs.embedding, found.directions + found.centre, found.centre)
    if not np.abs(mine - outputs.similarity).max(initial=0.0) <= TOLERANCE:
        raise ModelFileError("the model file compares otherwise than its constants say, so nobody can be enrolled beside it", "train it again")
