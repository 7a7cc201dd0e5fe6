"""One training in many processes, started by torchrun: who does which part, what all must agree on, and how all end together.

Gradients are added up over the processes, batch norm sees the whole batch and dropout draws for the whole batch, so that the weights are
those of one process with the same batch, but for the order of sums. Process 0 speaks and writes; the others are silent and end with it. Every
function may be called without torchrun too: one process is a team of one.
"""

import atexit
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from peephole.base.errors import PeepholeError, TrainingError

__all__ = [
    "add_up",
    "agreed",
    "any_of",
    "dismiss",
    "exchanged",
    "first_here",
    "gathered",
    "leads",
    "local_rank",
    "rank",
    "share",
    "size",
    "summed",
    "together",
]

T = TypeVar("T")
PATIENCE = timedelta(days=1)  # one process may decode or hold out for long while the others wait; one that died is noticed at once
SPEAKS_FIRST = 2.0  # seconds that process 0 has to tell an error that all of them met
LINGER = 5.0  # seconds after which a silent process ends by itself, should torchrun not end it
LOST = ("gloo", "NCCL", "onnection", "Broken pipe")  # how the libraries say that a process went away


def size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return which of them this one is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Return which of the processes on this machine this one is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0")) if dist.is_initialized() else 0


def first_here() -> int:
    """Return the rank of this machine's first process; torchrun numbers the processes of a machine in a row."""
    return rank() - local_rank()


def leads() -> bool:
    """Tell whether this process speaks and writes for all."""
    return rank() == 0


def share(count: int) -> slice:
    """Return which of `count` things in a row are this process's; the shares differ by one at most."""
    return slice(rank() * count // size(), (rank() + 1) * count // size())


def agreed(value: T) -> T:
    """Return what process 0 holds for `value`."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def exchanged(value: T) -> list[T]:
    """Return what every process holds for `value`, by rank."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    dist.all_gather_object(found, value)
    return found


def gathered(rows: np.ndarray) -> np.ndarray:
    """Put the rows of all processes one behind the other, by rank."""
    return rows if size() == 1 else np.concatenate(exchanged(rows))


def summed(tensor: torch.Tensor) -> torch.Tensor:
    """Add a tensor up over the processes, in place, to the same bits in each."""
    if size() > 1:
        dist.all_reduce(tensor)
    return tensor


def add_up(parameters: Iterable[torch.nn.Parameter], loss: torch.Tensor, stop: bool) -> tuple[torch.Tensor, bool]:
    """Add up the gradients and losses of the shares of a batch, each already weighted by its length; tell whether any process was asked to stop.

    All of it travels as one vector. That of one process is left alone.
    """
    if size() == 1:
        return loss, stop
    gradients = [p.grad for p in parameters if p.grad is not None]
    asked = torch.tensor([float(stop)], device=loss.device)
    flat = summed(torch.cat([*(g.reshape(-1) for g in gradients), loss.reshape(1), asked]))
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
        at += gradient.numel()
    return flat[-2], bool(flat[-1] > 0)


def any_of(flag: bool) -> bool:
    """Tell whether the flag is up in any process."""
    return any(exchanged(flag))


def _join() -> Store:
    """Meet the other processes and return the notice board that torchrun keeps for them."""
    board, number, count = next(rendezvous("env://"))
    board = PrefixStore(f"peephole{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", board)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=board, rank=number, world_size=count, timeout=PATIENCE)
    return board


_board: list[Store] = []  # one process belongs to one team at most


@contextmanager
def together() -> Iterator[None]:
    """Train as one of torchrun's processes; without torchrun, or inside another `together`, nothing happens.

    An error in one process ends all of them, and one sentence is said: by process 0 where it met the error too, else by the first that did.
    """
    if dist.is_initialized() or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    _board.append(_join())
    try:
        yield
        if leads():
            _board[0].set("ended", "")
            dist.destroy_process_group()
    except BaseException as error:
        # The libraries take minutes to say goodbye to a process that no longer answers: what is left is ended without them.
        atexit.register(_leave, 1)
        _speak_or_end(_board[0], error)
        if isinstance(error, RuntimeError) and not isinstance(error, PeepholeError) and any(word in str(error) for word in LOST):
            raise _lost() from error
        raise
    finally:
        _board.clear()


def _lost() -> TrainingError:
    return TrainingError("another process of this training went away", "see what its machine says, then the same command with --resume")


def _speak_or_end(board: Store, error: BaseException) -> None:
    """Return in the one process that may tell the error; wait for the end of the others in all the rest."""
    with suppress(RuntimeError):  # the board goes with torchrun
        until = time.monotonic() + (0 if leads() else SPEAKS_FIRST)
        while time.monotonic() < until and not board.check(["failed"]):
            time.sleep(0.05)
        if board.add("failed", 1) == 1:
            if not leads():
                sys.stderr = sys.__stderr__
                if isinstance(error, PeepholeError):
                    error.what = f"process {rank()} on {socket.gethostname()}: {error.what}"
            return
    time.sleep(LINGER)
    _leave(1)


def _leave(code: int) -> NoReturn:
    """End this process at once."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def dismiss() -> None:
    """Let all but process 0 go: what is left takes one. They end when it ends, with its verdict."""
    if leads():
        return
    board = _board[0]
    try:
        while not board.check(["ended"]):
            if board.check(["failed"]):
                time.sleep(LINGER)
                _leave(1)
            time.sleep(0.1)
    except RuntimeError:  # torchrun is gone
        _leave(1)
    _leave(0)
