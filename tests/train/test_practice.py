"""Practice on invented characters: what an episode is, that it teaches, and that it is repeated by its seed."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from peephole.nets.strokes import packed, unpractised
from peephole.train.practice import CHARACTERS, SHARPNESS, answered, episode, invented, logits_of, practise


def test_an_episode_is_paper_at_zero_and_ink_at_one():
    """Whatever the pen and the paper: the border is nearly paper, the drawing much more; the same from the same seed and step."""
    found = episode(30, 2, seed=1, step=3)
    assert found.shape == (60, 1, 32, 32) and torch.isfinite(found).all()
    back = found * 0.30 + 0.13
    border = torch.cat([back[:, 0, 0], back[:, 0, -1]], 1)
    assert abs(float(border.median())) < 0.1
    assert float(back.amax((1, 2, 3)).min()) > 0.4
    assert torch.equal(found, episode(30, 2, seed=1, step=3))
    assert not torch.equal(found, episode(30, 2, seed=1, step=4))


def test_a_drawing_is_asked_without_itself():
    """Its own character is the mean of its other drawings; another character is the mean of all of its drawings (worked out by hand)."""
    embedding = normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [-1.0, 0.2]]), dim=1)
    found = logits_of(embedding, 2) / SHARPNESS
    own = [float(embedding[0] @ embedding[1]), float(embedding[2] @ embedding[3])]
    other = normalize(embedding[2] + embedding[3], dim=0)
    np.testing.assert_allclose(found[:2, 0], [own[0]] * 2, atol=1e-6)
    np.testing.assert_allclose(found[2:, 1], [own[1]] * 2, atol=1e-6)
    np.testing.assert_allclose(found[:2, 1], embedding[:2] @ other, atol=1e-6)


def test_practice_teaches_and_is_repeated():
    """After 12 steps one drawing of each of 20 new characters serves better than chance; the same seed gives the same bytes."""
    torch.set_num_threads(1)
    losses = list[float]()
    network = practise(12, 5, lambda step, loss: losses.append(loss))
    assert len(losses) == 12 and losses[-1] < losses[0]
    assert losses[0] == pytest.approx(np.log(CHARACTERS), abs=1.5)
    assert answered(network, rounds=5) > 0.12
    assert packed(network) == packed(practise(12, 5))


def test_invented_strangers_are_all_others():
    """As many unit embeddings as asked, no two alike, the same again; none of them is of an episode that is asked about."""
    network = unpractised(2)
    found = invented(network, 300)
    assert found.shape == (300, 256) and len(np.unique(found, axis=0)) == 300
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(found, invented(network, 300))
