"""Every fault of the matrix: a name, how it is planted and what may follow (see Fault)."""

import signal
import time
from collections.abc import Callable

from faultcell import Cell, Fault


def nothing(_: Cell) -> None:
    """The fault is in what the camera shows, or was there from the start."""


def inside(what: str) -> Callable[[Cell], None]:
    """Return what plants a fault in the gate's own process."""
    return lambda cell: cell.tell(what)


def sends(whom: str, number: signal.Signals) -> Callable[[Cell], None]:
    """Return what sends a signal to the gate, the relay or the camera."""
    return lambda cell: cell.signal(whom, number)  # type: ignore[arg-type]  # the table names the three


def broken(cell: Cell, name: str, data: bytes | None) -> None:
    """Put something else in a file's place, or take it away, and start the gate again."""
    path = cell.folder / name
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)
    cell.again("file" if name == "door.onnx" else "colours")


def broker(mode: str) -> Callable[[Cell], None]:
    """Return what makes the broker so, with its connections cut."""

    def plant(cell: Cell) -> None:
        assert cell.broker is not None
        cell.broker.mode = mode
        if mode == "refuse":
            cell.broker.cut()
        elif mode == "dead":
            cell.broker.close()

    return plant


def journal_gone(cell: Cell) -> None:
    """Delete the journal's files."""
    for path in cell.journal_files():
        path.unlink()


def journal_replaced(cell: Cell) -> None:
    """Put the journal aside and another file in its place."""
    for path in cell.journal_files():
        path.rename(path.with_name(f"old-{path.name}"))
    (cell.folder / "journal.db").write_bytes(b"not a journal")


def no_pictures(cell: Cell) -> None:
    """Put a file where the folder of pictures stands: root may write into any folder, but into no file's inside."""
    if cell.pictures.is_dir():
        cell.pictures.rename(cell.folder / "gone")
    cell.pictures.write_text("")


def lockout_broken(cell: Cell) -> None:
    """Break the lockout's memory and start again; then ana stands there with the right PIN: nobody knows how many wrong ones there were."""
    cell.scene("none")
    (cell.folder / "journal.db.lockout").write_bytes(b"{")
    cell.again()
    cell.tell("pin")
    for _ in range(4):
        cell.one("ana")


def settings_changed(cell: Cell) -> None:
    """Another DOOR.toml, which asks for one frame only."""
    cell.write_door("agree = 1")


def model_changed(cell: Cell) -> None:
    """Another model file under the same name."""
    (cell.folder / "door.onnx").write_bytes(b"another model")


def killed_while_it_hangs(cell: Cell) -> None:
    """Let the camera hang, so that it does not notice by itself that nobody reads, and kill the gate."""
    cell.scene("hang")
    time.sleep(0.3)
    cell.signal("gate", KILL)


KILL, STOP, TERM, INT = signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT

