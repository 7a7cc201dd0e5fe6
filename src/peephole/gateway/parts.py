"""What `gate check` found: sentences, and one thing after another that was looked at."""

from dataclasses import dataclass
from typing import Literal

from peephole.base.errors import PeepholeError

__all__ = ["Check", "Part", "problem"]


@dataclass(frozen=True)
class Part:
    """One thing that was looked at: its `name`, how it is, and what there is to say; `hint` mends a problem, or what a note is about."""

    name: str
    state: Literal["ok", "note", "problem", "not tried"]
    text: str
    hint: str = ""


@dataclass(frozen=True)
class Check:
    """What was found: `sentences` in order, then every part; one that is a problem keeps the gate from doing its work."""

    sentences: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems, each with its hint."""
        return tuple(f"{part.text}\nhint:  {part.hint}" if part.hint else part.text for part in self.parts if part.state == "problem")


def problem(name: str, error: PeepholeError) -> Part:
    """Return the part that an error is about."""
    return Part(name, "problem", error.what, error.hint)
