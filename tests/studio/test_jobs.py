"""Jobs: real processes that outlive their server, one at a time, in their order; what is gone is said to be gone."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from drawings import folder
from peephole.base.errors import InputError, MissingInput, OutputError, SettingsError
from peephole.studio import jobs as module
from peephole.studio.jobs import Jobs
from peephole.studio.process import Process, signalled
from peephole.studio.training import TrainJob

# What stands for a training where only the process matters: it writes events and does as the name of its model says.
ACTOR = """
import json, os, signal, sys, time
events, name = open(sys.argv[1], "w", buffering=1), os.path.basename(sys.argv[2])
def tell(event, **facts): events.write(json.dumps({"event": event, **facts}) + "\\n")
def stopped(*_):
    if "stubborn" in name: return
    tell("failed", what="training was stopped", hint="--resume"); sys.exit(1)
signal.signal(signal.SIGTERM, stopped)
print("hello from", os.getpid())
tell("stage", text="training")
if "long" in name or "stubborn" in name:
    while True: time.sleep(0.02)
if "half" in name: events.write('{"event": "lear'); events.flush(); os._exit(9)
if "dies" in name: os._exit(9)
if "slow" in name: time.sleep(0.5)
if "halting" in name:
    for piece in ('{"event": "sa', 'id", "text": "한', '글"}\\n'): events.write(piece); events.flush(); time.sleep(0.4)
for step in range(3): tell("learned", step=step)
tell("done", model=sys.argv[2])
"""


@pytest.fixture
def work(tmp_path):
    """A working folder with photos."""
    (tmp_path / "work" / "photos").mkdir(parents=True)
    return tmp_path / "work"


@pytest.fixture
def actors(monkeypatch):
    """Jobs start the actor instead of a training."""
    monkeypatch.setattr(module, "command", lambda job, work, events: [sys.executable, "-S", "-c", ACTOR, str(events), str(work / job.output)])


@pytest.fixture
def open_jobs(work):
    """Return a function that opens Jobs; whatever still runs at the end is ended."""
    opened = []

    def visit(**settings):
        opened.append(Jobs(work.parent / "state", work, **settings))
        return opened[-1]

    yield visit
    for jobs in opened:
        for job in jobs.list():
            if not job.ended:
                jobs.patience = 0.0
                jobs.stop(job.id)
    for jobs in opened:
        until(lambda jobs=jobs: all(job.ended for job in jobs.list()))
        jobs.close()


def until(holds, seconds=20.0):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def followed(jobs, id, after=0, most=1000):
    """Return what following a job's events gives."""

    async def follow():
        found = []
        async for number, line in jobs.events(id, after):
            found.append((number, json.loads(line)))
            if len(found) == most:
                break
        return found

    return asyncio.run(asyncio.wait_for(follow(), 30))


def asked(name="a.onnx", **more):
    """Return a training as the page would ask for it."""
    return TrainJob("photos", name, **more)


def states(jobs):
    """Return the models' names and how their jobs are, in the order of the queue."""
    return [(job.train.output.removesuffix(".onnx"), job.state) for job in reversed(jobs.list())]


def test_events_are_followed_to_the_end(actors, open_jobs):
    """From the start, from any line on, after the end too; every line once and in order."""
    jobs = open_jobs()
    job = jobs.start(asked("slow.onnx"))
    assert job.state == "running" and job.began and not job.ended
    events = followed(jobs, job.id)
    assert [number for number, _ in events] == [1, 2, 3, 4, 5]
    assert [event["event"] for _, event in events] == ["stage", "learned", "learned", "learned", "done"]
    assert followed(jobs, job.id, after=3) == events[3:] and followed(jobs, job.id, after=99) == []
    ended = jobs.get(job.id)
    assert (ended.state, ended.model, ended.ended) == ("done", "slow.onnx", True) and "hello from" in jobs.output(job.id)


def test_a_line_that_comes_in_pieces(actors, open_jobs):
    """It is told when it is whole, and once."""
    jobs = open_jobs()
    events = followed(jobs, jobs.start(asked("halting.onnx")).id)
    assert [number for number, _ in events] == [1, 2, 3, 4, 5, 6] and events[1][1] == {"event": "said", "text": "한글"}


def test_one_at_a_time_first_come_first_served(actors, open_jobs):
    """Two tabs that start at once both get a job; the second begins when the first has ended."""
    jobs, other_tab = open_jobs(), open_jobs()
    first, second, third = jobs.start(asked("long.onnx")), other_tab.start(asked("slow.onnx")), jobs.start(asked("c.onnx"))
    assert len({first.id, second.id, third.id}) == 3
    assert states(jobs) == [("long", "running"), ("slow", "waiting"), ("c", "waiting")]
    assert [jobs.get(job.id).place for job in (first, second, third)] == [None, 1, 2]
    time.sleep(0.6)
    assert states(other_tab) == states(jobs) == [("long", "running"), ("slow", "waiting"), ("c", "waiting")]
    jobs.stop(first.id)
    assert [event["event"] for _, event in followed(jobs, second.id)][-1] == "done"  # a follower waits in the queue too
    until(lambda: states(jobs) == [("long", "stopped"), ("slow", "done"), ("c", "done")])
    begun = [jobs.get(job.id).began for job in (first, second, third)]
    assert begun == sorted(begun)


