"""`python -m bench.practice`: make the weights of the network `strokes` anew from invented characters; no benchmark, and no data is read.

Prints the loss and, on characters that the practice does not meet, how often one drawing of each of 20 is enough. The bytes are the same
again only on a machine of the same kind with the same wheels; what is shipped is checked by its sha256 (nets/strokes.py).
"""

import argparse
import hashlib
import time
from pathlib import Path

import peephole.nets
from peephole.nets.strokes import WEIGHTS, packed
from peephole.train.practice import answered, practise

STEPS, SEED = 6000, 1
EVERY = 100


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.practice", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of 256 drawings (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the seed of every draw (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(peephole.nets.__path__[0]) / WEIGHTS, help="where to write them (%(default)s)")
    given = parser.parse_args()
    begun, losses = time.perf_counter(), list[float]()

    def watch(step: int, loss: float) -> None:
        losses.append(loss)
        if step % EVERY == 0:
            print(f"step {step} of {given.steps}, loss {sum(losses[-EVERY:]) / EVERY:.3f}, {time.perf_counter() - begun:.0f} s", flush=True)

    network = practise(given.steps, given.seed, watch)
    raw = packed(network)
    given.output.write_bytes(raw)
    print(f"one drawing of each of 20 new characters: {100 * answered(network):.1f} % right")
    print(f"{given.output}: {len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()} (nets/strokes.py names it)")


if __name__ == "__main__":
    main()
