"""The training loop: it learns, it can be stopped and resumed to the bit, and it says when it cannot go on."""

import os
import signal
from itertools import pairwise

import pytest
import torch
from toys import halves, network, recipe

from peephole.base.errors import NotANumber, TrainingStopped
from peephole.nets.cnn import Plain
from peephole.train import loop
from peephole.train.checkpoint import Kept
from peephole.train.loop import Order, answers, draws, fit


def same(one, other):
    """Tell whether two networks have the same weights to the bit."""
    ours, theirs = one.state_dict(), other.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_it_learns_a_toy_set():
    """Left from right in 40 steps, on pictures it has not seen."""
    fitted = fit(network(), halves(40), recipe(40))
    fresh = halves(50, seed=9)
    right = (answers(fitted.network, fresh.images)[0].argmax(1) == fresh.labels).float().mean()
    assert right >= 0.97
    assert fitted.recipe.steps == 40 and fitted.seconds > 0 and fitted.history[-1].step == 40
    assert fitted.history[-1].loss < 0.3


def test_same_seed_same_weights():
    """To the bit; another seed of the draws gives others."""
    once = fit(network(), halves(20), recipe(12)).network
    assert same(once, fit(network(), halves(20), recipe(12)).network)
    assert not same(once, fit(network(), halves(20), recipe(12, seed=4)).network)


def stop_at(step):
    """Return a watcher that presses Ctrl-C at the first moment from `step` on."""

    def watch(moment):
        if moment.step >= step:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("looked", [False, True], ids=["blind", "held-out"])
@pytest.mark.parametrize("step", [1, 10, 21, 30])
def test_a_stop_and_a_resume_give_the_same_bits(tmp_path, step, looked):
    """Stopped early, in the middle or near the end: dropout, batch norm, augmentation, average and optimiser all go on where they were."""
    examples, held = halves(20), halves(8, seed=5) if looked else None
    whole = fit(network(), examples, recipe(40), held)
    kept = Kept(tmp_path / "toy.checkpoint", "toy")
    with pytest.raises(TrainingStopped, match="checkpoint was kept") as stopped:
        fit(network(), examples, recipe(40), held, watch=stop_at(step), kept=kept)
    assert "--resume" in stopped.value.hint and str(kept.path) in stopped.value.hint
    other_start = network(seed=99)
    resumed = fit(other_start, examples, recipe(40), held, kept=Kept(kept.path, "toy", resume=True))
    assert same(whole.network, resumed.network)


def test_two_stops_are_as_good_as_none(tmp_path):
    """Stopped, resumed, stopped, resumed."""
    whole = fit(network(), halves(20), recipe(40)).network
    path = tmp_path / "toy.checkpoint"
    for step, resume in ((10, False), (20, True)):
        with pytest.raises(TrainingStopped):
            fit(network(), halves(20), recipe(40), watch=stop_at(step), kept=Kept(path, "toy", resume))
    assert same(whole, fit(network(), halves(20), recipe(40), kept=Kept(path, "toy", True)).network)