def test_many_tabs_at_once(actors, open_jobs):
    """Asked from many threads at the same moment: as many jobs, never two that run."""
    jobs = open_jobs()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda number: jobs.start(asked(f"slow{number}.onnx")), range(4)))
    assert len({job.id for job in made}) == 4
    seen = 0
    while any(not job.ended for job in jobs.list()):
        seen = max(seen, sum(job.state == "running" for job in jobs.list()))
        time.sleep(0.02)
    assert seen == 1 and {state for _, state in states(jobs)} == {"done"}


def test_a_stop(actors, open_jobs):
    """The training is asked, tells that it stops, and what it said is kept."""
    jobs = open_jobs()
    job = jobs.start(asked("long.onnx"))
    followed(jobs, job.id, most=1)
    assert jobs.stop(job.id).state in ("stopping", "stopped")
    assert followed(jobs, job.id)[-1][1]["event"] == "failed"
    until(lambda: jobs.get(job.id).ended)
    stopped = jobs.get(job.id)
    assert (stopped.state, stopped.what, stopped.hint) == ("stopped", "training was stopped", "--resume")
    assert jobs.stop(job.id) == stopped


def test_a_stop_by_force(actors, open_jobs):
    """Who does not listen is killed after a while."""
    jobs = open_jobs(patience=0.3)
    job = jobs.start(asked("stubborn.onnx"))
    followed(jobs, job.id, most=1)
    jobs.stop(job.id)
    time.sleep(0.1)
    assert jobs.get(job.id).state == "stopping"
    until(lambda: jobs.get(job.id).state == "stopped")


def test_a_waiting_one_is_taken_off_the_queue(actors, open_jobs):
    """It never begins."""
    jobs = open_jobs()
    first, second = jobs.start(asked("long.onnx")), jobs.start(asked("b.onnx"))
    assert jobs.stop(second.id).state == "stopped"
    jobs.stop(first.id)
    until(lambda: jobs.get(first.id).ended)
    time.sleep(0.5)
    assert jobs.get(second.id).began is None and followed(jobs, second.id) == []


@pytest.mark.parametrize("name", ["dies.onnx", "half.onnx"])
def test_vanished(actors, open_jobs, name):
    """A process that is gone without a word; half a line is not told."""
    jobs = open_jobs()
    job = jobs.start(asked(name))
    assert [event["event"] for _, event in followed(jobs, job.id)] == ["stage"]
    gone = jobs.get(job.id)
    assert gone.state == "vanished" and "without a word" in gone.what and gone.hint


def test_a_server_that_ends_leaves_the_training_running(actors, open_jobs):
    """A new one on the same folder finds it, follows it, stops it, and goes on with the queue."""
    jobs = open_jobs()
    first, second = jobs.start(asked("long.onnx")), jobs.start(asked("b.onnx"))
    jobs.close()
    again = open_jobs()
    assert states(again) == [("long", "running"), ("b", "waiting")]
    again.stop(first.id)
    until(lambda: states(again) == [("long", "stopped"), ("b", "done")])
    assert second.id == again.list()[0].id


def test_a_recycled_number_is_nobodys(actors, open_jobs, work):
    """The process number of a vanished training belongs to another by now: not running, and no signal reaches the other."""
    jobs = open_jobs()
    job = jobs.start(asked("long.onnx"))
    written = json.loads((work.parent / "state" / job.id / "job.json").read_text())
    innocent = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        os.kill(written["process"]["pid"], signal.SIGKILL)
        until(lambda: jobs.get(job.id).state == "vanished")
        jobs.close()
        written["process"]["pid"] = innocent.pid
        (work.parent / "state" / job.id / "job.json").write_text(json.dumps(written))
        again = open_jobs()
        assert again.get(job.id).state == "vanished" and again.stop(job.id).state == "vanished"
        assert not signalled(Process(innocent.pid, written["process"]["began"]), signal.SIGKILL)
        assert not signalled(Process(innocent.pid, ""), signal.SIGKILL) and not signalled(Process(1, "x"), signal.SIGKILL)
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../x", "/etc", "000001-00000000/..", "000001-0000000g", "000001-00000000\n", "x" * 999, 3, None, "000001-00000000"]
)
def test_ids_lead_nowhere(open_jobs, id):
    """Paths, odd types and ids of nobody: there is no such training."""
    jobs = open_jobs()
    for ask in (jobs.get, jobs.stop):
        with pytest.raises(MissingInput):
            ask(id)
    with pytest.raises(MissingInput):
        followed(jobs, id)


