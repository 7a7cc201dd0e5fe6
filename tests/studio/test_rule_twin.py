"""The page's rules in JavaScript work out every cell as explain/recompute does: the same terms, the same sum, for every rule and every function."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from graphs import Graph
from live import Live

from peephole.explain.functions import FUNCTIONS
from peephole.explain.openmodel import open_model
from peephole.explain.recompute import recompute
from peephole.explain.trace import Edit, trace
from peephole.studio.files import PAGE

SHAPE = (3, 7, 6)
Case = Callable[[Graph], Any]


def chain(*steps: tuple[str, dict[str, Any], Sequence[Any]]) -> Case:
    """Return a case: operators one behind the other; each has attributes and constants beside its first input."""

    def build(graph: Graph) -> str:
        last = "image"
        for at, (op, attributes, constants) in enumerate(steps):
            names = []
            for place, value in enumerate(constants):
                names.append("" if value is None else f"c{at}{place}")
                if value is not None:
                    graph.weights[names[-1]] = np.asarray(value)
            last = graph.node(op, f"{op.lower()}{at}", last, *names, **attributes)
        return last

    return build


def one(op: str, *constants: Any, **attributes: Any) -> Case:
    return chain((op, attributes, constants))


def noise(*shape: int, seed: int = 3, size: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


# The picture is 0..1; this lays it out between -4 and 4, where functions differ.
SPREAD = [("Mul", {}, [np.float32(8)]), ("Add", {}, [np.float32(-4)])]
ROW = ("Flatten", {}, [])


def two(op: str, *names: str, **attributes: Any) -> Case:
    """Return a case of an operator that reads the picture and layers made of it."""

    def build(graph: Graph) -> str:
        graph.node("Neg", "negative", "image")
        graph.node("ReduceMean", "squeezed", "image", axes=[2, 3], keepdims=1)
        graph.weights["half"] = np.float32(0.5) * np.ones((2, 3, 1, 1), np.float32)[:1]
        return graph.node(op, "two", *names, **attributes)

    return build


def crossed(graph: Graph) -> str:
    """Two layers multiplied with one another, as attention does."""
    graph.node("Transpose", "turned", "image", perm=[0, 1, 3, 2])
    return graph.node("MatMul", "crossed", "image", "turned")


CASES: dict[str, Case] = {
    "conv": one("Conv", noise(4, 3, 3, 3), noise(4), pads=[1, 1, 1, 1]),
    "conv without bias": one("Conv", noise(2, 3, 2, 3), pads=[0, 1, 2, 0], strides=[2, 1]),
    "conv dilated": one("Conv", noise(2, 3, 3, 2), dilations=[2, 3]),
    "conv by channel": one("Conv", noise(6, 1, 3, 3), noise(6), group=3, pads=[1, 1, 1, 1]),
    "conv same": one("Conv", noise(2, 3, 4, 4), auto_pad="SAME_LOWER", strides=[2, 3]),
    "conv of a row": chain(
        ("Reshape", {}, [whole(1, 3, 42)]), ("Conv", {"pads": [2, 1], "strides": [2], "dilations": [2]}, [noise(3, 3, 3), noise(3)])
    ),
    "max pool": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "max pool padded": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "max pool ceil": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "max pool dilated": one("MaxPool", kernel_shape=[2, 3], dilations=[3, 2]),
    "max pool of a row": chain(("Reshape", {}, [whole(1, 3, 42)]), ("MaxPool", {"kernel_shape": [4], "strides": [3], "pads": [1, 2]}, [])),
    "mean pool": one("AveragePool", kernel_shape=[2, 3]),
    "mean pool padded": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "mean pool padding counts": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "mean pool ceil, padding counts": one("AveragePool", kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 0, 0], ceil_mode=1, count_include_pad=1),
    "mean pool same": one("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    "global max": one("GlobalMaxPool"),
    "global mean": one("GlobalAveragePool"),
    "dense": chain(ROW, ("Gemm", {"transB": 1, "alpha": 0.5, "beta": 2.0}, [noise(5, 126), noise(5)])),
    "dense upright": chain(ROW, ("Gemm", {}, [noise(126, 5), noise(1, 5)])),
    "dense without bias": chain(ROW, ("MatMul", {}, [noise(126, 5)])),
    "matrix by matrix": one("MatMul", noise(6, 4)),
    "stacked matrices": one("MatMul", noise(3, 6, 2)),
    "a vector": one("MatMul", noise(6)),
    "layer by layer": crossed,
    "sum of a number": one("Add", np.float32(0.3)),
    "sum by channel": one("Add", noise(3, 1, 1)),
    "sum by column": one("Sub", noise(6)),
    "sum of layers": two("Add", "image", "negative"),
    "difference of layers": two("Sub", "squeezed", "image"),
    "sum of many": two("Sum", "image", "negative", "squeezed", "half"),
    "gate": two("Mul", "image", "squeezed"),
    "larger": two("Max", "image", "squeezed", "half"),
    "smaller": two("Min", "image", "squeezed", "negative"),
    "quotient of layers": two("Div", "negative", "squeezed"),
    "concat": two("Concat", "image", "negative", axis=1),
    "concat by column": two("Concat", "negative", "image", axis=3),
    "flatten": one("Flatten"),
    "reshape": one("Reshape", whole(1, 7, 18)),
    "transpose": one("Transpose", perm=[0, 3, 1, 2]),
    "slice": one("Slice", whole(1, 0), whole(6, 99), whole(2, 3), whole(2, 3)),
    "squeeze": chain(("ReduceMean", {"axes": [1], "keepdims": 1}, []), ("Squeeze", {}, [whole(1)])),
    "pad with a number": one("Pad", whole(0, 0, 1, 2, 0, 1, 0, 1), np.float32(0.25)),
    "pad with the edge": one("Pad", whole(0, 0, 1, 2, 0, 0, 0, 3), mode="edge"),
    "pad mirrored": one("Pad", whole(0, 0, 2, 3, 0, 0, 1, 4), mode="reflect"),
    "shares": chain(ROW, ("Softmax", {"axis": 1}, [])),
    "shares by column": one("Softmax", axis=3),
    "logarithms of shares": chain(ROW, ("LogSoftmax", {"axis": -1}, [])),
    "normalised": one(
        "BatchNormalization", noise(3, seed=5), noise(3, seed=6), noise(3, seed=7), np.abs(noise(3, seed=8)) + np.float32(0.1), epsilon=1e-3
    ),
    "power": chain(("Pow", {}, [np.float32(2.5)])),
    "slope by channel": chain(*SPREAD, ("PRelu", {}, [noise(3, 1, 1)])),
    "kept between": chain(*SPREAD, ("Clip", {}, [np.float32(-0.5), np.float32(0.25)])),
    "kept below": chain(*SPREAD, ("Clip", {}, [None, np.float32(0.25)])),
    "mean of several": two("Mean", "image", "negative", "squeezed"),
    **{
        f"{op} {'kept' if keepdims else 'gone'} {axes}": chain(*SPREAD, (op, {"axes": axes, "keepdims": keepdims}, []))
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare")
        for axes, keepdims in (([2, 3], 1), ([1], 0))
    },
    "ReduceSum": one("ReduceSum", whole(2), keepdims=0),
    "Gelu by tanh": chain(*SPREAD, ("Gelu", {"approximate": "tanh"}, [])),
    "Celu steep": chain(*SPREAD, ("Celu", {"alpha": 0.3}, [])),
    "a long way down": chain(*SPREAD, ("Mul", {}, [np.float32(300)]), ("Softplus", {}, [])),
    "Sigmoid far out": chain(*SPREAD, ("Mul", {}, [np.float32(300)]), ("Sigmoid", {}, [])),
    "Mish far out": chain(*SPREAD, ("Mul", {}, [np.float32(300)]), ("Mish", {}, [])),
}
ALONE = [name for name in FUNCTIONS if name not in ("Mul", "Div", "Pow", "PRelu", "Min", "Max", "Mean", "Clip", "Cast", "BatchNormalization")]
CASES |= {f"function {op}": chain(*SPREAD, (op, {}, [])) for op in ALONE}
CASES["function Cast"] = chain(*SPREAD, ("Cast", {"to": 7}, []), ("Cast", {"to": 1}, []))

WORK = """async ([model, size, picture, edits, cells]) => {
  const [{ Trace }, { work }, api] = await Promise.all(["trace", "rule", "api"].map((name) => import(`/page/${name}.js`)));
  await api.hello();
  const trace = await Trace.of(model, { width: size[1], height: size[0], channels: 3, bytes: Uint8Array.from(picture) }, { edits });
  const told = (value) => (Number.isFinite(value) ? value : String(value));
  const found = {};
  for (const layer of trace.layers.slice(1)) {
    found[layer.id] = [];
    for (const index of cells[layer.id] ?? []) {
      const sum = await work(trace, layer, index);
      found[layer.id].push(sum && { total: told(sum.total), value: told(sum.value), closes: sum.closes, residue: told(sum.residue),
        terms: sum.terms.map((term) => (
        { value: told(term.value), at: term.at ?? null, inside: term.inside !== false, wins: Boolean(term.wins) })) });
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def script(browser: Any, live: Live, signed_in: Any) -> Any:
    """A page that has the modules, whose parts are called one by one."""
    context = browser.new_context(storage_state=signed_in, locale="en-US")
    page = context.new_page()
    page.goto(f"{live.url}page/icon.svg")
    page.goto(f"{live.url}#data")
    yield page
    context.close()


PICTURE = np.random.default_rng(9).integers(0, 256, (SHAPE[1], SHAPE[2], 3), dtype=np.uint8)


def chosen(shape: Sequence[int], most: int = 24) -> list[list[int]]:
    """Return corners of a layer and some seeded cells."""
    draw = np.random.default_rng(1)
    corners = [*itertools.product(*({0, size - 1} for size in shape))][:12]
    return [list(index) for index in sorted({*corners, *(tuple(int(draw.integers(size)) for size in shape) for _ in range(most))})]


def number(value: float | str) -> float:
    return float(value.replace("Infinity", "inf")) if isinstance(value, str) else value


def compared(script: Any, live: Live, name: str, edits: Sequence[Edit] = (), *, explained: bool = True) -> int:
    """Work out cells of every layer in both languages and return how many are the same; all must."""
    model = open_model(live.folder / name)
    found = trace(model, model.prepare(PICTURE), edits=edits)
    cells = {layer.id: chosen(layer.shape) for layer in found.layers[1:]}
    sent = [{"tensor": edit.tensor, "index": [*edit.index], "value": edit.value} for edit in edits]
    there = script.evaluate(WORK, [name, [SHAPE[1], SHAPE[2]], PICTURE.ravel().tolist(), sent, cells])
    count = 0
    for layer in found.layers[1:]:
        assert layer.rule or not explained, f"{layer.id} ({layer.op}) has no rule"
        for index, theirs in zip(cells[layer.id], there[layer.id], strict=True):
            if layer.rule is None:
                assert theirs is None
                continue
            ours, place = recompute(found, layer.id, tuple(index)), f"{layer.id} ({layer.op}) {index}"
            assert theirs is not None, f"{place}: the page does not know it"
            assert ours.closes and theirs["closes"], f"{place}: {theirs['residue']} is left on the page, {ours.residue} here"
            assert same(ours.total, number(theirs["total"]), ours.size), f"{place}: {theirs['total']} is not {ours.total}"
            assert same(ours.shown, number(theirs["value"]), 0), place
            compare_terms(layer.op, ours, theirs, place)
            count += 1
    return count


def same(one: float, other: float, size: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other)) or abs(one - other) <= 1e-12 * max(size, abs(one))


def compare_terms(op: str, ours: Any, theirs: Any, place: str) -> None:
    """The same numbers from the same places, in the same order."""
    if op == "BatchNormalization":  # (x - mean) is one term on the page and two in the specification
        return
    inside = [term for term in theirs["terms"] if term["inside"]]
    there = [term for term in ours.terms if term.place is not None]
    assert len(inside) == len(there), f"{place}: {len(inside)} terms on the page, {len(there)} here"
    for mine, their in zip(there, inside, strict=True):
        assert same(mine.value, number(their["value"]), 0), place
        if mine.place.layer and their["at"] is not None:
            assert list(mine.place.index) == their["at"], f"{place}: {their['at']} is not {mine.place.index}"
    if ours.winner is not None and any(term["wins"] for term in inside):
        assert inside[ours.winner]["wins"] if len(inside) == len(ours.terms) else True, place


def write(live: Live, name: str, case: Case) -> str:
    graph = Graph(2)
    output = case(graph)
    graph.save(
        live.folder / f"case {name}.onnx".replace("/", " "),
        SHAPE,
        output,
        opset=20 if name.startswith(("function Gelu", "Gelu", "function Mish", "Mish")) else 17,
    )
    return f"case {name}.onnx"


@pytest.mark.parametrize("name", CASES)
def test_every_rule_in_both_languages(script, live, name):
    """Terms, places, bias, winner and sum, on corners and seeded cells of every layer."""
    assert compared(script, live, write(live, name, CASES[name])) >= 3


@pytest.mark.parametrize("name", ["resnet", "inception"])
def test_whole_networks_in_both_languages(script, live, name):
    """Every layer of a network with a way round and of one with branches."""
    model = open_model(live.folder / f"{name}.onnx")
    assert model.shape[2] == 3
    assert compared(script, live, f"{name}.onnx") > 100


def test_changed_weights_in_both_languages(script, live):
    """The sums are those of the changed graph."""
    edits = [Edit("stem.weight", (1, 2, 0, 0), -1.5), Edit("logits.bias", (1,), 3.0)]
    assert compared(script, live, "resnet.onnx", edits) > 100


def test_the_comparison_finds_a_wrong_rule(script, live, browser, signed_in):
    """Planted bug: a page whose convolution forgets the stride is caught."""
    context = browser.new_context(storage_state=signed_in)
    page = context.new_page()
    right = PAGE.joinpath("rule.js").read_text("utf-8")
    text = right.replace("* stride[step[axis]]", "")
    assert text != right
    page.route("**/page/rule.js", lambda route: route.fulfill(body=text, content_type="text/javascript"))
    page.goto(f"{live.url}#data")
    with pytest.raises(AssertionError):
        compared(page, live, write(live, "conv without bias", CASES["conv without bias"]))
    context.close()


def test_the_cases_cover_every_rule_and_function():
    """A rule or function that is added later needs a case here."""
    text = json.dumps([*CASES])
    assert all(f"function {name}" in text for name in ALONE)
