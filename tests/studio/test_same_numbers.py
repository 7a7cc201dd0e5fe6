"""The page, the command line and the report say the same of the same picture."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from peephole.cli.main import main
from peephole.lab.shipped import shipped

MODEL = "shipped/x-or-o"


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    """A small drawing of a cross, as a file."""
    pixels = np.full((48, 56), 255, np.uint8)
    for at in range(8, 40):
        pixels[at - 2 : at + 3, at : at + 4] = 0
        pixels[at - 2 : at + 3, 47 - at : 51 - at] = 0
    path = tmp_path_factory.mktemp("drawing") / "cross.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def told(drawing, tmp_path_factory):
    """What `peephole explain --json` writes of it."""
    out = tmp_path_factory.mktemp("explained") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["peephole", "explain", str(shipped()), str(drawing), "-o", str(out), "--json"])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code in (0, None)
    return json.loads(out.with_suffix(".json").read_text("utf-8"))


def traced(live, drawing, kind="image/png"):
    """Return the header and the values that the page gets."""
    body = drawing.read_bytes()
    answer = live.ask("POST", f"/api/trace?model={MODEL}", live.visitor() | {"Content-Type": kind}, body)
    assert answer.status == 200, answer.body
    (length,) = struct.unpack_from("<I", answer.body)
    return json.loads(answer.body[4 : 4 + length]), np.frombuffer(answer.body, "<f4", offset=4 + length)


def test_the_page_shows_what_explain_tells(live, drawing, told):
    """Answer, logits, shares and the limits of every layer are the same, to the last digit of float32."""
    head, values = traced(live, drawing)
    shares = {term["label"]: term for term in told["softmax"]["terms"]}
    for label, logit, share in zip(head["output"]["labels"], head["output"]["logits"], head["output"]["shares"], strict=True):
        assert logit == pytest.approx(shares[label]["logit"], abs=1e-6)
        assert share == pytest.approx(shares[label]["share"], abs=1e-6)
    for name in ("label", "familiarity", "margin", "accepted", "threshold"):
        assert head["decision"][name] == told["prediction"][name]
    layers = {layer["id"]: layer for layer in head["layers"]}
    assert [each["id"] for each in told["layers"]] == [each["id"] for each in head["layers"]][1:]
    for each in told["layers"]:
        mine = layers[each["id"]]
        assert (mine["shape"], mine["op"], mine["inputs"]) == (each["shape"], each["op"], [name or "picture" for name in each["inputs"]])
        assert mine["parameters"]["product"] == each["parameters"]["product"] and mine["macs"]["product"] == each["macs"]["product"]
        assert (mine["min"], mine["max"]) == (each["min"], each["max"])
        held = values[mine["offset"] : mine["offset"] + mine["count"]]
        assert (held.min(), held.max()) == (np.float32(each["min"]), np.float32(each["max"]))


def test_the_pages_report_is_explains_own(live, drawing, told):
    """The numbers of a report that the page makes are those of `peephole explain`, but for the picture's name."""
    made = live.ask("POST", f"/api/report?model={MODEL}", live.visitor() | {"Content-Type": "image/png"}, drawing.read_bytes(), wait=60).json
    numbers = live.ask("GET", f"/api/report/json?id={made['id']}", live.visitor()).json
    assert {name: value for name, value in numbers.items() if name != "image"} == {name: value for name, value in told.items() if name != "image"}
    page = live.ask("GET", f"/api/report/page?id={made['id']}", live.visitor())
    assert "sandbox" in page.headers["content-security-policy"] and b"<script" in page.body


def test_raw_pixels_and_a_file_are_one_picture(live, drawing):
    """A drawing sent as pixels, as the sheet sends it, gives the same as the same drawing sent as a file."""
    pixels = np.asarray(Image.open(io.BytesIO(drawing.read_bytes())))
    target = f"/api/trace?model={MODEL}&width={pixels.shape[1]}&height={pixels.shape[0]}&channels=1"
    answer = live.ask("POST", target, live.visitor() | {"Content-Type": "application/octet-stream"}, pixels.tobytes())
    assert answer.body == live.ask("POST", f"/api/trace?model={MODEL}", live.visitor() | {"Content-Type": "image/png"}, drawing.read_bytes()).body
