"""Writes an explanation as one page that opens from disk and needs nothing else, and as JSON.

The page itself, its languages and its content policy are those of `webpage`. The same explanation gives the same bytes.
"""

import json
import math
from pathlib import Path
from typing import Any

from peephole.base.evidence import describe
from peephole.base.files import write_atomic
from peephole.explain.anatomy import layers_section
from peephole.explain.conditions import conditions
from peephole.explain.explanation import Explanation, explain
from peephole.explain.glance import glance_section
from peephole.explain.insidejson import inside_json
from peephole.explain.insideparts import inside_sections
from peephole.explain.layers import Layer
from peephole.explain.pictures import symmetric
from peephole.explain.sections import (
    evidence_section,
    file_section,
    nearest_section,
    occlusion_section,
    picture_section,
    training_section,
)
from peephole.explain.sums import show_softmax
from peephole.explain.verdict import verdict_section
from peephole.explain.webpage import webpage
from peephole.explain.words import text

__all__ = ["Explanation", "explain", "to_json", "write_json", "write_report"]

WORDS = ("map", "kernel", "stride", "field", "parameters", "logit", "temperature", "embedding", "cosine", "example", "familiarity", "residue")


def _words() -> str:
    """The terms of the page, each with a sentence that says what it means."""
    terms = "".join(f"<div><dt>{text(f'word.{name}')}</dt><dd>{text(f'word.{name}.means')}</dd></div>" for name in WORDS)
    return f'<p>{text("words.lead")}</p><dl class="words">{terms}</dl>'


def render(explanation: Explanation) -> str:
    """Return the whole page as HTML."""
    bodies = {
        "verdict": verdict_section(explanation),
        "picture": picture_section(explanation),
        "glance": glance_section(explanation),
        "layers": layers_section(explanation),
        "softmax": show_softmax(explanation.softmax, explanation.card.labels),
        "nearest": nearest_section(explanation),
        "occlusion": occlusion_section(explanation),
        **inside_sections(explanation),
        "evidence": evidence_section(explanation),
        "training": training_section(explanation),
        "words": _words(),
        "file": file_section(explanation),
    }
    return webpage("report", bodies, name=explanation.image, model=explanation.model.name)


def _finite(value: Any) -> Any:
    """Return JSON-able values; NaN and infinity, which JSON has not, become their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def _layer(layer: Layer) -> dict[str, Any]:
    field = layer.field
    seen = {"size": field.size, "stride": field.stride, "offset": field.offset, "whole": field.whole} if field else None
    return {
        "id": layer.name,
        "op": layer.op,
        "inputs": layer.inputs,
        "shape": layer.shape,
        "parameters": {"value": layer.parameters.value, "product": layer.parameters.text},
        "macs": {"value": layer.macs.value, "product": layer.macs.text},
        "receptive_field": seen,
        "min": float(layer.values.min()) if layer.values.size else 0.0,
        "max": float(layer.values.max()) if layer.values.size else 0.0,
        "scale": symmetric(layer.values),
    }


def to_json(explanation: Explanation) -> str:
    """Return the report's numbers as JSON: the answer, every layer, the sums, the examples, the occlusion, the evidence."""
    prediction, labels, softmax, found = explanation.prediction, explanation.card.labels, explanation.softmax, explanation.occlusion
    fields = ("label", "probability", "familiarity", "margin", "ranking", "accepted", "threshold")
    values = {
        "report": 1,
        "image": explanation.image,
        "input_sha256": explanation.image_sha256,
        "model": explanation.model.name,
        "model_sha256": explanation.model.sha256,
        "prediction": {name: getattr(prediction, name) for name in fields} | {"reason": prediction.reason},
        "threshold": {"value": explanation.card.unknown.threshold, "margin": explanation.card.unknown.margin, "how": explanation.card.unknown.how},
        "conditions": [{"condition": each.key, "met": each.met, "other": each.other} for each in conditions(explanation)],
        "layers": [_layer(layer) for layer in explanation.look.layers],
        "copy_difference": explanation.look.difference,
        "softmax": {
            "temperature": softmax.temperature,
            "sum": softmax.sum,
            "terms": [
                {
                    "label": labels[term.label],
                    "logit": term.logit,
                    "tempered": term.tempered,
                    "shifted": term.shifted,
                    "exp": term.power,
                    "share": term.share,
                }
                for term in softmax.terms
            ],
        },
        "nearest": [
            {"id": known.id, "label": labels[known.label], "similarity": known.similarity, "distance": known.distance, "sha256": known.digest}
            for known in explanation.known
        ],
        "familiarity": [
            {"label": labels[each.label], "value": each.value, "similarities": each.similarities, "ids": each.ids} for each in explanation.familiarity
        ],
        "occlusion": {
            "label": labels[found.label],
            "logit": found.logit,
            "patch": found.patch,
            "baseline": found.colour,
            "deltas": found.deltas.tolist(),
        },
        "evidence": [describe(each) for each in explanation.card.evidence],
        "training": explanation.card.training.sentence,
        "receipts": explanation.card.receipts.model_dump(mode="json") if explanation.card.receipts else None,
        "software": dict(sorted(explanation.card.software.items())),
    }
    if explanation.inside is not None:
        values["inside"] = inside_json(explanation.inside, labels)
    return json.dumps(_finite(values), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_report(explanation: Explanation, out: Path | str) -> Path:
    """Write the page to `out`, whole or not at all; raises OutputError when it cannot be written."""
    return write_atomic(Path(out), render(explanation))


def write_json(explanation: Explanation, out: Path | str) -> Path:
    """Write the numbers to `out`, whole or not at all; raises OutputError when it cannot be written."""
    return write_atomic(Path(out), to_json(explanation))
