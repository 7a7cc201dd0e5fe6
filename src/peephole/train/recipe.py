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
from peephole.nets.networks import DEEP, NETWORKS, PRETRAINED
from peephole.nets.strokes import SIDE
from peephole.train.augment import Augment

__all__ = ["Facts", "Options", "Recipe", "derive", "instead", "unused"]

Fit = Literal["train", "frozen", "finetune"]
MANY = 500  # examples of a label from which on it needs little variation, and no practice beforehand
Embedding = Literal["hidden", "maps"]

HIDDEN = ("plain", "vgg")  # networks with a fully connected layer between their maps and the last layer

# Option, type, the type in words, an example: what Python code may have got wrong.
KINDS: tuple[tuple[str, type, str, str], ...] = (
    ("network", str, "a name", "network='plain'"),
    ("fit", str, "a word", "fit='frozen'"),
    ("features", str, "a word", "features='places'"),
    ("embedding", str, "a word", "embedding='maps'"),
    ("size", tuple, "a height and a width", "size=(32, 32)"),
    ("seconds", Real, "a number", "seconds=30"),
    ("steps", Integral, "a whole number", "steps=500"),
    ("seed", Integral, "a whole number", "seed=7"),
    ("threads", Integral, "a whole number", "threads=2"),
    ("batch", Integral, "a whole number", "batch=64"),
    ("members", Integral, "a whole number", "members=4"),
    ("glances", bool, "True or False", "glances=True"),
    ("learning_rate", Real, "a number", "learning_rate=0.003"),
    ("label_smoothing", Real, "a number", "label_smoothing=0.1"),
    ("weight_decay", Real, "a number", "weight_decay=0.01"),
    ("plain", Plain, "a Plain", "plain=Plain(filters=(32, 64))"),
    ("deep", Deep, "a Deep", "deep=Deep(depth=3)"),
    ("augment", Augment, "an Augment", "augment=Augment(rotate=10)"),
    ("vary", Mapping, "strengths by name", "vary={'noise': 5}"),
)


# For a few drawings that all lie in the same place and are of the same size; with one or two of a label the bending must say it all.
FRAMED = Augment(shift=0.05, scale=0.1, stretch=0.6, rotate=20, shear=20, elastic=0.15, thickness=0.04, colour=0.2, noise=8)
FRAMED_ALONE = replace(FRAMED, stretch=0.9, shear=25, elastic=0.2, thickness=0.05)


@dataclass(frozen=True)
class Facts:
    """What the recipe may know of the data.

    How many examples and labels there are, the fewest of a label, the median height and width of the photos, whether they carry
    colour, whether they look like drawings (few grey levels, flat background) rather than photos of things, and whether all drawings are
    framed alike: in the same place and of the same size.
    """

    examples: int
    labels: int
    fewest: int
    height: int
    width: int
    colour: bool
    drawing: bool
    framed: bool = False


@dataclass(frozen=True)
class Options:
    """What the user may fix; None leaves it to the recipe.

    `network`: auto, plain, vgg, inception, resnet, strokes, lite0 or lite2; `plain` are the numbers of plain, `deep` those of vgg, inception and
    resnet; `fit`: auto, frozen or finetune (strokes, lite0, lite2); `features`, of frozen lite0 and lite2: auto, whole, whitened or places
    (nets/lite.py). `members` (not of strokes, lite0 and lite2): how many networks of one drawing learn side by side and answer together.
    `glances` (not of strokes, lite0 and lite2 either): the answer is the mean of five looks at a photo, four of them moved a little.
    `embedding`: auto, hidden or maps: what plain and vgg compare with the known examples, their hidden layer or the maps before it. `augment`
    replaces the derived augmentation, `vary` changes only the strengths it names.
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
    members: int | None = None
    glances: bool = False
    embedding: str = "auto"
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
        if self.embedding not in ("auto", "hidden", "maps"):
            raise SettingsError(
                f"there is no embedding '{self.embedding}'{did_you_mean(self.embedding, ('hidden', 'maps'))}", "--embedding auto|hidden|maps"
            )
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
            (self.members is None or 1 <= self.members <= 16, f"members is between 1 and 16, not {self.members}", "--members 4"),
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
    members: int = 1
    glances: bool = False
    embedding: Embedding = "hidden"
    augment: Augment = field(default_factory=Augment)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON for the card."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the recipe in one sentence."""
        learned = "ImageNet" if self.network in LITES else "practised"
        what = {
            "train": f"{f'{self.members} times ' * (self.members > 1)}{self.network} {self._drawing()} trained from nothing",
            "frozen": f"{self.network} with its {learned} weights kept, a new last layer fitted on {self.views} views of each photo",
            "finetune": f"{self.network} trained on from its {learned} weights",
        }[self.fit]
        fitting = f"as many steps of {self.batch} as fit into {self.seconds:.{int(self.seconds < 10)}f} s"
        steps = f"{self.steps} steps of {self.batch}" if self.steps else fitting
        what += ", known examples compared by their maps" * (self.embedding == "maps")
        what += ", asked at five places of the photo" * self.glances
        how = f"{steps}, learning rate {self.learning_rate:g}" if self.fit != "frozen" else "no step through the network"
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
    if network == "strokes":
        if options.size not in (None, (SIDE, SIDE)):
            raise SettingsError(f"strokes looks at {SIDE}x{SIDE} pixels, what it practised at", "leave --size out, or --network plain")
        return SIDE, SIDE
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
    """Photos of real things gain from ImageNet, a few drawings from practice; many drawings and small pictures are faster without."""
    if options.network != "auto":
        return options.network
    if facts.drawing and facts.fewest < MANY and not _from_nothing(options):
        return "strokes"
    return "plain" if facts.drawing or max(facts.height, facts.width) <= 40 else "lite0"


