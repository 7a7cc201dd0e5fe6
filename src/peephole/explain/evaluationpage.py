"""How a model does as a whole, as one page in English and Korean: who is taken for whom, labels, calibration, the price of a line, mistakes.

Every chart has its table; the page asks for nothing from anywhere; the same examination gives the same bytes.
"""

import html
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from peephole.base.evidence import describe
from peephole.base.files import write_atomic
from peephole.base.records import Prediction
from peephole.decide.curves import Curves, Operating, Wrong
from peephole.decide.evaluate import Examination
from peephole.decide.judge import judge
from peephole.explain.evaluationcharts import calibration_chart, det_chart, label_chart
from peephole.explain.verdict import reason
from peephole.explain.webpage import photo, webpage
from peephole.explain.words import Raw, attribute, number, share, table, text

__all__ = ["PICTURED", "render", "to_json", "why", "write"]

PICTURED, SIDE = 24, 160  # mistakes with their pictures; pixels of one
WIDEST, LONGEST = 24, 60  # labels of a confusion matrix that can be read; of a chart
LINES = 12  # of the DET table
SHADES = 4


def _exact(value: float) -> str:
    """A share in percent without its sign, with as many decimals as tell it from 0 and from 100."""
    places = next((each for each in range(1, 5) if round(value, each + 2) not in (0, 1)), 4) if 0 < value < 1 else 0
    return number(100 * value, places)


def _interval(low: float, high: float) -> str:
    # Neither the dash nor the sign stands where a line may break.
    return f"{_exact(low)}\u2060–\u2060{_exact(high)}\u00a0%"


def _short(found: Examination, counted: Curves) -> str:
    """The whole in a few sentences."""
    whole, parts = found.evaluation, []
    if whole.accuracy is not None:
        low, high = whole.accuracy.interval
        right = f"{round(whole.accuracy.accuracy * whole.accuracy.n):,}"
        values = {"right": right, "n": f"{whole.accuracy.n:,}", "share": share(whole.accuracy.accuracy)}
        parts.append(text("eval.accuracy", **values, low=share(low), high=share(high)))
    for each in whole.evidence:
        key = f"eval.{each.claim.replace(' ', '_')}" + ("_kind" if each.unit == "kind" else "")
        parts.append(text(key, errors=f"{each.errors:,}", n=f"{each.trials:,}", bound=share(each.bound)))
    if not any(each.claim == "false accept" for each in whole.evidence):
        parts.append(text("eval.no_strangers"))
    if counted.calibration is not None:
        parts.append(_honest(counted))
    items = "".join(f"<li>{each}</li>" for each in parts)
    files = text("eval.files", photos=f"{whole.photos:,}", seen=f"{whole.seen:,}", copies=f"{whole.duplicates:,}", refused=f"{whole.refused:,}")
    return f"<ul>{items}</ul><p>{files}</p>"


def _honest(counted: Curves) -> Raw:
    found = counted.calibration
    assert found is not None, "asked for only where it was measured"
    key = "eval.calibration.honest" if found.ece <= found.honest_most else "eval.calibration.off"
    return text(key, ece=share(found.ece), honest=share(found.honest), most=share(found.honest_most), n=f"{found.n:,}")


def _shade(count: int, total: int) -> int:
    return 0 if not count else max(1, math.ceil(SHADES * count / total))


