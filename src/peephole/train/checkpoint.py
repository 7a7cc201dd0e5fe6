"""What a training needs to go on after a stop: weights, their running average, the optimiser, the step.

No random state is kept: every draw is a function of the seed and the step, so there is none to lose.
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from peephole.base.errors import InputError, MissingInput, OutputError
from peephole.base.files import write_atomic
from peephole.nets.blocks import Network
from peephole.train.wholebatch import Place

__all__ = ["Found", "Kept", "State", "find"]

AVERAGE_EVERY = 4  # steps between two moves of the running average: each takes a twentieth of a small network's step


@dataclass(frozen=True)
class Kept:
    """Where a training keeps its state, what it belongs to, and whether to go on from what is there.

    `about` is a digest of all that must be the same to go on; `facts` are its parts by name, to tell which of them is not.
    `failed` hears of a state that could not be written, and the training goes on without; where nobody hears, it ends with OutputError.
    """

    path: Path
    about: str
    resume: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    failed: Callable[[OutputError], None] | None = None


@dataclass(frozen=True)
class Found:
    """What stands in a checkpoint: `step` of `steps` are done."""

    step: int
    steps: int


def find(kept: Kept) -> Found | None:
    """Return how far the checkpoint of this very training is; None when there is none, or only another's or a broken one."""
    try:
        parts = _parts(kept.path)
        return Found(int(parts["step"]), int(parts["steps"])) if parts["about"] == kept.about else None
    except Exception:  # torch names no error of its own for a broken file; `restore` tells it to whoever asked to resume
        return None


def _parts(path: Path) -> dict[str, Any]:
    """Read a checkpoint whose bytes are as they were written; any error will do for another."""
    data = path.read_bytes()
    if sha256(data[32:]).digest() != data[:32]:
        raise ValueError("it is broken or no checkpoint")
    parts: dict[str, Any] = torch.load(io.BytesIO(data[32:]), weights_only=True)
    return parts


def _other(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Say what differs between the training that left the checkpoint and this one."""
    changed = [f"{name} was {found[name]} and is {wanted[name]}" for name in wanted if name in found and found[name] != wanted[name]]
    return f"other photos or another recipe ({'; '.join(changed[:4])})" if changed else "other photos or another recipe"


class State:
    """The moving parts of a training; `step` of `steps` are done.

    Not kept: the `place` in the batch of what this process learns from, how it is `asked` to stop, and whether any process is to `stop`.
    """

    def __init__(self, network: Network, optimiser: torch.optim.Optimizer, decay: float) -> None:
        """Start at step 0; `decay` is the share of the running average that each step keeps, 0..1."""
        self.network = network
        self.optimiser = optimiser
        self.decay = decay
        self.step = 0
        self.steps = 0
        self.best: dict[str, torch.Tensor] | None = None
        self.best_cost = math.inf
        self.worse = 0
        self.place = Place()
        self.asked: Callable[[], bool] = lambda: False
        self.stop = False
        self.averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def advance(self) -> None:
        """Count a step; the first ones and then every 4th move the running average of the weights (Polyak & Juditsky 1992)."""
        self.step += 1
        since = 1 if self.step <= AVERAGE_EVERY else AVERAGE_EVERY
        if self.step % since:
            return
        keep = min(self.decay, self.step / (self.step + 9)) ** since  # an early average must not remember the random start
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.averaged[name].lerp_(value, 1 - keep)
            else:
                self.averaged[name].copy_(value)

    def remember(self, cost: float) -> None:
        """Keep the averaged weights if their held-out `cost` is the lowest so far; count the looks that brought nothing better.

        Looks before the middle of the cycle do not count: the learning rate is still too high to settle.
        """
        if cost <= self.best_cost:
            self.best_cost, self.worse = cost, 0
            self.best = {name: value.clone() for name, value in self.averaged.items()}
        elif self.step >= self.steps // 2:
            self.worse += 1

    def parts(self) -> dict[str, Any]:
        """Return all that moves, by name; `take` takes it."""
        return {
            "step": self.step,
            "steps": self.steps,
            "network": self.network.state_dict(),
            "averaged": self.averaged,
            "best": self.best,
            "best_cost": self.best_cost,
            "worse": self.worse,
            "optimiser": self.optimiser.state_dict(),
        }

    def as_bytes(self, kept: Kept) -> bytes:
        """Return the state as a file: 32 bytes of sha256, then what `torch.load(weights_only=True)` reads, with what it belongs to."""
        parts = {"about": kept.about, "facts": dict(kept.facts)} | self.parts()
        buffer = io.BytesIO()
        torch.save(parts, buffer)
        payload = buffer.getvalue()
        return sha256(payload).digest() + payload

    def save(self, kept: Kept) -> None:
        """Write the state so that a power cut leaves the old file or the new one."""
        try:
            write_atomic(kept.path, self.as_bytes(kept))
        except OutputError as error:
            if kept.failed is None:
                raise
            kept.failed(error)

    def restore(self, kept: Kept) -> None:
        """Take the state from a file; raises MissingInput without one, InputError when it belongs to another training."""
        path = kept.path
        if not path.is_file():
            raise MissingInput(f"there is no checkpoint {path} to resume from", "leave --resume out to start anew")
        try:
            parts = _parts(path)
            found, facts = parts["about"], {str(name): str(fact) for name, fact in parts.get("facts", {}).items()}
            if found == kept.about:
                self.take(parts)
        except Exception as error:  # torch names no error of its own for a broken file
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(f"the checkpoint {path} cannot be read: {reason}", f"delete {path} and start anew") from error
        if found != kept.about:
            raise InputError(
                f"the checkpoint {path} belongs to {_other(facts, kept.facts)}",
                "use the same photos and options, or leave --resume out to start anew",
            )

    def take(self, parts: dict[str, Any]) -> None:
        """Take over the parts of a checkpoint or of another process; any error will do for one that lacks something."""
        self.step, self.steps = parts["step"], parts["steps"]
        self.best_cost, self.worse = parts["best_cost"], parts["worse"]
        self.network.load_state_dict(parts["network"])
        where = {name: value.device for name, value in self.averaged.items()}
        self.averaged = {name: value.to(where[name]) for name, value in parts["averaged"].items()}
        self.best = parts["best"] and {name: value.to(where[name]) for name, value in parts["best"].items()}
        self.optimiser.load_state_dict(parts["optimiser"])
