"""Which photos are near copies of one another: a search over crops, flips and turns, then a close look at each candidate.

Thresholds were chosen on one half of six real collections and measured on the other; docs/log.md has the figures.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from peephole.data.align import Fit, blur, fit, shear, starts, warp, window
from peephole.data.photos import Photo

__all__ = ["EXHAUSTIVE", "Pairs", "near_pairs"]

# Up to so many photos every pair is compared under every motion; beyond, only those that fall into one bucket.
EXHAUSTIVE = 3000
# Correlation on 16 x 16 pixels from which a pair gets a close look (up to 500 photos; beyond), and how many neighbours do.
WORTH_A_LOOK, WORTH_A_LOOK_OF_MANY, NEIGHBOURS, MANY = 0.45, 0.6, 4, 500
# Middle-band correlation from which two photos are one source: alone, with a hint in their names or order, across labels.
# Honest photos stay below 0.45, but drawings, digits and one face in two lights come near.
ALIKE, ALIKE_HINTED, ALIKE_ACROSS = 0.975, 0.9, 0.985
# Copies are not sheared; two honest drawings are often laid over each other only by shearing one.
SHEAR = 0.1
# How much of a picture its copy must show.
SHARED = 0.6
BURST_SECONDS = 3.0
# More photos than this with one and the same second: that clock was never set.
SAME_SECOND = 30
COPY_NAME = re.compile(
    r"([ _-]*(\(\d+\)|copy( ?\d*)|kopie|aug(mented)?[_-]?\d*|flip(ped)?|rot(ated)?[_-]?\d*|crop(ped)?[_-]?\d*|edited|small|thumb|\d+x\d+))+$", re.I
)
BANDS, BITS, BESIDE = 8, 14, 8


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of one source: indices (P,), how each was seen, how alike (P,), 0..1; and what was not searched."""

    first: np.ndarray
    second: np.ndarray
    how: tuple[str, ...]
    alike: np.ndarray
    notes: tuple[str, ...]


def near_pairs(photos: list[Photo], thumbnails: np.ndarray) -> Pairs:
    """Find near copies among photos with grey thumbnails uint8 (N, S, S), S = 64 or 32.

    Pairs within one label (strangers count as one label) need a correlation of 0.975, or 0.9 with a hint
    in their names, pairs across labels 0.985.
    """
    count = len(photos)
    if count < 2:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), (), np.empty(0), ())
    names = sorted({photo.label for photo in photos})
    index = {name: i for i, name in enumerate(names)}
    labels = np.array([index[photo.label] for photo in photos])
    bursts, clock_notes = _bursts(photos)
    hinted = np.concatenate([_in_order(photos), _by_name(photos)])
    small = _shrunk(thumbnails, 32)
    if count <= EXHAUSTIVE:
        first, second, motion = _every_pair(small, labels)
        notes = clock_notes
    else:
        first, second, motion = _same_bucket(small, labels)
        notes = (*clock_notes, f"more than {EXHAUSTIVE:,} photos: near copies were searched without crops, flips and turns, and within labels only")
    whole = np.tile(starts()[0], (len(hinted), 1))
    first, second = np.concatenate([first, hinted[:, 0]]), np.concatenate([second, hinted[:, 1]])
    told = np.arange(len(first)) >= len(first) - len(hinted)
    needed = np.where(told, ALIKE_HINTED, np.where(labels[first] == labels[second], ALIKE, ALIKE_ACROSS))
    aspects = np.array([photo.width / photo.height for photo in photos], np.float32)
    pairs = _Candidates(first, second, np.concatenate([motion, whole]), needed, (aspects[first], aspects[second]))
    kept, close = _look_closely(thumbnails, small, pairs)
    how = (*(_told(first[i], second[i], told[i], labels) for i in kept), *("burst" for _ in bursts))
    return Pairs(
        np.concatenate([first[kept], bursts[:, 0]]),
        np.concatenate([second[kept], bursts[:, 1]]),
        how,
        np.concatenate([close, np.ones(len(bursts))]),
        tuple(notes),
    )


def _told(first: int, second: int, hinted: bool, labels: np.ndarray) -> str:
    if labels[first] != labels[second]:
        return "same photo under two labels"
    return "near copy, by name and look" if hinted else "near copy"


