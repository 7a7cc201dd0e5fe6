"""Recorded visits: a table `time,file[,visit[,truth]]` beside its pictures, or a folder with one sub-folder per visit."""

import csv
import math
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from peephole.base.errors import MissingInput, SensorError, did_you_mean

__all__ = ["Recording", "Shot", "read_recording"]

COLUMNS = ("time", "file", "visit", "truth")
SHAPE = "give a folder with one sub-folder per visit, or a table time,file,visit,truth"
SHOWN = 5
OLDEST = 1e8  # seconds since 1970: smaller ones count from the start of the recording
MAX_ROWS = 1_000_000
MAX_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Shot:
    """One picture of a recording: `time` orders and spaces the frames, `wall` is seconds since 1970 (small: not known)."""

    time: float
    wall: float
    path: Path
    name: str
    visit: str | None
    truth: str | None


@dataclass(frozen=True)
class Recording:
    """All pictures in order; `dated` is False when their times are no dates, so that no hours can be judged by them."""

    shots: tuple[Shot, ...]
    dated: bool


def read_recording(path: Path, *, step: float | None = None, apart: float | None = None, start: str | None = None) -> Recording:
    """Read a recording; for folders, frames are `step` (0.2) seconds apart and visits `apart` (60), from the date and time `start`.

    Raises MissingInput, or SensorError that names the first bad rows of a table.
    """
    began = 0.0 if start is None else _moment(start)
    if math.isnan(began):
        raise SensorError(f"'{str(start)[:40]}' is not a date and time", "write for example ?start=2026-11-02T08:00")
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            shots = list(_from_folder(path, 0.2 if step is None else step, 60.0 if apart is None else apart, began))
        elif not (step is None and apart is None and start is None):
            raise SensorError("a table brings its own times, so step, apart and start mean nothing", "remove them")
        elif not stat.S_ISREG(kind):
            raise SensorError(f"{path} is neither a folder nor a table", SHAPE)
        else:
            shots = _from_table(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInput(f"there is no recording {path}", SHAPE) from error
    except SensorError:
        raise
    except (OSError, ValueError) as error:
        raise SensorError(f"{str(path)[:200]} cannot be read: {getattr(error, 'strerror', None) or error}", SHAPE) from error
    if not shots:
        raise SensorError(f"{path} holds no picture", SHAPE)
    return Recording(tuple(shots), shots[0].wall >= OLDEST)


def _from_folder(root: Path, step: float, apart: float, wall: float) -> Iterator[Shot]:
    """Each sub-folder is a visit; pictures in `root` itself are one more."""
    time = 0.0
    for folder in (root, *sorted((entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")), key=_natural)):
        files = sorted((entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")), key=_natural)
        for number, file in enumerate(files):
            at = time + number * step
            yield Shot(at, wall + at, file, str(file.relative_to(root)), folder.name, None)
        time += len(files) * step + (apart if files else 0)


def _natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Order names as people do: 2 before 10."""
    parts = re.split(r"([0-9]+)", path.name)
    return tuple((0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part)


def _from_table(path: Path) -> list[Shot]:
    if path.stat().st_size > MAX_BYTES:
        raise SensorError(f"{path} is larger than {MAX_BYTES >> 20} MB", "replay it in parts")
    shots: list[Shot] = []
    problems: list[str] = []
    ended: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            columns = _header(path, next(rows, []))
            for row in rows:
                if not row:
                    continue
                shot = _row(path.parent, dict(zip(columns, row, strict=False)), len(row) - len(columns))
                if isinstance(shot, Shot) and shots and shot.visit != shots[-1].visit:
                    ended.add(shots[-1].visit or "")
                    shot = f"visit '{shot.visit}' goes on after another one" if shot.visit in ended and shot.visit else shot
                if isinstance(shot, Shot):
                    shots.append(shot)
                else:
                    problems.append(f"line {rows.line_num}: {shot}")
                if len(problems) >= SHOWN or len(shots) > MAX_ROWS:
                    break
    except SensorError:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SensorError(f"{path} cannot be read as a table: {str(error)[:100]}", "save it as CSV, UTF-8, with the columns time,file") from error
    if problems or len(shots) > MAX_ROWS:
        raise SensorError(f"{path}: {'; '.join(problems) or 'more than a million rows'}", "correct these lines; nothing was replayed")
    return shots


def _header(path: Path, row: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in row]
    for name in columns:
        if name not in COLUMNS:
            raise SensorError(
                f"{path}: '{name[:40]}' is not a column{did_you_mean(name, COLUMNS)}", f"the first line is time,file or {','.join(COLUMNS)}"
            )
    if len(set(columns)) < len(columns) or not {"time", "file"} <= set(columns):
        raise SensorError(f"{path} needs each of the columns time and file once", f"the first line is time,file or {','.join(COLUMNS)}")
    return columns


def _row(folder: Path, row: dict[str, str], surplus: int) -> Shot | str:
    """Read one row into a shot, or say what is wrong with it."""
    if surplus:
        return f"{abs(surplus)} {'fields too many' if surplus > 0 else 'fields missing'}"
    time = _moment(row["time"])
    if math.isnan(time):
        return f"'{row['time'][:30]}' is not a time (seconds, or 2026-11-02T08:00:00.2)"
    name = row["file"].strip()
    inside = Path(name)
    if not name or "\0" in name or inside.is_absolute() or ".." in inside.parts:
        return f"'{name[:40]}' is not a file beside the table"
    visit, truth = (unicodedata.normalize("NFC", row.get(column, "").strip()) or None for column in ("visit", "truth"))
    if len(visit or "") > 200 or len(truth or "") > 200:
        return "a name is longer than 200 letters"
    return Shot(time, time, folder / inside, name, visit, truth)


def _moment(text: str) -> float:
    """Read seconds or an ISO date and time (local unless it names its zone) into seconds; NaN when it is neither."""
    text = text.strip()
    try:
        value = float(text) if re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", text, re.ASCII) else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return math.nan
    return value
