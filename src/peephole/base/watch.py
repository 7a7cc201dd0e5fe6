"""Who watches long work: a silent watcher, to be subclassed by what draws progress.

The bench half reports through it without knowing of terminals or pages.
"""

__all__ = ["Watcher"]


class Watcher:
    """Hears how far the work is; this one keeps silent."""

    def stage(self, text: str) -> None:
        """A new stage begins."""

    def progress(self, done: int, total: int) -> None:
        """So much of the stage is done."""

    def learned(self, step: int, steps: int, loss: float, held_out: float | None) -> None:
        """Training moved on; `held_out` is the share of right answers on held-out examples, where there are any."""

    def said(self, text: str) -> None:
        """Something the user should read."""
