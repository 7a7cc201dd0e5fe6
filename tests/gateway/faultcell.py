"""One cell of the fault matrix: a real gate brought into a state, a fault planted, and what became of the door.

The second opinion is the fake pin's history file: nothing of the gate's own is believed about whether the door was open.
"""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from computer import Metronome, processes
from oddbroker import OddBroker, free_port

from peephole.base.errors import PeepholeError
from peephole.gateway.audit import verify
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.outputpin import history

State = Literal["idle", "agreeing", "unlocked", "closing"]
STATES: tuple[State, ...] = ("idle", "agreeing", "unlocked", "closing")
LASTS = {"idle": 1.3, "agreeing": 1.3, "unlocked": 2.2, "closing": 1.3}  # seconds that a fault lasts before it is mended
SAFE = 2.0  # seconds within which the door must be safe
LATE = 0.5  # seconds after its pulse at which a door must be shut, whatever happens
GONE = 3.0  # seconds within which no process of a gate that has ended may be left
PATIENCE = 60.0  # seconds for what promises nothing: a busy computer starts a gate slowly
RECOVERS = 30.0  # seconds within which a gate that goes on must judge a frame again
METRONOME = Metronome()
PULSE: dict[State, float] = {"idle": 1.0, "agreeing": 1.0, "unlocked": 4.0, "closing": 0.5}

DOOR = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true

[sensor]
source = "camera://0"
quality = {{min_light = 0.1, max_overexposed = 0.5}}

[decide]
false_accept = 0.01
within = "5 s"
gap = "3 s"
cool_down = "0 s"
{decide}

[[rule]]
who = ["ana", "junho"]
do = "open"

[[rule]]
who = ["unknown"]
do = "call"

[action.open]
target = "gpio://17?fake=pin.txt"
pulse = "{pulse} s"

[action.call]
target = "{call}"

