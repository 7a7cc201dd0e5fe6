"""The checkpoint: only for the training it belongs to, and never trusted when broken."""

import io
import math
from hashlib import sha256

import pytest
import torch
from toys import halves, network, recipe

from peephole.base.errors import InputError, MissingInput, OutputError, TrainingStopped
from peephole.train.checkpoint import Kept, State
from peephole.train.loop import fit


@pytest.fixture
def stopped(tmp_path):
    """A checkpoint of a toy training that was stopped."""

    def watch(_):
        raise KeyboardInterrupt

    path = tmp_path / "toy.checkpoint"
    with pytest.raises(TrainingStopped):
        fit(network(), halves(10), recipe(20), watch=watch, kept=Kept(path, "these photos"))
    return path


def resume(path, about="these photos"):
    return fit(network(), halves(10), recipe(20), kept=Kept(path, about, resume=True))


def write(parts, path):
    """Write parts as a checkpoint would be written, its digest first."""
    buffer = io.BytesIO()
    torch.save(parts, buffer)
    path.write_bytes(sha256(buffer.getvalue()).digest() + buffer.getvalue())


def test_it_goes_on(stopped):
    """The plain case, so that the refusals below mean something."""
    assert resume(stopped).recipe.steps == 20


def test_that_of_other_photos_is_refused(stopped):
    """A checkpoint is bound to its data and recipe."""
    with pytest.raises(InputError, match="belongs to other photos or another recipe") as refused:
        resume(stopped, "other photos")
    assert "--resume" in refused.value.hint


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"not a checkpoint", lambda data: data[:3000] + b"\0\1\2" + data[3003:]]
)
def test_a_broken_one_is_refused(stopped, damage):
    """Truncated, empty, something else altogether, or with a few bytes changed: one sentence and what to do."""
    stopped.write_bytes(damage(stopped.read_bytes()))
    with pytest.raises(InputError, match=r"toy\.checkpoint cannot be read") as refused:
        resume(stopped)
    assert "delete" in refused.value.hint


def test_one_with_the_wrong_parts_is_refused(stopped):
    """A file that torch can read but that lacks what a training needs."""
    write({"about": "these photos", "step": 3}, stopped)
    with pytest.raises(InputError, match="cannot be read"):
        resume(stopped)


def test_code_in_it_never_runs(stopped, tmp_path):
    """A pickle that would run a command is refused: only weights are read."""

    class Evil:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    write({"about": "these photos", "evil": Evil()}, stopped)
    with pytest.raises(InputError, match="cannot be read"):
        resume(stopped)
    assert not (tmp_path / "ran").exists()


def test_none_to_resume_from(tmp_path):
    """The hint starts anew."""
    with pytest.raises(MissingInput, match="no checkpoint") as refused:
        resume(tmp_path / "absent.checkpoint")
    assert "leave --resume out" in refused.value.hint


def test_a_place_that_cannot_be_written(tmp_path):
    """The stop says what failed instead of claiming that a checkpoint was kept."""
    (tmp_path / "file").write_text("")

    def watch(_):
        raise KeyboardInterrupt

    with pytest.raises(OutputError):
        fit(network(), halves(10), recipe(20), watch=watch, kept=Kept(tmp_path / "file" / "toy.checkpoint", "toy"))


def test_the_average_forgets_the_random_start():
    """The first step alone moves the average nine tenths of the way; from the fifth on it moves every fourth step, as far as four would."""
    net = network()
    state = State(net, torch.optim.SGD(net.parameters(), lr=0.1), decay=0.98)
    name = "body.conv1.weight"
    start = state.averaged[name].clone()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    state.advance()
    torch.testing.assert_close(state.averaged[name], start + 0.9)
    for _ in range(3):
        state.advance()
    rest = state.averaged[name].clone()
    for _ in range(3):
        state.advance()
        assert torch.equal(state.averaged[name], rest)
    state.advance()
    torch.testing.assert_close(state.averaged[name], start + 1 + (8 / 17) ** 4 * (rest - start - 1))


def test_only_late_looks_count_towards_stopping():
    """Before the middle of the cycle a worse look costs nothing."""
    net = network()
    state = State(net, torch.optim.SGD(net.parameters(), lr=0.1), decay=0.98)
    state.steps, state.step = 10, 1
    state.remember(1.0)
    state.remember(2.0)
    assert (state.worse, state.best_cost) == (0, 1.0)
    state.step = 6
    state.remember(2.0)
    state.remember(math.inf)
    assert state.worse == 2
    state.remember(0.5)
    assert (state.worse, state.best_cost) == (0, 0.5)
