"""One dial, the time; everything else is derived from the data and printed as a sentence.

Knows the data only as a `Facts` record; touches no file and no tensor.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral, Real
from typing import Any, Literal

from peephole.base.errors import SettingsError, did_you_mean
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain
from peephole.nets.deep import USUAL, Deep, Settled, settle
from peephole.nets.lite import FORMS, LITES, Form
from peephole.nets.networks import DEEP, NETWORKS
from peephole.train.augment import Augment

__all__ = ["Facts", "Options", "Recipe", "derive", "unused"]

Fit = Literal["train", "frozen", "finetune"]

# Option, type, the type in words, an example: what Python code may have got wrong.
KINDS: tuple[tuple[str, type, str, str], ...] = (
    ("network", str, "a name", "network='plain'"),
    ("fit", str, "a word", "fit='frozen'"),
    ("features", str, "a word", "features='places'"),
    ("size", tuple, "a height and a width", "size=(32, 32)"),
    ("seconds", Real, "a number", "seconds=30"),
    ("steps", Integral, "a whole number", "steps=500"),
    ("seed", Integral, "a whole number", "seed=7"),
    ("threads", Integral, "a whole number", "threads=2"),
    ("batch", Integral, "a whole number", "batch=64"),
    ("learning_rate", Real, "a number", "learning_rate=0.003"),
    ("label_smoothing", Real, "a number", "label_smoothing=0.1"),
    ("weight_decay", Real, "a number", "weight_decay=0.01"),
    ("plain", Plain, "a Plain", "plain=Plain(filters=(32, 64))"),
    ("deep", Deep, "a Deep", "deep=Deep(depth=3)"),
    ("augment", Augment, "an Augment", "augment=Augment(rotate=10)"),
    ("vary", Mapping, "strengths by name", "vary={'noise': 5}"),
)


@dataclass(frozen=True)
class Facts:
    """What the recipe may know of the data.

    How many examples and labels there are, the fewest of a label, the median height and width of the photos, whether they carry
    colour, and whether they look like drawings (few grey levels, flat background) rather than photos of things.
    """

    examples: int
    labels: int
    fewest: int
    height: int
    width: int
    colour: bool
    drawing: bool


@dataclass(frozen=True)
class Options:
    """What the user may fix; None leaves it to the recipe.

    `network`: auto, plain, vgg, inception, resnet, lite0 or lite2; `plain` are the numbers of plain, `deep` those of vgg, inception and resnet;
    `fit`: auto, frozen or finetune (lite0, lite2); `features`, of frozen ones: auto, whole, whitened or places (nets/lite.py).
    `augment` replaces the derived augmentation, `vary` changes only the strengths it names.
    """

    network: str = "auto"
    fit: str = "auto"
    features: str = "auto"
    size: tuple[int, int] | None = None
    seconds: float = 30.0
    steps: int | None = None
    seed: int = 7
    threads: int = 0
    batch: int | None = None
    learning_rate: float | None = None
    label_smoothing: float | None = None
    weight_decay: float | None = None
    plain: Plain = field(default_factory=Plain)
    deep: Deep = field(default_factory=Deep)
    augment: Augment | None = None
    vary: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise SettingsError for options of the wrong kind or out of range."""
        for name, kind, words, hint in KINDS:
            value = getattr(self, name)
            if not isinstance(value, kind) and not (value is None and self.__dataclass_fields__[name].default is None):
                raise SettingsError(f"{name} is {words}, not {value!r:.60}", hint)
        if self.network not in ("auto", *NETWORKS):
            raise SettingsError(f"there is no network '{self.network}'{did_you_mean(self.network, NETWORKS)}", f"--network auto|{'|'.join(NETWORKS)}")
        if self.fit not in ("auto", "frozen", "finetune"):
            raise SettingsError(f"there is no fit '{self.fit}'{did_you_mean(self.fit, ('frozen', 'finetune'))}", "--fit auto|frozen|finetune")
        if self.features not in ("auto", *FORMS):
            raise SettingsError(f"there are no features '{self.features}'{did_you_mean(self.features, FORMS)}", f"--features auto|{'|'.join(FORMS)}")
        rules: list[tuple[bool, str, str]] = [
            (0.5 <= self.seconds <= 86_400, f"seconds is between 0.5 and 86400, not {self.seconds:g}", "--seconds 30"),
            (self.steps is None or 1 <= self.steps <= 10_000_000, f"steps is between 1 and 10 million, not {self.steps}", "--steps 500"),
            (
                self.learning_rate is None or 0 < self.learning_rate <= 10,
                f"learning-rate is above 0 and at most 10, not {self.learning_rate}",
                "--learning-rate 0.003",
            ),
            (self.batch is None or 1 <= self.batch <= 4096, f"batch is between 1 and 4096, not {self.batch}", "--batch 128"),
            (self.batch != 1 or not self._normed(), "batch norm needs a batch of at least 2 examples", "--batch 16, or --norm none"),
            (self.label_smoothing is None or 0 <= self.label_smoothing < 1, "label-smoothing is at least 0 and below 1", "--label-smoothing 0.1"),
            (self.weight_decay is None or 0 <= self.weight_decay <= 1, "weight-decay is between 0 and 1", "--weight-decay 0.01"),
            (
                self.size is None or (len(self.size) == 2 and all(isinstance(side, Integral) and 8 <= side <= 512 for side in self.size)),
                f"size is a height and a width between 8 and 512 pixels, not {self.size}",
                "--size 32 or --size 224x244",
            ),
            (0 <= self.threads <= 1024, "threads is between 0 (all) and 1024", "--threads 2"),
            (-(2**31) <= self.seed < 2**31, "seed is a 32-bit number", "--seed 7"),
        ]
        for holds, rule, hint in rules:
            if not holds:
                raise SettingsError(rule, hint)

    def _normed(self) -> bool:
        """Tell whether batches are normalised in the network named; auto takes plain where it trains from nothing."""
        return (self.deep.norm or USUAL[self.network].norm if self.network in DEEP else self.plain.norm) == "batch"