[journal]
pictures = {{days = 1.0, megabytes = 5.0}}
{more}
"""


@dataclass(frozen=True)
class Fault:
    """One row of the matrix.

    `plant` begins it. `scene` is what the camera shows while it lasts, a stranger unless it says something else. One that `blocks`
    makes every frame worthless while it lasts, and those before it: in the state `agreeing` it is ana who stands there, and once more for
    one frame when it is over, and still nothing may open. One that `cuts` must make an open door safe within 2 s; all others are no faults of
    what decides (see ARCHITECTURE.md, "What ends an opening") and leave an opening that was granted before them to the end of its pulse. A gate
    `ends` by it, or must go on. `journal` is the file that verifies afterwards, "" where there is none. `broker` is how the broker is at the
    start, "" for a door without one; with `pin` the door asks for one.
    """

    kind: str
    name: str
    plant: Callable[["Cell"], None]
    scene: str = ""
    blocks: bool = False
    cuts: bool = False
    ends: bool = False
    journal: str = "journal.db"
    broker: str = ""
    pin: bool = False
    states: tuple[State, ...] = STATES


@dataclass(frozen=True)
class Result:
    """What became of a cell: openings that nobody was entitled to, and what else was wrong, in words.

    Of a door that was open: `safe_after` seconds from the fault to safe; `late`, seconds after its pulse (below 0: before), where a fault leaves
    it alone; and for how many seconds of these the computer let nobody run, by which a gate may be late or take itself for blind.
    """

    fault: str
    state: State
    unauthorised: int
    safe_after: float
    late: float
    stood: float
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.unauthorised and not self.problems


class Cell:
    """A gate in a folder of its own, with its strings."""

    def __init__(self, fault: Fault, state: State, folder: Path, twin: str = "") -> None:
        folder.mkdir()
        self.folder, self.fault, self.state, self.twin = folder, fault, state, twin
        self.broker = OddBroker() if fault.broker else None
        self._news = threading.Condition()
        self._ears: list[threading.Thread] = []
        self.lines: list[str] = []
        self.number, self.stuck = 0, False
        self.pictures = folder / "journal.db-pictures"
        self.write_door()
        self.scene("none")

    def write_door(self, decide: str = "") -> None:
        """Write DOOR.toml."""
        more, call = "", "log://call.log"
        if self.broker is not None:
            self.broker.mode = self.fault.broker
            if self.fault.broker == "away":
                self.broker.close()
            call, more = "mqtt://home/bell", f'[broker]\nurl = "mqtt://127.0.0.1:{self.broker.port}"\n[events]\ntarget = "mqtt://home/door"'
        if self.fault.pin:
            decide += f'\nsecond_factor = "http://127.0.0.1:{free_port()}/pin"'
        text = DOOR.format(decide=decide, pulse=PULSE[self.state], call=call, more=more)
        (self.folder / "DOOR.toml").write_text(text, encoding="utf-8")

    def start(self, model: Literal["colours", "file"] = "colours") -> None:
        """Start the gate."""
        program = (sys.executable, str(Path(__file__).with_name("faultygate.py")), str(self.folder / "DOOR.toml"), self.twin, model)
        with (self.folder / "errors.txt").open("ab") as errors:
            self.gate = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._ears.append(threading.Thread(target=self._hear, args=(self.gate,), daemon=True))
        self._ears[-1].start()

    def _hear(self, gate: "subprocess.Popen[str]") -> None:
        assert gate.stdout is not None
        with gate.stdout:
            for line in gate.stdout:
                with self._news:
                    self.lines.append(line.strip())
                    self._news.notify_all()

    def wait(self, text: str, seconds: float = 20.0, since: int = 0) -> bool:
        """Wait for a line of the gate that begins so; false when it does not come."""
        with self._news:
            return self._news.wait_for(lambda: any(line.startswith(text) for line in self.lines[since:]), seconds)

    def scene(self, what: str) -> None:
        """Let the camera show something else."""
        part = self.folder / "scene.part"
        part.write_text(what)
        part.replace(self.folder / "scene.txt")

    def one(self, who: str) -> None:
        """Let the camera show one picture, and wait until the gate has looked at it."""
        since, self.number = len(self.lines), self.number + 1
        self.scene(f"one {who} {self.number}")
        if not self.wait("saw", PATIENCE, since):
            raise AssertionError(f"the gate did not look: {self.errors()}")

    def tell(self, fault: str) -> None:
        """Plant a fault inside the gate."""
        since = len(self.lines)
        assert self.gate.stdin is not None
        self.gate.stdin.write(f"{fault}\n")
        self.gate.stdin.flush()
        assert self.wait("planted", PATIENCE, since), f"{fault} was not planted: {self.errors()}"

    def signal(self, whom: Literal["gate", "relay", "camera"], number: signal.Signals) -> None:
        """Send a signal to one of the three processes."""
        relay = history(self.folder / "pin.txt")[-1].process
        camera = int((self.folder / "camera.pid").read_text())
        os.kill({"gate": self.gate.pid, "relay": relay, "camera": camera}[whom], number)

    def again(self, model: Literal["colours", "file"] = "colours") -> None:
        """Kill the gate and start another."""
        self.gate.kill()
        self._let_go()
        self.start(model)

    def journal_files(self) -> list[Path]:
        """Return the files of the journal's database."""
        return [path for path in self.folder.glob("journal.db*") if path.is_file() and "lockout" not in path.name]

    def errors(self) -> str:
        """Return the end of what the gate said on standard error."""
        return (self.folder / "errors.txt").read_text(errors="replace")[-600:]

    def openings(self) -> int:
        """Count how often the pin was driven on."""
        return sum(written.on for written in history(self.folder / "pin.txt"))

    def enter(self) -> None:
        """Bring the gate into the state."""
        self.start()
        self.one("stranger" if self.state == "idle" else "ana")
        if self.state == "idle":
            return
        self.one("ana")
        if self.state == "agreeing":
            return
        end = time.monotonic() + PATIENCE
        while not self.openings() and time.monotonic() < end:  # on a busy computer a picture may be too old when it is judged
            self.one("ana")
        self.pin(on=True, seconds=1.0)
        if self.state == "closing":
            self.pin(on=False)

    def pin(self, on: bool, seconds: float = PATIENCE) -> None:
        """Wait until the pin, which was on before, is driven on or off."""
        end = time.monotonic() + seconds
        while not (self.openings() and history(self.folder / "pin.txt")[-1].on == on):
            assert time.monotonic() < end, f"the pin is not {'on' if on else 'off'}: {self.errors()}"
            time.sleep(0.02)

    def close(self) -> None:
        """End everything of this cell that is still there."""
        with suppress(OSError, IndexError, ValueError):
            for whom in ("camera", "relay"):
                self.signal(whom, signal.SIGCONT)
        self.gate.send_signal(signal.SIGCONT)
        self.gate.terminate()
        self._let_go()
        if self.broker is not None:
            self.broker.close()

    def left(self, seconds: float = GONE) -> list[str]:
        """Wait until no process of this cell is there, and kill those that stay: returns what they were started as."""
        end, found = time.monotonic() + seconds, processes(str(self.folder))
        while found and time.monotonic() < end:
            time.sleep(0.05)
            found = processes(str(self.folder))
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        return list(found.values())

    def _let_go(self) -> None:
        """Wait until the gate has ended, and close its pipes."""
        try:
            self.gate.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stuck = True
            self.gate.kill()
            self.gate.wait()
        assert self.gate.stdin is not None
        with suppress(OSError):
            self.gate.stdin.close()
        self._ears[-1].join(5)


