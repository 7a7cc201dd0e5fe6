"""What each layer has put together: the picture rebuilt from a layer's answers alone, and how far it is from the original.

Mahendran & Vedaldi 2015, equation 1: from an even grey, the picture is changed down the slope of |layer(x) - layer(picture)|^2 / |layer(picture)|^2
until it makes the layer answer as the original did; a small price on differences between neighbours keeps out what the layer says nothing about, and
slopes that are smoothed at first bring the coarse form before the fine. The numbers were chosen on the demo's drawings and one photo (docs/log.md).
Another rebuilder may get more out of a layer: the error is what is lost at most. What cannot be told apart by the layer is rebuilt as any of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from peephole.base.errors import ModelFileError
from peephole.explain.gradient import PICTURE, Tape
from peephole.explain.layers import Layer, Look

__all__ = ["LIMIT", "STEPS", "Rebuilt", "rebuild", "rebuilt", "stages", "work_of"]

STEPS, LEAST = 240, 80
LIMIT = 100_000_000_000  # multiplications of one rebuilding: `plain` takes a quarter of it and a second
FAST = 16.0  # grey levels of the first steps (Adam); they end at none along a cosine
GREY = 127.5
# What differences between neighbours cost, as a share of what the layer's answers cost: first the coarse form, then what is fine.
SMOOTH, SHARP = 10.0, 0.1
BLURS = 4  # times that the first slopes are smoothed
MOMENTUM, MEMORY = 0.9, 0.99


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A picture that makes a layer answer nearly as the original did.

    `picture` uint8 (H, W, C), None where it was not rebuilt: then `why` says so, and `work`, the multiplications it would take, is above `LIMIT`, or
    there is an operation without a slope. `numbers` are those that the layer holds of the picture. `error` is the root of the mean squared difference
    from the original per pixel, in grey levels of 255; `flat` that of the original's mean colour, which is no rebuilding at all; `match` the distance
    of the layer's answers from the original's, as a share of their length.
    """

    layer: str
    numbers: int
    picture: np.ndarray | None
    error: float
    flat: float
    match: float
    steps: int
    work: int
    why: str = ""

    @property
    def relative(self) -> float:
        """The error as a share of that of the mean colour: 0 is the original, 1 and more is no better than that."""
        return self.error / self.flat if self.flat else float("nan")


def stages(seen: Look, most: int = 3) -> tuple[str, ...]:
    """Return the layers worth rebuilding from: `most` of those behind each pooling (or the last of each size), and the one the answer is read off."""
    first = next((at for at, layer in enumerate(seen.layers) if layer.op == "Conv"), len(seen.layers))
    maps = [layer for layer in seen.layers[first:] if len(layer.shape) == 3 and layer.op != "Pad" and layer.shape[1] * layer.shape[2] > 1]
    found = [layer.name for layer in maps if layer.op in {"MaxPool", "AveragePool"} and _shrinks(layer)]
    if found and found[-1] != maps[-1].name and maps[-1].op != "Conv":
        found.append(maps[-1].name)  # what comes behind the last pooling, as in inception
    if len(found) < 2:
        sizes = {layer.shape[1:]: layer.name for layer in maps}
        found = list(sizes.values())
    places = sorted({round(at) for at in np.linspace(0, len(found) - 1, min(most, len(found)))}) if found else []
    last = seen.layers[-1].inputs[0] if seen.layers and seen.layers[-1].inputs else PICTURE
    return tuple(dict.fromkeys([*(found[at] for at in places), *([last] if last != PICTURE else [])]))


def _shrinks(layer: Layer) -> bool:
    return layer.window is not None and max(layer.window.stride) > 1


def work_of(seen: Look, layer: str) -> int:
    """Return the multiplications that one step of rebuilding from `layer` takes, about: forward, backward, and a walk over every number."""
    total = 0
    for each in seen.layers:
        total += 3 * each.macs.value + 60 * each.values.size
        if each.name == layer:
            break
    return total


