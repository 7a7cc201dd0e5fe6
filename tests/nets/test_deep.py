"""vgg, inception, resnet: the published shapes and numbers where sizes agree, and a network that answers for every other size."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from peephole.base.errors import SettingsError
from peephole.nets import blocks
from peephole.nets.blocks import Network, Residual, Shape, fold_batch_norm
from peephole.nets.deep import Deep, settle
from peephole.nets.inception import _module
from peephole.nets.networks import DEEP, NETWORKS, draw
from peephole.nets.quick import suits

SIZES = [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 8, 8), (3, 8, 60), (3, 97, 33), (3, 224, 244)]
SMALL = Deep(width=8, depth=1)


def build(name: str, shape: Shape, deep: Deep = SMALL, labels: int = 3) -> Network:
    """Return a network with seeded weights, ready to answer."""
    torch.manual_seed(2)
    channels = shape.channels
    return draw(name, shape, labels, (0.0,) * channels, (1.0,) * channels, deep=settle(deep, name, shape)).eval()


def shapes(network: Network, shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the shape (without the batch) after each step of the body, by name."""
    x, found = torch.zeros(1, shape.channels, shape.height, shape.width, device="meta"), {}
    with torch.no_grad():
        for name, step in network.to("meta").body.named_children():
            x = step(x)
            found[name] = tuple(x.shape[1:])
    return found


def stirred(name: str, shape: Shape, deep: Deep) -> Network:
    """Return a network of which no scale, shift or running figure is 0 or 1."""
    network = build(name, shape, deep)
    for step in network.modules():
        if isinstance(step, nn.BatchNorm2d):
            for values, low, high in ((step.running_mean, -1, 1), (step.running_var, 0.5, 2), (step.weight, 0.5, 1.5), (step.bias, -1, 1)):
                nn.init.uniform_(values, low, high)
        elif isinstance(step, nn.Conv2d) and not step.weight.any():
            nn.init.normal_(step.weight, std=0.1)
    return network


def test_vgg_at_224_begins_as_published() -> None:
    """conv3x3-64, conv3x3-64, max pool, then conv3x3-128 twice at half the sides (Simonyan & Zisserman 2015, table 1)."""
    shape = Shape(3, 224, 224)
    found = shapes(build("vgg", shape, Deep(norm="none")), shape)
    assert list(found.items())[:8] == [
        ("block1_conv1", (64, 224, 224)),
        ("block1_relu1", (64, 224, 224)),
        ("block1_conv2", (64, 224, 224)),
        ("block1_relu2", (64, 224, 224)),
        ("block1_pool", (64, 112, 112)),
        ("block2_conv1", (128, 112, 112)),
        ("block2_relu1", (128, 112, 112)),
        ("block2_conv2", (128, 112, 112)),
    ]
    assert found["block5_pool"] == (256, 7, 7) and found["shrink"] == (256, 3, 3)
    convolutions = [step for step in build("vgg", shape).modules() if isinstance(step, nn.Conv2d)]
    assert all(conv.kernel_size == (3, 3) and conv.stride == (1, 1) for conv in convolutions)


@pytest.mark.parametrize("name", DEEP)
def test_a_file_for_224_stays_below_20_mb(name: str) -> None:
    """Every network's usual numbers at 224x224x3 and at the notes' 224x244x3 give at most 4.5 million weights (18 MB)."""
    for width in (224, 244):
        assert sum(weight.numel() for weight in build(name, Shape(3, 224, width), Deep(), 10).parameters()) < 4_500_000


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_vanishes(name: str, size: tuple[int, int, int]) -> None:
    """The last maps have 4 cells or more on each side, whatever the picture; the answer is finite, one row per picture."""
    shape = Shape(*size)
    network = build(name, shape)
    maps = [found for step, found in shapes(build(name, shape), shape).items() if len(found) == 3 and step not in ("pool_head", "shrink")]
    assert min(maps[-1][1:]) >= 4
    logits, embedding = network(torch.randn(2, *size))
    assert logits.shape == (2, 3) and len(embedding) == 2 and embedding.min() >= 0
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(network.head()(embedding), logits)


