"""Every layer that the exporter can write has its sentence and its term in the report."""

import numpy as np
import pytest
from plans import case, stir

from peephole.explain.anatomy import EXPLAINED, kind
from peephole.explain.layers import look
from peephole.explain.words import LANGUAGES, catalogue
from peephole.export.onnx import to_onnx
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.lite import FORMS, lite

PLANS = {
    "as the course": (Plain(), (28, 28, 1)),
    "batch norm": (Plain(filters=(4, 8), hidden=16, norm="batch"), (20, 14, 3)),
    "valid padding, stride 2": (Plain(filters=(4, 8), hidden=16, padding="valid", stride=2, pool=1), (33, 40, 1)),
    "even kernel, stride 2": (Plain(filters=(4, 8), hidden=16, kernel=4, stride=2, pool=3), (96, 64, 3)),
    "large": (Plain(filters=(8, 16), hidden=625), (224, 244, 3)),
}


@pytest.mark.parametrize("name", [*PLANS, *FORMS])
def test_every_layer_has_words(name):
    """Plain in every form and lite0 with each form of its features: no layer is without an explanation, and its receptive field is known."""
    if name in FORMS:
        shape = (64, 96, 3)
        network = lite("lite0", Shape(3, 64, 96), 3, name, 5)
    else:
        plan, shape = PLANS[name]
        network = plain(plan, Shape(shape[2], *shape[:2]), 3, (100.0,) * shape[2], (50.0,) * shape[2])
    asked = case(stir(network), shape, asked=1)
    seen = look(to_onnx(asked.network, asked.known, shape).SerializeToString(), asked.images[:1])
    for layer in seen.layers:
        assert layer.op in EXPLAINED, (layer.name, layer.op)
        assert layer.known, (layer.name, layer.op)
        assert layer.field is not None, layer.name
        for language in LANGUAGES:
            assert catalogue(language)[f"op.{kind(layer)}"]
            assert catalogue(language)[f"term.{kind(layer)}"]
    assert np.isfinite(seen.logits).all()


def test_lite0_embedding_is_told_step_by_step():
    """Constant, root, length and division each have a sentence of their own; a sum of two layers is not called a constant."""
    asked = case(stir(lite("lite0", Shape(3, 64, 64), 3)), (64, 64, 3), asked=1)
    seen = look(to_onnx(asked.network, asked.known, (64, 64, 3)).SerializeToString(), asked.images[:1])
    assert [kind(layer) for layer in seen.layers[-5:]] == ["shift", "sqrt", "length", "divide", "dense"]
    assert "add" in {kind(layer) for layer in seen.layers}
    assert "depthwise" in {kind(layer) for layer in seen.layers}
