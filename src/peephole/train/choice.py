"""Which frames without a label to name next: those the network is torn about, like many others, and unlike what it knows.

Greedy k-center (Sener & Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach") on the embedding, each distance
weighted by the margin between the two best labels (Scheffer et al. 2001) and by density (Settles & Craven 2008): margin alone picks oddities, and
loses to chance with ten examples (docs/log.md).
"""

from dataclasses import dataclass

import numpy as np

from peephole.decide.familiarity import similarity

__all__ = ["Pick", "pick"]

NEIGHBOURS = 10  # frames that a frame's density is read off
DENSITY = 4.0  # how much more a frame in a crowd counts


@dataclass(frozen=True)
class Pick:
    """A frame worth naming: its index, the two labels it lies between (by index), their shares 0..1, and its distance 0..2 to what is known."""

    index: int
    first: int
    second: int
    shares: tuple[float, float]
    distance: float


def pick(chances: np.ndarray, frames: np.ndarray, known: np.ndarray, centre: np.ndarray, *, count: int, apart: float) -> tuple[Pick, ...]:
    """Return up to `count` frames, the most helpful first; no two of them, nor one and a known example, nearer than `apart` (1 - cosine).

    `chances` (N, labels) are the network's shares, `frames` (N, D) and `known` (M, D) embeddings, `centre` (D,) of the known.
    """
    if not len(frames):
        return ()
    order = np.argsort(-chances, axis=1)
    best, next_best = (np.take_along_axis(chances, order[:, place][:, None], 1)[:, 0] for place in (0, 1))
    among = similarity(frames, frames, centre)
    crowd = np.sort(among, axis=1)[:, ::-1][:, 1 : NEIGHBOURS + 1]
    weight = (1 - (best - next_best)) * np.exp(DENSITY * (crowd.mean(1) if crowd.size else 0))
    first_seen = distance = 1 - similarity(frames, known, centre).max(1)
    chosen: list[Pick] = []
    for _ in range(min(count, len(frames))):
        worth = np.where(distance > apart, distance * weight, -1.0)
        at = int(worth.argmax())
        if worth[at] < 0:
            break
        shares = (float(best[at]), float(next_best[at]))
        chosen.append(Pick(at, int(order[at, 0]), int(order[at, 1]), shares, float(first_seen[at])))
        distance = np.minimum(distance, 1 - among[:, at])
        distance[at] = -1.0
    return tuple(chosen)