@dataclass(frozen=True)
class Recipe:
    """Everything that training does, derived once; `steps` is 0 until the loop has measured how many fit into `seconds`.

    `deep` are the numbers of vgg, inception or resnet, None for another network; `features` are auto until photos held out have chosen.
    """

    network: str
    fit: Fit
    height: int
    width: int
    channels: Literal[1, 3]
    seconds: float
    seed: int
    batch: int = 128
    steps: int = 0
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    average: float = 0.98
    views: int = 8
    features: Form | Literal["auto"] = "whole"
    threads: int = 0
    plain: Plain = field(default_factory=Plain)
    deep: Settled | None = None
    augment: Augment = field(default_factory=Augment)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON for the card."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the recipe in one sentence."""
        what = {
            "train": f"{self.network} {self._drawing()} trained from nothing",
            "frozen": f"{self.network} with its ImageNet weights kept, a new last layer fitted on {self.views} views of each photo",
            "finetune": f"{self.network} trained on from its ImageNet weights",
        }[self.fit]
        steps = f"{self.steps} steps" if self.steps else f"as many steps as fit into {self.seconds:.{int(self.seconds < 10)}f} s"
        how = f"{steps} of {self.batch}, learning rate {self.learning_rate:g}" if self.fit != "frozen" else "no step through the network"
        return f"{what}, at {self.height}x{self.width}x{self.channels}, {how}, varied by {self.augment.sentence()}; seed {self.seed}"

    def _drawing(self) -> str:
        if self.deep:
            return f"({self.deep.sentence()})"
        plain = self.plain
        norm = ", batch norm" if plain.norm == "batch" else ""
        filters = ",".join(map(str, plain.filters))
        return f"({filters} filters of {plain.kernel}x{plain.kernel}, pool {plain.pool}, hidden {plain.hidden}, keep {plain.keep_prob:g}{norm})"


def _size(facts: Facts, options: Options, network: str) -> tuple[int, int]:
    """Choose the input's height and width: about the photos' own, never more than the network can use."""
    if options.size is not None:
        return options.size
    if network in LITES:
        return LITES[network].side, LITES[network].side
    longest = max(facts.height, facts.width)
    most = 32 if facts.drawing else 64
    if longest <= most:
        return max(8, facts.height), max(8, facts.width)
    return tuple(max(8, round(side * most / longest)) for side in (facts.height, facts.width))  # type: ignore[return-value]


