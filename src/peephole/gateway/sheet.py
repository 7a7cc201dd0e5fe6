"""A contact sheet: some pictures of a cluster on one, for a person to look at."""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

from PIL import Image

from peephole.base.errors import PhotoError
from peephole.data.decode import open_bytes
from peephole.gateway.gathering import Seen, read_picture

__all__ = ["chosen", "sheet"]

MOST, COLUMNS = 24, 6
SIDE, GAP = 180, 6  # pixels
GROUND = (245, 245, 245)


def chosen(seen: Sequence[Seen], most: int = MOST) -> tuple[Seen, ...]:
    """Return at most so many pictures, in their order: one of each visit before a second of any, spread over the visits when these are more."""
    taken: dict[str, int] = {}
    turns: list[tuple[int, int]] = []
    for at, one in enumerate(seen):
        turns.append((taken.get(one.visit, 0), at))
        taken[one.visit] = taken.get(one.visit, 0) + 1
    first = [at for turn, at in turns if turn == 0]
    if len(first) > most:
        return tuple(seen[first[at * len(first) // most]] for at in range(most))
    return tuple(seen[at] for at in sorted(at for _, at in sorted(turns)[:most]))


def sheet(seen: Sequence[Seen]) -> bytes:
    """Return a JPEG of up to 24 pictures, 6 in a row; one that cannot be read any more leaves its place empty."""
    some = chosen(seen)
    columns = min(COLUMNS, max(1, len(some)))
    rows = -(-len(some) // columns)
    whole = Image.new("RGB", (columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP), GROUND)
    for at, one in enumerate(some):
        with suppress(PhotoError):
            image = open_bytes(read_picture(one)).convert("RGB")
            image.thumbnail((SIDE, SIDE))
            left, top = GAP + at % columns * (SIDE + GAP), GAP + at // columns * (SIDE + GAP)
            whole.paste(image, (left + (SIDE - image.width) // 2, top + (SIDE - image.height) // 2))
    out = BytesIO()
    whole.save(out, "JPEG", quality=85)
    return out.getvalue()
