"""t-SNE by openTSNE: one map of some points, into which new points are laid without fitting it again; needs the `explore` extra.

One thread and a start from the principal components: the same points and seed give the same map, bit for bit, on one machine.
"""

import numpy as np
from openTSNE import TSNE

from peephole.explain.principal import principal

__all__ = ["MANY", "Laid", "lay"]

MANY = 5_000  # points; from here on neighbours are found and forces summed approximately
TRANSFORM_PERPLEXITY = 5  # openTSNE's own choice: a new point looks at its nearest few


class Laid:
    """A finished map: its `points` float64 (n, 2), their `perplexity`, and what is lost, `divergence` (KL in nats)."""

    def __init__(self, vectors: np.ndarray, perplexity: float, seed: int) -> None:
        """Lay float vectors (n, d) out with a perplexity of 1 .. (n - 1) / 3."""
        start = principal(vectors).place(vectors)
        start = np.pad(start, ((0, 0), (0, 2 - start.shape[1])))
        # openTSNE's own scale for a start; without some spread in both directions the points could never leave a line.
        start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4
        start = start + np.random.default_rng(seed).normal(0, 1e-6, start.shape)
        few = len(vectors) <= MANY
        fit = TSNE(
            perplexity=perplexity,
            initialization=start,
            random_state=seed,
            n_jobs=1,
            neighbors="exact" if few else "annoy",
            negative_gradient_method="bh" if few else "fft",
        )
        self._map = fit.fit(np.ascontiguousarray(vectors, np.float64))
        # openTSNE's transform does this to the map itself, in place: places read before would not be those that new points are laid beside.
        self._map -= (self._map.max(axis=0) + self._map.min(axis=0)) / 2
        self.points = np.array(self._map, np.float64)
        self.perplexity = perplexity
        self.divergence = float(self._map.kl_divergence)

    def place(self, vectors: np.ndarray) -> np.ndarray:
        """Return where new vectors (m, d) lie on the map (m, 2); the map itself stays as it is, and new points do not move each other."""
        if not len(vectors):
            return np.empty((0, 2))
        near = min(25, len(self.points) - 1)
        perplexity = min(TRANSFORM_PERPLEXITY, (len(self.points) - 1) / 3)
        return np.array(self._map.transform(np.ascontiguousarray(vectors, np.float64), perplexity=perplexity, k=near), np.float64)


def lay(vectors: np.ndarray, perplexity: float, seed: int) -> Laid:
    """Return the map of vectors (n, d); `perplexity` must be 1 .. (n - 1) / 3."""
    return Laid(vectors, perplexity, seed)
