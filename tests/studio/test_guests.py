"""Whoever reaches the server without the code: shipped models and the lab, and nothing of the working folder, not even its names."""

import io
import json
import urllib.parse

import numpy as np
import pytest
from graphs import ALL
from live import Live
from PIL import Image

PIXELS = np.random.default_rng(1).integers(0, 256, (10, 10), np.uint8).tobytes()
BINARY = {"Content-Type": "application/octet-stream"}


def traced(live: Live, headers: dict[str, str], model: str) -> tuple[int, str]:
    """Show a picture to a model and return the status and the trace's id."""
    query = urllib.parse.urlencode({"model": model, "width": 10, "height": 10, "channels": 1})
    found = live.ask("POST", f"/api/trace?{query}", headers | BINARY, PIXELS)
    length = int.from_bytes(found.body[:4], "little")
    return found.status, json.loads(found.body[4 : 4 + length])["id"] if found.status == 200 else ""


def test_names_of_the_folder_are_the_owner_s(live, folder):
    """Hello tells a visitor of the shipped models alone."""
    visitor, owner = live.visitor(), live.owner()
    (folder / "family" / "mina").mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "family" / "mina" / "1.png")
    told = live.ask("GET", "/api/hello", visitor).json
    assert (told["owner"], told["folder"], told["photos"], told["gates"]) == (False, "", [], [])
    assert all(each["id"].startswith("shipped/") for each in told["models"])
    mine = live.ask("GET", "/api/hello", owner).json
    assert {f"{name}.onnx" for name in ALL} < {each["id"] for each in mine["models"]} and mine["photos"] == [{"id": "family", "photos": 1}]


def test_a_visitor_sees_no_model_of_the_folder(live):
    """The answer is the same for one that is there and one that is not."""
    visitor = live.visitor()
    for path in ("/api/model?model=", "/api/map?model="):
        assert live.ask("GET", f"{path}plain.onnx", visitor).status == 400
        assert live.ask("GET", f"{path}plain.onnx", visitor).body == live.ask("GET", f"{path}nothing.onnx", visitor).body
    assert traced(live, visitor, "plain.onnx") == (400, "")
    assert traced(live, visitor, "shipped/x-or-o")[0] == 200
    assert live.ask("POST", "/api/report?model=tiny.onnx&width=10&height=10&channels=1", visitor | BINARY, PIXELS).status == 400


def test_a_visitor_sees_no_trace_of_the_owner_s(live):
    """Not its values, its weights, its match, nor why it answered, even with the id."""
    visitor, owner = live.visitor(), live.owner()
    status, name = traced(live, owner, "tiny.onnx")
    assert status == 200
    asked = {
        "/api/values": {"layer": "conv1"},
        "/api/tensor": {"tensor": "conv1.weight"},
        "/api/match": {"layer": "conv1"},
        **{f"/api/inside/{part}": {"model": "tiny.onnx"} for part in ("heat", "rebuilt", "dropout", "nearest")},
    }
    for path, more in asked.items():
        query = urllib.parse.urlencode({"trace": name, **more})
        assert live.ask("GET", f"{path}?{query}", visitor).status == 404, path
    assert live.ask("GET", f"/api/values?trace={name}&layer=conv1", owner).status == 200


def test_a_visitor_sees_no_map_that_the_owner_drew(live, folder):
    """The map of a set with a shipped model is kept, and still the owner's."""
    pytest.importorskip("openTSNE")
    for label in ("x", "o"):
        (folder / "drawn" / label).mkdir(parents=True)
        for at in range(6):
            pixels = np.random.default_rng(at + 10 * (label == "x")).integers(0, 256, (28, 28), np.uint8)
            Image.fromarray(pixels).save(folder / "drawn" / label / f"{label}{at}.png")
    path = "/api/map?model=shipped/x-or-o&set=drawn"
    assert live.ask("GET", path, live.owner(), wait=60).status == 200
    assert live.ask("GET", path, live.visitor()).status == 400
    # One photo more is another map, not the one that was kept.
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(folder / "drawn" / "x" / "more.png")
    names = live.ask("GET", path, live.owner(), wait=60).json["map"]["names"]
    assert "x/more.png" in names


def test_the_owner_s_report_is_the_owner_s(live):
    """A visitor reads their own report, not another's."""
    visitor, owner = live.visitor(), live.owner()
    held = io.BytesIO()
    Image.new("L", (28, 28), 200).save(held, "PNG")
    for mine, other, wanted in ((owner, visitor, 404), (visitor, owner, 200)):
        made = live.ask("POST", "/api/report?model=shipped/x-or-o", mine | {"Content-Type": "image/png"}, held.getvalue()).json["id"]
        assert live.ask("GET", f"/api/report/page?id={made}", mine).status == 200
        assert live.ask("GET", f"/api/report/page?id={made}", other).status == wanted
        policy = live.ask("GET", f"/api/report/page?id={made}", mine).headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts;") and "default-src 'none'" in policy  # no origin, no requests


OUT = [
    "../x.onnx",
    "../../etc/passwd",
    "/etc/passwd",
    "%2e%2e/x.onnx",
    "..%2fx.onnx",
    ".peephole-studio/secret",
    "./.peephole-studio/secret.onnx",
    "a/../../x.onnx",
    "x\0.onnx",
    "\0",
    "a" * 300 + ".onnx",
    "한" * 100 + ".onnx",
    "a/" * 400 + "x.onnx",
    "a" * 4000,
    "",
    ".",
    "..",
    "shipped/../x",
    "shipped/",
    "shipped/x-or-o/../..",
    "file:///etc/passwd",
    "C:\\x.onnx",
    "link.onnx",
    "linked/x.onnx",
    "\u202ex.onnx",
    "x.onnx\n",
    "~",
    "$HOME/x.onnx",
    "*.onnx",
]


