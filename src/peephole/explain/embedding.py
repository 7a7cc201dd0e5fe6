"""A map of embeddings: vectors with names and labels -> places on a plane, how far to believe them, groups, neighbours, and why it is drawn so.

t-SNE stands first and principal components beside it; of fewer than 50 points it is the other way round, because t-SNE of a handful shows what
its settings want. New points are laid into the finished map, never by fitting it again. Needs the `explore` extra.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import DataError, InputError, SettingsError
from peephole.explain.clusters import Clusters, groups
from peephole.explain.faithfulness import Faithfulness, faithfulness
from peephole.explain.principal import Principal, principal
from peephole.explain.tsne import Laid, lay
from peephole.explain.words import plain

__all__ = ["FEWEST", "MOST", "EmbeddingMap", "Placed", "Projection", "Reason", "View", "draw_map", "project"]

FEWEST, FEW, MOST = 3, 50, 20_000  # points: of a map; below which principal components stand first; of the largest map
LEAST_TSNE = 8  # points; a perplexity below 2.3 joins single pairs
PERPLEXITY, DEEPEST = 30.0, 50  # the usual perplexity; dimensions that t-SNE and clusters are given
NEIGHBOURS = 5
FAR = 0.99  # a new point farther from its nearest than this share of the others from theirs is far from all


@dataclass(frozen=True)
class Reason:
    """A sentence about the map, in any language: its key among the page's words (after "map.reason.") and the values filled in."""

    key: str
    values: tuple[tuple[str, str], ...] = ()

    def said(self, language: str = "en") -> str:
        """Return the sentence in a language, not escaped."""
        return plain(language, f"map.reason.{self.key}", **dict(self.values))


@dataclass(frozen=True, eq=False)
class View:
    """One way to lay n points flat: `method` ("t-sne" or "pca"), `points` float64 (n, 2), and how faithful that is.

    `perplexity` and `divergence` (KL in nats) are those of t-SNE, `shares` the two shares 0..1 of the variance that principal components keep.
    """

    method: str
    points: np.ndarray
    faithfulness: Faithfulness
    perplexity: float | None = None
    divergence: float | None = None
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Placed:
    """New points on a finished map: `points` and `beside` float64 (m, 2) in its two views, `nearest` int (m,) the nearest known point of each.

    `distances` (m,) to it, in the units of the vectors; `far` bool (m,): farther than known points are from each other, so its place says little.
    `labels` may be None (a stranger) or "" (not known).
    """

    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    points: np.ndarray
    beside: np.ndarray | None
    nearest: np.ndarray
    distances: np.ndarray
    far: np.ndarray


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """A map of n points: what a page shows.

    `names` and `labels` of the points (a label is None for a stranger, "" where there is none); `method`, `points` float64 (n, 2) and `faithfulness`
    of the view to look at, `perplexity` and `divergence` where it is t-SNE; `beside` the other view, None where there is none. `neighbours` int
    (n, k) are the nearest points among the embeddings, nearest first, `distances` (n, k) how far. `chosen` int (n,) are the rows that were given.
    `clusters`, the `reasons` why it is drawn so, and `new` points that were laid in afterwards.
    """

    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    method: str
    points: np.ndarray
    faithfulness: Faithfulness
    perplexity: float | None
    divergence: float | None
    shares: tuple[float, ...]
    beside: View | None
    neighbours: np.ndarray
    distances: np.ndarray
    chosen: np.ndarray
    clusters: tuple[Clusters, ...]
    reasons: tuple[Reason, ...]
    dimensions: int
    seed: int
    new: Placed | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """Both views, the one to look at first."""
        first = View(self.method, self.points, self.faithfulness, self.perplexity, self.divergence, self.shares)
        return (first, self.beside) if self.beside else (first,)

    def find(self, words: str) -> tuple[int, ...]:
        """Return the points whose name or label holds `words`, in any case."""
        wanted = words.casefold()
        return tuple(i for i, (name, label) in enumerate(zip(self.names, self.labels, strict=True)) if wanted in f"{name}\n{label or ''}".casefold())


