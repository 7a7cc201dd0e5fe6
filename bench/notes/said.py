"""What is judged of each claim, in the order of the page: groups of statements, and the columns of each table."""

from collections.abc import Mapping, Sequence

from bench.notes import branches, few, filters, gradient, overfitting, pooling, rate, rebuilt
from bench.notes.verdict import OPEN, Statement, Verdict

# One section of the page for each key; its claims by name, each judged by all of its statements.
SECTIONS: Mapping[str, Mapping[str, tuple[Statement, ...]]] = {
    "pooling": {f"pooling {way}": tuple(s for s in pooling.STATEMENTS if f" {way} " in s.less) for way in pooling.WAYS},
    "overfitting": {
        "overfitting pooling": tuple(s for s in overfitting.POOL_STATEMENTS if s.more.endswith("none")),
        "overfitting maximum": tuple(s for s in overfitting.POOL_STATEMENTS if not s.more.endswith("none")),
    },
    "dropout": {"dropout": overfitting.DROPOUT_STATEMENTS},
    "vanishing": {
        "vanishing plain": tuple(s for s in gradient.STATEMENTS if s.more == "plain"),
        "vanishing sigmoid": tuple(s for s in gradient.STATEMENTS if s.more == "sigmoid"),
        "vanishing dropout": tuple(s for s in gradient.DROPOUT_STATEMENTS if s.measure != "right"),
        "vanishing learned": tuple(s for s in gradient.DROPOUT_STATEMENTS if s.measure == "right"),
    },
    "gradient": {
        "gradient without": tuple(s for s in gradient.STATEMENTS if s.more == "residual" and s.measure != "right"),
        "gradient norm": tuple(s for s in gradient.STATEMENTS if s.more == "residual norm" and s.measure != "right"),
        "gradient learned": tuple(s for s in gradient.STATEMENTS if s.measure == "right"),
    },
    "branches": {
        "branches products": tuple(s for s in branches.STATEMENTS if s.less.endswith("products")),
        "branches weights": tuple(s for s in branches.STATEMENTS if s.less.endswith("weights")),
        "branches first": tuple(s for s in branches.STATEMENTS if s.less == "1x1 first"),
    },
    "filters": {"filters": filters.COUNT_STATEMENTS},
    "depth": {"depth": filters.DEPTH_STATEMENTS},
    "rebuilt": {
        "rebuilt": tuple(s for s in rebuilt.STATEMENTS if s.more.startswith("trained")),
        "rebuilt trained": tuple(s for s in rebuilt.STATEMENTS if s.more.startswith("untrained")),
    },
    "rate": {
        "rate small": tuple(s for s in rate.STATEMENTS if float(s.less.split()[1]) < float(s.more.split()[1])),
        "rate large": tuple(s for s in rate.STATEMENTS if float(s.less.split()[1]) > float(s.more.split()[1])),
    },
    "few": {
        "few four": tuple(s for s in few.STATEMENTS if " four " in s.more),
        "few recipe": tuple(s for s in few.STATEMENTS if " recipe " in s.more and s.more.split()[2] == s.less.split()[2]),
        "few doubled": tuple(s for s in few.STATEMENTS if s.more.split()[2] != s.less.split()[2]),
    },
}
LENGTHS = ("reaches start", "reaches middle", "reaches end")
# What a section's table shows of each setting: facts first, then means over draws with their standard deviation.
FACTS: Mapping[str, tuple[str, ...]] = {
    "pooling": ("weights", "products"),
    "overfitting": ("weights",),
    "branches": ("weights", "products"),
    "filters": ("weights", "products"),
    "depth": ("field", "weights", "products"),
    "rebuilt": ("numbers",),
}
VALUES: Mapping[str, tuple[str, ...]] = {
    "pooling": ("right",),
    "overfitting": ("learned", "right", "gap", "loss gap"),
    "dropout": ("learned", "right", "gap", "loss gap"),
    "vanishing": (*LENGTHS, "right"),
    "gradient": (*LENGTHS, "right"),
    "rebuilt": ("error",),
    "rate": ("learned", "right"),
}


def columns(section: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the facts and the values that a section's table shows."""
    return FACTS.get(section, ()), VALUES.get(section, ("right",))


def source(section: str) -> str:
    """Return the claim in claims.json that a section is about."""
    return "gradient" if section == "vanishing" else section


def together(verdicts: Sequence[Verdict]) -> str:
    """Return the word for several statements: theirs where they agree, "part" where only some hold, else that it cannot be told."""
    words = {each.word for each in verdicts}
    return words.pop() if len(words) == 1 else "part" if "holds" in words else OPEN
