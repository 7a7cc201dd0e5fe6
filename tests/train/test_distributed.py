"""Many processes: the weights are those of one with the same batch, one process writes, one sentence is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import team
import torch

from peephole.train import distributed, loop

HERE = Path(__file__).parent


def start(*words, processes=2, program=None):
    """Run a program in two processes through torchrun and wait for its end."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *(program or [HERE / "team.py"])]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE)}
    return subprocess.run([str(word) for word in (*command, *words)], capture_output=True, text=True, timeout=100, env=env, check=False)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes came to, and where they worked."""
    at = tmp_path_factory.mktemp("two")
    done = start("learn", at)
    assert done.returncode == 0, done.stderr
    return [torch.load(at / f"{rank}.pt") for rank in (0, 1)], at


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What a single process comes to."""
    precision, threads = loop.low_precision, torch.get_num_threads()
    yield team.learned(tmp_path_factory.mktemp("one"))
    loop.low_precision = precision
    torch.set_num_threads(threads)


@pytest.mark.parametrize("what", ["plain", "seen", "weighted", "resnet", "inception", "vgg", "asked", "frozen", "behind"])
def test_two_processes_come_to_what_one_does(one, two, what):
    """Weights, losses, held-out answers, folds and frozen features: within float error of one process with the same batch."""
    for found in two[0]:
        assert list(found[what]) == list(one[what])
        for name, value in one[what].items():
            torch.testing.assert_close(found[what][name], value, atol=2e-4, rtol=2e-3)


def test_all_processes_have_the_same_weights_to_the_bit(two):
    """What one of them knows all know."""
    for what, values in two[0][0].items():
        for name, value in values.items():
            assert torch.equal(value, two[0][1][what][name]), (what, name)


def test_ctrl_c_in_one_process_stops_all_at_the_same_step_and_they_go_on_from_there(two):
    """The second process is asked; process 0 keeps the state; all resume from it to the same weights."""
    found, at = two
    told = [(at / f"stop{rank}").read_text() for rank in (0, 1)]
    assert told[0] == told[1] and f"after 5 of {team.STEPS} steps; a checkpoint was kept" in told[0]
    for name, value in found[0]["plain"].items():
        assert torch.equal(found[0]["resumed"][name], value), name


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_in_one_process_ends_all(tmp_path, which):
    """Whoever meets it says it, once, and the others keep silent about what they lost."""
    done = start(which, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("SettingsError: ") == 1 and "this one cannot go on" in done.stderr
    assert ("process 1 on " in done.stderr) == (which == 1)
    assert "gloo" not in done.stderr and "onnection closed" not in done.stderr


def test_a_team_of_one_needs_no_torchrun():
    """Every word that processes exchange is its own answer."""
    tensor = torch.ones(2)
    assert distributed.size() == 1 and distributed.leads() and distributed.first_here() == 0
    assert distributed.agreed("x") == "x" and distributed.exchanged(3) == [3] and distributed.share(5) == slice(0, 5)
    assert distributed.summed(tensor) is tensor and not distributed.any_of(False)
    with distributed.together():
        distributed.dismiss()
