"""The error tree: as drawn, with builtin parents and hints that survive the trip between processes."""

import inspect
import pickle
import re

import pytest

from peephole.base import errors

CLASSES = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, errors.PeepholeError)}


def drawn() -> dict[str, tuple[str, str]]:
    """Return {class: (parent, builtin or "")} from the tree in the module's docstring."""
    found, above = {}, {0: "PeepholeError"}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ((?:[│├└─ ]{4})+)(\w+) *(?:\((\w+)\))?", line)
        if match:
            depth = len(match[1]) // 4
            above[depth] = match[2]
            found[match[2]] = (above[depth - 1], match[3] or "")
    return found


def test_the_drawing_is_the_tree():
    """Every class stands in the drawing under its parent with its builtin, and nothing else does."""
    real = {}
    for name, kind in CLASSES.items():
        if name != "PeepholeError":
            ours, *builtins = kind.__bases__
            real[name] = (ours.__name__, builtins[0].__name__ if builtins else "")
    assert drawn() == real
    assert len(real) > 15


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_error_has_a_builtin_parent_and_pickles(name):
    """Someone who never heard of Peephole can catch it; sentence and hint come through a pickle."""
    error = CLASSES[name]("what happened", "the command that helps")
    if name != "PeepholeError":
        assert any(base.__module__ == "builtins" and base not in (Exception, BaseException, object) for base in type(error).__mro__)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.what, again.hint) == ("what happened", "the command that helps")
    assert str(again) == "what happened\nhint:  the command that helps"
    assert str(CLASSES[name]("what happened")) == "what happened"


def test_public_names_are_sorted_and_complete():
    """`__all__` is every class and `did_you_mean`, in order."""
    assert sorted([*CLASSES, "did_you_mean"]) == errors.__all__


def test_did_you_mean():
    """A near word is offered, a far one is not."""
    assert errors.did_you_mean("treshold", ["threshold", "margin"]) == " (did you mean 'threshold'?)"
    assert errors.did_you_mean("zebra", ["threshold", "margin"]) == ""
    assert errors.did_you_mean("x", []) == ""
