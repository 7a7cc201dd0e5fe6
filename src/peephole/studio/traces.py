"""The traces that pages look at: the last ones, as many as fit into memory, by an id that the same model, picture and edits always get."""

import hashlib
import threading
from collections import OrderedDict

from peephole.base.errors import MissingInput
from peephole.explain.trace import Trace

__all__ = ["Traces", "name_of"]

MOST_BYTES = 250_000_000
MOST = 500  # traces, however small


def name_of(trace: Trace) -> str:
    """Return the trace's id: hex of what went in."""
    told = f"{trace.model_sha256} {trace.input_sha256} {[(edit.tensor, edit.index, edit.value) for edit in trace.edits]}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


class Traces:
    """Keeps traces by their ids until newer ones need the room; `open_to_all` are those that whoever reaches the page may read."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """Keep at most `most` bytes of values, but always the newest trace."""
        self._most, self._kept = most, OrderedDict[str, tuple[Trace, bool]]()
        self._lock = threading.Lock()

    def keep(self, trace: Trace, *, open_to_all: bool) -> str:
        """Keep a trace and return its id."""
        name = name_of(trace)
        with self._lock:
            self._kept[name] = (trace, open_to_all)
            self._kept.move_to_end(name)
            while len(self._kept) > MOST or (len(self._kept) > 1 and sum(_size(each) for each, _ in self._kept.values()) > self._most):
                self._kept.popitem(last=False)
        return name

    def find(self, name: str, *, owner: bool) -> Trace:
        """Return the trace of that id; raises MissingInput when it is no longer there, or not for this visitor."""
        with self._lock:
            trace, open_to_all = self._kept.get(name, (None, False))
        if trace is None or not (owner or open_to_all):
            raise MissingInput("this picture's layers are no longer in memory", "show the picture again")
        return trace


def _size(trace: Trace) -> int:
    """Return the bytes of what this trace alone has: its values and the weights that were changed; the others are the model's."""
    changed = {edit.tensor for edit in trace.edits}
    return 4 * (sum(layer.count for layer in trace.layers) + sum(tensor.count for tensor in trace.tensors if tensor.name in changed))
