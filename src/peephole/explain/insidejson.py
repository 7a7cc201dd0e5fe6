"""What goes on inside as JSON-able values for report.json: the numbers behind every figure of the page."""

from typing import Any

from peephole.explain.attribution import HeatMap
from peephole.explain.dropout import DropoutPasses
from peephole.explain.exciting import Excited, Search
from peephole.explain.inside import Compared, Inside
from peephole.explain.rebuilt import Rebuilt

__all__ = ["inside_json"]


def _map(found: HeatMap) -> dict[str, Any]:
    closing = found.closing
    return {
        **{"method": found.method, "layer": found.layer, "logit": found.logit, "baseline": found.baseline, "steps": found.steps},
        "values": found.values.tolist(),
        "closing": {"total": closing.total, "wanted": closing.wanted, "residue": closing.residue} if closing else None,
        "alphas": found.alphas.tolist() if found.alphas is not None else None,
    }


def _compared(found: Compared) -> dict[str, Any]:
    stages = [
        {
            **{"upto": stage.upto, "layers": stage.layers, "of": stage.total, "rank_correlation": stage.similarity},
            **{"rank_correlation_of_magnitudes": stage.magnitudes, "logit": stage.map.logit},
        }
        for stage in found.redrawn
    ]
    return _map(found.trained) | {"limit": found.limit, "redrawn": stages}


def _rebuilt(found: Rebuilt) -> dict[str, Any]:
    done = found.picture is not None
    names = ("error", "flat", "relative", "match", "steps")
    return {"layer": found.layer, "numbers": found.numbers, "work": found.work, "why": found.why} | {
        name: getattr(found, name) if done else None for name in names
    }


def _excited(found: Excited) -> dict[str, Any]:
    patches = [{"photo": patch.photo, "at": patch.at, "value": patch.value, "box": patch.box} for patch in found.patches]
    return {"layer": found.layer, "unit": found.unit, "units": found.units, "here": found.here, "share": found.share, "patches": patches}


def _search(found: Search) -> dict[str, Any]:
    return {"photos": found.photos, "found": found.found, "left_out": found.left_out, "units": [_excited(each) for each in found.units]}


def _dropout(found: DropoutPasses, labels: tuple[str, ...]) -> dict[str, Any]:
    columns = {"plain": found.plain, "mean": found.mean, "spread": found.spread, "plain_probability": found.plain_probabilities}
    rows = [
        {"label": label, "best_in": int(found.votes[at])} | {name: float(column[at]) for name, column in columns.items()}
        for at, label in enumerate(labels)
    ]
    return {
        **{"layer": found.layer, "keep": found.keep, "trained_with": found.trained, "seed": found.seed, "passes": len(found.logits)},
        "labels": rows,
        "logits": found.logits.tolist(),
        "masks": ["".join("1" if kept else "0" for kept in mask) for mask in found.masks],
    }


def inside_json(inside: Inside, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the numbers of maps, rebuilt pictures, patches and dropout passes; `labels` are the card's."""
    return {
        "finite": inside.finite,
        "maps": [_compared(each) for each in inside.maps],
        "no_maps": inside.no_maps,
        "class_map": _map(inside.class_map) if inside.class_map else None,
        "rebuilt": [_rebuilt(each) for each in inside.rebuilt],
        "exciting": _search(inside.search) if inside.search else None,
        "dropout": _dropout(inside.dropout, labels) if inside.dropout else None,
    }
