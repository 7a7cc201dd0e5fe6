"""The map as one page that opens from disk, in English and Korean: views, how far to believe them, groups, new points, a table of every point.

The page asks for nothing from anywhere; the same map gives the same bytes.
"""

import html
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.base.errors import PhotoError
from peephole.base.files import write_atomic
from peephole.data.decode import open_photo
from peephole.explain.clusters import Clusters
from peephole.explain.embedding import EmbeddingMap, Reason, View
from peephole.explain.faithfulness import Faithfulness
from peephole.explain.neighbours import small
from peephole.explain.pictures import encode
from peephole.explain.scatter import NAMED, frame, legend, scatter, signs, symbols
from peephole.explain.tsnelesson import lesson_section
from peephole.explain.webpage import webpage
from peephole.explain.words import Raw, number, plain, share, table, text

__all__ = ["PICTURED", "ROWS", "About", "pictures", "render", "write"]

PICTURED = 1_000  # points with a picture; more would make the page heavier than 2 MB
ROWS = 500  # points in the table
SIDE = 64  # pixels of a picture
CAUTIONS = ("sizes", "between", "noise", "perplexity", "axes")
KEPT = (("high", 0.95), ("fair", 0.8))


@dataclass(frozen=True)
class About:
    """What a map is of: the name of the `model` file, the folder of `photos` ("" for the known examples inside), English `notes`, `centred`."""

    model: str
    photos: str = ""
    notes: tuple[str, ...] = ()
    centred: bool = True


