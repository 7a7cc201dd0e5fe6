"""Tables of results for the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from peephole.base.evidence import describe
from peephole.decide.evaluate import Evaluation

__all__ = ["evaluation"]

WIDEST = 12  # labels; a larger confusion matrix is for --json
SHOWN = 10


def _confusion(found: Evaluation) -> Table:
    table = Table("true \\ given", *(escape(name) for name in found.labels), "stranger", title="confusion matrix (photos)", title_justify="left")
    for row, name in enumerate(found.labels):
        cells = [f"[green]{n}[/]" if column == row else f"[red]{n}[/]" if n else "·" for column, n in enumerate(found.confusion[row][:-1])]
        table.add_row(escape(name), *cells, str(found.confusion[row][-1]))
    return table


def evaluation(found: Evaluation, console: Console) -> None:
    """Print an evaluation: counts, accuracy, evidence, confusion, mistakes."""
    left = f"; {found.seen} left out, the model was trained on them" if found.seen else ""
    refused = f"; {found.refused} refused" if found.refused else ""
    console.print(f"{found.photos} photos that the model has not learned from{left}{refused}")
    for note in found.notes:
        console.print(note, style="dim", markup=False, soft_wrap=True)
    if found.accuracy is not None:
        low, high = found.accuracy.interval
        right, n, share = round(found.accuracy.accuracy * found.accuracy.n), found.accuracy.n, found.accuracy.accuracy
        console.print(
            f"accuracy: {right} of {n} sources get the right best label, let in or not: {share:.2%} (95 % interval {low:.2%} to {high:.2%})",
            markup=False,
            soft_wrap=True,
        )
    for each in found.evidence:
        console.print(describe(each), markup=False, soft_wrap=True)
    if found.confusion.any() and len(found.labels) <= WIDEST:
        console.print(_confusion(found))
    for mistake in found.mistakes[:SHOWN]:
        truth = "a stranger" if mistake.truth is None else mistake.truth
        console.print(
            f"  let in by mistake: {mistake.id}, {truth}, taken for {mistake.given} (familiarity {mistake.familiarity:.2f})",
            markup=False,
            soft_wrap=True,
        )
    if len(found.mistakes) > SHOWN:
        console.print(f"  and {len(found.mistakes) - SHOWN} more (--json lists all)")
