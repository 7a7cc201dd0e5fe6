"""The head of the journal, kept off the box: left at most once a second and at the end, never over one that the journal does not hold."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from peephole.base.errors import ActuatorError, InputError, OutputError
from peephole.gateway.agent import run
from peephole.gateway.audit import verify
from peephole.gateway.chain import Head
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.head import BrokerPost, FilePost, HeadKeeper, Post, open_post
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.mqtt import BrokerPlace, left

ROW = Remark("frame", "x", "y")


class RecordingPost:
    """A post that remembers what was left there, and when; it can be away."""

    where = "a post in memory"

    def __init__(self, away: bool = False) -> None:
        self.heads: list[tuple[float, Head]] = []
        self.away = away

    def leave(self, head: Head) -> None:
        """Remember, or be away."""
        if self.away:
            raise OutputError("the post is away", "wait")
        self.heads.append((time.monotonic(), head))

    def find(self) -> Head | None:
        """Return the latest."""
        if self.away:
            raise OutputError("the post is away", "wait")
        return self.heads[-1][1] if self.heads else None


def keeping(journal: Journal, post: Post, every: float = 0.05) -> HeadKeeper:
    return HeadKeeper(journal, post, SystemClock(), every)


def write(journal: Journal, keeper: HeadKeeper, wall: float = 1.8e9) -> None:
    keeper.heard(ROW, journal.write(ROW, 1.0, wall), 1.0, wall)


def settle(done: Callable[[], bool]) -> bool:
    for _ in range(200):
        if done():
            return True
        time.sleep(0.02)
    return False


def test_the_head_follows_and_does_not_hurry() -> None:
    """Two hundred rows in a moment are few heads, none sooner than asked after the one before; the last row is always told."""
    post = RecordingPost()
    with Journal(None, "front") as journal:
        keeper = keeping(journal, post)
        for _ in range(200):
            write(journal, keeper)
            time.sleep(0.001)
        assert settle(lambda: post.heads[-1][1].number == 200)
        write(journal, keeper)
        keeper.close()
        assert post.heads[-1][1].number == 201 and journal.holds(post.heads[-1][1])
    times = [at for at, _ in post.heads[:-1]]  # the last one is told at the end, however soon
    assert 2 <= len(post.heads) < 60 and min(b - a for a, b in pairwise(times)) >= 0.049


def test_a_run_leaves_its_head_in_a_file(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor
) -> None:
    """The file holds the last row, pictures and stop included; cutting it off afterwards is found, and the next run says so and leaves it alone."""
    for number in range(3):
        paint(tmp_path / "night" / "v1" / f"{number}.png", "ana")
    (tmp_path / "elsewhere").mkdir()
    door = make_door(more='[journal]\npictures = {days = 1, megabytes = 1}\nhead = "file://elsewhere/front.head"')
    run(door, model.predict, model.card)
    post = open_post(door)
    assert post is not None
    head = post.find()
    with Journal.read(door.journal) as journal:
        assert head is not None and head.number == len(journal.entries()) and verify(journal, head, door.pictures).problems == ()
        assert "pictures" in [row.kind for row in journal.entries(last=2)]
    with sqlite3.connect(door.journal) as database:
        database.execute("DELETE FROM entry WHERE number > ?", (head.number - 2,))
    database.close()
    run(door, model.predict, model.card)
    assert post.find() == head, "the proof was overwritten"
    with Journal.read(door.journal) as journal:
        assert "the end was cut off" in verify(journal, head).problems[0] or "written anew" in verify(journal, head).problems[0]
        told = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
        assert any("it was cut, rewritten or replaced" in text for text in told)


class Trusting(HeadKeeper):
    """The planted bug: a keeper that writes over whatever head is there."""

    def _compare(self, found: Head | None) -> None:
        pass


@pytest.mark.parametrize(("kind", "found"), [(HeadKeeper, True), (Trusting, False)])
def test_a_fork_is_found_after_the_gate_went_on(tmp_path: Path, kind: type[HeadKeeper], found: bool) -> None:
    """An old copy is put back and the gate goes on with it: still found. Planted-bug twin: not by a keeper that does not look first."""
    post, path = RecordingPost(), tmp_path / "j.db"
    for turn in range(2):
        if turn == 1:
            shutil.copy(tmp_path / "old.db", path)
        with Journal(path, "front") as journal:
            keeper = kind(journal, post, SystemClock(), 0.01)
            for number in range(8):
                if turn == 0 and number == 4:
                    journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    shutil.copy(path, tmp_path / "old.db")
                write(journal, keeper, 1.8e9 + turn)  # the clock has gone on: rows of another turn are others
            keeper.close()
    with Journal.read(path) as journal:
        assert bool(verify(journal, post.find()).problems) is found


def test_an_outage_is_told_once_and_made_up_for() -> None:
    """While the post is away there is one fault; when it is back the newest head is left."""
    post = RecordingPost(away=True)
    with Journal(None, "front") as journal:
        keeper = keeping(journal, post, 0.01)
        for _ in range(5):
            write(journal, keeper)
            time.sleep(0.02)
        post.away = False
        assert settle(lambda: bool(post.heads))
        keeper.close()
        assert [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)] == ["the post is away"]
        assert post.heads[-1][1] == journal.head(post.heads[-1][1].wall)


def test_a_post_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another computer's disk that never answers: rows are written on, and closing gives up."""
    hang = threading.Event()

    class Hanging(RecordingPost):
        def find(self) -> Head | None:
            hang.wait(30)
            return None

    monkeypatch.setattr("peephole.gateway.head.PATIENCE", 0.1)
    with Journal(None, "front") as journal:
        keeper = keeping(journal, Hanging())
        began = time.monotonic()
        for _ in range(100):
            write(journal, keeper)
        keeper.close()
        assert time.monotonic() - began < 2
        hang.set()
        keeper._thread.join(5)


