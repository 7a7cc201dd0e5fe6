"""One photo at a time on one thread: peephole's Engine against a default ONNX Runtime session on the same file.

Blocks of calls take turns; a figure is the median over rounds of the ratio within a round. Both are given the same prepared photo
and asked for all four outputs. A default session uses as many threads as there are cores, so it is also held to one thread.
For information: no target is set here yet.

What would make the figure unfair: a photo that only one side has to prepare; one side always going first.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import onnxruntime

import peephole
from bench.models import lite0_model, plain_model
from bench.report import Row

ROUNDS = 31
CALLS = {"lab-11": 200, "lite0": 20}


def microseconds(call: Any, times: int) -> float:
    """Return the median time of one call."""
    took = []
    for _ in range(times):
        begun = perf_counter()
        call()
        took.append(perf_counter() - begun)
    return 1e6 * median(took)


def session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a session as anyone would; 0 threads leaves them to ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(name: str, model: Path, photo: Path, rounds: int) -> list[Row]:
    """Time the Engine, a default session and a session of one thread, in turn."""
    predictor = peephole.load(model)
    pixels = predictor.prepare(photo)
    free, single = session(model, 0), session(model, 1)
    calls = {
        "Engine": lambda: predictor.engine.run(pixels),
        "default": lambda: free.run(None, {"image": pixels[None]}),
        "single": lambda: single.run(None, {"image": pixels[None]}),
    }
    took: dict[str, list[float]] = {way: [] for way in calls}
    for number in range(rounds + 1):
        for way in sorted(calls, reverse=number % 2 == 1):
            took[way].append(microseconds(calls[way], CALLS[name]))
    took = {way: values[1:] for way, values in took.items()}  # the first round warms up

    def against(way: str) -> tuple[float, ...]:
        return tuple(ours / theirs for ours, theirs in zip(took["Engine"], took[way], strict=True))

    return [
        Row(f"One photo, {name}: Engine, 1 thread", tuple(took["Engine"]), "us", "rounds"),
        Row(f"One photo, {name}: Engine's time / that of a default ONNX Runtime session, all cores", against("default"), "x", "rounds"),
        Row(f"One photo, {name}: Engine's time / that of an ONNX Runtime session, 1 thread", against("single"), "x", "rounds"),
    ]


def run(quick: bool) -> list[Row]:
    rounds = 3 if quick else ROUNDS
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        return measure("lab-11", *plain_model(folder), rounds) + measure("lite0", *lite0_model(folder), rounds)
