"""A camera opens on this computer's own name; under another name the page offers a file instead; a foreign name gets no page."""

from collections.abc import Iterator

import pytest
from live import Live, running, until

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
FAKE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
RULES = ["--host-resolver-rules=MAP bench.example 127.0.0.1, MAP rebound.example 127.0.0.1"]


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Iterator[Live]:
    """A server that answers to another name as well."""
    with running(tmp_path_factory.mktemp("named"), names=("bench.example",)) as live:
        yield live


@pytest.fixture(scope="module")
def filming(require_program):
    """Chromium with a made-up camera, in which other names lead here."""
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require_program("chromium"), args=[*QUIET, *FAKE, *RULES])
        yield started
        started.close()


def test_the_camera_s_picture_goes_through_the_network(filming, named):
    """Film, take a picture, and it is what the layers show."""
    context = filming.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"http://localhost:{named.port}/#see")
    page.wait_for_selector("#main[data-traced]")
    before = page.get_attribute("#main", "data-traced")
    page.click("details.other > summary")
    page.click("#camera")
    until(page, "document.querySelector('video')?.videoWidth > 0 && !document.querySelector('video').hidden")
    page.click("button:has-text('Take a picture')")
    until(page, f"document.getElementById('main').dataset.traced !== {before!r}")
    page.goto(f"http://localhost:{named.port}/#lab")
    until(page, "document.querySelector('#main.tab-lab') && !document.querySelector('video')")
    context.close()


def test_another_name_gets_the_way_by_file(filming, named):
    """Browsers lend no camera there: the page says why, and a file works."""
    context = filming.new_context(locale="en-US")
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://bench.example:{named.port}/#see")
    page.wait_for_selector("#main[data-traced]")
    page.click("details.other > summary")
    assert page.locator("#camera").count() == 0 and "localhost" in page.inner_text("#no-camera") and page.locator("#file").is_visible()
    assert all(url.startswith(f"http://bench.example:{named.port}/") for url in asked)
    context.close()


def test_a_foreign_name_gets_no_page(filming, named):
    """A name of somebody else's that leads here (DNS rebinding): no page, no cookie, no names."""
    context = filming.new_context()
    page = context.new_page()
    answer = page.goto(f"http://rebound.example:{named.port}/")
    assert answer.status == 421 and context.cookies() == [] and "<" not in answer.text()
    context.close()
