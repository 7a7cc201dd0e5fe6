"""Trained == exported, or nothing is written."""

import numpy as np
import onnx
import onnxruntime

from peephole.base.card import Parity
from peephole.base.engine import NAMES, Outputs
from peephole.base.errors import ParityError
from peephole.decide.familiarity import familiarity, similarity
from peephole.decide.judge import accepts
from peephole.export.onnx import Known
from peephole.nets.blocks import Network
from peephole.train.loop import answers_of

__all__ = ["compare", "run_graph"]

TOLERANCE = 1e-3  # in logits, relative to their largest magnitude; float32 sums in another order stay far below


def run_graph(graph: onnx.ModelProto, images: np.ndarray, at: np.ndarray | None = None, *, batch: int = 64) -> Outputs:
    """Return what ONNX Runtime answers for uint8 images (N, H, W, C), or for those `at` some indices, before the graph is a file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    at = np.arange(len(images)) if at is None else at
    parts = [session.run(NAMES, {"image": images[at[first : first + batch]]}) for first in range(0, len(at), batch)]
    return Outputs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def compare(
    network: Network, known: Known, outputs: Outputs, images: np.ndarray, at: np.ndarray | None = None, *, line: tuple[float, float]
) -> Parity:
    """Compare ONNX Runtime's answers with PyTorch's for the same images (those `at` some indices) and `line` (threshold, margin).

    Raises ParityError when a decision changes or logits drift.
    """
    logits, embedding = answers_of(network, images, np.arange(len(images)) if at is None else at)
    familiar = familiarity(similarity(embedding, known.embeddings, known.centre), known.labels, logits.shape[1], known.k)
    trained = np.where(accepts(logits, familiar, *line), logits.argmax(1), -1)
    exported = np.where(accepts(outputs.logits, outputs.familiarity, *line), outputs.logits.argmax(1), -1)
    difference = float(np.abs(logits - outputs.logits).max())
    changed = int((trained != exported).sum())
    if not np.isfinite(difference) or changed or difference > TOLERANCE * max(1.0, float(np.abs(logits).max())):
        raise ParityError(
            f"the exported graph differs from the trained network: {changed} of {len(logits)} decisions changed, logits by up to {difference:.2g}",
            "nothing was written; please report this with the command and the versions that `peephole --version` prints",
        )
    return Parity(max_difference=difference, changed_decisions=changed, n=len(logits))
