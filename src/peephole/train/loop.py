"""The training loop: one function, readable top to bottom.

The whole set lies in memory as uint8, or in a file mapped into it; a batch is gathered, varied, normalised and learned from, without a
DataLoader. Every draw is a function of the seed and the step: same seed, same number of steps, same machine give the same weights, also
across a stop and a resume. Of many processes each takes its share of every batch; the draws are those of the batch.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from peephole.base.errors import NotANumber, TrainingStopped
from peephole.nets.blocks import Network
from peephole.train import distributed
from peephole.train.augment import Key, augment
from peephole.train.backdrop import Behind
from peephole.train.checkpoint import Kept, State
from peephole.train.interrupt import signals_wait
from peephole.train.recipe import Recipe
from peephole.train.scenery import Scenery
from peephole.train.wholebatch import whole_batch

__all__ = ["LEAST_STEPS", "Examples", "Fitted", "Moment", "Onlooker", "answers", "answers_of", "device", "fit", "normalise"]

LOOKS = 12  # how often held-out examples are looked at during a training
PATIENCE = 4  # looks without anything better before it stops early
CHECKPOINT_SECONDS = 20.0
LEAST_STEPS = 60  # fewer teach nothing, however slow or busy the machine


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from: images uint8 (N, C, H, W), labels int64 (N,); or, with `at` int64 (N,), these rows of more images, not copied.

    `scenery` knows the subjects and backgrounds of all the images, where the recipe exchanges backgrounds.
    """

    images: torch.Tensor
    labels: torch.Tensor
    at: torch.Tensor | None = None
    scenery: Scenery | None = None

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray) -> "Examples":
        """Take images uint8 (N, H, W, C) and labels (N,) as the data stage leaves them."""
        return cls(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2), torch.from_numpy(np.asarray(labels, np.int64)))

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return a copy (n, C, H, W) of the chosen examples' pixels."""
        return self.images[chosen if self.at is None else self.at[chosen]]

    def behind(self, chosen: torch.Tensor) -> Behind | None:
        """Return what may lie behind the chosen examples' subjects; None where nobody has looked for them."""
        return self.scenery.behind(chosen if self.at is None else self.at[chosen]) if self.scenery else None


@dataclass(frozen=True)
class Moment:
    """A moment of training, for whoever watches; `held_out` is the share of right answers on held-out examples, where there are any."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    held_out: float | None


class Onlooker:
    """Sees the network before and after every step and changes nothing; this one does not even look."""

    def before(self, state: State) -> None:
        """A step begins."""

    def after(self, state: State, examples: Examples) -> None:
        """A step is done; its gradients are still there."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network (on the CPU, ready to answer), the recipe with its steps, the seconds they took, and what was seen on the way."""

    network: Network
    recipe: Recipe
    seconds: float
    history: tuple[Moment, ...]


def device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def low_precision(where: torch.device) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where the hardware does so natively; elsewhere it would be slower than float32."""
    able = torch.cpu.get_capabilities()
    native = where.type == "cuda" or able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.autocast(where.type, torch.bfloat16) if native else nullcontext()


def normalise(images: torch.Tensor, network: Network) -> torch.Tensor:
    """Map float (B, C, H, W) in 0..255 to what the network takes; the exported graph does the same."""
    mean = torch.tensor(network.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(network.std, device=images.device).view(1, -1, 1, 1)
    return (images - mean) / std


@torch.no_grad()
def answers(network: Network, images: torch.Tensor, batch: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (N, labels) and embeddings (N, features) in float32 on the CPU for uint8 images (N, C, H, W)."""
    network.eval()
    where = next(network.parameters()).device
    parts = [network(normalise(images[at : at + batch].to(where).float(), network)) for at in range(0, max(1, len(images)), batch)]
    return torch.cat([p[0] for p in parts]).float().cpu(), torch.cat([p[1] for p in parts]).float().cpu()


def answers_of(network: Network, images: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (n, labels) and embeddings (n, features) for some of uint8 images (N, H, W, C), gathered a thousand at a time."""
    whole = Examples.of(images, np.empty(0)).images
    pieces = [torch.from_numpy(np.asarray(indices[at : at + 1024], np.int64)) for at in range(0, max(1, len(indices)), 1024)]
    parts = [answers(network, whole[piece]) for piece in pieces]
    return torch.cat([p[0] for p in parts]).numpy(), torch.cat([p[1] for p in parts]).numpy()


def draws(seed: int, step: int) -> torch.Generator:
    """Return the source of randomness of one step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)


