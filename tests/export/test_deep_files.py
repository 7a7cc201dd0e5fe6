"""vgg, inception, resnet as files: the same answers, readable names, costs by hand, and a report of every layer."""

import re
from dataclasses import replace

import numpy as np
import pytest
from plans import case, stir
from torch import nn

from drawings import folder
from peephole.decide.predictor import load
from peephole.explain.anatomy import EXPLAINED, kind
from peephole.explain.layers import look
from peephole.explain.report import explain, render
from peephole.explain.words import LANGUAGES, catalogue
from peephole.export.build import build
from peephole.export.layers import layers
from peephole.export.onnx import to_onnx
from peephole.export.parity import compare, run_graph
from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import DEEP, draw
from peephole.train.recipe import Options


def network(name: str, size: tuple[int, int, int], deep: Deep, labels: int = 3) -> Network:
    """Return a network for pictures of `size` (H, W, C) with no weight or figure that could hide a mistake."""
    height, width, channels = size
    shape = Shape(channels, height, width)
    drawn = draw(name, shape, labels, (120.0,) * channels, (60.0,) * channels, deep=settle(deep, name, shape))
    for step in drawn.modules():
        if isinstance(step, nn.Conv2d) and not step.weight.any():
            nn.init.normal_(step.weight, std=0.1)
    return stir(drawn)


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("size", [(28, 28, 1), (20, 33, 3), (96, 100, 3)], ids=str)
@pytest.mark.parametrize("name", DEEP)
def test_the_file_answers_as_the_network(name, size, norm):
    """Small, not square and large, with and without batch norm: no decision changes, names are readable, every layer has words."""
    asked = case(network(name, size, Deep(width=4, depth=1, norm=norm)), size)
    graph = to_onnx(asked.network, asked.known, size)
    found = run_graph(graph, asked.images)
    for line in ((0.5, 0.0), (-1.0, 0.05)):
        assert compare(asked.network, asked.known, found, asked.images, line=line).changed_decisions == 0
    np.testing.assert_allclose(found.familiarity, asked.trained.familiarity, atol=1e-4)
    for node in graph.graph.node:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", node.name) and not re.search(r"(conv|relu|add|concat|max|reduce)_\d+$", node.name), node.name
        assert node.op_type != "BatchNormalization"
    seen = look(graph.SerializeToString(), asked.images[:1])
    for layer in seen.layers:
        assert layer.op in EXPLAINED and layer.known and layer.field is not None, layer.name
        for language in LANGUAGES:
            assert catalogue(language)[f"op.{kind(layer)}"] and catalogue(language)[f"term.{kind(layer)}"]


def names(name: str, deep: Deep) -> list[str]:
    """Return the names of the network's nodes in the file."""
    asked = case(network(name, (16, 16, 1), deep), (16, 16, 1), each=1, asked=1)
    graph = to_onnx(asked.network, asked.known, (16, 16, 1))
    return [node.name for node in graph.graph.node if not node.name.startswith(("normalise", "familiarity"))]


def test_a_team_from_drawings_to_a_report(tmp_path):
    """Two networks side by side: the file answers as the network (else `build` raises), and each layer says whose it is."""
    photos = folder(tmp_path / "photos", 20)
    built = build(photos, tmp_path / "team.onnx", Options(network="plain", members=2, steps=4, threads=1, size=(16, 16), plain=Plain((4,), hidden=6)))
    steps = [f"{step}{'1' * (step != 'flatten')}" for step in ("conv", "relu", "pool", "flatten", "dense")]
    wanted = [f"team_member{number}_{step}" for number in (1, 2) for step in (*steps, "relu_dense1")] + ["team_concat", "logits"]
    found = built.model.card.layers
    assert sorted(layer.name for layer in found if not layer.name.startswith("normalise")) == sorted(wanted)
    assert "2 times plain" in built.model.card.training.sentence
    assert next(layer for layer in found if layer.name == "team_concat").shape == (12,)
    page = render(explain(load(built.path), next((photos / "X").iterdir())))
    assert all(f">{name}<" in page for name in wanted)


def test_glances_from_drawings_to_a_report(tmp_path):
    """Five ways side by side that are added up: the file answers as the network (else `build` raises), and holds the weights once."""
    photos, small = folder(tmp_path / "photos", 20), Plain((4,), hidden=50)
    how = Options(network="plain", steps=4, threads=1, size=(16, 16), plain=small)
    once = build(photos, tmp_path / "once.onnx", how)
    built = build(photos, tmp_path / "glances.onnx", replace(how, glances=True))
    assert built.path.stat().st_size < 1.25 * once.path.stat().st_size, "the weights of five looks are the same"
    found = {layer.name: layer for layer in built.model.card.layers}
    assert found["glances_sum"].shape == (50,) and {f"glances_{way}_conv1" for way in ("still", "left", "right", "up", "down")} < set(found)
    assert "asked at five places of the photo" in built.model.card.training.sentence
    page = render(explain(load(built.path), next((photos / "X").iterdir())))
    assert all(f">{name}<" in page for name in found if not name.startswith("normalise"))
    assert "5 ways lead side by side" in page


