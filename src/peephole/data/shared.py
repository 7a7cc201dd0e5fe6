"""Photos that stand under two labels, and labels that are left with too few different ones: which photos, and what keeps them."""

from collections.abc import Iterable

from peephole.base.errors import DataError
from peephole.base.evidence import counted
from peephole.data.photoset import PhotoSet

__all__ = ["shared", "too_few"]

Pair = tuple[str, str]
SOME = 3
# What would have kept photos apart, by how they were seen to be copies (data/near).
KEEPS = {
    "burst": "photos taken more than 3 seconds apart by the camera's clock count as different",
    "near copy, by name and look": "names that do not count on from one another (front.jpg, left.jpg) keep those that are a little less alike",
    "near copy": "photos that differ more, by another pose, side or light, count as different",
}


def _grouped(pairs: Iterable[tuple[Pair, Pair]]) -> dict[Pair, list[Pair]]:
    """Return pairs of ids by their two labels, both in the order of the labels."""
    found: dict[Pair, list[Pair]] = {}
    for labels, ids in pairs:
        (one, first), (two, second) = sorted(zip(labels, ids, strict=True))
        found.setdefault((one, two), []).append((first, second))
    return {labels: sorted(set(ids)) for labels, ids in sorted(found.items())}


def _same(photos: PhotoSet) -> dict[Pair, list[Pair]]:
    """Return pairs of refused photos that are the same picture under two labels."""
    return _grouped((refusal.labels, (refusal.id, refusal.twin)) for refusal in photos.refused if refusal.labels)


def _alike(photos: PhotoSet) -> dict[Pair, list[Pair]]:
    """Return pairs of used photos that look like one under two labels."""
    label_of = {id: photos.names[label] if label >= 0 else "unknown" for id, label in zip(photos.ids, photos.labels, strict=True)}
    links = ((link.first, link.second) for link in photos.links if link.first in label_of and link.second in label_of)
    return _grouped(((label_of[one], label_of[two]), (one, two)) for one, two in links if label_of[one] != label_of[two])


def shared(photos: PhotoSet) -> tuple[Pair, ...]:
    """Say which labels hold the same photos, or photos that look like one, with the first pair: (what, hint) for every two labels."""
    found = []
    for (one, two), pairs in _same(photos).items():
        files = counted(len({id for pair in pairs for id in pair}), "file")
        what = f"{files} with a picture that stands under both {one} and {two}; none of them is used (first: {pairs[0][0]} and {pairs[0][1]})"
        found.append((what, f"keep each picture under one label, or leave a label out: --skip {two if two != 'unknown' else one}"))
    for (one, two), pairs in _alike(photos).items():
        what = f"{counted(len(pairs), 'pair')} of photos under {one} and {two} that look like one photo (first: {pairs[0][0]} and {pairs[0][1]})"
        found.append((what, "look at them and delete the wrong one"))
    return tuple(found)


def too_few(photos: PhotoSet, name: str, count: int) -> DataError:
    """Return why the label `name`, with `count` usable photos, has fewer than two different ones, and what would help."""
    least = "at least 2 different ones are needed so that one can be held out."
    hint = f"add another photo of {name}, taken at another time, or leave it out: --skip {name}"
    left = f"{name} has {counted(count, 'usable photo') if count else 'no usable photo'}"
    for found, what, others in ((_same(photos), "also stand under", 0), (_alike(photos), "look like photos of", count)):
        for labels, pairs in found.items():
            mine = len({pair[labels.index(name)] for pair in pairs}) if name in labels else 0
            if mine and mine >= others - 1 and (others or count < 2):
                ones = f"{mine} of its photos {what} {labels[name == labels[0]]} (first: {pairs[0][0]} and {pairs[0][1]})"
                return DataError(f"{left}; {ones}; {least}", f"keep each photo under one label, or leave a label out: --skip {name}")
    if count < 2:
        return DataError(f"{left}; {least}", hint)
    own = {id for id, label in zip(photos.ids, photos.labels, strict=True) if label >= 0 and photos.names[label] == name}
    links = [link for link in photos.links if link.first in own and link.second in own]
    some = "; ".join(f"{link.first} and {link.second}" for link in links[:SOME]) + (f"; and {len(links) - SOME} more" if len(links) > SOME else "")
    keeps = [words for how, words in KEEPS.items() if any(link.how == how for link in links)]
    taken = f"{name}'s {count} photos were taken for copies of one photo{f' ({some})' if some else ''}"
    return DataError(f"{taken}; {least}", "; ".join([hint, *keeps]))
