"""After training: the temperature of the softmax, and the line between the known and strangers."""

from dataclasses import dataclass, replace

import numpy as np

from peephole.decide.judge import softmax
from peephole.decide.threshold import Line, as_good_as, draw_line, refused_share
from peephole.train.crossfit import Strange

__all__ = ["Calibration", "line_for", "temperature"]


# Of invented characters so many may pass. Five unknown digits then pass in 3.4 % of their drawings, in 5.5 % by labels in turn alone (docs/log.md).
MADE_SHARE = 0.05
# Of the known so many may be refused for the sake of invented characters: among ten labels every third of those looks a little like one.
MOST_REFUSED = 0.25
CLEAR = 1e-5  # beyond a score, more than sums in another order differ by


@dataclass(frozen=True)
class Calibration:
    """The temperature (> 0) and the line of a model."""

    temperature: float
    line: Line


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature, 0.25..8, with the least cross-entropy on held-out logits (n, L) (Guo et al. 2017).

    With fewer than 10 examples, or without a single wrong one, the data cannot say, and it is 1.
    """
    if len(labels) < 10 or (logits.argmax(1) == labels).all():
        return 1.0
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8), 141))
    rows = np.arange(len(labels))
    costs = [-np.log(softmax(logits, t)[rows, labels] + 1e-12).mean() for t in candidates]
    return float(round(candidates[int(np.argmin(costs))], 4))


def line_for(
    genuine: np.ndarray,
    strange: Strange | None,
    strangers: np.ndarray,
    false_accept: float,
    *,
    one_scale: bool = False,
    made: np.ndarray | None = None,
) -> Line:
    """Choose the line from strangers' scores (n,) where there are enough to choose by, else from labels held out in turn.

    `genuine` are held-out scores of known labels by the network (or by its folds) that the line is for. With `one_scale` the networks that
    met labels as strangers measure as it does (frozen features), and the line stays where it was found; else it is carried over. `made` are
    the scores of drawings that a program invented: the line lets at most 5 % of them in as well.
    """
    if len(strangers):
        return draw_line(genuine, strangers, false_accept, "strangers set aside to choose by")
    line = _without_strangers(genuine, strange, false_accept, one_scale=one_scale)
    if made is None:
        return line
    return max(line, _by_invented(genuine, made), key=lambda each: each.threshold)


def _by_invented(genuine: np.ndarray, made: np.ndarray) -> Line:
    """Let at most 5 % of invented characters in, but for their sake refuse no more than a quarter of the known."""
    line = draw_line(genuine, made, MADE_SHARE, "characters invented as strangers")
    if line.refused <= MOST_REFUSED:
        return line
    threshold = float(np.quantile(genuine.astype(np.float64), MOST_REFUSED, method="lower")) + CLEAR
    passing = int((made >= threshold).sum())
    how = f"a quarter of held-out known examples refused for the sake of {len(made)} characters invented as strangers, of whom {passing} are let in"
    return Line(threshold, refused_share(genuine, threshold), how)


def _without_strangers(genuine: np.ndarray, strange: Strange | None, false_accept: float, *, one_scale: bool) -> Line:
    """Choose the line by labels held out in turn, or by the known alone."""
    if strange is None:
        return draw_line(genuine, np.empty(0), false_accept, "nobody")
    line = draw_line(strange.genuine, strange.impostors, false_accept, f"{strange.labels} labels held out in turn")
    if one_scale and len(genuine):
        return replace(line, refused=refused_share(genuine, line.threshold))
    return as_good_as(line, genuine)
