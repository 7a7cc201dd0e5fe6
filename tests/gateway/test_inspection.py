"""gate check looks at everything that DOOR.toml names: each thing is one line, nothing is made, nothing moves."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.base.extras import load
from peephole.gateway.alone import only_one
from peephole.gateway.door import Door
from peephole.gateway.inspection import inspect
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.kept import KeptFile
from peephole.gateway.lockout import Kept
from peephole.gateway.pictures import Album
from peephole.gateway.remotestate import Standing
from peephole.gateway.sentences import Part

MakeDoor = Callable[..., Door]


@pytest.fixture
def night(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Path:
    """A recording of one visit."""
    for number in range(2):
        paint(tmp_path / "night" / "ana" / f"{number}.png", "ana")
    return tmp_path / "night"


def part(door: Door, name: str, broker: bool = False) -> Part:
    """Return one part of what was found, and see to it that looking changed nothing."""
    before = {path: path.stat().st_mtime_ns for path in sorted(door.folder.rglob("*"))}
    (found,) = [found for found in inspect(door, broker) if found.name == name]
    assert {path: path.stat().st_mtime_ns for path in sorted(door.folder.rglob("*"))} == before
    return found


def test_all_is_there(night: Path, make_door: MakeDoor) -> None:
    """One line for the source, the journal and each action, all in order."""
    found = list(inspect(make_door(target="log://door.log")))
    assert [(one.name, one.state) for one in found] == [("source", "ok"), ("journal", "ok"), ("action open", "ok"), ("action call", "ok")]
    assert found[0].text == "replay://night holds 1 visit and 2 pictures, without dates"
    assert "not there yet" in found[1].text and "not there yet" in found[2].text
    assert sorted(path.name for path in night.parent.iterdir()) == ["DOOR.toml", "night"]


def test_the_source(night: Path, make_door: MakeDoor) -> None:
    """A folder that is watched says what it will not judge; one that is not there, or an option that is none, is a problem with its hint."""
    assert "2 files already in" in part(make_door("folder://night/ana"), "source").text
    for source in ("folder://nowhere", "replay://nowhere", "folder://night?poll=0", "replay://night?start=soon"):
        missing = part(make_door(source), "source")
        assert missing.state == "problem" and missing.hint


def test_the_journal(night: Path, make_door: MakeDoor, tmp_path: Path) -> None:
    """Rows are counted; a folder, a text, another gate's journal and a way through a file are problems."""
    with Journal(tmp_path / "journal.db", "front-door") as journal:
        journal.write(Remark("start", "x", "y"), 0, 0)
        assert "has 1 row in 0.0 MB and can be written" in part(make_door(), "journal").text
    assert "has 1 row" in part(make_door(), "journal").text
    (tmp_path / "empty.db").touch()
    assert part(make_door(more='[journal]\npath = "empty.db"'), "journal").state == "ok"
    assert part(make_door(more='[journal]\npath = "log/deep/j.db"'), "journal").state == "note"
    assert "deep, which will be made" in part(make_door(more='[journal]\npath = "log/deep/j.db"'), "journal").text
    Journal(tmp_path / "back.db", "back-door").close()
    for path, says in (("night", "is a folder"), ("DOOR.toml", "not a journal"), ("back.db", "'back-door', not of"), ("DOOR.toml/j.db", "no folder")):
        found = part(make_door(more=f'[journal]\npath = "{path}"'), "journal")
        assert found.state == "problem" and says in found.text and found.hint


def test_a_lock_from_afar_without_a_second_factor(night: Path, make_door: MakeDoor) -> None:
    """Commands from afar lock such a door too."""
    door = make_door(more='[broker]\nurl = "mqtt://127.0.0.1"\n[remote]\nsecret = {file = "remote.secret"}')
    assert part(door, "lockout").state == "ok"
    KeptFile(door.lockout, "front-door").write(Kept(5, standing=Standing("locked from afar ('fire')")))
    assert part(door, "lockout").state == "problem" and "('fire')" in part(door, "lockout").text