@pytest.mark.parametrize(
    ("name", "size", "last"),
    [
        *(("vgg", 28, (128, 4, 4)), ("vgg", 32, (128, 4, 4)), ("vgg", 64, (128, 4, 4))),
        *(("inception", 28, (8 * 16, 7, 7)), ("inception", 64, (8 * 16, 4, 4)), ("inception", 224, (16 * 16, 7, 7))),
        *(("resnet", 28, (64, 7, 7)), ("resnet", 32, (64, 8, 8)), ("resnet", 64, (64, 4, 4)), ("resnet", 224, (128, 7, 7))),
    ],
)
def test_the_last_maps(name: str, size: int, last: tuple[int, int, int]) -> None:
    """28 -> 14 -> 7 (-> 4), 32 -> 16 -> 8 (-> 4), 64 -> ... -> 4, 224 -> ... -> 7, as the papers' tables have it."""
    shape = Shape(1, size, size)
    found = shapes(build(name, shape, Deep(width=32 if name == "vgg" else 16, depth=1)), shape)
    assert [maps for step, maps in found.items() if len(maps) == 3 and step not in ("pool_head", "shrink")][-1] == last


def weights(network: nn.Module) -> int:
    """Count all weights."""
    return sum(weight.numel() for weight in network.parameters())


def test_resnet_20_to_the_last_weight() -> None:
    """Width 16, depth 3, 3 stages at 32x32x3 is their ResNet-20: 269,722 weights, and 2,752 for projections (option B)."""
    network = build("resnet", Shape(3, 32, 32), Deep(width=16, depth=3, stages=3), 10)
    convolutions = 27 * 16 + 6 * 144 * 16 + (144 * 32 + 5 * 288 * 32) + (288 * 64 + 5 * 576 * 64)
    projections, norms, dense = 16 * 32 + 32 * 64, 2 * (7 * 16 + 7 * 32 + 7 * 64), 64 * 10 + 10
    assert weights(network) == convolutions + projections + norms + dense == 269_722 + 2_560 + 2 * (32 + 64)
    layers = [step for name, step in network.named_modules() if isinstance(step, nn.Conv2d | nn.Linear) and not name.endswith("shortcut")]
    assert len(layers) == 6 * 3 + 2


def test_inceptions_module_3a() -> None:
    """192 maps into 256: 64 | 96 -> 128 | 16 -> 32 | 32, and 159 K weights (Szegedy et al. 2015, table 1: 163,328, or 163,696 with biases)."""
    module = _module(192, 256, "none")
    ways = {name: [conv.out_channels for conv in way if isinstance(conv, nn.Conv2d)] for name, way in module.named_children()}
    assert ways == {"branch1x1": [64], "branch3x3": [96, 128], "branch5x5": [16, 32], "branch_pool": [32]}
    assert weights(module) == 192 * (64 + 96 + 16 + 32) + 96 * 9 * 128 + 16 * 25 * 32 + 64 + 96 + 128 + 16 + 32 + 32 == 163_696
    assert module.eval()(torch.zeros(1, 192, 28, 28)).shape == (1, 256, 28, 28)


def test_a_module_keeps_its_branches_apart() -> None:
    """Each branch's maps stand at their place, and are those of the branch alone."""
    module = _module(16, 32, "none").eval()
    x = torch.randn(1, 16, 9, 7)
    joined = module(x)
    at = 0
    for way in module.children():
        alone = way(x)
        assert torch.equal(joined[:, at : at + alone.shape[1]], alone)
        at += alone.shape[1]
    assert at == 32


def test_a_residual_block_without_batch_norm_begins_as_the_identity() -> None:
    """Its last layer is zero at first, so that what comes in goes out, and the gradient comes back whole."""
    network = build("resnet", Shape(1, 16, 16), Deep(width=4, depth=1, norm="none")).train()
    x = torch.randn(3, 4, 16, 16, requires_grad=True)
    block = network.body.get_submodule("block1")
    assert isinstance(block, Residual)
    torch.testing.assert_close(block(x), x)
    (gradient,) = torch.autograd.grad(block(x).sum(), x)
    torch.testing.assert_close(gradient, torch.ones_like(x))


def test_thirty_layers_and_their_plain_twin() -> None:
    """Depth 7 with 2 stages has 30 layers with weights; without shortcuts it has the same layers and adds nothing."""
    deep = Deep(width=4, depth=7, stages=2, norm="none")
    shape = Shape(1, 28, 28)
    whole, twin = build("resnet", shape, deep), build("resnet", shape, Deep(**{**vars(deep), "shortcuts": False}))
    layers = [name for name, step in twin.named_modules() if isinstance(step, nn.Conv2d | nn.Linear)]
    assert len(layers) == 30
    assert [n for n, s in whole.named_modules() if isinstance(s, nn.Conv2d | nn.Linear) and not n.endswith("shortcut")] == layers
    x = torch.randn(1, 4, 28, 28)
    block = twin.body.get_submodule("block1")
    assert torch.equal(block(x), block.conv2(block.relu1(block.conv1(x))))
    assert all(block.conv2.weight.any() for block in twin.body if isinstance(block, Residual))  # zero would stop the signal here


