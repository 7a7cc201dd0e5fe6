"""peephole gate pin, unlock, check and replay at a door with a second factor: what they print, write and refuse."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

import peephole.decide.predictor
from peephole.base.errors import InputError
from peephole.cli.gate import app
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.kept import KeptFile
from peephole.gateway.lockout import Kept
from peephole.gateway.pins import read_pins
from peephole.gateway.remotestate import Standing
from peephole.gateway.switchboard import rehearsal

FACTOR = (
    'second_factor = "http://127.0.0.1:8471/pin"\nmargin = 0.05\nfalse_reject = 0.05\nheld_open = {if = ["entry.contact == open"], after = "30 s"}'
)
READINGS = '[reading.entry]\nsource = "csv://entry.csv"\n[factor]\nwithin = "10 s"'


@pytest.fixture
def door(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door that asks for a PIN, with a recording of ana."""
    for number in range(3):
        paint(tmp_path / "night" / "ana" / f"{number}.png", "ana")
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)}))
    return make_door(decide=FACTOR, more=READINGS)


def invoke(*words: str, typed: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_a_pin_is_given_changed_and_taken(door: Door) -> None:
    """From standard input, one line; a tag beside it; nothing that was typed is printed."""
    path = str(door.path)
    told = invoke("pin", path, "ana", typed="246802\n")
    assert "ana has a PIN" in told and "246802" not in told
    invoke("pin", path, "ana", "--tag", "--beside", typed="04:A2:19\n")
    pins = read_pins(door.factors)
    assert pins.whose("pin", "246802") == pins.whose("tag", "04:A2:19") == ("ana",)
    invoke("pin", path, "ana", typed="975310\n")
    pins = read_pins(door.factors)
    assert pins.whose("pin", "246802") == pins.whose("tag", "04:A2:19") == () and pins.whose("pin", "975310") == ("ana",)
    invoke("pin", path, "ana", "--remove")
    assert read_pins(door.factors).whose("pin", "975310") == ()


def read(terminal: int) -> bytes:
    """Return what comes next on a terminal, which must not take long."""
    assert select.select([terminal], [], [], 30)[0], "nothing more comes"
    return os.read(terminal, 1000)


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_nobody_answers(door: Door, key: bytes) -> None:
    """On a real terminal, in a real process: nothing was changed, it says so, and how to do without a terminal."""
    ours, theirs = pty.openpty()
    # A session of its own, whose terminal this is: Ctrl-C goes to it alone.
    begin = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
    words = [sys.executable, "-m", "peephole", "gate", "pin", str(door.path), "ana"]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with subprocess.Popen([sys.executable, "-c", begin, *words], start_new_session=True, **streams) as process:
        os.close(theirs)
        said = b""
        while b"PIN: " not in said:  # the blank comes once it listens
            said += read(ours)
        os.write(ours, key)
        with suppress(OSError):  # the terminal ends with the process
            while part := read(ours):
                said += part
    os.close(ours)
    told = " ".join(re.sub(r"\x1b\[[\d;]*m", "", said.decode()).split())
    assert process.returncode == 1 and "Aborted" not in told and "Traceback" not in told
    assert "error: nobody answered, so nothing was changed hint: type it, or: echo 2468 | peephole gate pin" in told
    assert not door.factors.exists()


def test_a_door_that_asks_for_no_pin(make_door: Callable[..., Door]) -> None:
    """The PIN is kept, and it is said that nobody will be asked for it."""
    door = make_door()
    told = invoke("pin", str(door.path), "ana", typed="246802\n")
    assert 'this door asks for none: [decide] second_factor = "none"' in told


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (["anna"], "246802\n", "did you mean 'ana'"),
        (["unknown"], "246802\n", "no rule lets 'unknown' open anything"),
        (["x" * 10_000], "246802\n", "no rule lets"),
        (["ana"], "", "is empty"),
        (["ana"], "1234\n", "first that everybody tries"),
        (["ana"], "12\n", "a PIN has 4 to 200"),
        (["ana"], "24\x0068\n", "nobody can type"),
        (["ana", "--remove"], "", "has no PIN or tag"),
    ],
)
def test_what_is_no_pin(door: Door, words: list[str], typed: str, says: str) -> None:
    """Refused with the reason, and no file is made."""
    with pytest.raises(InputError, match=says) as caught:
        invoke("pin", str(door.path), *words, typed=typed)
    assert len(str(caught.value)) < 400 and not door.factors.exists()


def test_unlock_writes_an_order(door: Door) -> None:
    """It says how many failures there were and leaves the count to the gate."""
    file = KeptFile(door.lockout, "front-door")
    file.write(Kept(50))
    assert "50 failures in a row" in invoke("unlock", str(door.path))
    assert file.read() == Kept(50) and file.order()
    door.lockout.write_text("{")
    assert "cannot be read" in invoke("unlock", str(door.path))


def parts(door: Door, code: int) -> dict[str, dict[str, str]]:
    return {part["name"]: part for part in json.loads(invoke("check", str(door.path), "--json", code=code))["parts"]}


