"""Opens the parts of a door and keeps watch with them: sensor -> quality -> model -> policy -> journal -> controller."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from peephole.base.card import Card
from peephole.data.region import require_ready
from peephole.gateway.arming import arm
from peephole.gateway.clock import Clock, SystemClock
from peephole.gateway.door import Door
from peephole.gateway.journal import Journal, Record
from peephole.gateway.reception import Reception, needed, open_reception
from peephole.gateway.residents import with_residents
from peephole.gateway.sensors import Sensor, open_sensor
from peephole.gateway.switchboard import Switchboard, open_switchboard
from peephole.gateway.watch import Outcome, Predict, Summary, Watch, Witness

__all__ = ["Outcome", "Predict", "Summary", "run"]


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
    reception: Reception | None = None,
    tell: Callable[[Record], None] | None = None,
) -> Summary:
    """Run the gate until its sensor ends or `stop` is set, and return what it did.

    A recording that ends lets an opening finish its pulse; `stop` and faults end it at once, and the journal says so.
    `predict` takes uint8 pixels (H, W, C); `card` is its model's. Parts that are not given are opened as the settings say, and
    closed again; a recording is heard with a given `reception` alone. `witnesses` look on;
    `tell` hears each decision, visit and remark. Raises NotArmed, SettingsError, MissingExtra, SensorError or JournalError before
    anything opens; whatever is raised later, every controller was put into its safe state first.
    """
    door.require_labels(card.labels)
    require_ready(card.input.region)
    decide = door.settings.decide
    armed = arm(card.evidence, decide.false_accept, door.settings.gate.low_risk, door.opening, factor=door.asks)
    armed = with_residents(armed, card.evidence, decide.false_reject)
    clock, stop = clock or SystemClock(), stop or threading.Event()
    source = sensor or open_sensor(door.settings.sensor.source, door.folder, clock)
    book = journal or Journal(door.journal, door.settings.gate.name)
    board = switchboard or open_switchboard(door)
    ears = reception if reception is not None or source.recorded or not needed(door) else open_reception(door, clock)
    parts: dict[str, Any] = {"sensor": source, "board": board, "journal": book, "clock": clock, "witnesses": witnesses, "reception": ears}
    watch = Watch(door, predict, armed, **parts, tell=tell)
    try:
        return watch.run(stop)
    finally:
        board.close()
        if ears is not None and reception is None:
            ears.close()
        for witness in witnesses:
            witness.close()
        if journal is None:
            book.close()
