"""Pictures of the page for the documentation: every tab in both languages, as a visitor sees it who has run the demo.

`python -m bench.page_pictures` writes docs/page.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "page"
PORT = 8799
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# What each tab shows: the place, what is clicked there, and how long it then works (seconds).
TABS = {
    "see": ("see?layer=conv1&map=3&at=9,9", "", 2.0),
    "why": ("see?layer=conv2", "for (const part of ['heat', 'nearest']) document.querySelector(`[data-part=${part}]`).open = true", 6.0),
    "lab": ("lab", "", 2.0),
    "data": ("data?set=demo-out/photos", "", 3.0),
    "train": ("train?set=demo-out/photos", "", 2.0),
    "map": ("map?model=demo-out/door.onnx&set=demo-out/photos", "", 25.0),
    "words": ("words", "", 1.0),
    "gate": ("gate?gate=demo-out/DOOR.toml&visit=visit-03", "", 3.0),
    "report": ("report", "", 1.0),
    "walk": ("walk?step=3", "", 2.0),
}


def _shoot(page: Page, name: str, language: str) -> None:
    """Photograph one tab and keep it small: the page has few colours."""
    place, script, seconds = TABS[name]
    page.goto(f"http://127.0.0.1:{PORT}/#{place}{'&' if '?' in place else '?'}lang={language}")
    page.wait_for_timeout(1500)
    if script:
        page.evaluate(script)
    page.wait_for_timeout(1000 * seconds)
    if name == "why":
        page.locator("[data-part=heat]").scroll_into_view_if_needed()
        page.evaluate("scrollBy(0, 250)")
        page.wait_for_timeout(300)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(OUT / f"{name}-{language}.png", optimize=True)


def run() -> None:
    """Run the demo into a folder of its own, open the page on it, and photograph it."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "peephole", "demo", "-o", "demo-out"], cwd=place, check=True)
        server = subprocess.Popen(
            [sys.executable, "-m", "peephole", "studio", ".", "--port", str(PORT)], cwd=place, stdout=subprocess.PIPE, text=True
        )
        try:
            address = server.stdout.readline().strip() if server.stdout else ""
            with sync_playwright() as started:
                browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
                for language, locale in (("en", "en-US"), ("ko", "ko-KR")):
                    page = browser.new_context(locale=locale, viewport={"width": 1280, "height": 860}, reduced_motion="reduce").new_page()
                    page.goto(address)
                    page.wait_for_timeout(3000)
                    for name in TABS:
                        _shoot(page, name, language)
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    run()
