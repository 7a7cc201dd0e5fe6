"""Rows of figures: kept in results.json with every single value, shown in results.md.

Knows nothing of what was measured. A new run of a script replaces that script's rows from the same machine and leaves all others.
"""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
PACKAGES = ("peephole", "torch", "onnxruntime", "numpy")
COLUMNS = ("what", "value", "spread", "n", "target", "machine", "others", "versions", "commit", "date", "script")
HEAD = """# Results

Written by `python -m bench`; do not edit. How to read and to repeat them: README.md. Every single value: results.json.

"""


@dataclass(frozen=True)
class Row:
    """One figure: every value that was measured, and what stands for them.

    `values` in `unit`; `of` names them ("seeds", "rounds"); `middle` is the mean (over seeds and draws) or the median (of timings).
    `least` or `most` is the target, if there is one; `peers` are versions of packages in another environment.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    of: str
    middle: Literal["mean", "median"] = "median"
    least: float | None = None
    most: float | None = None
    peers: str = ""

    @property
    def value(self) -> float:
        """What stands for the values, in `unit`."""
        return statistics.mean(self.values) if self.middle == "mean" else statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The standard deviation of a mean's values, with the extremes; the extremes of a median's."""
        if len(self.values) < 2:
            return "one value"
        extremes = f"{number(min(self.values))} to {number(max(self.values))}"
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


def machine() -> str:
    """Name the processor, whether it multiplies bfloat16 natively, and the cores that this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or platform.machine())
    native = any("avx512_bf16" in line or "amx_bf16" in line for line in lines if line.startswith("flags"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}{' with bf16' if native else ''}, {cores} cores"


def versions() -> str:
    """List Python and the packages that the figures depend on."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def commit() -> str:
    """Return the commit that was measured, with a + when the tree held changes beside the results themselves."""

    def git(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=HERE.parent, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!bench/results.md", ":!bench/results.json")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


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
    lines += ["| " + " | ".join(str(e[name]) if name != "script" else f"bench/{e[name]}.py" for name in COLUMNS) + " |" for e in entries]
    return "\n".join(lines) + "\n"
