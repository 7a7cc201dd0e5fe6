"""mqtt:// as a sensor: every message on a topic is one picture, as a doorbell or a small camera board sends it."""

from peephole.gateway.clock import Clock
from peephole.gateway.listener import Listener, Message
from peephole.gateway.live import Live, Picture
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.web import MOST

__all__ = ["PostSensor"]


class PostSensor(Live):
    """Decodes the newest picture that arrived; one that the broker had kept is refused, for nobody knows when it was taken.

    Silence is no fault here: a camera that sends on movement sends nothing at night. A picture that comes twice is no fault either, for
    brokers deliver again what was not acknowledged; it counts once.
    """

    def __init__(self, topic: str, place: BrokerPlace, gate: str, clock: Clock) -> None:
        super().__init__(f"mqtt://{topic}", clock, silence=None, still=False)
        self._listener = Listener(place, f"{gate}-eye", clock)
        self._listener.on(topic, self._hear)

    def begin(self) -> None:
        """Listen."""
        self._listener.start()

    def end(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _hear(self, message: Message) -> None:
        self._slot.put(_picture(message))


def _picture(message: Message) -> Picture:
    problem = ""
    if message.retained:
        problem = "the broker had kept this picture, so nobody knows when it was taken; let the camera publish without retain"
    elif len(message.payload) > MOST:
        problem = f"a picture is larger than {MOST >> 20} MB"
    return Picture(message.time, message.wall, None if problem else message.payload, problem)
