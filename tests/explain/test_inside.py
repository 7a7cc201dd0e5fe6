"""The report's parts on what goes on inside: shown when asked for, the same bytes, escaped, with the numbers that were worked out."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from peephole.base.errors import MissingInput
from peephole.base.modelfile import read
from peephole.base.modelwrite import write
from peephole.decide.predictor import load
from peephole.explain.attribution import METHODS, HeatMap
from peephole.explain.inside import Compared, drawn, look_inside
from peephole.explain.insideparts import inside_sections
from peephole.explain.layers import look
from peephole.explain.report import explain, render, to_json
from peephole.explain.words import number

NASTY = ("<script>alert(1)</script>", "한글 \"x\" & 'y'", "{mina} $who")
SECTIONS = ("maps", "rebuilt", "exciting", "dropout")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight seeded photos, one of them with a name that is HTML."""
    root = tmp_path_factory.mktemp("photos") / "ana"
    root.mkdir()
    draw = np.random.default_rng(6)
    for index in range(8):
        name = "<img src=x onerror=alert(1)>.png" if index == 3 else f"{index}.png"
        Image.fromarray(draw.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(root / name)
    return root.parent


@pytest.fixture(scope="module")
def nasty(make_door, folder):
    """An explanation, inside too, whose every name is hostile."""
    return explain(load(make_door(NASTY)), folder / "ana" / "<img src=x onerror=alert(1)>.png", photos=folder, inside=True)


def test_only_when_asked_for(nasty, make_door, folder):
    """Without `inside` nothing is looked at and the page has none of the parts; with it all four, before the evidence."""
    plain = explain(load(make_door()), folder / "ana" / "0.png")
    assert plain.inside is None
    assert inside_sections(plain) == {}
    assert "inside" not in json.loads(to_json(plain))
    names = re.findall(r'<section id="(\w+)"', render(nasty))
    assert [name for name in names if name in SECTIONS] == list(SECTIONS)
    assert not set(SECTIONS) & set(re.findall(r'<section id="(\w+)"', render(plain)))
    assert names.index("occlusion") < names.index("maps") < names.index("dropout") < names.index("evidence")


def test_the_same_bytes(nasty, make_door, folder):
    """Twice the same file and photo, twice the same page and numbers."""
    again = explain(load(make_door(NASTY)), folder / "ana" / "<img src=x onerror=alert(1)>.png", photos=folder, inside=True)
    assert "".join(inside_sections(again).values()) == "".join(inside_sections(nasty).values())
    assert json.loads(to_json(again))["inside"] == json.loads(to_json(nasty))["inside"]


def test_names_stay_text(nasty):
    """Labels and names of photos are escaped, and braces in them are no places."""
    page = "".join(inside_sections(nasty).values())
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert page.count("<img ") > 30
    assert set(re.findall(r'src="([^:"]*):', page)) == {"data"}


def test_names_of_layers_stay_text(make_door, folder, tmp_path):
    """A file whose steps are called like HTML shows these names as text everywhere."""
    model = read(make_door())
    graph = onnx.load_from_string(model.data)
    for node in graph.graph.node:
        node.name = f"<b>{node.name}</b>" if not node.name.startswith("normalise") else node.name
    del graph.metadata_props[:]
    write(tmp_path / "named.onnx", graph, model.card)
    page = "".join(inside_sections(explain(load(tmp_path / "named.onnx"), folder / "ana" / "0.png", photos=folder, inside=True)).values())
    assert "<b>" not in page
    for name in ("pool2", "conv1", "relu_dense1", "logits"):
        assert f"&lt;b&gt;{name}&lt;/b&gt;" in page


def test_the_numbers_are_those_worked_out(nasty):
    """report.json and the page carry each method with its sum, its control, the errors, the patches and the passes."""
    values, inside = json.loads(to_json(nasty))["inside"], nasty.inside
    assert [each["method"] for each in values["maps"]] == ["grad-cam", "integrated gradients", "gradient x input"]
    assert {each["method"] for each in values["maps"]} == set(METHODS)
    for found, each in zip(inside.maps, values["maps"], strict=True):
        np.testing.assert_allclose(each["values"], found.trained.values)
        assert [stage["upto"] for stage in each["redrawn"]] == ["logits", "dense1", "conv2", "conv1"]
        assert each["closing"]["total"] + each["closing"]["residue"] == pytest.approx(each["closing"]["wanted"])
        assert each["limit"] >= np.abs(drawn(found.trained)).max()
    page = "".join(inside_sections(nasty).values())
    assert number(inside.maps[1].trained.closing.residue, 4) in page
    assert [each["layer"] for each in values["rebuilt"]] == ["pool1", "pool2", "relu_dense1"]
    assert f"{inside.rebuilt[0].error:.1f}" in page
    assert values["exciting"]["photos"] == 8
    assert len(values["exciting"]["units"]) == 6
    assert values["dropout"]["passes"] == 50
    assert values["dropout"]["masks"][0].count("1") == inside.dropout.masks[0].sum()
    assert sum(row["best_in"] for row in values["dropout"]["labels"]) == 50


def test_every_convolution_shows_its_kernels(nasty, make_door, folder):
    """Inside, the kernels of later layers are pictures too: of each filter the four channels of the largest weights, on the layer's scale."""
    page = render(nasty)
    assert page.count("of the 12 of conv2, colours from") > 0
    assert "those 4 of its 8 input channels" in page
    assert "of the 12 of conv2, colours from" not in render(explain(load(make_door(NASTY)), folder / "ana" / "0.png"))


def test_every_picture_has_a_scale_or_says_what_it_is(nasty):
    """Each figure of maps has its limits in print, in logits, and every picture has words in both languages."""
    sections = inside_sections(nasty)
    assert sections["maps"].count('class="legend"') == 3
    assert sections["dropout"].count('class="legend"') == 1
    for part in sections.values():
        assert part.count("<img ") == part.count(" alt=") == part.count("data-ko-alt=")
    limits = re.findall(r'class="scale"><span>−([\d.]+)</span>', sections["maps"])
    assert [float(limit) for limit in limits] == pytest.approx([found.limit for found in nasty.inside.maps], rel=1e-3)
    assert "Rank correlation" in sections["maps"]
    assert "순위 상관" in sections["maps"]


def test_one_scale_for_all_of_a_figure():
    """The limit is the strongest value that is drawn, trained or not; single pixels are summed over squares that still add up."""
    values = np.random.default_rng(0).normal(size=(100, 70))
    found = HeatMap("integrated gradients", 0, "", values, 1.0)
    coarse = drawn(found)
    assert coarse.shape == (25, 18)
    assert coarse.sum() == pytest.approx(values.sum())
    assert coarse[3, 2] == pytest.approx(values[12:16, 8:12].sum())
    assert Compared(found, ()).limit == pytest.approx(np.abs(coarse).max())
    small = HeatMap("grad-cam", 0, "pool2", values[:7, :7], 1.0)
    np.testing.assert_array_equal(drawn(small), values[:7, :7])


def test_a_large_colour_picture_stays_small(make_door, tmp_path):
    """Noise in colour, the worst to compress, adds less than 1.5 MB to the page, patches of photos included."""
    (tmp_path / "photos" / "ana").mkdir(parents=True)
    for index in range(6):
        pixels = np.random.default_rng(index).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / "ana" / f"{index}.png")
    model = load(make_door(size=96, channels=3, filters=(4, 4, 4, 4)))
    found = explain(model, tmp_path / "photos" / "ana" / "0.png", photos=tmp_path / "photos", inside=True)
    assert 100_000 < sum(map(len, inside_sections(found).values())) < 1_500_000
    assert drawn(found.inside.maps[1].trained).shape == (32, 32)
    assert "summed over squares of 3 × 3 pixels" in inside_sections(found)["maps"]


