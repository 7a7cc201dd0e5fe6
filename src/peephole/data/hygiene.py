"""What `peephole check` says of a folder of photos: every file accounted for, copies, conflicts, leaks, and what it can prove."""

import html
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from peephole.base.card import Input, Resize
from peephole.base.errors import DataError
from peephole.base.evidence import counted, needed, percent, upper_bound
from peephole.data.border import SIDE
from peephole.data.dataset import load
from peephole.data.photos import Listing, Photo, require_trainable, scan
from peephole.data.photoset import PhotoSet
from peephole.data.settle import border_of
from peephole.data.shared import shared
from peephole.data.splits import ENOUGH, split, stranger_split
from peephole.data.unfit import unfit

__all__ = ["CheckReport", "Finding", "Group", "LabelCount", "check", "report"]

# One label with this many times the photos of another is told.
UNEVEN = 5
FEW = 10
RATE = 0.01
LOOSE = "(loose files)"  # what `layout.place` calls the stranger of files right in unknown/
# What is checked does not depend on how large the pictures are prepared: small ones spare memory.
GLANCE = Input(shape=("N", SIDE, SIDE, 3), resize=Resize(to=(SIDE, SIDE), fit="stretch"), colour="rgb")


@dataclass(frozen=True)
class LabelCount:
    """Photos of one label that can be used, and how many different originals they show."""

    label: str
    photos: int
    sources: int


@dataclass(frozen=True)
class Group:
    """Photos that show one original, and how that was seen."""

    ids: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Finding:
    """One thing to know, and what to do about it ("" if nothing)."""

    what: str
    hint: str = ""


@dataclass(frozen=True, repr=False)
class CheckReport:
    """The findings of a check; `seen = used + duplicates + refused`.

    `problems` are what makes results wrong or training impossible (exit code 3), `remarks` are good to know.
    `reasons` are (reason, count) of the refused, commonest first; `refused` (id, reason) all of them; `duplicates` (id dropped, id kept);
    `copies` groups of one source; `conflicts` pairs of alike photos under two labels; `leaks` ids outside train/ that
    copy a photo of an earlier split; `sizes` and `modes` (what, count); `strangers` are people or things, not photos.
    """

    root: str
    seen: int
    used: int
    labels: tuple[LabelCount, ...]
    strangers: int
    stranger_photos: int
    refused: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, int], ...]
    duplicates: tuple[tuple[str, str], ...]
    copies: tuple[Group, ...]
    conflicts: tuple[tuple[str, str], ...]
    leaks: tuple[str, ...]
    sizes: tuple[tuple[str, int], ...]
    modes: tuple[tuple[str, int], ...]
    turned: int
    animated: int
    deep: int
    role: str
    problems: tuple[Finding, ...]
    remarks: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether no problem was found."""
        return not self.problems

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found as sentences: what became of the files, the labels, remarks, problems, the verdict."""
        labels = ", ".join(f"{count.label} ({count.photos})" for count in self.labels)
        return (
            f"{self.root}: {counted(self.seen, 'file')} seen = {self.used} used + {counted(len(self.duplicates), 'exact duplicate')} "
            f"+ {len(self.refused)} refused",
            *([f"labels: {labels}" + (f"; {counted(self.strangers, 'stranger')}" if self.strangers else "")] if labels else []),
            *(f"refused: {id}: {reason}" for id, reason in self.refused[:5]),
            *([f"refused: and {len(self.refused) - 5} more"] if len(self.refused) > 5 else []),
            *(f"{word}: {finding.what}" for word, found in (("remark", self.remarks), ("problem", self.problems)) for finding in found),
            self.verdict,
        )

    @property
    def verdict(self) -> str:
        """One closing sentence, which does not pass over what was refused."""
        if self.problems:
            return f"{counted(len(self.problems), 'problem')} found"
        return f"no problem found in the {counted(self.used, 'photo')} used" + (
            f"; {counted(len(self.refused), 'file')} refused, as listed" if self.refused else ""
        )

    def __repr__(self) -> str:
        return f"<CheckReport of {self.root}: {self.used} of {counted(self.seen, 'file')} used; {self.verdict}>"

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        """Show the report in a notebook: the sentences, problems in red."""
        first, *rest = self.lines
        red = tuple(f"problem: {finding.what}" for finding in self.problems)
        items = "".join(f"<li{' style=color:#b00' if line in red else ''}>{html.escape(line)}</li>" for line in rest)
        return f"<div><b>{html.escape(first)}</b><ul>{items}</ul></div>"

    def to_json(self) -> str:
        """Return the report as JSON, one object."""
        return json.dumps({"ok": self.ok, **asdict(self)}, ensure_ascii=False, indent=2)


