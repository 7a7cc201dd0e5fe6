"""Folders of photos -> a listing in which every file is used or refused with its reason; reads headers, decodes nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from peephole.base.errors import DataError, MissingInput, PhotoError, did_you_mean
from peephole.base.evidence import counted
from peephole.data.decode import open_bytes, open_photo, read_header
from peephole.data.layout import Entry, Place, is_unknown, label_of, place, printable, split_folders, walk

__all__ = ["Listing", "Photo", "Refusal", "look", "open_bytes", "open_photo", "require_trainable", "scan"]


@dataclass(frozen=True)
class Photo:
    """One usable file.

    `id` is its path below the root with `/`; `label` is "unknown" for strangers, whose name is `stranger`; `split` is
    "train", "val", "test" or ""; size in pixels, upright; `mode` and `format` are Pillow's; `taken` is the camera's
    clock in seconds; `turned` by EXIF; `animated` files give their first frame.
    """

    path: Path
    id: str
    label: str
    stranger: str
    split: str
    width: int
    height: int
    mode: str
    bytes: int
    taken: float | None
    format: str = ""
    turned: bool = False
    animated: bool = False


@dataclass(frozen=True)
class Refusal:
    """One file that is not used, and why; `twin` is the id of the same picture under another label, if that is why, and `labels` are theirs."""

    id: str
    reason: str
    twin: str = ""
    labels: tuple[str, str] | None = None


@dataclass(frozen=True)
class Listing:
    """All files below `root`: used or refused; `len(photos) + len(refused)` files were seen.

    Not counted as seen, but told in `notes`: what the operating system left behind and labels left out with --skip.
    """

    root: Path
    photos: tuple[Photo, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]

    @property
    def seen(self) -> int:
        """How many files were seen."""
        return len(self.photos) + len(self.refused)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted, without the strangers."""
        return tuple(sorted({photo.label for photo in self.photos} - {"unknown"}))


def scan(root: Path | str, *, skip: Iterable[str] = (), each_file_a_stranger: bool = False) -> Listing:
    """List a folder of photos by label.

    Layouts: `root/<label>/*`, `root/{train,val,test}/<label>/*`, folders below a label belong to it; `unknown` (or `none`)
    holds strangers: a sub-folder is one stranger, loose files are one together unless `each_file_a_stranger`.
    Raises MissingInput or DataError only when there is no such folder or `skip` names no label; see `require_trainable`.
    """
    root = Path(root)
    if not root.exists():
        raise MissingInput(f"{root} is not there", "check the path; a folder of photos has one folder per label inside")
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder of photos", "give the folder that holds one folder per label (unzip it first)")
    out = {label_of(name) for name in skip}
    splits = split_folders(root)
    litter: list[str] = []
    photos: list[Photo] = []
    refused: list[Refusal] = []
    skipped: Counter[str] = Counter()
    for entry in walk(root, litter):
        where = place(entry.parts, splits, each_file_a_stranger) if entry.parts else Place()
        if where.label and where.label in out:
            skipped[where.label] += 1
            continue
        found = look(entry, where)
        if isinstance(found, Photo):
            photos.append(found)
        else:
            refused.append(found)
    _check_skip(out, skipped, {photo.label for photo in photos})
    notes = (*_left_out(litter, skipped), *_about_names(root, photos, splits), *_about_files(photos))
    return Listing(root, tuple(photos), tuple(refused), notes)


def look(entry: Entry, where: Place) -> Photo | Refusal:
    """Make one file a photo or a refusal."""
    name = "/".join(entry.parts) or "."
    reason = entry.reason or where.reason
    if not reason:
        try:
            head = read_header(entry.path)
        except (PhotoError, MissingInput) as error:
            reason = error.what if isinstance(error, PhotoError) else "went away while it was read"
        else:
            size = (head.width, head.height, head.mode, entry.bytes, head.taken, head.format, head.turned, head.animated)
            return Photo(Path(entry.path), name, where.label, where.stranger, where.split, *size)
    return Refusal(printable(name), reason)


def _check_skip(out: set[str], skipped: Counter[str], labels: set[str]) -> None:
    missing = sorted(out - set(skipped))
    if missing:
        raise DataError(f"no label is named '{missing[0]}'{did_you_mean(missing[0], labels)}", "name a folder of the photos after --skip")


def _left_out(litter: list[str], skipped: Counter[str]) -> list[str]:
    notes = [f"label {printable(name)} was left out as asked ({count} files)" for name, count in sorted(skipped.items())]
    if litter:
        some = ", ".join(printable(name) for name in litter[:3]) + (", ..." if len(litter) > 3 else "")
        notes.append(f"{len(litter)} hidden or system files and folders were ignored ({some})")
    return notes


