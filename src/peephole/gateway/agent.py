"""Opens the parts of a door and keeps watch with them: sensor -> quality -> model -> policy -> journal -> controller."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from peephole.base.card import Card
from peephole.data.region import require_ready
from peephole.gateway.address import Address
from peephole.gateway.alone import only_one
from peephole.gateway.arming import Armed, arm
from peephole.gateway.beats import Beats
from peephole.gateway.clock import Clock, SystemClock
from peephole.gateway.door import Door
from peephole.gateway.heart import Heart, Notifier
from peephole.gateway.journal import Journal, Record
from peephole.gateway.keepers import keepers
from peephole.gateway.mqtt import Messenger
from peephole.gateway.outbox import Mark, Outbox
from peephole.gateway.reception import Reception, needed, open_reception
from peephole.gateway.residents import with_residents
from peephole.gateway.sensors import Sensor
from peephole.gateway.shadow import shadows
from peephole.gateway.sources import open_source
from peephole.gateway.status import StatusBoard
from peephole.gateway.switchboard import Switchboard, broker_place, open_switchboard
from peephole.gateway.watch import Outcome, Predict, Summary, Watch, Witness

__all__ = ["Outcome", "Predict", "Summary", "run"]

OUTAGE = 30.0  # seconds: a broker that does not answer may keep the outbox so long


def run(
    door: Door,
    predict: Predict,
    card: Card,
    *,
    sensor: Sensor | None = None,
    switchboard: Switchboard | None = None,
    journal: Journal | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    witnesses: Sequence[Witness] = (),
    notes: Sequence[str] = (),
    reception: Reception | None = None,
    tell: Callable[[Record], None] | None = None,
) -> Summary:
    """Run the gate until its sensor ends or `stop` is set, and return what it did.

    A recording that ends lets an opening finish its pulse; `stop` and faults end it at once, and the journal says so.
    `predict` takes uint8 pixels (H, W, C); `card` is its model's. Parts that are not given are opened as the settings say, and
    closed again; a recording is heard with a given `reception` alone. `witnesses` look on; `notes` are written down at the start;
    `tell` hears each decision, visit and remark. Raises NotArmed, SettingsError, MissingExtra, SensorError or JournalError before
    anything opens; whatever is raised later, every controller was put into its safe state first.
    """
    door.require_labels(card.labels)
    require_ready(card.input.region)
    decide = door.settings.decide
    armed = arm(card.evidence, decide.false_accept, door.settings.gate.low_risk, door.opening, factor=door.asks)
    armed = with_residents(armed, card.evidence, decide.false_reject)
    with nullcontext() if journal is not None else only_one(door.journal):
        clock, stop = clock or SystemClock(), stop or threading.Event()
        source = sensor or open_source(door, clock)
        book = journal or Journal(door.journal, door.settings.gate.name, names=card.labels)
        present, board, ears = list(witnesses), switchboard, reception
        try:
            present += (*keepers(door, book, clock), *shadows(door, book)) if journal is None else ()
            board = board or open_switchboard(door)
            beats = Beats(SystemClock())  # threads hang in real time, whatever clock the door is told
            status = None if source.recorded or door.settings.broker is None else _status(door, armed, clock)
            present += [status] if status is not None else []
            present += _bystanders(door, book, beats, recorded=source.recorded)
            if ears is None and not source.recorded and needed(door):
                ears = open_reception(door, clock, speak=status.say if status is not None else None)
            parts: dict[str, Any] = {"sensor": source, "board": board, "journal": book, "clock": clock, "witnesses": present, "beats": beats}
            watch = Watch(door, predict, armed, **parts, reception=ears, notes=notes, tell=tell)
            if status is not None:
                status.follow(lambda: watch.shut)
            summary = watch.run(stop)
        finally:
            if board is not None:
                board.close()
            if ears is not None and reception is None:
                ears.close()
            for witness in present:
                witness.close()
            if journal is None:
                book.close()
    return replace(summary, faults=watch.faults)  # with those that witnesses found when they let go


def _bystanders(door: Door, journal: Journal, beats: Beats, recorded: bool) -> list[Witness]:
    """Return the witnesses that a door has by itself; a recording is told to nobody."""
    found: list[Witness] = []
    if recorded:
        return found
    if door.settings.events is not None:
        topic = Address.parse(door.settings.events.target, ("mqtt",)).place
        messenger = Messenger(broker_place(door), f"{door.settings.gate.name}-events")
        mark = Mark.beside(journal, door.journal, topic)
        found.append(Outbox(journal, messenger, topic, mark, beats.of("the outbox", OUTAGE)))
    return [*found, Heart(beats, Notifier(), SystemClock())]


def _status(door: Door, armed: Armed, clock: Clock) -> StatusBoard:
    digest = None
    if door.model.is_file():
        with door.model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StatusBoard(broker_place(door), door.settings.gate.name, {"armed": armed.how, "model": digest}, clock)