FAULTS: tuple[Fault, ...] = (
    Fault("camera", "black", nothing, "black", blocks=True, cuts=True),
    Fault("camera", "white", nothing, "white", blocks=True, cuts=True),
    Fault("camera", "hangs", nothing, "hang", cuts=True),
    Fault("camera", "dies, also when started again", nothing, "die", cuts=True),
    Fault("camera", "frozen", nothing, "frozen", blocks=True, cuts=True),
    Fault("camera", "a circle of pictures", nothing, "circle", blocks=True, cuts=True),
    Fault("camera", "garbage", nothing, "garbage", cuts=True),
    Fault("camera", "half a picture", nothing, "half", cuts=True),
    Fault("camera", "a header of 2^62 pixels", nothing, "huge", cuts=True),
    Fault("camera", "another size each time", nothing, "sizes"),
    Fault("camera", "late pictures of ana", nothing, "late", blocks=True, cuts=True),
    Fault("camera", "pictures of ana from the future", nothing, "future", blocks=True, cuts=True),
    Fault("camera", "pictures of ana at NaN seconds", nothing, "timeless", blocks=True, cuts=True),
    Fault("camera", "pictures of ana from minus infinity", nothing, "before time", blocks=True, cuts=True),
    Fault("camera", "no picture at all", nothing, "none", cuts=True),
    Fault("model", "raises", inside("model raises"), blocks=True, cuts=True),
    Fault("model", "NaN for ana", inside("model nan"), blocks=True, cuts=True),
    Fault("model", "infinite for ana", inside("model infinite"), blocks=True, cuts=True),
    Fault("model", "contradicts itself", inside("model contradicts"), blocks=True, cuts=True),
    Fault("model", "accepts nobody by name", inside("model nameless"), blocks=True, cuts=True),
    Fault("model", "a label of no rule", inside("model unknown label"), blocks=True),
    Fault("model", "slow", inside("model slow"), blocks=True, cuts=True),
    Fault("model", "hangs", inside("model hangs"), blocks=True, cuts=True),
    Fault("model", "file missing at a restart", lambda cell: broken(cell, "door.onnx", None), cuts=True, ends=True),
    Fault("model", "file truncated at a restart", lambda cell: broken(cell, "door.onnx", b"\x08\x08\x12"), cuts=True, ends=True),
    Fault("model", "file changed while running", model_changed),
    Fault("broker", "dies", broker("dead"), broker="fine"),
    Fault("broker", "half-open", broker("mute"), broker="fine"),
    Fault("broker", "away from the start", nothing, broker="away"),
    Fault("broker", "refuses the password", broker("refuse"), broker="fine"),
    Fault("broker", "slow", broker("slow"), broker="fine"),
    Fault("disk", "full before the decision", inside("disk full"), blocks=True, cuts=True),
    Fault("disk", "read-only", inside("disk read-only"), blocks=True, cuts=True),
    Fault("disk", "EIO", inside("disk failing"), blocks=True, cuts=True),
    Fault("disk", "hangs", inside("journal hangs"), blocks=True, cuts=True),
    Fault("disk", "journal deleted", journal_gone, blocks=True, cuts=True, journal=""),
    Fault("disk", "journal replaced", journal_replaced, blocks=True, cuts=True, journal="old-journal.db"),
    Fault("disk", "no folder for pictures", no_pictures),
    Fault("disk", "lockout broken at a restart", lockout_broken, pin=True, states=("idle", "agreeing")),
    Fault("clock", "wall clock an hour back", inside("wall -3600")),
    Fault("clock", "monotonic clock an hour back", inside("monotonic -3600"), cuts=True),
    Fault("clock", "wall clock an hour on, as in spring", inside("wall 3600")),
    Fault("clock", "wall clock ten years on", inside("wall 315360000")),
    Fault("clock", "wall clock at 1970", inside("wall 0")),
    Fault("clock", "wall clock NaN", inside("wall nan")),
    Fault("clock", "monotonic clock an hour on", inside("monotonic 3600"), cuts=True),
    Fault("clock", "monotonic clock NaN", inside("monotonic nan"), blocks=True, cuts=True),
    Fault("memory", "none left for the model", inside("model no memory"), blocks=True, cuts=True),
    Fault("memory", "none left for the journal", inside("journal memory"), blocks=True, cuts=True, ends=True),
    Fault("configuration", "changed while running", settings_changed),
    Fault("configuration", "broken TOML at a restart", lambda cell: broken(cell, "DOOR.toml", b"[gate\nname = "), cuts=True, ends=True),
    Fault("configuration", "an unknown key at a restart", lambda cell: broken(cell, "DOOR.toml", b"[gate]\nnam = 1\n"), cuts=True, ends=True),
    Fault("configuration", "gone at a restart", lambda cell: broken(cell, "DOOR.toml", None), cuts=True, ends=True),
    Fault("process", "kill -9 of the gate", sends("gate", KILL), cuts=True, ends=True),
    Fault("process", "kill -9 of the gate while its camera hangs", killed_while_it_hangs, cuts=True, ends=True),
    Fault("process", "kill -9 of the relay", sends("relay", KILL), cuts=True),
    Fault("process", "kill -9 of the camera", sends("camera", KILL), cuts=True),
    Fault("process", "SIGSTOP of the gate", sends("gate", STOP), cuts=True),
    Fault("process", "SIGSTOP of the relay", sends("relay", STOP), cuts=True),
    Fault("process", "SIGSTOP of the camera", sends("camera", STOP), cuts=True),
    Fault("process", "SIGTERM of the gate", sends("gate", TERM), cuts=True, ends=True),
    Fault("process", "SIGINT of the gate", sends("gate", INT), cuts=True, ends=True),
)
