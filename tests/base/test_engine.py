"""The engine: one or many, any number of threads, and nothing but what the card promises."""

import dataclasses
import threading

import numpy as np
import onnx
import pytest

from peephole.base.engine import BATCH, Engine
from peephole.base.errors import HostileModelFile, InputError
from peephole.base.modelfile import CARD_KEY, read, read_bytes


@pytest.fixture(scope="module")
def engine(tiny_model_path) -> Engine:
    """The tiny model, ready to run."""
    return Engine(read(tiny_model_path))


def test_the_known_are_familiar_and_the_stranger_is_not(engine, tiny_photos):
    """Known examples are nearest to themselves; the chessboard is near to nobody."""
    answer = engine.run(np.stack([tiny_photos[name] for name in ("left-1", "left-2", "top-1", "stranger")]))
    assert answer.logits.argmax(axis=1)[:3].tolist() == [0, 0, 1]
    assert answer.similarity[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.allclose(np.diag(answer.similarity), 1, atol=1e-6)
    assert np.allclose(answer.familiarity[:3].max(axis=1), 1, atol=1e-6)
    assert answer.familiarity[3].max() < 0.5
    # k = 1: familiarity is the similarity of the nearest known example of each label.
    assert np.array_equal(answer.familiarity, np.stack([answer.similarity[:, :2].max(axis=1), answer.similarity[:, 2]], axis=1))


def test_one_image_or_many_give_the_same(engine):
    """A batch longer than one run of the session answers row by row as single images do."""
    images = np.random.default_rng(3).integers(0, 256, (BATCH * 2 + 3, 8, 8, 1), np.uint8)
    many = engine.run(images)
    for name, width in (("logits", 2), ("embedding", 4), ("familiarity", 2), ("similarity", 3)):
        rows = getattr(many, name)
        assert rows.shape == (len(images), width)
        assert rows.dtype == np.float32
        single = np.concatenate([getattr(engine.run(image), name) for image in images])
        assert np.allclose(rows, single, rtol=1e-5, atol=1e-6)


def test_no_image_and_views(engine):
    """An empty batch gives empty answers; a view that is not contiguous is an image like any other."""
    assert engine.run(np.zeros((0, 8, 8, 1), np.uint8)).logits.shape == (0, 2)
    wide = np.random.default_rng(4).integers(0, 256, (8, 16, 1), np.uint8)
    assert np.array_equal(engine.run(wide[:, ::2]).logits, engine.run(wide[:, ::2].copy()).logits)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 9, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((1, 1, 8, 8, 1), np.uint8),
        np.zeros((8, 8, 1), np.float32),
        np.zeros((8, 8, 1), np.int8),
        np.zeros(0, np.uint8),
        np.array(1, np.uint8),
    ],
    ids=lambda images: f"{images.dtype}{images.shape}",
)
def test_other_shapes_and_types_are_refused(engine, images):
    """The message names what the model takes."""
    with pytest.raises(InputError, match=r"uint8 images of shape \(8, 8, 1\)"):
        engine.run(images)


def test_threads(tiny_model_path, tiny_photos):
    """More threads answer the same; none at all are refused; one engine may be asked from many threads at once."""
    images = np.stack(list(tiny_photos.values()))
    one, two = (Engine(read(tiny_model_path), threads) for threads in (1, 2))
    want = one.run(images).logits
    assert np.allclose(two.run(images).logits, want, atol=1e-6)
    for threads in (0, -1):
        with pytest.raises(InputError, match="threads"):
            Engine(read(tiny_model_path), threads)
    found: list[np.ndarray] = []
    askers = [threading.Thread(target=lambda: found.extend(one.run(images).logits for _ in range(50))) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == 200
    assert all(np.array_equal(logits, want) for logits in found)


def broken(graph, card, change):
    """Return a model file that passes all checks on reading but was changed."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    change(model.graph)
    model.metadata_props.add(key=CARD_KEY, value=card.model_dump_json())
    return read_bytes(model.SerializeToString(), "broken.onnx")


def test_a_graph_that_cannot_run_is_refused(tiny_graph, tiny_card):
    """A step with an attribute that its operator does not have, and garbage in the bytes: refused in one line."""

    def no_such_attribute(graph):
        graph.node[4].attribute.append(onnx.helper.make_attribute("speed", 3))

    with pytest.raises(HostileModelFile, match=r"broken\.onnx cannot be run") as caught:
        Engine(broken(tiny_graph, tiny_card, no_such_attribute))
    assert "\n" not in caught.value.what
    with pytest.raises(HostileModelFile, match="cannot be run"):
        Engine(dataclasses.replace(broken(tiny_graph, tiny_card, lambda graph: None), data=b"garbage"))


def test_a_graph_that_breaks_its_promise_is_refused(tiny_graph, tiny_card):
    """Declared sizes are only words: an answer of another shape, and a failure while running, are refused."""
    images = np.zeros((3, 8, 8, 1), np.uint8)

    def free_widths(graph):
        for port in graph.output:
            port.type.tensor_type.shape.dim[1].dim_param = "any"

    def only_the_first_known(graph):
        free_widths(graph)
        for node in graph.node:
            for index, name in enumerate(node.output):
                if name == "similarity":
                    node.output[index] = "all_similarity"
            for index, name in enumerate(node.input):
                if name == "similarity":
                    node.input[index] = "all_similarity"
        graph.node.append(onnx.helper.make_node("Gather", ["all_similarity", "familiarity.top"], ["similarity"], "less", axis=1))

    def beyond_the_end(graph):
        pick = next(value for value in graph.initializer if value.name == "familiarity.top")
        pick.raw_data = np.array([7], np.int64).tobytes()

    with pytest.raises(HostileModelFile, match=r"answers similarity of shape \(3, 1\)"):
        Engine(broken(tiny_graph, tiny_card, only_the_first_known)).run(images)
    with pytest.raises(HostileModelFile, match="cannot be run"):
        Engine(broken(tiny_graph, tiny_card, beyond_the_end)).run(images)
