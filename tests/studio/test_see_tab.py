"""The See tab in a real browser: every sum closes, mouse and keyboard say the same, a changed kernel changes the answer as ONNX Runtime says."""

import itertools
import re
from typing import Any

import graphs
import numpy as np
import onnx
import onnxruntime
import pytest
from live import until
from onnx import numpy_helper

from peephole.explain.openmodel import open_model

STEPS = """async (model) => {
  const [{ Trace }, { Pad }, api, input] = await Promise.all(["trace", "pad", "api", "input"].map((name) => import(`/page/${name}.js`)));
  await api.hello();
  const trace = await Trace.of(model, new Pad({ ink: input.AN_X }).pixels());
  return trace.layers.map((layer) => ({ id: layer.id, op: layer.op, shape: layer.shape, rule: layer.rule }));
}"""


def layers(page: Any, model: str) -> list[dict[str, Any]]:
    return page.evaluate(STEPS, model)


def opened(watched: Any, model: str, **values: object) -> Any:
    page = watched.go("see", model=model, **values)
    if values:
        page.wait_for_selector("#sentence")
    return page


def at(page: Any, layer: str, which: int, row: int, column: int) -> None:
    """Go to a cell as a link would, and wait until it is shown."""
    place = f"layer={layer}&map={which}&at={row},{column}"
    page.evaluate("([place]) => { location.hash = location.hash.split('&layer=')[0] + '&' + place; }", [place])


