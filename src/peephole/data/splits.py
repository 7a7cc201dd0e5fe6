"""Who may train, choose and prove: examples split by source and stratified by label, strangers by stranger (EVIDENCE)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from peephole.base.errors import DataError
from peephole.data.photoset import PhotoSet
from peephole.data.shared import too_few

__all__ = ["ENOUGH", "Split", "dealt", "merged_strangers", "split", "stranger_split"]

# From so many sources of every label, or so many strangers, a part can be kept aside for proof.
ENOUGH = 20
CHOOSE = PROVE = 0.15
FOLDS = 5
# Choosing a recipe or a threshold needs no more sources of one label than this; what is left trains.
CHOOSE_AT_MOST = 200


@dataclass(frozen=True, eq=False)
class Split:
    """Indices (int64) of labelled examples per role; strangers are never among them, see `stranger_split`.

    `role` is "proof" when `prove` may be touched once at the end; else "estimate": `train` is everything, `choose` and
    `prove` are empty and `folds` hold out every labelled example exactly once. In "proof", `folds` cover `train`.
    """

    train: np.ndarray
    choose: np.ndarray
    prove: np.ndarray
    role: Literal["proof", "estimate"]
    folds: tuple[np.ndarray, ...]
    notes: tuple[str, ...] = ()


def split(photos: PhotoSet, seed: int) -> Split:
    """Split examples by source: 70 / 15 / 15, or as the folders say, or into folds when a label has fewer than 20 sources.

    No source stands on two sides; at most 200 sources of a label choose. The same photos and seed give the same split.
    Raises DataError when a label has fewer than 2 sources, or none to train on.
    """
    rng = np.random.default_rng(seed)
    labelled = np.flatnonzero(photos.labels >= 0)
    _require_sources(photos, labelled)
    if any(photos.given[i] for i in labelled):
        return _as_given(photos, labelled, rng)
    owners = _owners(photos, labelled)
    if min(len(found) for found in owners) >= ENOUGH:
        train, choose, prove = _shares(photos, labelled, owners, (CHOOSE, PROVE), rng)
        return Split(train, choose, prove, "proof", _folds(photos, train, rng))
    empty = np.empty(0, np.int64)
    return Split(labelled, empty, empty, "estimate", _folds(photos, labelled, rng))


def _owners(photos: PhotoSet, among: np.ndarray) -> list[np.ndarray]:
    """Return the sources of each label; a source whose copies stand under two labels belongs to the smaller index."""
    sources, first = np.unique(photos.sources[among][order := np.argsort(photos.labels[among], kind="stable")], return_index=True)
    labels = photos.labels[among][order][first]
    return [sources[labels == label] for label in range(len(photos.names))]


def _require_sources(photos: PhotoSet, labelled: np.ndarray) -> None:
    """Refuse a label that nothing can be held out of."""
    if len(photos.names) < 2:
        raise DataError("fewer than 2 labels; at least 2 are needed to tell one from another", "add a folder with photos of something else")
    for name, found, count in zip(
        photos.names, _owners(photos, labelled), np.bincount(photos.labels[labelled], minlength=len(photos.names)), strict=True
    ):
        if len(found) >= 2:
            continue
        raise too_few(photos, name, int(count))


def _shares(
    photos: PhotoSet, among: np.ndarray, owners: list[np.ndarray], shares: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deal every label's sources into train, choose and prove; at least one stays for training."""
    role = np.zeros(int(photos.sources.max()) + 1, np.int8)
    for found in owners:
        mixed = rng.permutation(found)
        counts = [max(1, round(share * len(mixed))) if share else 0 for share in shares]
        counts[0] = min(counts[0], CHOOSE_AT_MOST)
        role[mixed[: counts[0]]] = 1
        role[mixed[counts[0] : sum(counts)]] = 2
    mine = role[photos.sources[among]]
    return among[mine == 0], among[mine == 1], among[mine == 2]


