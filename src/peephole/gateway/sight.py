"""Whether the gate still sees its door: an opening for somebody who was seen begins and goes on only while it does.

Vouches for openings at the switchboard, whose own threads end what nobody vouches for: whatever hangs in the watch, they do not.
"""

import math

from peephole.base.errors import ActuatorError
from peephole.gateway.sensors import Idle
from peephole.gateway.switchboard import Switchboard

__all__ = ["SIGHT", "Sight", "require_fresh"]

SIGHT = 1.5  # seconds after the taking of a picture for which it lets an opening go on; with what the rest takes, it is over within two
FRESH = 1.0  # seconds within which an opening must have been decided and written down
UNSEEN = f"nothing that can be judged was seen for {SIGHT:g} s"


def require_fresh(time: float, now: float) -> None:
    """Raise ActuatorError when what an opening was decided on, at `time`, is old by now: a disk may take a minute to write the decision down."""
    if not now - time <= FRESH:
        raise ActuatorError(
            f"not done: {now - time:.1f} s went by before it was in the journal, and who was there may be gone", "see how the disk is"
        )


class Sight:
    """What the watch saw last; it is told of every item of its sensor."""

    def __init__(self, board: Switchboard | None) -> None:
        """`board` None: a recording is being watched, where nothing can be lost."""
        self._board = board

    def frame(self, time: float, blind: str) -> None:
        """Hear of a frame taken at `time` (monotonic seconds): `blind` is why it says nothing about the door, whoever stands there, or empty."""
        if self._board is None:
            return
        if blind:
            self._board.doubt(f"{UNSEEN}: {blind}")
        else:
            self._board.vouch(time + SIGHT, UNSEEN)

    def idle(self, idle: Idle) -> None:
        """Hear that no picture came: as it should be, or because none can come any more, which ends an opening at once."""
        if self._board is None:
            return
        if idle.lost:
            self._board.vouch(-math.inf, idle.lost)
        elif idle.sees:
            self._board.vouch(idle.time + SIGHT, UNSEEN)

    def close(self) -> None:
        """Hear that the sensor has ended in good order: what is open may finish its pulse."""
        if self._board is not None:
            self._board.vouch(math.inf)
