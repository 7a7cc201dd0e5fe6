"""What the card says in sentences of our own making, said again in the reader's language.

A card keeps English sentences (where the threshold comes from, how it was trained). Those that Peephole wrote are recognised by
their form, which is the English sentence of the page's words; anything else stays a quotation, as it was written.
"""

import html
from string import Formatter

from peephole.explain.words import LANGUAGES, Raw, catalogue

__all__ = ["quoted", "said"]

# What is longer was written by somebody else.
LONGEST = 1000
LISTS = {"variation": ", ", "subject": " or "}  # what stands between the parts of a family that comes in lists


def _parts(form: str, words: str) -> dict[str, str] | None:
    """Return what stands at the places of `form` in `words`, or None when they are not of that form; each place ends as early as it can."""
    found: dict[str, str] = {}
    rest, waiting = words, ""
    for literal, name, _, _ in Formatter().parse(form):
        if waiting and literal:
            found[waiting], mark, rest = rest.partition(literal)
            if not mark:
                return None
        elif not rest.startswith(literal):
            return None
        else:
            rest = rest[len(literal) :]
        waiting = name or ""
    if waiting:
        found[waiting], rest = rest, ""
    return found if not rest and all(found.values()) else None


def _known(language: str, family: str, words: str) -> str | None:
    """Return words of a family of forms in a language, or None when they have none of its forms."""
    between = LISTS.get(family, "\n")
    if between in words:
        return catalogue(language).get(f"{family}.between", between).join(said(language, family, each) for each in words.split(between))
    for key, form in catalogue("en").items():
        if key.startswith(f"{family}.") and (parts := _parts(form, words)) is not None:
            return catalogue(language)[key].format(**{name: said(language, name, part) for name, part in parts.items()})
    return None


def said(language: str, family: str, words: str) -> str:
    """Return words of the card in a language; as they are when they have no form of the family (the keys that begin with it)."""
    found = _known(language, family, words) if len(words) <= LONGEST else None
    return words if found is None else found


def quoted(family: str, words: str) -> Raw:
    """Return words of the card in both languages as HTML; words of somebody else as a quotation."""
    if len(words) > LONGEST or _known("en", family, words) is None:
        return Raw(f"<q>{html.escape(words)}</q>")
    return Raw("".join(f'<span class="{each}" lang="{each}">{html.escape(said(each, family, words))}</span>' for each in LANGUAGES))