@pytest.mark.parametrize("where", ["augment", "cross_entropy"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_within_a_step_waits_for_its_end(tmp_path, monkeypatch, where, number):
    """A real signal in the middle of step 18 leaves no half step behind: batch norm has not counted it twice."""
    whole = fit(network(), halves(20), recipe(30)).network
    original, calls = getattr(loop, where), []

    def pressed(*args, **kwargs):
        calls.append(1)
        if len(calls) == 18:
            os.kill(os.getpid(), number)
        return original(*args, **kwargs)

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(number, handler)
    monkeypatch.setattr(loop, where, pressed)
    kept = Kept(tmp_path / "toy.checkpoint", "toy")
    try:
        with pytest.raises(TrainingStopped, match="after 18 of 30 steps"):
            fit(network(), halves(20), recipe(30), kept=kept)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert same(whole, fit(network(), halves(20), recipe(30), kept=Kept(kept.path, "toy", True)).network)


def test_a_stop_without_a_checkpoint_says_so():
    """Nothing is promised that is not there."""
    with pytest.raises(TrainingStopped) as stopped:
        fit(network(), halves(20), recipe(40), watch=stop_at(10))
    assert "kept" not in stopped.value.what and "--resume" not in stopped.value.hint


def test_a_loss_that_is_no_number_ends_it(monkeypatch):
    """NotANumber, with a smaller learning rate as the way out."""
    bad = network()
    bad.std = (1e-38,)
    with pytest.raises(NotANumber, match="the loss became") as stopped:
        fit(bad, halves(20), recipe(40, learning_rate=0.03))
    assert stopped.value.hint.endswith("--learning-rate 0.01")


def test_it_stops_early_and_keeps_the_best(monkeypatch):
    """Held-out labels that are the wrong way round get worse with every look: it ends before its time, with the weights that were best."""
    costs, remember = [], loop.State.remember
    monkeypatch.setattr(loop.State, "remember", lambda state, cost: (costs.append(cost), remember(state, cost)))
    held = halves(20, seed=5)
    held = loop.Examples(held.images, 1 - held.labels)
    fitted = fit(network(), halves(30), recipe(240), held)
    assert 120 <= fitted.recipe.steps < 240
    logits, _ = answers(fitted.network, held.images)
    cost = torch.nn.functional.cross_entropy(logits, held.labels).item()
    assert cost == pytest.approx(min(costs), rel=1e-5) and cost < 0.9 * costs[-1]


def test_seconds_become_steps_once():
    """Without steps, the time is measured and turned into steps, which the recipe then carries."""
    fitted = fit(network(), halves(20), recipe(0, seconds=1.0))
    assert fitted.recipe.steps >= 10 and fitted.history[-1].step == fitted.history[-1].steps


def test_measuring_leaves_the_network_alone():
    """The steps that are timed are taken on a copy."""
    fresh = network()
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    loop.steps_in(0.5, fresh, halves(10), recipe(0))
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())


@pytest.mark.parametrize(("count", "batch"), [(10, 4), (7, 16), (32, 32), (33, 1)])
def test_every_example_once_per_round(count, batch):
    """Even labels: each round of `count` draws holds every example exactly once, across batches of any size."""
    labels = torch.arange(count) % 2
    order = Order(labels, batch, seed=3)
    drawn = torch.cat([order(step) for step in range(3 * count)])
    for start in range(0, len(drawn) - count + 1, count):
        assert sorted(drawn[start : start + count].tolist()) == list(range(count))


def test_rounds_differ():
    """The second round is another permutation than the first."""
    order = Order(torch.arange(40) % 2, 40, seed=3)
    assert not torch.equal(order(0), order(1))


def test_imbalance_is_balanced():
    """90 of one label and 10 of another: each is drawn about equally often."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    order = Order(labels, 64, seed=3)
    share = torch.cat([labels[order(step)] for step in range(60)]).float().mean()
    assert 0.46 < share < 0.54


@pytest.mark.parametrize("labels", [torch.arange(30) % 3, torch.tensor([0] * 25 + [1] * 5)], ids=["even", "uneven"])
def test_the_order_is_a_function_of_seed_and_step(labels):
    """A step's examples do not depend on the steps before: that is what makes a resume exact."""
    walked = Order(labels, 8, seed=3)
    steps = [walked(step) for step in range(12)]
    assert torch.equal(Order(labels, 8, seed=3)(11), steps[11])
    assert not torch.equal(Order(labels, 8, seed=4)(11), steps[11])


def test_draws_of_seeds_and_steps_do_not_meet():
    """The draws of the order and of the augmentation, and of neighbouring seeds, are streams of their own."""
    firsts = [torch.rand(1, generator=draws(seed, step)).item() for seed in (0, 1, 7, ~7) for step in range(50)]
    assert len(set(firsts)) == len(firsts)


def test_one_cycle():
    """It rises over the first fifth to the peak, falls to nearly nothing, and never is zero before the end."""
    rates = [loop._schedule(step, 100, 0.5) for step in range(100)]
    assert max(rates) == 0.5 and rates.index(0.5) in (19, 20)
    assert all(a < b for a, b in pairwise(rates[:20]))
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert 0 < rates[-1] < 0.001 and rates[0] > 0
    assert loop._schedule(0, 1, 0.5) == 0.5


def test_answers_do_not_depend_on_the_batch():
    """All at once or three at a time."""
    trained = fit(network(), halves(20), recipe(12)).network
    images = halves(10).images
    torch.testing.assert_close(answers(trained, images, 3)[0], answers(trained, images)[0], atol=1e-5, rtol=1e-5)


def test_a_network_without_batch_norm_learns_with_one_example_per_step():
    """The smallest batch there is."""
    fitted = fit(network(plan=Plain(filters=(4,), hidden=8)), halves(20), recipe(12, batch=1))
    assert fitted.recipe.steps == 12
