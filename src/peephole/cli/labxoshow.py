"""How `peephole lab x-or-o` looks on a terminal: pictures, maps with colours, sums, the vote, a training."""

from collections.abc import Iterable

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from peephole.lab.drawn import cross
from peephole.lab.hand import Drawings
from peephole.lab.learn import Net, Step, scalar_step
from peephole.lab.parts import Comparison, PartMatch
from peephole.lab.x_or_o import Vote, Worked, WorkedCell

__all__ = ["Training", "beside", "map_of_numbers", "pixels", "show"]

WIDE = 16  # columns up to which a map shows its numbers; a wider one shows colours alone
UNITS = {9: "ninths"}


def _title(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _shade(value: float) -> str:
    """A colour for -1..1: blue below 0, grey at 0, orange above; the text on it stays readable."""
    size = min(1.0, abs(value))
    ends = (240, 140, 40) if value > 0 else (70, 130, 235)
    red, green, blue = (round(60 + (end - 60) * size) for end in ends)
    return f"{'black' if size > 0.6 else 'white'} on rgb({red},{green},{blue})"


def pixels(values: np.ndarray) -> Text:
    """A picture: white pixels full, black ones dots, grey ones between."""
    text = Text()
    for row in values:
        for value in row:
            text.append("██" if value > 0.5 else "··" if value < -0.5 else "▒▒", "white" if value > -0.5 else "bright_black")
        text.append("\n")
    text.rstrip()
    return text


def map_of_numbers(parts: np.ndarray, whole: float) -> Text:
    """A map of numbers on colours, or of colours alone where it is wide."""
    text, wide = Text(), parts.shape[1] > WIDE
    width = max(len(f"{n:g}") for n in parts.ravel()) + 1 if parts.size else 1
    for row in parts:
        for value in row:
            text.append("  " if wide else f"{value:>{width}g}", _shade(float(value) / whole))
        text.append("\n")
    text.rstrip()
    return text


def beside(console: Console, columns: Iterable[tuple[str, Text]]) -> None:
    """Print texts beside each other under their titles, or below each other where the terminal is too narrow."""
    given = list(columns)
    wide = sum(max(len(line) for line in [title, *text.plain.splitlines()]) + 3 for title, text in given)
    if wide <= console.width + 3:
        table = Table.grid(padding=(0, 3, 0, 0))
        table.add_row(*(Text(title, "dim") for title, _ in given))
        table.add_row(*(text for _, text in given))
        console.print(table)
        return
    for title, text in given:
        console.print(Text(title, "dim"), text, sep="\n", soft_wrap=True)


def show(worked: Worked, cell: WorkedCell, compared: list[Comparison], console: Console) -> None:
    """Print a picture worked through, one cell of it, and how it compares with the X and the O."""
    height, width = worked.picture.shape
    unit = UNITS.get(worked.whole, f"parts of {worked.whole}")
    console.print(_title(f"The picture, {height} x {width} (white 1, black -1), and the filters, small pictures too"))
    beside(console, [("picture", pixels(worked.picture)), *((one.name, map_of_numbers(one.filter, 1)) for one in worked.maps)])
    rows, columns = worked.maps[0].matches.parts.shape
    console.print(_title(f"Feature maps, {rows} x {columns}, in {unit}: {worked.whole} is a perfect match (1), -{worked.whole} none at all (-1)"))
    beside(console, [(f"{one.name}: {one.negatives} below 0", map_of_numbers(one.matches.parts, worked.whole)) for one in worked.maps])
    _show_cell(cell, worked, console)
    console.print(_title("ReLU (below 0 becomes 0) and the largest of each 2 x 2, cut windows kept; then again"))
    both = [((f"{one.name} pooled", one.pooled), ("again", one.pooled_twice)) for one in worked.maps]
    beside(console, [(title, map_of_numbers(grid.parts, worked.whole)) for pair in both for title, grid in pair])
    _show_vote(worked, console)
    if compared:
        _show_compared(worked, compared, console)


def _show_cell(cell: WorkedCell, worked: Worked, console: Console) -> None:
    found = worked.maps[int(cell.name[1:]) - 1]
    console.print(_title(f"One cell: {cell.name} at row {cell.row}, column {cell.column}; pixel times weight"))
    wide = found.filter.shape[1]
    table = Table.grid(padding=(0, 3, 0, 0))
    for start in range(0, len(cell.products), wide):
        table.add_row(
            *(Text(f"{p.pixel:g} x {p.weight:g} = {p.product:g}", "" if p.product > 0 else "cyan") for p in cell.products[start : start + wide])
        )
    console.print(table)
    agree = "" if found.agreeing is None else f"; {found.agreeing[cell.row, cell.column]} of {len(cell.products)} pixels agree"
    cut = f"{cell.truncated} cut off after two decimals (so Rohrer's figures print it), {cell.rounded} rounded"
    console.print(f"sum {cell.total:g}; {cell.parts}/{cell.whole} = {cut}{agree}", markup=False)


def _show_vote(worked: Worked, console: Console) -> None:
    console.print(_title(f"Flattened, in {UNITS.get(worked.whole, f'parts of {worked.whole}')}, and the vote"))
    styles = {place: style for vote, style in zip(worked.votes, ("green", "magenta"), strict=True) for place in vote.voters}
    text = Text()
    for place, value in enumerate(worked.flat):
        text.append(f"{value} ", styles.get(place, "dim"))
    console.print(text)
    for vote, style in zip(worked.votes, ("green", "magenta"), strict=True):
        console.print(Text(_vote_line(vote, worked), style))
    console.print("A place votes for X where the X of this size has more there than the O, for O where it has less. Each has the same say.")
    total = sum(vote.share for vote in worked.votes)
    both = " and ".join(f"{share:.3f}" for share in worked.shares)
    console.print(f"These are votes, no probabilities: they add up to {total:.2f}. Softmax makes {both} of them.")
    console.print(Text(f"answer: {worked.answer or 'neither has more'}", "bold"))


def _vote_line(vote: Vote, worked: Worked) -> str:
    if not vote.voters:
        return f"{vote.label}: no place tells for it at this size"
    terms = " + ".join(str(worked.flat[place]) for place in vote.voters[:12]) + (" + ..." if len(vote.voters) > 12 else "")
    return f"{vote.label}: {terms} = {vote.parts} of {vote.whole * len(vote.voters)} = {vote.share:.3f}"


def _show_compared(worked: Worked, compared: list[Comparison], console: Console) -> None:
    with_x, with_o = compared
    console.print(_title("Why not compare whole pictures?"))
    for name, one in zip("XO", compared, strict=True):
        console.print(
            f"with the {name}: {one.whole.equal} of {one.whole.pixels} pixels are the same (cosine {one.whole.cosine:.2f}); "
            f"part by part: {', '.join(f'{p.name} {min(p.best_a, p.best_b)}/{p.whole}' for p in one.parts)}",
            markup=False,
        )
    more = with_x.whole.equal - with_o.whole.equal
    console.print(f"Pixel by pixel this is {'as much an X as an O' if not more else 'rather an X' if more > 0 else 'rather an O'}.")
    if (worked.picture == cross(max(worked.picture.shape))).all() or not any(found.places for found in with_x.parts):
        return
    console.print("Where the parts of the X are found again (row,column in the X -> here):")
    for found in with_x.parts:
        console.print(f"  {found.name}: {_lines(found)}", markup=False)
    if with_x.moved:
        console.print(f"  Every line says the same: {with_x.moved[0]} down, {with_x.moved[1]} to the right.")


def _lines(found: PartMatch) -> str:
    if not found.places:
        return "nowhere in particular"
    lines = "  ".join(f"{p.row_a},{p.column_a} -> {p.row_b},{p.column_b}" for p in found.places)
    return lines + ("" if found.exact else f"   (at best {found.best_b} of {found.whole})")


class Training:
    """Shows a training as it goes: a line for some steps, the filters before and after, one weight's numbers."""

    def __init__(self, console: Console, given: Drawings, others: int, begun: Net) -> None:
        """Print what is learned from; `others` drawings are held out; `begun` is the net before the first step."""
        self._console, self._begun = console, begun
        count, side = len(given.labels), given.pictures.shape[1]
        console.print(_title(f"Filters learned from {count} drawings of {side} x {side}; {others} others, made by a program, are only asked"))
        kinds = [np.flatnonzero(given.labels == label)[:2] for label in (0, 1)]
        if side <= WIDE:
            beside(console, [("XO"[label], pixels(given.pictures[at])) for label, some in enumerate(kinds) for at in some[:1]])
        console.print(Text("\nstep   error  right  others   one weight (filter 1, row 1, column 1)", "dim"))

    def step(self, step: Step) -> None:
        """Print one line."""
        told, held = step.update, "" if step.held_out is None else f"{step.held_out:.1%}"
        self._console.print(
            f"{step.number:4}  {step.error:.4f}  {step.accuracy:>5.0%}  {held:>6}   "
            f"{told.old:+.4f} - {told.learning_rate:g} x {told.slope:+.4f} = {told.new:+.4f}",
            markup=False,
        )

    def end(self, steps: list[Step]) -> None:
        """Print the filters, one update beside its nudge, and the smallest network there is."""
        steepest, last = max(steps, key=lambda step: abs(step.update.slope)), steps[-1].net.filters
        largest = float(max(np.abs(last).max(), np.abs(self._begun.filters).max())) or 1.0
        for when, filters in (("before the first", self._begun.filters), ("after the last", last)):
            self._console.print(_title(f"The filters {when} step"))
            beside(self._console, [(f"F{n + 1}", map_of_numbers(one.round(2) + 0.0, largest)) for n, one in enumerate(filters)])
        told, nudge = steepest.update, steepest.update.nudge
        self._console.print(_title(f"That weight in step {steepest.number}, its steepest here: the slope, and Rohrer's nudge"))
        for line in (
            f"error before {told.error_before:.6f}, slope {told.slope:+.6f}",
            f"{told.old:+.6f} - rate {told.learning_rate:g} x slope = {told.new:+.6f}",
            f"error with only this weight moved {told.error_alone:.6f}; with all moved {told.error_after:.6f}",
            f"nudged up by {nudge.size:g} the error is {nudge.error_up:.6f}, down {nudge.error_down:.6f}: keep {nudge.kept};"
            f" between them the slope is {nudge.slope:+.6f}"
            " (where a window's largest cell changes in between, the two differ a little)",
        ):
            self._console.print(line, markup=False)
        one = scalar_step()
        self._console.print(_title("The smallest network there is: y = w x, x = 2, wanted 1"))
        self._console.print(
            f"w {one.old:g}: error {one.error_before:g}, slope {one.slope:g}; w - {one.learning_rate:g} x ({one.slope:g}) = {one.new:g}: "
            f"error {one.error_after:.4f}",
            markup=False,
        )
