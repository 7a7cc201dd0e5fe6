"""Tables of results for the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from peephole.base.card import Receipts
from peephole.decide.evaluate import SHOWN, WIDEST, Evaluation

__all__ = ["evaluation", "receipts"]

WIDE = 100  # characters
# What a verdict of the card is called, and how it is shown.
VERDICTS = {"helped": ("helped", "green"), "harmed": ("did harm", "red"), "unclear": ("cannot tell", "dim")}


def _confusion(found: Evaluation) -> Table:
    table = Table("true \\ given", *(escape(name) for name in found.labels), "stranger", title="confusion matrix (photos)", title_justify="left")
    for row, (name, counts) in enumerate(found.rows):
        cells = [f"[green]{n}[/]" if column == row else f"[red]{n}[/]" if n else "·" for column, n in enumerate(counts[:-1])]
        table.add_row(escape(name), *cells, str(counts[-1]))
    return table


def evaluation(found: Evaluation, console: Console) -> None:
    """Print an evaluation: counts, accuracy, evidence, confusion, mistakes."""
    for line in found.lines:
        console.print(line, style="dim" if line in found.notes else None, markup=False, soft_wrap=True)
    if (found.confusion.any() or found.strangers.any()) and len(found.labels) <= WIDEST:
        console.print(_confusion(found))
    for line in found.errors[:SHOWN]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if len(found.mistakes) > SHOWN:
        console.print(f"  and {len(found.mistakes) - SHOWN} more (--json lists all)")


def receipts(found: Receipts, console: Console) -> None:
    """Print which augmentations helped, and what the table rests on; both log-losses too where the terminal is wide enough."""
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("augmentation")
    for head in ("accuracy", *["log-loss"] * wide, "difference of log-loss"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in found.rows:
        name = "all of them" if row.effect == "all" else row.strength
        words, style = VERDICTS[row.verdict]
        low, high = row.loss.interval
        cells = [
            f"{100 * row.accuracy.absent:.0f} -> {100 * row.accuracy.present:.0f} %",
            *[f"{row.loss.absent:.3f} -> {row.loss.present:.3f}"] * wide,
            f"{row.loss.difference:+.3f} ({low:+.3f}, {high:+.3f})",
        ]
        table.add_row(Text(name if row.used else f"{name} (added)"), *cells, Text(words, style))
    console.print("\nreceipts: held-out scores without -> with each augmentation")
    console.print(table)
    for line in _rests_on(found):
        console.print(f"  {line}", style="dim", markup=False, soft_wrap=True)


def _rests_on(found: Receipts) -> tuple[str, ...]:
    """Say what the table rests on, and how far it goes."""
    trainings = f"trainings of {found.steps} steps" if found.steps else "last layers on frozen features"
    held = f"{found.parts} parts held out in turn" if found.parts > 1 else "the part that chooses held out"
    return (
        f"{found.n} held-out sources, each asked {found.repeats} times by {trainings} ({held}); a smaller log-loss is better ({found.role})",
        f"the {len(found.rows)} intervals hold together with {100 * found.confidence:g} % confidence; cannot tell: it may have been chance",
        "this speaks of photos like these: light, angles and dirt that they do not show are not tested",
    )
