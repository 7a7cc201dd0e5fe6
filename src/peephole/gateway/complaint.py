"""A witness that has one thing to say: the watch writes it down as a fault, and goes on without it."""

from peephole.base.errors import PeepholeError
from peephole.base.records import Prediction
from peephole.gateway.journal import Record
from peephole.gateway.sensors import Capture

__all__ = ["Complaint"]


class Complaint:
    """Raises its `error` at the first record of the watch, which is the start; `name` is what it is about."""

    def __init__(self, name: str, error: PeepholeError) -> None:
        self.name = name
        self._error = error

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Has nothing to say of a frame."""

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Say it."""
        raise self._error

    def passed(self, time: float, wall: float) -> None:
        """Has nothing to say of a turn."""

    def close(self) -> None:
        """Has nothing to let go of."""