class Projection:
    """A finished `map` that can take more points; keeps the vectors."""

    def __init__(self, found: EmbeddingMap, vectors: np.ndarray, flat: Principal, laid: Laid | None) -> None:
        """Hold a map, its `vectors` (n, d), their principal components and t-SNE, where there is one."""
        self.map = found
        self._vectors, self._flat, self._laid = vectors, flat, laid

    def place(self, vectors: np.ndarray, names: Sequence[str], labels: Sequence[str | None] | None = None) -> Placed:
        """Lay new vectors (m, d) into the map without moving anything on it; raises InputError for another width or what is not a number."""
        new, labels = _checked(vectors, names, labels)
        if new.shape[1] != self._vectors.shape[1]:
            raise InputError(f"new points of {new.shape[1]} numbers do not fit on a map of {self._vectors.shape[1]}", "use the same model for both")
        if not np.isfinite(new).all():
            bad = names[int(np.flatnonzero(~np.isfinite(new).all(axis=1))[0])]
            raise InputError(f"{bad} has an embedding that is not a number, so it has no place", "leave it out")
        nearest, far_from = _nearest(self._vectors, new, 1)
        places = {"pca": _two(self._flat.place(new))} | ({"t-sne": self._laid.place(self._flat.place(new))} if self._laid else {})
        usual = np.quantile(self.map.distances[:, 0], FAR)
        return Placed(
            names=tuple(names),
            labels=tuple(labels),
            points=places[self.map.method],
            beside=places[self.map.beside.method] if self.map.beside else None,
            nearest=nearest[:, 0],
            distances=far_from[:, 0],
            far=far_from[:, 0] > usual * (1 + 1e-9),
        )


def _checked(vectors: np.ndarray, names: Sequence[str], labels: Sequence[str | None] | None) -> tuple[np.ndarray, Sequence[str | None]]:
    found = np.asarray(vectors, np.float64)
    labels = [""] * len(names) if labels is None else labels
    if found.ndim != 2 or not found.shape[1] or len(found) != len(names) or len(found) != len(labels):
        raise InputError(f"{len(names)} names, {len(labels)} labels and vectors of shape {found.shape} do not belong together", "give one row each")
    return found, labels


def _two(points: np.ndarray) -> np.ndarray:
    """Return the first two columns of points (n, m), zeros where there is only one."""
    return np.asarray(np.pad(points[:, :2], ((0, 0), (0, max(0, 2 - points.shape[1])))))


