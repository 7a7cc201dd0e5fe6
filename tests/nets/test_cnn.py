"""The plain network: the course's shapes to the last number, and every other plan by the formula."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from peephole.base.errors import SettingsError
from peephole.nets.blocks import Shape, conv_out, pool_out, same_pads
from peephole.nets.cnn import MOST_DENSE_WEIGHTS, Plain, plain


def shapes(network, shape):
    """Return the shape (without the batch) after each step, by name."""
    x, found = torch.zeros(1, shape.channels, shape.height, shape.width), {}
    with torch.no_grad():
        for name, step in network.body.named_children():
            x = step(x)
            found[name] = tuple(x.shape[1:])
    return found


def build(plan, shape, labels=10):
    network = plain(plan, shape, labels, (0.0,) * shape.channels, (255.0,) * shape.channels)
    return network.eval()


def test_lab_11_to_the_last_shape_and_parameter():
    """32, 64, 128 filters on 28x28x1: 28 -> 14 -> 7 -> 4 with the partial windows kept, 2048, 625, 1,379,557 parameters."""
    network = build(Plain(), Shape(1, 28, 28))
    assert shapes(network, Shape(1, 28, 28)) == {
        "conv1": (32, 28, 28),
        "relu1": (32, 28, 28),
        "pool1": (32, 14, 14),
        "conv2": (64, 14, 14),
        "relu2": (64, 14, 14),
        "pool2": (64, 7, 7),
        "conv3": (128, 7, 7),
        "relu3": (128, 7, 7),
        "pool3": (128, 4, 4),
        "flatten": (2048,),
        "dense1": (625,),
        "relu_dense1": (625,),
        "dropout": (625,),
        "logits": (10,),
    }
    by_hand = {"conv1": 320, "conv2": 18_496, "conv3": 73_856, "dense1": 1_280_625, "logits": 6_260}
    steps = dict(network.body.named_children())
    assert {name: sum(p.numel() for p in steps[name].parameters()) for name in by_hand} == by_hand
    assert sum(p.numel() for p in network.parameters()) == sum(by_hand.values()) == 1_379_557
    assert steps["dropout"].p == pytest.approx(0.3)


def test_the_notes_drawing():
    """Filters 32, 64: input, conv, max pool, conv, max pool, fully connected, output."""
    found = shapes(build(Plain(filters=(32, 64)), Shape(1, 28, 28)), Shape(1, 28, 28))
    steps = [name for name in found if not name.startswith(("relu", "dropout", "flatten"))]
    assert steps == ["conv1", "pool1", "conv2", "pool2", "dense1", "logits"]
    assert found["flatten"] == (64 * 7 * 7,)


def test_partial_windows_are_kept():
    """A 7 x 7 map keeps its last column: its pooled corner sees the cell that a floor would drop."""
    pool = dict(build(Plain(filters=(1,)), Shape(1, 7, 7)).body.named_children())["pool1"]
    picture = torch.zeros(1, 1, 7, 7)
    picture[0, 0, 6, 6] = 5
    assert pool(picture).shape[2:] == (4, 4)
    assert pool(picture)[0, 0, 3, 3] == 5


def test_the_embedding_is_the_last_hidden_layer():
    """What is called embedding are the values after the dense layer's ReLU, from which the logits are computed."""
    network = build(Plain(filters=(4,), hidden=6), Shape(1, 8, 8), 3)
    logits, embedding = network(torch.randn(5, 1, 8, 8))
    assert embedding.shape == (5, 6) and embedding.min() >= 0
    torch.testing.assert_close(network.head()(embedding), logits)


PLANS = st.builds(
    Plain,
    filters=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding=st.sampled_from(("same", "valid")),
    pool=st.integers(1, 4),
    hidden=st.integers(1, 5),
    norm=st.sampled_from(("none", "batch")),
)


