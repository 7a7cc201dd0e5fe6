"""Augmentation against too few photos: 5, 10, 20 and 50 of each label, without, with the notes' four variations, with the recipe's own."""

from dataclasses import replace

from bench.notes.measured import Measured
from bench.notes.pooling import NOTES
from bench.notes.trained import SIDE, USUAL, Effort, Trial, measure, plain
from bench.notes.verdict import Statement
from peephole.train.augment import Augment
from peephole.train.recipe import Facts, Options, derive

CLAIM = "few"
SETS = ("mnist",)
EACH = (5, 10, 20, 50)
# Noise, scratches, colour, shift: the first three as the recipe for few photos takes them, scratches as in docs/augmentation.
NOTES_FOUR = Augment(noise=8, scratch=3, colour=0.2, shift=0.12)
STATEMENTS = (
    *(Statement(CLAIM, f"{name} {way} {each}", f"{name} without {each}") for name in SETS for way in ("four", "recipe") for each in EACH),
    *(Statement(CLAIM, f"{name} recipe {few}", f"{name} without {many}") for name in SETS for few, many in ((5, 10), (10, 20))),
)


def own(name: str, each: int) -> Augment:
    """Return what the library derives for so few photos; digits are drawings, clothes are not."""
    facts = Facts(examples=10 * each, labels=10, fewest=each, height=SIDE, width=SIDE, colour=False, drawing=name == "mnist")
    return derive(facts, Options(network="plain")).augment


def claim(effort: Effort) -> Measured:
    trials = []
    for name in SETS:
        for each in EACH:
            ways = {"without": Augment(), "four": NOTES_FOUR, "recipe": own(name, each)}
            trials += [Trial(f"{name} {way} {each}", plain(NOTES), name, each, replace(USUAL, augment=how)) for way, how in ways.items()]
    return Measured(CLAIM, effort.seeds, {"steps": effort.steps, "judged": effort.judged}, measure(trials, effort))
