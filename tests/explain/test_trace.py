"""A trace holds one pass through a model file: every layer, every value, and what any cell of it comes from."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from peephole.base.errors import InputError
from peephole.decide.predictor import load
from peephole.explain.openmodel import open_model
from peephole.explain.rules import RULES
from peephole.explain.trace import Edit, Tracer, trace


@pytest.fixture(scope="module")
def traced(make_door):
    """A small door model, opened, and its trace of seeded noise."""
    model = open_model(make_door())
    photo = np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    prepared = model.prepare(photo)
    return model, photo, prepared, trace(model, prepared)


def test_header_is_json_and_the_file_holds_what_it_says(traced, tmp_path):
    """Each layer and each constant lies in trace.bin where trace.json says."""
    *_, found = traced
    head, numbers = found.write(tmp_path)
    read, values = json.loads(head.read_text()), np.fromfile(numbers, "<f4")
    assert read["trace"] == 1 and read["values"] == values.size
    for layer in read["layers"]:
        part = values[layer["offset"] : layer["offset"] + layer["count"]]
        np.testing.assert_array_equal(part.reshape(layer["shape"]), found.values(layer["id"]))
        assert part.tobytes() == found.layer_bytes(layer["id"])
        assert (layer["min"], layer["max"]) == (float(part.min()), float(part.max()))
    weight = next(one for one in read["tensors"] if one["name"] == "conv1.weight")
    part = values[weight["offset"] : weight["offset"] + weight["count"]]
    assert part.tobytes() == found.tensor_bytes("conv1", "weight") and weight["shape"] == [8, 1, 3, 3]


def test_the_answer_is_the_file_s(traced):
    """Logits and decision are those of the original, untouched file."""
    model, _, prepared, found = traced
    original = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"]).run(["logits"], {"image": prepared})[0][0]
    np.testing.assert_allclose(found.output.logits, original, atol=1e-5)
    np.testing.assert_allclose(found.values("logits"), original, atol=1e-5)


def test_the_decision_is_the_predictor_s(make_door):
    """What the trace says of a photo is what `peephole predict` says."""
    path = make_door()
    photo = np.random.default_rng(7).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    model = open_model(path)
    assert trace(model, model.prepare(photo)).decision == load(path).predict(photo)


def test_what_is_no_input_is_refused(traced):
    """A photo that was not prepared, or of another type, is named."""
    model, photo, prepared, _ = traced
    with pytest.raises(InputError, match="takes one picture of uint8"):
        trace(model, prepared.astype(np.float32))
    with pytest.raises(InputError, match="takes one picture of uint8"):
        trace(model, photo)


def test_a_tracer_keeps_few_graphs_open(traced):
    """The oldest graph goes; an edit of a tensor that was edited before opens none; the answers stay the same."""
    model, _, prepared, found = traced
    tracer = Tracer(3)
    for name in ("logits.bias", "dense1.bias", "conv1.bias"):
        tracer.trace(model, prepared, [Edit(name, (0,), 1.0)])
    opened = list(tracer._open.values())
    assert len(opened) == 3
    tracer.trace(model, prepared, [Edit("conv1.bias", (1,), 2.0), Edit("conv1.bias", (2,), 3.0)])
    assert set(tracer._open.values()) == set(opened)
    np.testing.assert_array_equal(tracer.trace(model, prepared).output.logits, found.output.logits)


def test_asked_from_several_threads(traced):
    """Each thread gets its own edit's answer."""
    model, _, prepared, found = traced
    tracer, bias = Tracer(), float(found.tensor("logits", "bias").values[0])
    with ThreadPoolExecutor(4) as threads:
        moved = list(threads.map(lambda step: tracer.trace(model, prepared, [Edit("logits.bias", (0,), bias + step)]).output.logits[0], range(40)))
    np.testing.assert_allclose(np.array(moved) - found.output.logits[0], np.arange(40), atol=1e-4)


def test_an_edit_goes_into_the_answer(traced):
    """One more on a bias is one more in its logit, and nothing else changes."""
    model, _, prepared, found = traced
    bias = float(found.tensor("logits", "bias").values[1])
    changed = trace(model, prepared, edits=[Edit("logits.bias", (1,), bias + 1)])
    np.testing.assert_allclose(changed.output.logits - found.output.logits, [0, 1, 0], atol=1e-5)


def test_the_reference_names_all_of_it(traced):
    """docs/reference/trace.md has every key of trace.json, every rule and every operator that has one."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / "trace.md").read_text(encoding="utf-8")
    head = traced[3].header()
    keys = {*head, *head["layers"][5], *head["tensors"][0], *head["output"], *head["decision"], *RULES.values()}
    keys |= {name for layer in head["layers"][1:] for name in layer["attributes"]}
    assert not {key for key in keys if f"`{key}`" not in text}
    assert not {op for op in RULES if not re.search(rf"\b{op}\b", text)}