def test_a_password_that_others_may_read(night: Path, make_door: MakeDoor, tmp_path: Path) -> None:
    """As with every secret."""
    password = tmp_path / "broker.secret"
    password.write_text("a password")
    password.chmod(0o644)
    door = make_door(more='[broker]\nurl = "mqtt://127.0.0.1"\nusername = "gate"\npassword = {file = "broker.secret"}')
    assert part(door, "password").state == "problem" and part(door, "password").hint == f"chmod 600 {password}"
    password.chmod(0o600)
    assert "password" not in [found.name for found in inspect(door)]
    password.unlink()
    assert [found.name for found in inspect(door) if found.state == "problem"] == ["broker"]


def test_a_gate_that_runs_is_told(night: Path, make_door: MakeDoor) -> None:
    """A second one would be refused, and what is changed counts later."""
    door = make_door()
    assert "running" not in [found.name for found in inspect(door)]
    gate = only_one(door.journal)
    assert part(door, "running").state == "note" and "a second gate is refused" in part(door, "running").text
    gate.close()
    assert "running" not in [found.name for found in inspect(door)]


def elsewhere(folder: Path) -> Callable[..., os.stat_result]:
    """Return a stat for which a folder is another disk."""
    true = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = true(path, **options)
        values = [*found[:2], found.st_dev + 1, *found[3:]]
        return os.stat_result(values) if path == folder else found

    return stat


