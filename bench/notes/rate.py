"""The learning rate too small, right and too large: how the loss falls, or does not.

The library's own loop: AdamW, the rate rising for a fifth of the steps and falling to zero after; what is named is its highest value.
"""

import math
from dataclasses import replace

from bench.notes.measured import Measured, Setting, tables
from bench.notes.pooling import NOTES
from bench.notes.sets import draw
from bench.notes.trained import USUAL, Effort, Trial, judge, plain, train
from bench.notes.verdict import Statement
from peephole.train.loop import Moment

CLAIM = "rate"
RATES = (3e-6, 3e-5, 3e-4, 3e-3, 3e-2, 3e-1)
RIGHT = 3e-3  # what the library takes by itself
STATEMENTS = tuple(Statement(CLAIM, f"rate {RIGHT:g}", f"rate {rate:g}") for rate in RATES if rate != RIGHT)


def _one(rate: float, effort: Effort) -> Setting:
    trial = Trial(f"rate {rate:g}", plain(NOTES), recipe=replace(USUAL, learning_rate=rate))
    runs, curves = list[dict[str, float]](), list[tuple[float, ...]]()
    for seed in effort.seeds:
        drawn, moments = draw(trial.set, trial.each, seed, effort.judged), list[Moment]()
        found = judge(train(trial, drawn, seed, effort.steps, moments.append), drawn)
        losses = tuple(moment.loss for moment in moments)
        runs.append(
            {
                "right": found["right"],
                "learned": found["learned"],
                "highest": max(losses, default=math.inf),
                "broke": float(not math.isfinite(found["loss"])),
            }
        )
        curves.append(losses)
    values = tables(runs)
    print(f"claims: {trial.name}: {sum(values['right']) / len(runs):.2f} % right, highest loss {max(values['highest']):.3g}", flush=True)
    return Setting(trial.name, {"rate": rate}, values, {"loss": tuple(curves)})


def claim(effort: Effort) -> Measured:
    settings = tuple(_one(rate, effort) for rate in RATES)
    return Measured(CLAIM, effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, settings)
