"""From a folder of photos to the labels that are in doubt: what `peephole doubt` walks. Nothing is changed or deleted."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from peephole.base.card import Region
from peephole.base.evidence import counted, interval, percent
from peephole.base.records import Neighbour
from peephole.base.watch import Watcher
from peephole.data.photoset import PhotoSet
from peephole.data.splits import split
from peephole.export.build import Strangers, gather
from peephole.nets.blocks import Shape
from peephole.nets.lite import LITES, lite
from peephole.train.doubt import LEAD, PART, Compared, compare, judge, shares
from peephole.train.gradients import gradients
from peephole.train.loop import answers, device
from peephole.train.recipe import Options, Recipe

__all__ = ["Doubt", "Doubts", "doubts"]

BATCH, SIDE = 32, 224
NEAREST = 3
SHOWN = 3  # photos that are told of at least


@dataclass(frozen=True)
class Doubt:
    """A photo, what it is labelled, what the others say it looks like with their share for both (0..1), and its nearest examples.

    `lead` is by how much another label leads (-1..1 or a little more), `doubtful` whether that is enough to say so. A neighbour's distance is
    1 - cosine, 0..1.
    """

    id: str
    label: str
    looks_like: str
    share: float
    own_share: float
    lead: float
    doubtful: bool
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Doubts:
    """The photos most in doubt, first the most: all that are `doubtful`, and at least three.

    `photos` were judged, `agree` is the share of them whose label the others foretell, `chance` that of the commonest label; `how` they were
    compared; `copies` are pairs that are, or look like, one photo under two labels, which nobody but a person can settle; those that are the
    same were not judged.
    """

    root: str
    photos: int
    agree: float
    chance: float
    how: str
    ranked: tuple[Doubt, ...]
    copies: tuple[tuple[str, str], ...]

    @property
    def doubtful(self) -> tuple[Doubt, ...]:
        """Those that may carry the wrong label."""
        return tuple(doubt for doubt in self.ranked if doubt.doubtful)

    @property
    def telling(self) -> bool:
        """Whether the photos foretell each other's labels at all: more often than by always saying the commonest one.

        By the lower end of an 80 % bound: a handful of photos with one wrong label among them must still be judged.
        """
        return interval(round(self.agree * self.photos), self.photos, 0.6)[0] > self.chance

    @property
    def sentence(self) -> str:
        """What was found, with its count, and how much it is worth."""
        count = len(self.doubtful)
        if not self.telling:
            return (
                f"no label can be judged: by {self.how} the other photos foretell {percent(self.agree)} of {self.photos} labels, "
                f"no more than could be chance ({percent(self.chance)}); more photos of a label, or a region that shows the subject alone, may help"
            )
        found = f"{counted(count, 'photo')} of {self.photos} may carry the wrong label" if count else f"none of {self.photos} labels is in doubt"
        return f"{found}; the other photos foretell {percent(self.agree)} of the labels, compared by {self.how}"


def doubts(
    root: Path | str,
    *,
    seconds: float = 60.0,
    skip: tuple[str, ...] = (),
    region: Region | Literal["auto"] | None = None,
    seed: int = 7,
    watch: Watcher | None = None,
) -> Doubts:
    """Judge the label of every photo of a folder by all other photos of other sources.

    Drawings and small pictures are compared by their gradients alone where `seconds` do not suffice for the pretrained network; photos of
    things always need it. Raises InputError for photos that cannot be learned from.
    """
    watch = watch or Watcher()
    _, photos, recipe, _ = gather(Path(root), Options(seconds=seconds, seed=seed), Strangers(), skip, region or Region(), watch=watch)
    split(photos, seed)  # refuses a label that nothing can be held out of
    photos = photos.take(np.flatnonzero(photos.labels >= 0))
    watch.stage("comparing the photos")
    deep = _pretrained(photos, recipe, seconds, watch)
    fine, coarse = gradients(photos.images)
    features = (fine, coarse, deep)
    count, things = len(photos.names), recipe.network in LITES
    how: Compared | None = None
    ahead, said, near = np.zeros(len(photos)), np.zeros((len(photos), count)), list[tuple[Neighbour, ...]]([()] * len(photos))
    parts = _parts(photos, seed)
    for number, part in enumerate(parts):
        mine = [None if found is None else found[part] for found in features]
        labels, sources = photos.labels[part], photos.sources[part]
        how = how or compare(mine, labels, sources, count, things=things)
        found, ahead[part], alike = judge(mine, labels, sources, count, how)
        said[part] = shares(found)
        for at, index in enumerate(part):
            near[index] = _nearest(alike[at], sources != sources[at], photos, part)
        watch.progress(number + 1, len(parts))
    assert how is not None  # a folder that nothing can be learned from was refused
    return _told(str(root), photos, ahead, said, near=near, how=how)


def _parts(photos: PhotoSet, seed: int) -> list[np.ndarray]:
    """Deal the photos by source into parts that are judged together."""
    sources = np.random.default_rng(seed).permutation(np.unique(photos.sources))
    dealt = np.array_split(sources, -(-len(photos) // PART))
    return [np.flatnonzero(np.isin(photos.sources, part)) for part in dealt]


def _pretrained(photos: PhotoSet, recipe: Recipe, seconds: float, watch: Watcher) -> np.ndarray | None:
    """Return the pretrained network's embedding (N, 1280) of every photo; None where it would take too long for pictures that can do without."""
    network = lite("lite0", Shape(3, SIDE, SIDE), len(photos.names)).to(device()).eval()
    found = list[np.ndarray]()
    for at in range(0, len(photos), BATCH):
        begun = time.perf_counter()
        pixels = torch.from_numpy(np.ascontiguousarray(photos.images[at : at + BATCH])).permute(0, 3, 1, 2).float()
        wide = functional.interpolate(pixels.expand(-1, 3, -1, -1), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        found.append(answers(network, wide.round().clamp(0, 255).to(torch.uint8), BATCH)[1].numpy())
        watch.progress(min(at + BATCH, len(photos)), len(photos))
        whole = (time.perf_counter() - begun) * len(photos) / len(pixels)
        if at == 0 and whole > seconds:
            if recipe.network not in LITES:
                watch.said(f"{len(photos)} photos are compared by their gradients alone (with the pretrained features too: --seconds {whole:.0f})")
                return None
            watch.said(f"photos of things need the pretrained network: about {whole:.0f} s here, --seconds {seconds:g} or not")
    return np.concatenate(found)


def _nearest(alike: np.ndarray, others: np.ndarray, photos: PhotoSet, part: np.ndarray) -> tuple[Neighbour, ...]:
    """Return the nearest photos of other sources."""
    order = np.argsort(np.where(others, -alike, np.inf), kind="stable")[: min(NEAREST, int(others.sum()))]
    return tuple(Neighbour(photos.ids[part[i]], photos.names[photos.labels[part[i]]], max(0.0, 1 - float(alike[i]))) for i in order)


def _told(root: str, photos: PhotoSet, ahead: np.ndarray, said: np.ndarray, *, near: list[tuple[Neighbour, ...]], how: Compared) -> Doubts:
    """Rank the photos and put what was found into records."""
    order = np.argsort(-ahead, kind="stable")
    shown = order[: max(SHOWN, int((ahead > LEAD).sum()))]
    ranked = []
    for at in shown[np.isfinite(ahead[shown])]:
        own = int(photos.labels[at])
        other = int(np.where(np.arange(said.shape[1]) == own, -1, said[at]).argmax())
        share, own_share = float(said[at, other]), float(said[at, own])
        names = (photos.ids[at], photos.names[own], photos.names[other])
        ranked.append(Doubt(*names, share, own_share, float(ahead[at]), bool(ahead[at] > LEAD), near[at]))
    label_of = dict(zip(photos.ids, photos.labels, strict=True))
    alike = [(link.first, link.second) for link in photos.links if label_of.get(link.first) != label_of.get(link.second)]
    same = dict.fromkeys(tuple(sorted((refusal.id, refusal.twin))) for refusal in photos.refused if refusal.twin)
    copies = tuple(dict.fromkeys([*((first, second) for first, second in same), *alike]))
    words = {(True, False): "gradients", (False, True): "pretrained features", (True, True): "gradients and pretrained features"}
    told = words[how.mix[0] + how.mix[1] > 0, how.mix[2] > 0]
    chance = float(np.bincount(photos.labels).max() / len(photos))
    return Doubts(root, len(photos), float((ahead <= 0).mean()), chance, told, tuple(ranked), copies)
