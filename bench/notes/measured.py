"""What was measured of a claim, as it is kept in claims.json: every value of every setting, one per draw."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.origin import commit, machine, versions

KEPT = Path(__file__).parents[1] / "claims.json"


@dataclass(frozen=True)
class Setting:
    """One way to do it: what is fixed of it (weights, multiplications) and what came of it, one value or one curve per draw."""

    name: str
    facts: Mapping[str, float]
    values: Mapping[str, tuple[float, ...]]
    curves: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """All settings of a claim, the seeds of their draws, and what was the same for all."""

    claim: str
    seeds: tuple[int, ...]
    setup: Mapping[str, float | str]
    settings: tuple[Setting, ...]
    pictures: str = ""
    origin: str = ""

    def __getitem__(self, name: str) -> Setting:
        return next(setting for setting in self.settings if setting.name == name)


def tables(runs: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Turn one mapping per draw into one tuple per name."""
    every = list(runs)
    return {name: tuple(run[name] for run in every) for name in every[0]}


def load(path: Path = KEPT) -> dict[str, Measured]:
    """Return what is kept, by claim."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {claim: _measured(claim, entry) for claim, entry in kept.items()}


def _measured(claim: str, entry: dict) -> Measured:
    settings = tuple(
        Setting(
            one["name"],
            one["facts"],
            {name: tuple(values) for name, values in one["values"].items()},
            {name: tuple(tuple(curve) for curve in curves) for name, curves in one["curves"].items()},
        )
        for one in entry["settings"]
    )
    return Measured(claim, tuple(entry["seeds"]), entry["setup"], settings, entry["pictures"], entry["origin"])


def keep(measured: Measured, path: Path = KEPT) -> None:
    """Write one claim into the file, in place of what was kept of it, and where and when it was measured."""
    where = f"{machine()}; {versions()}; commit {commit()}; {datetime.now(UTC).date().isoformat()}"
    measured = replace(measured, origin=where)
    kept = {claim: asdict(one) for claim, one in load(path).items()} | {measured.claim: asdict(measured)}
    path.write_text(
        json.dumps(_rounded(kept), indent=None, separators=(",", ":"), ensure_ascii=False).replace('{"name"', '\n{"name"') + "\n", "utf-8"
    )


def _rounded(what: object) -> object:
    """Return the same with every number to six digits."""
    if isinstance(what, dict):
        return {str(name): _rounded(value) for name, value in what.items()}
    if isinstance(what, list | tuple):
        return [_rounded(value) for value in what]
    return float(f"{what:.6g}") if isinstance(what, float) else what
