"""`python -m bench [NAME...] [--quick]`: run all benchmarks or the named ones, keep their rows, and show each figure beside its target."""

import argparse
import os
import sys
import traceback

from rich.console import Console
from rich.table import Table

from bench import (
    augment,
    batch1,
    budget,
    cats_dogs,
    claims,
    convolve,
    doubt,
    drawings,
    faces,
    few,
    footprint,
    gate,
    many_gates,
    mnist,
    near,
    page,
    report,
    scale,
    shipped,
    speed,
    wallpaper,
    xo,
)
from bench.photos import DATA
from bench.quiet import Others
from bench.report import Row

# The short ones first. Each is a function from `quick` to rows.
SCRIPTS = {
    "footprint": footprint.run,
    "batch1": batch1.run,
    "gate": gate.run,
    "convolve": convolve.run,
    "many_gates": many_gates.run,
    "augment": augment.run,
    "speed": speed.run,
    "scale": scale.run,
    "xo": xo.run,
    "shipped": shipped.run,
    "drawings": drawings.run,
    "cats_dogs": cats_dogs.run,
    "faces": faces.run,
    "wallpaper": wallpaper.run,
    "claims": claims.run,
    "budget": budget.run,
    "doubt": doubt.run,
    "near": near.run,
    "page": page.run,
    "mnist": mnist.run,
    "few": few.run,
}
CORES = 2
NOISY = 5.0  # per cent of the cores taken by others, beyond which a timing is no evidence


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(SCRIPTS)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one seed, few steps, nothing is kept (also BENCH_QUICK=1)")
    given = parser.parse_args()
    if wrong := [name for name in given.names if name not in SCRIPTS]:
        parser.error(f"there is no benchmark '{wrong[0]}'; there are {', '.join(SCRIPTS)}")
    given.quick = given.quick or os.environ.get("BENCH_QUICK", "") not in ("", "0")
    return given


def ready() -> bool:
    """See that the data is here and keep to 2 cores."""
    if not (DATA / "mnist").is_dir():
        print(f"error: {DATA} does not hold the benchmark data.\nhint:  set PEEPHOLE_DATA to its folder", file=sys.stderr)
        return False
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the figures are for computers without a GPU
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    return True


def show(rows: dict[str, list[Row]], quick: bool) -> None:
    table = Table(title="a smoke test: these figures mean nothing and are not kept" if quick else "kept in bench/results.md")
    for column in ("what", "value", "spread", "n", "target", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    colours = {"pass": "[green]pass[/]", "miss": "[red]miss[/]", "": ""}
    for found in rows.values():
        for row in found:
            value = f"{report.number(row.value)} {row.unit}"
            table.add_row(row.what, value, row.spread, f"{len(row.values)} {row.of}", row.target, colours[row.verdict])
        table.add_section()
    Console().print(table)


def main() -> int:
    """Return 0 when every script ran, whatever its figures; 1 when one could not."""
    given = arguments()
    if not ready():
        return 1
    rows: dict[str, list[Row]] = {}
    failed = []
    for name in given.names or SCRIPTS:
        others = Others()
        try:
            rows[name] = SCRIPTS[name](given.quick)
        except Exception:  # one broken script must not cost the hours of the others
            traceback.print_exc()
            failed.append(name)
            continue
        if (took := others.percent()) > NOISY:
            print(f"warning: other work took {took:.0f} % of the cores while {name} ran; wait for a quiet machine and run it again", flush=True)
        if not given.quick:
            report.save(name, rows[name], took)
    show(rows, given.quick)
    if failed:
        print(f"error: {', '.join(failed)} did not run to the end; see above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
