"""How much of the cores' time other work took while something was measured: the reason to believe, or not, a timing.

Reads /proc/stat (Linux): busy time of the cores this process may use, with what a hypervisor took away, less the time of this
process and of its children that have ended.
"""

import os
import resource
import time
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = (1, 2, 3, 6, 7, 8)  # columns user, nice, system, irq, softirq, steal


def _busy() -> float:
    """Seconds that the cores we may use were busy since they started."""
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = [line.split() for line in STAT.read_text(encoding="utf-8").splitlines()]
    return sum(int(words[at]) for words in lines if words[0] in mine for at in BUSY) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds of processor time of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Others:
    """Counts from its making on."""

    def __init__(self) -> None:
        self._begun, self._busy, self._own = time.perf_counter(), _busy(), _own()

    def percent(self) -> float:
        """Return the per cent of the cores' time that others took so far."""
        wall = (time.perf_counter() - self._begun) * len(os.sched_getaffinity(0))
        return 100 * max(0.0, _busy() - self._busy - (_own() - self._own)) / wall
