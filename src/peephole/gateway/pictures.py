"""Pictures of who was there, kept for some days and some megabytes: a witness that takes frames in passing and writes them from its own thread.

The journal's chain holds each picture's digest; the picture itself is a file that may go. A frame is never delayed: what the thread
cannot follow is dropped, counted and told.
"""

import hashlib
import logging
import math
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.errors import JournalError
from peephole.base.records import Decision, Prediction
from peephole.gateway.journal import Journal, Kept, Picture, Record, Remark
from peephole.gateway.policy import CLOCK_IS_SET, Ended
from peephole.gateway.rows import is_date
from peephole.gateway.sensors import Capture

__all__ = ["Album", "PictureKeeper", "digest_of", "jpeg"]

LOG = logging.getLogger("peephole.gate")
NAME = re.compile(r"(\d{10})-(\d{10})-([0-9a-f]{64})\.jpg")  # order, wall in seconds, SHA-256
LONGEST = 1280  # pixels
DAY = 86_400.0
WAITING = 64 * 2**20  # bytes of pixels that may wait for the thread
PATIENCE = 5.0  # seconds that closing waits for the thread
SWEEP = 60.0  # seconds between two looks for pictures that are too old
AT_FIRST = 10  # pictures of a visit; after them each pause is twice as long as the one before
PAUSE = 0.5


def digest_of(path: Path) -> str:
    """Return the digest that a picture's name holds, or an empty string."""
    match = NAME.fullmatch(path.name)
    return match[3] if match else ""


def jpeg(pixels: np.ndarray) -> bytes:
    """Return uint8 pixels (H, W, C), C = 1, 3 or 4, as a JPEG of at most 1280 pixels a side."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3])
    image.thumbnail((LONGEST, LONGEST))
    out = BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


class Album:
    """The folder of pictures: the oldest go when it holds more than `megabytes`, or when they are older than `days`."""

    def __init__(self, folder: Path, days: float, megabytes: float) -> None:
        self.folder = folder
        self._days, self._bytes = days, megabytes * 1e6
        self._files: deque[tuple[Path, int]] | None = None  # oldest first, with sizes; None: not looked yet
        self._held = 0

    def add(self, data: bytes, wall: float) -> str:
        """Put a picture on disk and return its SHA-256; raises OSError."""
        files = self._look()
        digest = hashlib.sha256(data).hexdigest()
        order = int(files[-1][0].name[:10]) + 1 if files else 1
        seconds = 0 if math.isnan(wall) else int(min(max(wall, 0.0), 9_999_999_999.0))
        path = self.folder / f"{order:010d}-{seconds:010d}-{digest}.jpg"
        self._write(path, data)
        files.append((path, len(data)))
        self._held += len(data)
        self._shrink(files)
        return digest

    def _write(self, path: Path, data: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # half a picture would look like one that was changed
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _look(self) -> deque[tuple[Path, int]]:
        if self._files is None:
            self._tidy()
            paths = sorted(path for path in self.folder.glob("*.jpg") if digest_of(path)) if self.folder.is_dir() else []
            self._files = deque((path, path.stat().st_size) for path in paths)
            self._held = sum(size for _, size in self._files)
        return self._files

    def _tidy(self) -> None:
        """Delete what a kill left half written."""
        for part in self.folder.glob("*.part") if self.folder.is_dir() else ():
            part.unlink(missing_ok=True)

    def _shrink(self, files: deque[tuple[Path, int]]) -> None:
        while files and self._held > self._bytes:
            self._drop(files)

    def _drop(self, files: deque[tuple[Path, int]]) -> None:
        path, size = files.popleft()
        self._held -= size
        path.unlink(missing_ok=True)

    def sweep(self, wall: float) -> None:
        """Delete what is too old, or too much; a picture of no date, or of one that is to come, is as old as the next that has one."""
        files = self._look()
        self._shrink(files)
        if not is_date(wall):
            return
        undated: list[tuple[Path, int]] = []
        for path, size in tuple(files):
            taken = int(path.name[11:21])
            if not CLOCK_IS_SET <= taken <= wall:
                undated.append((path, size))
                continue
            for gone in (*undated, (path, size)) if wall - taken > self._days * DAY else ():
                files.remove(gone)
                self._held -= gone[1]
                gone[0].unlink(missing_ok=True)
            undated = []

    def remove(self, digests: Iterable[str]) -> int:
        """Delete pictures; returns how many were there."""
        self._tidy()
        gone = set(digests)
        paths = [path for path in self.folder.glob("*.jpg") if digest_of(path) in gone] if self.folder.is_dir() else []
        for path in paths:
            path.unlink(missing_ok=True)
        self._files = None
        return len(paths)

    def find(self, digest: str) -> Path | None:
        """Return the file of a picture, None when it is gone."""
        return next(iter(sorted(self.folder.glob(f"*-{digest}.jpg"))), None)


@dataclass
class Pile:
    """What was kept of the visit that is going on; the next picture is due at `due` (monotonic seconds)."""

    visit: str
    count: int = 0
    due: float = -1e18
    pictures: list[Picture] = field(default_factory=list)
    dropped: int = 0


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame on its way to the thread."""

    visit: str
    wall: float
    pixels: np.ndarray
    label: str | None
    like: str | None