def run(fault: Fault, state: State, folder: Path, twin: str = "") -> Result:
    """Run one cell: enter the state, plant the fault, let it last, mend it, look; `twin` is a bug in the gate (see faultygate)."""
    cell = Cell(fault, state, folder, twin)
    problems: list[str] = []
    granted, began = 0, time.monotonic()
    try:
        cell.enter()
        granted = cell.openings()
        cell.scene(fault.scene or ("none" if fault.blocks and state == "agreeing" else "stranger"))
        began = time.monotonic()
        fault.plant(cell)
        lasts(cell)
        went_on = mended(cell)
        if went_on == fault.ends:
            problems.append("the gate went on" if went_on else f"the gate did not go on: {cell.errors()}")
        _until(began + SAFE + 0.1)
        if state == "unlocked":  # before the gate's end ends it
            cell.pin(on=False, seconds=PULSE["unlocked"] + LATE)
    except Exception as error:
        problems.append(f"the cell could not be played: {error!r}")
    finally:
        cell.close()
    left = cell.left(0.0 if twin else GONE)
    problems += [] if twin else [f"left behind: {words}" for words in left]
    problems += ["the gate did not end by itself"] if cell.stuck else []
    problems += verified(cell)
    safe_after, late, stood, wrong = measured(cell, began)
    return Result(f"{fault.kind}: {fault.name}", state, cell.openings() - granted, safe_after, late, stood, (*problems, *wrong))


def measured(cell: Cell, began: float) -> tuple[float, float, float, list[str]]:
    """Return when an open door was safe after the fault, how late after its pulse, how long the computer stood still, and what was wrong with it."""
    written, fault, pulse = history(cell.folder / "pin.txt"), cell.fault, PULSE["unlocked"]
    if not written or written[-1].on:
        return math.inf, math.inf, 0.0, ["the pin was never made safe"]
    if cell.state != "unlocked":
        return 0.0, 0.0, 0.0, []
    on = max((one.time for one in written if one.on and one.time <= began), default=began)
    off = min(one.time for one in written if not one.on and one.time > on)
    stood, safe_after, late = METRONOME.stood(began if fault.cuts else on, off), off - began, off - on - pulse
    if off <= began:
        return 0.0, late, stood, [f"the door was shut before the fault: {reasons(cell)}"]
    if fault.cuts:
        return safe_after, 0.0, stood, [f"safe only after {safe_after:.2f} s"] if safe_after > SAFE + stood else []
    wrong = [f"{late:.2f} s longer than its pulse"] if late > LATE + stood else []
    early = late < -0.2 and stood < 0.3  # a computer that stands still makes a gate blind, and its relay deaf
    return safe_after, late, stood, wrong + ([f"ended {-late:.2f} s before its pulse was over: {reasons(cell)}"] if early else [])


def reasons(cell: Cell) -> str:
    """Return the faults that the journal tells of."""
    with suppress(PeepholeError), Journal.read(cell.folder / (cell.fault.journal or "journal.db")) as journal:
        return "; ".join(row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark))
    return "no journal"


def lasts(cell: Cell) -> None:
    """Let the fault last; where it makes every frame worthless, ana stands there all the while."""
    if cell.fault.blocks and cell.state == "agreeing" and not cell.fault.scene:
        cell.scene("ana")
    time.sleep(LASTS[cell.state])


def mended(cell: Cell) -> bool:
    """Mend the fault and return whether the gate looks at the door again."""
    blocked = cell.fault.blocks and cell.state == "agreeing"
    if blocked:
        cell.scene("none")
        time.sleep(0.3)
    if cell.broker is not None:
        cell.broker.mode = "fine"
    with suppress(OSError):
        cell.gate.send_signal(signal.SIGCONT)
    if not cell.fault.ends:
        with suppress(OSError, AssertionError):
            cell.tell("heal")
    if blocked and cell.gate.poll() is None:
        with suppress(AssertionError):
            cell.one("ana")
        cell.scene("none")
        time.sleep(0.3)
    since = len(cell.lines)
    cell.scene("stranger")
    end = time.monotonic() + RECOVERS
    while cell.gate.poll() is None and time.monotonic() < end:
        if cell.wait("saw stranger", 0.2, since):
            return True
    return False


def verified(cell: Cell) -> list[str]:
    """Return what is wrong with the journal that was left."""
    if not cell.fault.journal:
        return []
    try:
        with Journal.read(cell.folder / cell.fault.journal) as journal:
            return list(verify(journal, None, cell.pictures).problems)
    except PeepholeError as error:
        return [error.what]


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