def _shrunk(thumbnails: np.ndarray, side: int) -> np.ndarray:
    """Return uint8 or float pictures (N, S, S) averaged down to (N, side, side), float32."""
    count, size, _ = thumbnails.shape
    factor = size // side
    return np.asarray(thumbnails.reshape(count, side, factor, side, factor).mean((2, 4), dtype=np.float32), np.float32)


def _described(small: np.ndarray) -> np.ndarray:
    """Return what pictures (N, 32, 32) look like on 16 x 16 pixels without their broad light, unit length, float32 (N, 256)."""
    tiny = _shrunk(small, 16)
    weight = window(16).reshape(1, -1)
    flat = (tiny - blur(tiny, 3)).reshape(len(tiny), -1)
    flat = (flat - (flat * weight).sum(1, keepdims=True) / weight.sum()) * np.sqrt(weight)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3), np.float32)


def _every_pair(small: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare every photo, under every start motion, with every other; return the pairs worth a look and their motions."""
    count = len(small)
    target = _described(small).T
    best = np.full((count, count), -1, np.float32)
    which = np.zeros((count, count), np.int8)
    motions = starts()
    for turn, motion in enumerate(motions):
        described = np.concatenate([_described(warp(small[at : at + 512], motion[None])[0]) for at in range(0, count, 512)])
        for at in range(0, count, 512):
            found = described[at : at + 512] @ target
            better = found > best[at : at + 512]
            np.copyto(best[at : at + 512], found, where=better)
            np.copyto(which[at : at + 512], np.int8(turn), where=better)
    np.fill_diagonal(best, -1)
    rows, columns = _nearest(best, labels)
    pairs = np.unique(np.sort(np.stack([rows, columns], 1), 1), axis=0)
    if count <= MANY:  # the empty corners of a turned copy are left out only when the copy is the second
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
    else:
        turned = best[pairs[:, 1], pairs[:, 0]] > best[pairs[:, 0], pairs[:, 1]]
        pairs[turned] = pairs[turned][:, ::-1]
    return pairs[:, 0], pairs[:, 1], motions[which[pairs[:, 0], pairs[:, 1]]]


def _nearest(best: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the nearest neighbours within the label, and of the nearest one outside it."""
    found: list[np.ndarray] = []
    enough = WORTH_A_LOOK if len(best) <= MANY else WORTH_A_LOOK_OF_MANY
    for at in range(0, len(best), 512):
        both = np.maximum(best[at : at + 512], best[:, at : at + 512].T)
        same = labels[at : at + 512, None] == labels[None, :]
        for part, count in ((np.where(same, both, -1), NEIGHBOURS), (np.where(same, -1, both), 1)):
            columns = np.argpartition(-part, min(count, part.shape[1]) - 1, axis=1)[:, :count]
            row = np.repeat(np.arange(len(part)), columns.shape[1])
            worth = part[row, columns.ravel()] >= enough
            found.append(np.stack([row[worth] + at, columns.ravel()[worth]], 1))
    pairs = np.concatenate(found)
    return pairs[:, 0], pairs[:, 1]


def _same_bucket(small: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find pairs within a label whose descriptions fall into one of 8 x 2^14 buckets (signs of random projections)."""
    described = np.concatenate([_described(small[at : at + 4096]) for at in range(0, len(small), 4096)])
    rng = np.random.default_rng(0)
    found = []
    for _ in range(BANDS):
        bits = described @ rng.standard_normal((described.shape[1], BITS)).astype(np.float32) > 0
        bucket = (bits @ (1 << np.arange(BITS))) + labels.astype(np.int64) * 2**BITS
        order = np.argsort(bucket, kind="stable")
        for beside in range(1, BESIDE + 1):
            here = np.flatnonzero(bucket[order[beside:]] == bucket[order[:-beside]])
            for at in range(0, len(here), 8192):
                one, two = order[here[at : at + 8192]], order[here[at : at + 8192] + beside]
                close = np.einsum("ij,ij->i", described[one], described[two]) >= 0.97
                found.append(np.stack([one[close], two[close]], 1))
    pairs = np.unique(np.sort(np.concatenate(found), 1), axis=0) if found else np.empty((0, 2), np.int64)
    return pairs[:, 0], pairs[:, 1], np.tile(starts()[0], (len(pairs), 1))


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Pairs that may be copies: indices, start motions (P, 6), the correlation each needs, and the aspects (width / height) of both."""

    first: np.ndarray
    second: np.ndarray
    motion: np.ndarray
    needed: np.ndarray
    aspects: tuple[np.ndarray, np.ndarray]

    def take(self, rows: np.ndarray, motion: np.ndarray) -> "_Candidates":
        """Return some of the pairs with better motions."""
        aspects = (self.aspects[0][rows], self.aspects[1][rows])
        return _Candidates(self.first[rows], self.second[rows], motion, self.needed[rows], aspects)


def _look_closely(thumbnails: np.ndarray, small: np.ndarray, pairs: _Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Align candidates on 32 x 32 pixels, twice, then on all pixels, dropping the hopeless; return rows that are copies and how alike they are."""
    rows, alike = np.arange(len(pairs.first)), np.zeros(len(pairs.first))
    for pictures, steps, slack in ((small, 2, 0.5), (small, 3, 0.12), (thumbnails, 3, 0.0)):
        kept, motions, close = [rows[:0]], [pairs.motion[:0]], [alike[:0]]
        for at in range(0, len(pairs.first), 1024):
            here = np.arange(at, min(at + 1024, len(pairs.first)))
            some = pairs.take(here, pairs.motion[here])
            found = fit(pictures[some.first], pictures[some.second], some.motion, steps)
            good = _copies(found, some, slack)
            kept.append(here[good])
            motions.append(found.motion[good])
            close.append(found.alike[good])
        chosen = np.concatenate(kept)
        pairs, rows, alike = pairs.take(chosen, np.concatenate(motions)), rows[chosen], np.concatenate(close)
    _, once = np.unique(np.sort(np.stack([pairs.first, pairs.second], 1), 1), axis=0, return_index=True)
    return rows[once], np.clip(alike[once], 0, 1)


def _copies(found: Fit, pairs: _Candidates, slack: float) -> np.ndarray:
    """Tell which pairs are alike enough, less `slack`, without a shear (once it has settled) and with enough in common."""
    straight = shear(found.motion, *pairs.aspects) <= SHEAR if slack < 0.5 else np.ones(len(found.alike), bool)
    return np.asarray((found.alike >= pairs.needed - slack) & straight & (found.shared >= SHARED))


def _bursts(photos: list[Photo]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return pairs (P, 2) within one label or stranger that the camera took within 3 seconds, each with the next in time."""
    timed: dict[tuple[str, str], list[tuple[float, int]]] = {}
    seconds: dict[float, int] = {}
    for i, photo in enumerate(photos):
        if photo.taken is not None:
            timed.setdefault((photo.label, photo.stranger), []).append((photo.taken, i))
            seconds[photo.taken] = seconds.get(photo.taken, 0) + 1
    unset = {second for second, count in seconds.items() if count > SAME_SECOND}
    pairs = []
    for found in timed.values():
        shots = sorted(shot for shot in found if shot[0] not in unset)
        pairs += [(i, j) for (t, i), (u, j) in pairwise(shots) if u - t <= BURST_SECONDS]
    notes = (f"{sum(seconds[s] for s in unset)} photos carry the same second: that camera's clock was not used to find bursts",) if unset else ()
    return np.array(pairs, np.int64).reshape(-1, 2), notes


def _in_order(photos: list[Photo]) -> np.ndarray:
    """Return pairs (P, 2) of one folder whose names differ only by a number one or two higher: frame_012, frame_013."""
    numbered: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for i, photo in enumerate(photos):
        match = re.search(r"(\d{1,9})\D*$", photo.path.stem)
        if match:
            start = match.start(1)
            numbered.setdefault((str(photo.path.parent), photo.path.stem[:start]), []).append((int(match.group(1)), i))
    pairs = []
    for frames in numbered.values():
        frames.sort()
        pairs += [(i, j) for (m, i), (n, j) in pairwise(frames) if n - m <= 2]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _by_name(photos: list[Photo]) -> np.ndarray:
    """Return pairs (P, 2) of one label whose names say that one was made from the other: cat.jpg, cat_aug1.jpg, cat (1).jpg."""
    stems: dict[tuple[str, str], int] = {}
    made: list[tuple[int, tuple[str, str]]] = []
    for i, photo in enumerate(photos):
        plain = COPY_NAME.sub("", photo.path.stem)
        if plain and plain != photo.path.stem:
            made.append((i, (photo.label, plain)))
        else:
            stems[photo.label, photo.path.stem] = i
    pairs = []
    for i, key in made:
        pairs.append((stems.setdefault(key, i), i))
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
