"""Tables of results for the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from peephole.decide.evaluate import SHOWN, WIDEST, Evaluation

__all__ = ["evaluation"]


def _confusion(found: Evaluation) -> Table:
    table = Table("true \\ given", *(escape(name) for name in found.labels), "stranger", title="confusion matrix (photos)", title_justify="left")
    for row, name in enumerate(found.labels):
        cells = [f"[green]{n}[/]" if column == row else f"[red]{n}[/]" if n else "·" for column, n in enumerate(found.confusion[row][:-1])]
        table.add_row(escape(name), *cells, str(found.confusion[row][-1]))
    return table


def evaluation(found: Evaluation, console: Console) -> None:
    """Print an evaluation: counts, accuracy, evidence, confusion, mistakes."""
    for line in found.lines:
        console.print(line, style="dim" if line in found.notes else None, markup=False, soft_wrap=True)
    if found.confusion.any() and len(found.labels) <= WIDEST:
        console.print(_confusion(found))
    for line in found.errors[:SHOWN]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if len(found.mistakes) > SHOWN:
        console.print(f"  and {len(found.mistakes) - SHOWN} more (--json lists all)")
