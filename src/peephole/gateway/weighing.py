"""Several possible actions weighed by what they cost: the least expected cost, among what the rules permit anyway; pure.

An opening can only be taken away by weighing, never added. The posterior is the model's mean probability over the frames that
agreed, not their product (frames of one visit are no independent witnesses), after Bayes' rule for a stranger who was accepted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Choice", "Weights", "posterior", "weigh"]


@dataclass(frozen=True)
class Weights:
    """What the sum needs: the share of visits by `strangers` and the rate at which one is accepted (`mistaken`), both 0..1.

    `refusal` is the cost of leaving somebody outside who may come in; `costs` are those of each action: for an opening of a wrong
    one, for any other of disturbing.
    """

    strangers: float
    mistaken: float
    refusal: float
    costs: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """The cheapest action, an empty string for nothing, and the sum in words."""

    action: str
    told: str


def posterior(weights: Weights, odds: Mapping[str, float]) -> dict[str, float]:
    """Return what each label's probability is once strangers are possible; they sum to at most 1, the rest is a stranger.

    `odds` are the model's mean probabilities, 0..1. Residents are taken to be accepted always: one who is refused half the time
    makes a stranger twice as likely as this says.
    """
    accepted = weights.strangers * weights.mistaken
    known = 1 - weights.strangers
    share = known / (known + accepted) if known + accepted > 0 else 0.0
    return {label: share * probability for label, probability in odds.items()}


def weigh(weights: Weights, odds: Mapping[str, float], permitted: Iterable[str], actions: Iterable[str], opening: str | None) -> Choice:
    """Choose among `actions`, of which `opening` is the one that opens (None: none does), and doing nothing.

    `permitted` are the labels that the opening is for. Of equals, nothing is preferred, then what does not open.
    """
    chances = posterior(weights, odds)
    may = min(1.0, sum(chances.get(label, 0.0) for label in permitted))
    sums = {"": (weights.refusal * may, f"nothing {weights.refusal:g} x {may:.3g}")}
    for action in actions:
        cost = weights.costs.get(action, 0.0)
        if action == opening:
            sums[action] = (cost * (1 - may), f"{action} {cost:g} x {1 - may:.3g}")
        elif action == "call":  # somebody is asked, who may open: nobody is left outside
            sums[action] = (cost, f"{action} {cost:g}")
        else:
            sums[action] = (cost + weights.refusal * may, f"{action} {cost:g} + {weights.refusal:g} x {may:.3g}")
    order = sorted(sums, key=lambda action: (action == opening, action != ""))
    best = min(order, key=lambda action: sums[action][0])
    told = "; ".join(f"{text} = {cost:.3g}" for cost, text in sums.values())
    return Choice(best, f"expected costs: {told}; the least is {best or 'nothing'}")
