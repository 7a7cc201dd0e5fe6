"""vgg, inception, resnet in the recipe: what is derived for them, what is refused, and that they learn."""

from dataclasses import replace

import pytest
import torch
from toys import halves, recipe

from peephole.base.errors import SettingsError
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import DEEP, draw
from peephole.train.checkpoint import Kept
from peephole.train.loop import answers, fit
from peephole.train.recipe import Facts, Options, derive, unused

DIGITS = Facts(examples=60_000, labels=10, fewest=5_421, height=28, width=28, colour=False, drawing=True)


@pytest.mark.parametrize("name", DEEP)
def test_all_follows_from_the_name_and_the_size(name: str) -> None:
    """The recipe holds every number of the network, a higher rate for batch norm, and a sentence that names them."""
    found = derive(DIGITS, Options(network=name))
    assert (found.fit, found.height, found.learning_rate) == ("train", 28, 1e-2)
    assert found.deep == settle(Deep(), name, Shape(1, 28, 28)) and found.as_dict()["deep"]["filters"] == found.deep.filters
    assert (
        found.sentence().startswith(f"{name} (16 filters first, {found.deep.stages} stages of {found.deep.depth} ")
        and "batch norm" in found.sentence()
    )
    assert derive(DIGITS, Options(network=name, deep=Deep(norm="none"))).learning_rate == 3e-3
    assert derive(DIGITS, Options()).deep is None


def test_too_large_a_network_is_refused_before_any_photo_is_read() -> None:
    """With the numbers that would do."""
    with pytest.raises(SettingsError, match="million weights") as refused:
        derive(DIGITS, Options(network="resnet", deep=Deep(width=256, depth=64)))
    assert refused.value.hint == "make it narrower or flatter: --width 128 --depth 32"


def test_a_batch_of_one_cannot_be_normalised() -> None:
    """The deep networks have batch norm unless told otherwise."""
    with pytest.raises(SettingsError, match="batch norm needs") as refused:
        Options(network="vgg", batch=1)
    assert "--norm none" in refused.value.hint
    assert Options(network="vgg", batch=1, deep=Deep(norm="none")).batch == 1
    assert Options(network="vgg", plain=Plain(norm="batch"), deep=Deep(norm="none"), batch=1).batch == 1


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        (Options(network="plain", plain=Plain(filters=(8,), keep_prob=0.5), deep=Deep(keep_prob=0.5)), None),
        (Options(network="plain", deep=Deep(width=8)), "plain does not have width"),
        (Options(network="vgg", plain=Plain(hidden=8, norm="batch"), deep=Deep(depth=1, norm="batch")), "vgg does not have hidden:"),
        (Options(network="inception", deep=Deep(shortcuts=False)), "inception does not have shortcuts"),
        (Options(network="resnet", deep=Deep(shortcuts=False, stages=2)), None),
        (Options(network="lite0", plain=Plain(keep_prob=0.5), deep=Deep(keep_prob=0.5, depth=2)), "lite0 does not have depth, keep-prob:"),
    ],
)
def test_numbers_that_change_nothing_are_named(options: Options, idle: str | None) -> None:
    """Only those that were given and that the network does not have."""
    said = unused(derive(DIGITS, options), options)
    assert said is None if idle is None else said is not None and said.startswith(idle)


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("name", DEEP)
def test_it_learns_a_toy_set_and_resumes_to_the_bit(name: str, norm: str, tmp_path) -> None:
    """Left from right in 40 steps, on pictures it has not seen; stopped half-way and resumed, the weights are the same."""
    plan = replace(recipe(40), network=name, deep=settle(Deep(width=8, norm=norm), name, Shape(1, 8, 8)), learning_rate=0.005)

    def fresh():
        torch.manual_seed(1)
        return draw(name, Shape(1, 8, 8), 2, (100.0,), (50.0,), deep=plan.deep)

    def stop(moment):
        if moment.step >= 20:
            raise KeyboardInterrupt

    fitted = fit(fresh(), halves(40), plan)
    asked = halves(50, seed=9)
    assert (answers(fitted.network, asked.images)[0].argmax(1) == asked.labels).float().mean() >= 0.97
    kept = Kept(tmp_path / "toy.checkpoint", "toy")
    with pytest.raises(Exception, match="checkpoint was kept"):
        fit(fresh(), halves(40), plan, watch=stop, kept=kept)
    again = fit(fresh(), halves(40), plan, kept=replace(kept, resume=True))
    for one, other in zip(fitted.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)
