"""A model file to look into: one of ours, with its card, or an image classifier that somebody else exported to ONNX.

Nothing is allocated or run before the file's sizes and the work that it asks for are counted. A foreign file is only ever shown: no door runs one.
"""

import ast
import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from PIL import Image

from peephole.base.card import Card
from peephole.base.errors import HostileModelFile, InputError, ModelFileError
from peephole.base.graph import FLOAT16, FLOAT32, FLOAT64, UINT8, Graph, Port, check
from peephole.base.modelfile import CARD_KEY, MAX_BYTES, ModelFile, looks_like, raw, read_bytes, too_big
from peephole.base.operators import OPERATORS, Shape
from peephole.base.seal import digest
from peephole.base.work import MAX_VALUES, Work, measure_foreign
from peephole.data.prepare import frame_of, placed
from peephole.explain.fold import fold
from peephole.explain.graphs import parse
from peephole.explain.rules import RULES

__all__ = ["Layout", "OpenModel", "open_bytes", "open_model"]

Layout = Literal["NHWC", "NCHW", "N*"]
FOREIGN_HINT = "give an ONNX file of an image classifier: one picture in, one row of numbers out"
DTYPES = {FLOAT32: "float32", UINT8: "uint8", FLOAT16: "float16", FLOAT64: "float64"}
FREE = 224  # pixels a side, where a file leaves the size of its pictures open: what most image classifiers were trained on
LABEL_KEYS = ("labels", "classes", "class_names", "names")
MAX_LABELS = 100_000
MAX_WORDS = 4_000_000  # bytes of metadata that are read as labels: reading Python's way takes a hundred times as many in memory
MAX_TRACED = 200_000_000  # values in all layers together: 800 MB; DenseNet-121 at 224 px has 80 million with its weights
# Operators of ONNX Runtime's own whose output has the shape of their first input: onnx's shape inference does not know them.
CELLWISE = ("BiasGelu", "FastGelu", "Gelu", "QuickGelu")


@dataclass(frozen=True, eq=False)
class OpenModel:
    """A model file that was checked and can be looked into.

    `card` is None for a foreign file; `labels` are then those in its metadata, or "0", "1", .... `shape` is the picture's (H, W, C), with free sizes
    settled; `taken` that of the graph's input, with a batch of 1; `layout` how it takes the picture: "NHWC", "NCHW", or "N*" as one row. `dtype` is
    numpy's name of the input's type. `broken` names the weights that hold NaN or infinity. A foreign file's pictures are scaled to 0..`scale` (1 or
    255), then `mean` is taken off and the rest divided by `std`, a number or one for each channel.
    """

    name: str
    sha256: str
    data: bytes
    card: Card | None
    labels: tuple[str, ...]
    input_name: str
    taken: tuple[int, ...]
    layout: Layout
    dtype: str
    shape: tuple[int, int, int]
    output_name: str
    broken: tuple[str, ...] = ()
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def ours(self, data: bytes | None = None) -> ModelFile:
        """Return it as the model file that it is, or `data` with its card where weights were changed; raises InputError for a foreign file."""
        if self.card is None:
            raise InputError(f"{self.name} is a file from elsewhere, and this needs one with a card", "train one: peephole train PHOTOS")
        return ModelFile(self.name, self.card, self.sha256, self.data if data is None else data)

    def known(self, op: str) -> bool:
        """Tell whether an operator can be explained, cell by cell."""
        return op in RULES

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """What `prepare` does to a picture, in words, in order."""
        height, width, channels = self.shape
        colour = "grey" if channels == 1 else "red, green and blue"
        if self.card is not None:
            return (
                f"region: {self.card.input.region.how}",
                f"resize to {height} x {width} ({self.card.input.resize.fit})",
                f"colour: {colour}, 0..255",
            )
        steps = [f"resize to {height} x {width} (stretch)", f"colour: {colour}", f"scale 0..255 to 0..{self.scale:g}"]
        if any(self.mean):
            steps.append("minus " + ", ".join(f"{value:g}" for value in self.mean))
        if any(value != 1 for value in self.std):
            steps.append("divided by " + ", ".join(f"{value:g}" for value in self.std))
        if self.layout != "NHWC":
            steps.append("channels first" if self.layout == "NCHW" else "all in one row")
        return tuple(steps)

    def prepare(self, image: Image.Image | np.ndarray) -> np.ndarray:
        """Return a picture as the graph takes it, with the batch axis: (1, H, W, C), (1, C, H, W) or (1, H * W * C).

        `image` is a Pillow image or uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). Our files are prepared as their card says; raises PhotoError
        when its region finds nothing to judge and InputError for what is no picture.
        """
        picture = frame_of(image) if isinstance(image, np.ndarray) else image
        if self.card is not None:
            return placed(picture, self.card.input)[0][None]
        height, width, channels = self.shape
        if channels not in (1, 3):
            raise InputError(f"{self.name} takes pictures of {channels} channels, and photos have 1 or 3", "give it an array of its own shape")
        small = picture.convert("RGB").convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.float32).reshape(height, width, channels)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values = (pixels * np.float32(self.scale / 255) - mean) / std
        laid = values.transpose(2, 0, 1) if self.layout == "NCHW" else values
        return np.ascontiguousarray(laid.reshape(self.taken), self.dtype)