@pytest.mark.parametrize("model", [*(f"{name}.onnx" for name in graphs.EXPLAINED), "tiny.onnx", "shipped/x-or-o"])
def test_every_sum_closes(visit, model):
    """Corners and middle of the first and last map of every layer: each cell is worked out again by the page, and closes."""
    watched = visit()
    page, seen = opened(watched, model), 0
    for layer in layers(page, model):
        if layer["rule"] is None:
            continue
        shape = layer["shape"]
        last = len(shape) == 3 and shape[2] <= 4 < min(shape[:2]) + 1 and min(shape[:2]) > shape[2]
        count, height, width = (shape[2], *shape[:2]) if last else (1, 1, shape[-1]) if len(shape) == 1 else (1, *shape) if len(shape) == 2 else shape
        for which, row, column in {*itertools.product({0, count - 1}, {0, height // 2, height - 1}, {0, width // 2, width - 1})}:
            at(page, layer["id"], which, row, column)
            index = (column,) if len(shape) == 1 else (row, column) if len(shape) == 2 else (row, column, which) if last else (which, row, column)
            wanted = f"{layer['id']} {','.join(map(str, index))}"
            until(page, f"document.getElementById('unit').dataset.cell === {wanted!r}")
            closes = page.evaluate("document.querySelector('#unit [data-closes]')?.dataset.closes")
            assert closes == "true", f"{wanted}: {page.evaluate('document.getElementById(`unit`).innerText')}"
            seen += 1
    assert seen > 20
    watched.calm()


@pytest.mark.parametrize("model, layer", [("plain.onnx", "conv1"), ("plain.onnx", "pool1"), ("resnet.onnx", "block1_add"), ("tiny.onnx", "relu1")])
def test_mouse_and_keyboard_say_the_same(visit, model, layer):
    """The same cell by pointing and by arrow keys: one sentence, and it is spoken."""
    watched = visit()
    page = opened(watched, model, layer=layer, map=1, at="0,0")
    cells = page.locator("#unit [role=gridcell]")
    across = page.evaluate("document.querySelector('#unit [role=grid] tr').children.length")
    cells.nth(2 * across + 1).hover()
    until(page, "document.getElementById('unit').dataset.cell.endsWith('2,1')")
    by_mouse = page.inner_text("#sentence")
    assert page.inner_text("#spoken") == by_mouse
    page = opened(visit(), model, layer=layer, map=1, at="0,0")
    page.locator("#unit [role=gridcell][tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
        before = page.evaluate("document.getElementById('unit').dataset.cell")
        page.keyboard.press(key)
        until(page, f"document.getElementById('unit').dataset.cell !== {before!r} && document.activeElement.matches('[role=gridcell]')")
    assert page.inner_text("#sentence") == by_mouse == page.inner_text("#spoken")
    page.keyboard.press("Home")
    until(page, "document.getElementById('unit').dataset.cell.endsWith('2,0')")
    watched.calm()


def answer(path: Any, model: str, edits: dict[tuple[str, tuple[int, ...]], float], pixels: np.ndarray) -> np.ndarray:
    """Change weights in the file with the onnx library alone, and run it with ONNX Runtime."""
    prepared = open_model(path / model).prepare(pixels)
    changed = onnx.load(path / model)
    for tensor in changed.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        for (name, index), value in edits.items():
            if name == tensor.name:
                values[index] = value
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    output = "logits" if any(each.name == "logits" for each in changed.graph.output) else changed.graph.output[0].name
    session = onnxruntime.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([output], {session.get_inputs()[0].name: prepared})[0][0]


DRAWN = """async () => { const [{ Pad }, input] = await Promise.all(["pad", "input"].map((name) => import(`/page/${name}.js`)));
  return [...new Pad({ ink: input.AN_X }).pixels().bytes]; }"""


def logits(page: Any) -> tuple[list[float], list[float]]:
    """Return the logits before and after, from the table on the page."""
    rows = page.evaluate("[...document.querySelectorAll('#edits tbody tr')].map((row) => [...row.cells].slice(1, 3).map((cell) => cell.textContent))")
    number = lambda text: float(text.replace("\u2212", "-"))  # noqa: E731
    return [number(row[0]) for row in rows], [number(row[1]) for row in rows]


@pytest.mark.parametrize("model", ["plain.onnx", "tiny.onnx"])
def test_a_changed_kernel_changes_the_answer(visit, live, model):
    """By keyboard: open a weight of the kernel, type another, and the logits are those of the file changed with the onnx library."""
    watched = visit()
    page = opened(watched, model, layer="conv1", map=1, at="2,2")
    pixels = np.array(page.evaluate(DRAWN), np.uint8).reshape(220, 220)
    weight = page.locator("[data-weight='conv1.weight@1.0.0.2']")
    weight.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("2.5")
    page.keyboard.press("Enter")
    page.wait_for_selector("#undo")
    before, after = logits(page)
    edit = {("conv1.weight", (1, 0, 0, 2)): 2.5}
    np.testing.assert_allclose(before, answer(live.folder, model, {}, pixels), atol=1e-4)
    np.testing.assert_allclose(after, answer(live.folder, model, edit, pixels), atol=1e-4)
    assert before != after
    assert page.evaluate("document.querySelector('#unit [data-closes]').dataset.closes") == "true"
    # A second one by the mouse, then both taken back one by one; the address carries them.
    page.locator("[data-weight='conv1.weight@1.0.1.1']").click()
    page.keyboard.type("-3")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#edits p')?.textContent.includes(': 2.')")
    edit[("conv1.weight", (1, 0, 1, 1))] = -3
    np.testing.assert_allclose(logits(page)[1], answer(live.folder, model, edit, pixels), atol=1e-4)
    page.click("#undo")
    until(page, "document.querySelector('#edits p')?.textContent.includes(': 1.')")
    np.testing.assert_allclose(logits(page)[1], after, atol=1e-6)
    page.go_back()
    until(page, "document.querySelector('#edits p')?.textContent.includes(': 2.')")
    page.go_forward()
    until(page, "document.querySelector('#edits p')?.textContent.includes(': 1.')")
    page.click("#undo")
    until(page, "!document.querySelector('#undo')")
    watched.calm()


def test_many_cells_in_a_hurry(visit):
    """300 cells hovered one after the other: the browser complains of nothing, and the address is that of the last."""
    watched = visit()
    page = opened(watched, "plain.onnx", layer="conv1", map=0, at="0,0")
    box = page.locator("#unit [role=grid]").bounding_box()
    for step in range(300):
        page.mouse.move(box["x"] + 4 + (step * 37) % (box["width"] - 8), box["y"] + 4 + (step * 13) % (box["height"] - 8))
    page.wait_for_timeout(700)
    assert page.evaluate("document.getElementById('unit').dataset.cell").split(" ")[1] == "0," + re.search(r"at=([\d,]+)", page.url)[1]
    watched.calm()


def test_closed_tabs_do_nothing(visit):
    """After three changes of language one layer costs one drawing, not four: what was closed hears no more."""
    watched = visit()
    page = opened(watched, "plain.onnx", layer="conv1", map=0, at="0,0")
    for language in ("한국어", "English", "한국어"):
        page.click(f"#tools button:has-text('{language}')")
        page.wait_for_selector("#main[data-traced] #sentence")
        page.wait_for_timeout(200)
    watched.requests.clear()
    page.evaluate("location.hash = '#see?model=resnet.onnx'")
    until(page, "document.querySelector('#rail [data-layer=stem]')")
    page.wait_for_timeout(300)
    assert len([url for url in watched.requests if "/api/trace" in url]) == 1
    watched.calm()
