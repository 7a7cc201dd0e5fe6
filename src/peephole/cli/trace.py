"""peephole trace: every layer of a model file for one picture, as a table and as the two files that a page reads."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from peephole.base.errors import InputError
from peephole.cli.show import console

if TYPE_CHECKING:
    from peephole.explain.geometry import Count
    from peephole.explain.trace import Edit, Trace, TraceLayer

__all__ = ["run"]

WIDE = 120  # characters

EDIT = re.compile(r"(?P<tensor>.+)\[(?P<index>\d+(?:\s*,\s*\d+)*)?\]=(?P<value>[^=]+)")


def run(model: Path, picture: Path, output: Path, scale: float, mean: str, std: str, edits: list[str], as_json: bool) -> None:
    """Trace one picture and write the folder; `mean` and `std` are a number or one for each channel, with commas."""
    from peephole.data.photos import open_photo
    from peephole.explain.openmodel import open_model
    from peephole.explain.trace import trace

    if output.is_file():
        raise InputError(f"{output} is a file, not a folder", "give a folder for trace.json and trace.bin: -o trace")
    opened = open_model(model, scale=scale, mean=_numbers("mean", mean), std=_numbers("std", std))
    found = trace(opened, opened.prepare(open_photo(picture)), edits=[_edit(text) for text in edits])
    head, values = found.write(output)
    if as_json:
        print(json.dumps(found.header(), ensure_ascii=False, allow_nan=False))  # noqa: T201  # Rich would wrap and colour it
        return
    console.print(_table(found))
    for line in _lines(found):
        console.print(line, markup=False, soft_wrap=True)
    sizes = " and ".join(f"{path.name} ({path.stat().st_size / 1000:,.0f} kB)" for path in (head, values))
    console.print(f"wrote {head.parent}: {sizes}", markup=False, soft_wrap=True)


def _numbers(what: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"a {what} is a number, or one for each channel with commas, not {text!r}", f"--{what} 0.485,0.456,0.406") from None


def _edit(text: str) -> "Edit":
    """Read an edit as it is typed: the tensor's name, the place in brackets, the value."""
    from peephole.explain.trace import Edit

    match = EDIT.fullmatch(text.strip())
    try:
        if match:
            index = tuple(int(part) for part in (match["index"] or "").split(",") if part.strip())
            return Edit(match["tensor"].strip(), index, float(match["value"]))
    except ValueError:
        pass
    raise InputError(f"{text!r} is no edit of a weight", "--edit 'conv1.weight[0,0,1,1]=2.5'")


def _field(layer: "TraceLayer") -> str:
    if layer.field is None:
        return "?"
    if layer.field.whole:
        return "all"
    high, wide = layer.field.size
    return f"{high}x{wide}" if high != wide else str(high)


def _table(found: "Trace") -> Table:
    """Return the layers, one a row; in a narrow terminal products stand without what they come to."""
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("layer", "operation"):
        table.add_column(head, overflow="fold")
    for head in ("shape", "parameters", "MACs", "sees", "rule"):
        table.add_column(head, no_wrap=True, justify="right" if head == "sees" else "left")
    for layer in found.layers:
        counts = [_product(count, wide) for count in (layer.parameters, layer.macs)]
        shape = "x".join(map(str, layer.shape)) or "1"
        rule = Text(layer.rule) if layer.rule else Text("the input" if layer is found.layers[0] else "not explained", "dim")
        table.add_row(Text(layer.id), Text(layer.op), shape, *counts, _field(layer), rule)
    return table


def _product(count: "Count", wide: bool) -> str:
    """Return a count as the product that it is, close together."""
    if not count.value:
        return ""
    text = count.text.replace(" × ", "×").replace(" + ", "+")
    return f"{text} = {count.value:,}" if wide and not text.isdigit() else text


def _lines(found: "Trace") -> list[str]:
    """Return what is said below the table: the sums, what is odd, and the answer."""
    lines = [f"{found.parameters:,} parameters, {found.macs:,} multiply-accumulates (MACs), {sum(layer.count for layer in found.layers):,} values"]
    lines.append(f"prepared: {'; '.join(found.prepare)}")
    if found.broken:
        lines.append(f"the file holds NaN or infinity in {', '.join(found.broken)}")
    if odd := [layer.id for layer in found.layers if layer.nan]:
        lines.append(f"NaN in {', '.join(odd)}")
    if found.decision is not None:
        lines.append(f"{found.decision.label or 'stranger'}: {found.decision.reason}")
        return lines
    order = sorted(zip(found.output.logits.tolist(), found.output.labels, strict=True), key=lambda pair: -pair[0] if pair[0] == pair[0] else 0.0)
    what = "probabilities" if found.output.probabilities else "logits"
    lines.append(f"{what}: " + ", ".join(f"{label} {value:.4g}" for value, label in order[:5]))
    return lines