@dataclass(frozen=True)
class Over:
    """The end of a visit on its way to the thread, with the count of its frames that never got there."""

    visit: str
    time: float
    wall: float
    dropped: int


class PictureKeeper:
    """Keeps pictures of judged frames: the first ten of a visit, then ever fewer, and each that a decision was made on."""

    name = "keeper of pictures"

    def __init__(self, album: Album, journal: Journal, encode: Callable[[np.ndarray], bytes] = jpeg, waiting: int = WAITING) -> None:
        self._album, self._journal, self._encode, self._waiting = album, journal, encode, waiting
        self._queue: deque[Shot | Over] = deque()
        self._bytes = 0
        self._pile = Pile("")  # as the watch sees it: count and due
        self._decided = self._closed = False
        self._now = (0.0, 0.0)
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="pictures", daemon=True)

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Take a frame, without touching it; what waits too long already is dropped."""
        if visit != self._pile.visit:
            self._end(capture.time, capture.wall)
            self._pile = Pile(visit)
        decided, self._decided = self._decided, False
        if prediction is None or capture.frame is None or not visit or not (decided or capture.time >= self._pile.due):
            return
        pile, pixels = self._pile, capture.frame.pixels
        pile.count += 1
        pile.due = -1e18 if pile.count < AT_FIRST else capture.time + PAUSE * 2 ** min(pile.count - AT_FIRST, 16)
        with self._more:
            if self._closed or self._bytes + pixels.nbytes > self._waiting:
                pile.dropped += 1
                return
            like = prediction.best if prediction.ranking else None
            self._queue.append(Shot(visit, capture.wall, pixels, prediction.label if prediction.accepted else None, like))
            self._bytes += pixels.nbytes
            self._more.notify()

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Note that a decision was made on the frame that comes next, and the end of a visit."""
        self._now = (time, wall)
        if self._thread.ident is None:
            self._thread.start()
        if isinstance(record, Decision):
            self._decided = True
        elif isinstance(record, Ended) and record.visit.id == self._pile.visit:
            self._end(time, wall)

    def passed(self, time: float, wall: float) -> None:
        """Remember what time it is."""
        self._now = (time, wall)

    def close(self) -> None:
        """End the visit and wait a little for the thread; what it cannot finish then is lost, never the door."""
        self._end(*self._now)
        with self._more:
            self._closed = True
            self._more.notify()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _end(self, time: float, wall: float) -> None:
        pile, self._pile = self._pile, Pile("")
        if pile.count:
            with self._more:
                self._queue.append(Over(pile.visit, time, wall, pile.dropped))
                self._more.notify()

    def _work(self) -> None:
        """The thread: encode, write, and tell the journal of each visit's pictures; whatever fails is told once and tried again."""
        pile, failing = Pile(""), ""
        while True:
            with self._more:
                if not self._queue and not self._closed:
                    self._more.wait(SWEEP)
                if not self._queue and self._closed:
                    return
                item = self._queue.popleft() if self._queue else None
                self._bytes -= item.pixels.nbytes if isinstance(item, Shot) else 0
            try:
                if isinstance(item, Shot):
                    pile = pile if pile.visit == item.visit else Pile(item.visit)
                    pile.pictures.append(Picture(self._album.add(self._encode(item.pixels), item.wall), item.wall, item.label, item.like))
                else:
                    self._album.sweep(self._now[1])
                    if isinstance(item, Over):
                        self._tell(pile if pile.visit == item.visit else Pile(item.visit), item)
                        pile = Pile("")
                failing = ""
            except Exception as error:  # a full disk, an odd frame: pictures are lost, the watch goes on
                pile.dropped += isinstance(item, Shot)
                failing = self._complain(error, failing)

    def _tell(self, pile: Pile, over: Over) -> None:
        """Write the row that binds a visit's pictures to the chain; pictures without one are not kept."""
        try:
            self._journal.write(Kept(pile.visit, tuple(pile.pictures), pile.dropped + over.dropped), over.time, over.wall)
        except JournalError:
            self._album.remove(picture.digest for picture in pile.pictures)
            raise

    def _complain(self, error: Exception, before: str) -> str:
        """Write a fault into the journal, each outage once."""
        what = getattr(error, "strerror", None) or getattr(error, "what", None) or f"{type(error).__name__}: {error}"
        if what != before:
            LOG.error("pictures are not kept: %s", what)
            try:
                self._journal.write(Remark("fault", self.name, f"pictures are not kept: {what}"[:2000]), *self._now)
            except JournalError as also:
                LOG.error("%s", also.what)
        return str(what)