def _from_nothing(options: Options) -> list[str]:
    """Name what was given that only a network trained from nothing has: then one is."""
    free = ("size", "steps", "batch", "learning_rate", "label_smoothing", "weight_decay", "members")
    found = [name for name in free if getattr(options, name) is not None] + ["embedding"] * (options.embedding != "auto")
    typed = (
        name for given in (options.plain, options.deep) for name in given.__dataclass_fields__ if getattr(given, name) != getattr(type(given)(), name)
    )
    return list(dict.fromkeys((*found, *typed)))


def instead(facts: Facts, options: Options) -> str | None:
    """Say which options took a network that is trained from nothing where the photos alone would have taken one that has practised; None if none."""
    given = _from_nothing(options)
    taken, usual = _network(facts, options), _network(facts, Options())
    if options.network != "auto" or taken == usual or not given:
        return None
    words = ", ".join(f"--{name.replace('_', '-')}" for name in given)
    belongs, them = ("belongs", "it") if len(given) == 1 else ("belong", "them")
    return f"{taken}, not {usual}: {words} {belongs} to a network trained from nothing (without {them}: {usual}, which has practised)"


def _augment(facts: Facts, options: Options, network: str, fit: Fit) -> Augment:
    """Return the augmentation asked for, or the derived one with the strengths that were named."""
    known = Augment.__dataclass_fields__
    for name in options.vary:
        if name not in known:
            raise SettingsError(f"there is no augmentation '{name}'{did_you_mean(name, known)}", f"the augmentations are {', '.join(known)}")
    return replace(options.augment or _derived_augment(facts, network, fit), **options.vary)  # type: ignore[arg-type]  # the names were checked


def _derived_augment(facts: Facts, network: str, fit: Fit) -> Augment:
    if network in LITES:
        return Augment(shift=0.06, scale=0.12, rotate=8, colour=0.15, flip=not facts.drawing)
    if network == "strokes" and fit == "frozen":
        return Augment(shift=0.08, scale=0.15, rotate=10, shear=8, elastic=0.03, thickness=0.02)
    # Full-size sets need little variation; a dozen drawings need a lot (docs/log.md, X or O).
    if facts.fewest >= MANY:
        return Augment(shift=0.07, scale=0.1, rotate=10, colour=0.0 if facts.drawing else 0.2)
    if facts.framed and network != "strokes":  # which knows already how drawings bend: so much more only blurs what it has practised
        # The next drawing will lie where these lie: what it may do is bend, lean and widen, and of that a lot (docs/log.md, MNIST).
        return FRAMED if facts.fewest > 2 else FRAMED_ALONE
    bent = Augment(shift=0.12, scale=0.25, rotate=20, shear=10, elastic=0.05, colour=0.2, noise=8)
    return replace(bent, thickness=0.03) if facts.drawing else bent


def _fit(facts: Facts, options: Options, network: str) -> Fit:
    if network not in PRETRAINED:
        return "train"
    if options.fit != "auto":
        return "finetune" if options.fit == "finetune" else "frozen"
    return "finetune" if facts.fewest >= 200 and options.seconds >= 120 else "frozen"


def _embedding(options: Options, network: str) -> Embedding:
    """By itself the hidden layer: it tells strangers of the same kind apart (other digits), the maps those of another (docs/log.md)."""
    able = network in HIDDEN and (options.members or 1) == 1 and not options.glances
    return "maps" if options.embedding == "maps" and able else "hidden"


def _rate(network: str, fit: Fit, deep: Settled | None) -> float:
    """Batch norm bears three times the learning rate; practised weights a third, pretrained ones a tenth of it (docs/log.md)."""
    if fit == "finetune":
        return 1e-3 if network == "strokes" else 3e-4
    return 1e-2 if deep and deep.norm == "batch" else 3e-3


def derive(facts: Facts, options: Options) -> Recipe:
    """Derive the whole recipe from the data and the options."""
    network = _network(facts, options)
    height, width = _size(facts, options, network)
    fit = _fit(facts, options, network)
    few = facts.fewest < MANY
    channels: Literal[1, 3] = 1 if network == "strokes" else 3 if facts.colour or network in LITES else 1
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
        batch=options.batch or (32 if network in LITES and fit == "finetune" else 64 if few else 128),
        learning_rate=options.learning_rate or _rate(network, fit, deep),
        plain=options.plain,
        deep=deep,
        members=(options.members or 1) if fit == "train" else 1,
        glances=options.glances and fit == "train",
        embedding=_embedding(options, network),
        augment=_augment(facts, options, network, fit),
        features=options.features if fit == "frozen" and network in LITES else "whole",  # type: ignore[arg-type]  # the word was checked
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
    idle += ["maps before a hidden layer"] if options.embedding == "maps" and recipe.embedding != "maps" else []
    idle += ["members"] if (options.members or 1) > recipe.members else []
    idle += ["glances"] if options.glances and not recipe.glances else []
    who = f"a team of {recipe.members} times {recipe.network}" if recipe.members > 1 else recipe.network
    return f"{who} does not have {', '.join(idle)}: what was given changes nothing (--network names another)" if idle else None