def test_without_a_folder_no_photo_is_looked_for(make_door, folder):
    """Patches are parts of people's pictures: they are shown only when their folder is given; one that is not there is an error."""
    predictor = load(make_door())
    found = explain(predictor, folder / "ana" / "0.png", inside=True)
    assert found.inside.search is None
    assert "--inside --photos FOLDER" in inside_sections(found)["exciting"]
    with pytest.raises(MissingInput):
        look_inside(predictor, found.look, found.prepared, 0, photos=folder / "nowhere")


def test_an_answer_that_is_no_number(make_door, folder):
    """Overflowing layers have nothing to hand back, and the page says so."""
    found = explain(load(make_door(gain=1e25)), folder / "ana" / "0.png", inside=True)
    assert not found.inside.finite
    assert list(inside_sections(found)) == ["maps"]
    assert "not finite numbers" in inside_sections(found)["maps"]
    json.loads(to_json(found), parse_constant=pytest.fail)


def test_an_operation_without_a_slope_is_named(make_door, folder, tmp_path):
    """Maps and rebuilding stop at a step that nobody knows the slope of; patches and dropout passes work."""
    model = read(make_door())
    graph = onnx.load_from_string(model.data)
    for node in graph.graph.node:
        if node.name == "relu1":
            node.op_type = "Ceil"
    del graph.metadata_props[:]
    write(tmp_path / "ceil.onnx", graph, model.card)
    found = explain(load(tmp_path / "ceil.onnx"), folder / "ana" / "0.png", photos=folder, inside=True)
    sections = inside_sections(found)
    assert "layer relu1 is a Ceil" in sections["maps"]
    assert "<figure>" not in sections["maps"]
    assert "no slope that is known" in sections["rebuilt"]
    assert found.inside.search.units
    assert found.inside.dropout is not None


def test_the_class_activation_map_where_it_is_exact(make_door, folder, tmp_path):
    """A door whose maps are averaged before the last layer shows the exact map too, and its sum."""
    model = read(make_door())
    graph = onnx.load_from_string(model.data)
    nodes = {node.name: node for node in graph.graph.node}
    for name in ("dense1", "relu_dense1"):
        graph.graph.node.remove(nodes[name])
    nodes["flatten"].op_type = "GlobalAveragePool"
    nodes["flatten"].output[0] = "averaged"
    flat = onnx.helper.make_node("Flatten", ["averaged"], ["embedding"], "flat")
    graph.graph.node.insert(list(graph.graph.node).index(nodes["flatten"]) + 1, flat)
    draw = np.random.default_rng(1)
    units, labels = 12, 3
    new = {"logits.weight": draw.normal(size=(labels, units)), "centre": np.zeros(units), "known": draw.normal(size=(units, 12))}
    for each in graph.graph.initializer:
        if each.name in new:
            each.CopyFrom(numpy_helper.from_array(new[each.name].astype(np.float32), each.name))
    graph.graph.output[1].type.tensor_type.shape.dim[1].dim_value = units
    del graph.metadata_props[:]
    card = model.card.model_copy(update={"outputs": model.card.outputs | {"embedding": ("N", units)}})
    write(tmp_path / "mean.onnx", graph, card)
    found = explain(load(tmp_path / "mean.onnx"), folder / "ana" / "0.png", inside=True)
    exact = found.inside.class_map
    assert exact.layer == "pool2"
    assert abs(exact.closing.residue) < 1e-4
    assert "the logit is shared out exactly" in inside_sections(found)["maps"]
    assert found.look.logits[exact.label] == pytest.approx(exact.closing.total, abs=1e-4)
    assert look(read(tmp_path / "mean.onnx").data, found.prepared[None]).find("pool2").shape == (12, 7, 7)
