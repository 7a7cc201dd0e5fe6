"""The quick way through a network while it learns on a processor; the numbers stay those of the network as drawn.

PyTorch calls oneDNN (Intel's kernels, part of every PyTorch for PCs) for convolutions in any layout, but for max pooling, ReLU and
their gradients only where the tensor already lies in oneDNN's own layout. So from the first convolution to the flatten it stays
there, and a step without such a kernel gets it back as it was. The lab-11 network learns a quarter faster (docs/log.md).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["suits", "through"]


def suits(x: torch.Tensor) -> bool:
    """Tell whether this batch may go the quick way: on a PC's processor, in a PyTorch that has oneDNN."""
    able: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return able and x.device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX")


def _convolve(step: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Convolve with the weights in the precision of `x`; their gradient flows back through the change of precision."""
    weight, bias = step.weight.to(x.dtype), None if step.bias is None else step.bias.to(x.dtype)
    done: torch.Tensor = torch.ops.aten.mkldnn_convolution(x, weight, bias, step.padding, step.stride, step.dilation, step.groups)
    return done


def _pool(step: nn.MaxPool2d, x: torch.Tensor) -> torch.Tensor:
    done: torch.Tensor = torch.mkldnn_max_pool2d(x, step.kernel_size, step.stride, step.padding, step.dilation, step.ceil_mode)
    return done


def _as_drawn(step: nn.Module, x: torch.Tensor) -> torch.Tensor:
    done: torch.Tensor = step(x)
    return done


_IN_ITS_LAYOUT: dict[type[nn.Module], Callable[[Any, torch.Tensor], torch.Tensor]] = {
    nn.Conv2d: _convolve,
    nn.MaxPool2d: _pool,
    nn.ReLU: _as_drawn,
    nn.BatchNorm2d: _as_drawn,
}


def _drop(step: nn.Dropout, x: torch.Tensor) -> torch.Tensor:
    """Drop each value with probability p, in steps of 1/65536: four draws from one random number, six times as fast as nn.Dropout."""
    numbers = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    draws = numbers.view(torch.int16)[: x.numel()].view(x.shape)  # evenly from -32768..32767
    kept = draws >= round(step.p * 65536) - 32768
    return x * (kept.to(x.dtype) * (1 / (1 - step.p)))


def through(step: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Take a batch, in either layout, through one step: a convolution brings it into oneDNN's layout, a step without a kernel back."""
    if type(step) is nn.Dropout and not x.is_mkldnn and 0 < step.p < 1:
        return _drop(step, x)
    block = getattr(step, "any_layout", False)
    if (block or isinstance(step, nn.Conv2d)) and not x.is_mkldnn:
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        x = x.contiguous().to(precision).to_mkldnn()
    if block:  # it brings its own steps here
        return _as_drawn(step, x)
    run = _IN_ITS_LAYOUT.get(type(step)) if x.is_mkldnn else None
    if run:
        return run(step, x)
    if x.is_mkldnn:
        x = x.to_dense() if isinstance(step, nn.Flatten) else x.to_dense().contiguous(memory_format=torch.channels_last)
    return _as_drawn(step, x)
