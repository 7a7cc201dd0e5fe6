"""Answers -> a photo folder that `peephole train` takes, and a recording of the visits with who it was."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path, PurePosixPath

from peephole.base.errors import InputError, OutputError, PhotoError
from peephole.base.files import write_atomic
from peephole.data.layout import is_unknown, label_of, split_folders, walk
from peephole.gateway.answers import Answer, Kept
from peephole.gateway.gathering import Gathered, Seen, read_picture
from peephole.gateway.oneline import one_line
from peephole.gateway.rows import is_date

__all__ = ["Exported", "Published", "answers_beside", "export_recording", "labels_in", "mistaken", "publish", "require_folder", "truths"]

LONGEST = 80  # letters of a visit in a file's name
APART = 60.0  # seconds between visits by a clock that was never set


@dataclass(frozen=True)
class Published:
    """What became of the folder: `kept` as it is now, pictures `written`, `removed`, there `already`; `refused` by reason.

    `problem` is what ended it before all was done.
    """

    kept: Kept
    written: int
    removed: int
    already: int
    refused: Counter[str]
    problem: OutputError | None = None


@dataclass(frozen=True)
class Exported:
    """What a recording holds: visits, those with a truth, those whose pictures were of several (`mixed`), those left out for want of a date."""

    visits: int
    known: int
    mixed: int
    undated: int


def answers_beside(folder: Path) -> Path:
    """Return where the answers for a photo folder are kept."""
    return folder.with_name(f"{folder.name}.answers.json")


def require_folder(folder: Path) -> None:
    """Raise InputError when photos of labels cannot be put into `folder`."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder", "choose another one: -o FOLDER")
    if folder.is_dir() and split_folders(folder):
        raise InputError(
            f"{folder} is divided into train/, val/ or test/, and a door's pictures belong to none of them yet", "choose another: -o FOLDER"
        )


def labels_in(folder: Path) -> tuple[str, ...]:
    """Return the labels that a photo folder has already."""
    places = {label_of(entry.parts[0]) for entry in walk(folder, []) if len(entry.parts) > 1} if folder.is_dir() else set()
    return tuple(sorted(place for place in places if not is_unknown(place)))


def publish(folder: Path, kept: Kept, gathered: Gathered) -> Published:
    """Bring a photo folder in line with the answers: what is missing is copied, each digest once; what no answer says any more goes.

    A picture that a person put into the folder, or moved there, stays where it is, unless it is of somebody who was erased.
    """
    filing = Filing(folder, kept.without(gathered.erased), gathered)
    problem = None
    try:
        filing.file()
    except OutputError as error:
        problem = error
    except OSError as error:
        problem = OutputError(f"{folder} cannot be written: {error.strerror or error}", "choose another place with -o FOLDER")
    counts = filing.counts
    return Published(replace(filing.kept, written=filing.written), counts["written"], counts["removed"], counts["already"], filing.refused, problem)


class Filing:
    """Goes through a photo folder once; `written` is true to the disk at every moment, also when it is full."""

    def __init__(self, folder: Path, kept: Kept, gathered: Gathered) -> None:
        self.kept = kept
        self.written = dict(kept.written)
        self.counts, self.refused = Counter[str](), Counter[str]()
        self._folder, self._gathered = folder, gathered
        self._there: dict[str, Path] = {}

    def file(self) -> None:
        """Remove what must go, then copy what is missing; raises OSError, OutputError among them."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # faces are nobody else's business
        self._look()
        self._remove()
        for digest, seen in {one.digest: one for one in reversed(self._gathered.seen)}.items():
            if digest in self.kept.answers and digest not in self.written:
                self._place(self.kept.answers[digest], seen)

    def _look(self) -> None:
        """Find the folder's files by their SHA-256, among those of the sizes that matter."""
        ours = (*(one.path for one in self._gathered.seen), *(self._folder / place for place in self.kept.written.values()))
        sizes = {path.stat().st_size for path in ours if path.is_file()}
        for entry in walk(self._folder, []):
            if not entry.reason and (entry.bytes in sizes or self._gathered.erased):
                self._there.setdefault(hashlib.sha256(Path(entry.path).read_bytes()).hexdigest(), Path(entry.path))

    def _remove(self) -> None:
        """Delete what was written for an answer that is no more, and whatever shows somebody who was erased."""
        erased = self._gathered.erased
        for digest in (*self.kept.written, *(erased - self.kept.written.keys())):
            place, answer, path = self.kept.written.get(digest, ""), self.kept.answers.get(digest), self._there.get(digest)
            mine = path is not None and path == self._folder / place
            if mine and answer is not None and answer.place == Path(place).parent:
                continue
            if path is not None and (mine or digest in erased):
                path.unlink()
                del self._there[digest]
                self.counts["removed"] += 1
            self.written.pop(digest, None)

    def _place(self, answer: Answer, seen: Seen) -> None:
        """Copy one picture to where its answer says, unless the folder has it."""
        if path := self._there.get(seen.digest):
            self.counts["already"] += 1
            if path.parent == self._folder / answer.place:  # written before a power cut, it counts as ours
                self.written[seen.digest] = path.relative_to(self._folder).as_posix()
            return
        try:
            data = read_picture(seen)
        except PhotoError as error:
            self.refused[error.what] += 1
            return
        path = write_atomic(_free(self._folder / answer.place, seen.visit), data)
        self.written[seen.digest] = path.relative_to(self._folder).as_posix()
        self.counts["written"] += 1