def test_check_tells_of_a_lock_from_afar(door: Door) -> None:
    """As the disk has it, until a person ends it; an order that no gate has followed yet is told."""
    for name in ("ana", "junho"):
        invoke("pin", str(door.path), name, typed="246802\n")
    file = KeptFile(door.lockout, "front-door")
    file.write(Kept(standing=Standing("locked from afar ('fire')")))
    found = parts(door, 3)["lockout"]
    assert found["state"] == "problem" and found["hint"] == f"peephole gate unlock {door.path}"
    assert found["text"].startswith("locked from afar ('fire'): nobody comes in until: peephole gate unlock ")
    invoke("unlock", str(door.path))
    found = parts(door, 0)["lockout"]
    assert found["state"] == "note" and "counts as soon as the gate runs" in found["text"]
    file.write(Kept(orders=(file.order(),), standing=Standing("locked from afar")))
    assert parts(door, 3)["lockout"]["state"] == "problem"


def test_check_looks_at_pins_and_lockout(door: Door) -> None:
    """No PINs, some, all; a broken file; a disabled door: each with the command that helps."""
    found = parts(door, 3)
    assert found["factor"]["state"] == "problem" and "gate pin" in found["factor"]["hint"]
    assert found["lockout"]["text"] == "0 failures in a row so far" and "is not there yet" in found["reading entry"]["text"]
    invoke("pin", str(door.path), "ana", typed="246802\n")
    assert "no PIN or tag of junho: they cannot come in" in parts(door, 3)["factor"]["text"]
    invoke("pin", str(door.path), "junho", typed="135791\n")
    assert parts(door, 0)["factor"]["text"].endswith("holds PINs or tags of ana, junho")
    KeptFile(door.lockout, "front-door").write(Kept(50))
    assert parts(door, 3)["lockout"]["hint"].startswith("peephole gate unlock")
    KeptFile(door.lockout, "front-door").write(Kept(5))
    shut = parts(door, 0)["lockout"]
    assert shut["state"] == "note" and "5 failures in a row so far: the door stays shut for 30 s" in shut["text"]
    door.lockout.write_text("")
    assert parts(door, 3)["lockout"]["state"] == "problem"
    door.factors.chmod(0o640)
    assert parts(door, 3)["factor"]["hint"].startswith("chmod 600")


def test_explain_says_every_key(door: Door) -> None:
    """The plain words alone, whatever is missing; each key of this kind is in them."""
    told = " ".join(invoke("check", str(door.path), "--explain").split())
    for words in (
        "leads the next one by less than 0.05",
        "the PIN or tag of whoever was recognised must come over http://127.0.0.1:8471/pin within 10 s before or after",
        "After 5 wrong ones in a row the door stays shut for 30 s, after 50 until a person says",
        "'entry' reads csv://entry.csv; what it said counts for 600 s",
        "When entry.contact == open for more than 30 s, it is written down as held open",
        "Residents are to be refused in at most 5 % of their visits",
    ):
        assert words in told
    assert "problem" not in told


@pytest.mark.usefixtures("door")
def test_explain_weighing_presence_and_conditions(make_door: Callable[..., Door]) -> None:
    """The other half of the keys."""
    more = '[factor]\nphones = {ana = "a", junho = "b"}\n[broker]\nurl = "mqtt://127.0.0.1:1883"\n[reading.air]\nsource = "mqtt://air"'
    door = make_door(decide='second_factor = "presence"', more=more)
    text = (
        door.path.read_text()
        .replace('do = "call"', 'do = "call"\nif = ["air.co2 < 5000"]')
        .replace('target = "record://"', 'target = "record://"\ncost = 3')
        .replace("false_accept = 0.01", "false_accept = 0.01\nweigh = true\nrefusal = 10\nstrangers = 0.2")
    )
    door.path.write_text(
        text + '\n[[rule]]\nwho = []\nif = ["air.co2 > 1200"]\ndo = "fan"\n[action.fan]\ntarget = "log://"\nopens = false\ncost = 0\n'
    )
    told = " ".join(invoke("check", str(door.path), "--explain").split())
    for words in (
        "the phone of whoever was recognised must have said within 300 s that it is here",
        "phones are known of ana, junho",
        "the least expected cost is chosen",
        "open 3; call 3; fan 0; leaving somebody outside who may enter 10; 20 % of the visits are taken to be strangers'",
        "a stranger may cause 'call' at any time, while air.co2 < 5000",
        "Rule 3: air.co2 > 1200 causes 'fan' at any time, whoever is there",
        "it counts as no opening",
    ):
        assert words in told


def test_a_replay_supposes_the_second_factor(door: Door) -> None:
    """A rehearsal shows what would open if everybody showed theirs, and says that it supposes so; the live door does not."""
    told = invoke("replay", str(door.path), str(door.folder / "night"))
    assert "1 opened" in told and "as if" in told
    assert load_door(door.path).factor is not None and not door.lockout.exists()
    assert rehearsal(door).lines["open"].pulse == 5.0
