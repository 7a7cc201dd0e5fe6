"""What every page of Peephole is printed on: one file that opens from disk and needs nothing else, in English and Korean.

The page makes no request: pictures are data URIs, and its content policy forbids everything but its own script and style,
named by their hashes. It can be read without the script, which switches the language. The same content gives the same bytes.
"""

import base64
import hashlib
import html
from collections.abc import Mapping
from pathlib import Path
from string import Template

from peephole.base.errors import OutputError, PhotoError
from peephole.data.decode import open_photo
from peephole.explain.neighbours import small
from peephole.explain.pictures import encode
from peephole.explain.words import LANGUAGES, Raw, attribute, page_file, plain, text

__all__ = ["photo", "require_page", "webpage"]

TINY = 96  # pixels: what is no larger is shown pixel by pixel, as PNG


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _section(name: str, body: str) -> str:
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title" tabindex="-1">{text(f"title.{name}")}</h2>{body}</section>'


def webpage(name: str, parts: Mapping[str, str], /, also: tuple[str, ...] = (), **values: object) -> str:
    """Return a whole page as HTML: its sections by name, in order, their bodies already escaped.

    `also` names files of the page folder, scripts (.js) and style (.css), that this page has beside those of every page.

    The words under `name`.title, .heading, .skip and .foot are the page's own, with `values` filled in and escaped; title.SECTION are those of a
    section.
    """
    script, style = ("".join(page_file(each) for each in ("report" + ending, *also) if each.endswith(ending)) for ending in (".js", ".css"))
    titles = {language: html.escape(plain(language, f"{name}.title", **values)) for language in LANGUAGES}
    return Template(page_file("report.html")).substitute(
        script=script,
        style=style,
        script_hash=_hash(script),
        style_hash=_hash(style),
        title=titles["en"],
        title_ko=titles["ko"],
        heading=text(f"{name}.heading", **values),
        first=next(iter(parts)),
        skip=text(f"{name}.skip"),
        contents=attribute("aria-label", "report.contents"),
        language=attribute("aria-label", "report.language"),
        links="".join(f'<li><a href="#{part}">{text(f"title.{part}")}</a></li>' for part in parts),
        parts="".join(_section(part, body) for part, body in parts.items()),
        foot=text(f"{name}.foot"),
    )


def photo(path: Path, side: int, says: str, kind: str = "photo") -> Raw:
    """Return a photo as an <img> of at most `side` pixels with its pixels inside, described by `says`; words where it cannot be read any more."""
    try:
        image = small(open_photo(path), side)
    except (PhotoError, OSError):
        return Raw(f'<span class="nopicture">{text("photo.gone", name=says)}</span>')
    tiny = max(image.size) <= TINY
    grow = max(1, side // max(image.size)) if tiny else 1
    size = f'width="{image.width * grow}" height="{image.height * grow}"'
    shown = f"{kind} pixels" if tiny else kind
    return Raw(f'<img class="{shown}" src="{encode(image, "PNG" if tiny else "JPEG")}" {size} alt="{html.escape(says)}">')


def require_page(path: Path, *others: str) -> None:
    """Raise OutputError, before the work, for a name that is none for a page; `others` are endings that will do as well."""
    if path.suffix.lower() not in (".html", ".htm", *others):
        endings = " or ".join((".html", *others))
        raise OutputError(f"{path} is no name for a page, which ends in {endings}", f"-o {path.with_suffix('.html')}")
