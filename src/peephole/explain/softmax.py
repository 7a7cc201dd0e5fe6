"""Softmax term by term: logit, over temperature, minus the largest, its exponential, the sum, the share."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Softmax", "Term", "work_out"]

PLACES = range(4, 11)
CLOSES = 1e-5


@dataclass(frozen=True)
class Term:
    """One label on its way through softmax; `share` 0..1 is its probability."""

    label: int
    logit: float
    tempered: float
    shifted: float
    power: float
    share: float


@dataclass(frozen=True)
class Softmax:
    """All terms, most probable first, with the sum of the exponentials.

    `places` decimals are printed; the exponentials and shares as printed miss their sums by `power_residue` and `share_residue`.
    """

    temperature: float
    terms: tuple[Term, ...]
    sum: float
    places: int
    power_residue: float
    share_residue: float


def work_out(logits: np.ndarray, temperature: float = 1.0) -> Softmax:
    """Return the softmax of logits (labels,) over a temperature > 0 in double precision (MATH: p_i = e^(z_i - max z) / sum)."""
    z = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite logits give NaN, and NaN is what is shown
        tempered = z / temperature
        shifted = tempered - tempered.max()
        powers = np.exp(shifted)
        total = float(powers.sum())
        shares = powers / total
    order = np.argsort(-shares, kind="stable")
    columns = (z, tempered, shifted, powers, shares)
    terms = tuple(Term(int(label), *(float(column[label]) for column in columns)) for label in order)
    places, power_residue, share_residue = PLACES[-1], 0.0, 0.0
    for places in PLACES:
        power_residue = round(round(total, places) - float(powers.round(places).sum()), places)
        share_residue = round(1 - float(shares.round(places).sum()), places)
        rows = np.abs(powers.round(places) / round(total, places) - shares.round(places))
        if abs(power_residue) <= CLOSES * total and abs(share_residue) <= CLOSES and rows.max() <= CLOSES:
            break
    return Softmax(temperature, terms, total, places, power_residue, share_residue)