def test_known_examples_compared_by_their_maps(tmp_path):
    """The file's embedding is what the flatten leaves, and its familiarity that of numpy (else `build` raises)."""
    photos = folder(tmp_path / "photos", 20)
    small = Plain((4,), hidden=6)
    built = build(photos, tmp_path / "maps.onnx", Options(network="plain", embedding="maps", steps=4, threads=1, size=(16, 16), plain=small))
    layers_ = {layer.name: layer.shape for layer in built.model.card.layers}
    assert built.model.card.outputs["embedding"] == ("N", 4 * 8 * 8) and layers_["relu_dense1"] == (6,)
    assert ">relu_dense1<" in render(explain(load(built.path), next((photos / "X").iterdir())))


def test_names_of_vgg():
    """Block, step, number; a folded batch norm leaves none."""
    block = ["conv1", "relu1", "conv2", "relu2", "pool"]
    end = ["flatten", "dense1", "relu_dense1", "logits"]
    assert names("vgg", Deep(width=2)) == [f"block{number}_{step}" for number in (1, 2) for step in block] + end


def test_names_of_inception():
    """Each step says its block, its branch and what it does there."""
    assert sorted(names("inception", Deep(width=4, depth=1))) == sorted(
        [
            *("stem", "relu_stem", "pool_stem", "block1_branch1x1_conv"),
            *("block1_branch3x3_reduce", "block1_branch3x3_relu", "block1_branch3x3_conv"),
            *("block1_branch5x5_reduce", "block1_branch5x5_relu", "block1_branch5x5_conv"),
            *("block1_branch_pool_max", "block1_branch_pool_conv", "block1_concat", "block1_relu"),
            *("pool_head", "flatten", "logits"),
        ]
    )


def test_names_of_resnet():
    """The sum stands behind the second convolution, a projection before it; without shortcuts there is neither."""
    shortcut = {"block2_shortcut", "block1_add", "block2_add"}
    found = names("resnet", Deep(width=4, depth=1))
    assert found[:7] == ["stem", "relu_stem", "block1_conv1", "block1_relu1", "block1_conv2", "block1_add", "block1_relu2"]
    assert found[7:] == [*(f"block2_{step}" for step in ("conv1", "relu1", "conv2", "shortcut", "add", "relu2")), "pool_head", "flatten", "logits"]
    assert [name for name in found if name not in shortcut] == names("resnet", Deep(width=4, depth=1, shortcuts=False))


def costs(name: str, size: tuple[int, int, int], deep: Deep):
    """Return the card's layers by name."""
    asked = case(network(name, size, deep, 10), size, each=1, asked=1)
    return {layer.name: layer for layer in layers(to_onnx(asked.network, asked.known, size))}


def test_the_cost_of_resnet_20():
    """40.8 million multiply-accumulates at 32x32x3, counted by hand: 16, 32 and 64 filters at 32, 16 and 8 pixels, and two projections."""
    found = costs("resnet", (32, 32, 3), Deep(width=16, depth=3, stages=3))
    convolutions = 1024 * (432 + 6 * 2304) + 256 * (4608 + 5 * 9216) + 64 * (18432 + 5 * 36864)
    projections = 256 * 512 + 64 * 2048
    assert sum(layer.macs for layer in found.values()) == convolutions + projections + 640
    assert found["block4_shortcut"].macs == 256 * 512 and found["block4_add"].macs == 0
    assert convolutions == pytest.approx(40.5e6, rel=0.01)


def test_the_cost_of_vggs_first_block():
    """Per cell of 24x20: 3 x 64 x 9, then 64 x 64 x 9 products; parameters 1,792 and 36,928 as in every table of VGG."""
    found = costs("vgg", (24, 20, 3), Deep(width=64, depth=2, stages=1))
    assert [found[f"block1_conv{number}"].parameters for number in (1, 2)] == [1_792, 36_928]
    assert [found[f"block1_conv{number}"].macs for number in (1, 2)] == [480 * 1_728, 480 * 36_864]
    assert found["block1_pool"].shape == (64, 12, 10)


def test_the_cost_of_an_inception_module():
    """Width 4: 16 maps of 4 | 6 -> 8 | 1 -> 2 | 2 from a stem of 4, each product counted at 8x8."""
    found = costs("inception", (16, 16, 1), Deep(width=4, depth=1))
    each = {"branch1x1_conv": 16, "branch3x3_reduce": 24, "branch3x3_conv": 432, "branch5x5_reduce": 4, "branch5x5_conv": 50, "branch_pool_conv": 8}
    assert {name: found[f"block1_{name}"].macs for name in each} == {name: 64 * products for name, products in each.items()}
    assert found["block1_concat"].shape == (16, 8, 8)


@pytest.mark.parametrize("name", DEEP)
def test_from_drawings_to_a_report(name, tmp_path):
    """Trained, written, loaded, asked and explained: the report shows every layer of the file by its name."""
    photos = folder(tmp_path / "photos", 20)  # enough to prove: nothing is held out in turn
    built = build(photos, tmp_path / "deep.onnx", Options(network=name, steps=4, threads=1, size=(16, 16), deep=Deep(width=4, depth=1)))
    recipe = built.model.card.training.recipe
    assert recipe["network"] == name and recipe["deep"]["filters"][0] == (16 if name == "inception" else 4)
    assert f"{name} (4 filters first, " in built.model.card.training.sentence
    predictor = load(built.path)
    page = render(explain(predictor, next((photos / "X").iterdir())))
    for layer in built.model.card.layers:
        assert layer.name.startswith("normalise") or f">{layer.name}<" in page
