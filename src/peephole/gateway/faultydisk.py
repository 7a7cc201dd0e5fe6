"""A disk that breaks when it is told to, for SQLite: full, read-only, failing, or losing its power; a peer of the real one, for tests.

It is a file system of SQLite's own (a VFS, https://sqlite.org/vfs.html) that hands everything on to the computer's, and steps in at
writing and flushing. It knows what was flushed, and can show what a power cut at this moment would leave.
"""

import _sqlite3
import ctypes
import itertools
import random
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any, Literal

from peephole.base.errors import OutputError

__all__ = ["FaultyDisk", "Trouble"]

Trouble = Literal["full", "failing", "read-only"]
# SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY
CODES: dict[str, int] = {"full": 13, "failing": 10 | 3 << 8, "read-only": 8}
FAILED_FLUSH = 10 | 4 << 8  # SQLITE_IOERR_FSYNC
NUMBERS = itertools.count(1)
KNOWN: list["FaultyDisk"] = []  # SQLite knows them by their addresses until the end of the program


class _Vfs(Structure):
    """The head of sqlite3_vfs; the rest is copied as it is."""


OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)  # SQLite keeps the name by its address
WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_Vfs._fields_ = [
    ("version", c_int),
    ("size", c_int),
    ("longest", c_int),
    ("next", c_void_p),
    ("name", c_char_p),
    ("data", c_void_p),
    ("open", c_void_p),
    ("delete", c_void_p),
    ("rest", c_void_p * 14),
]


class _Methods(Structure):
    """sqlite3_io_methods: version, then one function after another."""

    _fields_ = [  # the form that ctypes asks for
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        ("rest", c_void_p * 13),
    ]


class FaultyDisk:
    """A disk by the name `name`, which SQLite takes as its `vfs`; `trouble` breaks it after `spared` more writes or flushes."""

    def __init__(self) -> None:
        """Tell SQLite of it; raises OutputError where SQLite's library cannot be reached."""
        self.name = f"faulty-{next(NUMBERS)}"
        self.trouble: Trouble | None = None
        self.spared = 0
        self.steps = 0
        self._content: dict[Path, bytearray] = {}  # as everybody sees the files now
        self._flushed: dict[Path, bytes] = {}
        self._since: dict[Path, list[tuple[int, bytes]]] = {}
        self._paths: dict[int, Path] = {}
        self._methods: dict[int, tuple[_Methods, Any]] = {}
        try:
            library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
            library.sqlite3_vfs_find.restype = POINTER(_Vfs)
            self._real = library.sqlite3_vfs_find(None)
            self._vfs = _Vfs.from_buffer_copy(self._real.contents)
            self._real_open = OPEN(self._vfs.open)
            self._real_delete = DELETE(self._vfs.delete)
            self._ours = OPEN(self._opened), DELETE(self._deleted)
            self._vfs.open, self._vfs.delete = (ctypes.cast(function, c_void_p) for function in self._ours)
            self._vfs.name = self.name.encode()
            library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0)
            KNOWN.append(self)
        except (OSError, AttributeError) as error:
            raise OutputError(f"SQLite's library cannot be reached: {error}", "a Python with SQLite as a library of its own has it") from error

    def _breaks(self) -> str | None:
        """Count a step, and say whether the disk is broken at it."""
        self.steps += 1
        if self.trouble is None:
            return None
        if self.spared > 0:
            self.spared -= 1
            return None
        return self.trouble

    def _opened(self, _vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        """Let the real file system open a file, then put our write, truncate and flush in place of its own."""
        path = None if name is None else Path(ctypes.string_at(name).decode())
        if path is not None and path not in self._content:  # before SQLite locks it: closing a file takes this process's locks away
            self._content[path] = bytearray(path.read_bytes() if path.is_file() else b"")
            self._flushed[path] = bytes(self._content[path])
        done = int(self._real_open(ctypes.cast(self._real, c_void_p), name, file, flags, out))
        place = ctypes.cast(file, POINTER(c_void_p))
        if done == 0 and place[0] and path is not None:
            self._paths[file] = path
            place[0] = ctypes.addressof(self._stepping_in(int(place[0])))
        return done

    def _deleted(self, _vfs: int, name: int, durable: int) -> int:
        """Let the real file system delete a file, and forget it."""
        for known in (self._content, self._flushed, self._since):
            known.pop(Path(ctypes.string_at(name).decode()), None)
        return int(self._real_delete(ctypes.cast(self._real, c_void_p), name, durable))

    def _stepping_in(self, real: int) -> _Methods:
        """Return a copy of the functions at `real` with ours in it, made once."""
        if real not in self._methods:
            copy = _Methods.from_buffer_copy(_Methods.from_address(real))
            write, sync, truncate = WRITE(copy.write), SYNC(copy.sync), TRUNCATE(copy.truncate)

            def writing(file: int, data: int, length: int, offset: int) -> int:
                trouble = self._breaks()
                if trouble is not None:
                    return CODES[trouble]
                self._note(self._paths[file], offset, ctypes.string_at(data, length))
                return int(write(file, data, length, offset))

            def flushing(file: int, flags: int) -> int:
                if self._breaks() == "failing":
                    return FAILED_FLUSH
                path = self._paths[file]
                self._flushed[path] = bytes(self._content[path])
                self._since.pop(path, None)
                return int(sync(file, flags))

            def cutting(file: int, size: int) -> int:
                trouble = self._breaks()
                if trouble is not None:
                    return CODES[trouble]
                del self._content[self._paths[file]][size:]
                return int(truncate(file, size))

            ours = (WRITE(writing), SYNC(flushing), TRUNCATE(cutting))
            copy.write, copy.sync, copy.truncate = (ctypes.cast(function, c_void_p) for function in ours)
            self._methods[real] = (copy, (write, sync, truncate, ours))
        return self._methods[real][0]

    def _note(self, path: Path, offset: int, data: bytes) -> None:
        """Remember a write that was not flushed yet."""
        _put(self._content[path], offset, data)
        self._since.setdefault(path, []).append((offset, data))

    def after_power_cut(self, folder: Path, seed: int | None = None) -> None:
        """Write into `folder` what a power cut now would leave: what was flushed, and with a `seed` some of the writes after it as well."""
        chance = random.Random(seed)
        for path, content in self._flushed.items():
            left = bytearray(content)
            for offset, data in self._since.get(path, []) if seed is not None else []:
                if chance.random() < 0.5:
                    _put(left, offset, data)
            if left:
                (folder / path.name).write_bytes(left)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