def _about_names(root: Path, photos: list[Photo], splits: dict[str, str]) -> list[str]:
    """Say what the folders' names made us do."""
    notes = []
    if splits:
        notes.append(f"the folders name the split: {', '.join(sorted(splits))}")
    at = 1 if splits else 0
    folders = {Path(photo.id).parts[at] for photo in photos if photo.split or not splits}
    spelt: dict[str, set[str]] = {}
    alike: dict[str, set[str]] = {}
    for folder in folders:
        spelt.setdefault(label_of(folder), set()).add(folder)
        if not is_unknown(folder):
            alike.setdefault(label_of(folder).casefold().strip(), set()).add(label_of(folder))
    notes += [
        f"{len(same)} folders are spelt {label} in different Unicode forms and were taken as one label"
        for label, same in spelt.items()
        if len(same) > 1
    ]
    notes += [f"labels {' and '.join(sorted(same))} differ only in case or spaces and were kept apart" for same in alike.values() if len(same) > 1]
    notes += _about_inner_folders(photos, 1 + at)
    taken_as_unknown = sorted(folder for folder in folders if is_unknown(folder) and folder != "unknown")
    notes += [f"{folder}/ was taken as strangers, like unknown/" for folder in taken_as_unknown]
    if not splits and {"train", "test"} <= {folder.casefold() for folder in folders}:
        notes.append("train/ and test/ were taken as labels, because no folder per label stands inside them")
    return notes


def _about_inner_folders(photos: list[Photo], depth: int) -> list[str]:
    """Say which labels have folders inside: they may have been meant as the labels."""
    inner: dict[str, set[str]] = {}
    for photo in photos:
        parts = photo.id.split("/")
        if photo.label != "unknown" and len(parts) > depth + 1:
            inner.setdefault(photo.label, set()).add(parts[depth])
    return [
        f"the folders inside {label}/ ({', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''}) all count as label {label}"
        for label, names in sorted(inner.items())
    ][:5]


# What one photo does, for what several do.
ONE = {"are": "is", "hold": "holds", "have": "has"}


def _about_files(photos: list[Photo]) -> list[str]:
    """Say what is unusual about the files that are used."""
    deep = sum(photo.mode in ("I", "F") or photo.mode.startswith("I;16") for photo in photos)
    told = (
        (sum(photo.turned for photo in photos), "are turned upright as their EXIF says"),
        (sum(photo.animated for photo in photos), "hold several frames; the first one is used"),
        (deep, "have more than 8 bits per pixel and are scaled to 8"),
        (sum(photo.mode in ("CMYK", "LAB", "YCbCr", "HSV") for photo in photos), "are in print colours and are converted to RGB"),
        (sum(photo.mode in ("RGBA", "LA", "PA", "RGBa", "La") for photo in photos), "have transparency, laid onto one background colour"),
    )
    return [
        counted(count, "photo") + (f" {what}" if count > 1 else f" {ONE[what.split()[0]]} {what.partition(' ')[2]}") for count, what in told if count
    ]


def require_trainable(listing: Listing) -> None:
    """Raise DataError, saying what to add, unless at least two labels have two photos each."""
    root, counts = listing.root, Counter(photo.label for photo in listing.photos)
    strangers = counts.pop("unknown", 0)
    if not listing.seen:
        raise DataError(f"{root} is empty", f"put one folder per label into it, with photos inside: {root}/ana, {root}/junho")
    if not listing.photos:
        first = listing.refused[0]
        raise DataError(
            f"{root} has no readable photo; {len(listing.refused)} files were refused, the first one, {first.id}: {first.reason}",
            f"put photos into one folder per label; see every reason with: peephole check {root}",
        )
    if len(counts) < 2:
        raise _too_few_labels(listing, counts, strangers)
    label, count = min(counts.items(), key=lambda item: (item[1], item[0]))
    if count < 2:
        raise DataError(
            f"{root}/{label} has 1 photo; at least 2 are needed so that one can be held out.",
            f"add another photo of {label}, or leave it out: peephole train {root} --skip {label}",
        )


def _too_few_labels(listing: Listing, counts: Counter[str], strangers: int) -> DataError:
    root = listing.root
    if not counts:
        return DataError(
            f"{root} has only strangers ({strangers} photos in unknown/) and no label", f"add one folder per label: {root}/ana, {root}/junho"
        )
    label = next(iter(counts))
    inner = {Path(photo.id).parts[1] for photo in listing.photos if photo.label == label and len(Path(photo.id).parts) > 2}
    hint = f"add a folder with photos of something else beside {root}/{label}"
    if len(inner) > 1:
        hint = f"if the folders inside are the labels, give that one: {root}/{label}"
    return DataError(f"{root} has one label, {label}; at least 2 are needed to tell one from another", hint)