def test_what_cannot_begin(actors, open_jobs, work):
    """Photos that are not there or outside, a name that is taken or that another training writes, too many that wait."""
    jobs = open_jobs()
    for data, error in (("absent", MissingInput), ("..", InputError)):
        with pytest.raises(error):
            jobs.start(TrainJob(data, "a.onnx"))
    (work / "old.onnx").touch()
    with pytest.raises(InputError, match=r"there is a old.onnx already"):
        jobs.start(asked("old.onnx"))
    jobs.start(asked("long.onnx"))
    with pytest.raises(InputError, match="that has not ended writes long"):
        jobs.start(asked("long.onnx", replace=True))
    for number in range(module.WAITING):
        jobs.start(asked(f"b{number}.onnx"))
    with pytest.raises(InputError, match="wait already"):
        jobs.start(asked("c.onnx"))
    with pytest.raises(SettingsError):
        jobs.start(asked("../a.onnx"))
    for job in jobs.list():
        jobs.stop(job.id)


def test_photos_that_went_away_while_it_waited(actors, open_jobs, work, monkeypatch):
    """Told as the reason why it failed; the queue goes on."""
    jobs = open_jobs()
    first, second, third = jobs.start(asked("long.onnx")), jobs.start(asked("b.onnx")), jobs.start(asked("c.onnx"))
    honest = module.command

    def missing(job, *rest):
        if job.output == "b.onnx":
            raise MissingInput("there is no folder 'photos'", "put one there")
        return honest(job, *rest)

    monkeypatch.setattr(module, "command", missing)
    jobs.stop(first.id)
    until(lambda: jobs.get(third.id).state == "done")
    assert (jobs.get(second.id).state, jobs.get(second.id).what) == ("failed", "there is no folder 'photos'")
    assert followed(jobs, second.id)[-1][1]["event"] == "failed"


def test_so_many_are_kept(actors, open_jobs, work):
    """The oldest that have ended go, with their folders; numbers are not given out again."""
    jobs = open_jobs(kept=3)
    made = []
    for number in range(5):
        made.append(jobs.start(asked(f"{number}.onnx")))
        until(lambda: jobs.get(made[-1].id).ended)
    assert [job.id for job in jobs.list()] == [job.id for job in reversed(made[2:])]
    assert len(list((work.parent / "state").glob("0*"))) == 3 and made[-1].id.startswith("000005-")


def test_a_state_folder_with_odd_things(actors, open_jobs, work):
    """Files, links and broken jobs in it are passed over."""
    state = work.parent / "state"
    for broken, text in (("000001-00000000", "{"), ("000002-00000000", "[]"), ("000003-00000000", '{"train": {}}')):
        (state / broken).mkdir(parents=True)
        (state / broken / "job.json").write_text(text)
    (state / "000004-00000000").symlink_to(work)
    (state / "notes.txt").touch()
    jobs = open_jobs()
    assert jobs.list() == ()
    job = jobs.start(asked())
    until(lambda: jobs.get(job.id).state == "done")


def test_a_state_folder_that_cannot_be(work):
    """A file in its place: one sentence."""
    (work / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        Jobs(work / "file" / "state", work)


SERVER = """
import sys, time
from pathlib import Path
from peephole.studio.jobs import Jobs
from peephole.studio.training import TrainJob
jobs = Jobs(Path(sys.argv[1]) / "state", Path(sys.argv[1]) / "work")
small = dict(network="plain", filters=(4,), hidden=12, threads=1)
made = [jobs.start(TrainJob("photos", name, steps=steps, **small)) for name, steps in (("xo.onnx", 100000), ("next.onnx", 30))]
print(*(job.id for job in made), flush=True)
time.sleep(60)
"""


def test_a_real_training_outlives_a_killed_server(tmp_path):
    """Kill -9 in the middle: the training goes on; a new server finds it, stops it with its checkpoint kept, and does the next in the queue."""
    folder(tmp_path / "work" / "photos", 6)
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER), str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    first, second = server.stdout.readline().split()
    events = tmp_path / "state" / first / "events.jsonl"
    until(lambda: events.exists() and "learned" in events.read_text(), 60)
    server.kill()
    server.wait()
    server.stdout.close()
    before = events.stat().st_size
    until(lambda: events.stat().st_size > before)
    jobs = Jobs(tmp_path / "state", tmp_path / "work")
    try:
        assert states(jobs) == [("xo", "running"), ("next", "waiting")]
        jobs.stop(first)
        told = followed(jobs, first)
        assert told[-1][1]["event"] == "failed" and "a checkpoint was kept" in told[-1][1]["what"]
        assert [number for number, _ in told] == list(range(1, len(told) + 1))
        until(lambda: jobs.get(first).state == "stopped")
        assert (tmp_path / "work" / "xo.checkpoint").exists()
        done = followed(jobs, second)[-1][1]
        assert done["event"] == "done" and done["scores"]["held_out"]["n"] == 12
        until(lambda: jobs.get(second).ended)
        assert jobs.get(second).state == "done" and (tmp_path / "work" / jobs.get(second).model).is_file()
    finally:
        for job in jobs.list():
            jobs.stop(job.id)
        jobs.close()
