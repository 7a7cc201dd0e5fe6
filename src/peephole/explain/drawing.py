"""Pictures of layers as the page shows them: an image with its size and words, its colour scale, a layer as a stamp."""

from peephole.explain.layers import Layer
from peephole.explain.pictures import Sheet, bars, legend, sheet, symmetric
from peephole.explain.words import Raw, attribute, count, number
from peephole.explain.worked import strongest

__all__ = ["SIDE", "picture", "scale", "shape_text", "stamp"]

SIDE = 72  # pixels of a stamp


def picture(drawn: Sheet, alt: Raw, kind: str = "sheet") -> Raw:
    """Return an <img> with its size, so that the page does not jump."""
    return Raw(f'<img class="{kind}" src="{drawn.uri}" width="{drawn.width}" height="{drawn.height}" {alt}>')


def scale(limit: float, places: int = 3) -> Raw:
    """Return the colour scale with its limits."""
    colours = picture(legend(), attribute("alt", "scale.alt"), "legend")
    return Raw(f'<span class="scale"><span>{number(-limit, places)}</span>{colours}<span>{number(limit, places)}</span></span>')


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape: 32 × 28 × 28."""
    return " × ".join(str(size) for size in shape) or "1"


def stamp(layer: Layer, kind: str = "stop") -> Raw:
    """Return a layer as a small picture: its strongest map, or its numbers as bars."""
    limit, at = symmetric(layer.values), strongest(layer)
    if at is not None and max(layer.shape[1:]) > 1:
        words = attribute("alt", "glance.map.alt", name=layer.name, channel=at[0], total=count(layer.shape[0]))
        return picture(sheet(layer.values[at[0]][None], limit, side=SIDE, grown=2 * SIDE), words, f"{kind} pixels")
    words = attribute("alt", "glance.units.alt", name=layer.name, total=count(layer.values.size))
    return picture(bars(layer.values.ravel(), limit), words, f"{kind} row")
