"""The report's first part: the answer, the one sentence behind it, the conditions it met or missed, and what to do if it is wrong."""

import html
import math

from peephole.base.card import Card
from peephole.base.records import Prediction
from peephole.explain.conditions import Condition, conditions
from peephole.explain.explanation import Explanation
from peephole.explain.phrases import quoted
from peephole.explain.words import Raw, number, share, text

__all__ = ["reason", "verdict_section"]


def reason(prediction: Prediction, card: Card, nearest: int) -> tuple[str, dict[str, str]]:
    """Return why the answer is what it is, as the key of a sentence and its values, with digits enough to tell familiarity and threshold apart.

    `nearest` is the number of the label whose examples are most familiar.
    """
    if not math.isfinite(prediction.familiarity):
        return "reason.nan", {}
    values = (prediction.familiarity, prediction.threshold)
    places = next((each for each in range(2, 7) if len({round(value, each) for value in values}) == 2), 6)
    facts = {"label": prediction.best, "value": number(values[0], places), "threshold": number(values[1], places)}
    if prediction.accepted:
        key = "accepted" if card.unknown.margin <= 0 or len(card.labels) < 2 else "accepted_margin"
    elif prediction.familiarity < prediction.threshold:
        key = "below"
    else:
        key = "margin" if prediction.margin >= 0 else "other"
    facts |= {"other": card.labels[nearest], "margin": number(prediction.margin, 4), "needed": number(card.unknown.margin, 4)}
    return f"reason.{key}", facts


def _condition(explanation: Explanation, each: Condition) -> Raw:
    """One condition with its mark, its sentence and its numbers."""
    card = explanation.card
    words = text(f"check.{each.key}", label=explanation.prediction.best, other=each.other, needed=f"{card.unknown.margin:g}")
    numbers = ""
    if each.sum is not None:
        shown = {
            name: Raw(f'<b data-part="{name}">{number(value, each.sum.places)}</b>')
            for name, value in (("value", each.sum.value), ("against", each.sum.against), ("difference", each.sum.difference))
        }
        # A negative number that is taken away is written in brackets, as at school.
        if round(each.sum.against, each.sum.places) < 0:
            shown["against"] = Raw(f"({shown['against']})")
        numbers = f'<span class="sum">{text("check.threshold" if each.key == "familiar" else "check.other", **shown)}</span>'
    kind, mark = ("met", "✓") if each.met else ("missed", "✗")
    return Raw(
        f'<li class="{kind}" data-check="{each.key}"><span class="mark"><span aria-hidden="true">{mark}</span> {text(f"check.{kind}")}</span>'
        f"<span>{words} {numbers}</span></li>"
    )


def _steps(explanation: Explanation, checked: tuple[Condition, ...]) -> list[Raw]:
    """What to do if the answer is wrong, by the first condition that was missed."""
    prediction = explanation.prediction
    missed = next((each for each in checked if not each.met), None)
    if missed is None:
        return [text("next.taken"), text("next.often")]
    if missed.key == "number":
        return [text("next.broken")]
    if missed.key == "familiar" and missed.sum is not None:
        missing = number(-missed.sum.difference, missed.sum.places)
        return [text("next.look"), text("next.add", label=prediction.best, missing=missing), text("next.line")]
    return [text("next.sides" if prediction.margin < 0 else "next.close", label=prediction.best, other=missed.other), text("next.look")]


def verdict_section(explanation: Explanation) -> Raw:
    """Recognised as whom, or a stranger; why; and what would change it."""
    prediction, unknown = explanation.prediction, explanation.card.unknown
    checked = conditions(explanation)
    if prediction.accepted and prediction.label is not None:
        answer = text("verdict.known", label=Raw(f"<b>{html.escape(prediction.label)}</b>"))
    else:
        answer = text("verdict.stranger")
    kind = "known" if prediction.accepted else "stranger"
    key, facts = reason(prediction, explanation.card, explanation.familiarity[0].label)
    rows = "".join(_condition(explanation, each) for each in checked)
    softmax = text("verdict.softmax", label=prediction.best, share=share(prediction.probability))
    threshold = text("verdict.how", threshold=number(unknown.threshold, 4), how=quoted("how", unknown.how))
    steps = "".join(f"<li>{step}</li>" for step in _steps(explanation, checked))
    return Raw(
        f'<div class="verdict {kind}"><p class="answer">{answer}</p><p>{text(key, **facts)}</p></div>'
        f'<h3 id="checks">{text("check.title")}</h3><ol class="checks" aria-labelledby="checks">{rows}</ol><p>{softmax}</p><p>{threshold}</p>'
        f'<p class="note">{text("verdict.note")}</p><h3>{text("next.open" if prediction.accepted else "next.shut")}</h3><ul>{steps}</ul>'
    )