@given(plan=PLANS, height=st.integers(4, 40), width=st.integers(4, 40))
def test_shapes_follow_the_formula(plan, height, width):
    """floor((n + 2p - (k - 1) - 1) / s) + 1 for valid, ceil(n / s) for same, ceil(n / pool); too small is refused with a hint."""
    sides, expected = [height, width], {}
    for stage, filters in enumerate(plan.filters, 1):
        if plan.padding == "same":
            sides = [-(-n // plan.stride) for n in sides]
        else:
            sides = [(n - (plan.kernel - 1) - 1) // plan.stride + 1 if n >= plan.kernel else 0 for n in sides]
        if min(sides) < 1:
            with pytest.raises(SettingsError, match=f"stage {stage} has nothing left") as refused:
                build(plan, Shape(1, height, width))
            assert "--padding same" in refused.value.hint
            return
        expected[f"conv{stage}"] = (filters, *sides)
        sides = [-(-n // plan.pool) for n in sides]
        expected[f"relu{stage}" if plan.pool == 1 else f"pool{stage}"] = (filters, *sides)
    found = shapes(build(plan, Shape(1, height, width)), Shape(1, height, width))
    assert {name: found[name] for name in expected if name.startswith(("conv", "pool"))} == {
        name: shape for name, shape in expected.items() if name.startswith(("conv", "pool"))
    }
    assert found["flatten"] == (plan.filters[-1] * sides[0] * sides[1],)


@given(size=st.integers(1, 60), kernel=st.integers(1, 11), stride=st.integers(1, 5))
def test_same_is_the_general_formula_with_its_own_zeros(size, kernel, stride):
    """MATH 7: with the zeros that SAME adds, floor((n + zeros - (k - 1) - 1) / s) + 1 is ceil(n / s); the odd zero stands behind."""
    before, after = same_pads(size, kernel, stride)
    assert after - before in (0, 1)
    assert (size + before + after - (kernel - 1) - 1) // stride + 1 == conv_out(size, kernel, stride, "same") == -(-size // stride)


@pytest.mark.parametrize(("n", "k", "s", "out"), [(227, 11, 4, 55), (28, 3, 1, 26), (9, 3, 1, 7), (64, 3, 1, 62)])
def test_valid_sizes_everybody_knows(n, k, s, out):
    """AlexNet's first layer, lab-11 without padding, Rohrer's X, Tiny-VGG."""
    assert conv_out(n, k, s, "valid") == out


def test_pooling_sizes():
    """Rohrer's 7 -> 4 -> 2, and a window larger than the map leaves one cell."""
    assert [pool_out(7, 2), pool_out(4, 2), pool_out(3, 8)] == [4, 2, 1]


def same_convolution(picture, weight, bias, stride):
    """Cross-correlate (C, H, W) with (F, C, k, k) under TensorFlow's SAME rule, cell by cell."""
    filters, _, kernel, _ = weight.shape
    _, height, width = picture.shape
    rows, columns = -(-height // stride), -(-width // stride)
    down, across = (max((out - 1) * stride + kernel - n, 0) for out, n in ((rows, height), (columns, width)))
    padded = np.pad(picture, ((0, 0), (down // 2, down - down // 2), (across // 2, across - across // 2)))
    out = np.zeros((filters, rows, columns))
    for f in range(filters):
        for i in range(rows):
            for j in range(columns):
                patch = padded[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                out[f, i, j] = (patch * weight[f]).sum() + bias[f]
    return out


@settings(max_examples=40)
@given(kernel=st.integers(1, 6), stride=st.integers(1, 3), height=st.integers(5, 12), width=st.integers(5, 12), seed=st.integers(0, 99))
def test_same_is_tensorflows_same(kernel, stride, height, width, seed):
    """Even kernels and strides of 2 put the odd zero below and to the right, cell for cell."""
    network = build(Plain(filters=(2,), kernel=kernel, stride=stride, pool=1, hidden=2), Shape(2, height, width))
    steps = dict(network.body.named_children())
    picture = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ours = steps["conv1"](steps["pad1"](picture) if "pad1" in steps else picture)[0].numpy()
    theirs = same_convolution(picture[0].numpy(), steps["conv1"].weight.detach().numpy(), steps["conv1"].bias.detach().numpy(), stride)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_gradients_pass_through_the_zeros():
    """The padding of an even kernel trains: its gradient is that of a plain zero padding."""
    network = build(Plain(filters=(2,), kernel=2, hidden=3), Shape(1, 6, 6), 2)
    assert "pad1" in dict(network.body.named_children())
    picture = torch.randn(2, 1, 6, 6, requires_grad=True)
    logits, _ = network(picture)
    logits.sum().backward()
    nudged = picture.detach().clone()
    nudged[0, 0, 5, 5] += 1e-2
    with torch.no_grad():
        moved = (network(nudged)[0].sum() - network(picture)[0].sum()) / 1e-2
    assert picture.grad[0, 0, 5, 5].item() == pytest.approx(moved.item(), abs=0.05 * max(1.0, abs(moved.item())))


def test_a_large_picture_is_pooled_before_the_dense_layer():
    """224x244x3 would have a first dense layer of 250 MB: an average pool named shrink goes before it."""
    shape = Shape(3, 224, 244)
    network = build(Plain(), shape, 2)
    found = shapes(network, shape)
    assert found["pool3"] == (128, 28, 31) and "shrink" in found
    assert dict(network.body.named_children())["dense1"].weight.numel() <= MOST_DENSE_WEIGHTS
    assert found["shrink"] == (128, 7, 8)


@given(plan=PLANS, height=st.integers(6, 20), width=st.integers(6, 20), seed=st.integers(0, 99))
def test_any_plan_answers_any_size(plan, height, width, seed):
    """A plan that is not refused answers with finite logits, one row per input."""
    try:
        network = build(plan, Shape(3, height, width), 3)
    except SettingsError:
        assume(False)
    logits, embedding = network(torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed)))
    assert logits.shape == (2, 3) and embedding.shape == (2, plan.hidden)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": ()},
        {"filters": (0,)},
        {"filters": (2000,)},
        {"filters": (8,) * 9},
        {"kernel": 0},
        {"kernel": 32},
        {"stride": 0},
        {"stride": 9},
        {"padding": "full"},
        {"pool": 0},
        {"pool": 9},
        {"hidden": 0},
        {"hidden": 9000},
        {"keep_prob": 0.0},
        {"keep_prob": 1.1},
        {"keep_prob": float("nan")},
        {"norm": "layer"},
    ],
)
def test_numbers_no_network_can_have_are_refused(wrong):
    """Each is a SettingsError that names the rule and says where the options are listed."""
    with pytest.raises(SettingsError) as refused:
        Plain(**wrong)
    assert next(iter(wrong)).replace("_", "-") in refused.value.what
    assert "--help" in refused.value.hint


@pytest.mark.parametrize("pool", [2, 3])
def test_pooling_before_the_relu_while_training_changes_no_answer_and_no_gradient(pool):
    """Max pooling and ReLU commute: the order that training takes gives the drawn network's logits and gradients."""
    torch.manual_seed(0)
    network = plain(Plain(filters=(4, 6), pool=pool, hidden=8, keep_prob=1.0), Shape(1, 13, 11), 3, (100.0,), (50.0,))
    x = torch.randn(5, 1, 13, 11)
    found = []
    for training in (True, False):
        network.train(training).zero_grad()
        logits, _ = network(x)
        logits.logsumexp(1).sum().backward()
        found.append((logits.detach(), [p.grad.clone() for p in network.parameters()]))
    assert [name for name, _ in network.train()._quickest()][:3] == ["conv1", "pool1", "relu1"]
    torch.testing.assert_close(found[0][0], found[1][0])
    for first, second in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
