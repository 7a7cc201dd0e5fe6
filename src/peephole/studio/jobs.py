"""Trainings as folders: each runs in a process of its own that outlives the server, one at a time, the others wait in their order.

A job is a folder with `job.json` (what was asked, when it began, in which process), `events.jsonl` (what the training writes as it goes) and
`output.txt` (what it said). All that is known of a job stands there, so a new server on the same folder finds every one again.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from peephole.base.errors import InputError, MissingInput, OutputError, PeepholeError
from peephole.base.files import write_atomic
from peephole.studio.process import Process, alone, bury, is_held, signalled, spawn
from peephole.studio.training import TrainJob, command, photos_in

__all__ = ["Job", "Jobs", "State"]

State = Literal["waiting", "running", "stopping", "done", "failed", "stopped", "vanished"]
ENDED = ("done", "failed", "stopped", "vanished")
ID = re.compile(r"[0-9]{6}-[0-9a-f]{8}")
KEPT = 20  # jobs whose folders stay
WAITING = 8  # that may wait at a time
PATIENCE = 20.0  # seconds between the request to stop and the end by force: time to keep a checkpoint
EVERY = 0.2  # seconds between two looks at a job
TAIL = 4_000_000  # bytes from a file's end in which its last line is looked for
GONE = "the training ended without a word: its process was killed, or the computer was switched off"
AGAIN = "start it again; if a checkpoint was kept beside the model file, going on from it loses nothing"


@dataclass(frozen=True)
class Job:
    """A training and how it is: `made` and `began` (None while it waits) are seconds since 1970, `place` is its place among those that wait, from 1.

    `what` and `hint` say why it failed or vanished, `model` is the file it wrote.
    """

    id: str
    state: State
    train: TrainJob
    made: float
    began: float | None = None
    place: int | None = None
    what: str = ""
    hint: str = ""
    model: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED


@dataclass(frozen=True)
class _Written:
    """What stands in job.json; `stop` is when it was asked to stop."""

    train: TrainJob
    made: float
    began: float | None = None
    process: Process | None = None
    stop: float | None = None

    @classmethod
    def read(cls, folder: Path) -> "_Written | None":
        """Read it; None for a folder that holds no job."""
        try:
            found = json.loads((folder / "job.json").read_text("utf-8"))
            process = found["process"] and Process(**found["process"])
            return cls(TrainJob.of(found["train"]), found["made"], found["began"], process, found["stop"])
        except (OSError, ValueError, KeyError, TypeError, PeepholeError):
            return None

    def write(self, folder: Path) -> None:
        write_atomic(folder / "job.json", json.dumps(asdict(self)))


class Jobs:
    """The trainings of one working folder `work`, kept in the folder `state`, at most `kept` of them; raises OutputError where it cannot be written.

    Several may look after the same folder, also in other processes: a lock lets one at a time decide what starts.
    """

    def __init__(self, state: Path, work: Path, *, kept: int = KEPT, patience: float = PATIENCE) -> None:
        self.state, self.work, self.kept, self.patience = state, work.resolve(), kept, patience
        try:
            state.mkdir(parents=True, exist_ok=True)
            (state / "lock").touch()
        except OSError as error:
            raise OutputError(f"{state} cannot be written: {error.strerror or error}", "choose a folder that you can write to") from error
        self._over = dict[str, Job]()  # nothing changes in one that has ended
        self._tending: threading.Thread | None = None
        self._closed = threading.Event()
        self._guard = threading.Lock()
        self._tend()

    def start(self, train: TrainJob) -> Job:
        """Put a training in the queue and start it if none runs; raises InputError for photos outside the working folder or a name that is taken."""
        photos_in(self.work, train.data)
        if (self.work / train.output).exists() and not train.replace:
            raise InputError(f"there is a {train.output} already", "choose another name, or allow it to be replaced")
        with alone(self.state / "lock"):
            pending = [job for job in self._jobs() if not job.ended]
            if any(job.train.output == train.output for job in pending):
                raise InputError(f"another training that has not ended writes {train.output}", "choose another name, or stop the other one")
            if len(pending) > WAITING:
                raise InputError(f"{WAITING} trainings wait already", "wait for one of them, or stop one")
            number = max((int(folder.name[:6]) for folder in self._folders()), default=0) + 1
            folder = self.state / f"{number:06d}-{secrets.token_hex(4)}"
            folder.mkdir()
            _Written(train, time.time()).write(folder)
            self._forget()
        self._advance()
        self._tend()
        return self.get(folder.name)

    def list(self) -> tuple[Job, ...]:
        """Return all jobs, the newest first."""
        return tuple(reversed(self._jobs()))

    def get(self, id: str) -> Job:
        """Return a job; raises MissingInput for an id that is none."""
        self._folder(id)
        found = next((job for job in self._jobs() if job.id == id), None)
        if found is None:
            raise MissingInput(f"there is no training {id}", "choose one from the list")
        return found

    def stop(self, id: str) -> Job:
        """Ask a training to end: it keeps a checkpoint; after `patience` seconds it is ended by force. One that waits is taken off the queue."""
        folder = self._folder(id)
        with alone(self.state / "lock"):
            written = _Written.read(folder)
            if written is None:
                raise MissingInput(f"there is no training {id}", "choose one from the list")
            if written.stop is None and not self._job(folder, written).ended:
                replace(written, stop=time.time()).write(folder)
                if written.process:
                    signalled(written.process, signal.SIGTERM)
        self._tend()
        return self.get(id)

    async def events(self, id: str, after: int = 0) -> AsyncIterator[tuple[int, str]]:
        """Yield (number, line) of what the training writes, from line `after` + 1 on, as it comes; ends when the job has ended, or this is closed.

        Half a line that a killed process left is not told. Raises MissingInput for an id that is none.
        """
        folder, number, at = self._folder(id), 0, 0
        self.get(id)
        while True:
            ended = (job := self._found(folder)) is None or job.ended
            lines, at = _lines(folder / "events.jsonl", at)
            for line in lines:
                number += 1
                if number > after:
                    yield number, line
            if (ended and not lines) or self._closed.is_set():
                return
            if not lines:
                await asyncio.sleep(EVERY)

    def output(self, id: str, most: int = 20_000) -> str:
        """Return the end of what the training said on its terminal, at most so many bytes."""
        try:
            with (self._folder(id) / "output.txt").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - most))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def close(self) -> None:
        """Look after nothing any more; what runs goes on running."""
        self._closed.set()
        if self._tending:
            self._tending.join()

    def _folder(self, id: str) -> Path:
        """Return the folder of an id; nothing but an id that this class gave leads anywhere."""
        if not isinstance(id, str) or not ID.fullmatch(id):
            raise MissingInput(f"{id!r:.40} is no training", "choose one from the list")
        return self.state / id

    def _folders(self) -> tuple[Path, ...]:
        return tuple(sorted(path for path in self.state.iterdir() if ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink()))

    def _jobs(self) -> tuple[Job, ...]:
        """Return all jobs in the order of the queue."""
        found = [job for folder in self._folders() if (job := self._found(folder))]
        places = {job.id: at for at, job in enumerate((job for job in found if job.state == "waiting"), 1)}
        return tuple(replace(job, place=places.get(job.id)) for job in found)

    def _found(self, folder: Path) -> Job | None:
        """Return the job of a folder; None where there is none."""
        if folder.name in self._over:
            return self._over[folder.name]
        written = _Written.read(folder)
        job = self._job(folder, written) if written else None
        if job and job.ended:
            self._over[folder.name] = job
        return job

    def _job(self, folder: Path, written: _Written) -> Job:
        """Say how a job is: whether its process holds its lock, and what it wrote last."""
        job = Job(folder.name, "waiting", written.train, written.made, written.began)
        if is_held(folder / "lock"):  # also one whose server was killed before it could write the number down
            return replace(job, state="stopping" if written.stop else "running", began=written.began or _age(folder / "lock"))
        if written.began is None and not (folder / "events.jsonl").exists():
            return replace(job, state="stopped") if written.stop else job
        last = _last(folder / "events.jsonl")
        if last.get("event") == "done":
            return replace(job, state="done", model=Path(str(last.get("model"))).name)
        if last.get("event") == "failed":
            what, hint = str(last.get("what")), str(last.get("hint"))
            return replace(job, state="stopped" if written.stop else "failed", what=what, hint=hint)
        return replace(job, state="stopped" if written.stop else "vanished", what=GONE, hint=AGAIN)

    def _advance(self) -> None:
        """Start what waits if nothing runs, and end by force what was asked to stop long ago."""
        bury()
        with alone(self.state / "lock"):
            jobs = self._jobs()
            for job in jobs:
                written = _Written.read(self.state / job.id)
                if job.state == "stopping" and written and written.process and time.time() - (written.stop or 0) > self.patience:
                    signalled(written.process, signal.SIGKILL)
            if any(job.state in ("running", "stopping") for job in jobs):
                return
            for job in jobs:
                if job.state == "waiting" and self._begin(self.state / job.id, job):
                    return

    def _begin(self, folder: Path, job: Job) -> bool:
        """Start a job's process; write down why where that cannot be."""
        events, written = folder / "events.jsonl", _Written(job.train, job.made, time.time())
        # What its own libraries would ask a terminal for is left out.
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "160"}
        try:
            words = command(job.train, self.work, events)
            process = spawn(words, lock=folder / "lock", output=folder / "output.txt", folder=self.work, environment=environment)
        except (PeepholeError, OSError) as error:
            what, hint = (error.what, error.hint) if isinstance(error, PeepholeError) else (f"the training cannot be started: {error}", "try again")
            with suppress(OSError):
                events.write_text(json.dumps({"event": "failed", "at": 0, "what": what, "hint": hint}) + "\n", "utf-8")
            written.write(folder)
            return False
        replace(written, process=process).write(folder)
        return True

    def _forget(self) -> None:
        """Remove the oldest jobs that have ended, so that so many are left."""
        jobs = self._jobs()
        for job in [job for job in jobs if job.ended][: max(0, len(jobs) - self.kept)]:
            shutil.rmtree(self.state / job.id, ignore_errors=True)
            self._over.pop(job.id, None)

    def _tend(self) -> None:
        """Look after what has not ended, on a thread of its own, until all has."""
        with self._guard:
            if self._tending and self._tending.is_alive():
                return
            if not self._closed.is_set() and any(not job.ended for job in self._jobs()):
                self._tending = threading.Thread(target=self._watch, name="trainings", daemon=True)
                self._tending.start()

    def _watch(self) -> None:
        while not self._closed.wait(EVERY):
            with suppress(OSError, PeepholeError), self._guard:  # a full disk may have room again
                self._advance()
                if all(job.ended for job in self._jobs()):
                    self._tending = None
                    return


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _lines(path: Path, at: int) -> tuple[Sequence[str], int]:
    """Return the whole lines of a file behind byte `at`, at most some megabytes of them, and where they end."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            found = file.read(TAIL)
    except OSError:
        return [], at
    whole = found[: found.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").split("\n")[:-1], at + len(whole)


def _last(path: Path) -> dict[str, Any]:
    """Return the last whole line of a file of events; an empty one where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            found = file.read()
        line = found[: found.rfind(b"\n") + 1].rstrip(b"\n").rpartition(b"\n")[2]
        event = json.loads(line)
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}
