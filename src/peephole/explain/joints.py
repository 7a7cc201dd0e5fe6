"""Where a network divides and joins again: which layers stand side by side, and what leads from the fork to the joint.

Knows the layers and what each reads; draws nothing. Works for any graph; what is not a plain fork of plain rows is left alone.
"""

from dataclasses import dataclass

from peephole.explain.layers import Layer

__all__ = ["JOINING", "PICTURE", "Joint", "Step", "along", "joints", "shortened"]

JOINING = {"Add", "Sum", "Concat"}
PICTURE = -1  # the place of the picture itself
Step = tuple[str, str]  # (conv, depthwise or pool; "3 × 3", in one piece)


@dataclass(frozen=True)
class Joint:
    """Ways that lead from the layer at place `fork` (-1 is the picture) to the one at `join`, each the places of its layers, in order.

    A way without a layer hands on what the fork says, unchanged: the shortcut of a residual block.
    """

    fork: int
    join: int
    ways: tuple[tuple[int, ...], ...]

    @property
    def inside(self) -> tuple[int, ...]:
        """The places of all layers on its ways, in order."""
        return tuple(sorted(place for way in self.ways for place in way))


def _back(place: int, layers: tuple[Layer, ...], place_of: dict[str, int]) -> list[int]:
    """Return the places from `place` backwards, up to the picture or to a layer that reads several, that one among them."""
    found = [place]
    while place != PICTURE and len(layers[place].inputs) == 1:
        place = place_of[layers[place].inputs[0]]
        found.append(place)
    return found


def joints(layers: tuple[Layer, ...]) -> tuple[Joint, ...]:
    """Return where plain rows of layers that begin at one layer are added up or put one behind the other, in order.

    Only joints whose ways are all that is computed between fork and joint, and that share no layer, are told.
    """
    place_of = {"": PICTURE} | {layer.name: place for place, layer in enumerate(layers)}
    found = []
    for join, layer in enumerate(layers):
        if layer.op not in JOINING or len(layer.inputs) < 2:
            continue
        rows = [_back(place_of[name], layers, place_of) for name in layer.inputs]
        fork = next((place for place in rows[0] if all(place in row for row in rows)), None)
        if fork is None:
            continue
        ways = tuple(tuple(reversed(row[: row.index(fork)])) for row in rows)
        joint = Joint(fork, join, ways)
        if joint.inside and joint.inside == tuple(range(join - len(joint.inside), join)):
            found.append(joint)
    return tuple(found)


def along(way: tuple[int, ...], layers: tuple[Layer, ...]) -> tuple[Step, ...]:
    """Return the windows that a way slides over its input, in order; () for one that computes nothing of the kind."""
    steps = []
    for place in way:
        layer = layers[place]
        if layer.window is None:
            continue
        depthwise = layer.group > 1 and layer.weight is not None and layer.weight.shape[1] == 1
        kind = "pool" if layer.op != "Conv" else ("depthwise" if depthwise else "conv")
        steps.append((kind, f"{layer.window.kernel[0]}\u00a0×\u00a0{layer.window.kernel[1]}"))
    return tuple(steps)


def shortened(steps: tuple[Step, ...]) -> Step | None:
    """Return the step that tells a way from its neighbours: its pooling, or its largest window; None where it has none."""
    pools = [step for step in steps if step[0] == "pool"]
    return pools[0] if pools else max(steps, key=lambda step: int(step[1].partition("\u00a0")[0]), default=None)
