"""Optional parts: resolved by name, their absence told in one line."""

import sys

import pytest

import peephole
from peephole.base import extras
from peephole.base.card import Card
from peephole.base.errors import MissingExtra


def test_a_part_is_resolved_by_name():
    """The text "folder.module:Name" gives that object."""
    assert extras.load("base.card:Card") is Card


@pytest.mark.parametrize(("missing", "extra"), sorted(extras.EXTRAS.items()))
def test_a_missing_library_gives_the_command(tmp_path, monkeypatch, missing, extra):
    """Whatever optional library is absent, the hint is the pip command that brings it."""
    (tmp_path / "needy.py").write_text(f"import {missing}.part\nThing = 1\n")
    monkeypatch.setattr(peephole, "__path__", [*peephole.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "peephole.needy", raising=False)
    with pytest.raises(MissingExtra, match=missing) as caught:
        extras.load("needy:Thing")
    assert caught.value.hint == f'pip install "peephole[{extra}]"'
    assert isinstance(caught.value, ImportError)


def test_a_defect_of_ours_is_not_disguised():
    """A module or a name of ours that does not exist is a mistake in the code, not a missing extra."""
    with pytest.raises(ModuleNotFoundError):
        extras.load("base.nowhere:Thing")
    with pytest.raises(AttributeError):
        extras.load("base.card:Nothing")
