"""A working folder, the real server on it, and pages of a real browser that looks at it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphs
import pytest
from live import Live, running, until


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


class Watched:
    """A page of the browser, and what it complained of and asked for."""

    def __init__(self, page: Any, live: Live) -> None:
        self.page, self.live = page, live
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(f"{message.text} {message.location.get('url', '')}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.set_default_timeout(8000)

    @property
    def elsewhere(self) -> list[str]:
        """Requests that did not go to the server."""
        return [url for url in self.requests if not url.startswith((self.live.url, "data:", f"blob:{self.live.url}"))]

    def go(self, tab: str = "see", **values: object) -> Any:
        """Open a place of the page, as a link would, and wait until it is traced where it is traced."""
        query = "&".join(f"{name}={value}" for name, value in values.items())
        self.page.goto(f"{self.live.url}#{tab}{'?' + query if query else ''}")
        if tab == "see" and "model" in values:
            self.page.wait_for_selector("#main[data-traced]")
        return self.page

    def calm(self) -> None:
        """Nothing was asked elsewhere, nothing complained, no dialog came."""
        assert (self.elsewhere, self.complaints, self.dialogs) == ([], [], [])


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
