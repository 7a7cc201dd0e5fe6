"""Images per second of training in two processes against one, through torchrun, on this machine: one thread each, the same batch.

The lab-11 network with the augmentation of MNIST's recipe, batch 128. Every round runs both, one after the other; starting and stopping
(some seconds) is not counted: the clock runs inside `train.loop.fit`, from after a warm-up to the last step of the slowest process.

What would make the figure unfair: other work on the machine; more cores for one process than for each of two.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bench.report import Row
from bench.speed import MNIST, digits, ours
from peephole.train import distributed
from peephole.train.loop import Examples
from peephole.train.recipe import Options, derive

BATCH, STEPS, ROUNDS = 128, 100, 5


def member(given: Path, steps: int) -> None:
    """Train as one of torchrun's processes; the first prints images per second."""
    torch.set_num_threads(1)
    with distributed.together():
        held = np.load(given)
        examples = Examples.of(held["images"][..., None], held["labels"])
        ours(examples, derive(MNIST, Options(network="plain", batch=BATCH, steps=10, threads=1)))  # warm-up
        rate = ours(examples, derive(MNIST, Options(network="plain", batch=BATCH, steps=steps, threads=1)))
        rate = min(distributed.exchanged(rate))
        distributed.dismiss()
        print(rate)


def rate(processes: int, given: Path, steps: int) -> float:
    """Return the images per second of so many processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "bench.scale"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(given), str(steps)], capture_output=True, text=True, check=True, env=env)
    return float(done.stdout.strip().splitlines()[-1])


def run(quick: bool) -> list[Row]:
    steps = 5 if quick else STEPS
    images, labels = digits(BATCH * steps)
    rounds = []
    with TemporaryDirectory() as temporary:
        given = Path(temporary) / "digits.npz"
        np.savez(given, images=images, labels=labels)
        for number in range(1 if quick else ROUNDS):
            rounds.append((rate(1, given, steps), rate(2, given, steps)))
            print(f"scale: round {number + 1}: one {rounds[-1][0]:.0f}, two {rounds[-1][1]:.0f} images/s", flush=True)
    return [
        Row("Training in two processes of one thread / in one, lab-11", tuple(two / one for one, two in rounds), "x", "rounds"),
        Row("Training in two processes of one thread, lab-11", tuple(two for _, two in rounds), "images/s", "rounds"),
    ]


if __name__ == "__main__":
    member(Path(sys.argv[1]), int(sys.argv[2]))
