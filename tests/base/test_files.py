"""Writing whole or not at all."""

import os
from pathlib import Path

import pytest

from peephole.base.errors import OutputError
from peephole.base.files import write_atomic


def test_bytes_and_texts_are_written(tmp_path):
    """Text becomes UTF-8, folders are made, the old content is replaced, and nothing is left beside it."""
    path = tmp_path / "new" / "folder" / "a.txt"
    assert write_atomic(str(path), "한글") == path
    assert path.read_text("utf-8") == "한글"
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_long_and_odd_names(tmp_path):
    """A name as long as the file system takes, and one in another script, can be written."""
    for name in ("n" * 250, "문-앞.onnx", ".hidden", "a b\nc"):
        assert write_atomic(tmp_path / name, b"x").read_bytes() == b"x"


@pytest.mark.parametrize("fails", ["fsync", "fdopen"])
def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch, fails):
    """When the disk fails in the middle, the old file stays whole and no half file lies beside it."""
    path = write_atomic(tmp_path / "a.bin", b"old")
    real = getattr(os, fails)

    def broken(handle, *rest):
        if fails == "fdopen":
            os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, broken)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_atomic(path, b"new" * 1000)
    monkeypatch.setattr(os, fails, real)
    assert caught.value.hint
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_where_nothing_can_be_written(tmp_path):
    """Below a plain file, onto a folder and in a file system of the kernel: one sentence, and nothing is harmed."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_bytes(b"kept")
    for path in (tmp_path / "file" / "a.bin", tmp_path / "folder", Path("/proc/a.bin")):
        with pytest.raises(OutputError, match="cannot be written"):
            write_atomic(path, b"new")
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert (tmp_path / "folder" / "inside").read_bytes() == b"kept"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the permissions of a folder do not bind root")
def test_a_read_only_folder(tmp_path):
    """A folder that may not be written to is told."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            write_atomic(tmp_path / "a.bin", b"new")
    finally:
        tmp_path.chmod(0o700)
