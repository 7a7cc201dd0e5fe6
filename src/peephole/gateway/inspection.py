"""Looks at everything a DOOR.toml names outside itself, before the gate runs: nothing is made, nothing is written, nothing moves."""

import os
from collections.abc import Iterator
from pathlib import Path

from peephole.base.errors import PeepholeError
from peephole.base.extras import load
from peephole.gateway.address import Address
from peephole.gateway.alone import runs
from peephole.gateway.brokerwords import looked_at as broker_looked_at
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door
from peephole.gateway.factorwords import looked_at
from peephole.gateway.journal import Journal
from peephole.gateway.modelcheck import inspect_models
from peephole.gateway.reasons import plural
from peephole.gateway.remotewords import looked_at as remote_looked_at
from peephole.gateway.sensors import ReplaySensor
from peephole.gateway.sentences import Part, problem
from peephole.gateway.sources import OPEN, open_source
from peephole.gateway.targets import TARGETS
from peephole.gateway.wiring import look

__all__ = ["inspect"]


def inspect(door: Door, broker: bool = False) -> Iterator[Part]:
    """Yield what stands beside the model, the source, the journal, each action's target and the broker, only spoken to when `broker` is True."""
    yield from inspect_models(door)
    yield _source(door)
    yield _journal(door)
    if runs(door.journal):
        told = f"a gate runs with {door.journal} now; what is changed here counts from its next start, and a second gate is refused"
        yield Part("running", "note", told, "stop it before: peephole gate run")
    yield from _beside(door)
    yield from looked_at(door)
    yield from remote_looked_at(door)
    for name, action in door.settings.action.items():
        part = f"action {name}"
        yield look(part, action, door.folder) or _target(part, Address.parse(action.target, TARGETS), door.folder)
    yield from broker_looked_at(door, broker)


def _source(door: Door) -> Part:
    source = door.settings.sensor.source
    scheme = source.partition(":")[0]
    try:
        sensor = open_source(door, SystemClock())
        if scheme in ("camera", "video"):
            load("gateway.opencv:camera")
    except PeepholeError as error:
        return problem("source", error)
    if isinstance(sensor, ReplaySensor):
        visits = plural(len({shot.visit for shot in sensor.shots}), "visit") + " and " if any(shot.visit for shot in sensor.shots) else ""
        dates = "" if sensor.dated else ", without dates"
        return Part("source", "ok", f"{source} holds {visits}{plural(len(sensor.shots), 'picture')}{dates}")
    if scheme in OPEN and not sensor.recorded:
        return Part("source", "not tried", f"{source} is well-formed; whether pictures come: peephole gate run {door.path}")
    return Part("source", "ok", "; ".join((f"{source} can be read", *sensor.notes)))


def _journal(door: Door) -> Part:
    path, told = door.journal, f"{door.journal}"
    if not path.exists():
        made = _makeable(path)
        if made is None and not path.parent.exists():
            told = f"{told} is not there yet, nor is the folder {path.parent}, which will be made"
            return Part("journal", "note", told, "if it should be there, mount it, or correct [journal] path")
        return made if made is not None else Part("journal", "ok", f"{told} is not there yet; the gate will begin it")
    try:
        size = path.stat().st_size
        if path.is_file() and size:
            with Journal.read(path) as journal:
                gate, (first, last, filled) = journal.gate, journal.extent()
            if gate != door.settings.gate.name:
                what = f"{told} is the journal of the gate '{gate[:64]}', not of '{door.settings.gate.name}'"
                return Part("journal", "problem", what, "choose another [journal] path, or correct [gate] name")
            gone = f" (those before row {first:,} were removed)" if first > 1 else ""
            told += f" has {plural(last - first + 1, 'row')}{gone} in {filled / 1e6:.1f} MB"
    except PeepholeError as error:
        return problem("journal", error)
    return _writable("journal", path, told) or _writable("journal", path.parent, told) or Part("journal", "ok", f"{told} and can be written")


def _beside(door: Door) -> Iterator[Part]:
    """Yield the folder of pictures and the place of the journal's head, where the settings ask for them."""
    left = len(list(door.pictures.glob("*.jpg"))) if door.pictures.is_dir() else 0
    if not door.settings.journal.pictures and left:
        yield Part("pictures", "ok", f"{door.pictures} still holds {plural(left, 'picture')} from before, which no setting takes away: delete them")
    if door.settings.journal.pictures:
        found = plural(left, "picture")
        there = door.pictures if door.pictures.exists() else door.pictures.parent
        wrong = there.exists() and not (there.is_dir() and os.access(there, os.W_OK | os.X_OK))
        if wrong:
            yield Part("pictures", "problem", f"{there} is no folder that may be written", "correct its permissions, or [journal] path")
        else:
            yield Part("pictures", "ok", f"{door.pictures} holds {found}")
    head = door.settings.journal.head
    if head and head.startswith("mqtt:"):
        yield Part("head", "ok", f"{head} is a topic that a head may be left at; see broker")
    elif head:
        path = Address.parse(head, ("file",)).path(door.folder)
        if not path.parent.is_dir():
            yield Part("head", "problem", f"there is no folder {path.parent} for the journal's head", "mount or make it, or correct [journal] head")
        else:
            wrong_head = _writable("head", path.parent, str(path)) or (_writable("head", path, str(path)) if path.exists() else None)
            yield wrong_head or _head(path, door.journal)


def _head(path: Path, journal: Path) -> Part:
    """Say where a head that can be written lies: beside the journal whoever takes rows away can change it as well."""
    folder = next((parent for parent in journal.parents if parent.exists()), Path())
    try:
        apart = path.parent.stat().st_dev != folder.stat().st_dev
    except OSError:
        apart = True
    if apart:
        return Part("head", "ok", f"{path} can be written")
    what = f"{path} can be written, but is on the same disk as the journal and proves little: whoever cuts rows off can write it anew"
    return Part("head", "note", what, "choose another disk, as file:///media/stick/front.head (three slashes: from the root), or mqtt://TOPIC")


def _makeable(path: Path) -> Part | None:
    """Return what keeps a journal from being begun, with its folders, or None."""
    folder = next((parent for parent in path.parents if parent.exists()), Path())
    if not folder.is_dir():
        return Part("journal", "problem", f"{folder} is no folder, so {path} cannot be written", "correct [journal] path")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Part(
            "journal",
            "problem",
            f"the folder {folder} may not be written, so {path} cannot begin",
            "correct [journal] path or the folder's permissions",
        )
    return None


def _writable(name: str, path: Path, told: str) -> Part | None:
    """Return what keeps a file or folder that is there from being written, or None."""
    if path.is_dir() and str(path) == told:
        return Part(name, "problem", f"{path} is a folder, not a file", "name a file in it")
    if not os.access(path, os.W_OK):
        return Part(name, "problem", f"{path} may not be written", "correct its permissions, or choose another path")
    return None


def _target(name: str, address: Address, folder: Path) -> Part:
    if address.scheme == "mqtt":
        return Part(name, "ok", f"{address.text} is a topic that may be published to; see broker")
    if address.scheme == "record":
        return Part(name, "ok", "record:// remembers in memory; nothing outside moves")
    if not address.place:
        return Part(name, "ok", "log:// writes to the program's own log")
    path = address.path(folder)
    if not path.parent.is_dir():
        return Part(name, "problem", f"{address.text}: there is no folder {path.parent}", f"make it: mkdir {path.parent}")
    there = path.exists()
    wrong = _writable(name, path if there else path.parent, str(path))
    return wrong or Part(name, "ok", f"{address.text} can be written{'' if there else '; it is not there yet'}")
