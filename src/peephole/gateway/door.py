"""A door: the settings of a DOOR.toml with the folder that they start from, and what follows from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.settings import load_table, load_toml
from peephole.gateway.keys import PULSE, DoorSettings, Journal, opens
from peephole.gateway.policy import UNKNOWN, Policy, Rule

__all__ = ["Door", "journal_of", "load_door"]


@dataclass(frozen=True)
class Door:
    """Settings with the folder that their relative paths start from."""

    path: Path
    settings: DoorSettings

    @property
    def folder(self) -> Path:
        """Where DOOR.toml stands."""
        return self.path.parent

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / self.settings.gate.model

    @property
    def journal(self) -> Path:
        """The journal's database."""
        return self.folder / self.settings.journal.path

    @property
    def opening(self) -> bool:
        """Whether any rule can open anything."""
        return any(opens(rule.do) for rule in self.settings.rule)

    def policy(self) -> Policy:
        """Return the settings as the policy understands them."""
        decide = self.settings.decide
        rules = tuple(
            Rule(f"rule {number}", frozenset(rule.who), rule.when, rule.do, opens(rule.do)) for number, rule in enumerate(self.settings.rule, 1)
        )
        return Policy(decide.agree, decide.within, decide.gap, decide.cool_down, rules)

    def pulse(self, action: str) -> float | None:
        """Return how long an action stays on, in seconds: openings always end; None: it is a mere message."""
        return self.settings.action[action].pulse or (PULSE if opens(action) else None)

    def require_labels(self, labels: Iterable[str]) -> None:
        """Raise SettingsError when a rule names somebody whom the model does not know."""
        known = tuple(labels)
        for number, rule in enumerate(self.settings.rule, 1):
            for who in rule.who:
                if who not in known and who != UNKNOWN:
                    raise SettingsError(
                        f"rule {number} names '{who[:60]}', but the model knows {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
                        f"{did_you_mean(who, known) or _near(who, known)}",
                        "correct the name, or train a model with photos of them",
                    )


def _near(who: str, known: Iterable[str]) -> str:
    """Find the label that differs in capitals only, which no count of letters finds in a short name."""
    same = next((label for label in known if label.casefold() == who.casefold()), None)
    return f" (did you mean '{same}'?)" if same else ""


def journal_of(path: Path | str) -> Path:
    """Return a journal's path: `path` itself, or what the DOOR.toml there names under [journal], whatever stands in its other tables."""
    path = Path(path)
    if path.suffix == ".toml":
        return path.parent / load_table(path, "journal", Journal).path
    return path


def load_door(path: Path | str) -> Door:
    """Read DOOR.toml; raises MissingInput or a SettingsError that names every problem at once."""
    path = Path(path)
    return Door(path, load_toml(path, DoorSettings))
