"""The number of filters and the number of stages: accuracy, weights, and how many pixels one cell of the last maps sees."""

from dataclasses import replace

from bench.notes.measured import Measured
from bench.notes.pooling import NOTES
from bench.notes.trained import Effort, Trial, measure, plain
from bench.notes.verdict import Statement
from peephole.nets.cnn import Plain

COUNTS = (4, 8, 16, 32, 64)
STAGES = ((16,), (16, 32), (16, 32, 64))
COUNT_STATEMENTS = tuple(Statement("filters", f"filters {2 * few}", f"filters {few}") for few in COUNTS[:-1])
DEPTH_STATEMENTS = tuple(Statement("depth", f"stages {n + 1}", f"stages {n}") for n in (1, 2))


def field(plan: Plain) -> int:
    """Return the side in pixels of what one cell behind the last pooling sees: r + (k - 1) j for every layer of stride j before it."""
    sees, jump = 1, 1
    for _ in plan.filters:
        sees, jump = sees + (plan.kernel - 1) * jump, jump * plan.stride
        sees, jump = sees + (plan.pool - 1) * jump, jump * plan.pool
    return sees


def claim_count(effort: Effort) -> Measured:
    """As many filters in the first stage as in the second."""
    trials = [Trial(f"filters {count}", plain(replace(NOTES, filters=(count, count)))) for count in COUNTS]
    return Measured("filters", effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, measure(trials, effort))


def claim_depth(effort: Effort) -> Measured:
    """One, two or three stages of convolution, ReLU and pooling."""
    plans = [replace(NOTES, filters=filters) for filters in STAGES]
    trials = [Trial(f"stages {len(plan.filters)}", plain(plan)) for plan in plans]
    settings = [replace(setting, facts={**setting.facts, "field": field(plan)}) for plan, setting in zip(plans, measure(trials, effort), strict=True)]
    return Measured("depth", effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, tuple(settings))