@pytest.mark.parametrize("name", DEEP)
def test_folding_batch_norm_changes_no_answer(name: str) -> None:
    """Also inside blocks and branches: folded and unfolded agree, no batch norm is left, and the network itself stays as it was."""
    shape = Shape(3, 32, 24)
    network = stirred(name, shape, SMALL)
    x = torch.randn(4, 3, 32, 24)
    before = network(x)
    folded = fold_batch_norm(network)
    scale = float(before[0].detach().abs().max())
    torch.testing.assert_close(folded(x)[0], before[0], atol=1e-5 * max(1, scale), rtol=1e-4)
    assert not any(isinstance(step, nn.BatchNorm2d) for step in folded.modules())
    assert any(isinstance(step, nn.BatchNorm2d) for step in network.modules())
    assert torch.equal(network(x)[0], before[0])


@pytest.mark.skipif(not suits(torch.zeros(1)), reason="this processor's PyTorch has no oneDNN for it")
@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("name", DEEP)
def test_the_quick_way_gives_the_same_numbers(name: str, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While learning in oneDNN's layout: logits and every gradient agree with the network as drawn."""
    shape = Shape(3, 20, 17)
    network = stirred(name, shape, Deep(width=8, depth=2, norm=norm, keep_prob=1.0)).train()
    x, labels, found = torch.randn(6, 3, 20, 17), torch.tensor([0, 1, 2, 0, 1, 2]), []
    for way in (suits, lambda _: False):
        monkeypatch.setattr(blocks, "suits", way)
        network.zero_grad()
        logits, _ = network(x)
        cross_entropy(logits, labels).backward()
        found.append((logits.detach(), [weight.grad.clone() for weight in network.parameters()]))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-4, rtol=1e-4)
    for first, second in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(first, second, atol=2e-4 * max(1.0, float(second.abs().max())), rtol=1e-3)


def test_what_is_left_open_is_settled_by_name_and_size() -> None:
    """The usual numbers, wider for large pictures; what was given stays."""
    assert (settle(Deep(), "vgg", Shape(3, 224, 224)).width, settle(Deep(), "vgg", Shape(3, 32, 32)).width) == (64, 16)
    given = settle(Deep(width=5, depth=3, stages=2, keep_prob=0.9, norm="none", shortcuts=False), "resnet", Shape(1, 28, 28))
    assert (given.width, given.depth, given.stages, given.keep_prob, given.norm, given.shortcuts) == (5, 3, 2, 0.9, "none", False)
    assert given.sentence() == "5 filters first, 2 stages of 3 blocks of two convolutions, keep 0.9, without shortcuts"


def test_every_name_is_drawn() -> None:
    """The table of names is the whole table: each gives a network for as many labels as asked."""
    assert NETWORKS == ("plain", "vgg", "inception", "resnet", "strokes", "lite0", "lite2")
    for name in NETWORKS:
        assert draw(name, Shape(3, 32, 32), 4, (0.0,) * 3, (1.0,) * 3).head().out_features == 4


@pytest.mark.parametrize(
    "wrong",
    [
        *({"width": 1}, {"width": 257}, {"depth": 0}, {"depth": 65}, {"stages": 0}, {"stages": 6}),
        *({"keep_prob": 0.0}, {"keep_prob": 1.5}, {"keep_prob": float("nan")}, {"norm": "layer"}, {"width": 8.5}, {"depth": "3"}),
    ],
)
def test_numbers_no_network_can_have_are_refused(wrong: dict[str, float]) -> None:
    """Each is a SettingsError that names the rule and says where the options are listed."""
    with pytest.raises(SettingsError) as refused:
        Deep(**wrong)
    assert next(iter(wrong)).replace("_", "-") in refused.value.what
    assert "--help" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "shape", "deep", "what"),
    [
        ("resnet", Shape(1, 32, 32), Deep(width=256, depth=64), "million weights"),
        ("vgg", Shape(3, 512, 512), Deep(width=256, depth=2, stages=1), "million multiplications"),
    ],
)
def test_a_network_too_large_for_a_file_or_a_gate_is_refused(name: str, shape: Shape, deep: Deep, what: str) -> None:
    """Before any memory is taken, with numbers that are smaller."""
    with pytest.raises(SettingsError, match=what) as refused:
        build(name, shape, deep)
    assert "--width 128" in refused.value.hint
