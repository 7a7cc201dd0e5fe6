"""A gate's process started anew: seconds until it watches, its peak memory, and that it imports no torch."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from bench.report import Row

START = """
import sys, threading, numpy, peephole
from peephole.base.heap import opening
from peephole.gateway.agent import run
from peephole.gateway.door import load_door
door = load_door(sys.argv[1])
with opening():
    predictor = peephole.load(door.model)
predictor.predict(numpy.full((240, 320, 3), 127, numpy.uint8))
stop = threading.Event()
def tell(record):
    print("watching", flush=True)
    stop.set()
run(door, predictor.follow, predictor.card, stop=stop, tell=tell)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], "torch" in sys.modules)
"""


def starts(name: str, settings: Path, count: int) -> list[Row]:
    """Start a gate anew: seconds until it watches, a first picture judged; its peak memory when it stops."""
    seconds, megabytes = [], []
    for _ in range(count + 1):
        begun = time.perf_counter()
        command = [sys.executable, "-c", START, str(settings)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"}) as child:
            assert child.stdout
            child.stdout.readline()
            seconds.append(time.perf_counter() - begun)
            said = re.search(r"(\d+) False", child.stdout.read())
            assert said, "the gate imported torch, or did not end"
            megabytes.append(int(said[1]) * 1024 / 1e6)
    return [
        Row(f"A gate with {name}: from the start of its process until it watches", tuple(seconds[1:]), "s", "processes", "worst", most=2),
        Row(f"A gate with {name}: peak memory", tuple(megabytes[1:]), "MB", "processes", "worst", most=150),
    ]