def _nearest(known: np.ndarray, asked: np.ndarray, k: int, *, selves: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest known points (m, k) of each point asked, nearest first, and how far they are; `selves`: without the point itself."""
    squares, found, far = (known * known).sum(axis=1), [], []
    for at in range(0, len(asked), 512):
        some = asked[at : at + 512]
        near = squares[None, :] - 2 * some @ known.T
        if selves:
            near[np.arange(len(some)), np.arange(at, at + len(some))] = np.inf
        best = np.argpartition(near, k - 1, axis=1)[:, :k] if k < len(known) else np.argsort(near, axis=1)[:, :k]
        exact = np.linalg.norm(known[best] - some[:, None], axis=2)  # the shorter way above loses digits where points are near
        order = np.lexsort((best, exact), axis=1)
        found.append(np.take_along_axis(best, order, axis=1))
        far.append(np.take_along_axis(exact, order, axis=1))
    return (np.concatenate(found), np.concatenate(far)) if found else (np.empty((0, k), np.int64), np.empty((0, k)))


def _usable(vectors: np.ndarray, names: Sequence[str], seed: int) -> tuple[np.ndarray, list[Reason]]:
    """Return the rows that can be shown, and what is left out; raises DataError when there are too few or all are the same."""
    rows = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    reasons: list[Reason] = []
    if len(rows) < len(vectors):
        first = names[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
        reasons.append(Reason("notnumbers", (("left", f"{len(vectors) - len(rows):,}"), ("first", first))))
    if len(rows) > MOST:
        reasons.append(Reason("sampled", (("shown", f"{MOST:,}"), ("all", f"{len(rows):,}"), ("seed", str(seed)))))
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    if len(rows) < FEWEST:
        what = (
            f"{len(rows)} point{' has' if len(rows) == 1 else 's have'} no map; at least {FEWEST} are needed so that one can be nearer than another"
        )
        raise DataError(what, "give more photos, or leave them out: the map is then of the known examples in the model")
    if (vectors[rows] == vectors[rows[0]]).all():
        raise DataError(
            f"all {len(rows)} points have the same embedding, so there is nothing to map", "give photos that differ, or train the model again"
        )
    return rows, reasons


def _perplexity(n: int, asked: float | None) -> tuple[float, list[Reason]]:
    """Return the perplexity for n points, lowered to (n - 1) / 3 where it is larger, and why; raises SettingsError for one that is none."""
    if asked is not None and not 1 <= asked < float("inf"):
        raise SettingsError(f"a perplexity of {asked:g} is no number of neighbours", "--perplexity 30")
    wanted, most = PERPLEXITY if asked is None else asked, (n - 1) / 3
    if wanted <= most:
        return wanted, []
    values = (("asked", f"{wanted:g}"), ("used", f"{most:.3g}"), ("n", f"{n:,}"))
    return most, [Reason("perplexity", values)]


def _views(vectors: np.ndarray, flat: Principal, perplexity: float | None, seed: int) -> tuple[list[View], Laid | None, list[Reason]]:
    """Draw both views, the better one first, with the reasons."""
    n = len(vectors)
    inner = flat.place(vectors)
    straight = _two(inner)
    views = [View("pca", straight, faithfulness(vectors, straight, seed=seed), shares=tuple(float(share) for share in flat.shares[:2]))]
    if n < LEAST_TSNE:
        return views, None, [Reason("toofew", (("n", str(n)), ("least", str(LEAST_TSNE))))]
    used, reasons = _perplexity(n, perplexity)
    laid = lay(inner, used, seed)
    view = View("t-sne", laid.points, faithfulness(vectors, laid.points, seed=seed), perplexity=laid.perplexity, divergence=laid.divergence)
    if n < FEW:
        return [*views, view], laid, [Reason("few", (("n", str(n)), ("few", str(FEW)))), *reasons]
    return [view, *views], laid, [Reason("many", (("n", f"{n:,}"),)), *reasons]


def project(
    vectors: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str | None] | None = None,
    *,
    perplexity: float | None = None,
    seed: int = 7,
) -> Projection:
    """Map float vectors (n, d), 3 <= n, with their names and, where there are any, labels (None: a stranger).

    Distances are Euclidean. Rows that are not numbers are left out; over 20,000 a sample is drawn; both are said in the reasons. t-SNE and the
    clusters see at most 50 principal components. Raises InputError for what does not belong together, DataError for fewer than 3 usable points or
    points that are all the same, SettingsError for a perplexity below 1.
    """
    given, labels = _checked(vectors, names, labels)
    rows, reasons = _usable(given, names, seed)
    _perplexity(max(len(rows), FEWEST), perplexity)  # refuse before the work
    own = given[rows]
    flat = principal(own, DEEPEST)
    views, laid, why = _views(own, flat, perplexity, seed)
    reasons += why
    if own.shape[1] > DEEPEST:
        reasons.append(Reason("reduced", (("d", f"{own.shape[1]:,}"), ("kept", str(len(flat.axes))), ("share", f"{100 * flat.shares.sum():.1f}"))))
    told = tuple(labels[row] for row in rows)
    kinds = {label: number for number, label in enumerate(dict.fromkeys(told))}
    numbers = np.array([kinds[label] for label in told]) if len(kinds) > 1 else None
    neighbours, far = _nearest(own, own, min(NEIGHBOURS, len(rows) - 1), selves=True)
    first = views[0]
    found = EmbeddingMap(
        names=tuple(names[row] for row in rows),
        labels=told,
        method=first.method,
        points=first.points,
        faithfulness=first.faithfulness,
        perplexity=first.perplexity,
        divergence=first.divergence,
        shares=first.shares,
        beside=views[1] if len(views) > 1 else None,
        neighbours=neighbours,
        distances=far,
        chosen=rows,
        clusters=groups(flat.place(own), numbers, seed=seed),
        reasons=tuple(reasons),
        dimensions=own.shape[1],
        seed=seed,
    )
    return Projection(found, own, flat, laid)


def draw_map(
    vectors: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str | None] | None = None,
    *,
    perplexity: float | None = None,
    seed: int = 7,
) -> EmbeddingMap:
    """Return the map alone; see `project`."""
    return project(vectors, names, labels, perplexity=perplexity, seed=seed).map