def check(root: Path | str, *, each_file_a_stranger: bool = False, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Check a folder of photos as training would see it; raises MissingInput when it is not there."""
    listing = scan(root, each_file_a_stranger=each_file_a_stranger)
    return report(listing, load(listing, GLANCE, progress=progress))


def report(listing: Listing, photos: PhotoSet) -> CheckReport:
    """Judge a listing and what was loaded of it; never raises for bad data, that is what `problems` are for."""
    by_id = {photo.id: photo for photo in listing.photos}
    used = [by_id[id] for id in photos.ids]
    conflicts = tuple((link.first, link.second) for link in photos.links if by_id[link.first].label != by_id[link.second].label)
    leaks = _leaks(photos, by_id)
    role, trainable = _role(listing, photos)
    labels = _label_counts(photos)
    strangers = len(np.unique(photos.strangers[photos.strangers >= 0]))
    reasons = Counter(_kind(refusal.reason) for refusal in photos.refused).most_common()
    return CheckReport(
        root=str(listing.root),
        seen=listing.seen,
        used=len(photos),
        labels=labels,
        strangers=strangers,
        stranger_photos=int((photos.labels < 0).sum()),
        refused=tuple((refusal.id, refusal.reason) for refusal in photos.refused),
        reasons=tuple(reasons),
        duplicates=photos.duplicates,
        copies=_groups(photos),
        conflicts=conflicts,
        leaks=leaks,
        sizes=tuple(Counter(f"{photo.width} x {photo.height}" for photo in used).most_common()),
        modes=tuple(Counter(f"{photo.format} {photo.mode}" for photo in used).most_common()),
        turned=sum(photo.turned for photo in used),
        animated=sum(photo.animated for photo in used),
        deep=sum(photo.mode.startswith("I") or photo.mode == "F" for photo in used),
        role=role,
        problems=(*trainable, *_problems(photos, leaks), *(Finding(*found) for found in unfit(listing, photos))),
        remarks=(
            *_remarks(photos, labels),
            *_about_borders(photos),
            *_about_strangers(photos, strangers, labels),
            *(Finding(note) for note in photos.notes),
        ),
    )


def _kind(reason: str) -> str:
    """Return a reason without what differs from file to file, so that equal ones can be counted."""
    return reason.partition(" (")[0] if "same picture" not in reason else "the same picture also stands under another label"


def _label_counts(photos: PhotoSet) -> tuple[LabelCount, ...]:
    counts = []
    for index, name in enumerate(photos.names):
        mine = photos.labels == index
        counts.append(LabelCount(name, int(mine.sum()), len(np.unique(photos.sources[mine]))))
    return tuple(counts)


def _groups(photos: PhotoSet) -> tuple[Group, ...]:
    """Return the sources that have more than one photo, the largest first."""
    how: dict[str, str] = {}
    for link in photos.links:
        how[link.first] = how[link.second] = link.how
    order = np.argsort(photos.sources, kind="stable")
    starts = np.flatnonzero(np.diff(photos.sources[order], prepend=-1))
    several = [members for members in np.split(order, starts[1:]) if len(members) > 1]
    groups = [Group(tuple(photos.ids[i] for i in members), how.get(photos.ids[members[0]], "near copy")) for members in several]
    return tuple(sorted(groups, key=lambda group: (-len(group.ids), group.ids)))


def _leaks(photos: PhotoSet, by_id: dict[str, Photo]) -> tuple[str, ...]:
    """Return ids of photos whose source, or very pixels, also stand in an earlier one of train, val, test."""
    rank = {"train": 0, "": 0, "val": 1, "test": 2}
    ranks = np.array([rank[given] for given in photos.given], np.int64)
    leaks = []
    if len(photos):
        first = np.full(int(photos.sources.max()) + 1, 9)
        np.minimum.at(first, photos.sources, ranks)
        leaks = [photos.ids[i] for i in np.flatnonzero(ranks > first[photos.sources])]
    leaks += [dropped for dropped, kept in photos.duplicates if rank[by_id[dropped].split] > rank[by_id[kept].split]]
    return tuple(sorted(leaks))


def _role(listing: Listing, photos: PhotoSet) -> tuple[str, tuple[Finding, ...]]:
    """Return "proof" or "estimate" with no problem, or "" with what forbids training."""
    try:
        require_trainable(listing)
        return split(photos, 0).role, ()
    except DataError as error:
        # Every reason stands in this very report.
        return "", (Finding(error.what, error.hint.partition("; see every reason with")[0]),)


def _problems(photos: PhotoSet, leaks: tuple[str, ...]) -> list[Finding]:
    found = [Finding(*each) for each in shared(photos)]
    if leaks:
        hint = "they are left out of choosing and proving; move them to train/ or delete them"
        found.append(Finding(f"{counted(len(leaks), 'photo')} in val/ or test/ that copy a photo of an earlier split (first: {leaks[0]})", hint))
    broken = [refusal for refusal in photos.refused if "decoded" in refusal.reason or "broken" in refusal.reason or "empty file" in refusal.reason]
    if broken:
        found.append(
            Finding(f"{counted(len(broken), 'broken file')} (first: {broken[0].id}: {broken[0].reason})", "copy them again from where they came from")
        )
    return found


def _remarks(photos: PhotoSet, labels: tuple[LabelCount, ...]) -> list[Finding]:
    found = []
    if photos.duplicates:
        found.append(Finding(f"{counted(len(photos.duplicates), 'exact duplicate')}, counted once"))
    near = len(photos) - len(np.unique(photos.sources))
    if near:
        what = f"{near} near cop{'y' if near == 1 else 'ies'} of other photos (bursts, re-saves, crops, augmented)"
        found.append(Finding(f"{what}, kept on their side of every split"))
    few = [count for count in labels if 2 <= count.sources < FEW]
    if few:
        names = ", ".join(f"{count.label} ({count.sources})" for count in few[:5])
        found.append(Finding(f"few different photos of {names}", f"{FEW} or more of each make a difference; {ENOUGH} let a part prove the result"))
    if len(labels) > 1:
        low, high = min(labels, key=lambda count: count.sources), max(labels, key=lambda count: count.sources)
        if low.sources and high.sources >= UNEVEN * low.sources:
            found.append(
                Finding(f"uneven: {high.label} has {high.sources} different photos, {low.label} {low.sources}", f"add photos of {low.label}")
            )
    return found


def _about_borders(photos: PhotoSet) -> list[Finding]:
    """Say when the wall behind the subjects tells who they are."""
    found = border_of(photos)
    if found is None or not found.better:
        return []
    hint = (
        "take photos of each before several backgrounds, or train with --region auto, which judges what moved or the face where it can; "
        "else --vary background=1 lays the subjects before each other's backgrounds"
    )
    if found.telling:
        return [Finding(f"{found.sentence}: each label seems to have a background of its own, and a model may learn that instead", hint)]
    return [Finding(f"{found.sentence}: part of the answer may come from the background, unless the subject itself reaches the border")]


def _about_strangers(photos: PhotoSet, strangers: int, labels: tuple[LabelCount, ...]) -> list[Finding]:
    """Say what the strangers can prove: the bound if none of those that prove is accepted; nothing where there is nobody to know."""
    if not strangers and not any(count.photos for count in labels):
        return []
    enough = f"{needed(RATE)} strangers, none accepted, prove {percent(RATE)}"
    if not strangers:
        return [
            Finding(
                "no strangers: the threshold can only be estimated, by holding out labels in turn",
                f"add a folder unknown/ with a folder per stranger; {enough}",
            )
        ]
    _, prove = stranger_split(photos, 0)
    count = len(np.unique(photos.strangers[prove]))
    if not count:
        return [
            Finding(
                f"{counted(strangers, 'stranger')}, all in train/ or val/: none is left to prove a rate", "add test/unknown/ with other strangers"
            )
        ]
    bound = percent(upper_bound(0, count))
    found = [
        Finding(
            f"{counted(strangers, 'stranger')}, {count} of them to prove with: if none is accepted, "
            f"the false-accept rate is at most {bound} per stranger",
            enough,
        )
    ]
    loose = sum(photos.stranger_names[number] == LOOSE for number in photos.strangers[photos.strangers >= 0])
    if loose > 1:
        found.append(
            Finding(
                f"{loose} files right in unknown/ count as one stranger together",
                "if each shows somebody else: --each-file-a-stranger (check, train and evaluate take it); else make a folder per stranger",
            )
        )
    return found