def test_a_folder_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    """A head on this box's own disk, in the place of the stick that is missing, would prove nothing."""
    head = Head("id", "front", 1, "ff", 0.0)
    with pytest.raises(OutputError, match="is not there"):
        FilePost(tmp_path / "stick" / "front.head").leave(head)
    assert not (tmp_path / "stick").exists()
    (tmp_path / "stick").mkdir()
    post = FilePost(tmp_path / "stick" / "front.head")
    assert post.find() is None
    post.leave(head)
    assert post.find() == head
    (tmp_path / "stick" / "front.head").write_text("x" * 100_000)
    with pytest.raises(InputError, match="not the head"):
        post.find()


def test_a_broker_keeps_the_head(mosquitto: Any, listen: Callable[[int], Any], tmp_path: Path) -> None:
    """Retained, one message, replaced each time; read back by whoever verifies."""
    place = BrokerPlace("127.0.0.1", mosquitto.port)
    post = BrokerPost(place, "home/front/journal-head")
    assert post.find() is None
    with Journal(tmp_path / "j.db", "front") as journal:
        keeper = keeping(journal, post)
        for _ in range(3):
            write(journal, keeper)
        keeper.close()
        head = post.find()
        assert head is not None and head.number == 3 and verify(journal, head).problems == ()
    listener = listen(mosquitto.port)
    (found,) = listener.wait("home/front/journal-head", 1)
    assert [retained for topic, _, retained in listener.heard if topic == "home/front/journal-head"] == [True] and '"number": 3' in found


def test_a_broker_that_is_away_or_refuses(free_port: int, start_mosquitto: Callable[..., Any], tmp_path: Path) -> None:
    """One sentence each: nobody answers, a password is asked for; a topic that may not be read looks empty."""
    with pytest.raises(ActuatorError, match="is away"):
        left(BrokerPlace("127.0.0.1", free_port), "x", 0.5)
    (tmp_path / "acl").write_text("topic write home/head\n")
    strict = start_mosquitto(f"allow_anonymous true\nuser root\nacl_file {tmp_path / 'acl'}")  # else it may not read the test's folder
    BrokerPost(BrokerPlace("127.0.0.1", strict.port), "home/head").leave(Head("id", "front", 1, "ff", 0.0))
    # Mosquitto grants the subscription and keeps silent: who may not read a head finds none.
    assert left(BrokerPlace("127.0.0.1", strict.port), "home/head") is None
    locked = start_mosquitto("allow_anonymous false")
    with pytest.raises(ActuatorError, match="refused"):
        BrokerPost(BrokerPlace("127.0.0.1", locked.port), "home/head").leave(Head("id", "front", 1, "ff", 0.0))


def test_a_rehearsal_leaves_no_head(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor
) -> None:
    """A replay runs with a journal of its own, in memory: neither head nor pictures."""
    paint(tmp_path / "night" / "v1" / "1.png", "ana")
    door = make_door(more='[journal]\npictures = {days = 1, megabytes = 1}\nhead = "file://front.head"')
    with Journal(None, "front-door") as journal:
        run(door, model.predict, model.card, journal=journal)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["DOOR.toml", "night"]
