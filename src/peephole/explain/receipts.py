"""The report's part on receipts: which augmentations helped on the photos that the model learned from."""

from peephole.base.card import Paired, Receipt, Receipts
from peephole.explain.phrases import quoted
from peephole.explain.words import Raw, count, number, table, text

__all__ = ["receipts_section"]

HEADS = ("effect", "accuracy", "loss", "difference", "verdict")


def _name(row: Receipt) -> Raw:
    """The augmentation in words, and whether it was added to the recipe for comparison."""
    strength = quoted("variation", row.strength)
    if row.effect == "all":
        return text("receipts.all")
    return strength if row.used else text("receipts.added", strength=strength)


def _both(score: Paired, scale: int, places: int, unit: str) -> Raw:
    """Without and with: a pair of numbers."""
    return Raw(f"{number(scale * score.absent, places)}{unit} → {number(scale * score.present, places)}{unit}")


def _signed(value: float) -> str:
    shown = number(value)
    return f"+{shown}" if value > 0 and float(shown.replace(",", "")) else shown


def _row(row: Receipt) -> list[str | Raw]:
    low, high = row.loss.interval
    change = text("receipts.change", difference=_signed(row.loss.difference), low=_signed(low), high=_signed(high))
    verdict = text(f"receipts.{row.verdict}")
    return [
        _name(row),
        _both(row.accuracy, 100, 0, "\u00a0%"),
        _both(row.loss, 1, 3, ""),
        change,
        verdict if row.verdict == "unclear" else Raw(f"<b>{verdict}</b>"),
    ]


def receipts_section(found: Receipts | None) -> Raw:
    """Show each augmentation's row, and what it rests on; nothing where they were not asked for."""
    if found is None:
        return Raw("")
    facts = {"n": count(found.n), "repeats": count(found.repeats), "parts": count(found.parts), "steps": count(found.steps)}
    how = text(f"receipts.{'steps' if found.steps else 'frozen'}", **facts)
    held = text(f"receipts.{'parts' if found.parts > 1 else 'choose'}", **facts)
    stopped = text("receipts.stopped") if found.stopped else ""
    sure = text("receipts.sure", rows=count(len(found.rows)), confidence=f"{100 * found.confidence:g}\u00a0%")
    rows = table("receipts.table", [f"receipts.{head}" for head in HEADS], [_row(row) for row in found.rows])
    return Raw(
        f"<h3>{text('receipts.title')}</h3><p>{text('receipts.lead', **facts)} {how} {held} {stopped}</p>{rows}"
        f"<p class='note'>{sure} {text('receipts.limits')} {text('receipts.role')}</p>"
    )
