"""From a trained network to the graph of a model file: uint8 in; logits, embedding, familiarity and similarity out.

Knows nothing of cards or files. Nodes are named as the network's steps (`conv1`, `relu1`, `pool1`, ...), so that any
layer can be asked for by the name a person reads.
"""

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn

from peephole.nets.blocks import Network, fold_batch_norm

__all__ = ["Known", "to_onnx"]

OPSET = 17
OUTPUTS = ("logits", "embedding", "familiarity", "similarity")


@dataclass(frozen=True, eq=False)
class Known:
    """The known examples that become constants of the graph.

    embeddings float32 (M, features); labels int64 (M,), every label at least once; centre float32 (features,) is taken from
    every embedding before the cosine; k: how many nearest examples of a label count.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    centre: np.ndarray
    k: int


class _Normalise(nn.Module):
    """uint8 (N, H, W, C) -> float (N, C, H, W), normalised as in training."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(network.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(network.std).view(1, -1, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image.float().permute(0, 3, 1, 2) - self.mean) / self.std


class _Familiarity(nn.Module):
    """Embedding (N, D) -> familiarity (N, L) and similarity (N, M); the numpy twin is decide/familiarity.py."""

    def __init__(self, known: Known, labels: int) -> None:
        super().__init__()
        centred = known.embeddings - known.centre
        unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
        self.centre: torch.Tensor
        self.index: torch.Tensor
        self.weights: torch.Tensor
        self.register_buffer("centre", torch.from_numpy(known.centre.astype(np.float32)))
        self.known = nn.Linear(unit.shape[1], len(unit) + 1)
        # One column more, of -2, below any cosine: labels with fewer examples than others are filled up with it.
        self.known.weight.data = torch.from_numpy(np.vstack([unit, np.zeros_like(unit[:1])]).astype(np.float32))
        self.known.bias.data = torch.tensor([0.0] * len(unit) + [-2.0])
        groups = [np.flatnonzero(known.labels == label) for label in range(labels)]
        most = max(known.k, *map(len, groups))
        index = np.full((labels, most), len(known.labels))
        weights = np.zeros((labels, known.k), np.float32)
        for label, group in enumerate(groups):
            index[label, : len(group)] = group
            weights[label, : min(known.k, len(group))] = 1 / min(known.k, len(group))
        self.register_buffer("index", torch.from_numpy(index.reshape(-1)))
        self.register_buffer("weights", torch.from_numpy(weights))
        self.shape, self.k = (labels, most), known.k

    def forward(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        centred = embedding - self.centre
        unit = centred / torch.linalg.vector_norm(centred, dim=1, keepdim=True).clamp(min=1e-12)
        padded = self.known(unit)
        columns = padded.index_select(1, self.index).view(-1, *self.shape)
        nearest = torch.topk(columns, self.k, dim=2).values
        return (nearest * self.weights).sum(2), padded[:, :-1]


class _Deployed(nn.Module):
    """The whole graph."""

    def __init__(self, network: Network, known: Known) -> None:
        super().__init__()
        self.normalise = _Normalise(network)
        self.network = network
        self.familiarity = _Familiarity(known, network.head().out_features)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits, embedding = self.network(self.normalise(image))
        return (logits, embedding, *self.familiarity(embedding))


def _readable(name: str) -> str:
    """Turn an exporter's path into the step's name.

    /network/body/conv1/Conv -> conv1, /network/body/block2/Add -> block2_add, /normalise/Cast -> normalise_cast.
    """
    parts = [p for p in name.strip("/").split("/") if p not in ("network", "body")]
    *scope, op = parts
    if len(scope) >= 1 and scope[0] not in ("normalise", "familiarity") and not re.search(r"_\d+$", op):
        return "_".join([*scope, op.lower()] if op in ("Add", "Concat", "Sum") else scope)
    return "_".join([*scope, op]).lower()


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes into weights, so that every node left is a step that computes."""
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            graph.initializer.append(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _rename(graph: onnx.GraphProto) -> None:
    """Give nodes, values and weights the names of the steps they belong to; inputs and outputs keep theirs."""
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    taken = set(fixed)

    def fresh(wanted: str) -> str:
        candidates: Iterator[str] = (wanted if n == 1 else f"{wanted}_{n}" for n in range(1, len(taken) + 3))
        name = next(c for c in candidates if c not in taken)
        taken.add(name)
        return name

    for weight in graph.initializer:
        readable = re.sub(r"^(network\.)?(body\.)?", "", weight.name)
        names[weight.name] = fresh(readable if re.fullmatch(r"[\w.]+", readable) else "constant")
        weight.name = names[weight.name]
    used: set[str] = set()
    for node in graph.node:
        node.ClearField("doc_string")  # would hold paths of the machine it was trained on
        base = _readable(node.name)
        node.name = next(c for n in range(1, 10_000) if (c := base if n == 1 else f"{base}_{n}") not in used)
        used.add(node.name)
        for at, output in enumerate(node.output):
            if output not in fixed:
                node.output[at] = names[output] = fresh(node.name)
        for at, source in enumerate(node.input):
            node.input[at] = names.get(source, source)
    del graph.value_info[:]
    graph.ClearField("doc_string")


def to_onnx(network: Network, known: Known, shape: tuple[int, int, int]) -> onnx.ModelProto:
    """Return the graph for inputs uint8 (N, *shape), shape = (H, W, C); batch norms are folded, the batch stays free."""
    deployed = _Deployed(fold_batch_norm(network), known).eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated but keeps module names and free axes and is 30 times faster; parity is
        # checked after every export, so a silent change cannot pass.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deployed,
            (torch.zeros(1, *shape, dtype=torch.uint8),),
            buffer,  # type: ignore[arg-type]  # a stream is fine for this exporter
            input_names=["image"],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "N"} for name in ("image", *OUTPUTS)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _lift_constants(model.graph)
    _rename(model.graph)
    model.graph.name = "peephole"
    model.producer_name, model.producer_version = "peephole", ""
    model.ClearField("doc_string")
    onnx.checker.check_model(model)
    return model
