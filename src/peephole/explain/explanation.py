"""Everything that a report shows of one answer, gathered: the picture, every layer, the sums, the examples, the occlusion.

Computes; draws nothing and writes nothing.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.card import Card
from peephole.base.errors import PhotoError
from peephole.base.modelfile import ModelFile
from peephole.base.records import Prediction
from peephole.data.decode import open_bytes, read_bytes
from peephole.data.region import place
from peephole.decide.predictor import Predictor, load
from peephole.explain.inside import Inside, look_inside
from peephole.explain.joints import along, joints
from peephole.explain.layers import Layer, Look, look
from peephole.explain.neighbours import Familiarity, Known, familiarities, find_pictures, nearest, small
from peephole.explain.occlusion import Occlusion, occlude
from peephole.explain.softmax import Softmax, work_out
from peephole.explain.worked import AddCell, Cell, ConcatCell, add_cell, concat_cell, conv_cell, pool_cell, relu_cell, strongest, vote

__all__ = ["Explanation", "explain"]

LONGEST = 480


@dataclass(frozen=True, eq=False)
class Explanation:
    """One answer, taken apart.

    `given` is the picture upright and at most 480 pixels long, `given_size` its (width, height) before that; `prepared` is uint8 (H, W, C).
    `cells` are worked cells by the name of their layer. `pictures` says whether pictures of known examples were asked for.
    `inside` is what goes on inside, if that was asked for.
    `box` is the judged part, (left, top, width, height) in fractions 0..1 of the picture; None for all of it.
    """

    image: str
    image_sha256: str
    given: Image.Image
    given_size: tuple[int, int]
    prepared: np.ndarray
    model: ModelFile
    prediction: Prediction
    look: Look
    softmax: Softmax
    known: tuple[Known, ...]
    familiarity: tuple[Familiarity, ...]
    occlusion: Occlusion
    cells: tuple[Cell, ...]
    pictures: bool
    box: tuple[float, float, float, float] | None = None
    inside: Inside | None = None

    @property
    def card(self) -> Card:
        """The card of the model file."""
        return self.model.card


def _reader(seen: Look, name: str, op: tuple[str, ...]) -> Layer | None:
    """Return the first layer with one of these operations that reads layer `name`."""
    return next((layer for layer in seen.layers if layer.op in op and name in layer.inputs), None)


def _joined(seen: Look) -> list[AddCell | ConcatCell | None]:
    """Work out the strongest pixel of the first sum, of the first whose shortcut is fitted, and of the first concatenation."""
    found: dict[tuple[str, bool], AddCell | ConcatCell | None] = {}
    for joint in joints(seen.layers):
        layer = seen.layers[joint.join]
        kind = (layer.op, all(joint.ways))
        at = strongest(layer)
        if kind in found or at is None:
            continue
        sources = [each for name in layer.inputs if (each := seen.find(name)) is not None]
        if len(sources) == len(joint.ways):  # the picture itself has no maps to show
            ways = tuple(along(way, seen.layers) for way in joint.ways)
            found[kind] = (concat_cell if layer.op == "Concat" else add_cell)(layer, sources, ways, at)
    return list(found.values())


def work_cells(seen: Look, label: int) -> tuple[Cell, ...]:
    """Work out the strongest pixel of the first convolution, what ReLU and pooling make of it, of joints, and the vote for `label`."""
    found: list[Cell | None] = []
    layer = seen.first("Conv")
    at = strongest(layer) if layer else None
    if layer and at:
        source = seen.find(layer.inputs[0]) if layer.inputs else None
        found.append(conv_cell(layer, source, at) if source else None)
        relu = _reader(seen, layer.name, ("Relu", "Clip"))
        found.append(relu_cell(relu, layer, at) if relu else None)
        pool = _reader(seen, (relu or layer).name, ("MaxPool", "AveragePool"))
        found.append(pool_cell(pool, relu or layer, at) if pool else None)
    found += _joined(seen)
    last = seen.layers[-1] if seen.layers else None
    before = seen.find(last.inputs[0]) if last and last.inputs else None
    if last and before:
        found.append(vote(last, before, label))
    return tuple(cell for cell in found if cell is not None)


def explain(predictor: Predictor | str | Path, image_path: Path | str, *, photos: Path | None = None, inside: bool = False) -> Explanation:
    """Take the answer for one photo apart.

    `photos` is the folder the model was trained on: only with it are pictures of the nearest known examples shown. With `inside` what goes on inside
    is looked at too, which takes seconds or, for a large network, up to a minute.
    Raises MissingInput and PhotoError for the photo, DataError for the folder, ParityError when the layers shown would not be
    those of the file that answers.
    """
    predictor = predictor if isinstance(predictor, Predictor) else load(predictor)
    path = Path(image_path)
    try:
        data = read_bytes(path)
        image = open_bytes(data)
    except PhotoError as error:
        raise PhotoError(f"{path}: {error.what}", error.hint) from error
    card, engine = predictor.card, predictor.engine
    prepared = predictor.prepare(image)
    prediction = predictor.predict(image)
    outputs = engine.run(prepared)
    seen = look(predictor.model.data, prepared[None], reference=outputs.logits)
    label = card.labels.index(prediction.best)
    near = nearest(outputs.similarity[0], card.unknown, {})
    if photos is not None:
        near = nearest(outputs.similarity[0], card.unknown, find_pictures(Path(photos), {each.digest for each in near}))
    return Explanation(
        image=path.name,
        image_sha256=hashlib.sha256(data).hexdigest(),
        given=small(image, LONGEST),
        given_size=image.size,
        prepared=prepared,
        model=predictor.model,
        prediction=prediction,
        look=seen,
        softmax=work_out(outputs.logits[0], card.temperature),
        known=near,
        familiarity=familiarities(outputs.similarity[0], outputs.familiarity[0], card.unknown),
        occlusion=occlude(engine, prepared, label),
        cells=work_cells(seen, label),
        pictures=photos is not None,
        box=_judged(image, card),
        inside=look_inside(predictor, seen, prepared, label, photos=photos) if inside else None,
    )


def _judged(image: Image.Image, card: Card) -> tuple[float, float, float, float] | None:
    """Return the judged part as (left, top, width, height) in fractions; None for all of the picture."""
    if card.input.region.how == "whole":
        return None
    left, top, right, bottom = place(image, card.input.region).box
    return left / image.width, top / image.height, (right - left) / image.width, (bottom - top) / image.height
