"""Train one network on one draw as the library does, and say how right it is on what it learned from and on what it never saw.

One thread, no augmentation, no label smoothing and no dropout unless the claim is about them; the number of steps is fixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.notes.measured import Setting, tables
from bench.notes.sets import Drawn, draw
from peephole.base.errors import NotANumber
from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain
from peephole.nets.networks import draw as draw_network
from peephole.train.loop import Examples, Moment, answers, fit
from peephole.train.recipe import Recipe

SIDE = 28
SHAPE = Shape(1, SIDE, SIDE)
USUAL = Recipe(
    network="plain", fit="train", height=SIDE, width=SIDE, channels=1, seconds=60, seed=0, batch=64, steps=200, threads=1, label_smoothing=0.0
)


@dataclass(frozen=True)
class Effort:
    """How much is measured: the seeds of the draws, the steps of a training, photos of each label to judge by."""

    seeds: tuple[int, ...] = tuple(range(100, 105))
    steps: int = 200
    judged: int = 200


@dataclass(frozen=True)
class Trial:
    """One setting of a claim: how its network is drawn, for a draw of which set, learned with which recipe."""

    name: str
    network: Callable[[Drawn], Network]
    set: str = "mnist"
    each: int = 50
    recipe: Recipe = field(default=USUAL)


def plain(plan: Plain) -> Callable[[Drawn], Network]:
    """Return what draws the course's network with these numbers."""
    return lambda drawn: draw_network("plain", SHAPE, 10, drawn.mean, drawn.std, plan=plan)


def weights(network: nn.Module) -> int:
    """Return how many weights are learned."""
    return sum(each.numel() for each in network.parameters())


def products(network: Network, shape: Shape = SHAPE) -> int:
    """Return the multiplications of convolutions and fully connected layers for one photo."""
    counted: list[int] = []

    def count(step: nn.Module, _: object, out: torch.Tensor) -> None:
        if isinstance(step, nn.Conv2d):
            counted.append(out[0].numel() * step.weight[0].numel())
        elif isinstance(step, nn.Linear):
            counted.append(step.weight.numel())

    hooks = [step.register_forward_hook(count) for step in network.modules()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, shape.channels, shape.height, shape.width))
    for hook in hooks:
        hook.remove()
    return sum(counted)


def judge(network: Network, drawn: Drawn) -> dict[str, float]:
    """Return per cent right and cross-entropy (nats) on photos learned from and on others, and the gaps between them."""

    def both(examples: Examples) -> tuple[float, float]:
        logits, _ = answers(network, examples.images)
        return 100 * float((logits.argmax(1) == examples.labels).float().mean()), float(cross_entropy(logits, examples.labels))

    (learned, learned_loss), (right, loss) = both(drawn.train), both(drawn.test)
    return {"right": right, "learned": learned, "gap": learned - right, "loss": loss, "learned loss": learned_loss, "loss gap": loss - learned_loss}


def train(
    trial: Trial, drawn: Drawn, seed: int, steps: int, watch: Callable[[Moment], None] | None = None, *, network: Network | None = None
) -> Network:
    """Train the trial's network, from weights drawn by the seed; one whose loss is no number any more is returned as it then is."""
    torch.set_num_threads(1)
    network = network or begun(trial, drawn, seed)
    try:
        return fit(network, drawn.train, replace(trial.recipe, seed=seed, steps=steps), watch=watch).network
    except NotANumber:
        return network.eval()


def begun(trial: Trial, drawn: Drawn, seed: int) -> Network:
    """Return the trial's network before it has learned."""
    torch.manual_seed(seed)
    return trial.network(drawn)


def measure(trials: Sequence[Trial], effort: Effort) -> tuple[Setting, ...]:
    """Train every trial on every draw."""
    return tuple(one(trial, effort) for trial in trials)


def one(trial: Trial, effort: Effort) -> Setting:
    """Train one trial on every draw."""
    runs = []
    for seed in effort.seeds:
        drawn = draw(trial.set, trial.each, seed, effort.judged)
        runs.append(judge(train(trial, drawn, seed, effort.steps), drawn))
    network, values = trial.network(drawn), tables(runs)
    print(f"claims: {trial.name}: {sum(values['right']) / len(runs):.2f} % right, gap {sum(values['gap']) / len(runs):.2f}", flush=True)
    return Setting(trial.name, {"weights": weights(network), "products": products(network)}, values)
