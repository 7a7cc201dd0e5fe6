"""Frames without a label beside the photos that have one: which of them a person should look at first."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peephole.base.card import Input
from peephole.base.evidence import counted
from peephole.data.dataset import load
from peephole.data.frames import frames
from peephole.data.photos import Listing, Refusal
from peephole.data.photoset import PhotoSet
from peephole.decide.familiarity import centre_of
from peephole.train.choice import pick
from peephole.train.learner import Learner

__all__ = ["Frames", "Helpful", "beside", "helpful", "listed"]

# Frames that are looked at for each second there is, and at most.
PER_SECOND, MOST = 6, 1000
# Nearer than this two frames are one: 1 - correlation of small grey pictures, 1 - cosine of embeddings.
SAME, APART = 0.03, 0.02
SMALL = 16


@dataclass(frozen=True)
class Helpful:
    """A frame worth a label: its id in its folder, the two labels that it lies between, their shares 0..1, how far it is from all known (0..2)."""

    id: str
    label: str
    next_label: str
    share: float
    next_share: float
    distance: float


@dataclass(frozen=True, eq=False)
class Frames:
    """Labelled photos and frames (label -1) in one set, how many of the first are photos, and what became of the other files."""

    photos: PhotoSet
    labelled: int
    notes: tuple[str, ...]


def _refused(refused: tuple[Refusal, ...]) -> list[str]:
    return [f"{counted(len(refused), 'file')} among the frames cannot be used (first: {refused[0].id}: {refused[0].reason})"] if refused else []


def listed(folder: Path | str, seconds: float, seed: int) -> tuple[Listing, tuple[str, ...]]:
    """List the frames that there is time for, drawn by chance, and say how many there are; raises InputError for a folder without any."""
    found = frames(folder)
    most = min(MOST, max(20, int(PER_SECOND * seconds)))
    notes = _refused(found.refused)
    if len(found.photos) > most:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(found.photos))[:most])
        notes.append(f"{most} of {len(found.photos)} frames are looked at, drawn by chance" + (" (more with --seconds)" if most < MOST else ""))
        found = replace(found, photos=tuple(found.photos[i] for i in chosen))
    return found, tuple(notes)


def _small(images: np.ndarray) -> np.ndarray:
    """Return pictures uint8 (N, H, W, C) as SMALL x SMALL grey ones of mean 0 and length 1, (N, SMALL * SMALL)."""
    rows, columns = (np.linspace(0, side, SMALL + 1).astype(int)[:-1] for side in images.shape[1:3])
    grey = np.stack([np.add.reduceat(np.add.reduceat(image.mean(-1), rows, 0), columns, 1) for image in images]).reshape(len(images), -1)
    grey = grey - grey.mean(1, keepdims=True)
    return np.asarray(grey / np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-9))


def beside(photos: PhotoSet, listing: Listing, spec: Input) -> Frames:
    """Read the frames, leave out copies of each other and of the photos, and put the rest beside the photos."""
    found = load(listing, spec)
    already = {refusal.id for refusal in listing.refused}
    late = tuple(refusal for refusal in found.refused if refusal.id not in already)
    notes = _refused(late)
    _, first = np.unique(found.sources, return_index=True)
    fresh = np.sort(first)
    if len(fresh):
        alike = (_small(found.images[fresh]) @ _small(photos.images).T).max(1)
        fresh = fresh[alike < 1 - SAME]
    if gone := len(listing.photos) - len(late) - len(fresh):
        notes.append(f"{counted(gone, 'frame')} left out: {'a copy' if gone == 1 else 'copies'} of another frame or of a photo that has its label")
    few = found.take(fresh)
    both = replace(
        photos,
        images=np.concatenate([photos.images, few.images]),
        labels=np.concatenate([photos.labels, np.full(len(few), -1)]),
        sources=np.concatenate([photos.sources, few.sources + photos.sources.max() + 1]),
        strangers=np.concatenate([photos.strangers, np.full(len(few), -1)]),
        ids=(*photos.ids, *few.ids),
        digests=(*photos.digests, *few.digests),
        given=(*photos.given, *few.given),
    )
    return Frames(both, len(photos), tuple(notes))


def helpful(learner: Learner, frames: Frames, count: int) -> tuple[Helpful, ...]:
    """Return up to `count` frames, the most helpful first, by a model of all labelled photos."""
    photos, known = frames.photos, np.arange(frames.labelled)
    asked = np.arange(frames.labelled, len(photos))
    if not len(asked):
        return ()
    model = learner.learn(known, photos.labels, 1.0)
    logits, embedding = model.answers(asked)
    _, inside = model.answers(known)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    centre = centre_of(inside, photos.labels[known])
    picks = pick(odds / odds.sum(1, keepdims=True), embedding, inside, centre, count=count, apart=APART)
    return tuple(Helpful(photos.ids[asked[p.index]], photos.names[p.first], photos.names[p.second], *p.shares, p.distance) for p in picks)
