"""gate check on pins, webhooks and Home Assistant: what is there is said, nothing is sent, nothing moves."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.base.errors import MissingExtra
from peephole.gateway import wiring
from peephole.gateway.door import Door
from peephole.gateway.fakes import card_for
from peephole.gateway.inspection import inspect
from peephole.gateway.sentences import Part, check
from peephole.gateway.targets import meaning

MakeDoor = Callable[..., Door]
BELL = '[action.bell]\ntarget = "{url}"\nsecret = {{file = "webhook.secret"}}\n{more}'


def part(door: Door, name: str) -> Part:
    (found,) = [found for found in inspect(door) if found.name == name]
    return found


def light(make_door: MakeDoor, target: str) -> Part:
    return part(make_door(more=f'[action.light]\ntarget = "{target}"\npulse = "1 s"'), "action light")


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A computer with pins, as far as its folders say."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "gpiochip0").touch()
    monkeypatch.setattr(wiring, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(wiring, "MODULES", tmp_path / "module")
    return tmp_path


def test_a_pin_is_there_and_not_tried(pi: Path, make_door: MakeDoor) -> None:
    """It is not tried; a kernel that keeps the level of a killed process's pin is warned of, one that does not is not."""
    found = light(make_door, "gpio://17")
    assert found.state == "not tried" and "dtparam" not in found.text
    switch = pi / "module" / "pinctrl_bcm2835" / "parameters" / "persist_gpio_outputs"
    switch.parent.mkdir(parents=True)
    for value, warned in (("Y\n", True), ("N\n", False)):
        switch.write_text(value)
        assert ("dtparam=strict_gpiod" in light(make_door, "gpio://17").text) == warned


def test_a_pin_that_cannot_be_had(pi: Path, make_door: MakeDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pins, pins of somebody else, no gpiozero: a problem with its hint."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "gpiochip" not in str(path) and real(path, mode))
    found = light(make_door, "gpio://17")
    assert found.state == "problem" and "may not be used by you" in found.text and "usermod" in found.hint
    (pi / "dev" / "gpiochip0").unlink()
    found = light(make_door, "gpio://17")
    assert found.state == "problem" and "are not on this computer" in found.text and "?fake=" in found.hint

    def missing(name: str) -> None:
        raise MissingExtra("this needs gpiozero, which is not installed", 'pip install "peephole[gpio]"')

    monkeypatch.setattr(wiring, "load", missing)
    found = light(make_door, "gpio://17")
    assert found.state == "problem" and found.hint == 'pip install "peephole[gpio]"'


def test_a_fake_pin_says_that_it_is_one(make_door: MakeDoor, tmp_path: Path) -> None:
    """Nobody takes it for a relay; its folder must be there."""
    found = light(make_door, "gpio://17?fake=pin.txt")
    assert found.state == "ok" and "moves no pin" in found.text and not (tmp_path / "pin.txt").exists()
    assert light(make_door, "gpio://17?fake=none/pin.txt").state == "problem"


def test_a_webhook_is_looked_at_and_not_called(make_door: MakeDoor, tmp_path: Path) -> None:
    """The secret must be there, long enough and kept; the path and the secret are not repeated."""
    door = make_door(more=BELL.format(url="https://home.example/very-secret", more=""))
    secret = tmp_path / "webhook.secret"
    assert "cannot be read" in part(door, "action bell").text
    secret.write_text("hunter2")
    found = part(door, "action bell")
    assert "too short" in found.text and "openssl rand" in found.hint and "hunter2" not in found.text + found.hint
    secret.write_text("hunter2" * 3)
    secret.chmod(0o644)
    assert part(door, "action bell").hint == f"chmod 600 {secret}"
    secret.chmod(0o600)
    found = part(door, "action bell")
    assert found.state == "not tried" and "home.example:443" in found.text and "very-secret" not in found.text


def test_each_target_is_explained(make_door: MakeDoor) -> None:
    """The sentences say what else is to be known of each: who ends the pulse, what counts as done, who can read along."""
    more = BELL.format(url="http://home.example/x", more='pulse = "1 s"\ntimeout = "3 s"')
    lamp = '[action.light]\ntarget = "gpio://17?active=low"\npulse = "1 s"\n'
    lock = '[action.lock]\ntarget = "mqtt://a/b?discovery=binary_sensor&state=a/c"\npulse = "1 s"\n[broker]\nurl = "mqtt://127.0.0.1"'
    told = " ".join(check(make_door(more=lamp + more + "\n" + lock), card_for(["ana", "junho"])).sentences)
    for sentence in (
        "GPIO17 is on when it is low; a process of its own ends the pulse",
        "not done unless the answer comes within 3 s",
        "not encrypted",
        "the lock jammed, unless a/c says so within 2 s",
        "told of it as a binary sensor",
    ):
        assert sentence in told
    assert meaning("https://home.example/", None).count("encrypted") == 0 and meaning("log://", None) == ""
