"""The examples: pixels, labels, sources and strangers, with everything that was left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from peephole.data.copies import Link
from peephole.data.photos import Refusal

__all__ = ["PhotoSet"]


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """N examples.

    images uint8 (N, H, W, C), in memory or in a file mapped into it; labels int64 (N,) index into `names`, -1 for a stranger; sources int64
    (N,): examples with the same number are one original and its copies; strangers int64 (N,) index into `stranger_names`, -1 for labels;
    ids, digests (sha256 of the file, hex) and given (the split that the folders name, or "") have N entries each.
    Not among the N: `refused` files and exact `duplicates` (id dropped, id kept); all counts add up to the files seen.
    `links` say why two examples share a source.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    sources: np.ndarray
    strangers: np.ndarray
    stranger_names: tuple[str, ...]
    ids: tuple[str, ...]
    digests: tuple[str, ...]
    given: tuple[str, ...]
    refused: tuple[Refusal, ...]
    duplicates_dropped: int
    notes: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    def take(self, indices: np.ndarray | Sequence[int]) -> "PhotoSet":
        """Return the examples at `indices` (int or bool), in that order; names, notes, refusals and links stay those of the whole."""
        at = np.arange(len(self))[np.asarray(indices)] if len(indices) else np.empty(0, np.int64)
        return replace(
            self,
            images=self.images[at],
            labels=self.labels[at],
            sources=self.sources[at],
            strangers=self.strangers[at],
            ids=tuple(self.ids[i] for i in at),
            digests=tuple(self.digests[i] for i in at),
            given=tuple(self.given[i] for i in at),
        )
