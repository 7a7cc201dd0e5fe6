"""Writing a model file: whole, readable, or not at all."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from peephole.base.errors import HostileModelFile, ModelFileError, OutputError
from peephole.base.modelfile import CARD_KEY, read
from peephole.base.modelwrite import write
from peephole.base.seal import SEAL_KEY, SEALED


def test_what_is_written_is_read(tmp_path, tiny_graph, tiny_card):
    """The card and the graph come back; the graph in memory is left as it was; the same twice gives the same bytes."""
    before = tiny_graph.SerializeToString()
    first = write(tmp_path / "new" / "a.onnx", tiny_graph, tiny_card)
    second = write(str(tmp_path / "b.onnx"), tiny_graph, tiny_card)
    assert tiny_graph.SerializeToString() == before
    assert first.card == read(tmp_path / "new" / "a.onnx").card == tiny_card
    assert first.name == "a.onnx"
    assert (first.data, first.sha256) == (second.data, second.sha256)


def test_any_onnx_reader_finds_the_card(tmp_path, tiny_graph, tiny_card):
    """The file is plain ONNX: the checker accepts it and the metadata hold the card beside what was there."""
    graph = onnx.ModelProto()
    graph.CopyFrom(tiny_graph)
    graph.metadata_props.add(key="author", value="김")
    graph.metadata_props.add(key=CARD_KEY, value="an older card")
    write(tmp_path / "a.onnx", graph, tiny_card)
    model = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.key, entry.value[:1]) for entry in model.metadata_props[:-1]] == [("author", "김"), (CARD_KEY, "{")]
    assert model.metadata_props[-1].key == SEAL_KEY
    assert model.model_version == SEALED and len(model.metadata_props[-1].value) == 64


def test_labels_in_any_script(tmp_path, tiny_graph, tiny_card):
    """Names in Hangul, with quotes, line breaks and emoji come back as they were."""
    labels = ('준호 "J"\n', "🦊")
    assert write(tmp_path / "문.onnx", tiny_graph, tiny_card.model_copy(update={"labels": labels})).card.labels == labels


def test_what_could_not_be_read_is_not_written(tmp_path, tiny_graph, tiny_card):
    """NaN in the weights or a card that does not fit: the old file stays, and nothing else appears."""
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")
    broken = onnx.ModelProto()
    broken.CopyFrom(tiny_graph)
    broken.graph.initializer.append(numpy_helper.from_array(np.array([np.nan], np.float32), "w"))
    with pytest.raises(HostileModelFile, match="NaN"):
        write(path, broken, tiny_card)
    with pytest.raises(ModelFileError, match="logits"):
        write(path, tiny_graph, tiny_card.model_copy(update={"labels": ("a", "b", "c")}))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path, tiny_graph, tiny_card):
    """A place below a plain file is told in one sentence."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "a.onnx", tiny_graph, tiny_card)
