"""Where to draw the line between those the model knows and a stranger.

Works on scores alone: the familiarity of the best label, for examples of known labels that the network did not train on
(genuine) and for strangers (impostors). Knows nothing of networks or files.
"""

from dataclasses import dataclass

import numpy as np

from peephole.base.errors import DataError

__all__ = ["Line", "as_good_as", "clear_of", "draw_line", "refused_share"]

# Without any stranger to choose by, this share of the known is refused and nothing is promised about strangers.
BLIND_REFUSAL = 0.05
# Familiarity is a mean of cosines in float32: PyTorch and ONNX Runtime sum them in another order and differ by less than this.
ROUNDING = 2e-6


@dataclass(frozen=True)
class Line:
    """A threshold on familiarity, the share 0..1 of genuine scores below it, and how it was found, as a sentence."""

    threshold: float
    refused: float
    how: str


def refused_share(genuine: np.ndarray, threshold: float) -> float:
    """Return the share of genuine scores below a threshold, 0..1."""
    return float(np.mean(genuine < threshold))


def _between(scores: np.ndarray, below: int) -> float:
    """Return the middle of the gap that leaves so many scores below it, so that no rounding can carry a score across."""
    ranked = np.sort(scores.astype(np.float64))
    if below <= 0:
        return float(ranked[0]) - 10 * ROUNDING
    return float(ranked[below - 1] + ranked[min(below, len(ranked) - 1)]) / 2 if below < len(ranked) else float(ranked[-1]) + 10 * ROUNDING


def clear_of(threshold: float, scores: np.ndarray) -> float:
    """Return the lowest threshold, not below the given one, that no score is within rounding of.

    A score that stands on the line would be accepted by one program and refused by the next.
    """
    for score in np.sort(scores[scores > threshold - ROUNDING].astype(np.float64)):
        if score - threshold > ROUNDING:
            break
        threshold = float(score) + 1.5 * ROUNDING
    return threshold


def draw_line(genuine: np.ndarray, impostors: np.ndarray, false_accept: float, who: str) -> Line:
    """Choose the lowest threshold that lets at most a share `false_accept` of the impostors in.

    A new impostor is as likely to take any rank among n as the n themselves (conformal rank, Vovk et al. 2005): where k of them may pass,
    it passes with probability (k + 1) / (n + 1), so k is the largest that keeps this at or below `false_accept`. With fewer than
    1 / false_accept impostors none may pass and the promise is 1 / (n + 1) at best. Where none may pass, the line stands a tenth of the
    way from the most familiar impostor to the median genuine score above it; else in the middle between the impostor who must not pass
    and the score above.
    Raises DataError without genuine scores.
    """
    if not len(genuine):
        raise DataError("no example of a known label was held out, so no threshold can be chosen", "add photos: at least 2 of each label")
    if not len(impostors):
        line = _between(genuine, int(np.ceil(BLIND_REFUSAL * (len(genuine) - 1))))
        return Line(
            line,
            refused_share(genuine, line),
            f"{BLIND_REFUSAL:.0%} of held-out known examples refused; no stranger was there to choose by (20 strangers or 3 labels would do)",
        )
    passing = max(0, int(np.floor(false_accept * (len(impostors) + 1) + 1e-9)) - 1)
    ranked = np.sort(impostors)[::-1]
    line = float(np.nextafter(ranked[min(passing, len(ranked) - 1)], np.inf))
    if passing:
        everyone = np.concatenate([genuine, impostors])
        line = _between(everyone, int((everyone < line).sum()))
    else:
        line += 0.1 * max(0.0, float(np.median(genuine)) - line)
    shown = "none" if passing == 0 else f"at most {passing}"
    return Line(line, refused_share(genuine, line), f"{shown} of {len(impostors)} photos of {who} let in")


def as_good_as(line: Line, genuine: np.ndarray) -> Line:
    """Carry a line over to another network's scores: the threshold that refuses the same share of its genuine scores.

    Two trainings of one recipe spread their embeddings differently; the share refused is the scale they have in common.
    """
    if not len(genuine):
        return line
    threshold = _between(genuine, round(line.refused * len(genuine)))
    return Line(
        threshold, refused_share(genuine, threshold), f"{line.how}, carried over at the same share of known examples refused ({line.refused:.1%})"
    )