def dealt(photos: PhotoSet, among: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Deal the examples at `among` into folds as `split` does, by source and by label; another seed deals otherwise."""
    return _folds(photos, among, np.random.default_rng([seed % 2**32, 2]))


def _folds(photos: PhotoSet, among: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Deal every label's sources round robin: with 5 or fewer of the rarest label each fold holds one of its sources out."""
    owners = _owners(photos, among)
    count = max(2, min(FOLDS, *(len(found) for found in owners)))
    fold = np.zeros(int(photos.sources.max()) + 1, np.int64)
    for turn, found in enumerate(owners):
        fold[rng.permutation(found)] = (np.arange(len(found)) + turn) % count
    mine = fold[photos.sources[among]]
    return tuple(among[mine == k] for k in range(count))


def _as_given(photos: PhotoSet, labelled: np.ndarray, rng: np.random.Generator) -> Split:
    """Honour train/, val/ and test/; a source that also stands in train/ is left out of the others."""
    given = np.array(photos.given)[labelled]
    train = labelled[given == "train"]
    missing = [name for i, name in enumerate(photos.names) if not (photos.labels[train] == i).any()]
    if missing:
        raise DataError(f"label {missing[0]} has no photo in train/", f"add photos to train/{missing[0]}, or leave it out: --skip {missing[0]}")
    notes: list[str] = []
    taken = np.unique(photos.sources[train])
    choose = _without(photos, labelled[given == "val"], taken, "val", notes)
    taken = np.union1d(taken, photos.sources[choose])
    prove = _without(photos, labelled[given == "test"], taken, "test", notes)
    owners = _owners(photos, train)
    enough = min(len(found) for found in owners) >= ENOUGH
    if enough and not (len(choose) and len(prove)):
        shares = (0.0 if len(choose) else CHOOSE, 0.0 if len(prove) else PROVE)
        train, more_choose, more_prove = _shares(photos, train, owners, shares, rng)
        choose, prove = np.concatenate([choose, more_choose]), np.concatenate([prove, more_prove])
        notes.append(
            "the folders name no " + " and no ".join(["val"] * (shares[0] > 0) + ["test"] * (shares[1] > 0)) + ": taken from train by source"
        )
    if len(prove):
        return Split(train, choose, prove, "proof", _folds(photos, train, rng), tuple(notes))
    empty = np.empty(0, np.int64)
    everything = np.sort(np.concatenate([train, choose]))
    notes.append(f"no test/ and fewer than {ENOUGH} sources of a label: results are estimates over folds of train/ and val/ together")
    return Split(everything, empty, empty, "estimate", _folds(photos, everything, rng), tuple(notes))


def _without(photos: PhotoSet, side: np.ndarray, taken: np.ndarray, name: str, notes: list[str]) -> np.ndarray:
    """Drop the examples of one side whose source stands on an earlier side."""
    leaked = np.isin(photos.sources[side], taken)
    if leaked.any():
        notes.append(
            f"{leaked.sum()} photos in {name}/ are copies of photos in an earlier split and were left out (first: {photos.ids[side[leaked][0]]})"
        )
    return side[~leaked]


def stranger_split(photos: PhotoSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of strangers' photos that choose the threshold and that prove it; no stranger stands on both sides.

    From 20 strangers half choose and half prove; with fewer all prove, and the threshold must come from labels held
    out in turn. Folders rule: a stranger with a photo in train/ or val/ chooses, one in test/ only proves.
    """
    at = np.flatnonzero(photos.labels < 0)
    if not len(at):
        return at, at
    owner = merged_strangers(photos.strangers[at], photos.sources[at])
    given = np.array(photos.given)[at]
    if (given != "").any():
        seen = np.unique(owner[(given == "train") | (given == "val")])
        chooses = np.isin(owner, seen)
        free = np.unique(owner[~np.isin(owner, np.unique(owner[given != ""]))])
    else:
        chooses, free = np.zeros(len(at), bool), np.unique(owner)
    if len(free) >= ENOUGH:
        mixed = np.random.default_rng([seed, 1]).permutation(free)
        chooses |= np.isin(owner, mixed[: len(mixed) // 2])
    return at[chooses], at[~chooses]


def merged_strangers(strangers: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Give strangers that share a source one number: the same person in two folders is one stranger."""
    owner = strangers.copy()
    while True:
        low = np.full(int(sources.max()) + 1, owner.max() + 1)
        np.minimum.at(low, sources, owner)
        best = np.full(int(strangers.max()) + 1, owner.max() + 1)
        np.minimum.at(best, strangers, low[sources])
        merged = best[strangers]
        if (merged == owner).all():
            return owner
        owner = merged
