"""What a DOOR.toml means, in plain words, before anything moves; pure."""

from collections.abc import Iterator

from peephole.base.card import Card, Input
from peephole.base.errors import InputError, MissingExtra, NotArmed, SettingsError
from peephole.base.evidence import percent
from peephole.data.region import require_ready
from peephole.gateway.address import VIDEO
from peephole.gateway.arming import arm
from peephole.gateway.brokerwords import explained as broker_explained
from peephole.gateway.door import Door
from peephole.gateway.factorwords import explained
from peephole.gateway.keys import Models
from peephole.gateway.parts import Check, Part, problem
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.reasons import count
from peephole.gateway.remotewords import explained as remote_explained
from peephole.gateway.residents import with_residents
from peephole.gateway.targets import meaning

__all__ = ["Check", "Part", "check", "problem"]


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
        yield Part("arming", "ok", _armed(door, card))
    except NotArmed as error:
        yield problem("arming", error)


def _armed(door: Door, card: Card) -> str:
    settings = door.settings
    armed = arm(card.evidence, settings.decide.false_accept, settings.gate.low_risk, door.opening, factor=door.asks)
    return with_residents(armed, card.evidence, settings.decide.false_reject).sentence


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


def _models(models: Models) -> Iterator[str]:
    if models.key:
        yield f"Only model files that {models.key} signed are run."
    if models.shadow:
        yield f"A shadow, {models.shadow}, is shown the same frames; the journal says where it would have acted otherwise, and it moves nothing."


def _sentences(door: Door, card: Card | None) -> Iterator[str]:
    settings, decide = door.settings, door.settings.decide
    knows = f", which knows {', '.join(card.labels)}" if card else ""
    yield f"The gate {settings.gate.name} looks at {settings.sensor.source} and asks {settings.gate.model}{knows}."
    yield (
        f"Somebody is known when {count(decide.agree)} frames in a row within {decide.within:g} s say so; a frame that is dark, broken or says "
        f"anything else starts the count again. A visit ends after {decide.gap:g} s without a frame, or when the recording says so."
    )
    yield from _looking(door)
    for number, rule in enumerate(settings.rule, 1):
        who = " or ".join("a stranger" if who == UNKNOWN else who for who in rule.who)
        told = " and ".join(condition.text for condition in rule.conditions)
        hours = "at any time" if not rule.when.spans else rule.when.text
        yield (
            f"Rule {number}: {who} may cause '{rule.do}' {hours}{f', while {told}' if told else ''}."
            if who
            else f"Rule {number}: {told} causes '{rule.do}' {hours}, whoever is there."
        )
    yield from explained(door)
    yield from broker_explained(door)
    yield from remote_explained(door)
    silent = [label for label in (card.labels if card else ()) if not any(label in rule.who for rule in settings.rule)]
    if silent:
        yield f"The model knows {', '.join(silent)} too, but no rule names them: for them the door stays shut."
    for name, action in settings.action.items():
        pulse = door.pulse(name)
        yield (
            f"'{name}' goes to {action.target}{f', on for {pulse:g} s' if pulse else ' as a message'}"
            f"{f', then not again for {decide.cool_down:g} s' if settings.opens(name) else ''}; at start, stop and any fault it is {action.safe}"
            f"{'; it counts as no opening, so nobody needs to be known for it' if action.opens is False else ''}."
            f"{meaning(action.target, action.timeout)}"
        )
        if not any(rule.do == name for rule in settings.rule):
            yield f"No rule does '{name}'."
    if card and card.unknown.false_accept != decide.false_accept and door.opening:
        yield f"The model's threshold was chosen for {percent(card.unknown.false_accept)}; this door asks for {percent(decide.false_accept)}."
    if settings.events is not None:
        yield f"Every row of the journal is told to {settings.events.target}, in order, and later where the broker was away."
    yield from _models(settings.models)
    yield f"Whoever is enrolled here (peephole gate enrol) stands in {door.gallery.name}, which is read at the start alone."
    spoof = f" Photos or screens held up to the camera: {card.spoof}." if card else ""
    yield f"Everything is written to {settings.journal.path} before anything moves.{spoof}"
    yield from _journal(door)


def _journal(door: Door) -> Iterator[str]:
    """Say what is kept beside the journal's rows, and who would notice if some were gone."""
    kept, head = door.settings.journal.pictures, door.settings.journal.head
    if kept:
        yield (
            f"Pictures of each visit are kept in {door.pictures.name} for {kept.days:g} days, the oldest going sooner when they are more than "
            f"{kept.megabytes:g} MB."
        )
    else:
        yield "No pictures are kept."
    rows, needed = door.settings.journal.rows, " and no sooner than the broker has heard of them" if door.settings.events else ""
    yield (
        f"Rows of the journal are kept for {rows.days:g} days, the oldest going sooner when they are more than {rows.megabytes:g} MB{needed}; "
        "a row says how many went, and why."
    )
    if head:
        yield f"The journal's newest row is made known at {head} at most once a second: rows cut off its end, or written anew, are found."
    else:
        yield "Rows changed or taken out of the middle are found; with no [journal] head, nobody would notice if the latest were cut off."


def _looking(door: Door) -> Iterator[str]:
    """Say which part of the frame is looked at, when the model sleeps, and which frames are never judged."""
    sensor = door.settings.sensor
    limits = sensor.quality
    if sensor.region != "card":
        left, top, width, height = map(percent, sensor.region)
        yield f"Only a part of the frame is looked at: {width} by {height} of it, {left} from the left and {top} from the top."
    if sensor.motion or (sensor.motion is None and sensor.source.startswith(tuple(f"{scheme}:" for scheme in VIDEO))):
        yield "The model sleeps while nothing moves, and for ten seconds after it did it stays awake."
    asked = [
        *([f"darker than {limits.min_light:g}"] if limits.min_light else []),
        *([f"less sharp than {limits.min_sharpness:g}"] if limits.min_sharpness else []),
        *([f"more than {percent(limits.max_overexposed)} white"] if limits.max_overexposed < 1 else []),
        *([f"with more than {limits.max_subjects} in it"] if limits.max_subjects else []),
        *([f"of somebody who fills less than {percent(limits.min_subject)} of it"] if limits.min_subject else []),
    ]
    if asked:
        yield f"A frame counts for nobody when it is {', '.join(asked)}."