def open_model(path: Path | str, *, scale: float = 1.0, mean: float | tuple[float, ...] = 0.0, std: float | tuple[float, ...] = 1.0) -> OpenModel:
    """Read and check a model file, ours or foreign; `scale`, `mean` and `std` say how a foreign one wants its pictures (see OpenModel).

    Raises MissingInput when it is not there, HostileModelFile when it is over a cap, broken, keeps weights elsewhere, has control flow or asks for
    work that cannot be counted; ModelFileError when it is no image classifier; InputError for a scale, mean or std that cannot be.
    """
    return open_bytes(raw(path, _screen), Path(path).name, scale=scale, mean=mean, std=std)


def open_bytes(
    data: bytes, name: str, *, scale: float = 1.0, mean: float | tuple[float, ...] = 0.0, std: float | tuple[float, ...] = 1.0
) -> OpenModel:
    """Check the bytes of a model file that is called `name`; raises as `open_model` does."""
    graph = _screen(data, name)
    if any(key == CARD_KEY for key, _ in graph.metadata):
        ours = read_bytes(data, name)
        if (scale, mean, std) != (1.0, 0.0, 1.0) and (scale, mean, std) != (1.0, (0.0,), (1.0,)):
            raise InputError(f"{name} says itself how its pictures are prepared", "leave out scale, mean and std: its card has them")
        shape = ours.card.input.shape[1:]
        try:
            _affordable(measure_foreign(graph, {"image": (1, *shape)}, {}), graph)
        except ModelFileError as error:
            raise type(error)(f"{name} {error.what}", "train it for smaller pictures: peephole train PHOTOS --size 224") from error
        return OpenModel(name, ours.sha256, data, ours.card, ours.card.labels, "image", (1, *shape), "NHWC", "uint8", shape, "logits")
    try:
        found = _foreign(graph, data, name)
    except ModelFileError as error:
        raise type(error)(f"{name} {error.what}", error.hint or FOREIGN_HINT) from error
    return _scaled(found, scale, mean, std)


def _screen(data: bytes | mmap.mmap, name: str) -> Graph:
    """Return the facts of a file that may be foreign; raises HostileModelFile."""
    if len(data) > MAX_BYTES:
        too_big(name, len(data))
    if looks := looks_like(data, Path(name).suffix.lower()):
        raise HostileModelFile(f"{name} {looks[0]}, not a model file", looks[1])
    try:
        return check(data, foreign=True)
    except ModelFileError as error:
        raise type(error)(f"{name} {error.what}", error.hint or FOREIGN_HINT) from error


