"""Relays with a bug planted in them, as programs: `broken_relay.py BUG gpio://...` runs one where the real one would run."""

import os
import select
import signal
import sys

from peephole.gateway import relay
from peephole.gateway.relay import Relay


class TrustsTheGate(Relay):
    """Ends no pulse by itself: the gate will say when."""

    def tick(self, now: float) -> str:
        """Do nothing."""
        return ""

    def patience(self, now: float) -> float:
        """Wait for the gate."""
        return 1.0


class NeverWorries(Relay):
    """Takes silence for consent: it only knows the pulse's own end."""

    def tick(self, now: float) -> str:
        """Pretend that somebody spoke."""
        self._heard = now
        return super().tick(now)


class Generous(Relay):
    """Opens for as long as it is told, however long, and however old the order is."""

    def _open(self, seconds: float, sent: float, now: float) -> str:
        self.due = now + seconds
        self._pin.write(True)
        return f"did {self._number}"


class Renews(Relay):
    """Every word from the gate begins the pulse anew."""

    def hear(self, line: str, now: float) -> str:
        """Put off the end."""
        answer = super().hear(line, now)
        if self.due is not None:
            self.due = now + self._longest
        return answer


TWINS = (TrustsTheGate, NeverWorries, Generous, Renews)


def stays(kind: type[Relay]) -> None:
    """Serve without looking at the end of the input: a gate that is gone is only silent, and silence is not looked for."""

    def serve(one: Relay, reading: int, writing: int) -> str:
        os.write(writing, b"ready\n")
        while True:
            if select.select([reading], [], [], 0.05)[0]:
                for line in os.read(reading, 4096).decode().splitlines():
                    os.write(writing, one.hear(line, relay.time.monotonic()).encode() + b"\n")

    relay.serve = serve
    relay.Relay = kind


if __name__ == "__main__":
    signal.alarm(30)  # whatever is planted here must not outlive its test for long
    bug = sys.argv.pop(1)
    if bug == "stays":
        stays(TrustsTheGate)
    else:
        relay.Relay = next(kind for kind in TWINS if kind.__name__ == bug)
    relay._run()
