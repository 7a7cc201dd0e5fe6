"""Which label, stranger and split a file belongs to, by the folders it stands in; reads names, never contents."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "Place", "is_litter", "is_unknown", "label_of", "name_fault", "place", "printable", "split_folders", "walk"]

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
UNKNOWN = ("unknown", "none")
# What Windows, macOS and Synology leave behind in folders of photos.
LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "icon\r")
# Marks that turn the reading direction let a label pass for another one.
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Entry:
    """One file found: its path, the names from the root down to it, its size in bytes, and why it is refused ("" if it is not)."""

    path: str
    parts: tuple[str, ...]
    bytes: int
    reason: str


@dataclass(frozen=True)
class Place:
    """Where a file belongs: label ("unknown" for strangers), stranger ("" for labels), split ("" if none is named), or the reason against it."""

    label: str = ""
    stranger: str = ""
    split: str = ""
    reason: str = ""


def is_litter(name: str) -> bool:
    """Tell what an operating system or editor leaves behind: hidden files, Thumbs.db, __MACOSX, ._copies."""
    return name.startswith(".") or name.casefold() in LITTER


def is_unknown(name: str) -> bool:
    """Tell whether a folder is the reserved label of strangers: `unknown` or `none`."""
    return name.casefold() in UNKNOWN


def printable(name: str) -> str:
    """Return a name that can be shown and written as UTF-8 anywhere."""
    return "".join(c if c.isprintable() and c not in TURNING else c.encode("unicode_escape", "backslashreplace").decode() for c in name)


def name_fault(name: str) -> str:
    """Return why a file or folder name is refused, or an empty string."""
    kinds = {unicodedata.category(c) for c in name}
    if "Cs" in kinds:
        return "its name is not valid text"
    if "Cc" in kinds or TURNING & set(name):
        return "its name holds a control character"
    return ""


def label_of(folder: str) -> str:
    """Return the label a folder stands for: any Unicode, composed (NFC), so that macOS and Linux name it alike."""
    return unicodedata.normalize("NFC", folder)


def walk(root: Path, litter: list[str]) -> Iterator[Entry]:
    """Yield every file below a folder in the order of names; hidden and system files go to `litter`, links to folders are not followed."""
    real = os.path.realpath(root)
    stack: list[tuple[str, tuple[str, ...]]] = [(str(root), ())]
    while stack:
        folder, parts = stack.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Entry(folder, parts, 0, f"the folder cannot be read: {error.strerror or error}")
            continue
        below = []
        for entry in entries:
            if is_litter(entry.name):
                litter.append("/".join((*parts, entry.name)))
            elif entry.is_dir(follow_symlinks=False):
                below.append((entry.path, (*parts, entry.name)))
            else:
                yield _entry(entry, (*parts, entry.name), real)
        stack.extend(reversed(below))


def _entry(entry: "os.DirEntry[str]", parts: tuple[str, ...], real: str) -> Entry:
    """Judge one directory entry that is not a folder."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not target.startswith(real + os.sep):
            return Entry(entry.path, parts, 0, "a link that leads out of the folder is not followed; copy the photo here")
        if not Path(target).is_file():
            return Entry(entry.path, parts, 0, "a link to a folder or to nothing is not followed")
    try:
        status = entry.stat()
    except OSError as error:
        return Entry(entry.path, parts, 0, f"cannot be read: {error.strerror or error}")
    regular = stat.S_ISREG(status.st_mode)
    return Entry(entry.path, parts, status.st_size, "" if regular else "not a regular file")


def split_folders(root: Path) -> dict[str, str]:
    """Return {folder name: "train" | "val" | "test"} if the root's folders name splits, else {}.

    They do when every folder is a split or strangers and one of the splits has folders inside, or when `train` and
    another split both have folders inside, whatever stands beside them. A folder `train` of photos is a label.
    """
    with os.scandir(root) as found:
        folders = [entry for entry in found if entry.is_dir(follow_symlinks=False) and not is_litter(entry.name)]
    splits = {entry.name: SPLITS[entry.name.casefold()] for entry in folders if entry.name.casefold() in SPLITS}
    nested = {kind for name, kind in splits.items() if _has_folders(root / name)}
    others = [entry.name for entry in folders if entry.name not in splits and not is_unknown(entry.name)]
    return splits if (nested and not others) or ("train" in nested and len(nested) > 1) else {}


def _has_folders(folder: Path) -> bool:
    try:
        with os.scandir(folder) as found:
            return any(entry.is_dir(follow_symlinks=False) and not is_litter(entry.name) for entry in found)
    except OSError:
        return False


def place(parts: tuple[str, ...], splits: dict[str, str], each_file_a_stranger: bool) -> Place:
    """Return where a file belongs; `parts` are the names from the root down to it."""
    fault = next((fault for fault in map(name_fault, parts) if fault), "")
    if fault:
        return Place(reason=fault)
    split = splits.get(parts[0], "")
    inner = parts[1:] if split else parts
    if len(inner) < 2:
        where = f"in {parts[0]}/ but " if split else ""
        return Place(reason=f"stands {where}in no label's folder")
    if splits and not split and not is_unknown(inner[0]):
        return Place(reason=f"{inner[0]}/ stands beside {' and '.join(sorted(splits))} and belongs to no split")
    if not is_unknown(inner[0]):
        return Place(label_of(inner[0]), "", split)
    if len(inner) > 2:
        return Place("unknown", label_of(inner[1]), split)
    return Place("unknown", "/".join(parts) if each_file_a_stranger else "(loose files)", split)
