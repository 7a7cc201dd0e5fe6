"""What a DOOR.toml means, in plain words, before anything moves; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from peephole.base.card import Card
from peephole.base.errors import NotArmed, SettingsError
from peephole.base.evidence import percent
from peephole.gateway.arming import arm
from peephole.gateway.door import Door, opens
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.reasons import count

__all__ = ["Check", "check"]


@dataclass(frozen=True)
class Check:
    """What was found: `sentences` in order, `problems` that keep the gate from running."""

    sentences: tuple[str, ...]
    problems: tuple[str, ...]


def check(door: Door, card: Card) -> Check:
    """Explain a door's settings together with its model's card; finds labels the model lacks and a rate its evidence does not carry."""
    problems: list[str] = []
    armed = ""
    try:
        door.require_labels(card.labels)
    except SettingsError as error:
        problems.append(str(error))
    try:
        armed = arm(card.evidence, door.settings.decide.false_accept, door.settings.gate.low_risk, door.opening).sentence
    except NotArmed as error:
        problems.append(str(error))
    return Check((*_sentences(door, card), *((f"Arming: {armed}.",) if armed else ())), tuple(problems))


def _sentences(door: Door, card: Card) -> Iterator[str]:
    settings, decide = door.settings, door.settings.decide
    yield f"The gate {settings.gate.name} looks at {settings.sensor.source} and asks {settings.gate.model}, which knows {', '.join(card.labels)}."
    yield (
        f"Somebody is known when {count(decide.agree)} frames in a row within {decide.within:g} s say so; a frame that is dark, broken or says "
        f"anything else starts the count again. A visit ends after {decide.gap:g} s without a frame, or when the recording says so."
    )
    for number, rule in enumerate(settings.rule, 1):
        who = " or ".join("a stranger" if who == UNKNOWN else who for who in rule.who)
        yield f"Rule {number}: {who} may cause '{rule.do}' {'at any time' if not rule.when.spans else rule.when.text}."
    silent = [label for label in card.labels if not any(label in rule.who for rule in settings.rule)]
    if silent:
        yield f"The model knows {', '.join(silent)} too, but no rule names them: for them the door stays shut."
    for name, action in settings.action.items():
        pulse = door.pulse(name)
        yield (
            f"'{name}' goes to {action.target}{f', on for {pulse:g} s' if pulse else ' as a message'}"
            f"{f', then not again for {decide.cool_down:g} s' if opens(name) else ''}; at start, stop and any fault it is {action.safe}."
        )
        if not any(rule.do == name for rule in settings.rule):
            yield f"No rule does '{name}'."
    if card.unknown.false_accept != decide.false_accept and door.opening:
        yield f"The model's threshold was chosen for {percent(card.unknown.false_accept)}; this door asks for {percent(decide.false_accept)}."
    yield f"Everything is written to {settings.journal.path} before anything moves. Photos or screens held up to the camera: {card.spoof}."
