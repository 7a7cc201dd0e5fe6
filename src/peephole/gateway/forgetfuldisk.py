"""A disk whose power is cut, or that fails, at any step; a peer of the computer's own, all in memory.

It keeps apart what programs see and what is on the platter. After a cut, whatever was not synced may be there or not: names in any
combination, contents whole, half, zero or empty (cf. Pillai et al. 2014, "All File Systems Are Not Created Equal").
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, combinations, product
from pathlib import Path

__all__ = ["ForgetfulDisk", "PowerCut"]

ALL_WAYS = 8  # unsynced names up to which every combination is tried; beyond, every prefix and every single loss


class PowerCut(BaseException):
    """The power is gone: no program catches this."""


class ForgetfulDisk:
    """Counts steps; after `cut` of them the power goes, after `fails` of them every write fails with `error` (None: neither)."""

    def __init__(self, files: Mapping[Path, bytes], *, cut: int | None = None, fails: int | None = None, error: int = errno.EIO) -> None:
        self._contents: list[bytes] = list(files.values())
        self._synced: list[bool] = [True] * len(files)
        self._names: dict[Path, int] = {path: number for number, path in enumerate(files)}
        self._platter = dict(self._names)
        self._pending: list[Callable[[dict[Path, int]], object]] = []
        self._cut, self._fails, self._error = cut, fails, error
        self.steps = 0

    def _step(self, writes: bool = True) -> None:
        self.steps += 1
        if self._cut is not None and self.steps > self._cut:
            raise PowerCut
        if writes and self._fails is not None and self.steps > self._fails:
            raise OSError(self._error, errno.errorcode[self._error])

    def _name(self, change: Callable[[dict[Path, int]], object]) -> None:
        change(self._names)
        self._pending.append(change)

    @property
    def files(self) -> dict[Path, bytes]:
        """What programs see."""
        return {path: self._contents[number] for path, number in self._names.items()}

    def read(self, path: Path) -> bytes:
        """Return the bytes of a file."""
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
        return self._contents[self._names[path]]

    def create(self, path: Path, data: bytes, sync: bool) -> None:
        """Write a file under its own name: three steps, the last one left out without `sync`."""
        self._step()
        number = len(self._contents)
        self._contents.append(b"")
        self._synced.append(False)
        self._name(lambda names: names.__setitem__(path, number))
        self._step()
        self._contents[number] = data
        if sync:
            self._step()
            self._synced[number] = True

    def overwrite(self, path: Path, data: bytes) -> None:
        """Write into a file where it stands, as no careful program does."""
        self._step()
        number = self._names[path]
        self._contents[number], self._synced[number] = data, False
        self._step()
        self._synced[number] = True

    def draft(self, path: Path, data: bytes, mode: int) -> Path:
        """Write a new file beside `path` and sync it; one that fails is taken away."""
        made = path.with_name(f".{path.name}.{len(self._contents)}")
        try:
            self.create(made, data, True)
        except OSError:
            self.remove(made)
            raise
        return made

    def rename(self, draft: Path, path: Path) -> None:
        """Give a draft its name."""
        self._step()
        number = self._names[draft]

        def change(names: dict[Path, int]) -> None:
            names.pop(draft, None)
            names[path] = number

        self._name(change)

    def sync(self, folder: Path) -> None:
        """See all names onto the platter; there is one folder."""
        self._step()
        self._platter, self._pending = dict(self._names), []

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there; a full disk can do that too."""
        self._step(writes=False)
        self._name(lambda names: names.pop(path, None))

    def after_cut(self) -> Iterator[dict[Path, bytes]]:
        """Yield every folder that may be found when the power is back."""
        for kept in self._kept():
            names = dict(self._platter)
            for change in kept:
                change(names)
            yield from self._found(names)

    def _kept(self) -> Iterator[tuple[Callable[[dict[Path, int]], object], ...]]:
        changes = tuple(self._pending)
        if len(changes) <= ALL_WAYS:
            yield from chain.from_iterable(combinations(changes, count) for count in range(len(changes) + 1))
            return
        yield from (changes[:count] for count in range(len(changes) + 1))
        yield from (changes[:at] + changes[at + 1 :] for at in range(len(changes)))

    def _found(self, names: Mapping[Path, int]) -> Iterator[dict[Path, bytes]]:
        """Yield every way in which contents that were not synced may have come to lie on the platter."""
        ways = []
        for number in names.values():
            data = self._contents[number]
            whole = self._synced[number]
            ways.append((data,) if whole else tuple(dict.fromkeys((data, data[: len(data) // 2], bytes(len(data)), b""))))
        for found in product(*ways):
            yield dict(zip(names, found, strict=True))
