"""What goes wrong on a page: files it cannot explain, pictures it cannot take, a server that dies; each is said, and nothing is lost."""

import io
import shutil
import struct
import zlib
from contextlib import ExitStack
from typing import Any

import pytest
from live import free_port, running, until
from PIL import Image
from watched import Watched


def opened(watched: Any, model: str, **values: object) -> Any:
    page = watched.go("see", model=model, **values)
    if values:
        page.wait_for_selector("#sentence")
    return page


def test_an_unknown_operation_is_shown_without_its_sum(visit):
    """Values yes, arithmetic no; the page says so, and the layers round it are explained."""
    watched = visit()
    page = opened(watched, "unknown.onnx", layer="running", map=0, at="1,1")
    assert "CumSum" in page.inner_text("#unit") and page.locator("#unit [data-closes]").count() == 0
    page = opened(watched, "unknown.onnx", layer="conv1", map=0, at="1,1")
    assert page.get_attribute("#unit [data-closes]", "data-closes") == "true"
    watched.calm()


def test_values_that_are_no_numbers_are_grey_and_counted(visit):
    """NaN is a word on the page, a cell of it closes on NaN, and the answer does not pretend."""
    watched = visit()
    page = opened(watched, "broken.onnx", layer="log", map=0, at="0,0")
    assert "NaN" in page.inner_text("#layer")
    assert page.get_attribute("#unit [data-closes]", "data-closes") == "true"
    page = opened(watched, "broken.onnx", layer="logits", map=0, at="0,0")
    text = page.inner_text("#main")
    assert "undefined" not in text and "[object" not in text and "null" not in text
    watched.calm()


def test_a_thousand_channels(visit):
    """64 maps at first, the others when they are asked for; a sum over 1,000 values closes and shows the strongest."""
    watched = visit()
    page = watched.go("see", model="wide.onnx", layer="conv1")
    until(page, "document.querySelectorAll('#layer .maps button').length === 64")
    page.click("#layer button:has-text('Show more')")
    until(page, "document.querySelectorAll('#layer .maps button').length > 64")
    page = opened(watched, "wide.onnx", layer="logits", map=0, at="0,1")
    until(page, "document.querySelector('#unit').dataset.cell === 'logits 1'")
    assert page.get_attribute("#unit [data-closes]", "data-closes") == "true" and "1,000" in page.inner_text("#unit")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.calm()


def test_a_picture_of_one_pixel(visit):
    """The smallest network there is, and the smallest file for another."""
    watched = visit()
    page = opened(watched, "dot.onnx", layer="conv1", map=1, at="0,0")
    assert page.get_attribute("#unit [data-closes]", "data-closes") == "true"
    held = io.BytesIO()
    Image.new("L", (1, 1), 90).save(held, "PNG")
    page = watched.go("see", model="plain.onnx")
    before = page.get_attribute("#main", "data-traced")
    page.set_input_files("#file", {"name": "dot.png", "mimeType": "image/png", "buffer": held.getvalue()})
    until(page, f"document.getElementById('main').dataset.traced !== {before!r}")
    watched.calm()


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it is so large."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


REFUSED = {
    "empty.png": b"",
    "text.png": b"hello",
    "bomb.png": bomb(60_000, 60_000),
    "cut.jpg": b"\xff\xd8\xff\xe0" + b"\0" * 50,
    "page.svg": b"<svg xmlns='x'><script/></svg>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_and_said(visit, name):
    """A sentence on the page; the picture before stays, and drawing goes on."""
    watched = visit()
    page = watched.go("see", model="plain.onnx")
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": REFUSED[name]})
    page.wait_for_selector("#notice [role=alert]")
    assert len(page.inner_text("#notice")) > 20
    before = page.get_attribute("#main", "data-traced")
    page.click("text=Clear")
    until(page, f"document.getElementById('main').dataset.traced !== {before!r}")
    assert watched.dialogs == [] and watched.elsewhere == []


def test_a_hundred_megabytes_are_not_even_sent(visit, live, tmp_path):
    """The page says what is taken; the server would refuse it after the cap, by its length or on the way."""
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    watched = visit()
    page = watched.go("see", model="plain.onnx")
    asked = len([url for url in watched.requests if "/api/trace" in url])
    page.set_input_files("#file", str(large))
    until(page, "document.querySelector('aside').textContent.includes('100 MB')")
    assert len([url for url in watched.requests if "/api/trace" in url]) == asked
    head = {"Content-Length": "100000000", "Content-Type": "image/png"}
    assert live.ask("POST", "/api/trace?model=shipped/x-or-o", live.visitor() | head, b"x" * 1000).status == 413
    watched.calm()


def test_the_server_dies_and_comes_back(browser, folder, tmp_path):
    """The page says that it is away; when it answers again the page says that too, is still the owner's, and goes on where it was."""
    shutil.copy(folder / "plain.onnx", tmp_path / "plain.onnx")
    port, first = free_port(), ExitStack()
    live = first.enter_context(running(tmp_path, port=port))
    context = browser.new_context(locale="en-US")
    watched = Watched(context.new_page(), live)
    page = watched.page
    page.goto(f"{live.url}#code={live.auth.code}")
    page.wait_for_selector("#tools button:has-text('Leave')")
    opened(watched, "plain.onnx", layer="conv1", map=0, at="1,1")
    first.close()
    page.click("text=Clear")
    until(page, "document.querySelector('#notice [role=alert]')?.textContent.includes('does not answer')")
    with running(tmp_path, port=port):
        until(page, "document.querySelector('#notice')?.textContent.includes('answers again')")
        page.wait_for_selector("#tools button:has-text('Leave')")
        before = page.get_attribute("#main", "data-traced")
        page.click("text=Undo")
        page.locator("canvas.pad").click(position={"x": 60, "y": 80})
        until(page, f"document.getElementById('main').dataset.traced !== {before!r}")
        assert page.get_attribute("#unit [data-closes]", "data-closes") == "true"
    context.close()


def test_a_server_that_forgot_the_trace_is_shown_the_picture_again(visit, live):
    """Memory was needed for others, or the server began anew: the next weight that is asked for brings the trace back."""
    watched = visit()
    page = opened(watched, "plain.onnx", layer="conv1", map=0, at="1,1")
    page.route("**/api/tensor*", lambda route: route.fulfill(status=404, body='{"error": "gone", "hint": ""}'), times=1)
    page.evaluate("location.hash = '#see?model=plain.onnx&layer=dense1&map=0&at=0,3'")
    until(
        page,
        "document.getElementById('unit').dataset.cell === 'dense1 3' && document.querySelector('#unit [data-closes]')?.dataset.closes === 'true'",
    )
    assert page.inner_text("#notice") == ""


def test_two_windows_one_browser(visit):
    """One window leaves: the other one's next change says so instead of failing for ever, and works again after the code."""
    watched = visit(owner=False)
    page, live = watched.go("see"), watched.live
    other = page.context.new_page()
    other.goto(f"{live.url}#code={live.auth.code}")
    other.wait_for_selector("#tools button:has-text('Leave')")
    page.wait_for_selector("#main[data-traced]")
    before = page.get_attribute("#main", "data-traced")
    page.click("text=Clear")  # with the token of a visitor who is somebody else now
    until(page, f"document.getElementById('main').dataset.traced !== {before!r}")
    assert page.inner_text("#notice") == ""
