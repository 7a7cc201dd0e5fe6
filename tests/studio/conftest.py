"""A working folder, the real server on it, and pages of a real browser that looks at it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphs
import pytest
from live import Live, running, until
from watched import Watched


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Path:
    """A working folder with a model file of ours and small foreign ones."""
    made = tmp_path_factory.mktemp("studio")
    shutil.copy(tiny_model_path, made / "tiny.onnx")
    for name, write in graphs.ALL.items():
        write(made / f"{name}.onnx")
    return made


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[Live]:
    """The server of that folder."""
    with running(folder) as found:
        yield found


@pytest.fixture(scope="module")
def signed_in(browser: Any, live: Live) -> Any:
    """What the browser of somebody keeps who gave the code."""
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{live.url}#code={live.auth.code}")
    until(page, "[...document.querySelectorAll('#tools button')].some((each) => each.textContent === 'Leave')")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Any, live: Live, signed_in: Any) -> Iterator[Callable[..., Watched]]:
    """Return a function that opens a page: as the owner, or as anybody."""
    contexts = []

    def open_(*, owner: bool = True, server: Live | None = None, **settings: Any) -> Watched:
        standard = {"locale": "en-US", "reduced_motion": "reduce", "viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(**standard | ({"storage_state": signed_in} if owner else {}) | settings)
        contexts.append(context)
        return Watched(context.new_page(), server or live)

    yield open_
    for context in contexts:
        context.close()
