"""A whole gate in a process of its own, which breaks inside when it is told to: `faultygate.py DOOR.toml TWIN`, faults by name on standard input.

Camera child, relay child, journal, policy and switchboard are the real ones. A TWIN is a bug planted in the gate itself, "" for none.
It prints `saw WHO` for each frame that came to the model or past it, and `planted NAME` once a fault is there.
"""

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np

from peephole.base.errors import InputError, JournalError
from peephole.base.records import Prediction
from peephole.cli.gateshow import stop_on_signals
from peephole.gateway import judging, live, outputs, watch
from peephole.gateway.agent import run
from peephole.gateway.camera import CameraSensor
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.faultydisk import FaultyDisk
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.journal import Journal, Record
from peephole.gateway.keepers import keepers
from peephole.gateway.kept import KeptFile
from peephole.gateway.lockout import Kept
from peephole.gateway.policy import Glance, Policy, Reaction, State, step
from peephole.gateway.reception import needed, open_reception
from peephole.gateway.sensors import Capture
from peephole.gateway.swap import choose
from peephole.gateway.switchboard import Switchboard

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
ANA = np.full((24, 32, 3), COLOURS["ana"], np.uint8)


def say(*words: object) -> None:
    """Tell the test, in one write."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Model:
    """The colour model, which says that everybody is ana in a way that must not count, once it is broken."""

    def __init__(self) -> None:
        self.inner, self.mode = ColourPredictor(COLOURS), ""

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Answer, or lie as told."""
        if not self.mode:
            return self.inner.predict(pixels)
        ana = self.inner.predict(ANA)
        if self.mode == "raises":
            raise InputError("the model was told to break", "mend it")
        if self.mode == "no memory":
            raise MemoryError
        if self.mode == "slow":
            time.sleep(1.3)
        while self.mode == "hangs":
            time.sleep(0.05)
        return {
            "": ana,  # it hung, and was mended
            "slow": ana,
            "nan": replace(ana, familiarity=math.nan, probability=math.nan),
            "infinite": replace(ana, probability=math.inf),
            "contradicts": replace(ana, familiarity=ana.threshold / 2),
            "nameless": replace(ana, label=None),
            "unknown label": replace(ana, label="mallory"),
        }[self.mode]


class OddClock(SystemClock):
    """The computer's clocks, with something added to each."""

    def __init__(self) -> None:
        self.more = self.more_wall = 0.0

    def monotonic(self) -> float:
        """Seconds, wrong by `more`."""
        return super().monotonic() + self.more

    def wall(self) -> float:
        """Seconds since 1970, wrong by `more_wall`."""
        return super().wall() + self.more_wall


class WeakJournal(Journal):
    """A journal that runs out of memory or whose disk hangs, or (a planted bug) says that it wrote what it did not."""

    fails = hangs = careless = False

    def write(self, record: Record, time: float, wall: float) -> int:
        """Write, unless there is no memory."""
        if self.fails:
            raise MemoryError
        while self.hangs:
            sleep(0.05)
        try:
            return super().write(record, time, wall)
        except JournalError:
            if self.careless:
                return 0
            raise


