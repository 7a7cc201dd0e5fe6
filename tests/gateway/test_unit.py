"""The service unit: complete, in its own folder alone, and whole whatever a path is made of."""

import configparser
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peephole.base.errors import InputError
from peephole.cli.gate import app
from peephole.gateway.actuators import Command, LogActuator
from peephole.gateway.door import Door
from peephole.gateway.outputpin import history
from peephole.gateway.unit import unit


def read(text: str) -> dict[str, str]:
    """Return the [Service] table, as far as a reader of .ini files understands it."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells Type from type
    parser.read_string(text)
    return dict(parser["Service"])


def test_what_keeps_it_running(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """Restarted for ever, ended by the watchdog, one place to write."""
    service = read(unit(make_door(), Path("/opt/peephole/bin/peephole"), "gate"))
    assert service["Type"] == "notify" and service["Restart"] == "always" and service["WatchdogSec"] == "10" and service["User"] == "gate"
    assert service["ExecStart"] == f'"/opt/peephole/bin/peephole" gate run "{tmp_path}/DOOR.toml"'
    assert service["ReadWritePaths"] == f'"{tmp_path}"' and service["ProtectSystem"] == "strict"


def test_what_makes_the_pins_safe(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """After whatever ended the gate: for each pin the very program that keeps it safe, with no pulse allowed; it runs, and moves the pin."""
    light = '[action.light]\ntarget = "gpio://27?fake=light.txt&active=low"\npulse = "1 s"\nsafe = "on"\n'
    more = light + '[action.lamp]\ntarget = "gpio://22"\npulse = "1 s"'
    text = unit(make_door(more=more), Path("/usr/bin/peephole"))
    light, lamp = [line.removeprefix("ExecStopPost=") for line in text.splitlines() if line.startswith("ExecStopPost=")]
    assert '"gpio://22" "--safe" "off" "--longest" "0.000"' in lamp
    done = subprocess.run(shlex.split(light), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done
    assert {(row.level, row.on) for row in history(tmp_path / "light.txt")} == {("low", True)}
    assert "ExecStopPost" not in unit(make_door(), Path("/usr/bin/peephole"))


def test_paths_stay_words(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """Blanks, quotes, percent and dollar signs in a path neither end a word nor mean anything."""
    door = make_door()
    folder = tmp_path / 'a "b" 100% $HOME \\n'
    folder.mkdir()
    odd = Door(folder / "DOOR.toml", door.settings)
    line = read(unit(odd, Path("/usr/bin/peephole")))["ExecStart"]
    assert line == f'"/usr/bin/peephole" gate run "{tmp_path}/a \\"b\\" 100%% $$HOME \\\\n/DOOR.toml"'


def test_systemd_takes_it(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """Where systemd is installed, it finds nothing wrong with the unit."""
    verify = shutil.which("systemd-analyze")
    if not verify:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "door.service"
    path.write_text(unit(make_door(), Path(shutil.which("true") or "/bin/true")))
    done = subprocess.run([verify, "verify", str(path)], capture_output=True, text=True, check=False)
    assert "door.service" not in done.stderr


def test_the_verb(make_door: Callable[..., Door]) -> None:
    """It prints the unit and nothing else; a user with a blank is refused."""
    door = make_door()
    shown = CliRunner().invoke(app, ["unit", str(door.path), "--user", "gate"])
    assert shown.exit_code == 0 and shown.output.startswith("[Unit]\n") and "User=gate" in shown.output
    refused = CliRunner().invoke(app, ["unit", str(door.path), "--user", "a\nExecStart=/bin/sh"])
    assert isinstance(refused.exception, InputError)


def test_a_log_fills_no_disk(tmp_path: Path) -> None:
    """A log of commands keeps two files of bounded size, the newest line always in the first."""
    path = tmp_path / "door.log"
    actuator = LogActuator(path, most=2_000)
    for number in range(100):
        actuator.send(Command("front-door", "open", "on", 1.8e9, visit=f"v{number}"))
    assert path.stat().st_size <= 2_500 and path.with_name("door.log.1").stat().st_size <= 2_500
    assert '"v99"' in path.read_text().splitlines()[-1]
    assert {file.name for file in tmp_path.iterdir()} == {"door.log", "door.log.1"}
