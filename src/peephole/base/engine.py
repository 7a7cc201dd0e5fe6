"""The engine: ONNX Runtime around a model file; one input or a batch, as many threads as asked for."""

from dataclasses import dataclass

import numpy as np
import onnxruntime

from peephole.base.errors import HostileModelFile, InputError
from peephole.base.modelfile import ModelFile

__all__ = ["Engine", "Outputs"]

BATCH = 64


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model file answers for N inputs, all float32.

    logits (N, labels); embedding (N, features): what the last hidden layer says; familiarity (N, labels), -1..1;
    similarity (N, known examples): cosine with each known example, -1..1.
    """

    logits: np.ndarray
    embedding: np.ndarray
    familiarity: np.ndarray
    similarity: np.ndarray

    def at(self, rows: slice | np.ndarray) -> "Outputs":
        """Return the answers for some of the inputs."""
        return Outputs(*(getattr(self, name)[rows] for name in NAMES))


NAMES = ("logits", "embedding", "familiarity", "similarity")


class Engine:
    """Runs a model file; holds one ONNX Runtime session."""

    def __init__(self, model: ModelFile, threads: int = 1) -> None:
        """Open a session on the very bytes that were checked, with `threads` >= 1 threads (a gateway wants 1)."""
        if threads < 1:
            raise InputError(f"{threads} threads cannot run a model", "give 1, or as many as the machine has cores")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if threads == 1:
            options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # Spinning threads win microseconds and cost a Pi its idle core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no public base class
            raise HostileModelFile(f"{model.name} cannot be run: {str(error).splitlines()[0]}", "train or export it again") from error
        self.shape: tuple[int, int, int] = model.card.input.shape[1:]
        self._name, self._input = model.name, model.card.input.name
        self._widths = {name: shape[-1] for name, shape in model.card.outputs.items()}

    def run(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 images (N, H, W, C) or one image (H, W, C); raises InputError for any other shape or type."""
        images = images[None] if images.ndim == 3 else images
        if images.dtype != np.uint8 or images.shape[1:] != self.shape:
            raise InputError(
                f"the model takes uint8 images of shape {self.shape}, not {images.dtype} {images.shape[1:]}",
                "give the photo itself: it is prepared as the card says",
            )
        parts = [self._answer(images[at : at + BATCH]) for at in range(0, max(1, len(images)), BATCH)]
        return Outputs(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _answer(self, images: np.ndarray) -> list[np.ndarray]:
        """Run one batch; a file can pass every check on reading and still not compute what its card promises."""
        try:
            answers: list[np.ndarray] = self._session.run(NAMES, {self._input: images})
        except Exception as error:  # as above
            raise HostileModelFile(f"{self._name} cannot be run: {str(error).splitlines()[0]}", "train or export it again") from error
        for name, answer in zip(NAMES, answers, strict=True):
            if answer.shape != (len(images), self._widths[name]):
                raise HostileModelFile(
                    f"{self._name} answers {name} of shape {answer.shape}; its card promises {self._widths[name]} each", "train it again"
                )
        return answers
