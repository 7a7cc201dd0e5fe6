"""Image kernels by name, in words, or cut out of a picture: small matrices that blur, sharpen or find edges."""

import math
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError, did_you_mean

__all__ = ["MOST_SIDE", "NAMES", "Kernel", "cut", "named", "read_box", "read_matrix"]

MOST_SIDE = 127  # pixels
MOST_NUMBER = 1e6
DECIMALS = 4

# The fixed ones, and what they divide by.
FIXED = {
    "identity": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1),
    "sharpen": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
    "sobel-x": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 1),
    "sobel-y": ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], 1),
    "laplace": ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 1),
    "emboss": ([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], 1),
    "edge": ([[-1, 1]], 1),
}
ABOUT = {
    "identity": "leaves every pixel as it is",
    "box": "the mean of a square: blurs",
    "gaussian": "a bell-shaped mean: blurs without corners",
    "sharpen": "adds what a pixel differs from its neighbours by",
    "sobel-x": "how much it gets lighter from left to right: upright edges",
    "sobel-y": "how much it gets lighter from top to bottom: level edges",
    "laplace": "how much the neighbours are lighter: edges in every direction",
    "emboss": "light from one corner: a relief",
    "edge": "a pixel minus its neighbour",
}
NAMES = tuple(ABOUT)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel and where it is from: `values` float64 (H, W), or (H, W, C) for one matrix per channel; `about` says in plain words what it does."""

    name: str
    values: np.ndarray
    about: str

    @property
    def sum(self) -> float:
        """The sum of its numbers: what becomes of an even grey. 1 keeps it, 0 makes it 0."""
        return float(self.values.sum())

    @property
    def symmetric(self) -> bool:
        """True where a turn by 180 degrees changes nothing, so that convolution and cross-correlation agree."""
        return bool(np.array_equal(self.values, self.values[::-1, ::-1]))


def named(name: str, size: int = 3, sigma: float | None = None) -> Kernel:
    """Return a kernel by its name; `size` (odd pixels, to 127) and `sigma` (pixels; without it size / 6) are those of the two blurs.

    The Gaussian is sampled at whole pixels and divided by its sum. Raises InputError for a name that is not known or a size that cannot be.
    """
    if name not in ABOUT:
        raise InputError(
            f"there is no kernel '{name}'{did_you_mean(name, NAMES)}", f"one of {', '.join(NAMES)}; or your own: --matrix '0,1,0;1,-4,1;0,1,0'"
        )
    if name in FIXED:
        if size != 3 or sigma is not None:
            raise InputError(f"{name} has one size", "leave --size and --sigma out; they are for box and gaussian")
        values, divisor = FIXED[name]
        return Kernel(name, np.array(values, np.float64) / divisor, ABOUT[name])
    if not (1 <= size <= MOST_SIDE and size % 2):
        raise InputError(f"a {name} of {size} pixels", f"its side is odd, between 1 and {MOST_SIDE}, so that it has a middle: --size 5")
    if name == "box":
        if sigma is not None:
            raise InputError("a box has no sigma", "leave --sigma out, or take --kernel gaussian")
        return Kernel(name, np.full((size, size), 1 / size**2), ABOUT[name])
    width = size / 6 if sigma is None else sigma
    if not (math.isfinite(width) and 0.01 <= width <= 1000):
        raise InputError(f"a sigma of {width:g} pixels", "sigma is between 0.01 and 1000 pixels: --sigma 1.5")
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * width**2))
    return Kernel(name, np.outer(bell, bell) / bell.sum() ** 2, ABOUT[name])


def read_matrix(text: str) -> Kernel:
    """Read a kernel in words, rows parted by `;`, numbers by `,` or spaces: `0,1,0; 1,-4,1; 0,1,0`; `1/9` is a number too. Raises InputError."""
    hint = "write rows parted by ';' and numbers by ',': '0,1,0;1,-4,1;0,1,0'"
    if len(text) > 1_000_000:
        raise InputError(f"a matrix of {len(text):,} letters", f"at most {MOST_SIDE} x {MOST_SIDE} numbers")
    rows = [[_number(word, hint) for word in row.replace(",", " ").split()] for row in text.strip().strip(";").split(";")]
    wide = {len(row) for row in rows}
    if wide == {0}:
        raise InputError("the matrix is empty", hint)
    if len(wide) != 1:
        raise InputError(f"rows of {', '.join(map(str, sorted(wide)))} numbers are no matrix", hint)
    if max(len(rows), *wide) > MOST_SIDE:
        raise InputError(f"a matrix of {len(rows)} x {max(wide)}; at most {MOST_SIDE} x {MOST_SIDE} are taken", hint)
    return Kernel("matrix", np.array(rows, np.float64), "your own")


def _number(word: str, hint: str) -> float:
    above, _, below = word.partition("/")
    try:
        value = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"'{word[:20]}' is no number", hint) from None
    if not abs(value) <= MOST_NUMBER:
        raise InputError(f"{word[:20]} is too large or no number", f"numbers of a kernel are between -{MOST_NUMBER:g} and {MOST_NUMBER:g}")
    return value


def read_box(text: str) -> tuple[int, int, int, int]:
    """Read `LEFT,TOP,WIDTH,HEIGHT` in pixels; raises InputError."""
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and len(part) < 7 for part in parts):
        raise InputError(f"'{text[:40]}' is no part of a picture", "write LEFT,TOP,WIDTH,HEIGHT in pixels: --patch 40,60,15,15")
    left, top, width, height = (int(part) for part in parts)
    return left, top, width, height


def cut(image: np.ndarray, box: tuple[int, int, int, int], *, centred: bool = True) -> Kernel:
    """Return a patch (left, top, width, height) of an image (H, W) or (H, W, C), 0..255, as a kernel of values 0..1; `centred` takes its mean off.

    Centred, it answers to the pattern and not to how bright the place is. Raises InputError for a box that is not inside, too large or of one colour.
    """
    left, top, width, height = box
    high, wide = image.shape[:2]
    if min(width, height) < 1 or left < 0 or top < 0 or left + width > wide or top + height > high:
        raise InputError(f"{width} x {height} pixels at {left},{top} are not inside {wide} x {high}", "write LEFT,TOP,WIDTH,HEIGHT in pixels")
    if max(width, height) > MOST_SIDE:
        raise InputError(f"a patch of {width} x {height} pixels", f"at most {MOST_SIDE} x {MOST_SIDE}")
    values = image[top : top + height, left : left + width].astype(np.float64) / 255
    if np.ptp(values) == 0:
        raise InputError(f"the patch at {left},{top} is of one colour, so it looks like nothing", "take a place with an edge or a corner in it")
    return Kernel("patch", values - values.mean() if centred else values, f"{width} x {height} pixels of your picture at {left},{top}")
