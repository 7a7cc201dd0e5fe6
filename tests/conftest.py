"""What many tests need: real data, real programs, and a visible reason where one is absent."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from drawings import folder
from peephole.base.card import Card, Input, Layer, Parity, Resize, Training, Unknown
from peephole.base.evidence import measure
from peephole.base.modelwrite import write

# The same examples in every run; a slow machine is no failure.
settings.register_profile("peephole", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("peephole")

REQUIRED = os.environ.get("PEEPHOLE_REQUIRE") == "all"
DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that take minutes to `make test-long`."""
    if os.environ.get("PEEPHOLE_LONG") or "long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def absent(what: str, remedy: str) -> None:
    """Skip with a visible reason; where everything is required, fail instead."""
    message = f"{what} is not here ({remedy})"
    if REQUIRED:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for tests and benchmarks."""
    if not (DATA / "mnist").is_dir():
        absent("the real data for tests", "set PEEPHOLE_DATA to its folder")
    return DATA


@pytest.fixture(scope="session")
def require_program():
    """Return a function that finds a program on PATH or skips."""

    def find(name: str) -> str:
        # Debian keeps servers such as Mosquitto in /usr/sbin, which is not on every user's PATH.
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            absent(name, f"install it, for example: apt-get install {name}")
        return path

    return find


QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


@pytest.fixture(scope="module")
def browser(require_program):
    """Chromium without a network of its own."""
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require_program("chromium"), args=QUIET)
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page from disk; requests and complaints are collected on it."""
    contexts = []

    def visit(file, hash_="", **settings):
        context = browser.new_context(**{"locale": "en-US", "reduced_motion": "reduce"} | settings)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(file.as_uri() + hash_)
        return page

    yield visit
    for context in contexts:
        context.close()


TINY_LABELS = ("left", "top")


@pytest.fixture(scope="session")
def tiny_photos() -> dict[str, np.ndarray]:
    """Photos for the tiny model, uint8 (8, 8, 1): the known examples left-1, left-2 and top-1, and a stranger."""
    left, dim, top = (np.zeros((8, 8, 1), np.uint8) for _ in range(3))
    left[:, :4], dim[1:, :4], top[:4] = 250, 200, 250
    stranger = np.indices((8, 8)).sum(axis=0, dtype=np.uint8)[..., None] % 2 * np.uint8(250)
    return {"left-1": left, "left-2": dim, "top-1": top, "stranger": stranger}


def _tiny_body() -> tuple[list, list]:
    """Return nodes and initialisers from `image` (N, 8, 8, 1) to `embedding` (N, 4): conv, ReLU, pool, dense, ReLU."""
    # One filter answers to edges from left to right, the other to edges from top to bottom.
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
    dense = np.zeros((4, 2, 4, 4), np.float32)  # (features, filter, y, x)
    dense[0, 0], dense[1, 1], dense[2, 0, :, :2], dense[3, 1, :2] = 0.1, 0.1, 0.2, 0.2
    constants = {
        "image_scale": np.array(255, np.float32),
        "conv1.weight": np.stack([kernel, kernel.T])[:, None],
        "conv1.bias": np.array([0.1, 0.1], np.float32),
        "dense1.weight": dense.reshape(4, 32).T,
        "dense1.bias": np.zeros(4, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["image_float"], "normalise_cast", to=TensorProto.FLOAT),
        helper.make_node("Div", ["image_float", "image_scale"], ["image_scaled"], "normalise_scale"),
        helper.make_node("Transpose", ["image_scaled"], ["image_planes"], "normalise_layout", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["image_planes", "conv1.weight", "conv1.bias"], ["conv1"], "conv1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv1"], ["relu1"], "relu1"),
        helper.make_node("MaxPool", ["relu1"], ["pool1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool1"], ["flatten"], "flatten"),
        helper.make_node("Gemm", ["flatten", "dense1.weight", "dense1.bias"], ["dense1"], "dense1"),
        helper.make_node("Relu", ["dense1"], ["embedding"], "relu_dense1"),
    ]
    return nodes, [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]