class Order:
    """Which examples each step takes, as a function of the seed and the step alone.

    Every example once per round where the labels are about even; each label equally often where the largest has more
    than 1.5 times the examples of the smallest (class imbalance).
    """

    def __init__(self, labels: torch.Tensor, batch: int, seed: int) -> None:
        counts = torch.bincount(labels)
        present = counts[counts > 0]
        self.weights = None if present.max() <= 1.5 * present.min() else 1.0 / counts.clamp(min=1)[labels].double()
        self.count, self.batch, self.seed = len(labels), batch, seed
        self._round, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def _at(self, number: int) -> torch.Tensor:
        """Return the permutation of one round."""
        if number != self._round:
            self._round, self._permutation = number, torch.randperm(self.count, generator=draws(~self.seed, number))
        return self._permutation

    def __call__(self, step: int) -> torch.Tensor:
        """Return the indices (batch,) of one step."""
        if self.weights is not None:
            return torch.multinomial(self.weights, self.batch, replacement=True, generator=draws(~self.seed, step))
        place, wanted, parts = step * self.batch, self.batch, []
        while wanted:
            number, at = divmod(place, self.count)
            part = self._at(number)[at : at + wanted]
            parts.append(part)
            place, wanted = place + len(part), wanted - len(part)
        return torch.cat(parts)


def _schedule(step: int, steps: int, peak: float) -> float:
    """One cycle (Smith & Topin 2018): linear rise over the first fifth, cosine fall to zero."""
    rise = max(1, round(0.2 * steps))
    if step < rise:
        return peak * (step + 1) / rise
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _learn(state: State, examples: Examples, chosen: torch.Tensor, recipe: Recipe, step: int) -> torch.Tensor:
    """Take one step of gradient descent on the chosen examples and return the loss.

    Of many processes each takes its share of the chosen; the gradients are added up, and all hear whether one was asked to stop.
    """
    network, where = state.network, next(state.network.parameters()).device
    torch.manual_seed(recipe.seed + step)  # dropout draws from here
    mine, total = distributed.share(len(chosen)), len(chosen)
    state.place.first, state.place.total, chosen = mine.start, total, chosen[mine]
    varied = augment(examples.pixels(chosen), recipe.augment, Key(recipe.seed, step, mine.start), examples.behind(chosen))
    images = normalise(varied.to(where), network)
    with low_precision(where):
        logits, _ = network(images.contiguous(memory_format=torch.channels_last))
    labels = examples.labels[chosen].to(where)
    if logits.dim() == 3:  # a team's: each member is told the same
        labels = labels.unsqueeze(1).expand(-1, logits.shape[2])
    loss = cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
    loss = loss if len(chosen) == total else loss * (len(chosen) / total)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    loss, state.stop = distributed.add_up(network.parameters(), loss.detach(), state.asked())
    state.optimiser.step()
    return loss


def _begin(network: Network, recipe: Recipe) -> State:
    """Put the network where it trains and pair it with its optimiser (AdamW, Loshchilov & Hutter 2019)."""
    network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this pairing
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.99), fused=True)
    return State(network, optimiser, recipe.average)


def steps_in(seconds: float, network: Network, examples: Examples, recipe: Recipe) -> int:
    """Measure on a copy how many steps fit into `seconds` (at least 60, at most 100,000)."""
    state = _begin(copy.deepcopy(network).train(), replace(recipe, learning_rate=1e-9))
    with whole_batch(state.network) as state.place:
        return distributed.agreed(_measured(seconds, state, examples, recipe))


def _measured(seconds: float, state: State, examples: Examples, recipe: Recipe) -> int:
    """Take a few steps against the clock; process 0 holds it."""
    order = Order(examples.labels, recipe.batch, recipe.seed)
    for step in range(2):
        _learn(state, examples, order(step), recipe, step)
    begun, took = time.perf_counter(), list[float]()
    while distributed.agreed(len(took) < 3 or (time.perf_counter() - begun < min(0.5, 0.05 * seconds) and len(took) < 20)):
        at = time.perf_counter()
        _learn(state, examples, order(len(took)), recipe, len(took)).item()
        state.advance()
        took.append(time.perf_counter() - at)
    return int(np.clip(0.95 * (seconds - (time.perf_counter() - begun)) / float(np.median(took)), LEAST_STEPS, 100_000))


