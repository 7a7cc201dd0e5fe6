"""mqtt:// as a sensor: every message on a topic is one picture, as a doorbell or a small camera board sends it."""

import threading
from collections import deque

from peephole.base.errors import InputError
from peephole.gateway.clock import Clock
from peephole.gateway.listener import Listener, Message
from peephole.gateway.live import Live, Picture
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.web import MOST, pixels_of

__all__ = ["PostSensor"]


class PostSensor(Live):
    """Decodes the newest picture that arrived; one that the broker had kept is refused, for nobody knows when it was taken.

    Silence is no fault here: a camera that sends on movement sends nothing at night. A picture sent twice is not frozen for the same reason.
    """

    def __init__(self, topic: str, place: BrokerPlace, gate: str, clock: Clock) -> None:
        super().__init__(f"mqtt://{topic}", clock, silence=None, still=False)
        self._topic = topic
        self._waiting: deque[Message] = deque(maxlen=1)
        self._news, self._stop = threading.Event(), threading.Event()
        self._listener = Listener(place, f"{gate}-eye", clock)
        self._listener.on(topic, self._hear)
        self._thread = threading.Thread(target=self._run, name="posted pictures", daemon=True)

    def begin(self) -> None:
        """Listen, and decode in a thread of its own, so that the broker's messages do not wait."""
        self._thread.start()
        self._listener.start()

    def end(self) -> None:
        """Listen no more."""
        self._stop.set()
        self._news.set()
        self._listener.close()
        self._thread.join(2)

    def _hear(self, message: Message) -> None:
        self._waiting.append(message)
        self._news.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.wait()
            self._news.clear()
            while self._waiting:
                self._slot.put(self._read(self._waiting.popleft()))

    def _read(self, message: Message) -> Picture:
        problem = ""
        if message.retained:
            problem = "the broker had kept this picture, so nobody knows when it was taken; let the camera publish without retain"
        elif len(message.payload) > MOST:
            problem = f"a picture is larger than {MOST >> 20} MB"
        if problem:
            return Picture(message.time, message.wall, None, problem)
        try:
            return Picture(message.time, message.wall, pixels_of(message.payload))
        except InputError as error:
            return Picture(message.time, message.wall, None, error.what)
        except (OSError, MemoryError) as error:
            return Picture(message.time, message.wall, None, f"it cannot be read: {type(error).__name__}")
