"""The report's other parts: the picture, the examples, the occlusion, the evidence, the training, the file."""

import html
import math

import numpy as np
from PIL import Image, ImageDraw

from peephole.base.card import Input
from peephole.base.evidence import percent
from peephole.base.records import Evidence
from peephole.explain.charts import Line, familiarity_chart
from peephole.explain.drawing import picture, scale
from peephole.explain.explanation import Explanation
from peephole.explain.neighbours import Familiarity, Known
from peephole.explain.phrases import quoted, said
from peephole.explain.pictures import Sheet, blend, encode, heat, symmetric
from peephole.explain.receipts import receipts_section
from peephole.explain.wallpaper import wallpaper_section
from peephole.explain.words import LANGUAGES, Raw, attribute, catalogue, count, number, plain, table, text
from peephole.explain.worked import digits

__all__ = ["evidence_section", "file_section", "nearest_section", "occlusion_section", "picture_section", "training_section"]

MOST_LABELS = 12


def _given(explanation: Explanation) -> Sheet:
    """The picture as given, the judged part drawn on it."""
    image = explanation.given
    if explanation.box is not None:
        image = image.copy()
        left, top, width, height = explanation.box
        corners = (left * image.width, top * image.height, (left + width) * image.width - 1, (top + height) * image.height - 1)
        ImageDraw.Draw(image).rectangle(corners, outline=(200, 30, 30), width=max(1, image.width // 120))
    tiny = max(image.size) <= 96
    grow = max(1, 224 // max(image.size)) if tiny else 1
    return Sheet(encode(image, "PNG" if tiny else "JPEG"), image.width * grow, image.height * grow, 1, (image.height, image.width))


def _prepared(explanation: Explanation) -> Sheet:
    pixels = explanation.prepared
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    grow = max(1, 224 // max(image.size))
    return Sheet(encode(image), image.width * grow, image.height * grow, 1, pixels.shape[:2])


def _steps(spec: Input) -> Raw:
    """How the picture became the network's input, step by step."""
    if spec.region.how == "rectangle" and spec.region.box is not None:
        region = text("prepare.rectangle", **dict(zip(("left", "top", "width", "height"), (percent(part) for part in spec.region.box), strict=True)))
    else:
        region = text(f"prepare.{spec.region.how}")
    height, width = spec.resize.to
    steps = (
        region,
        text(f"prepare.alpha.{spec.alpha}"),
        text(f"prepare.colour.{spec.colour}"),
        text(f"prepare.fit.{spec.resize.fit}", width=width, height=height),
        text("prepare.normalise"),
    )
    return Raw(f"<ol>{''.join(f'<li>{step}</li>' for step in steps)}</ol>")


def picture_section(explanation: Explanation) -> Raw:
    """The picture as given and as the network sees it."""
    wide, high = explanation.given_size
    height, width, channels = explanation.prepared.shape
    size, small = f"{wide} × {high}", f"{width} × {height} × {channels}"
    name = html.escape(explanation.image)
    given = picture(
        _given(explanation), attribute("alt", "picture.given.alt", name=explanation.image), "photo" if max(wide, high) > 96 else "photo pixels"
    )
    seen = picture(_prepared(explanation), attribute("alt", "picture.seen.alt", size=small), "photo pixels")
    return Raw(
        f'<div class="pair"><figure>{given}<figcaption>{text("picture.given", name=Raw(f"<b>{name}</b>"), size=size)}</figcaption></figure>'
        f"<figure>{seen}<figcaption>{text('picture.seen', size=small)}</figcaption></figure></div>{_steps(explanation.card.input)}"
    )


def _example(known: Known, labels: tuple[str, ...], rank: int) -> str:
    """One known example with its picture."""
    name = labels[known.label]
    if known.picture is None:
        shown = f'<span class="nopicture">{text("nearest.nopicture")}</span>'
    else:
        image = known.picture
        drawn = Sheet(encode(image), image.width, image.height, 1, image.size)
        shown = picture(drawn, attribute("alt", "nearest.alt", id=known.id, label=name), "example")
    return f"<li>{shown}<span>{rank}. <b>{html.escape(name)}</b> {number(known.distance)}</span></li>"


def _mean(each: Familiarity, name: str) -> list[str | Raw]:
    """A label's familiarity as the mean it is, with the digits its sum needs."""
    if not each.similarities or not math.isfinite(each.value + each.mean):
        return [html.escape(name), text("familiarity.none"), number(each.value, 4)]
    terms = np.array(each.similarities)
    places, _, _ = digits(terms, np.full(len(terms), 1 / len(terms)), 0.0, each.value)
    shown = " + ".join(number(value, places) if value >= 0 else f"({number(value, places)})" for value in each.similarities)
    return [html.escape(name), f"({shown}) / {len(terms)}", number(each.value, places)]


def nearest_section(explanation: Explanation) -> Raw:
    """The nearest known examples, and every label's familiarity against threshold and margin."""
    card, labels = explanation.card, explanation.card.labels
    pictures = ""
    if explanation.pictures:
        pictures = f'<ul class="examples">{"".join(_example(known, labels, rank) for rank, known in enumerate(explanation.known, 1))}</ul>'
    rows: list[list[str | Raw]] = [
        [str(rank), html.escape(labels[known.label]), html.escape(known.id), number(known.similarity, 4), number(known.distance, 4)]
        for rank, known in enumerate(explanation.known, 1)
    ]
    heads = ["nearest.rank", "nearest.label", "nearest.id", "nearest.similarity", "nearest.distance"]
    near = table("nearest.table", heads, rows)
    shown = explanation.familiarity[:MOST_LABELS]
    lines = [Line(card.unknown.threshold, "familiarity.threshold", "threshold")]
    best = explanation.prediction.best
    if len(labels) > 1 and card.unknown.margin > 0 and math.isfinite(explanation.prediction.familiarity):
        lines.append(Line(explanation.prediction.familiarity - card.unknown.margin, "familiarity.margin", "margin"))
    chart = familiarity_chart([(labels[each.label], each.value) for each in shown], lines, best)
    sums = [_mean(each, labels[each.label]) for each in shown]
    twin = table("familiarity.table", ["familiarity.label", "familiarity.mean", "familiarity.value"], sums)
    left = text("familiarity.left", count=len(explanation.familiarity) - len(shown)) if len(explanation.familiarity) > len(shown) else ""
    facts = {"known": count(len(card.unknown.known_labels)), "shown": len(explanation.known), "k": card.unknown.k}
    private = "" if explanation.pictures else f'<p class="note">{text("nearest.private")}</p>'
    return Raw(
        f"<p>{text('nearest.lead', **facts)}</p>{pictures}{near}{private}"
        f"<h3>{text('familiarity.title')}</h3><p>{text('familiarity.lead', **facts)} {left}</p><figure>{chart}</figure>{twin}"
    )


def occlusion_section(explanation: Explanation) -> Raw:
    """What part of the picture mattered to the best label."""
    found = explanation.occlusion
    limit = symmetric(found.deltas)
    label = explanation.card.labels[found.label]
    overlay, cells = blend(explanation.prepared, found.deltas, limit), heat(explanation.prepared, found.deltas, limit)
    rows, columns = found.deltas.shape
    colour = ", ".join(str(part) for part in found.colour)
    swatch = encode(Image.new("RGB", (16, 16), found.colour if len(found.colour) == 3 else found.colour * 3))
    baseline = f'<img class="swatch" src="{swatch}" width="16" height="16" {attribute("alt", "occlusion.baseline", colour=colour)}>'
    facts = {
        "label": label,
        "patch": f"{found.patch[0]} × {found.patch[1]}",
        "colour": Raw(f"{colour} {baseline}"),
        "count": found.evaluations,
        "logit": number(found.logit, 4),
    }
    at = divmod(int(found.deltas.argmax()), columns)
    most = {"delta": number(float(found.deltas.max()), 4), "row": at[0] + 1, "column": at[1] + 1, "rows": rows, "columns": columns}
    alt, over = attribute("alt", "occlusion.alt", label=label, **most), attribute("alt", "occlusion.over")
    numbers = "".join("<tr>" + "".join(f'<td class="n">{number(float(value))}</td>' for value in line) + "</tr>" for line in found.deltas)
    box = f'<div class="scroll" tabindex="0" role="region" {attribute("aria-label", "occlusion.numbers")}>'
    twin = f'<details><summary>{text("occlusion.numbers")}</summary>{box}<table class="grid"><tbody>{numbers}</tbody></table></div></details>'
    pictures = f'<div class="pair">{picture(cells, alt, "heat")}{picture(overlay, over, "heat")}</div>'
    return Raw(
        f"<p>{text('occlusion.lead', **facts)}</p><figure>{pictures}"
        f"<figcaption>{scale(limit)} {text('occlusion.scale')} {text('occlusion.most', **most)}</figcaption></figure>{twin}"
    )


def _evidence(evidence: Evidence) -> Raw:
    """One error rate as a sentence in both languages, the English one word for word that of `base.evidence.describe`."""
    facts = {
        **{"trials": evidence.trials, "errors": evidence.errors, "bound": percent(evidence.bound)},
        **{"confidence": f"{100 * evidence.confidence:g} %"},
    }
    number_of = "one" if evidence.trials == 1 else "many"
    sentences = (
        plain(
            each,
            "evidence.sentence",
            claim=said(each, "claim", evidence.claim),
            method=said(each, "method", evidence.method),
            unit=plain(each, f"unit.{evidence.unit}.{number_of}"),
            role=plain(each, f"role.{evidence.role}"),
            **facts,
        )
        for each in LANGUAGES
    )
    return Raw("".join(f'<span class="{each}" lang="{each}">{html.escape(words)}</span>' for each, words in zip(LANGUAGES, sentences, strict=True)))


def evidence_section(explanation: Explanation) -> Raw:
    """The error rates on the card, each with its n, unit, bound and role."""
    evidence = explanation.card.evidence
    if not evidence:
        return Raw(f"<p>{text('evidence.none')}</p>")
    items = "".join(f"<li>{_evidence(each)} <span class='note'>{text(f'evidence.role.{each.role}')}</span></li>" for each in evidence)
    unmeasured = "" if any(each.claim == "false accept" for each in evidence) else f"<p>{text('evidence.unmeasured')}</p>"
    spoof = text("evidence.spoof", spoof=quoted("spoof", explanation.card.spoof))
    return Raw(f"<p>{text('evidence.lead')}</p><ul>{items}</ul>{unmeasured}<p>{spoof}</p>")


def _score(name: str) -> Raw:
    return text(f"score.{name}") if f"score.{name}" in catalogue("en") else Raw(html.escape(name))


def training_section(explanation: Explanation) -> Raw:
    """How the model was made and how well it did on what it had not seen."""
    card = explanation.card
    training = card.training
    rows: list[list[str | Raw]] = [[html.escape(label), count(number_of)] for label, number_of in sorted(training.examples.items())]
    if len(training.strangers) > MOST_LABELS:
        rows.append([text("training.strangers", count=count(len(training.strangers))), count(sum(training.strangers.values()))])
    else:
        rows += [[text("training.stranger", name=name), count(number_of)] for name, number_of in sorted(training.strangers.items())]
    facts = {
        "sources": count(training.sources),
        "dropped": count(training.duplicates_dropped),
        "refused": count(training.refused),
        "seed": training.seed,
    }
    scores = "".join(
        "<li>"
        + text(
            "training.score",
            name=_score(name),
            share=percent(score.accuracy),
            n=score.n,
            low=percent(score.interval[0]),
            high=percent(score.interval[1]),
        )
        + f" {text(f'evidence.role.{score.role}')}</li>"
        for name, score in sorted(card.scores.items())
    )
    photos = table("training.table", ["training.label", "training.photos"], rows)
    return Raw(
        f"<p>{quoted('recipe', training.sentence)}</p>{photos}<p>{text('training.facts', **facts)}</p>"
        f"{f'<ul>{scores}</ul>' if scores else ''}<p>{text('training.licence', licence=quoted('licence', card.licence))}</p>"
        f"{wallpaper_section(card.wallpaper)}{receipts_section(card.receipts)}"
    )


def file_section(explanation: Explanation) -> Raw:
    """Which file answered, made with which software, and that it is the network that was trained."""
    card, model = explanation.card, explanation.model
    parity = text(
        "file.parity", n=card.parity.n, changed=card.parity.changed_decisions, difference=f"{card.parity.max_difference:.1e}".replace("-", "−")
    )
    rows: list[list[str | Raw]] = [[html.escape(name), html.escape(version)] for name, version in sorted(card.software.items())]
    return Raw(
        f'<dl class="facts"><div><dt>{text("file.model")}</dt><dd>{html.escape(model.name)}, {count(len(model.data))} B</dd></div>'
        f"<div><dt>sha256</dt><dd><code>{model.sha256}</code></dd></div><div><dt>{text('file.picture')}</dt><dd><code>{explanation.image_sha256}</code></dd></div></dl>"
        f"<p>{parity}</p>{table('file.software', ['file.part', 'file.version'], rows)}<p>{text('file.trust')}</p>"
    )
