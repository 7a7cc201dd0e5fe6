"""The doubtful photos on one page that opens from disk and needs nothing else: each beside the examples nearest to it."""

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.base.errors import OutputError, PhotoError
from peephole.base.files import write_atomic
from peephole.data.photos import open_photo

if TYPE_CHECKING:  # needs PyTorch, which a page does not
    from peephole.export.doubts import Doubt, Doubts

__all__ = ["render", "require_page", "write"]

SIDE, SMALL = 200, 96  # pixels of a photo and of its nearest examples
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { display: flex; flex-wrap: wrap; gap: 1rem; border-top: 1px solid #8888; padding: 1rem 0; }
article.sure { opacity: .7; }
article > img { width: 200px; height: 200px; } img { object-fit: contain; background: #8882; }
h2 { margin: 0; font-size: 1.1rem; } p { margin: .2rem 0; overflow-wrap: anywhere; }
figure { display: inline-block; margin: .4rem .6rem 0 0; text-align: center; }
figcaption { font-size: .8rem; max-width: 96px; overflow-wrap: anywhere; }
"""


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def _picture(path: Path, side: int, says: str) -> str:
    """Return a photo as an <img> with its pixels inside; words where it cannot be read any more."""
    try:
        image = open_photo(path).convert("RGB")
    except (PhotoError, OSError):
        return f"<p>{html.escape(says)}: cannot be read any more</p>"
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return f'<img src="{uri}" width="{side}" height="{side}" alt="{html.escape(says)}">'


def _article(root: Path, one: "Doubt") -> str:
    near = "".join(
        f"<figure>{_picture(root / other.id, SMALL, other.id)}<figcaption>{html.escape(other.label)}<br>{other.distance:.2f}</figcaption></figure>"
        for other in one.nearest
    )
    said = "may carry the wrong label" if one.doubtful else "less sure than others, not in doubt"
    return (
        f"<article class='{'doubtful' if one.doubtful else 'sure'}'>{_picture(root / one.id, SIDE, one.id)}<div>"
        f"<h2>labelled {html.escape(one.label)}, looks like {html.escape(one.looks_like)}</h2><p>{html.escape(one.id)}: {said}</p>"
        f"<p>the other photos give {html.escape(one.looks_like)} {_share(one.share)} and {html.escape(one.label)} {_share(one.own_share)}; "
        f"lead {one.lead:+.2f}</p><p>nearest examples, with their distance:</p>{near}</div></article>"
    )


def render(found: "Doubts") -> str:
    """Return the page as HTML: no script, no request, every name escaped."""
    root = Path(found.root)
    pairs = "".join(f"<p>one photo under two labels: {html.escape(first)} and {html.escape(second)}</p>" for first, second in found.copies)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>Doubtful labels</title><style>{STYLE}</style></head><body>'
        f"<h1>Doubtful labels</h1><p>{html.escape(found.root)}: {html.escape(found.sentence)}.</p>"
        "<p>Nothing was changed. A photo may be right and only unusual: look, then move the file to the folder of its true label, or leave it.</p>"
        f"{pairs}{''.join(_article(root, one) for one in found.ranked)}</body></html>\n"
    )


def require_page(path: Path) -> None:
    """Raise OutputError, before the work, for a name that is none for a page."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{path} is no name for a page, which ends in .html", f"-o {path.with_suffix('.html')}")


def write(found: "Doubts", path: Path) -> None:
    """Write the page; raises OutputError."""
    write_atomic(path, render(found))
