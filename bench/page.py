"""What a reader of the page waits for: the first picture of its layers, a stroke drawn, a large network, and frames that are lost while scrubbing.

A real server in a process of its own, a real Chromium; times are the browser's, from its performance timeline.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from bench.models import lite0_model, plain_model
from bench.report import Row

ROUNDS = 10
PORT = 8798
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOWN = """new Promise((told) => {
  const look = () => (document.querySelector("#main[data-traced] #rail canvas") ? told(performance.now()) : requestAnimationFrame(look));
  look();
})"""
# From the last point of a stroke to the first frame that shows another trace.
STROKE = """async () => {
  const main = document.getElementById("main");
  const before = main.dataset.traced;
  const pad = document.querySelector("canvas.pad");
  const box = pad.getBoundingClientRect();
  const at = (name, x, y) => pad.dispatchEvent(new PointerEvent(name, { pointerId: 1, clientX: box.left + x, clientY: box.top + y, bubbles: true }));
  pad.setPointerCapture = () => {};
  const x = 20 + Math.floor(180 * Math.random());
  at("pointerdown", x, 20 + Math.floor(180 * Math.random()));
  const begun = performance.now();
  while (main.dataset.traced === before) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const took = performance.now() - begun;
  at("pointerup", x, 20);
  await new Promise((told) => setTimeout(told, 400));
  return took;
}"""
# Every layer there and back, one step a frame; a frame that took longer than 1.5 / 60 s is one or more lost.
SCRUB = """async () => {
  const scrub = document.getElementById("scrub");
  const most = Number(scrub.max);
  let [last, lost, all] = [await new Promise(requestAnimationFrame), 0, 0];
  for (let step = 0; step < 240; step++) {
    scrub.value = most - Math.abs((step % (2 * most)) - most);
    scrub.dispatchEvent(new Event("input"));
    const now = await new Promise(requestAnimationFrame);
    const frames = Math.max(1, Math.round((now - last) * 60 / 1000));
    [all, lost, last] = [all + frames, lost + frames - 1, now];
  }
  return (100 * lost) / all;
}"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as `peephole studio` does, and give the address with its code."""
    words = [sys.executable, "-m", "peephole", "studio", str(folder), "--port", str(PORT)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None, "the server said no address"
        yield found[0]
    finally:
        server.terminate()
        server.wait()


def measure(browser: Any, address: str, rounds: int) -> list[Row]:
    """Open the page anew in every round; strokes and scrubbing in pages that stay."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#tools button + button, #tools > button")
    page.wait_for_timeout(1000)
    base = address.partition("#")[0]
    took: dict[str, list[float]] = {"paint": [], "shown": [], "stroke": [], "lite0": [], "lost": []}
    for _ in range(rounds):
        fresh = context.new_page()
        fresh.goto(f"{base}#see?model=plain.onnx")
        took["shown"].append(fresh.evaluate(SHOWN))
        took["paint"].append(fresh.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        took["stroke"].append(fresh.evaluate(STROKE))
        took["lost"].append(fresh.evaluate(SCRUB))
        fresh.close()
        large = context.new_page()
        large.goto(f"{base}#see?model=lite0.onnx")
        large.evaluate(SHOWN)
        took["lite0"].append(large.evaluate(STROKE))
        large.close()
    context.close()
    names = {
        "paint": ("Page: first contentful paint", "ms"),
        "shown": ("Page: opened until every layer of plain is shown", "ms"),
        "stroke": ("Page: a stroke until the feature maps of plain are shown", "ms"),
        "lite0": ("Page: a stroke until the layers of lite0 at 224 px are shown", "ms"),
        "lost": ("Page: frames lost while scrubbing the layers of plain", "%"),
    }
    return [Row(names[each][0], tuple(values), names[each][1], "rounds") for each, values in took.items()]


def run(quick: bool) -> list[Row]:
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("chromium is not here (apt-get install chromium)")
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder, making = Path(temporary), Path(temporary) / "making"
        for name, make in (("plain", plain_model), ("lite0", lite0_model)):
            place = making / name
            place.mkdir(parents=True)
            shutil.copy(make(place)[0], folder / f"{name}.onnx")
        shutil.rmtree(making)
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        with served(folder) as address:
            found = measure(browser, address, 2 if quick else ROUNDS)
        browser.close()
    return found
