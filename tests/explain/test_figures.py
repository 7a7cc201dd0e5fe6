"""The static figures of one explanation: every layer with maps, what mattered, softmax; the page's numbers and colours, the same bytes twice."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from peephole.decide.predictor import load
from peephole.explain.explanation import explain
from peephole.explain.figures import COLOURS, _drawn, _mosaic, figures, write_figures
from peephole.explain.pictures import PALETTE
from peephole.explain.words import number


@pytest.fixture(scope="module")
def explanation(make_door, tmp_path_factory):
    """An explanation of noise by a door model whose labels are not easy to write."""
    path = tmp_path_factory.mktemp("figures") / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(path)
    return explain(load(make_door(("<img src=x onerror=alert(1)>", "준호", "$\\frac{1$"))), path)


def test_every_layer_with_maps_has_its_figure(explanation, tmp_path):
    """PNG and SVG of each, of occlusion and of softmax; names of files are plain; written twice they are the same bytes."""
    once = {path.name: path.read_bytes() for path in write_figures(explanation, tmp_path / "once")}
    again = {path.name: path.read_bytes() for path in write_figures(explanation, tmp_path / "again")}
    layers = {"conv1", "relu1", "pool1", "conv2", "relu2", "pool2"}
    assert {re.sub(r"layer-\d+-", "", name.partition(".")[0]) for name in once} == {"occlusion", "softmax", *layers}
    assert once == again and len(once) == 2 * (len(layers) + 2)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+\.(png|svg)", name) for name in once)
    assert not any(re.search(rb"20\d\d-\d\d-\d\d", data) for data in once.values())
    kinds = {each.tag.partition("}")[2] for each in ElementTree.fromstring(once["softmax.svg"]).iter() if isinstance(each.tag, str)}
    assert "path" in kinds and not kinds & {"img", "script", "foreignObject", "a"}


def test_the_figures_have_the_pages_numbers(explanation):
    """Softmax's bars are the terms, the heat map the deltas, the scale each layer's limits; names are written as they are."""
    found = figures(explanation)
    bars = found["softmax"].axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([100 * term.share for term in explanation.softmax.terms])
    names = [label.get_text() for label in found["softmax"].axes[0].get_yticklabels()]
    assert sorted(names) == sorted(("<img src=x onerror=…", "준호", "$\\frac{1$"))
    heat = found["occlusion"].axes[1].images[1].get_array()
    np.testing.assert_array_equal(np.asarray(heat), explanation.occlusion.deltas)
    conv = explanation.look.first("Conv")
    limit = float(np.abs(conv.values).max())
    assert number(limit) in [label.get_text() for label in found["layer-05-conv1"].axes[-1].get_yticklabels()]


def test_colours_are_those_of_the_page():
    """Zero is the page's neutral colour and both ends are the page's ends."""
    for share, at in ((0.0, 0), (0.5, 126), (1.0, 252)):
        np.testing.assert_allclose(np.array(COLOURS(share)[:3]) * 255, PALETTE[3 * at : 3 * at + 3], atol=1)


def test_maps_stand_row_by_row():
    """Each map keeps its pixels and its place; the gap is transparent, what is not a number is grey."""
    maps = np.zeros((3, 4, 4), np.float32)
    maps[1], maps[2, 0, 0] = 2.0, np.nan
    drawn = _mosaic(maps, 2.0, 2)
    assert drawn.shape == (9, 9, 4) and (drawn[4] == 0).all() and (drawn[:, 4] == 0).all()
    np.testing.assert_allclose(drawn[0, 5], COLOURS(1.0))
    np.testing.assert_allclose(drawn[5, 0][:3], np.full(3, 128 / 255))
    np.testing.assert_allclose(drawn[5, 1], COLOURS(0.5))


def test_numbers_that_are_none_are_drawn(explanation, tmp_path):
    """NaN and infinity in a layer, in softmax and in what mattered: figures all the same."""
    layers = explanation.look.layers
    broken = tuple(replace(layer, values=np.full_like(layer.values, np.nan)) if layer.op == "Conv" else layer for layer in layers)
    deltas = explanation.occlusion.deltas.copy()
    deltas[0, 0] = np.nan
    term = replace(explanation.softmax.terms[0], share=float("nan"), logit=float("inf"))
    softmax = replace(explanation.softmax, terms=(term, *explanation.softmax.terms[1:]))
    odd = replace(
        explanation, look=replace(explanation.look, layers=broken), softmax=softmax, occlusion=replace(explanation.occlusion, deltas=deltas)
    )
    assert all(path.stat().st_size > 2_000 for path in write_figures(odd, tmp_path))


def test_of_a_long_network_the_main_stops_are_drawn(explanation):
    """Beyond 24 layers with maps only those of the glance; the normalisation is never drawn."""
    layers = explanation.look.layers
    assert len(_drawn(layers)) == 6 and not any(layers[at].name.startswith("normalise") for at in _drawn(layers))
    many = (*(replace(layers[4], name=f"conv{i}") for i in range(30)), *layers[5:])
    assert 0 < len(_drawn(many)) <= 10