def test_what_is_kept_beside_the_journal(night: Path, make_door: MakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are counted, and the head's file needs its folder, which the gate does not make; a topic is the broker's business."""
    beside = '[journal]\npictures = {{days = 3, megabytes = 5}}\nhead = "{}"'
    door = make_door(more=beside.format("file://stick/front.head"))
    assert part(door, "pictures").text.endswith("holds 0 pictures")
    missing = part(door, "head")
    assert missing.state == "problem" and missing.hint.startswith("mount or make it")
    (tmp_path / "stick").mkdir()
    near = part(door, "head")
    assert near.state == "note" and "on the same disk as the journal and proves little" in near.text and "file:///" in near.hint
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", elsewhere(tmp_path / "stick"))
        (far,) = [found for found in inspect(door) if found.name == "head"]
    assert far.state == "ok" and far.text.endswith("front.head can be written")
    (tmp_path / "stick" / "front.head").mkdir()
    assert part(door, "head").state == "problem"
    Album(door.pictures, 3, 5).add(b"a picture", 1.8e9)
    assert "still holds 1 picture from before" in part(make_door(), "pictures").text  # no setting takes them away any more
    door = make_door(more=beside.format("file://stick/front.head"))
    assert part(door, "pictures").text.endswith("holds 1 picture")
    shutil.rmtree(door.pictures)
    door.pictures.touch()
    assert part(door, "pictures").state == "problem"
    topic = make_door(more=beside.format("mqtt://home/head") + '\n[broker]\nurl = "mqtt://127.0.0.1"')
    assert part(topic, "head").text == "mqtt://home/head is a topic that a head may be left at; see broker"


TOLD = """[broker]
url = "mqtt://127.0.0.1"
[journal]
head = "mqtt://{head}"
[events]
target = "mqtt://{events}"
"""


def test_topics_that_the_shipped_list_drops(night: Path, make_door: MakeDoor) -> None:
    """Events, head and factor outside what the access list gives a gate are noted, with the topic that it gives; its own are not."""
    own, pin = "peephole/front-door", 'second_factor = "mqtt://{}"'
    elsewhere = make_door(decide=pin.format("door/pin"), more=TOLD.format(head=f"{own}/head", events="home/front-door/events"))
    found = part(elsewhere, "topics")
    assert found.state == "note"
    assert "[events] target (home/front-door/events), [journal] head (peephole/front-door/head), [decide] second_factor (door/pin)" in found.text
    assert f"write {own}/events, {own}/journal-head, {own}/pin;" in found.hint
    phones = 'second_factor = "presence"', '[factor]\nphones = {{ana = "{}"}}\n[broker]\nurl = "mqtt://127.0.0.1"'
    assert "phones (home/ana)" in part(make_door(decide=phones[0], more=phones[1].format("home/ana")), "topics").text
    allowed = (
        make_door(decide=pin.format(f"{own}/pin"), more=TOLD.format(head=f"{own}/journal-head", events=f"{own}/events")),
        make_door(decide=phones[0], more=phones[1].format(f"{own}/phone/ana")),
    )
    assert [one.name for door in allowed for one in inspect(door) if one.name == "topics"] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written(night: Path, make_door: MakeDoor, tmp_path: Path) -> None:
    """A read-only folder keeps the journal and a log from beginning."""
    (tmp_path / "locked").mkdir(mode=0o555)
    assert part(make_door(more='[journal]\npath = "locked/j.db"'), "journal").state == "problem"
    assert part(make_door(target="log://locked/door.log"), "action open").state == "problem"


def test_what_the_system_forbids(night: Path, make_door: MakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever os.access says no to is a problem: the folder, the journal in it, a log that is there."""
    Journal(tmp_path / "journal.db", "front-door").close()
    (tmp_path / "door.log").touch()
    for locked, name in ((tmp_path, "journal"), (tmp_path / "journal.db", "journal"), (tmp_path / "door.log", "action open")):
        monkeypatch.setattr(os, "access", lambda path, mode, locked=locked: Path(path) != locked)
        found = part(make_door(target="log://door.log"), name)
        assert found.state == "problem" and "may not be written" in found.text
    (tmp_path / "journal.db").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert "cannot begin" in part(make_door(), "journal").text


def test_the_targets(night: Path, make_door: MakeDoor) -> None:
    """A log's folder must be there, since the gate makes none; a folder is no log; the others need nothing."""
    missing = part(make_door(target="log://none/door.log"), "action open")
    assert missing.state == "problem" and missing.hint.startswith("make it: mkdir ")
    assert "is a folder" in part(make_door(target="log://night"), "action call").text
    assert [part(make_door(target=target), "action open").state for target in ("log://", "record://")] == ["ok", "ok"]


# amqtt 0.12 still names things of asyncio and its own that are on their way out; nothing of ours is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:amqtt")
def test_the_broker_is_only_spoken_to_when_asked(night: Path, make_door: MakeDoor, free_port: int) -> None:
    """Without --broker it is not tried; with it, one that answers is in order and one that is away is a problem."""
    away = make_door(target="mqtt://home/lock", more=f'[broker]\nurl = "mqtt://127.0.0.1:{free_port}"')
    assert part(away, "broker").state == "not tried"
    assert part(away, "broker", broker=True).state == "problem"
    with load("gateway.broker:EmbeddedBroker")() as broker:
        assert part(make_door(target="mqtt://home/lock", more=f'[broker]\nurl = "{broker.url}"'), "broker", broker=True).state == "ok"


def test_the_brokers_password(night: Path, make_door: MakeDoor, start_mosquitto: Callable[..., Any]) -> None:
    """A password file that is not there is a problem without the broker being asked; a broker that refuses is one when it is."""
    strict = start_mosquitto("allow_anonymous false")
    door = make_door(target="mqtt://home/lock", more=f'[broker]\nurl = "{strict.url}"\nusername = "me"\npassword = {{file = "secret"}}')
    assert "password cannot be read" in part(door, "broker").text
    (door.folder / "secret").write_text("hunter2")
    refused = part(door, "broker", broker=True)
    assert refused.state == "problem" and "refused" in refused.text and "hunter2" not in refused.text + refused.hint
