"""Networks to export, with known examples beside them, and what PyTorch and numpy say they answer."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from peephole.base.engine import Outputs
from peephole.decide.familiarity import centre_of, familiarity, similarity
from peephole.export.onnx import Known
from peephole.nets.blocks import Network
from peephole.train.loop import answers


def pictures(count: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Return pictures uint8 (count, *shape), shape = (H, W, C): smooth and rough parts in each."""
    rng = np.random.default_rng([seed, *shape])
    base = rng.integers(0, 255, (count, 1, 1, shape[2])) * np.linspace(0.2, 1, shape[1])[:, None]
    return np.clip(base + rng.normal(0, 40, (count, *shape)), 0, 255).astype(np.uint8)


def stir(network: Network, seed: int = 0) -> Network:
    """Give every weight, bias and running figure of a network a value that matters."""
    draw = torch.Generator().manual_seed(seed)
    for step in network.modules():
        if isinstance(step, nn.BatchNorm2d):
            step.running_mean.uniform_(-0.5, 0.5, generator=draw)
            step.running_var.uniform_(0.5, 2, generator=draw)
            nn.init.uniform_(step.weight, 0.5, 1.5, generator=draw)
            nn.init.uniform_(step.bias, -0.3, 0.3, generator=draw)
        elif isinstance(step, nn.Conv2d | nn.Linear) and step.bias is not None:
            nn.init.uniform_(step.bias, -0.3, 0.3, generator=draw)
    return network.eval()


@dataclass(frozen=True, eq=False)
class Case:
    """A network, its known examples, pictures to ask about and the answers as trained."""

    network: Network
    known: Known
    images: np.ndarray
    trained: Outputs


def case(network: Network, shape: tuple[int, int, int], *, each: int = 3, asked: int = 6, seed: int = 0) -> Case:
    """Return a case with `each` known examples of every label but the last, which has one."""
    labels = network.head().out_features
    count = each * (labels - 1) + 1
    numbers = np.append(np.repeat(np.arange(labels - 1), each), labels - 1)
    examples = pictures(count, shape, seed + 1)
    _, inside = answers(network, torch.from_numpy(examples).permute(0, 3, 1, 2))
    embeddings = inside.numpy()
    known = Known(embeddings, numbers, centre_of(embeddings, numbers), 3)
    images = pictures(asked, shape, seed)
    logits, embedding = (part.numpy() for part in answers(network, torch.from_numpy(images).permute(0, 3, 1, 2)))
    similar = similarity(embedding, embeddings, known.centre)
    return Case(network, known, images, Outputs(logits, embedding, familiarity(similar, numbers, labels, 3), similar))
