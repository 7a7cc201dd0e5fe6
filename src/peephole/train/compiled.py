"""Inner loops compiled for the machine at hand (Numba), kept on disk after the first time.

A compiled function calls only compiled functions of its own file: Numba's cache notices a change of that file alone, so a loop that
leaned on another file would go on running its old code. `tests/train/test_augment_shape.py` holds every file to it.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Return the function compiled at its first call for its arguments' types; it runs without Python's lock, so threads share the cores.

    Sums may be reordered (fast floating point), always in the same way on one machine; indices are not checked and never negative.
    What one calls becomes part of it: else the first process would link to a copy that was compiled by itself, later ones to one compiled within.
    """
    try:
        return cast(F, njit(function, cache=True, nogil=True, fastmath=True, forceinline=True, error_model="numpy"))
    except RuntimeError:  # no folder that may be written to: compile anew in each process
        return cast(F, njit(function, nogil=True, fastmath=True, forceinline=True, error_model="numpy"))
