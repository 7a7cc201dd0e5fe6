"""Another model for a door: promoted, rolled back or left alone, and a power cut at any moment leaves the old one or the new one.

The file itself is exchanged, so that `door.onnx` is always what the gate runs; the last good one stands beside it as `door.last.onnx`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from peephole.base.disk import DISK, Disk
from peephole.base.errors import InputError, ModelFileError, OutputError, PeepholeError
from peephole.base.files import write_atomic
from peephole.decide.gallery import Acquainted
from peephole.gateway.complaint import Complaint
from peephole.gateway.door import Door, last_good, undone
from peephole.gateway.selftest import Fit, examine
from peephole.gateway.watch import Witness

__all__ = ["Chosen", "Files", "Swapped", "choose", "exchange", "promote", "rollback"]

SIGNATURE = 64  # bytes
Write = Callable[[Path, bytes, Disk], object]


@dataclass(frozen=True)
class Files:
    """The bytes of a model file, of its signature and of the gallery of people who were enrolled with it; b"" where there is none."""

    data: bytes
    signature: bytes = b""
    gallery: bytes = b""


@dataclass(frozen=True, eq=False)
class Swapped:
    """What became of an exchange: the model that is live now, and `kept`, a sentence about the one before it."""

    live: Fit
    kept: str


@dataclass(frozen=True, eq=False)
class Chosen:
    """The model that the gate runs: `door` names it; `complaint` is why it is not the one that DOOR.toml names."""

    door: Door
    fit: Fit
    complaint: ModelFileError | None

    @property
    def complaints(self) -> tuple[Witness, ...]:
        """Who says so in the journal, as a fault, as soon as the watch has begun."""
        return () if self.complaint is None else (Complaint("model", self.complaint),)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the journal's start says of the model: which bytes they are, and who signed them."""
        return (f"the model is {self.fit.named}", *(what for name, what in self.fit.passed if name == "signature"))


def exchange(
    live: Path, new: Files, keep_at: Path, keep: Files | None, *, gallery: Path | None = None, disk: Disk = DISK, write: Write = write_atomic
) -> None:
    """Keep what is to be kept, then put the new model in the live one's place; raises OutputError.

    `gallery` is where the live model's people stand, beside it unless [gallery] path says otherwise; those of a kept model stand beside it.
    Whenever the power goes, `live` is the old model or the new one, whole, with a signature that fits it; once this returns, the new one.
    """
    if keep is not None:
        _place(keep_at, keep, _beside(keep_at), disk, write)
    _place(live, new, gallery or _beside(live), disk, write)
    if _read(live, disk) != new.data:
        raise OutputError(f"{live} did not keep what was written to it", "check the disk; the gate runs the last good model meanwhile")


def _place(path: Path, new: Files, gallery: Path, disk: Disk, write: Write) -> None:
    """Write a signature file that fits the new bytes and the old ones, then the model, then the new signature alone.

    The gallery goes before the model goes and comes after it came: people of one model mean nothing to another, and to know fewer is safe.
    """
    sig = _sig(path)
    if new.signature:
        write(sig, new.signature + _read(sig, disk)[:SIGNATURE], disk)
    if _read(gallery, disk) not in (b"", new.gallery):
        _remove(gallery, disk)
    write(path, new.data, disk)
    if new.gallery:
        write(gallery, new.gallery, disk)
        with suppress(OSError):  # a fake disk has no permissions
            gallery.chmod(0o600)
    if new.signature:
        write(sig, new.signature, disk)
    elif _read(sig, disk):
        _remove(sig, disk)  # it belonged to the model that is gone


def _sig(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def _beside(path: Path) -> Path:
    return path.with_suffix(".gallery")


def promote(door: Door, candidate: Path, disk: Disk = DISK) -> Swapped:
    """Test a candidate and, when it is fit, make it the live model; the one before it is kept when it was fit itself.

    Raises the PeepholeError of the test that it fails, or OutputError; then the live model is what it was.
    """
    fit = examine(door, candidate)
    try:
        live: Fit | None = examine(door, door.model)
    except PeepholeError as error:
        live, kept = None, f"the model before it was not fit to be kept: {error.what}"
    if live is not None:
        if live.predictor.model.data == fit.predictor.model.data:
            raise InputError(f"{candidate} is the live model already ({fit.named})", "nothing was changed; promote another one")
        kept = f"{live.named} is kept as {last_good(door.model).name}"
    lost = _met_by(live) - _met_by(fit)
    if lost:
        kept += f"; {', '.join(sorted(lost))} stood in the gallery of the model before it alone and must be enrolled again"
    keep = _files(door, live, disk) if live else None
    exchange(door.model, _files(door, fit, disk), last_good(door.model), keep, gallery=door.gallery, disk=disk)
    return Swapped(examine(door, door.model), kept)


def _met_by(fit: Fit | None) -> set[str]:
    """Return whose photos stand in a model's gallery."""
    return set(fit.predictor.gallery.who) if fit is not None and isinstance(fit.predictor, Acquainted) else set()


def rollback(door: Door, disk: Disk = DISK) -> Swapped:
    """Make the last good model live again; the one rolled back is kept beside it. Raises InputError when there is none, or as promote."""
    kept_at = last_good(door.model)
    if not kept_at.exists():
        raise InputError(f"there is no last good model {kept_at}", f"one is kept by: peephole gate promote {door.path} NEW.onnx")
    fit = examine(door, kept_at)
    bad = Files(_read(door.model, disk), _read(_sig(door.model), disk)[:SIGNATURE], _read(door.gallery, disk))
    if bad.data == fit.predictor.model.data:
        raise InputError(f"{door.model} is the last good model already ({fit.named})", "nothing was changed")
    exchange(door.model, _files(door, fit, disk), undone(door.model), bad if bad.data else None, gallery=door.gallery, disk=disk)
    kept = f"the model before it is kept as {undone(door.model).name}" if bad.data else "there was no model before it"
    return Swapped(examine(door, door.model), kept)


def _files(door: Door, fit: Fit, disk: Disk) -> Files:
    # Without a key a signature is not looked at, but it goes with its file all the same: a key may be set later.
    return Files(fit.predictor.model.data, fit.signature or _read(_sig(fit.path), disk)[:SIGNATURE], _read(door.gallery_of(fit.path), disk))


def choose(door: Door) -> Chosen:
    """Return the live model when it is fit, else the last good one with a complaint; raises the live one's PeepholeError when neither is."""
    try:
        return Chosen(door, examine(door, door.model), None)
    except PeepholeError as error:
        kept, wrong = last_good(door.model), error
    if not kept.exists():
        raise wrong
    try:
        fit = examine(door, kept)
    except PeepholeError as error:
        raise type(wrong)(f"{wrong.what}; nor is the last good model fit: {error.what}", wrong.hint) from error
    told = f"{wrong.what}; so the last good model, {fit.named}, runs in its place"
    return Chosen(
        door.with_model(str(Path(door.settings.gate.model).with_name(kept.name))),
        fit,
        ModelFileError(told, f"peephole gate rollback {door.path}, or promote a model that is fit; {wrong.hint}"),
    )


def _read(path: Path, disk: Disk) -> bytes:
    """Return a file's bytes, none where it is not there."""
    try:
        return disk.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}", "check the disk and the permissions") from error


def _remove(path: Path, disk: Disk) -> None:
    try:
        disk.remove(path)
        disk.sync(path.parent)
    except OSError as error:
        raise OutputError(f"{path} cannot be taken away: {error.strerror or error}", "check the disk and the permissions") from error
