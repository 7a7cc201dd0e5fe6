"""`peephole map`: where the examples lie in what the model sees of them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from peephole.base.errors import OutputError
from peephole.base.extras import load as part
from peephole.cli.show import ProgressWatcher, console

__all__ = ["draw"]

PAGES = (".html", ".htm")
WRITERS = {
    **dict.fromkeys(PAGES, "explain.mappage:write"),
    ".csv": "explain.mapfiles:write_table",
    **dict.fromkeys((".png", ".svg"), "explain.mapfiles:write_figure"),
}


def _require_names(output: list[Path]) -> None:
    """Refuse, before the work, a name that is none for a map."""
    for path in output:
        if path.suffix.lower() not in WRITERS:
            raise OutputError(f"{path} is no name for a map, which ends in .html, .csv, .png or .svg", f"-o {path.with_suffix('.html')}")


def draw(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    photos: Annotated[Path | None, typer.Argument(help="A folder of photos; without it the known examples in the model.")] = None,
    new: Annotated[Path | None, typer.Option(help="A folder of photos to lay into the finished map.")] = None,
    output: Annotated[list[Path] | None, typer.Option("-o", "--output", help="map.html, .csv, .png or .svg; may be given several times.")] = None,
    perplexity: Annotated[float | None, typer.Option(help="About how many neighbours count for t-SNE; without it 30.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
    threads: Annotated[int, typer.Option(help="Threads to compute embeddings with.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw a map of embeddings: t-SNE beside PCA, how far to believe it, groups, neighbours; new photos are laid in without a new fit."""
    output = output or [Path("map.html")]
    _require_names(output)
    project = part("explain.embedding:project")
    writers = {path: part(WRITERS[path.suffix.lower()]) for path in output}  # before the work, should a library be missing
    predictor = part("decide.predictor:load")(model, threads)
    with ProgressWatcher() as watch:
        watch.stage(f"looking at {photos or 'the known examples'}")
        read = part("explain.points:photo_points")
        points = read(predictor, photos, seed=seed, progress=watch.progress) if photos else part("explain.points:known_points")(predictor)
        more = read(predictor, new, seed=seed, progress=watch.progress) if new else None
        watch.stage(f"drawing a map of {len(points.names):,} points")
        projection = project(points.vectors, points.names, points.labels, perplexity=perplexity, seed=seed)
        found = projection.map
        if more is not None:
            found = replace(found, new=projection.place(more.vectors, more.names, more.labels))
        about = part("explain.mappage:About")(
            model.name, photos.name if photos else "", (*points.notes, *(more.notes if more else ())), points.centred
        )
        for path in output:
            if path.suffix.lower() in PAGES:
                shown = part("explain.mappage:pictures")([points.paths[row] for row in found.chosen] if points.paths else [])
                writers[path](found, about, path, shown=shown, fresh=part("explain.mappage:pictures")(more.paths if more else ()))
            else:
                writers[path](found, path)
    if json:
        print(part("explain.mapfiles:to_json")(found), end="")  # noqa: T201  # Rich would wrap and colour it
    else:
        _tell(found, about, output)


def _tell(found: Any, about: Any, output: list[Path]) -> None:
    """Say what was drawn, how far it can be believed and where it stands."""
    kept = found.faithfulness
    lines = [
        f"{len(found.names):,} points; {found.method.upper() if found.method == 'pca' else found.method} first: trustworthiness "
        f"{kept.trustworthiness:.3f}, continuity {kept.continuity:.3f}, {kept.k * kept.agreement:.1f} of the {kept.k} nearest kept "
        f"({kept.k * kept.chance:.1f} by lot; n = {kept.n:,})"
    ]
    lines += [reason.said() for reason in found.reasons]
    lines += [
        f"{each.method}: {each.count} groups{'' if each.beyond_chance else ', which may be noise'}; "
        f"stability {'not known' if each.stability is None else f'{each.stability:.2f}'}, {each.noise:,} in none"
        for each in found.clusters
    ]
    if found.new is not None:
        lines.append(f"{len(found.new.names):,} new points laid in, {int(found.new.far.sum()):,} of them far from all")
    lines += [*about.notes, *(f"wrote {path} ({path.stat().st_size / 1000:,.0f} kB)" for path in output)]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
