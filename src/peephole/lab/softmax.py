"""Softmax, the loss that goes with it, its derivatives, and dropout: the formulas of a last layer, exact and without overflow.

p_i = e^(z_i - max z) / sum of all; loss = -log p_y; its gradient on z is p - onehot(y); the Jacobian of p is diag(p) - p p^T.
"""

import numpy as np

from peephole.base.errors import InputError

__all__ = ["cross_entropy", "dropout", "jacobian", "slope", "softmax"]


def _logits(z: np.ndarray) -> np.ndarray:
    logits = np.asarray(z, np.float64)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise InputError("softmax needs at least one number", "softmax([2, 1, 0])")
    return logits


def softmax(z: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return shares (..., labels) 0..1 that add up to 1; a temperature above 1 evens them out, one below 1 sharpens them."""
    if not temperature > 0:
        raise InputError(f"a temperature is above 0, not {temperature:g}", "temperature 1 changes nothing")
    tempered = _logits(z) / temperature
    powers = np.exp(tempered - tempered.max(-1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return shares


def _label(z: np.ndarray, label: int) -> np.ndarray:
    logits = _logits(z)
    if logits.ndim != 1 or not 0 <= label < len(logits):
        raise InputError(f"label {label} is none of {logits.shape[-1]}", "labels count from 0")
    return logits


def cross_entropy(z: np.ndarray, label: int) -> float:
    """Return -log p_label of the logits (labels,), computed as log(sum of e^z) - z_label, so that a share of 0 gives no infinity."""
    logits = _label(z, label)
    top = logits.max()
    return float(np.log(np.exp(logits - top).sum()) + top - logits[label])


def slope(z: np.ndarray, label: int) -> np.ndarray:
    """Return the gradient of the cross-entropy on the logits (labels,): p - onehot(label); it adds up to 0."""
    gradient: np.ndarray = softmax(_label(z, label)) - np.eye(len(z))[label]
    return gradient


def jacobian(z: np.ndarray) -> np.ndarray:
    """Return how each share changes with each logit (labels, labels): diag(p) - p p^T; rows add up to 0."""
    shares = softmax(z)
    return np.diag(shares) - np.outer(shares, shares)


def dropout(x: np.ndarray, mask: np.ndarray, share: float) -> np.ndarray:
    """Return inverted dropout: x * mask / (1 - share), so that the mean stays x; mask 1 keeps a neuron, 0 drops it; 0 <= share < 1.

    When a network is used instead of trained nothing is dropped: share 0 and a mask of ones change nothing.
    """
    values, kept = np.asarray(x, np.float64), np.asarray(mask, np.float64)
    if not 0 <= share < 1:
        raise InputError(f"the share that is dropped is at least 0 and below 1, not {share:g}", "0.4 drops four of ten")
    if values.shape != kept.shape or not np.isin(kept, (0, 1)).all():
        raise InputError("a mask has a 0 or a 1 for each number", "dropout([.2, .4], [1, 0], .4)")
    scaled: np.ndarray = values * kept / (1 - share)
    return scaled
