"""What DOOR.toml's second factor, readings and costs mean, in plain words, and what is missing for them; for sentences and inspection."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from peephole.base.errors import InputError, JournalError, MissingInput, PeepholeError
from peephole.base.evidence import percent
from peephole.decide.predictor import load
from peephole.gateway.decidekeys import PRESENCE
from peephole.gateway.door import Door
from peephole.gateway.kept import KeptFile
from peephole.gateway.lockout import Kept
from peephole.gateway.parts import Part, problem
from peephole.gateway.pins import read_pins
from peephole.gateway.reasons import plural

__all__ = ["explained", "looked_at"]


def explained(door: Door) -> Iterator[str]:
    """Yield a sentence for each key of this kind."""
    decide = door.settings.decide
    if decide.margin:
        yield f"A frame counts for nobody when its best label leads the next one by less than {decide.margin:g}."
    yield from _factor(door)
    for name, also in door.settings.also.items():
        yield f"Before anything opens, {name} must see the same person within {decide.within:g} s: {also.model} looks at {also.source}."
    for name, reading in door.settings.reading.items():
        yield f"'{name}' reads {reading.source}; what it said counts for {reading.fresh:g} s, and a condition on anything older is false."
    if decide.held_open is not None:
        asked = " and ".join(condition.text for condition in decide.held_open.conditions)
        yield f"When {asked} for more than {decide.held_open.after:g} s, it is written down as held open; nothing moves because of it."
    if decide.weigh:
        costs = "; ".join(f"{name} {action.cost:g}" for name, action in door.settings.action.items() if action.cost is not None)
        yield (
            f"Of what the rules permit, the least expected cost is chosen (an opening costs when it is wrong, anything else always): {costs}; "
            f"leaving somebody outside who may enter {decide.refusal:g}; {percent(decide.strangers)} of the visits are taken to be strangers', "
            f"of whom {percent(decide.false_accept)} look like somebody known. Weighing may take an opening away, and never adds one."
        )
    if decide.false_reject is not None:
        yield f"Residents are to be refused in at most {percent(decide.false_reject)} of their visits; no gate is kept from arming by this."


def _factor(door: Door) -> Iterator[str]:
    factor, asked, lockout = door.factor, door.settings.decide.second_factor, door.settings.decide.lockout
    if factor is None:
        if door.opening:
            yield "The door opens on the camera alone: no second factor is asked, so a good photo held up to it may open it (low_risk = true)."
        return
    if asked == PRESENCE:
        phones = ", ".join(door.settings.factor.phones) if door.settings.factor else ""
        yield (
            f"To open, the phone of whoever was recognised must have said within {factor.fresh:g} s that it is here, or say so within "
            f"{factor.within:g} s; phones are known of {phones}."
        )
        return
    yield (
        f"To open, the PIN or tag of whoever was recognised must come over {asked} within {factor.within:g} s before or after; anybody else's "
        "does not count, and a message counts once, unretained, with its nonce, before it expires."
    )
    yield (
        f"After {lockout.after} wrong ones in a row the door stays shut for {lockout.seconds:g} s, after {lockout.disable_after} until a person "
        f"says: peephole gate unlock {door.path}; a restart changes nothing."
    )


def looked_at(door: Door) -> Iterator[Part]:
    """Yield the file of PINs, what is kept of wrong ones and of commands from afar, where there are such, and the tables that are read."""
    secret = door.factor is not None and door.factor.kind == "secret"
    if secret:
        yield _pins(door)
    if secret or door.settings.remote is not None:
        yield _lockout(door, counted=secret)
    for name, also in door.settings.also.items():
        yield _other(f"also {name}", door.folder / also.model)
    for name, reading in door.settings.reading.items():
        if reading.source.startswith("csv:"):
            yield _table(f"reading {name}", door.folder / reading.source.partition("://")[2])


def _pins(door: Door) -> Part:
    try:
        pins = read_pins(door.factors)
    except MissingInput as error:
        return Part("factor", "problem", error.what, f"give one: peephole gate pin {door.path} NAME")
    except InputError as error:
        return problem("factor", error)
    asked = sorted({who for rule in door.settings.rule for who in rule.who if door.settings.opens(rule.do)})
    missing = [name for name in asked if name not in pins.people]
    if missing:
        return Part("factor", "problem", f"no PIN or tag of {', '.join(missing)}: they cannot come in", f"peephole gate pin {door.path} {missing[0]}")
    return Part("factor", "ok", f"{door.factors} holds PINs or tags of {', '.join(asked)}")


def _lockout(door: Door, counted: bool) -> Part:
    """Say whether anybody may come in, as the disk has it: the lock from afar, and the wrong PINs and tags where they are `counted`."""
    file, freed = KeptFile(door.lockout, door.settings.gate.name), f"peephole gate unlock {door.path}"
    try:
        kept = file.read()
    except JournalError as error:
        return problem("lockout", error)
    told, shut = _shut(door, kept, counted)
    if shut == "ok":
        return Part("lockout", "ok", told)
    order = file.order()
    if order and order not in kept.orders:
        return Part("lockout", "note", f"{told}; a person has ended that since, which counts as soon as the gate runs")
    return Part("lockout", shut, f"{told}: nobody comes in until: {freed}" if shut == "problem" else told, freed)


def _shut(door: Door, kept: Kept, counted: bool) -> tuple[str, Literal["ok", "note", "problem"]]:
    """Say what keeps everybody out, and how grave it is."""
    failures, patience = kept.failures, door.settings.decide.lockout
    if kept.standing.locked:
        return kept.standing.locked, "problem"
    if not counted:
        return "it is not locked from afar", "ok"
    if failures >= patience.disable_after:
        return f"the door is disabled after {plural(failures, 'failure')}", "problem"
    told = f"{plural(failures, 'failure')} in a row so far"
    if failures and failures % patience.after == 0:
        # The disk does not say when: a gate that runs may have waited it out, and the next start begins it anew.
        return f"{told}: the door stays shut for {patience.seconds:g} s after the last of them, and anew after a start", "note"
    return told, "ok"


def _other(name: str, path: Path) -> Part:
    try:
        labels = load(path).labels
    except PeepholeError as error:
        return problem(name, error)
    return Part(name, "ok", f"{path} opens; it knows {', '.join(labels)}")


def _table(name: str, path: Path) -> Part:
    if not path.parent.is_dir():
        return Part(name, "problem", f"there is no folder {path.parent}", "correct its source")
    return Part(name, "ok", f"{path} {'is read as it grows' if path.exists() else 'is not there yet; until it is, its conditions are false'}")