def _roughness(x: np.ndarray) -> np.ndarray:
    """Return the slope of the mean squared difference between neighbours of x (1, H, W, C), in units of 255."""
    found = np.zeros_like(x)
    for axis in (1, 2):
        steps = np.diff(x, axis=axis)
        late, early = (tuple(slice(*ends) if each == axis else slice(None) for each in range(4)) for ends in ((1, None), (None, -1)))
        found[late] += 2 * steps
        found[early] -= 2 * steps
    return found / (255.0**2 * x.size)


def _smoothed(slope: np.ndarray, times: int) -> np.ndarray:
    """Return slopes (1, H, W, C) with every cell mixed with its neighbours, 1 : 2 : 1 along both axes, so many times."""
    for _ in range(times):
        for axis in (1, 2):
            padded = np.pad(slope, [(1, 1) if each == axis else (0, 0) for each in range(4)], mode="edge")
            before, after = (np.take(padded, np.arange(slope.shape[axis]) + shift, axis=axis) for shift in (0, 2))
            slope = (before + 2 * slope + after) / 4
    return slope


def _descend(tape: Tape, target: np.ndarray, shape: tuple[int, ...], steps: int) -> np.ndarray:
    """Return the picture (1, H, W, C), 0..255, whose answers come near `target`: Adam from grey, the same picture each time."""
    x = np.full((1, *shape), GREY)
    size = max(float((target.astype(np.float64) ** 2).sum()), 1e-30)
    mean, square = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, steps + 1):
        passed = tape.run(x)
        off = tape.values(passed) - target
        smooth = SMOOTH * (SHARP / SMOOTH) ** (step / steps)
        slope = tape.back(passed, {tape.names[-1]: 2 * off / np.float32(size)})[PICTURE] + smooth * _roughness(x)
        slope = _smoothed(slope, round(BLURS * (1 - step / steps)))
        mean, square = MOMENTUM * mean + (1 - MOMENTUM) * slope, MEMORY * square + (1 - MEMORY) * slope**2
        pace = FAST * 0.5 * (1 + np.cos(np.pi * step / steps))
        x = np.clip(x - pace * (mean / (1 - MOMENTUM**step)) / (np.sqrt(square / (1 - MEMORY**step)) + 1e-12), 0, 255)
    return x


def _off(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one.astype(np.float64) - other) ** 2)))


def rebuild(data: bytes, picture: np.ndarray, layer: str, *, steps: int = STEPS) -> Rebuilt:
    """Rebuild uint8 `picture` (H, W, C) from what `layer` answers for it, whatever it takes.

    Raises InputError for a layer that is not there, ModelFileError where an operation before it has no known slope.
    """
    tape = Tape(data, until=layer)
    target = tape.values(tape.run(picture[None]))
    found = _descend(tape, target, picture.shape, steps).round().astype(np.uint8)[0]
    answers = tape.values(tape.run(found[None]))
    length = float(np.linalg.norm(target.astype(np.float64)))
    match = float(np.linalg.norm((answers - target).astype(np.float64))) / length if length else 0.0
    flat = _off(picture, picture.mean(axis=(0, 1)))
    return Rebuilt(layer, target[0].size, found, _off(found, picture), flat, match, steps, 0)


def rebuilt(data: bytes, seen: Look, picture: np.ndarray, *, most: int = 3, limit: int = LIMIT) -> tuple[Rebuilt, ...]:
    """Rebuild `picture` from each of its `stages`, in at most `limit` multiplications each: with fewer steps where 240 would be too many.

    What would take more even with 80 steps, or has an operation without a slope before it, is told and left out.
    """
    found = []
    for layer in stages(seen, most):
        each = work_of(seen, layer)
        steps = min(STEPS, limit // max(1, each))
        held = seen.find(layer)
        numbers = held.values.size if held else 0
        nothing = Rebuilt(layer, numbers, None, float("nan"), float("nan"), float("nan"), 0, each * LEAST)
        if steps < LEAST:
            why = f"it would take {each * LEAST:.1e} multiplications, and {limit:.1e} are spent at most"
            found.append(replace(nothing, why=why))
            continue
        try:
            one = rebuild(data, picture, layer, steps=steps)
        except ModelFileError as error:
            found.append(replace(nothing, why=error.what))
            continue
        found.append(replace(one, work=each * steps))
    return tuple(found)