def pictures(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return a small picture of each photo as a data URI, "" where it cannot be read any more; none at all for more than 1,000 photos."""
    if len(paths) > PICTURED:
        return ()
    found = []
    for path in paths:
        try:
            image = small(open_photo(path), SIDE)
            found.append(encode(image, "PNG" if max(image.size) <= SIDE // 2 else "JPEG"))
        except (PhotoError, OSError):
            found.append("")
    return tuple(found)


def _method(view: View) -> Raw:
    return text(f"map.{view.method}")


def _facts(view: View) -> Raw:
    """What a view was made with, in a sentence."""
    if view.method == "t-sne":
        return text("map.t-sne.facts", perplexity=f"{view.perplexity:.3g}", divergence=number(view.divergence or 0.0, 4))
    shown = [*view.shares, 0.0, 0.0][:2]
    return text("map.pca.facts", one=share(shown[0]), two=share(shown[1]))


def _reason(reason: Reason) -> Raw:
    return text(f"map.reason.{reason.key}", **dict(reason.values))


def _label(label: str | None) -> Raw:
    return Raw(html.escape(label)) if label else text("map.stranger" if label is None else "map.nolabel")


def _data(found: EmbeddingMap, shown: Sequence[str], fresh: Sequence[str]) -> Raw:
    """The points as the page's script reads them: nothing in a name can end the element."""
    new, views = found.new, []
    for number_, view in enumerate(found.views):
        own = None if new is None else (new.points if number_ == 0 else new.beside)
        around = frame(view.points if own is None else np.concatenate([view.points, own]))
        every = around.pixels(view.points) if own is None else np.concatenate([around.pixels(view.points), around.pixels(own)])
        views.append([float(value) for value in every.ravel()])
    near = [[int(each) for each in row] for row in found.neighbours] + ([] if new is None else [[int(each)] for each in new.nearest])
    far = [[round(float(each), 4) for each in row] for row in found.distances]
    far += [] if new is None else [[round(float(each), 4)] for each in new.distances]
    values = {
        "names": [*found.names, *(new.names if new else ())],
        "labels": [*found.labels, *(new.labels if new else ())],
        "views": views,
        "near": near,
        "far": far,
        "pictures": [*(shown or [""] * len(found.names)), *(fresh or [""] * (len(new.names) if new else 0))] if shown or fresh else [],
    }
    packed = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Raw(f'<script type="application/json" id="map-data">{packed.replace("<", chr(92) + "u003c")}</script>')


def _views(found: EmbeddingMap, shown: Sequence[str], fresh: Sequence[str]) -> str:
    """Both views, the legend, and the panel that a script fills."""
    new = found.new
    every = [*found.labels, *(new.labels if new else ())]
    given = signs(every)
    figures = []
    for place, view in enumerate(found.views):
        own = None if new is None else ((new.points if place == 0 else new.beside), new.names, new.labels)
        drawn = scatter(view.points, found.names, found.labels, given, number=place, key=f"map.{view.method}.alt", new=own)  # type: ignore[arg-type]  # both views have new points or none has
        figures.append(f"<figure><h3>{_method(view)}</h3>{drawn}<figcaption>{_facts(view)}</figcaption></figure>")
    panel = "".join(f' data-{name}="{html.escape(each)}"' for name, each in _panel().items())
    seek = (
        f'<div class="seek" hidden><label>{text("map.search")} <input type="search" autocomplete="off"></label><output aria-live="polite"></output>'
        f'<button type="button" data-step="-1">{text("map.before")}</button><button type="button" data-step="1">{text("map.after")}</button></div>'
    )
    peek = f'<div class="peek" hidden aria-live="polite"{panel}><p class="note">{text("map.hover")}</p></div>'
    reasons = "".join(f"<p>{_reason(each)}</p>" for each in found.reasons if each.key != "reduced")
    return (
        f"{symbols()}{reasons}{legend(given, dict(Counter(every)), new=new is not None, dots=len(found.names) > NAMED)}{seek}{peek}"
        f'<div class="views">{"".join(figures)}</div>{_data(found, shown, fresh)}'
    )


def _panel() -> dict[str, str]:
    """The few words that the script needs, in both languages."""
    from_words = {"near": "map.near", "stranger": "map.stranger"}
    return {f"{name}{ending}": plain(language, key) for name, key in from_words.items() for language, ending in (("en", ""), ("ko", "-ko"))}


def _kept(value: float) -> str:
    """In which of three classes a share that is kept falls."""
    return next((name for name, least in KEPT if value >= least), "poor")


def _faithful(view: View, kept: Faithfulness) -> str:
    """How far to believe one view, in sentences."""
    sentences = [
        text(f"map.trust.{_kept(kept.trustworthiness)}", value=number(kept.trustworthiness, 3), k=kept.k),
        text(f"map.continuity.{_kept(kept.continuity)}", value=number(kept.continuity, 3), k=kept.k),
        text("map.agreement", k=kept.k, mean=number(kept.k * kept.agreement, 1), chance=number(kept.k * kept.chance, 1)),
        text("map.spearman", value=number(kept.spearman, 3)),
    ]
    return f"<h3>{_method(view)}</h3><ul>{''.join(f'<li>{each}</li>' for each in sentences)}</ul>"


def _belief(found: EmbeddingMap) -> str:
    """What to believe and what not; sentences, then the same numbers as a table."""
    cautions = "".join(f"<li>{text(f'map.caution.{each}')}</li>" for each in CAUTIONS)
    measured = "".join(_faithful(view, view.faithfulness) for view in found.views)
    kept = found.faithfulness
    said = text("map.sampled", n=f"{kept.n:,}", all=f"{len(found.names):,}") if kept.sampled else text("map.counted", n=f"{kept.n:,}", k=kept.k)
    rows: list[list[str | Raw]] = [
        [_method(view), *(number(value, 3) for value in (own.trustworthiness, own.continuity, own.agreement, own.chance, own.spearman))]
        for view in found.views
        for own in (view.faithfulness,)
    ]
    heads = [f"map.head.{each}" for each in ("view", "trust", "continuity", "agreement", "chance", "spearman")]
    return f'<ul class="cautions">{cautions}</ul><p>{said}</p>{measured}{table("map.measures", heads, rows)}'


def _groups(found: Clusters) -> Raw:
    """One method's groups in a sentence."""
    if found.count < 2 or found.silhouette is None:
        return text(f"map.groups.{found.method}.none")
    key = "map.groups.beyond" if found.beyond_chance else "map.groups.chance"
    parts = [
        text(f"map.groups.{found.method}", count=found.count, noise=f"{found.noise:,}"),
        text(key, value=number(found.silhouette, 2), chance=number(found.chance, 2)),
    ]
    if found.stability is not None and found.least is not None and found.most is not None:
        values = {"mean": number(found.stability, 2), "least": number(found.least, 2), "most": number(found.most, 2)}
        parts.append(text("map.groups.stable", **values, runs=found.runs))
    if found.labels_agree is not None:
        parts.append(text("map.groups.labels", value=number(found.labels_agree, 2)))
    return Raw(" ".join(parts))


def _group_section(found: EmbeddingMap) -> str:
    """Groups among the embeddings: sentences and how many of each label lie in each group."""
    parts = [f"<p>{text('map.groups.lead')}</p>", *(f"<p>{_groups(each)}</p>" for each in found.clusters)]
    for each in found.clusters:
        if each.count < 2 or len(set(found.labels)) < 2:
            continue
        rows: list[list[str | Raw]] = []
        for group in [*range(each.count), *([-1] if each.noise else [])][:ROWS]:
            inside = Counter(label for label, own in zip(found.labels, each.groups, strict=True) if own == group)
            words = Raw(", ".join(f"{_label(label)} ({count:,})" for label, count in inside.most_common(8)) + (", …" if len(inside) > 8 else ""))
            rows.append([text("map.group.none") if group < 0 else text("map.group", number=group + 1), f"{sum(inside.values()):,}", words])
        parts.append(table(f"map.groups.{each.method}.table", ["map.head.group", "map.head.points", "map.head.labels"], rows))
    return "".join(parts)


def _new_section(found: EmbeddingMap) -> str:
    """Where new points lie, and which of them lie nowhere."""
    new = found.new
    assert new is not None, "asked for only where there are new points"
    rows: list[list[str | Raw]] = []
    for at in range(min(len(new.names), ROWS)):
        close = int(new.nearest[at])
        near = Raw(f"{html.escape(found.names[close])} ({_label(found.labels[close])})")
        said = text("map.far" if new.far[at] else "map.within")
        rows.append([html.escape(new.names[at]), _label(new.labels[at]), near, number(float(new.distances[at]), 3), said])
    heads = [f"map.head.{each}" for each in ("name", "label", "nearest", "distance", "place")]
    lead = text("map.new.lead", n=f"{len(new.names):,}", far=f"{int(new.far.sum()):,}")
    return f"<p>{lead}</p>{table('map.new.table', heads, rows)}"


def _points(found: EmbeddingMap) -> str:
    """Every point in a table: where it lies and what is nearest to it."""
    rows: list[list[str | Raw]] = []
    for at in range(min(len(found.names), ROWS)):
        places = [number(float(value), 2) for view in found.views for value in view.points[at]]
        near = html.escape(", ".join(found.names[int(each)] for each in found.neighbours[at][:3]))
        rows.append([html.escape(found.names[at]), _label(found.labels[at]), *places, Raw(near)])
    axes = [f"map.head.{view.method}.{axis}" for view in found.views for axis in "xy"]
    more = f"<p>{text('map.points.more', shown=ROWS, all=f'{len(found.names):,}')}</p>" if len(found.names) > ROWS else ""
    drawn = table("map.points.table", ["map.head.name", "map.head.label", *axes, "map.head.near"], rows)
    return f"{more}<details><summary>{text('map.points.open')}</summary>{drawn}</details>"


def _made(found: EmbeddingMap, about: About) -> str:
    """What the map is of and how it was made."""
    of = text("map.of.photos", folder=about.photos, model=about.model) if about.photos else text("map.of.known", model=about.model)
    sentences = [of, text("map.directions" if about.centred else "map.embeddings", d=found.dimensions)]
    sentences += [_reason(each) for each in found.reasons if each.key == "reduced"]
    sentences += [text("map.made", seed=found.seed), *(Raw(f'<q lang="en">{html.escape(note)}</q>') for note in about.notes)]
    return "".join(f"<p>{each}</p>" for each in sentences)


def render(found: EmbeddingMap, about: About, *, shown: Sequence[str] = (), fresh: Sequence[str] = ()) -> str:
    """Return the page; `shown` are pictures of the points and `fresh` of the new ones, as `pictures` gives them, or none."""
    parts = {"views": _views(found, shown, fresh), "belief": _belief(found), "groups": _group_section(found)}
    if found.new is not None:
        parts["new"] = _new_section(found)
    parts |= {"points": _points(found), "lesson": lesson_section(), "made": _made(found, about)}
    return webpage("map", parts, also=("map.js", "map.css"), name=about.photos or about.model, n=f"{len(found.names):,}")


def write(found: EmbeddingMap, about: About, path: Path, *, shown: Sequence[str] = (), fresh: Sequence[str] = ()) -> Path:
    """Write the page; raises OutputError."""
    return write_atomic(path, render(found, about, shown=shown, fresh=fresh))
