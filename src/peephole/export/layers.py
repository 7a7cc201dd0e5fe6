"""What each layer costs: shape, parameters and multiply-accumulates, for the card."""

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from peephole.base.card import Layer

__all__ = ["layers"]


def layers(graph: onnx.ModelProto) -> tuple[Layer, ...]:
    """Return one Layer per node of the network, in order (the nodes that compute familiarity are left out)."""
    inferred = shape_inference.infer_shapes(graph).graph
    shapes = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim[1:])
        for value in (*inferred.value_info, *inferred.output, *inferred.input)
    }
    weights = {w.name: numpy_helper.to_array(w).shape for w in graph.graph.initializer}
    found = []
    for node in graph.graph.node:
        if node.name.startswith("familiarity"):
            continue
        shape = shapes.get(node.output[0], ())
        own = [weights[name] for name in node.input[1:] if name in weights] if node.op_type in ("Conv", "Gemm", "MatMul") else []
        macs = 0
        if own:
            # Each output value of a convolution takes one filter's worth of products; of a dense layer one row's.
            each = int(np.prod(own[0][1:])) if node.op_type == "Conv" else int(np.prod(own[0])) // max(1, shape[-1] if shape else 1)
            macs = each * int(np.prod(shape))
        found.append(Layer(name=node.name, op=node.op_type, shape=shape, parameters=sum(int(np.prod(w)) for w in own), macs=macs))
    return tuple(found)