def _scaled(model: OpenModel, scale: float, mean: float | tuple[float, ...], std: float | tuple[float, ...]) -> OpenModel:
    """Return the model with its way to scale pictures; raises InputError."""
    means, spreads = (tuple(np.atleast_1d(np.asarray(value, np.float64)).tolist()) for value in (mean, std))
    if scale not in (1, 255):
        raise InputError(f"pictures are scaled to 0..1 or 0..255, not to 0..{scale:g}", "give a scale of 1 or 255")
    for what, values in (("mean", means), ("std", spreads)):
        if len(values) not in (1, model.shape[2]) or not np.isfinite(values).all() or (what == "std" and 0 in values):
            raise InputError(f"a {what} of {values} does not fit {model.shape[2]} channels", f"give one finite {what}, or one for each channel")
    return replace(model, scale=float(scale), mean=means, std=spreads)


def _foreign(graph: Graph, data: bytes, name: str) -> OpenModel:
    """Find a foreign file's picture and its answer, and count the work."""
    inputs = [port for port in graph.inputs if port.name not in graph.weights]
    if len(inputs) != 1:
        raise ModelFileError(f"takes {len(inputs)} inputs, not one picture")
    port = inputs[0]
    if port.type not in DTYPES:
        raise ModelFileError(f"takes values of a type that no picture has (number {port.type})")
    layout, shape, full = _layout(port)
    if math.prod(full) > MAX_VALUES:
        raise HostileModelFile(f"takes pictures of {math.prod(full):,} values; at most {MAX_VALUES:,} are given")
    answer = _answer(graph)
    graph = _leading_to(graph, answer.name)
    work = measure_foreign(graph, {port.name: full}, _inferred(graph, data, port.name, full), fold)
    _affordable(work, graph)
    width = math.prod(work.shapes.get(answer.name, (1,)))
    if width > MAX_LABELS:
        raise ModelFileError(f"answers {width:,} numbers; at most {MAX_LABELS:,} labels are shown")
    labels = _labels(graph, width)
    return OpenModel(name, digest(data)[0], data, None, labels, port.name, full, layout, DTYPES[port.type], shape, answer.name, graph.broken)


def _affordable(work: Work, graph: Graph) -> None:
    """Refuse a file whose layers together have more values than are kept of one pass."""
    values = sum(math.prod(work.shapes[name]) for node in graph.steps for name in node.outputs if name)
    if values > MAX_TRACED:
        raise HostileModelFile(f"has {values:,} values in its layers; at most {MAX_TRACED:,} are shown at once")


def _answer(graph: Graph) -> Port:
    """Return the output that is most likely the row of logits: one of that name, else the last row of numbers."""
    outputs = [one for one in graph.outputs if one.type in DTYPES and one.type != UINT8]
    if not outputs:
        raise ModelFileError("answers no row of numbers")
    rows = [one for one in outputs if len(one.shape) == 2]
    return next((one for one in outputs if one.name == "logits"), (rows or outputs)[-1])


def _leading_to(graph: Graph, output: str) -> Graph:
    """Return the graph with those steps alone that an output needs: nothing else runs, such as looking up a label's name."""
    needed, kept = {output}, []
    for node in reversed(graph.steps):
        if needed & set(node.outputs):
            needed |= set(node.inputs)
            kept.append(node)
    return replace(graph, steps=tuple(kept[::-1]))


