"""Branches drawn as branches: the ways from a fork to a joint side by side, and what the joint makes of them."""

import html

from peephole.explain.drawing import stamp
from peephole.explain.joints import PICTURE, Joint, Step, along, shortened
from peephole.explain.layers import Layer
from peephole.explain.words import Raw, attribute, text

__all__ = ["fork_stop", "joined", "layer_link", "way_name", "ways_figure"]


def layer_link(layer: Layer, place: int) -> str:
    """Return a layer's name as a link to it; a long one breaks after an underscore."""
    return f'<a href="#layer-{place}">{html.escape(layer.name).replace("_", "_<wbr>")}</a>'


def way_name(steps: tuple[Step, ...]) -> Raw:
    """Return what a way does, window by window: 1 × 1 → 3 × 3; or that it changes nothing."""
    return Raw(" → ".join(text(f"way.{kind}", window=window) for kind, window in steps)) if steps else text("way.same")


def joined(layer: Layer) -> str:
    """Return how a joint joins, as the end of the keys of its words: add or concat."""
    return "concat" if layer.op == "Concat" else "add"


def _fork(layers: tuple[Layer, ...], joint: Joint) -> Raw:
    return text("layers.picture") if joint.fork == PICTURE else Raw(layer_link(layers[joint.fork], joint.fork))


def _way(layers: tuple[Layer, ...], fork: int, way: tuple[int, ...]) -> str:
    """One way: its name and a stamp of each of its layers; of the fork, where it hands that on unchanged."""
    places = way or (() if fork == PICTURE else (fork,))
    shown = f"<ol>{''.join(f'<li>{stamp(layers[place])}{layer_link(layers[place], place)}</li>' for place in places)}</ol>"
    return f"<li><b>{way_name(along(way, layers))}</b>{shown}</li>"


def ways_figure(layers: tuple[Layer, ...], joint: Joint) -> Raw:
    """Return the ways of a joint side by side, with stamps of their layers, and the joint at their end."""
    layer = layers[joint.join]
    how = joined(layer)
    words = {"fork": _fork(layers, joint), "join": Raw(layer_link(layer, joint.join)), "count": len(joint.ways)}
    ways = "".join(_way(layers, joint.fork, way) for way in joint.ways)
    end = f'<div class="joint"><span class="sign">{text(f"joint.{how}.sign")}</span>{stamp(layer)}{layer_link(layer, joint.join)}</div>'
    label = attribute("aria-label", "joint.label", join=layer.name)
    return Raw(
        f'<figure class="fork" id="ways-{joint.join}" {label}><figcaption>{text(f"joint.{how}", **words)}</figcaption>'
        f'<div class="ways"><ul>{ways}</ul>{end}</div></figure>'
    )


def fork_stop(layers: tuple[Layer, ...], joint: Joint) -> Raw:
    """Return a stop of the glance row: the last layer of each way, small, side by side; a way that changes nothing shows its fork."""
    tiles = []
    for way in joint.ways:
        step = shortened(along(way, layers))
        name = text(f"way.{step[0]}", window=step[1]) if step else text("way.same")
        place = way[-1] if way else joint.fork
        shown = stamp(layers[place], "tile") if place != PICTURE else Raw("")
        tiles.append(f"<span>{shown}{name}</span>")
    words = text(f"joint.{joined(layers[joint.join])}.short", count=len(joint.ways))
    return Raw(f'<li class="forked"><div class="tiles">{"".join(tiles)}</div><a href="#ways-{joint.join}">{words}</a></li>')
