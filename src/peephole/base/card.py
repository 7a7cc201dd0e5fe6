"""The card: what a model file says of itself, as JSON in its metadata under `peephole.card`.

Knows nothing of ONNX; `modelfile` puts a card into a file and takes it out again.
A reader refuses keys it does not know: a misread threshold would open a door.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from peephole.base.records import Evidence

__all__ = ["CARD_VERSION", "Card", "Input", "Layer", "Parity", "Region", "Resize", "Score", "Training", "Unknown"]

CARD_VERSION = 1

Fraction = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    """A frozen part of the card; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Part):
    """Which part of the frame is judged.

    `box` is (left, top, width, height) as fractions 0..1 of the upright frame; only for `rectangle`.
    """

    how: Literal["whole", "rectangle"] = "whole"
    box: tuple[Fraction, Fraction, Fraction, Fraction] | None = None


class Resize(_Part):
    """How a region becomes the network's input.

    `to` is (height, width) in pixels. `cover` fills it and cuts what stands over on both sides, `contain` fits inside
    and pads with the alpha colour, `stretch` ignores the aspect ratio.
    """

    to: tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]]
    fit: Literal["cover", "contain", "stretch"] = "cover"
    filter: Literal["pillow-bilinear-antialias"] = "pillow-bilinear-antialias"


class Input(_Part):
    """What the graph takes: `shape` is ("N", H, W, C) of uint8, C = 1 (grey) or 3 (rgb)."""

    name: Literal["image"] = "image"
    dtype: Literal["uint8"] = "uint8"
    shape: tuple[Literal["N"], int, int, Literal[1, 3]]
    region: Region = Region()
    resize: Resize
    colour: Literal["rgb", "grey"]
    alpha: Literal["white", "black"] = "white"


class Layer(_Part):
    """One node of the graph: `shape` without the batch; `macs` are multiply-accumulates for one input."""

    name: str
    op: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


class Unknown(_Part):
    """How a stranger is told from those the model knows.

    `familiarity` of a label is the mean cosine of the centred embedding with its `k` nearest known examples, -1..1.
    A stranger is whoever has familiarity < `threshold` or leads the next label by less than `margin`.
    `how` says where the threshold came from.
    """

    method: Literal["knn-cosine"] = "knn-cosine"
    k: Annotated[int, Field(ge=1, le=100)]
    threshold: Finite
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    false_accept: Fraction = 0.01
    how: str
    known_labels: tuple[int, ...]
    known_digests: tuple[str, ...]
    known_ids: tuple[str, ...]


class Score(_Part):
    """A share of right answers with its two-sided 95 % Clopper-Pearson interval; `role` as in EVIDENCE."""

    accuracy: Fraction
    n: Annotated[int, Field(ge=1)]
    interval: tuple[Fraction, Fraction]
    role: Literal["proof", "estimate", "simulated"]
    unit: Literal["source", "photo"] = "source"


class Training(_Part):
    """What the model was made from; `digests` are sha256 of each source file used, hex, sorted."""

    examples: dict[str, int]
    strangers: dict[str, int] = {}
    sources: int
    digests: tuple[str, ...]
    duplicates_dropped: int = 0
    refused: int = 0
    recipe: dict[str, Any]
    sentence: str
    seed: int


class Parity(_Part):
    """Trained against exported, on `n` held-out examples: largest difference of any logit and changed decisions."""

    max_difference: Finite
    changed_decisions: int
    n: int


class Card(_Part):
    """The whole card; see CONTRACTS in docs/reference/card.md."""

    card: Literal[1] = 1
    kind: Literal["photo"]
    task: Literal["classify"] = "classify"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    input: Input
    outputs: dict[str, tuple[str | int, ...]]
    layers: tuple[Layer, ...]
    unknown: Unknown
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    evidence: tuple[Evidence, ...] = ()
    scores: dict[str, Score] = {}
    training: Training
    parity: Parity
    software: dict[str, str]
    spoof: str = "not tested"
    licence: str = "as its training data"

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError("two labels have the same name")
        return labels
