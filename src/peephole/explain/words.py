"""The report's words in both languages, escaped: every sentence stands in the page twice and the page shows one.

So the report needs no script to be read, and a name like <script> stays a name.
"""

import html
import json
import math
from functools import cache
from importlib.resources import files

__all__ = ["LANGUAGES", "Raw", "attribute", "catalogue", "count", "number", "page_file", "plain", "share", "table", "text"]

LANGUAGES = ("en", "ko")


class Raw(str):
    """HTML that is already escaped."""

    __slots__ = ()


@cache
def page_file(name: str) -> str:
    """Return a file of the page folder that ships with the package."""
    return files("peephole.explain").joinpath("page", name).read_text("utf-8")


@cache
def catalogue(language: str) -> dict[str, str]:
    """Return the sentences of a language by key."""
    found: dict[str, str] = json.loads(page_file(f"{language}.json"))
    return found


def plain(language: str, key: str, /, **values: object) -> str:
    """Return one sentence of one language, not escaped, with its values filled in."""
    return catalogue(language)[key].format(**values)


def _escaped(value: object) -> str:
    return value if isinstance(value, Raw) else html.escape(str(value))


def text(key: str, /, **values: object) -> Raw:
    """Return a sentence in both languages as HTML; values are escaped unless they are Raw."""
    safe = {name: _escaped(value) for name, value in values.items()}
    parts = (f'<span class="{each}" lang="{each}">{html.escape(catalogue(each)[key], quote=False).format(**safe)}</span>' for each in LANGUAGES)
    return Raw("".join(parts))


def attribute(name: str, key: str, /, **values: object) -> Raw:
    """Return an attribute (alt, aria-label, title) in English, with its Korean beside it for the language switch."""
    english, korean = (html.escape(plain(each, key, **values)) for each in LANGUAGES)
    return Raw(f'{name}="{english}" data-ko-{name}="{korean}"')


def table(key: str, heads: list[str], rows: list[list[str | Raw]]) -> Raw:
    """Return a table in a box that scrolls by itself; the first cell of a row is its head, numbers are in class n."""
    head = "".join(f'<th scope="col">{text(each)}</th>' for each in heads)
    body = "".join(f'<tr><th scope="row">{row[0]}</th>' + "".join(f'<td class="n">{cell}</td>' for cell in row[1:]) + "</tr>" for row in rows)
    return Raw(
        f'<div class="scroll" tabindex="0" role="region" {attribute("aria-label", key)}><table><caption>{text(key)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def number(value: float, places: int = 3) -> str:
    """Write a number with so many decimals and a true minus sign; never "-0"."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = f"{value:,.{places}f}"
    return shown.lstrip("-") if float(shown.replace(",", "")) == 0 else shown.replace("-", "−")


def count(value: int) -> str:
    """Write a count with its thousands apart: 5,608,780."""
    return f"{value:,}".replace("-", "−")


def share(value: float) -> str:
    """Write a share 0..1 in percent with one decimal; one that is not quite all or nothing is not rounded to it."""
    # The spaces do not break: a percent sign alone on a line reads badly.
    shown = f"{number(100 * value, 1)}\u00a0%"
    if 0 < value < 1 and shown in {"0.0\u00a0%", "100.0\u00a0%"}:
        return "<\u00a00.1\u00a0%" if value < 0.5 else ">\u00a099.9\u00a0%"
    return shown
