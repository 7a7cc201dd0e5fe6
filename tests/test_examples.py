"""The examples run, stay short, and give what Peephole itself gives."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import peephole
from drawings import draw, save

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
PLAIN = EXAMPLES / "plain_onnxruntime.py"


def run(script, *words, monkeypatch, capsys):
    """Run an example in this process, as `python script words...`, and return what it prints."""
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, words)])
    runpy.run_path(str(script), run_name="__main__")
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_is_short_and_says_what_it_shows(script):
    """At most 40 lines, opened by a sentence."""
    text = script.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    assert (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].endswith(".")


def test_every_example_is_executed_here():
    """A new example needs a test that runs it."""
    assert SCRIPTS == [PLAIN]


def test_ten_lines_without_peephole():
    """Beside its imports the plain script has ten statements at most, and none of the imports is Peephole."""
    body = ast.parse(PLAIN.read_text("utf-8")).body[1:]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(body) - len(imports) <= 10
    names = {alias.name for node in imports for alias in node.names} | {getattr(node, "module", None) for node in imports}
    assert not any("peephole" in (name or "") for name in names)


@pytest.fixture(scope="module")
def visitors(tmp_path_factory, drawn_photos):
    """Photos of all kinds: known, new, strangers, large, in colour, turned by EXIF, with clear parts, wide."""
    root = tmp_path_factory.mktemp("visitors")
    found = [drawn_photos / "X" / "X0.png", drawn_photos / "unknown" / "sign I" / "0.png"]
    found += [save(draw(sign, seed), root / f"{sign}{seed}.png") for sign in "XOI=L" for seed in (70, 71, 72)]
    found.append(save(draw("X", 80, 300)[:201], root / "tall.png"))
    found.append(save(np.repeat(draw("O", 81, 97)[:, :, None], 3, 2), root / "colour.png"))
    clear = np.dstack([np.zeros((40, 40, 3), np.uint8), 255 - draw("O", 82, 40)])
    found.append(save(clear, root / "clear.png"))
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(draw("L", 83, 60)[:, :40]).save(root / "turned.jpg", exif=turned)
    return [*found, root / "turned.jpg"]


def test_the_plain_script_says_what_peephole_says(drawn_model, visitors, monkeypatch, capsys):
    """The same label for the same photo, and the same strangers; both kinds occur."""
    predictor = peephole.load(drawn_model)
    ours = [predictor.predict(photo).label or "stranger" for photo in visitors]
    assert {"X", "O", "stranger"} <= set(ours)
    theirs = [run(PLAIN, drawn_model, photo, monkeypatch=monkeypatch, capsys=capsys) for photo in visitors]
    assert theirs == ours


def test_the_plain_script_alone(drawn_model, visitors):
    """As a process of its own, in which Peephole cannot even be imported."""
    blocked = (
        f"import sys, runpy; sys.modules['peephole'] = None; sys.argv[1:] = {[str(drawn_model), str(visitors[0])]!r}; runpy.run_path({str(PLAIN)!r})"
    )
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == (peephole.load(drawn_model).predict(visitors[0]).label or "stranger")