def _tiny_head(known: np.ndarray) -> tuple[list, list]:
    """Return nodes and initialisers from `embedding` to the other three outputs; `known` (3, 4) are the known examples' embeddings."""
    centre = known.mean(axis=0)
    units = (known - centre) / np.linalg.norm(known - centre, axis=1, keepdims=True)
    slopes = np.stack([units[:2].mean(axis=0), units[2]], axis=1) * 4
    constants = {
        "logits.weight": slopes,
        "logits.bias": -centre @ slopes,
        "familiarity.centre": centre,
        "familiarity.least": np.array(1e-9),
        "familiarity.known": units.T,
    }
    labels = {"familiarity.left": [0, 1], "familiarity.top": [2]}
    nodes = [
        helper.make_node("Gemm", ["embedding", "logits.weight", "logits.bias"], ["logits"], "logits"),
        helper.make_node("Sub", ["embedding", "familiarity.centre"], ["centred"], "familiarity_centre"),
        helper.make_node("ReduceL2", ["centred"], ["length"], "familiarity_length", axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "familiarity.least"], ["some_length"], "familiarity_least"),
        helper.make_node("Div", ["centred", "some_length"], ["unit"], "familiarity_unit"),
        helper.make_node("MatMul", ["unit", "familiarity.known"], ["similarity"], "familiarity_similarity"),
        helper.make_node("Gather", ["similarity", "familiarity.left"], ["of_left"], "familiarity_pick_left", axis=1),
        helper.make_node("Gather", ["similarity", "familiarity.top"], ["of_top"], "familiarity_pick_top", axis=1),
        helper.make_node("ReduceMax", ["of_left"], ["best_left"], "familiarity_left", axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["of_top"], ["best_top"], "familiarity_top", axes=[1], keepdims=1),
        helper.make_node("Concat", ["best_left", "best_top"], ["familiarity"], "familiarity_labels", axis=1),
    ]
    floats = [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in constants.items()]
    return nodes, floats + [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in labels.items()]


def _tiny_model(nodes: list, initialisers: list, outputs: dict[str, int]) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 1])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in outputs.items()]
    graph = helper.make_graph(nodes, "tiny", [image], ends, initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="peephole")


@pytest.fixture(scope="session")
def tiny_graph(tiny_photos) -> onnx.ModelProto:
    """A whole graph in 20 nodes: 8 x 8 x 1 photos, 2 labels, embedding of 4, 3 known examples (k = 1). Copy it before changing it."""
    body, weights = _tiny_body()
    session = onnxruntime.InferenceSession(_tiny_model(body, weights, {"embedding": 4}).SerializeToString())
    photos = np.stack([tiny_photos[name] for name in ("left-1", "left-2", "top-1")])
    (known,) = session.run(["embedding"], {"image": photos})
    head, more = _tiny_head(known)
    return _tiny_model(body + head, weights + more, {"logits": 2, "embedding": 4, "familiarity": 2, "similarity": 3})


@pytest.fixture(scope="session")
def tiny_card(tiny_photos) -> Card:
    """The card of the tiny model."""
    ids = ("left-1", "left-2", "top-1")
    digests = tuple(hashlib.sha256(tiny_photos[name].tobytes()).hexdigest() for name in ids)
    return Card(
        kind="photo",
        labels=TINY_LABELS,
        input=Input(shape=("N", 8, 8, 1), resize=Resize(to=(8, 8)), colour="grey"),
        outputs={"logits": ("N", 2), "embedding": ("N", 4), "familiarity": ("N", 2), "similarity": ("N", 3)},
        layers=(
            Layer(name="conv1", op="Conv", shape=(2, 8, 8), parameters=20, macs=1152),
            Layer(name="relu1", op="Relu", shape=(2, 8, 8), parameters=0, macs=0),
            Layer(name="pool1", op="MaxPool", shape=(2, 4, 4), parameters=0, macs=0),
            Layer(name="flatten", op="Flatten", shape=(32,), parameters=0, macs=0),
            Layer(name="dense1", op="Gemm", shape=(4,), parameters=132, macs=128),
            Layer(name="relu_dense1", op="Relu", shape=(4,), parameters=0, macs=0),
            Layer(name="logits", op="Gemm", shape=(2,), parameters=10, macs=8),
        ),
        unknown=Unknown(
            k=1, threshold=0.9, margin=0.1, how="set by hand for the tests", known_labels=(0, 0, 1), known_digests=digests, known_ids=ids
        ),
        temperature=1.0,
        evidence=(measure("false accept", 0, 1, "stranger", "estimate"),),
        training=Training(
            examples={"left": 2, "top": 1},
            strangers={"stranger": 1},
            sources=4,
            digests=tuple(sorted(digests)),
            recipe={"network": "tiny", "steps": 0},
            sentence="no training: weights set by hand",
            seed=0,
        ),
        parity=Parity(max_difference=0.0, changed_decisions=0, n=4),
        software={"peephole": "0.1.0"},
    )


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory, tiny_graph, tiny_card) -> Path:
    """A tiny valid model file, all four outputs computed in its graph. Copy it before changing it."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    write(path, tiny_graph, tiny_card)
    return path


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory) -> Path:
    """A folder of drawings: 8 X, 8 O, and two drawings of each of 3 strangers. Copy it before changing it."""
    return folder(tmp_path_factory.mktemp("drawn") / "photos", 8, strangers="=IL")


@pytest.fixture(scope="session")
def drawn_model(tmp_path_factory, drawn_photos) -> Path:
    """A model file that was really trained, in a few steps, on `drawn_photos`; needs PyTorch."""
    from peephole.export.build import build
    from peephole.nets.cnn import Plain
    from peephole.train.recipe import Options

    path = tmp_path_factory.mktemp("drawn") / "drawn.onnx"
    build(drawn_photos, path, Options(network="plain", steps=150, threads=1, plain=Plain(filters=(8, 16), hidden=32)))
    return path
