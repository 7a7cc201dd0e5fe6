"""The working folder as the page sees it: its model files, its folders of photos, its gates; nothing outside it has a name here."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from peephole.base.errors import InputError, MissingInput
from peephole.data.layout import is_unknown

__all__ = ["Found", "Workshop", "is_name"]

MOST = 500  # entries of a kind that are listed
DEEP = 3  # folders below the working folder in which is looked
SHIPPED = "shipped/"
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Found:
    """Something in the working folder: its id (the path below the folder, or shipped/NAME) and its size in bytes."""

    id: str
    bytes: int


class Workshop:
    """A working folder; `shipped` are the models that come with the package, by name."""

    def __init__(self, folder: Path, shipped: dict[str, Path]) -> None:
        """Take a folder that is there; raises MissingInput."""
        if not folder.is_dir():
            raise MissingInput(f"there is no folder {folder}", "make it, or give another: peephole studio FOLDER")
        self.folder = folder.resolve()
        self.shipped = shipped

    def models(self) -> tuple[Found, ...]:
        """Return the model files of the folder, by name."""
        return self._files((".onnx",))

    def gates(self) -> tuple[Found, ...]:
        """Return the files that may be settings of a gate."""
        return tuple(each for each in self._files((".toml",)) if self._speaks_of_a_gate(each.id))

    def photo_folders(self) -> tuple[Found, ...]:
        """Return the folders that hold sub-folders of photos, with how many photos they have at least."""
        found = []
        for folder in self._folders():
            if is_unknown(folder.name):
                continue  # its sub-folders are strangers, not labels
            counts = [self._photos(each) for each in self._inside(folder) if each.is_dir()]
            if sum(count > 0 for count in counts) >= 1:
                found.append(Found(folder.relative_to(self.folder).as_posix(), sum(counts)))
        return tuple(found[:MOST])

    def model(self, name: str) -> Path:
        """Return the path of a model by its id; raises MissingInput, and InputError for an id that leads out of the folder."""
        if name.startswith(SHIPPED):
            found = self.shipped.get(name.removeprefix(SHIPPED))
            if found is None:
                raise MissingInput(f"no model called {name} is shipped", "choose one from the list")
            return found
        path = self.place(name)
        if path.suffix != ".onnx" or not path.is_file():
            raise MissingInput(f"there is no model file {name}", "choose one from the list")
        return path

    def place(self, name: str) -> Path:
        """Return what an id names inside the folder; raises InputError for one that leads out of it."""
        path = (self.folder / name).resolve() if name and is_name(name) else None
        if path is None or not path.is_relative_to(self.folder) or any(part.startswith(".") for part in path.relative_to(self.folder).parts):
            raise InputError("that name leads out of the working folder", "choose one from the list")
        return path

    def _folders(self) -> list[Path]:
        """Return the folders down to DEEP levels, hidden ones and links left out."""
        found, level = [self.folder], [self.folder]
        for _ in range(DEEP):
            level = [each for folder in level for each in self._inside(folder) if each.is_dir()][:MOST]
            found += level
        return found[:MOST]

    def _inside(self, folder: Path) -> list[Path]:
        try:
            # A name that is no text could not be given back by the page.
            return sorted(each for each in folder.iterdir() if not each.name.startswith(".") and not each.is_symlink() and is_name(each.name))
        except OSError:
            return []

    def _files(self, endings: tuple[str, ...]) -> tuple[Found, ...]:
        files = (each for folder in self._folders() for each in self._inside(folder) if each.suffix in endings and each.is_file())
        sized = ((each, _size(each)) for each in islice(files, MOST))
        return tuple(Found(each.relative_to(self.folder).as_posix(), size) for each, size in sized if size is not None)

    def _photos(self, folder: Path) -> int:
        return sum(each.suffix.lower() in PHOTOS for each in self._inside(folder)[:MOST])

    def _speaks_of_a_gate(self, name: str) -> bool:
        try:
            with (self.folder / name).open("rb") as file:
                return b"[gate]" in file.read(100_000)
        except OSError:
            return False


def is_name(name: str) -> bool:
    """Whether a path can be written as UTF-8, in parts as long as file systems take them (255 bytes)."""
    try:
        return "\0" not in name and len(name) < 1000 and max(len(part.encode()) for part in name.split("/")) < 256
    except UnicodeEncodeError:
        return False


def _size(path: Path) -> int | None:
    """Return a file's size in bytes, None when it went away meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return None
