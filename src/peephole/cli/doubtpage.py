"""The doubtful photos on one page, in English and Korean: each beside the examples nearest to it."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.base.files import write_atomic
from peephole.explain.phrases import quoted
from peephole.explain.webpage import photo, webpage
from peephole.explain.words import Raw, count, number, share, text

if TYPE_CHECKING:  # needs PyTorch, which a page does not
    from peephole.export.doubts import Doubt, Doubts

__all__ = ["render", "write"]

SIDE, SMALL = 200, 96  # pixels of a photo and of its nearest examples


def _card(root: Path, one: "Doubt") -> str:
    """One photo, what is said of it, and its nearest examples."""
    near = "".join(
        f"<li>{photo(root / other.id, SMALL, other.id, 'example')}<span><b>{html.escape(other.label)}</b> {number(other.distance, 2)}</span></li>"
        for other in one.nearest
    )
    lead = number(one.lead, 2) if one.lead < 0 else f"+{number(one.lead, 2)}"
    shares = text("doubt.shares", other=one.looks_like, share=share(one.share), own=one.label, own_share=share(one.own_share), lead=lead)
    return (
        f'<article class="{"doubtful" if one.doubtful else "sure"}">{photo(root / one.id, SIDE, one.id)}<div>'
        f"<h3>{text('doubt.looks', label=one.label, other=one.looks_like)}</h3><p><code>{html.escape(one.id)}</code></p><p>{shares}</p>"
        f'<p class="note">{text("doubt.near")}</p><ul class="examples">{near}</ul></div></article>'
    )


def _cards(root: Path, ranked: "list[Doubt]", lead: str) -> str:
    return f"<p>{text(lead)}</p>{''.join(_card(root, one) for one in ranked)}"


def _found(found: "Doubts") -> Raw:
    """What was found, in a sentence."""
    doubtful = len(found.doubtful)
    if not found.telling:
        return text("doubt.found.chance", photos=count(found.photos), chance=share(found.chance))
    return text("doubt.found.some" if doubtful else "doubt.found.none", count=count(doubtful), photos=count(found.photos))


def _pairs(found: "Doubts", root: Path) -> str:
    """Photos that look like one under two labels, side by side."""
    pairs = "".join(
        '<li><div class="pair">'
        + "".join(
            f"<figure>{photo(root / one, SMALL, one, 'example')}<figcaption><code>{html.escape(one)}</code></figcaption></figure>" for one in pair
        )
        + "</div></li>"
        for pair in found.copies
    )
    return f'<p>{text("doubt.pairs")}</p><ul class="pairs">{pairs}</ul>'


def render(found: "Doubts") -> str:
    """Return the page as HTML; every name is escaped, and nothing is asked of anywhere."""
    root = Path(found.root)
    doubtful, sure = ([one for one in found.ranked if one.doubtful is wanted] for wanted in (True, False))
    how = text("doubt.how", share=share(found.agree), how=quoted("compared", found.how))
    parts = {"suspects": f'<p class="answer">{_found(found)}</p><p>{how}</p>' + (_cards(root, doubtful, "doubt.first") if doubtful else "")}
    if found.copies:
        parts["pairs"] = _pairs(found, root)
    if sure:
        parts["others"] = _cards(root, sure, "doubt.others")
    steps = "".join(f"<li>{text(f'doubt.step.{step}')}</li>" for step in ("look", "move", "leave", "again"))
    parts["doing"] = f"<ol>{steps}</ol>"
    return webpage("doubt", parts, name=root.resolve().name)


def write(found: "Doubts", path: Path) -> None:
    """Write the page; raises OutputError."""
    write_atomic(path, render(found))
