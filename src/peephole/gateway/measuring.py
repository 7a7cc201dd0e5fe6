"""Strangers to measure a gate with: a folder as unknown/ is laid out -> their answers beside the gallery, numbered, without names."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from peephole.base.errors import DataError, InputError
from peephole.data.layout import is_unknown, label_of, walk
from peephole.decide.predictor import Predictor
from peephole.gateway.enrol import LeftOut, prepared
from peephole.gateway.keys import Limits
from peephole.gateway.people import Example, People

__all__ = ["Met", "meet"]

MOST = 5_000  # photos at a time


@dataclass(frozen=True, eq=False)
class Met:
    """The people with the strangers who were added, how many strangers and photos these are, and what was left out."""

    people: People
    strangers: int
    photos: int
    left_out: tuple[LeftOut, ...]


def meet(predictor: Predictor, people: People, folder: Path, limits: Limits, wall: float) -> Met:
    """Take in strangers: a sub-folder is one, loose files are one together. A photo that trained, that is known or that stands here twice is no use.

    A stranger of whom one photo is here already is that stranger again. Raises InputError without a folder, or where
    a sub-folder bears the name of somebody known, DataError when nothing is left.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "give a folder with one sub-folder of photos per stranger, as unknown/ is for training")
    groups = _by_stranger(folder)
    _require_strangers(folder, groups, people.gallery.labels(predictor.model.card.labels))
    used = set(predictor.model.card.training.digests)
    known = {example.digest: example for example in people.examples}
    fresh: list[Example] = []
    left: list[LeftOut] = []
    for name, files in groups.items():
        read, out = prepared(predictor, files, limits)
        left += out
        again = next((known[one.digest].who for one in read if one.digest in known and known[one.digest].role == "stranger"), "")
        who = again or sha256(f"stranger {name}".encode()).hexdigest()[:16]
        good = [one for one in read if one.digest not in used and one.digest not in known]
        left += [LeftOut(str(one.photo.path), "the model was trained with it") for one in read if one.digest in used]
        left += [LeftOut(str(one.photo.path), "known here already") for one in read if one.digest in known]
        if good:
            outputs = predictor.engine.run(np.stack([one.pixels for one in good]))
            added = [Example(0, "stranger", who, one.digest, "", wall, outputs.at(slice(at, at + 1))) for at, one in enumerate(good)]
            known |= {example.digest: example for example in added}
            fresh += added
    if not fresh:
        first = f" (first: {left[0].file}: {left[0].why})" if left else ""
        raise DataError(
            f"{folder} has no photo of a stranger that can be used{first}", "give photos that neither trained the model nor are known here"
        )
    return Met(people.plus(fresh), len({example.who for example in fresh}), len(fresh), tuple(left))


def _require_strangers(folder: Path, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise InputError where sub-folders bear the names of people who are known: each of them would count as a stranger."""
    names, residents = sorted(names), {label.casefold() for label in known}
    found = [name for name in names if label_of(name).casefold() in residents]
    if found:
        inner = next((folder / name for name in names if is_unknown(name)), None)
        hint = f"its strangers alone: --strangers {inner}" if inner else "give a folder with one sub-folder per stranger, and nobody who is known"
        raise InputError(f"{folder} holds photos of {', '.join(found[:5])}, who {'is' if len(found) == 1 else 'are'} known here: no strangers", hint)


def _by_stranger(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each stranger: of each sub-folder, and the loose ones together."""
    found: dict[str, list[Path]] = {}
    entries = list(walk(folder, []))
    if len(entries) > MOST:
        raise DataError(f"{len(entries):,} files at a time; at most {MOST:,}", "measure in parts: each adds to what was measured before")
    for entry in entries:
        found.setdefault(entry.parts[0] if len(entry.parts) > 1 else "", []).append(Path(entry.path))
    return dict(sorted(found.items()))