def _confusion(found: Examination) -> str:
    """Who is taken for whom, a row for strangers, each row with its n; large matrices as the pairs that occur."""
    whole = found.evaluation
    lead = f"<p>{text('eval.confusion.lead')}</p>"
    if len(whole.labels) > WIDEST:
        return lead + _pairs(found)
    columns = [*(html.escape(name) for name in whole.labels), text("map.stranger")]
    heads = "".join(f'<th scope="col">{each}</th>' for each in (text("eval.confusion.corner"), "n", *columns))
    rows = []
    for at, (name, counts) in enumerate(whole.rows):
        strange, total = at == len(whole.labels), int(counts.sum())
        right = len(whole.labels) if strange else at
        cells = "".join(
            f'<td class="n {"right" if column == right else "wrong"}{_shade(int(count), total)}">{int(count) or "·"}</td>'
            for column, count in enumerate(counts)
        )
        rows.append(f'<tr><th scope="row">{text("map.stranger") if strange else html.escape(name)}</th><td class="n">{total:,}</td>{cells}</tr>')
    region = attribute("aria-label", "eval.confusion.table")
    return (
        f'{lead}<div class="scroll" tabindex="0" role="region" {region}><table class="confusion"><caption>{text("eval.confusion.table")}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _pairs(found: Examination) -> Raw:
    whole, listed = found.evaluation, []
    for at, (name, counts) in enumerate(whole.rows):
        right = at if at < len(whole.labels) else len(whole.labels)
        total = int(counts.sum())
        listed += [(int(count), total, at, name, column) for column, count in enumerate(counts) if count and column != right]
    rows: list[list[str | Raw]] = []
    for count, total, at, name, column in sorted(listed, key=lambda each: (-each[0], each[2:]))[:100]:
        truth = text("map.stranger") if at == len(whole.labels) else Raw(html.escape(name))
        taken = text("map.stranger") if column == len(whole.labels) else Raw(html.escape(whole.labels[column]))
        rows.append([truth, taken, f"{count:,}", f"{total:,}"])
    return table("eval.pairs", ["eval.head.truth", "eval.head.taken", "eval.head.photos", "eval.head.of"], rows)


def _labels(counted: Curves) -> str:
    """Each label with its bounds: a chart and its table."""
    rows: list[list[str | Raw]] = [
        [
            html.escape(each.label),
            f"{each.n:,}",
            f"{each.right:,}",
            share(each.share),
            _interval(*each.interval),
            *(f"{count:,}" for count in (each.recognised, each.confused, each.refused)),
        ]
        for each in counted.labels
    ]
    heads = [f"eval.head.{each}" for each in ("label", "n", "right", "share", "interval", "recognised", "confused", "refused")]
    chart = label_chart(counted.labels) if len(counted.labels) <= LONGEST else ""
    return f"<p>{text('eval.labels.lead')}</p>{chart}{table('eval.labels.table', heads, rows)}"


def _calibration(counted: Curves) -> str:
    found = counted.calibration
    assert found is not None, "asked for only where it was measured"
    rows: list[list[str | Raw]] = [
        [
            _interval(each.low, each.high),
            f"{each.n:,}",
            f"{_exact(each.confidence)}\u00a0%",
            f"{each.right:,}",
            share(each.share),
            _interval(*each.interval),
        ]
        for each in found.bins
    ]
    heads = [f"eval.head.{each}" for each in ("probability", "n", "confidence", "right", "share", "interval")]
    return (
        f"<p>{text('eval.calibration.lead')}</p><p>{_honest(counted)}</p>{calibration_chart(found)}"
        f"{table('eval.calibration.table', heads, rows)}<p class='note'>{text('eval.calibration.note')}</p>"
    )


def _operating(each: Operating, *, mine: bool) -> list[str | Raw]:
    line = number(each.threshold, 4)
    return [
        Raw(f"<b>{line}</b> {text('eval.det.mine')}") if mine else line,
        f"{each.accepted:,}",
        share(each.false_accept),
        _interval(*each.accept_interval),
        f"{each.rejected:,}",
        share(each.false_reject),
        _interval(*each.reject_interval),
    ]


def _det(counted: Curves) -> str:
    found = counted.det
    assert found is not None, "asked for only where it was measured"
    chosen = [found.points[at] for at in np.unique(np.linspace(0, len(found.points) - 1, min(LINES, len(found.points))).round().astype(int))]
    rows = [(each.threshold, _operating(each, mine=False)) for each in chosen if each.threshold != found.card.threshold]
    rows.append((found.card.threshold, _operating(found.card, mine=True)))
    heads = [f"eval.head.{each}" for each in ("line", "accepted", "accept", "interval", "rejected", "reject", "interval")]
    ordered = [row for _, row in sorted(rows, key=lambda each: each[0])]
    counts = {"strangers": f"{found.strangers:,}", "known": f"{found.known:,}"}
    return f"<p>{text('eval.det.lead', **counts)}</p>{det_chart(found)}<p>{text('eval.det.read')}</p>{table('eval.det.table', heads, ordered)}"


def why(found: Examination, prediction: Prediction, row: int) -> tuple[str, dict[str, str]]:
    """Return why a photo was let in or not, as the key of a sentence and its values."""
    return reason(prediction, found.card, int(np.nan_to_num(found.outputs.familiarity[row], nan=-2).argmax()))


def _mistake(found: Examination, wrong: Wrong) -> str:
    """One wrong answer: the photo, what happened, why, and the known examples nearest to it."""
    row = wrong.row
    prediction = judge(found.outputs.at(np.array([row])), found.card)[0]
    truth = found.card.labels[found.truth[row]] if found.truth[row] >= 0 else ""
    head = text(f"eval.{wrong.kind}", truth=truth, given=prediction.best)
    key, facts = why(found, prediction, row)
    near = "; ".join(
        f"<code>{html.escape(each.id)}</code> ({html.escape(each.label)}, {number(each.distance, 2)})" for each in prediction.nearest[:3]
    )
    return (
        f'<article class="{wrong.kind}">{photo(found.paths[row], SIDE, found.ids[row])}<div><h3>{head}</h3>'
        f"<p><code>{html.escape(found.ids[row])}</code></p>"
        f"<p>{text(key, **facts)}</p><p class='note'>{text('eval.nearest')} {near}</p></div></article>"
    )


def _mistakes(found: Examination, counted: Curves) -> str:
    if not counted.wrong:
        return f"<p>{text('eval.mistakes.none', n=f'{found.evaluation.photos:,}')}</p>"
    counts = {kind: sum(each.kind == kind for each in counted.wrong) for kind in ("stranger_in", "wrong_label", "turned_away")}
    lead = text("eval.mistakes.lead", **{kind: f"{count:,}" for kind, count in counts.items()})
    shown: list[Wrong] = []
    for kind, room in (("stranger_in", PICTURED), ("wrong_label", PICTURED), ("turned_away", PICTURED // 2)):
        shown += [each for each in counted.wrong if each.kind == kind][: max(0, min(room, PICTURED - len(shown)))]
    more = len(counted.wrong) - len(shown)
    said = f"<p>{text('eval.mistakes.more', more=f'{more:,}')}</p>" if more else ""
    return f"<p>{lead}</p>{''.join(_mistake(found, each) for each in shown)}{said}"


def _counted(found: Examination) -> str:
    """How it was counted, and what the evaluation had to say besides."""
    notes = "".join(f'<p><q lang="en">{html.escape(note)}</q></p>' for note in found.evaluation.notes)
    return f"<p>{text('eval.counted')}</p><p>{text('eval.bounds')}</p>{notes}"


def render(found: Examination, counted: Curves, *, model: str, folder: str) -> str:
    """Return the page as HTML; `model` and `folder` are names to show."""
    parts = {"short": _short(found, counted), "confusion": _confusion(found)}
    if counted.labels:
        parts["perlabel"] = _labels(counted)
    if counted.calibration is not None:
        parts["calibration"] = _calibration(counted)
    if counted.det is not None:
        parts["det"] = _det(counted)
    parts |= {"mistakes": _mistakes(found, counted), "counted": _counted(found)}
    return webpage("eval", parts, also=("evaluation.css",), model=model, folder=folder)


def to_json(found: Examination, counted: Curves, *, model: str, folder: str) -> str:
    """Return all of it as JSON; what is not a number is null."""
    whole, labels = found.evaluation, found.card.labels
    wrong = []
    for each in counted.wrong:
        prediction = judge(found.outputs.at(np.array([each.row])), found.card)[0]
        truth = labels[found.truth[each.row]] if found.truth[each.row] >= 0 else None
        values = {"id": found.ids[each.row], "kind": each.kind, "truth": truth, "given": prediction.label, "best": prediction.best}
        wrong.append(values | {"familiarity": prediction.familiarity, "probability": prediction.probability, "reason": prediction.reason})
    values = {
        "evaluation": 1,
        "model": model,
        "folder": folder,
        "labels": labels,
        "photos": whole.photos,
        "seen": whole.seen,
        "duplicates": whole.duplicates,
        "refused": whole.refused,
        "accuracy": whole.accuracy.model_dump(mode="json") if whole.accuracy else None,
        "evidence": [asdict(each) | {"sentence": describe(each)} for each in whole.evidence],
        "confusion": whole.confusion.tolist(),
        "strangers": whole.strangers.tolist(),
        "per_label": [asdict(each) for each in counted.labels],
        "calibration": asdict(counted.calibration) if counted.calibration else None,
        "det": asdict(counted.det) if counted.det else None,
        "mistakes": wrong,
        "notes": list(whole.notes),
    }
    return json.dumps(_finite(values), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(found: Examination, counted: Curves, path: Path, *, model: str, folder: str) -> tuple[Path, Path]:
    """Write the page and, beside it, its numbers as .json; raises OutputError."""
    page = write_atomic(path, render(found, counted, model=model, folder=folder))
    return page, write_atomic(path.with_suffix(".json"), to_json(found, counted, model=model, folder=folder))
