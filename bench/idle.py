"""What a gate costs while nobody is at the door: share of one core of the gate's process and of the child that reads the camera.

`python -m bench.idle` (Linux). The camera is a program that sends noisy pictures of an empty wall; a real one adds its driver's decoding.
"""

import resource
import sys
import threading
import time

from peephole.gateway.attention import Awake
from peephole.gateway.camera import CameraSensor
from peephole.gateway.clock import SystemClock
from peephole.gateway.sensors import Capture

__all__ = ["idle"]

SETTLES = 15.0  # seconds before the count: the start, and the model awake for the first picture
CAMERA = """
import sys, os, time
import numpy as np
from peephole.gateway.eye import pack
wide, high, fps = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
random = np.random.default_rng()
# One pixel that the gate's coarse look skips makes each picture a new one.
pictures = [np.clip(np.full((high, wide, 3), 110.0) + random.normal(0, 4, (high, wide, 3)), 0, 255).astype(np.uint8) for _ in range(12)]
for number in range(10**9):
    pictures[number % 12][1, 1] = random.integers(0, 256, 3)
    view = memoryview(pack(time.monotonic(), pictures[number % 12]) + pictures[number % 12].tobytes())
    while view:
        view = view[os.write(1, view):]
    time.sleep(1 / fps)
"""


def idle(wide: int, high: int, fps: float, seconds: float) -> tuple[float, float, int, int]:
    """Watch an empty wall of wide x high pixels; returns per cent of a core of gate and child, pictures let through and slept through."""
    sensor = Awake(CameraSensor("camera://wall", SystemClock(), [sys.executable, "-c", CAMERA, str(wide), str(high), str(fps)]))
    stop, through, began = threading.Event(), 0, 0.0
    own, slept = 0.0, 0
    start = time.monotonic()
    for item in sensor.captures(stop):
        now = time.monotonic()
        if not began and now - start > SETTLES:
            began, own, slept, through = now, time.process_time(), sensor.asleep, 0
        through += isinstance(item, Capture)
        if began and now - began > seconds:
            own = time.process_time() - own
            stop.set()
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 100 * own / seconds, 100 * (child.ru_utime + child.ru_stime) / (seconds + SETTLES), through, sensor.asleep - slept


def main() -> None:
    """Measure one size, as the command line names it: WIDTH HEIGHT FPS SECONDS."""
    wide, high, fps, seconds = (float(word) for word in (*sys.argv[1:], *("640", "480", "10", "30")[len(sys.argv) - 1 :]))
    gate, child, through, slept = idle(int(wide), int(high), fps, seconds)
    print(f"{wide:g}x{high:g}, {fps:g} a second: gate {gate:.1f} % of a core, fake camera's process {child:.1f} % (with its start); ", end="")
    print(f"{through} pictures woke the model, {slept} did not")


if __name__ == "__main__":
    main()
