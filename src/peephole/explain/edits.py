"""Weights changed by hand: the same file with other numbers, to see what a number does."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import numpy_helper

from peephole.base.errors import InputError, did_you_mean
from peephole.explain.graphs import editable, parse
from peephole.explain.openmodel import OpenModel

__all__ = ["MAX_EDITS", "Edit", "changed", "edited_bytes"]

MAX_EDITS = 1_000


@dataclass(frozen=True)
class Edit:
    """One weight set by hand: `tensor` is its name in the file, `index` the place in its whole shape, `value` the finite number that it becomes."""

    tensor: str
    index: tuple[int, ...]
    value: float


def edited_bytes(model: OpenModel, edits: Sequence[Edit]) -> bytes:
    """Return the file with the edits made, in order; the last one on a place counts.

    The card stays, but a seal does not fit any more and a signature neither: nobody takes it for the file that was trained. Raises as `changed` does.
    """
    graph = parse(model.data)
    tensors = editable(graph.graph)
    for name, values in changed(edits, tensors, lambda name: numpy_helper.to_array(tensors[name]), model.name).items():
        # The name goes along; where the old values stood as raw bytes or as typed ones makes no difference.
        tensors[name].CopyFrom(numpy_helper.from_array(values, name))
    return bytes(graph.SerializeToString())


def changed(edits: Sequence[Edit], names: Collection[str], read: Callable[[str], np.ndarray], file: str) -> dict[str, np.ndarray]:
    """Return the whole new values of each tensor that is edited; `names` are those there are, `read` gives the old values of one.

    Raises InputError for a tensor or place that is not there, weights that are no floats, a value that is not finite or does not fit them, or more
    than 1,000 edits.
    """
    if len(edits) > MAX_EDITS:
        raise InputError(f"{len(edits):,} edits are more than {MAX_EDITS:,}", "undo some, or change the file with the onnx library")
    found: dict[str, np.ndarray] = {}
    for edit in edits:
        if edit.tensor not in names:
            raise InputError(f"there is no weight {edit.tensor!r} in {file}{did_you_mean(edit.tensor, names)}", "a trace's tensors name them")
        if edit.tensor not in found:
            found[edit.tensor] = read(edit.tensor).copy()
        _change(found[edit.tensor], edit)
    return found


def _change(values: np.ndarray, edit: Edit) -> None:
    """Write one value into a tensor of floats."""
    if values.dtype.kind != "f":
        raise InputError(f"{edit.tensor!r} holds {values.dtype}, not weights", "edit a tensor of floats")
    if not math.isfinite(edit.value) or abs(edit.value) > float(np.finfo(values.dtype).max):
        raise InputError(f"{edit.value} is no weight", f"give a finite number that fits {values.dtype}")
    if len(edit.index) != values.ndim or not all(0 <= at < size for at, size in zip(edit.index, values.shape, strict=True)):
        raise InputError(f"there is no place {edit.index} in {edit.tensor!r} of shape {values.shape}", "count from 0 along each axis")
    values[edit.index] = edit.value