def _look(state: State, held_out: Examples) -> float:
    """Judge the averaged weights on held-out examples, remember them if they are the best so far, and return the share of right answers."""
    cost, right = 0.0, 0.0
    if distributed.leads():
        judge = copy.deepcopy(state.network)
        judge.load_state_dict(state.averaged)
        logits, _ = answers(judge, held_out.pixels(torch.arange(len(held_out))))
        cost, right = float(cross_entropy(logits, held_out.labels)), float((logits.argmax(1) == held_out.labels).float().mean())
    cost, right = distributed.agreed((cost, right))
    state.remember(cost)
    return right


def _observe(state: State, loss: torch.Tensor, rate: float, held_out: Examples | None, recipe: Recipe) -> Moment | None:
    """Return a Moment every 10 steps and at each look; None in between. Raises NotANumber."""
    every, last = max(1, state.steps // LOOKS), state.step == state.steps
    look = held_out is not None and (state.step % every == 0 or last)
    if not (look or last or state.step % 10 == 0):
        return None
    # Max pooling and ReLU in oneDNN turn what is no number into 0, so the loss alone would not show broken weights.
    whole = math.isfinite(sum(float(weights.detach().sum()) for weights in state.network.parameters()))
    cost = loss.item() if whole else math.nan
    if not math.isfinite(cost):
        raise NotANumber(f"the loss became {cost} at step {state.step}", f"lower the learning rate: --learning-rate {recipe.learning_rate / 3:.2g}")
    seen = _look(state, held_out) if look and held_out is not None else None
    return Moment(state.step, state.steps, cost, rate, seen)


def fit(
    network: Network,
    examples: Examples,
    recipe: Recipe,
    held_out: Examples | None = None,
    *,
    watch: Callable[[Moment], None] | None = None,
    kept: Kept | None = None,
    onlooker: Onlooker | None = None,
) -> Fitted:
    """Train `network` in place on `examples`; return it with the running average of its weights.

    With `held_out`, training stops once 4 looks in a row (after the middle of the cycle) brought no lower held-out loss, and the best
    weights are kept. With `kept`, a stop leaves a file from which a later call goes on to the same weights. Of many processes each takes its
    share of every batch; process 0 looks at what is held out, decides, and keeps the file; all return the same network.
    Raises NotANumber when the loss does, TrainingStopped on Ctrl-C.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    state = _begin(network, recipe)
    if kept and kept.resume and distributed.leads():
        state.restore(kept)
    if distributed.size() > 1:
        state.take(distributed.agreed(state.parts()))
    state.steps = state.steps or recipe.steps or steps_in(recipe.seconds, network, examples, recipe)
    order, history, onlooker = Order(examples.labels, recipe.batch, recipe.seed), list[Moment](), onlooker or Onlooker()
    begun = saved = time.perf_counter()
    network.train()
    many = distributed.size() > 1
    try:
        with signals_wait(patient=many) as held, whole_batch(network) as state.place:
            state.asked = lambda: bool(held.came)
            while state.step < state.steps and state.worse < PATIENCE:
                rate = _schedule(state.step, state.steps, recipe.learning_rate)
                for group in state.optimiser.param_groups:
                    group["lr"] = rate
                onlooker.before(state)
                loss = _learn(state, examples, order(state.step), recipe, state.step)
                state.advance()
                onlooker.after(state, examples)
                moment = _observe(state, loss, rate, held_out, recipe)
                if moment:
                    history.append(moment)
                    if watch:
                        watch(moment)
                if kept and distributed.leads() and (time.perf_counter() - saved > CHECKPOINT_SECONDS or state.step == state.steps):
                    state.save(kept)
                    saved = time.perf_counter()
                if not many:
                    held()
                elif state.stop:
                    raise KeyboardInterrupt
            if many and distributed.any_of(bool(held.came)):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise _stopped(state, kept) from None
    network.load_state_dict(distributed.agreed(state.best or state.averaged))
    return Fitted(network.cpu().eval(), replace(recipe, steps=state.step), time.perf_counter() - begun, tuple(history))


def _stopped(state: State, kept: Kept | None) -> TrainingStopped:
    """Keep what was learned and say how to go on."""
    what = f"training was stopped after {state.step} of {state.steps} steps"
    if not kept:
        return TrainingStopped(what, "start again; give it more time with --seconds")
    if distributed.leads():
        state.save(kept)
    distributed.agreed(None)  # nobody leaves before the state is kept
    return TrainingStopped(f"{what}; a checkpoint was kept", f"go on where it stopped: the same command with --resume (it reads {kept.path})")
