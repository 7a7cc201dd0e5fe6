"""How the lab's verbs look on a terminal: bars, matrices side by side, small pictures."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # SciPy and soundfile come with an extra
    from peephole.lab.ball import Drop, Landing
    from peephole.lab.density import DensityDrop, Spot
    from peephole.lab.echo import Echo, Options
    from peephole.lab.kernelphoto import Summary, Worked

__all__ = ["show_ball", "show_echo", "show_kernel"]

BAR = 24  # characters
ROWS = 40  # of a table
WIDE = 9  # numbers of a matrix in a row
EIGHTHS = " ▏▎▍▌▋▊▉"
THUMB = 30  # characters, two pixels high each


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    return table


def _bar(share: float, style: str) -> Text:
    """Return a bar of `share` 0..1, to an eighth of a character."""
    eighths = round(8 * BAR * share)
    return Text("█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else ""), style)


def _number(value: Fraction | float) -> str:
    """Write a fraction as it is with its decimals beside it, a float with six digits."""
    if not isinstance(value, Fraction):
        return f"{value:.6g}"
    return str(value) if value.denominator == 1 or len(str(value)) > 12 else f"{value}  {float(value):.4f}"


def show_ball(found: "Drop | DensityDrop", one: "Landing | Spot", console: Console) -> None:
    """Print where the ball lies, and how it got to one place."""
    if hasattr(found, "landings"):
        _places(found, one, console)  # type: ignore[arg-type]
        _ways(one, console)  # type: ignore[arg-type]
    else:
        _curve(found, one, console)  # type: ignore[arg-type]


def _places(found: "Drop", one: "Landing", console: Console) -> None:
    most = max(float(landing.chance) for landing in found.landings) or 1.0
    table = _table("where the ball lies after two drops", "c", "ways", "(f * g)(c)")
    for landing in found.landings[:ROWS]:
        here = landing.c == one.c
        cells = (str(landing.c), str(len(landing.ways)), _number(landing.chance))
        table.add_row(*cells, _bar(float(landing.chance) / most, "cyan" if here else "blue"), style="bold" if here else "")
    console.print(table)
    if len(found.landings) > ROWS:
        console.print(f"and {len(found.landings) - ROWS} more places (--json lists all)", style="dim")
    sure = "exactly" if found.total.exact else "to rounding"
    total = _number(sum(found.total.values))
    console.print(f"together {total}, {sure}; on average {_number(found.total.mean)}\n", style="dim", markup=False)


def _ways(one: "Landing", console: Console) -> None:
    table = _table(f"all ways to {one.c}, and where it came from", "a + b", "f(a)", "g(b)", "f(a) g(b)", f"P(a | {one.c})")
    for way in one.ways[:ROWS]:
        numbers = (str(way.first), str(way.second), str(way.product), _number(way.share))
        table.add_row(f"{way.a} + {way.b}", *(f"{number:.12s}" for number in numbers), _bar(float(way.share), "magenta"))
    table.add_row("sum", "", "", f"{one.chance!s:.12s}", _number(sum(way.share for way in one.ways)), style="bold")
    console.print(table)
    if len(one.ways) > ROWS:
        console.print(f"{len(one.ways) - ROWS} ways are not shown (--json lists all)", style="dim")


def _curve(found: "DensityDrop", one: "Spot", console: Console) -> None:
    table = _table(f"where the ball lies after {found.first.name} and {found.second.name}", "c", "(f * g)(c)")
    most = float(found.values.max())
    for at in range(0, len(found.places), 10):
        table.add_row(f"{found.places[at]:.4g}", f"{found.values[at]:.6f}", _bar(float(found.values[at]) / most, "blue"))
    console.print(table)
    console.print(
        f"each number is off by at most about {float(found.errors.max()):.0e}; on average {found.first.mean + found.second.mean:g}\n", style="dim"
    )
    console.print(f"(f * g)({one.c:g}) = {one.density:.12g}, off by at most about {one.error:.0e}", markup=False)
    back = _table(f"where it came from, if it lies at {one.c:g}", "a", "b = c - a", f"p(a | {one.c:g})")
    for at in range(0, len(one.places), 20):
        share = float(one.came_from[at])
        cells = (f"{one.places[at]:.4g}", f"{one.c - one.places[at]:.4g}", f"{share:.6f}")
        back.add_row(*cells, _bar(share / float(one.came_from.max()), "magenta"))
    console.print(back)


def show_echo(found: "Echo", options: "Options", target: Path, console: Console) -> None:
    """Print the spikes, what was written and how loud it is."""
    came, written = found.came, found.written
    table = _table("the spikes it was convolved with", "after", "times")
    spikes = [(0.0, options.dryness), *((tap.delay, options.wet * tap.gain) for tap in options.taps)]
    largest = max(abs(gain) for _, gain in spikes) or 1.0
    for delay, gain in spikes[:ROWS]:
        if gain or options.taps:
            table.add_row(f"{delay:.3f} s", f"{gain:g}", _bar(abs(gain) / largest, "cyan" if gain >= 0 else "magenta"))
    if table.row_count and options.room is None:
        console.print(table)
    if options.room is not None:
        other = f", resampled from {found.resampled_from} samples a second" if found.resampled_from else ""
        console.print(f"the room {options.room} rings for {found.impulse / came.rate:.2f} s{other}", markup=False, soft_wrap=True)
    channels = "mono" if written.channels == 1 else "stereo" if written.channels == 2 else f"{written.channels} channels"
    what = f"{came.seconds:.2f} s -> {written.seconds:.2f} s, {written.rate} samples a second, {channels}, {written.format} {written.subtype}"
    console.print(f"{target}: {what}", markup=False, soft_wrap=True)
    if written.subtype != came.subtype:
        console.print(f"the samples were {came.subtype}, which this kind of file cannot hold", style="yellow", markup=False, soft_wrap=True)
    if found.factor != 1:
        console.print(f"scaled by {found.factor:.4g}", markup=False)
    decibels = f"{20 * np.log10(found.peak):+.1f} dB" if found.peak > 0 else "silence"
    if found.clipped:
        words = f"clipped: {found.clipped} samples beyond full scale were cut (loudest {found.peak:.3f}, {decibels}); --normalise scales all down"
        console.print(words, style="bold yellow", markup=False, soft_wrap=True)
    else:
        over = "; a player will clip it: --normalise scales it down" if found.peak > 1 else ""
        console.print(f"loudest sample {found.peak:.3f} of full scale ({decibels}), nothing was cut{over}", markup=False, soft_wrap=True)


def _matrix(values: np.ndarray, style: str = "") -> Table:
    """Return numbers (H, W) as a small grid; zero is dim."""
    grid = Table.grid(padding=(0, 1))
    for _ in range(values.shape[1]):
        grid.add_column(justify="right", no_wrap=True)
    for row in values:
        grid.add_row(*(Text(f"{value:.4g}", style if value else "dim") for value in row))
    return grid


def _beside(*parts: tuple[str, Table | Text]) -> Table:
    beside = Table.grid(padding=(0, 3, 0, 0))
    beside.add_row(*(Text(head, "dim") for head, _ in parts))
    beside.add_row(*(body for _, body in parts))
    return beside


def _thumb(pixels: np.ndarray) -> Text:
    """Return a picture as half blocks, two pixels in a character; the nearest pixels, for a look."""
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    wide = min(THUMB, colours.shape[1])
    high = max(2, round(wide * colours.shape[0] / colours.shape[1] / 2) * 2)
    small = colours[np.arange(high) * colours.shape[0] // high][:, np.arange(wide) * colours.shape[1] // wide]
    text = Text()
    for above, below in zip(small[::2], small[1::2], strict=True):
        for upper, lower in zip(above.tolist(), below.tolist(), strict=True):
            text.append("▀", f"rgb({upper[0]},{upper[1]},{upper[2]}) on rgb({lower[0]},{lower[1]},{lower[2]})")
        text.append("\n")
    return text


def show_kernel(worked: "Worked", photo: Path, output: Path, console: Console) -> None:
    """Print the kernel as given and as slid, both pictures small, and one output pixel worked out."""
    found = worked.summary
    values = found.kernel.values
    console.print(f"{found.kernel.name}: {found.kernel.about}", style="bold", markup=False, soft_wrap=True)
    if values.ndim == 2 and max(values.shape) <= WIDE:
        turned = "turned by 180°: convolution" if found.slide.flip else "as it is: cross-correlation"
        console.print(_beside(("as given", _matrix(values)), (f"as slid, {turned}", _matrix(found.cell.kernel, "cyan"))))
    if found.kernel.symmetric:
        console.print("a turn by 180° changes nothing here: convolution and cross-correlation agree", style="dim")
    if console.is_terminal:
        console.print(_beside((str(photo), _thumb(worked.before)), (str(output), _thumb(worked.after))))
    sizes = " -> ".join(" x ".join(map(str, shape)) for shape in (found.before, found.after))
    console.print(f"{output}: {sizes}; values {found.low:.4g} to {found.high:.4g}{_scale(found)}", markup=False, soft_wrap=True)
    if found.best is not None:
        console.print(f"fits best at row {found.best[0]}, column {found.best[1]}: {found.score:.6f}", style="bold green")
    _cell(found, console)


def _scale(found: "Summary") -> str:
    if found.limit is not None:
        return f"; grey 128 is 0, black {-found.limit:.4g}, white {found.limit:.4g}"
    return f"; {found.cut} of them beyond 0..255 were cut" if found.cut else ""


def _cell(found: "Summary", console: Console) -> None:
    cell = found.cell
    if cell.patch.ndim == 3 or max(cell.patch.shape) > WIDE:
        shape = " x ".join(map(str, cell.patch.shape))
        console.print(f"output pixel {cell.at[0]},{cell.at[1]}: the sum of {shape} products is {cell.total:.6g} (--json lists them)", markup=False)
        return
    channel = f" of {('red', 'green', 'blue')[found.channel]}" if len(found.before) == 3 else ""
    console.print(f"output pixel {cell.at[0]},{cell.at[1]}{channel}", style="bold")
    parts = (("patch", _matrix(cell.patch)), ("× kernel as slid", _matrix(cell.kernel, "cyan")), ("= products", _matrix(cell.products, "magenta")))
    console.print(_beside(*parts, ("sum", Text(f"{cell.total:.6g}", "bold"))))
    if not cell.inside.all():
        console.print(f"{int((~cell.inside).sum())} of its pixels lie outside the picture and come from the padding ({found.slide.pad})", style="dim")
