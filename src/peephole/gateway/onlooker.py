"""Another model at the same gate, with a sensor of its own: it says whom it sees, from a thread of its own, and decides nothing."""

import logging
import threading
from collections.abc import Callable

import numpy as np

from peephole.base.errors import PeepholeError, PhotoError, SettingsError, did_you_mean
from peephole.base.records import Prediction
from peephole.decide.predictor import load
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.judging import Glance, judge
from peephole.gateway.rules import UNKNOWN
from peephole.gateway.sensors import Capture, Sensor, open_sensor
from peephole.gateway.state import Policy, also_source

__all__ = ["Onlooker", "open_onlookers"]

LOG = logging.getLogger("peephole.gate")
STALE = 1.0  # seconds: an older frame shows who was there


class Onlooker:
    """Puts after each frame on whom its own frames agree: a label, "unknown", or "" as long as they do not."""

    def __init__(self, name: str, sensor: Sensor, predict: Callable[[np.ndarray], Prediction], policy: Policy, *, inbox: Inbox, clock: Clock) -> None:
        """`policy` says how many frames must agree within how long, and the margin."""
        self._name, self._sensor, self._predict = name, sensor, predict
        self._policy, self._inbox, self._clock = policy, inbox, clock
        self._stop = threading.Event()
        self._who, self._run = "", tuple[float, ...]()
        self._thread = threading.Thread(target=self._watch, name=f"also {name}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking; a sensor that hangs is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2)

    def _watch(self) -> None:
        problem = "its pictures ended"
        try:
            for item in self._sensor.captures(self._stop):
                if isinstance(item, Capture):
                    self._say(item.time, item.wall, self._agreed(item))
        except Exception as error:  # whatever a sensor raises, what this one says from now on is nothing
            problem = _plain(error)
        if not self._stop.is_set():
            LOG.error("%s: %s", self._name, problem)
            self._say(self._clock.monotonic(), self._clock.wall(), "", problem)

    def _say(self, time: float, wall: float, who: str, problem: str = "") -> None:
        values: dict[str, float | str] = {"who": who, "problem": problem} if problem else {"who": who}
        self._inbox.put(Signal(time, wall, also_source(self._name), "reading", values))

    def _agreed(self, item: Capture) -> str:
        """Count a frame, and say on whom the latest ones agree."""
        who = self._judged(item)
        time_back = bool(self._run) and item.time < self._run[-1]
        self._run = (*self._run, item.time)[-self._policy.agree :] if who and who == self._who and not time_back else (item.time,)
        self._who = who
        return who if who and len(self._run) == self._policy.agree and self._run[-1] - self._run[0] <= self._policy.within else ""

    def _judged(self, item: Capture) -> str:
        try:
            seen = None if item.frame is None else self._predict(item.frame.pixels)
        except PhotoError:
            return ""
        except Exception as error:  # a model that fails on one frame agrees with nobody
            LOG.error("%s: %s", self._name, _plain(error))
            return ""
        late = self._clock.monotonic() - item.time > STALE
        return judge(Glance(item.time, item.wall, seen, item.problem or ("it was old when it was judged" if late else "")), self._policy.margin).who


def open_onlookers(door: Door, inbox: Inbox, clock: Clock) -> list[Onlooker]:
    """Open each [also.NAME] of a door; raises ModelFileError, SensorError, or SettingsError when its model lacks somebody who may enter."""
    found = []
    for name, also in door.settings.also.items():
        predictor = load(door.folder / also.model)
        for rule in door.settings.rule:
            for who in rule.who if door.settings.opens(rule.do) else ():
                if who not in predictor.labels and who != UNKNOWN:
                    raise SettingsError(
                        f"'{who[:60]}' may enter, but the model of [also.{name}] does not know them{did_you_mean(who, predictor.labels)}",
                        "train it with photos of them, or take the table out",
                    )
        sensor = open_sensor(also.source, door.folder, clock)
        found.append(Onlooker(name, sensor, predictor.follow, door.policy(), inbox=inbox, clock=clock))
    return found


def _plain(error: BaseException) -> str:
    return error.what if isinstance(error, PeepholeError) else f"{type(error).__name__}: {error}"
