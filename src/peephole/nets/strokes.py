"""`strokes`: a small network that has practised on invented characters, a start for drawings, signs and letters.

Its weights were learned by telling apart characters that nobody ever wrote (`peephole.train.glyphs`), each seen in a few different
hands: prototypical learning on episodes (Snell et al. 2017) with cosines. No data set had a part in it, so what it knows is what
a pen does. `python -m bench.practice` made the file; batch norms are folded into the convolutions there, so what is trained further is
what is exported.
"""

import hashlib
from collections import OrderedDict
from importlib.resources import files
from io import BytesIO

import numpy as np
import torch
from torch import nn

from peephole.base.errors import HostileModelFile
from peephole.nets.blocks import Length, Network, Shape, Steps, convolution, fold_batch_norm, pool_out

__all__ = ["EMBEDDING", "SIDE", "packed", "strokes", "unpractised"]

SIDE = 32  # pixels: what it practised at
EMBEDDING = 256
# Convolutions of each stage, filters of its maps; each stage ends in a 2x2 max pooling.
STAGES = ((1, 32), (2, 64), (2, 128))
# Paper is 0 and ink is 1 in practice; this is the mean and the spread of that.
PAPER, SPREAD = 0.13, 0.30
WEIGHTS = "strokes.npz"
SHA256 = "01b6b4874c14042d3dc7a913399357bf466e053e0a3180f00068bdc10ef63de3"


def unpractised(labels: int, *, norm: str = "none", mean: float = 0.0, std: float = 1.0) -> Network:
    """Build the network for 32x32x1 inputs with chance weights and a last layer of zeros; mean and std in 0..255 units.

    Its layers are block1_conv1, block1_relu1, block1_pool, ... flatten, dense1, unit, dropout, logits; `unit` is the embedding.
    """
    steps: Steps = []
    shape = Shape(1, SIDE, SIDE)
    for stage, (count, filters) in enumerate(STAGES, 1):
        for number in range(1, count + 1):
            conv, *normed = convolution(f"block{stage}_conv{number}", shape.channels, filters, norm=norm)
            steps += [conv, *normed, (f"block{stage}_relu{number}", nn.ReLU())]
            shape = Shape(filters, shape.height, shape.width)
        steps.append((f"block{stage}_pool", nn.MaxPool2d(2, ceil_mode=True)))
        shape = Shape(filters, pool_out(shape.height, 2), pool_out(shape.width, 2))
    steps += [("flatten", nn.Flatten()), ("dense1", nn.Linear(shape.values, EMBEDDING)), ("unit", Length())]
    steps += [("dropout", nn.Dropout(0.0)), ("logits", nn.Linear(EMBEDDING, labels))]
    network = Network(nn.Sequential(OrderedDict(steps)), "unit", (mean,), (std,))
    nn.init.zeros_(network.head().weight)
    nn.init.zeros_(network.head().bias)
    return network


def packed(network: Network) -> bytes:
    """Return the weights of a practised network, batch norms folded and the last layer left out, as the bytes of an .npz of float16."""
    stream = BytesIO()
    weights = {name: value.numpy().astype(np.float16) for name, value in fold_batch_norm(network).body.state_dict().items()}
    np.savez_compressed(stream, **{name: value for name, value in weights.items() if not name.startswith("logits")})
    return stream.getvalue()


def _weights() -> dict[str, torch.Tensor]:
    """Return the practised weights, after their hash was checked."""
    raw = files("peephole.nets").joinpath(WEIGHTS).read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256:
        raise HostileModelFile(f"the weights {WEIGHTS} have changed (sha256 {found[:12]}…)", "pip install --force-reinstall peephole")
    with np.load(BytesIO(raw), allow_pickle=False) as held:
        return {name: torch.from_numpy(held[name].astype(np.float32)) for name in held.files}


def strokes(labels: int, mean: float, std: float) -> Network:
    """Build the practised network with a fresh last layer of zeros for so many labels.

    mean and std in 0..255 units, as `train.ink` reads them off the drawings; a negative std is dark ink on light paper.
    """
    network = unpractised(labels, mean=mean, std=std)
    network.body.load_state_dict(_weights(), strict=False)
    return network
