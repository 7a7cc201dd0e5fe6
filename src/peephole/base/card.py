"""The card: what a model file says of itself, as JSON in its metadata under `peephole.card`.

Knows nothing of ONNX; `modelfile` puts a card into a file and takes it out again.
A reader refuses keys it does not know: a misread threshold would open a door.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from peephole.base.records import Evidence

__all__ = [
    "CARD_VERSION",
    "Card",
    "Face",
    "Input",
    "Layer",
    "Motion",
    "Paired",
    "Parity",
    "Receipt",
    "Receipts",
    "Region",
    "Resize",
    "Score",
    "Training",
    "Unknown",
    "Wallpaper",
]

CARD_VERSION = 1

Fraction = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    """A frozen part of the card; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Face(_Part):
    """How a face is looked for, so that the door does what training did: a cascade of OpenCV by its file's name and sha256.

    The frame is shrunk until its longest side is `side` pixels; `step` is the factor between two sizes looked for, `neighbours` how many
    overlapping finds make a face, `smallest` the least width of one as a share of the frame's shorter side. `opencv` is the version used.
    """

    cascade: Annotated[str, Field(pattern=r"^haarcascade_[a-z0-9_]{1,40}\.xml$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    opencv: str
    side: Annotated[int, Field(ge=48, le=640)]
    step: Annotated[float, Field(ge=1.01, le=2)]
    neighbours: Annotated[int, Field(ge=1, le=50)]
    smallest: Annotated[float, Field(ge=0.05, le=1)]


class Motion(_Part):
    """The scene of a fixed camera without its subject, and how far a pixel must be from it to have moved.

    `background` is a PNG in base64 of at most 160 px a side: red, green and blue are each pixel's median over `frames` pictures, alpha is
    their spread (1.48 times the median distance from the median, 0..255). A pixel has moved when a channel differs by more than
    `least` and by more than `times` spreads; fewer than `smallest` of the pixels are nothing, more than `largest` are the light or the camera.
    """

    background: Annotated[str, Field(max_length=200_000, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
    frames: Annotated[int, Field(ge=1)]
    least: Annotated[int, Field(ge=1, le=255)]
    times: Annotated[float, Field(ge=0, le=100)]
    smallest: Fraction
    largest: Fraction


class Region(_Part):
    """Which part of the frame is judged: all of it, a rectangle, what moved before a fixed camera, or the largest face.

    `box` is (left, top, width, height) as fractions 0..1 of the upright frame; only for `rectangle`. `margin` is added on each side of what
    `motion` or `face` found, as a share of the box's own width and height. A frame in which they find nothing is not judged.
    """

    how: Literal["whole", "rectangle", "motion", "face"] = "whole"
    box: tuple[Fraction, Fraction, Fraction, Fraction] | None = None
    margin: Annotated[float, Field(ge=-0.4, le=1)] = 0.0
    face: Face | None = None
    motion: Motion | None = None

    @property
    def complete(self) -> bool:
        """Tell whether each kind has what it needs, and nothing that belongs to another."""
        given = {"rectangle": self.box is not None, "face": self.face is not None, "motion": self.motion is not None}
        return all(there == (self.how == how) for how, there in given.items()) and (not self.margin or self.how in ("face", "motion"))

    @model_serializer(mode="wrap")
    def _brief(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what other kinds of region need: a card that has none of it can be read by versions that know none of it."""
        kept: dict[str, Any] = write(self)
        found = self.how in ("face", "motion")
        return {name: value for name, value in kept.items() if name in ("how", "box") or (found and value is not None)}


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


class Wallpaper(_Part):
    """Does the model know the subject, or the wall behind it? Pictures pasted together, so every figure is simulated.

    `own` is the share right on the photos as they are, `swapped` before the background of another label, `blanked` before plain grey; a
    picture in which no subject is found counts as not right. `empty` scenes are photos whose subject was painted over: `unjudged` of them hold
    nothing to judge, `accepted` were taken for somebody. `outside` 0..1 is the share of the answer that comes from outside the subject
    (docs/reference/card.md has its formula). `subject` says how subject and background were told apart; `learned` whether the
    model was trained on these very photos.
    """

    own: Score
    swapped: Score
    blanked: Score
    empty: Annotated[int, Field(ge=1)]
    unjudged: Annotated[int, Field(ge=0)]
    accepted: Annotated[int, Field(ge=0)]
    outside: Fraction
    subject: str
    learned: bool


class Paired(_Part):
    """A held-out score with something and without it: means over the same sources, their difference (with - without) and its interval."""

    present: Finite
    absent: Finite
    difference: Finite
    interval: tuple[Finite, Finite]


class Receipt(_Part):
    """What one augmentation did: `effect` is its name, or "all" for all of the recipe's together; `strength` says it in words.

    `used` tells whether the recipe has it (it was left out for comparison) or not (it was added). `accuracy` is a share 0..1, `loss` the
    held-out log-loss in nats, after a temperature of each side's own. The verdict rests on the loss: smaller with it has `helped`.
    """

    effect: str
    strength: str
    used: bool
    accuracy: Paired
    loss: Paired
    verdict: Literal["helped", "harmed", "unclear"]


class Receipts(_Part):
    """Which augmentations helped on these photos: short trainings with and without each, compared on the same `n` held-out sources.

    Each source was asked `repeats` times, by trainings of `steps` steps (0: a last layer on frozen features, which takes none), with `parts`
    held out in turn (1: the part that chooses). All intervals of a kind hold together with the `confidence` stated (Bonferroni). `stopped` by
    Ctrl-C before all repeats were done.
    """

    rows: Annotated[tuple[Receipt, ...], Field(min_length=1)]
    n: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    repeats: Annotated[int, Field(ge=2)]
    steps: Annotated[int, Field(ge=0)]
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    role: Literal["estimate"] = "estimate"
    stopped: bool = False


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
    wallpaper: Wallpaper | None = None
    receipts: Receipts | None = None
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

    @model_serializer(mode="wrap")
    def _brief(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave receipts out where there are none: such a card can be read by versions that know nothing of them."""
        kept: dict[str, Any] = write(self)
        return {name: value for name, value in kept.items() if name != "receipts" or value is not None}