def _network(facts: Facts, options: Options) -> str:
    """Photos of real things gain from ImageNet; drawings and small pictures do not, and are faster without."""
    if options.network != "auto":
        return options.network
    return "plain" if facts.drawing or max(facts.height, facts.width) <= 40 else "lite0"


def _augment(facts: Facts, options: Options, network: str) -> Augment:
    """Return the augmentation asked for, or the derived one with the strengths that were named."""
    known = Augment.__dataclass_fields__
    for name in options.vary:
        if name not in known:
            raise SettingsError(f"there is no augmentation '{name}'{did_you_mean(name, known)}", f"the augmentations are {', '.join(known)}")
    return replace(options.augment or _derived_augment(facts, network), **options.vary)  # type: ignore[arg-type]  # the names were checked


def _derived_augment(facts: Facts, network: str) -> Augment:
    if network in LITES:
        return Augment(shift=0.06, scale=0.12, rotate=8, colour=0.15, flip=not facts.drawing)
    # Full-size sets need little variation; a dozen drawings need a lot (docs/log.md, X or O).
    if facts.fewest >= 500:
        return Augment(shift=0.07, scale=0.1, rotate=10, colour=0.0 if facts.drawing else 0.2)
    bent = Augment(shift=0.12, scale=0.25, rotate=20, shear=10, elastic=0.05, colour=0.2, noise=8)
    return replace(bent, thickness=0.03) if facts.drawing else bent


def _fit(facts: Facts, options: Options, network: str) -> Fit:
    if network not in LITES:
        return "train"
    if options.fit != "auto":
        return "finetune" if options.fit == "finetune" else "frozen"
    return "finetune" if facts.fewest >= 200 and options.seconds >= 120 else "frozen"


def _rate(fit: Fit, deep: Settled | None) -> float:
    """Batch norm bears three times the learning rate; pretrained weights a tenth of it (docs/log.md)."""
    return 3e-4 if fit == "finetune" else 1e-2 if deep and deep.norm == "batch" else 3e-3


def derive(facts: Facts, options: Options) -> Recipe:
    """Derive the whole recipe from the data and the options."""
    network = _network(facts, options)
    height, width = _size(facts, options, network)
    fit = _fit(facts, options, network)
    few = facts.fewest < 500
    channels: Literal[1, 3] = 3 if facts.colour or network in LITES else 1
    deep = settle(options.deep, network, Shape(channels, height, width)) if network in DEEP else None
    recipe = Recipe(
        network=network,
        fit=fit,
        height=height,
        width=width,
        channels=channels,
        seconds=options.seconds,
        seed=options.seed,
        threads=options.threads,
        steps=options.steps or 0,
        batch=options.batch or (32 if fit == "finetune" else 64 if few else 128),
        learning_rate=options.learning_rate or _rate(fit, deep),
        plain=options.plain,
        deep=deep,
        augment=_augment(facts, options, network),
        features=options.features if fit == "frozen" else "whole",  # type: ignore[arg-type]  # the word was checked
    )
    # More smoothing keeps the embeddings of few drawings tighter: strangers are told apart better (docs/log.md).
    recipe = replace(recipe, label_smoothing=0.15) if few and fit == "train" else recipe
    given = {name: value for name in ("label_smoothing", "weight_decay") if (value := getattr(options, name)) is not None}
    return replace(recipe, **given)


def unused(recipe: Recipe, options: Options) -> str | None:
    """Say which numbers of a network were given that the recipe's network does not have; None where all of them count."""
    typed = {name for name in Plain.__dataclass_fields__ if getattr(options.plain, name) != getattr(Plain(), name)}
    deep = {name for name in Deep.__dataclass_fields__ if getattr(options.deep, name) != getattr(Deep(), name)}
    has = set(Plain.__dataclass_fields__ if recipe.network == "plain" else Deep.__dataclass_fields__ if recipe.deep else ())
    has -= {"shortcuts"} if recipe.network in ("vgg", "inception") else set()
    idle = sorted(name.replace("_", "-") for name in (typed | deep) - has)
    return f"{recipe.network} does not have {', '.join(idle)}: what was given changes nothing (--network names another)" if idle else None
