"""How the report of `peephole check` is shown on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from peephole.base.evidence import counted
from peephole.data.hygiene import CheckReport, Finding

__all__ = ["show"]

SOME = 8


def show(report: CheckReport, console: Console) -> None:
    """Print a check's report: what became of every file, the labels, the copies, then problems and remarks."""
    console.print(
        f"[bold]{escape(report.root)}[/]: {counted(report.seen, 'file')} seen = [green]{report.used} used[/] + "
        f"{counted(len(report.duplicates), 'exact duplicate')} + [{'red' if report.refused else 'green'}]{len(report.refused)} refused[/]",
        highlight=False,
    )
    if report.labels or report.strangers:
        console.print(_labels(report))
    _counted(console, "sizes", report.sizes)
    _counted(console, "kinds", report.modes)
    if report.refused:
        console.print(_pairs("refused", "reason", report.refused))
    if report.duplicates:
        console.print(_pairs("exact duplicate", "of", report.duplicates))
    if report.copies:
        console.print(_copies(report))
    if report.role == "proof":
        console.print("enough different photos of every label to keep some aside: results will be [green]proof[/]")
    elif report.role == "estimate":
        console.print("few photos: every one of them trains, results will be [yellow]estimates[/] from leaving photos out in turn")
    _findings(console, "remark", "cyan", report.remarks)
    _findings(console, "problem", "red", report.problems)
    console.print(Text(report.verdict, "bold red" if report.problems else "bold yellow" if report.refused else "bold green"))


def _labels(report: CheckReport) -> Table:
    table = Table("label", box=None, header_style="bold", pad_edge=False)
    table.add_column("photos", justify="right")
    table.add_column("different", justify="right")
    table.add_column("")
    most = max([count.sources for count in report.labels] + [1])
    for count in report.labels:
        style = "red" if count.sources < 2 else "yellow" if count.sources < 10 else ""
        bar = Text("█" * max(1, round(24 * count.sources / most)) if count.sources else "", "blue")
        table.add_row(Text(count.label), str(count.photos), Text(str(count.sources), style), bar)
    if report.strangers:
        table.add_row(Text("unknown", "italic"), str(report.stranger_photos), "", Text(counted(report.strangers, "stranger")))
    return table


def _counted(console: Console, name: str, counts: tuple[tuple[str, int], ...]) -> None:
    if counts:
        rest = f", and {len(counts) - 4} more" if len(counts) > 4 else ""
        console.print(Text(f"{name}: " + ", ".join(f"{what} ({count})" for what, count in counts[:4]) + rest, "dim"))


def _pairs(left: str, right: str, rows: tuple[tuple[str, str], ...]) -> Table:
    table = Table(left, right, box=None, header_style="bold", pad_edge=False)
    for one, two in rows[:SOME]:
        table.add_row(Text(one, overflow="fold"), Text(two))
    if len(rows) > SOME:
        table.add_row(Text(f"and {len(rows) - SOME} more", "dim"), Text("--json lists all", "dim"))
    return table


def _copies(report: CheckReport) -> Table:
    rows = [(", ".join(group.ids[:3]) + (f", and {len(group.ids) - 3} more" if len(group.ids) > 3 else ""), group.how) for group in report.copies]
    return _pairs("one original", "seen by", tuple(rows))


def _findings(console: Console, word: str, colour: str, findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        line = Text(f"{word}: ", f"bold {colour}")
        line.append(finding.what, "default")
        console.print(line)
        if finding.hint:
            console.print(Text(f"  hint: {finding.hint}", "dim"))
