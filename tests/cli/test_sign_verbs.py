"""keygen, sign, verify: what they say, and what they never do."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from peephole.base.modelwrite import write
from peephole.decide.predictor import load
from peephole.decide.verify import against_card, against_file


@pytest.fixture
def model(drawn_model, tmp_path):
    """A copy of a really trained model."""
    return shutil.copy(drawn_model, tmp_path / "door.onnx")


@pytest.fixture
def shifted(model, tmp_path):
    """Return a function that writes the model again with its last layer's weights multiplied by a factor, or another threshold."""

    def make(factor=1.0, threshold=None):
        graph, card = onnx.load(model), load(model).card
        for weight in graph.graph.initializer:
            if weight.name == "logits.weight":
                weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(weight) * np.float32(factor)), weight.name))
        unknown = card.unknown if threshold is None else card.unknown.model_copy(update={"threshold": threshold})
        write(tmp_path / "other.onnx", graph, card.model_copy(update={"unknown": unknown}))
        return tmp_path / "other.onnx"

    return make


def test_a_pair_of_keys_signs_and_verifies(peep, model, tmp_path):
    """The whole way: a pair, a signature, a proof; after a change of one byte exit code 3."""
    key, public = tmp_path / "door.key", tmp_path / "door.pub"
    assert "only you may read it" in peep("keygen", "-o", key).out
    assert "copy both to the gate" in peep("sign", model, "--key", key).out
    said = peep("verify", model, "--key", public)
    assert said.code == 0 and "is signed by door.pub" in said.out
    assert json.loads(peep("verify", model, "--key", public, "--json").out)["signature"]["signed"] is True
    signature = tmp_path / "door.onnx.sig"
    signature.write_bytes(bytes([signature.read_bytes()[0] ^ 1]) + signature.read_bytes()[1:])
    said = peep("verify", model, "--key", public)
    assert said.code == 3 and "is not what door.pub" in said.error and "peephole sign" in said.hint
    said = peep("verify", model, "--key", public, "--json")
    assert said.code == 3 and json.loads(said.out)["signature"]["signed"] is False
    signature.unlink()
    assert peep("verify", model, "--key", public).code == 3


def test_keys_are_never_written_over(peep, refused, model, tmp_path):
    """A second keygen of the same name is refused and changes nothing; a key that others can read signs nothing."""
    key = tmp_path / "door.key"
    peep("keygen", "-o", key)
    before = key.read_bytes()
    assert "never written over" in refused("keygen", "-o", key).error and key.read_bytes() == before
    key.chmod(0o644)
    assert "chmod 600" in refused("sign", model, "--key", key).hint
    assert not (tmp_path / "door.onnx.sig").exists()


def test_bad_arguments_are_told(refused, model, tmp_path, drawn_photos):
    """Nothing to verify against, two folders, swapped keys, a model that is none."""
    assert "nothing to verify against" in refused("verify", model).error
    assert "one folder" in refused("verify", model, drawn_photos, drawn_photos).error
    assert "there is no key" in refused("verify", model, "--key", tmp_path / "none.pub").error
    assert "no model file" in refused("verify", tmp_path / "none.onnx", drawn_photos).error
    (tmp_path / "empty").mkdir()
    assert "none of the" in refused("verify", model, tmp_path / "empty").error


def test_a_file_is_what_it_was_where_it_was_made(peep, model, drawn_photos):
    """SAFETY 25: every known example, prepared and run here, is itself to 1e-4; no decision changed."""
    found = against_card(load(model), drawn_photos)
    assert found.same and found.n == len(load(model).card.unknown.known_digests) and found.difference is not None and found.difference < 1e-4
    said = peep("verify", model, drawn_photos)
    assert said.code == 0 and f"door.onnx against its own card: 0 of {found.n} decisions changed" in said.out


def test_another_preparation_would_be_found(model, drawn_photos, monkeypatch):
    """Planted-bug twin: a gate that prepares photos otherwise (upside down) is not itself any more."""
    predictor = load(model)
    right = predictor.prepare
    monkeypatch.setattr(predictor, "prepare", lambda photo: np.ascontiguousarray(right(photo)[::-1]))
    found = against_card(predictor, drawn_photos)
    assert not found.same and found.difference is not None and found.difference > 0.01


def test_file_against_file(peep, model, shifted, drawn_photos):
    """The same decisions with logits a hair apart; another threshold changes decisions, which are listed, exit code 3."""
    assert against_file(load(model), load(model), drawn_photos).difference == 0
    same = against_file(load(model), load(shifted(1.00001)), drawn_photos)
    assert same.same and 0 < same.difference < 1e-3 and same.n == 22
    found = against_file(load(model), load(shifted(threshold=2.0)), drawn_photos)
    assert len(found.changed) > 5 and all(change.other == "a stranger" for change in found.changed)
    said = peep("verify", model, shifted(threshold=2.0), drawn_photos)
    assert said.code == 3 and f"{len(found.changed)} of 22 decisions changed" in said.out and "now a stranger" in said.out
    said = peep("verify", model, model, "--json")
    assert said.code == 0 and json.loads(said.out)["verification"]["n"] == 64


def test_not_a_number_is_the_largest_difference(model, drawn_photos, monkeypatch):
    """Once a logit of one file is NaN, no later photo makes the difference small again."""
    one, other = load(model), load(model)
    run, asked = other.engine.run, []

    def broken(images):
        asked.append(1)
        found = run(images)
        return replace(found, logits=found.logits * np.nan) if len(asked) == 2 else found

    monkeypatch.setattr(other.engine, "run", broken)
    found = against_file(one, other, drawn_photos)
    assert found.difference == np.inf and len(found.changed) == 1


def test_files_of_other_labels(model, tiny_model_path, drawn_photos):
    """They can be compared by decision, not by logit, and that is said."""
    found = against_file(load(model), load(tiny_model_path), drawn_photos)
    assert found.difference is None and any("different labels" in note for note in found.notes)
