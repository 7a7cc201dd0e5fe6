"""The report's part on the wallpaper test: whether the model knows the subject, or the wall behind it."""

from peephole.base.card import Wallpaper
from peephole.base.evidence import percent
from peephole.decide.wallpaper import verdict
from peephole.explain.phrases import quoted
from peephole.explain.words import Raw, count, text

__all__ = ["wallpaper_section"]


def wallpaper_section(found: Wallpaper | None) -> Raw:
    """Say what the test found, each number with its n; nothing where it was not made."""
    if found is None:
        return Raw("")
    right = {name: round(score.accuracy * score.n) for name, score in (("own", found.own), ("swapped", found.swapped), ("blanked", found.blanked))}
    facts = {"n": count(found.own.n)} | {name: count(each) for name, each in right.items()}
    told = text("wallpaper.learned" if found.learned else "wallpaper.fresh", **facts)
    scene = text("wallpaper.empty", empty=count(found.empty), accepted=count(found.accepted), unjudged=count(found.unjudged))
    told_so = text(f"wallpaper.{verdict(found)}")
    return Raw(
        f"<h3>{text('wallpaper.title')}</h3><p>{told} {text('wallpaper.outside', share=percent(found.outside))} {scene} <b>{told_so}</b></p>"
        f"<p class='note'>{text('wallpaper.how', subject=quoted('subject', found.subject))}</p>"
    )
