"""The Gate tab: a journal as it is written, a visit's pictures through the layers, and nothing for those who did not give the code."""

import shutil

import numpy as np
import pytest
from live import running, until

from peephole.base.records import Decision
from peephole.gateway.door import pictures_of
from peephole.gateway.journal import Journal
from peephole.gateway.pictures import Album, jpeg
from peephole.gateway.rows import Kept, Picture

DOOR = """
[gate]
name = "hall"
model = "tiny.onnx"
low_risk = true
[sensor]
source = "folder://frames"
[decide]
false_accept = 0.5
second_factor = "none"
[[rule]]
who = ["left"]
do = "open"
[action.open]
target = "log://opened.log"
pulse = "1 s"
safe = "off"
[journal]
path = "journal.db"
"""
WALL = 1_780_000_000.0


def decide(book, visit, label, at):
    """Write a decision as the gate does."""
    verdict = "open" if label else "refuse"
    book.write(Decision(visit, verdict, label, f"three frames said so <b>{visit}</b>", "rule 1", "open" if label else None), at, WALL + at)


@pytest.fixture(scope="module")
def hall(tmp_path_factory, tiny_model_path, tiny_photos):
    """A working folder with a door that had two visits, one of them with a picture."""
    folder = tmp_path_factory.mktemp("hall")
    (folder / "DOOR.toml").write_text(DOOR, "utf-8")
    (folder / "frames").mkdir()
    shutil.copy(tiny_model_path, folder / "tiny.onnx")
    journal = folder / "journal.db"
    with Journal(journal, "hall") as book:
        decide(book, "visit-1", "left", 1.0)
        digest = Album(pictures_of(journal), 14, 100).add(jpeg(np.repeat(tiny_photos["left-1"], 3, axis=2)), WALL)
        book.write(Kept("visit-1", (Picture(digest, WALL, "left", "left"), Picture("0" * 64, WALL, None, "top"))), 1.5, WALL + 1.5)
        decide(book, "visit-2", None, 2.0)
    with running(folder) as found:
        yield found


@pytest.fixture
def opened(browser, hall):
    """The Gate tab of the owner."""
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{hall.url}#code={hall.auth.code}")
    until(page, "[...document.querySelectorAll('#tools button')].some((each) => each.textContent === 'Leave')")
    page.goto(f"{hall.url}#gate?gate=DOOR.toml")
    until(page, "document.querySelectorAll('.verdict-open').length >= 1")
    yield page
    assert page.complaints == []
    context.close()


def test_decisions_with_their_reasons(opened):
    """Newest first, what a visitor is called stays text."""
    said = opened.evaluate("[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)")
    assert "refused" in said[0] and "visit-2" in said[0] and "opened" in said[1]
    assert "<b>visit-1</b>" in said[1]


def test_a_new_row_appears_by_itself(opened, hall):
    """The page follows the journal while the gate writes it; a row that was there comes once."""
    with Journal(hall.folder / "journal.db", "hall") as book:
        decide(book, "visit-3", "left", 9.0)
    until(opened, "document.querySelectorAll('.verdict-open').length === 2")
    opened.wait_for_timeout(1200)
    assert opened.evaluate("document.querySelectorAll('.verdict-open').length") == 2


def test_a_past_visit_goes_through_the_layers(opened, hall):
    """A kept picture leads to the See tab with the door's own model; a picture that is gone says so."""
    opened.goto(f"{hall.url}#gate?gate=DOOR.toml&visit=visit-1")
    until(opened, "document.body.innerText.includes('a picture that is gone')")
    opened.click("text=see it layer by layer")
    until(opened, "document.querySelector('#main[data-traced]')")
    assert opened.evaluate("document.querySelector('#model').value") == "tiny.onnx"
    assert opened.evaluate("document.querySelector('#verdict').textContent") == "left"


def test_whoever_gave_no_code_sees_no_door(hall):
    """Neither its rows nor its pictures nor its name."""
    visitor = hall.visitor()
    for target in ("/api/gate", "/api/gate/journal", "/api/gate/pictures", "/api/gate/picture", "/api/gate/follow", "/api/gate/ask?what=people"):
        assert hall.ask("GET", f"{target}{'&' if '?' in target else '?'}gate=DOOR.toml", visitor).status == 401
    assert b"DOOR" not in hall.ask("GET", "/api/hello", visitor).body


def test_what_is_asked_is_checked(hall):
    """No path outside, no other file, no act that is none; each a sentence."""
    owner = hall.owner()
    for name in ("../DOOR.toml", "tiny.onnx", "nothing.toml", "/etc/passwd", ".peephole-studio/x.toml", ""):
        answer = hall.ask("GET", f"/api/gate?gate={name}", owner)
        assert answer.status in (400, 404) and answer.json["error"]
    for body in (
        b"{}",
        b'{"gate":"DOOR.toml","act":"burn","name":"x"}',
        b'{"gate":"DOOR.toml","act":"enrol","name":"--yes","set":"a","label":"b"}',
        b"[]",
    ):
        answer = hall.ask("POST", "/api/gate/act", owner, body)
        assert answer.status in (400, 404) and answer.json["error"]


def test_the_stream_goes_on_where_it_was(hall):
    """A reconnect with Last-Event-ID brings what came since, in order."""
    rows = hall.ask("GET", "/api/gate/journal?gate=DOOR.toml", hall.owner()).json
    numbers = [row["number"] for row in rows]
    assert numbers == sorted(numbers)
    with Journal(hall.folder / "journal.db", "hall") as book:
        assert [entry.number for entry in book.after(numbers[0], 100)] == numbers[1:]