class Crier:
    """A witness that tells the test what was seen."""

    name = "crier"

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Say who it was."""
        say("saw", problem.replace("\n", " ") or ((prediction.label if prediction else None) or "stranger"))

    def heard(self, *_: object) -> None:
        """Nothing to tell."""

    passed = close = heard


def keeps_its_run(policy: Policy, state: State, glance: Glance) -> Reaction:
    """Planted bug: a frame with a problem is as if it had not been there, and the agreement before it stands."""
    return Reaction(state) if glance.problem or glance.prediction is None else step(policy, state, glance)


def relay_that(bug: str) -> Callable[..., tuple[str, ...]]:
    """Return what starts a relay with this bug (see broken_relay)."""
    program = outputs.relay_program
    broken = str(Path(__file__).with_name("broken_relay.py"))
    return lambda *given: (sys.executable, broken, bug, *program(*given)[4:])


def plant_twin(twin: str) -> None:
    """Put a bug into the gate itself."""
    if twin == "make_safe does nothing":
        Switchboard.make_safe = lambda *_: ()  # type: ignore[method-assign]
    elif twin == "keeps agreement over a problem":
        watch.step = keeps_its_run
    elif twin == "judges late":
        watch.STALE = live.STALE = math.inf
        watch.require_fresh = lambda *_: None
    elif twin == "acts late":
        watch.require_fresh = lambda *_: None
    elif twin == "acts before it is written":
        WeakJournal.careless = True
    elif twin == "relay trusts the gate":
        outputs.relay_program = relay_that("stays")
    elif twin == "opens for whom it does not see":
        Switchboard._doubted = lambda *_: ""  # type: ignore[method-assign]
    elif twin == "takes doubtful answers":
        judging._doubt = lambda *_: ""
    elif twin == "forgets a lockout that it cannot read":
        KeptFile.read = lambda _: Kept()  # type: ignore[method-assign]
    elif twin:
        raise SystemExit(f"no twin is called {twin}")


class Faults:
    """Faults by name, and their end."""

    def __init__(self, model: Model, clock: OddClock, disk: FaultyDisk, journal: WeakJournal, inbox: Inbox) -> None:
        self.model, self.clock, self.disk, self.journal, self.inbox = model, clock, disk, journal, inbox

    def plant(self, name: str) -> None:
        """Begin a fault, `model MODE`, `disk TROUBLE`, `wall SECONDS`, `monotonic SECONDS`, `journal memory` or `hangs`, or `heal` all that heals."""
        kind, _, how = name.partition(" ")
        if kind == "model":
            self.model.mode = how
        elif kind == "disk":
            self.disk.trouble = how  # type: ignore[assignment]  # the table names them rightly
        elif kind == "wall":
            self.clock.more_wall = float(how) - (time.time() if how == "0" else 0.0)
        elif kind == "monotonic":
            self.clock.more = float(how)
        elif kind == "journal":
            self.journal.fails, self.journal.hangs = how == "memory", how == "hangs"
        elif kind == "pin":
            now = self.clock.monotonic(), self.clock.wall()
            self.inbox.put(Signal(*now, "pin", "factor", {"nonce": f"nonce-{now[0]}", "expires": now[1] + 10, "whose": '["ana"]'}))
        else:
            self.model.mode, self.disk.trouble, self.journal.hangs = "", None, False
            if math.isnan(self.clock.more):  # a clock that jumped stays where it is, one that is no clock comes back
                self.clock.more = 0.0
        say("planted", name)

    def listen(self) -> None:
        """Obey the test."""
        for line in sys.stdin:
            self.plant(line.strip())


def main(path: Path, twin: str, from_file: bool) -> None:
    """Run the gate; the model comes from its file when the test asks for that."""
    plant_twin(twin)
    door, model, clock, disk, inbox = load_door(path), Model(), OddClock(), FaultyDisk(), Inbox()
    if from_file:
        choose(door)  # what `gate run` does first; the faults that ask for it break the file
    journal = WeakJournal(door.journal, door.settings.gate.name, names=model.inner.labels, vfs=disk.name)
    faults = Faults(model, clock, disk, journal, inbox)
    camera = CameraSensor("camera://puppet", clock, [sys.executable, str(Path(__file__).with_name("puppetcamera.py")), str(path.parent)])
    threading.Thread(target=faults.listen, daemon=True).start()
    more: dict[str, Any] = {"reception": open_reception(door, clock, inbox)} if needed(door) else {}
    witnesses = (Crier(), *keepers(door, journal, clock))
    run(door, model.predict, model.inner.card, sensor=camera, clock=clock, journal=journal, witnesses=witnesses, stop=stop_on_signals(), **more)
    journal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "file")
