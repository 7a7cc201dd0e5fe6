"""The page of doubtful labels as a person meets it: in a browser, from disk, in two languages."""

import re
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from drawings import draw, folder, save
from peephole.cli.doubtpage import write
from peephole.export.doubts import doubts

WRONG = "<img src=x onerror=alert(1)> & \"O\" 'ㅇ'.png"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What is found among drawings of which one lies in the wrong folder, under a hostile name, and one in both."""
    root = folder(tmp_path_factory.mktemp("doubt") / "그림 <b>", 6, "XO=")
    save(draw("O", 40), root / "X" / WRONG)
    shutil.copy(root / "O" / "O1.png", root / "=" / "same.png")
    return doubts(root, seconds=5)


@pytest.fixture(scope="module")
def page_file(found, tmp_path_factory):
    """Its page."""
    path = tmp_path_factory.mktemp("page") / "doubt.html"
    write(found, path)
    return path


def test_it_asks_for_nothing(open_page, page_file):
    """Opened from disk it requests itself alone, complains of nothing, and shows every picture."""
    page = open_page(page_file)
    assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.complaints == []
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0 && image.alt.length > 4)")
    assert "default-src 'none'" in page_file.read_text("utf-8")


def test_names_stay_names(open_page, page_file):
    """A file's name that is HTML is read as it is called, in every place, and runs nothing."""
    page = open_page(page_file)
    assert page.locator("#suspects article code").first.inner_text() == f"X/{WRONG}"
    assert page.locator("#suspects article img").first.get_attribute("alt") == f"X/{WRONG}"
    assert page.evaluate("document.querySelectorAll('[onerror], main b b').length") == 0
    assert page.locator("h1").inner_text() == "Which photos in 그림 <b> may carry the wrong label?"


def test_both_languages_say_the_same(open_page, page_file, found):
    """The wrong one stands first in either language with the shares that were found; in Korean no English is left but names."""
    for language, says in (("en", "Labelled X, looks like O"), ("ko", "라벨은 X, 사진은 O에 가까움")):
        page = open_page(page_file, f"#{language}")
        page.wait_for_function(f"document.documentElement.lang === '{language}'")
        first = page.locator("#suspects article").first
        assert first.locator("h3").inner_text() == says
        assert f"{100 * found.ranked[0].share:.1f}\u00a0%" in first.inner_text()
        assert page.locator("#suspects article, #others article").count() == len(found.ranked)
        assert "O/O1.png" in page.locator("#pairs").inner_text() and "=/same.png" in page.locator("#pairs").inner_text()
    korean = page.evaluate("[...document.querySelectorAll('code')].forEach((each) => each.remove()); document.body.innerText")
    assert not set(re.findall("[A-Za-z]{2,}", korean)) - {"Peephole", "English", "peephole", "doubt"}
    page.get_by_role("button", name="English").click()
    assert page.locator("#doing h2").inner_text() == "What to do now" and page.evaluate("document.documentElement.lang") == "en"


def test_it_fits_a_phone(open_page, page_file):
    """At 390 pixels nothing stands over, also with a name of no spaces."""
    page = open_page(page_file, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_it_reads_without_its_script(open_page, page_file):
    """Without script it is English and whole."""
    page = open_page(page_file, java_script_enabled=False)
    assert page.locator("#suspects h2").inner_text() == "May carry the wrong label"
    assert page.locator("#suspects article img").first.is_visible()


def test_a_photo_that_went_away_is_said(found, tmp_path):
    """What was deleted or broken since leaves words in its place, and the page is still written."""
    copy = tmp_path / "photos"
    shutil.copytree(found.root, copy)
    (copy / found.ranked[0].id).unlink()
    (copy / found.ranked[1].id).write_bytes(b"no photo")
    Image.new("LA", (300, 200), (0, 0)).save(copy / found.ranked[2].id)
    write(replace(found, root=str(copy)), tmp_path / "doubt.html")
    page = (tmp_path / "doubt.html").read_text("utf-8")
    assert page.count('class="nopicture"') >= 2 and "cannot be read any more" in page and "읽을 수 없음" in page