@pytest.mark.parametrize("name", OUT)
def test_names_that_lead_out_are_refused(live, folder, tmp_path_factory, name):
    """Each is one sentence, none is a fault of the server, none reads a file outside, for the owner too."""
    outside = tmp_path_factory.getbasetemp() / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "x.onnx").write_bytes((folder / "plain.onnx").read_bytes())
    for link, to in ((folder / "link.onnx", outside / "x.onnx"), (folder / "linked", outside)):
        if not link.is_symlink():
            link.symlink_to(to)
    owner = live.owner()
    quoted = urllib.parse.quote(name, safe="")
    found = live.ask("GET", f"/api/model?model={quoted}", owner)
    assert found.status in (400, 404) and found.json["error"]
    sets = [live.ask("GET", f"/api/data?set={quoted}", owner), live.ask("GET", f"/api/data/photo?set=.&photo={quoted}", owner)]
    sets += [live.ask("GET", f"/api/mistakes?model=tiny.onnx&set={quoted}", owner), live.ask("GET", f"/api/data/whole?set=.&photo={quoted}", owner)]
    for method, target in (("POST", "/api/data/make"), ("POST", "/api/data/remove"), ("POST", "/api/data/ask")):
        sent = {"set": name, "photo": name, "tool": "doubt"} | ({"label": "x"} if target.endswith("make") else {})
        sets.append(live.ask(method, target, owner, json.dumps(sent).encode()))
    # 413: a name of 4,000 letters is more than these addresses take at all.
    assert all(each.status in (400, 404, 413) and each.json["error"] for each in sets), [each.status for each in sets]
    assert not {"link.onnx", "linked/x.onnx"} & {each["id"] for each in live.ask("GET", "/api/hello", owner).json["models"]}


def test_a_half_character_is_no_fault(live):
    """JSON can hold half a character (a lone surrogate); no name has one."""
    owner = live.owner()
    for body in (b'{"set": "\\ud800", "label": "x"}', b'{"set": "a\\udcff"}', b'{"set": "\\ud800", "photo": "\\ud800.png"}'):
        for target in ("make", "remove", "ask"):
            assert live.ask("POST", f"/api/data/{target}", owner, body).status in (400, 404)


EDITS = [
    "[",
    "{}",
    "5",
    '"x"',
    "[5]",
    "[[]]",
    '[{"tensor": "w"}]',
    '[{"tensor": "conv1.weight", "index": [1e999], "value": 1}]',
    '[{"tensor": "conv1.weight", "index": [0, 0, 0, 0], "value": 1' + "0" * 400 + "}]",
    '[{"tensor": "conv1.weight", "index": [0, 0, 0, 0], "value": NaN}]',
    '[{"tensor": "conv1.weight", "index": [-1, 0, 0, 0], "value": 1}]',
    '[{"tensor": "conv1.weight", "index": [9, 0, 0, 0], "value": 1}]',
    '[{"tensor": "\\ud800", "index": [0], "value": 1}]',
    "[" * 3000,
    '[{"tensor": "conv1.weight", "index": "0000", "value": "nan"}]',
    json.dumps([{"tensor": "conv1.weight", "index": [0, 0, 0, 0], "value": 1}] * 65),
]


@pytest.mark.parametrize("edits", EDITS, ids=range(len(EDITS)))
def test_odd_changes_of_weights_are_refused(live, edits):
    """One sentence each."""
    query = urllib.parse.urlencode({"model": "plain.onnx", "width": 10, "height": 10, "channels": 1, "edits": edits})
    found = live.ask("POST", f"/api/trace?{query}", live.owner() | BINARY, PIXELS)
    assert found.status in (400, 404) and found.json["error"]


def test_odd_numbers_are_refused(live):
    """Sizes, labels, shares and methods that no page would send."""
    owner = live.owner()
    for width in ("0", "-1", "x", "", "1e3", "4097", "9" * 5000, "²"):
        query = urllib.parse.urlencode({"model": "plain.onnx", "width": width, "height": 10, "channels": 1})
        assert live.ask("POST", f"/api/trace?{query}", owner | BINARY, PIXELS).status == 400
    _, name = traced(live, owner, "tiny.onnx")
    odd = {"heat": ("label", ["9" * 5000, "-1", "7", "x"]), "dropout": ("keep", ["nan", "inf", "-1", "0", "2", "x"])}
    for part, (key, values) in odd.items():
        for value in values:
            found = live.ask("GET", f"/api/inside/{part}?{urllib.parse.urlencode({'trace': name, 'model': 'tiny.onnx', key: value})}", owner)
            assert found.status in (200, 400), (part, value, found.status)


def test_names_that_are_no_text_do_not_break_the_list(live, folder):
    """A file whose name is no UTF-8 is left out; the others are there."""
    odd = folder / b"caf\xe9.onnx".decode("utf-8", "surrogateescape")
    odd.write_bytes(b"x")
    try:
        found = live.ask("GET", "/api/hello", live.owner())
        assert found.status == 200 and "plain.onnx" in {each["id"] for each in found.json["models"]}
    finally:
        odd.unlink()
