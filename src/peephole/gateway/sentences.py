"""What a DOOR.toml means, in plain words, before anything moves; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from peephole.base.card import Card, Input
from peephole.base.errors import InputError, MissingExtra, NotArmed, PeepholeError, SettingsError
from peephole.base.evidence import percent
from peephole.data.region import require_ready
from peephole.gateway.arming import arm
from peephole.gateway.door import Door
from peephole.gateway.keys import opens
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.reasons import count
from peephole.gateway.targets import meaning

__all__ = ["Check", "Part", "check", "problem"]


@dataclass(frozen=True)
class Part:
    """One thing that was looked at: its `name`, how it is, and what there is to say; `hint` mends a problem."""

    name: str
    state: Literal["ok", "problem", "not tried"]
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


def check(door: Door, card: Card | None) -> Check:
    """Explain a door's settings together with its model's card; finds labels the model lacks and a rate its evidence does not carry.

    Without a card, because the model cannot be opened, the sentences say what the settings alone tell.
    """
    return Check(tuple(_sentences(door, card)), () if card is None else tuple(_parts(door, card)))


def _parts(door: Door, card: Card) -> Iterator[Part]:
    try:
        require_ready(card.input.region)
        yield Part("region", "ok", f"as the model file says: {_region(card.input)}")
    except (MissingExtra, InputError) as error:
        yield problem("region", error)
    try:
        door.require_labels(card.labels)
        yield Part("rules", "ok", "the model knows everybody they name")
    except SettingsError as error:
        yield problem("rules", error)
    try:
        yield Part("arming", "ok", arm(card.evidence, door.settings.decide.false_accept, door.settings.gate.low_risk, door.opening).sentence)
    except NotArmed as error:
        yield problem("arming", error)


FITS = {"cover": "what stands over is cut off", "contain": "with a margin where it does not fill them", "stretch": "stretched to fit"}


def _region(given: Input) -> str:
    """Say which part of the upright picture is judged, and how it becomes what the network takes."""
    (high, wide), box = given.resize.to, given.region.box
    left, top, width, height = (percent(share) for share in box or (0, 0, 1, 1))
    found = {
        "whole": "the whole picture",
        "rectangle": f"{width} by {height} of the picture, {left} from the left and {top} from the top",
        "motion": "the largest thing that is not in the scene learned in training; a frame without one is not judged",
        "face": "the largest face; a frame without one is not judged",
    }
    return f"{given.region.how} ({found[given.region.how]}, made {wide}x{high} pixels, {FITS[given.resize.fit]})"


def _sentences(door: Door, card: Card | None) -> Iterator[str]:
    settings, decide = door.settings, door.settings.decide
    knows = f", which knows {', '.join(card.labels)}" if card else ""
    yield f"The gate {settings.gate.name} looks at {settings.sensor.source} and asks {settings.gate.model}{knows}."
    yield (
        f"Somebody is known when {count(decide.agree)} frames in a row within {decide.within:g} s say so; a frame that is dark, broken or says "
        f"anything else starts the count again. A visit ends after {decide.gap:g} s without a frame, or when the recording says so."
    )
    for number, rule in enumerate(settings.rule, 1):
        who = " or ".join("a stranger" if who == UNKNOWN else who for who in rule.who)
        yield f"Rule {number}: {who} may cause '{rule.do}' {'at any time' if not rule.when.spans else rule.when.text}."
    silent = [label for label in (card.labels if card else ()) if not any(label in rule.who for rule in settings.rule)]
    if silent:
        yield f"The model knows {', '.join(silent)} too, but no rule names them: for them the door stays shut."
    for name, action in settings.action.items():
        pulse = door.pulse(name)
        yield (
            f"'{name}' goes to {action.target}{f', on for {pulse:g} s' if pulse else ' as a message'}"
            f"{f', then not again for {decide.cool_down:g} s' if opens(name) else ''}; at start, stop and any fault it is {action.safe}."
            f"{meaning(action.target, action.timeout)}"
        )
        if not any(rule.do == name for rule in settings.rule):
            yield f"No rule does '{name}'."
    if card and card.unknown.false_accept != decide.false_accept and door.opening:
        yield f"The model's threshold was chosen for {percent(card.unknown.false_accept)}; this door asks for {percent(decide.false_accept)}."
    spoof = f" Photos or screens held up to the camera: {card.spoof}." if card else ""
    yield f"Everything is written to {settings.journal.path} before anything moves.{spoof}"
