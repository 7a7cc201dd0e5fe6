"""A kernel slid over a picture: every output pixel is a sum of products, and each of them can be asked for.

Convolution turns the kernel by 180 degrees before it slides, cross-correlation does not; networks do the second and call it the first. Pictures are
arrays of 0..255, (H, W) or (H, W, C); each channel is taken by itself unless the kernel has a matrix for each.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from peephole.base.errors import InputError, did_you_mean
from peephole.lab.catalogue import Kernel
from peephole.lab.convolve import correlate

__all__ = ["PADS", "Cell", "Filtered", "Match", "Pad", "Slide", "apply", "match", "picture", "size_after", "work_cell"]

Pad = Literal["zero", "reflect", "edge", "wrap", "valid"]
PADS: tuple[Pad, ...] = ("zero", "reflect", "edge", "wrap", "valid")
NUMPY = {"zero": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
MOST_STEP = 64
LARGE = 4_000_000  # pixels beyond which results are float32, to halve what a phone's photo takes
STRIP = 1_000_000  # pixels worked on at a time
FLAT = 1e-9  # of a patch's energy: less variation than this is rounding


@dataclass(frozen=True)
class Slide:
    """How a kernel slides.

    `flip` turns it first (convolution) or not (cross-correlation); `pad` is what lies outside; `stride` is how many pixels it is from one place
    to the next, `dilation` how far its taps stand apart. All but "valid" pad so that stride 1 keeps the size: (K - 1) // 2 before and K // 2 after,
    K being the kernel's side with its gaps.
    """

    flip: bool = True
    pad: Pad = "reflect"
    stride: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        if self.pad not in PADS:
            raise InputError(f"there is no padding '{self.pad}'{did_you_mean(self.pad, PADS)}", f"one of {', '.join(PADS)}")
        for name, value in (("stride", self.stride), ("dilation", self.dilation)):
            if not 1 <= value <= MOST_STEP:
                raise InputError(f"a {name} of {value}", f"{name} is between 1 and {MOST_STEP}")


@dataclass(frozen=True, eq=False)
class Filtered:
    """What came out: `values` (H', W') or (H', W', C), not rounded, with the kernel as given and as slid (`applied`, with the gaps of dilation)."""

    values: np.ndarray
    kernel: Kernel
    applied: np.ndarray
    slide: Slide


@dataclass(frozen=True, eq=False)
class Cell:
    """One output pixel worked out: `total` = the sum of `products` = `patch` * `kernel`, which is as it is applied, turned for a convolution.

    `at` is (row, column) of the output, `origin` the row and column of the patch's first pixel in the picture, negative in the padding; `inside` is
    False where the patch lies there. All of the shape of the kernel, (H, W) or (H, W, C).
    """

    at: tuple[int, int]
    origin: tuple[int, int]
    patch: np.ndarray
    kernel: np.ndarray
    products: np.ndarray
    inside: np.ndarray
    total: float


@dataclass(frozen=True, eq=False)
class Match:
    """How well a patch fits each window: `values` (H', W') from -1 (its negative) over 0 (nothing alike) to 1 (itself); `best` is (row, column)."""

    values: np.ndarray
    best: tuple[int, int]
    score: float


def size_after(n: int, k: int, slide: Slide) -> int:
    """Return how many places a kernel of `k` has on a side of `n` pixels: floor((n + padding - d (k - 1) - 1) / s) + 1; 0 where it lies nowhere."""
    reach = slide.dilation * (k - 1) + 1
    padding = 0 if slide.pad == "valid" else reach - 1
    return max(0, (n + padding - reach) // slide.stride + 1)


def apply(image: np.ndarray, kernel: Kernel, slide: Slide | None = None) -> Filtered:
    """Slide a kernel over an image (H, W) or (H, W, C); a kernel (h, w, C) sums over the channels to (H', W').

    Raises InputError for NaN, no pixels, channels that do not fit, or a kernel that lies nowhere wholly inside ("valid").
    """
    slide = slide or Slide()
    grid = _grid(image)
    applied = _applied(kernel, slide)
    _require_room(grid, kernel, slide)
    kind = np.float32 if grid.shape[0] * grid.shape[1] > LARGE else np.float64
    if applied.ndim == 3:
        if applied.shape[2] != grid.shape[2]:
            raise InputError(
                f"a kernel of {applied.shape[2]} channels on a picture of {grid.shape[2]}", "cut it from this picture, or make both grey"
            )
        values = sum(_channel(grid[..., at], applied[..., at], slide, kind) for at in range(grid.shape[2]))
        return Filtered(np.asarray(values), kernel, applied, slide)
    values = np.stack([_channel(grid[..., at], applied, slide, kind) for at in range(grid.shape[2])], axis=-1)
    return Filtered(values if image.ndim == 3 else values[..., 0], kernel, applied, slide)


def _grid(image: np.ndarray) -> np.ndarray:
    """Return the image as (H, W, C); raises InputError."""
    grid = np.asarray(image)
    if grid.ndim not in (2, 3) or 0 in grid.shape or grid.dtype.kind not in "buif":
        raise InputError(f"{grid.dtype} {grid.shape} is no picture", "give numbers as (height, width) or (height, width, channels)")
    if not np.isfinite(grid).all():
        raise InputError("the picture holds NaN or infinity", "replace them, as with np.nan_to_num")
    return grid if grid.ndim == 3 else grid[..., None]


def _applied(kernel: Kernel, slide: Slide) -> np.ndarray:
    """Return the kernel as it slides: turned for a convolution, with zeros in the gaps of dilation."""
    values = kernel.values[::-1, ::-1] if slide.flip else kernel.values
    if slide.dilation == 1:
        return values.copy()
    high, wide = (slide.dilation * (side - 1) + 1 for side in values.shape[:2])
    apart = np.zeros((high, wide, *values.shape[2:]))
    apart[:: slide.dilation, :: slide.dilation] = values
    return apart


def _require_room(grid: np.ndarray, kernel: Kernel, slide: Slide) -> None:
    if not all(size_after(n, k, slide) for n, k in zip(grid.shape[:2], kernel.values.shape[:2], strict=True)):
        shape = " x ".join(map(str, kernel.values.shape[:2]))
        gaps = f" with its taps {slide.dilation} apart" if slide.dilation > 1 else ""
        raise InputError(
            f"a kernel of {shape}{gaps} lies nowhere wholly inside {grid.shape[0]} x {grid.shape[1]} pixels", "another padding: --pad reflect"
        )


def _margins(applied: np.ndarray, slide: Slide) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many pixels are padded (above, below) and (left, right)."""
    high, wide = (0, 0) if slide.pad == "valid" else (side - 1 for side in applied.shape[:2])
    return (high // 2, high - high // 2), (wide // 2, wide - wide // 2)


def _channel(plane: np.ndarray, applied: np.ndarray, slide: Slide, kind: type) -> np.ndarray:
    """Slide over one plane, a strip of rows at a time, so that a large photo takes no more memory than its result."""
    margins = _margins(applied, slide)
    padded = plane if slide.pad == "valid" else np.pad(plane, margins, NUMPY[slide.pad])  # type: ignore[call-overload]
    rows = size_after(plane.shape[0], 1 + (applied.shape[0] - 1) // slide.dilation, slide)
    at_once = max(1, STRIP // padded.shape[1] // slide.stride)
    parts = []
    for start in range(0, rows, at_once):
        first = start * slide.stride
        last = (min(rows, start + at_once) - 1) * slide.stride + applied.shape[0]
        strip: np.ndarray = padded[first:last].astype(kind)
        parts.append(correlate(strip, applied.astype(kind), mode="valid")[:: slide.stride, :: slide.stride])
    return np.concatenate(parts)


def work_cell(image: np.ndarray, kernel: Kernel, at: tuple[int, int], slide: Slide | None = None, channel: int = 0) -> Cell:
    """Return the arithmetic of the output pixel `at` (row, column); `channel` is which of a picture that is taken channel by channel.

    Raises InputError for a pixel that there is not, and as `apply` does.
    """
    slide = slide or Slide()
    grid = _grid(image)
    _require_room(grid, kernel, slide)
    high, wide = (size_after(n, k, slide) for n, k in zip(grid.shape[:2], kernel.values.shape[:2], strict=True))
    if not (0 <= at[0] < high and 0 <= at[1] < wide and 0 <= channel < grid.shape[2]):
        raise InputError(
            f"there is no output pixel {at[0]},{at[1]}", f"rows are 0 to {high - 1}, columns 0 to {wide - 1}: --at {high // 2},{wide // 2}"
        )
    flipped = kernel.values[::-1, ::-1] if slide.flip else kernel.values
    (above, _), (left, _) = _margins(_applied(kernel, slide), slide)
    origin = (at[0] * slide.stride - above, at[1] * slide.stride - left)
    places, inside = [], []
    for start, side, count in zip(origin, grid.shape[:2], flipped.shape[:2], strict=True):
        wanted = start + slide.dilation * np.arange(count)
        inside.append((wanted >= 0) & (wanted < side))
        places.append(_mapped(wanted, side, slide.pad))
    patch = grid[np.ix_(places[0], places[1])].astype(np.float64)
    within = inside[0][:, None] & inside[1][None, :]
    if slide.pad == "zero":
        patch[~within] = 0.0
    patch = patch if flipped.ndim == 3 else patch[..., channel]
    products = patch * flipped
    return Cell(at, origin, patch, flipped.copy(), products, within, float(products.sum()))


def _mapped(wanted: np.ndarray, side: int, pad: Pad) -> np.ndarray:
    """Return for places that may lie outside 0 .. side - 1 the pixel that stands for them; for "zero" any."""
    if pad == "wrap":
        return np.asarray(wanted % side)
    if pad == "reflect" and side > 1:
        period = 2 * (side - 1)
        back = wanted % period
        return np.asarray(np.minimum(back, period - back))
    return np.asarray(np.clip(wanted, 0, side - 1))


def match(image: np.ndarray, patch: Kernel, *, centred: bool = True) -> Match:
    """Return the cosine between a patch and every window of its size: -1..1, wherever it lies wholly inside; where a window is flat, 0.

    `centred` takes the mean off patch and window first, so that brightness does not count. Raises InputError as `apply` does.
    """
    grid = _grid(image).astype(np.float64)
    values = patch.values if patch.values.ndim == 3 else np.repeat(patch.values[..., None], grid.shape[2], axis=2)
    if values.shape[2] != grid.shape[2]:
        raise InputError(f"a patch of {values.shape[2]} channels on a picture of {grid.shape[2]}", "cut it from this picture, or make both grey")
    _require_room(grid, patch, Slide(flip=False, pad="valid"))
    wanted = values - values.mean() if centred else values
    norm = float(np.sqrt((wanted**2).sum()))
    if norm == 0:
        raise InputError("the patch is of one colour, so it looks like nothing", "take a place with an edge or a corner in it")
    ones = np.ones(values.shape[:2])
    planes = [grid[..., at] for at in range(grid.shape[2])]
    # Windows are compared with a patch whose mean is off, so their own mean drops out of the product, but not out of their length.
    product = sum(correlate(plane, wanted[..., at]) for at, plane in enumerate(planes))
    energy = sum(correlate(plane**2, ones) for plane in planes)
    spread = energy - np.asarray(sum(correlate(plane, ones) for plane in planes)) ** 2 / values.size if centred else energy
    flat = spread <= FLAT * np.maximum(energy, 1e-300)
    found = np.where(flat, 0.0, np.clip(product / (norm * np.sqrt(np.where(flat, 1.0, spread))), -1, 1))
    best = np.unravel_index(int(found.argmax()), found.shape)
    return Match(np.asarray(found), (int(best[0]), int(best[1])), float(found[best]))


def picture(values: np.ndarray, *, signed: bool, limit: float | None = None) -> np.ndarray:
    """Return values as uint8 of the same shape: cut to 0..255, or `signed`: 0 is mid-grey 128, -limit black, limit white (without it the largest)."""
    if not signed:
        return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    most = limit if limit is not None else float(np.abs(values).max())
    return np.asarray(np.clip(np.rint(128 + (values / most if most > 0 else values) * 127), 1, 255).astype(np.uint8))
