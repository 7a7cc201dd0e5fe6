"""The network that practised on invented characters: its shapes, its weights, and that they know more than chance ones."""

import io
from importlib.resources import files

import numpy as np
import pytest
import torch

from drawings import draw
from peephole.base.errors import HostileModelFile
from peephole.nets import strokes as module
from peephole.nets.strokes import EMBEDDING, SIDE, packed, strokes, unpractised
from peephole.train.ink import ink
from peephole.train.practice import answered

SIGNS = "XO=IL"


def drawn(seeds):
    """Return drawings uint8 (5 * seeds, 32, 32, 1) of five signs, dark on white, and their labels."""
    pixels = np.stack([draw(sign, seed, SIDE)[..., None] for sign in SIGNS for seed in seeds])
    return pixels, np.repeat(np.arange(len(SIGNS)), len(seeds))


def embedded(network, pixels):
    """Return the embeddings of drawings uint8 (N, 32, 32, 1)."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        return network.eval()((images - network.mean[0]) / network.std[0])[1].numpy()


def test_the_embedding_is_a_direction():
    """256 numbers of length 1; a fresh last layer says nothing; a blank drawing is no trouble."""
    network = strokes(3, 20.0, 60.0).eval()
    with torch.no_grad():
        logits, embedding = network(torch.cat([torch.randn(4, 1, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)]))
    assert embedding.shape == (5, EMBEDDING) and logits.shape == (5, 3)
    np.testing.assert_allclose(np.linalg.norm(embedding.numpy(), axis=1), 1, atol=1e-5)
    assert not logits.any()


def test_one_drawing_of_each_sign_is_enough():
    """Five signs it has never met, one drawing of each: the practised network names others of them, chance weights do far worse."""
    known, _ = drawn([0])
    asked, truth = drawn(range(1, 25))
    mean, std = ink(known, np.arange(len(known)))

    def right(network):
        return float(((embedded(network, asked) @ embedded(network, known).T).argmax(1) == truth).mean())

    torch.manual_seed(0)
    assert right(strokes(2, mean, std)) >= 0.9
    assert right(strokes(2, mean, std)) > right(unpractised(2, mean=mean, std=std)) + 0.1


def test_new_characters_are_told_apart():
    """20 invented characters that no practice met, one drawing of each known."""
    assert answered(strokes(2, 0.0, 1.0), rounds=5) >= 0.7


def test_the_file_holds_what_the_network_is():
    """Float16 weights of every layer but the last, no pickle, under 2 MB; packing the loaded network changes nothing."""
    raw = files("peephole.nets").joinpath(module.WEIGHTS).read_bytes()
    assert len(raw) < 2_000_000
    with np.load(io.BytesIO(raw), allow_pickle=False) as held:
        names = set(held.files)
        assert all(held[name].dtype == np.float16 for name in names)
    assert names == {name for name in strokes(2, 0.0, 1.0).body.state_dict() if not name.startswith("logits")}
    with np.load(io.BytesIO(packed(strokes(2, 0.0, 1.0)))) as again, np.load(io.BytesIO(raw)) as first:
        assert all(np.array_equal(again[name], first[name]) for name in names)


def test_batch_norms_are_folded_when_packed():
    """The packed weights answer as the network with its batch norms does, within float16."""
    torch.manual_seed(3)
    network = unpractised(2, norm="batch")
    network.train()
    for _ in range(3):
        network(torch.randn(16, 1, SIDE, SIDE))
    folded = unpractised(2)
    with np.load(io.BytesIO(packed(network.eval()))) as held:
        folded.body.load_state_dict({name: torch.from_numpy(held[name].astype(np.float32)) for name in held.files}, strict=False)
    x = torch.randn(8, 1, SIDE, SIDE)
    with torch.no_grad():
        np.testing.assert_allclose(folded.eval()(x)[1], network(x)[1], atol=5e-3)


def test_changed_weights_are_refused(monkeypatch):
    """Another hash, and they are not loaded."""
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(HostileModelFile, match="have changed") as refused:
        strokes(2, 0.0, 1.0)
    assert "--force-reinstall" in refused.value.hint