def _free(folder: Path, visit: str) -> Path:
    """Return a name for the next picture of a visit that nobody has in `folder`."""
    stem = re.sub(r"[^\w-]+", "_", visit)[:LONGEST].strip("_") or "visit"
    while len(stem.encode()) > 2 * LONGEST:
        stem = stem[:-1]
    taken = {path.name.casefold() for path in folder.glob("*")} if folder.is_dir() else set()
    number = next(number for number in range(1, len(taken) + 2) if f"{stem}-{number}.jpg".casefold() not in taken)
    return folder / f"{stem}-{number}.jpg"


def mistaken(seen: Iterable[Seen], answers: Mapping[str, Answer]) -> tuple[int, int]:
    """Return how many named pictures the gate had accepted as somebody, and how many of these were of somebody else."""
    accepted = {one.digest: one.label for one in seen if one.label is not None and one.digest in answers}
    return len(accepted), sum(answers[digest].label != label_of(label) for digest, label in accepted.items())


def truths(seen: Iterable[Seen], answers: Mapping[str, Answer]) -> dict[str, str]:
    """Return who came in each visit of which any picture was named; "" where its pictures were of several."""
    found: dict[str, set[str]] = {}
    for one in seen:
        if one.digest in answers:
            found.setdefault(one.visit, set()).add(answers[one.digest].truth)
    return {visit: next(iter(who)) if len(who) == 1 else "" for visit, who in found.items()}


def export_recording(folder: Path, gathered: Gathered, answers: Mapping[str, Answer]) -> Exported:
    """Write the visits as a recording: recording.csv with its pictures. Raises InputError unless the folder is new, OutputError.

    Visits by a clock that was never set are left out where others have a date; where none has, times count from the start of the recording.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already", "choose a new folder for the recording")
    visits: dict[str, list[Seen]] = {}
    for one in gathered.seen:
        visits.setdefault(one.visit, []).append(one)
    for shots in visits.values():
        shots.sort(key=lambda one: one.wall)
    dated = {visit: shots for visit, shots in visits.items() if all(is_date(one.wall) for one in shots)}
    ordered = sorted(dated.items(), key=lambda item: item[1][0].wall) if dated else list(visits.items())
    who = truths(gathered.seen, answers)
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["time", "file", "visit", "truth"])
    begun = 0.0
    for number, (visit, shots) in enumerate(ordered, 1):
        first = shots[0].wall
        for at, one in enumerate(shots):
            time = one.wall if dated else begun + (one.wall - first if one.wall >= first else 0.0)
            place = PurePosixPath("pictures", f"{number:05d}-{at + 1:03d}.jpg")
            try:
                write_atomic(folder / place, read_picture(one))
            except PhotoError:  # it went, or was changed, since
                continue
            table.writerow([f"{time:.3f}", place, f"{number:05d} {one_line(visit)}"[:150], who.get(visit, "")])
        begun += shots[-1].wall - first + APART if not dated and shots[-1].wall >= first else APART
    write_atomic(folder / "recording.csv", out.getvalue())
    told = [who[visit] for visit, _ in ordered if visit in who]
    return Exported(len(ordered), sum(bool(truth) for truth in told), sum(not truth for truth in told), len(visits) - len(ordered))
