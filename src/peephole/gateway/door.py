"""A door: the settings of a DOOR.toml with the folder that they start from, and what follows from them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.settings import load_table, load_toml
from peephole.gateway.decidekeys import NO_FACTOR, PRESENCE, Factor
from peephole.gateway.factor import Asked
from peephole.gateway.keys import PULSE, DoorSettings, Journal
from peephole.gateway.lockout import Patience
from peephole.gateway.policy import UNKNOWN, Policy, Rule
from peephole.gateway.weighing import Weights

__all__ = ["Door", "journal_of", "load_door", "pictures_of"]


@dataclass(frozen=True)
class Door:
    """Settings with the folder that their relative paths start from; `backed`: no second factor is asked (see as_if_backed)."""

    path: Path
    settings: DoorSettings
    backed: bool = False

    def as_if_backed(self) -> "Door":
        """Return the door as if everybody had shown the second factor: for rehearsals alone, where nothing moves and no PIN can come."""
        return replace(self, backed=True)

    @property
    def folder(self) -> Path:
        """Where DOOR.toml stands."""
        return self.path.parent

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / self.settings.gate.model

    @property
    def key(self) -> Path | None:
        """The public key that every model file must be signed by, where there is one."""
        return None if self.settings.models.key is None else self.folder / self.settings.models.key

    @property
    def shadow(self) -> Path | None:
        """The model file that looks on, where there is one."""
        return None if self.settings.models.shadow is None else self.folder / self.settings.models.shadow

    def with_model(self, name: str) -> "Door":
        """Return the same door with another model file, named as DOOR.toml would name it, and the people who stand beside that one."""
        gate = self.settings.gate.model_copy(update={"model": name})
        gallery = self.settings.gallery.model_copy(update={"path": None})
        return replace(self, settings=self.settings.model_copy(update={"gate": gate, "gallery": gallery}))

    @property
    def journal(self) -> Path:
        """The journal's database."""
        return self.folder / self.settings.journal.path

    @property
    def gallery(self) -> Path:
        """The people who were enrolled here, beside the model file unless the settings say otherwise."""
        path = self.settings.gallery.path
        return self.folder / path if path else self.model.with_suffix(".gallery")

    def gallery_of(self, model: Path) -> Path:
        """Return where the people stand who were enrolled beside a model file: the gate's own, or another that is tried."""
        return self.gallery if model == self.model else model.with_suffix(".gallery")

    @property
    def pictures(self) -> Path:
        """The folder of kept pictures, beside the journal."""
        return pictures_of(self.journal)

    @property
    def opening(self) -> bool:
        """Whether any rule can open anything."""
        return any(self.settings.opens(rule.do) for rule in self.settings.rule)

    def policy(self) -> Policy:
        """Return the settings as the policy understands them."""
        settings, decide = self.settings, self.settings.decide
        rules = tuple(
            Rule(
                f"rule {number}",
                frozenset(rule.who),
                rule.when,
                rule.do,
                settings.opens(rule.do),
                rule.conditions,
                max(decide.cool_down, self.pulse(rule.do) or 0.0),
            )
            for number, rule in enumerate(settings.rule, 1)
        )
        held = decide.held_open
        return Policy(
            decide.agree,
            decide.within,
            decide.gap,
            decide.cool_down,
            rules,
            margin=decide.margin,
            factor=self.factor,
            weights=self._weights(),
            fresh={name: reading.fresh for name, reading in settings.reading.items()},
            ajar=held.conditions if held else (),
            held=held.after if held else 0.0,
            also=() if self.backed else tuple(settings.also),
            remote=self.remote,
        )

    @property
    def asks(self) -> bool:
        """Whether the settings ask for a second factor."""
        return self.settings.decide.second_factor != NO_FACTOR

    @property
    def factor(self) -> Asked | None:
        """What an opening asks for beside the camera, None: nothing."""
        asked, how, lockout = self.settings.decide.second_factor, self.settings.factor or Factor(), self.settings.decide.lockout
        if not self.asks or self.backed:
            return None
        patience = Patience(lockout.after, lockout.seconds, lockout.disable_after)
        return Asked("presence" if asked == PRESENCE else "secret", how.within, how.fresh, patience)

    @property
    def remote(self) -> frozenset[str] | None:
        """The actions that a remote command may open with, None where there are no remote commands."""
        settings = self.settings
        if settings.remote is None:
            return None
        return frozenset(name for name in settings.action if settings.remote.may_open and settings.opens(name))

    def _weights(self) -> Weights | None:
        decide = self.settings.decide
        costs = {name: action.cost or 0.0 for name, action in self.settings.action.items()}
        return Weights(decide.strangers, decide.false_accept, decide.refusal, costs) if decide.weigh else None

    @property
    def factors(self) -> Path:
        """The file with everybody's PINs and tags, hashed."""
        return self.folder / (self.settings.factor or Factor()).file

    @property
    def lockout(self) -> Path:
        """The file with what a lockout must remember, beside the journal."""
        return self.journal.with_name(f"{self.journal.name}.lockout")

    def pulse(self, action: str) -> float | None:
        """Return how long an action stays on, in seconds: openings always end; None: it is a mere message."""
        return self.settings.action[action].pulse or (PULSE if self.settings.opens(action) else None)

    def require_labels(self, labels: Iterable[str]) -> None:
        """Raise SettingsError when a rule names somebody whom the model does not know."""
        known = tuple(labels)
        strange = next((who for who in (self.settings.factor.phones if self.settings.factor else ()) if who not in known), None)
        if strange is not None:
            raise SettingsError(
                f"[factor] phones names '{strange[:60]}', whom the model does not know{did_you_mean(strange, known)}", "correct the name"
            )
        for number, rule in enumerate(self.settings.rule, 1):
            for who in rule.who:
                if who not in known and who != UNKNOWN:
                    raise SettingsError(
                        f"rule {number} names '{who[:60]}', but the model knows {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
                        f"{did_you_mean(who, known) or _near(who, known)}",
                        f"correct the name, enrol them (peephole gate enrol {self.path} NAME PHOTOS), or train a model with photos of them",
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


def pictures_of(journal: Path) -> Path:
    """Return the folder that a journal's pictures lie in."""
    return journal.with_name(f"{journal.name}-pictures")


def load_door(path: Path | str) -> Door:
    """Read DOOR.toml; raises MissingInput or a SettingsError that names every problem at once."""
    path = Path(path)
    return Door(path, load_toml(path, DoorSettings))


def last_good(model: Path) -> Path:
    """Return where the last good model of a live one is kept."""
    return model.with_name(f"{model.stem}.last{model.suffix}")


def undone(model: Path) -> Path:
    """Return where a model that was rolled back is kept."""
    return model.with_name(f"{model.stem}.undone{model.suffix}")