def _layout(port: Port) -> tuple[Layout, tuple[int, int, int], Shape]:
    """Return the layout, the picture's (H, W, C) and the input's whole shape; free sizes become 1 photo, 3 channels, 224 pixels."""
    sizes = port.shape
    if sizes and isinstance(sizes[0], int) and sizes[0] > 1:
        raise ModelFileError(f"takes {sizes[0]} pictures at once, not one")
    if len(sizes) == 4:
        first = sizes[3] not in (1, 3) or sizes[1] in (1, 3)
        channels, height, width = (sizes[1], sizes[2], sizes[3]) if first else (sizes[3], sizes[1], sizes[2])
        c, h, w = (size if isinstance(size, int) and size else free for size, free in ((channels, 3), (height, FREE), (width, FREE)))
        return ("NCHW", (h, w, c), (1, c, h, w)) if first else ("NHWC", (h, w, c), (1, h, w, c))
    if len(sizes) == 3 and all(isinstance(size, int) for size in sizes[1:]):
        h, w = int(sizes[1]), int(sizes[2])
        return "NHWC", (h, w, 1), (1, h, w)
    if len(sizes) == 2 and isinstance(sizes[1], int):
        return "N*", _square(sizes[1]), (1, sizes[1])
    raise ModelFileError(f"takes an input of shape {sizes}, which is no picture")


def _square(count: int) -> tuple[int, int, int]:
    """Return the picture (H, W, C) that so many values in a row are: a square in grey or colour, else one line."""
    for channels in (1, 3):
        side = round((count / channels) ** 0.5)
        if side * side * channels == count:
            return side, side, channels
    return 1, count, 1


def _inferred(graph: Graph, data: bytes, name: str, full: Shape) -> Mapping[str, Shape]:
    """Return the shapes that onnx infers for what operators that we do not list give; empty when all are listed."""
    if all(node.op in OPERATORS and node.domain in ("", "ai.onnx") for node in graph.steps):
        return {}
    model = parse(data)
    for port in model.graph.input:
        if port.name == name:
            port.type.tensor_type.shape.CopyFrom(onnx.helper.make_tensor_type_proto(1, full).tensor_type.shape)
    # What the file itself says of its inner sizes is a stranger's word: only what follows from the input counts.
    del model.graph.value_info[:]
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    found: dict[str, Shape] = {}
    try:
        for _ in range(2):
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
            found = {each.name: shape for each in (*inferred.graph.value_info, *inferred.graph.output) if (shape := _told(each)) is not None}
            found |= {port.name: full for port in model.graph.input if port.name == name}
            more = [(node, found[node.input[0]]) for node in model.graph.node if node.op_type in CELLWISE and node.domain and node.input[0] in found]
            more = [(node, shape) for node, shape in more if node.output[0] not in found]
            if not more:
                break
            for node, shape in more:
                model.graph.value_info.append(onnx.helper.make_tensor_value_info(node.output[0], 1, shape))
                found[node.output[0]] = shape
    except Exception as error:  # onnx raises several kinds
        raise ModelFileError(f"has sizes that do not fit together: {str(error).splitlines()[0][:200]}") from error
    return found


def _told(value: onnx.ValueInfoProto) -> Shape | None:
    """Return a shape in which every size is known, or None."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(size.HasField("dim_value") for size in tensor.shape.dim):
        return None
    return tuple(size.dim_value for size in tensor.shape.dim)


def _labels(graph: Graph, width: int) -> tuple[str, ...]:
    """Return the labels that a file's metadata or its only tensor of words name, if they are as many as it answers, else numbers."""
    for key, value in graph.metadata:
        if key.lower() not in LABEL_KEYS or len(value) > MAX_WORDS:
            continue
        text = bytes(value).decode(errors="replace")
        found = _listed(text)
        if len(found) == width:
            return found
    if len(graph.words) == 1 and len(graph.words[0]) == width:
        return graph.words[0]
    return tuple(str(at) for at in range(width))


def _number_of(key: object) -> int:
    """Return a label's number, 0 for a key that is none."""
    text = str(key)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _listed(text: str) -> tuple[str, ...]:
    """Read labels from JSON, from a Python dict (as YOLO's files have it), or from lines or commas."""
    for reader in (json.loads, ast.literal_eval):
        try:
            values = reader(text)
            if isinstance(values, dict):
                values = [values[key] for key in sorted(values, key=_number_of)]
            if isinstance(values, list | tuple):
                return tuple(str(one) for one in values)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return tuple(part.strip() for part in (text.splitlines() if "\n" in text else text.split(",")) if part.strip())
