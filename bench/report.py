"""Rows of figures: kept in results.json with every single value, shown in results.md.

Knows nothing of what was measured. A new run of a script replaces that script's rows from the same machine and leaves all others.
"""

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bench.origin import commit, machine, versions

HERE = Path(__file__).parent
COLUMNS = ("what", "value", "spread", "n", "target", "machine", "others", "versions", "commit", "date", "script")
HEAD = """# Results

Written by `python -m bench`; do not edit. How to read and to repeat them: README.md. Every single value: results.json.

"""


@dataclass(frozen=True)
class Row:
    """One figure: every value that was measured, and what stands for them.

    `values` in `unit`; `of` names them ("seeds", "rounds"); `middle` is the mean (over seeds and draws), the median (of timings)
    or the worst, that is the largest (of seconds that each draw must stay within).
    `least` or `most` is the target, if there is one; `peers` are versions of packages in another environment.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    of: str
    middle: Literal["mean", "median", "worst"] = "median"
    least: float | None = None
    most: float | None = None
    peers: str = ""

    @property
    def value(self) -> float:
        """What stands for the values, in `unit`."""
        if self.middle == "worst":
            return max(self.values)
        return statistics.mean(self.values) if self.middle == "mean" else statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The extremes; with them the standard deviation of a mean's values, and the mean where the worst stands for all."""
        if len(self.values) < 2:
            return "one value"
        extremes = f"{number(min(self.values))} to {number(max(self.values))}"
        if self.middle == "worst":
            return f"mean {number(statistics.mean(self.values))} ({extremes})"
        return f"± {statistics.stdev(self.values):.2g} ({extremes})" if self.middle == "mean" else extremes

    @property
    def target(self) -> str:
        """The target in signs, or nothing."""
        return f">= {number(self.least)}" if self.least is not None else f"<= {number(self.most)}" if self.most is not None else ""

    @property
    def verdict(self) -> str:
        """pass, miss, or nothing where no target is set."""
        if not self.target:
            return ""
        return "pass" if (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most) else "miss"


def number(value: float) -> str:
    """Write a figure with four digits, never with an exponent."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def save(script: str, rows: Iterable[Row], others: float, folder: Path = HERE) -> None:
    """Write a script's rows into results.json and results.md in `folder`, in place of its older ones from this machine.

    `others` is the per cent of the cores' time that other work took meanwhile.
    """
    kept = folder / "results.json"
    old = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    here = machine()
    new = [_entry(script, row, here, others) for row in rows]
    entries = [e for e in old if (e["script"], e["machine"]) != (script, here)] + new
    entries.sort(key=lambda e: (e["script"], e["machine"]))  # stable: the rows of one run keep their order
    kept.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(HEAD + _table(entries), encoding="utf-8")


def _entry(script: str, row: Row, here: str, others: float) -> dict[str, Any]:
    return {
        "what": row.what,
        "value": f"{number(row.value)} {row.unit}".rstrip(),
        "spread": row.spread,
        "n": f"{len(row.values)} {row.of}",
        "target": f"{row.target} ({row.verdict})" if row.target else "",
        "machine": here,
        "others": f"{others:.0f} %",
        "versions": ", ".join(part for part in (versions(), row.peers) if part),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "script": script,
        "middle": row.middle,
        "unit": row.unit,
        "values": list(row.values),
    }


def _table(entries: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for entry in entries:
        shown = entry | {"script": f"bench/{entry['script']}.py"}
        lines.append("| " + " | ".join(str(shown.get(name, "not measured")) for name in COLUMNS) + " |")
    return "\n".join(lines) + "\n"
