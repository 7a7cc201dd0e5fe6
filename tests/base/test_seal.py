"""The seal: any change of a written file is found, files without one are read as before, and it is no signature."""

import hashlib
import random

import onnx
import pytest

from peephole.base.errors import HostileModelFile, ModelFileError
from peephole.base.modelfile import read_bytes
from peephole.base.modelwrite import write
from peephole.base.seal import SEAL_KEY, SEALED, digest, seal


def accepted(data: bytes, flips: list[tuple[int, int]]) -> int:
    """Count the changed files that are read all the same; each flip is (byte, bit)."""
    count = 0
    for at, bit in flips:
        broken = bytearray(data)
        broken[at] ^= 1 << bit
        try:
            read_bytes(bytes(broken), "flipped.onnx")
            count += 1
        except ModelFileError:
            pass
    return count


def every(data: bytes) -> list[tuple[int, int]]:
    """Return one bit of every byte, another one each time."""
    return [(at, at * 5 % 8) for at in range(len(data))]


def test_a_flipped_bit_anywhere_is_found(tiny_model_path):
    """One bit of each byte in turn, in weights, names, card and the seal itself: none is read."""
    data = tiny_model_path.read_bytes()
    assert accepted(data, every(data)) == 0


def test_without_a_seal_some_would_pass(tiny_model_path, tiny_graph, tiny_card):
    """Planted-bug twin: the same file without its seal is read with hundreds of its bits changed, so the test above can fail."""
    model = onnx.load(tiny_model_path)
    del model.metadata_props[-1]
    model.model_version = 0
    bare = model.SerializeToString()
    assert read_bytes(bare, "old.onnx").card == tiny_card
    assert accepted(bare, every(bare)) > 500


def test_many_flips_at_once(tiny_model_path):
    """Two to eight bits anywhere, 2,000 draws: none is read."""
    data, dice = tiny_model_path.read_bytes(), random.Random(11)
    count = 0
    for _ in range(2000):
        broken = bytearray(data)
        for at in dice.sample(range(len(data)), dice.randrange(2, 9)):
            broken[at] ^= 1 << dice.randrange(8)
        try:
            read_bytes(bytes(broken), "flipped.onnx")
            count += 1
        except ModelFileError:
            pass
    assert count == 0


def test_a_file_that_lost_its_seal_is_told(tiny_model_path):
    """Cut off, renamed or doubled, the seal is missed: the file says that it had one."""
    model = onnx.load(tiny_model_path)
    assert model.model_version == SEALED and model.metadata_props[-1].key == SEAL_KEY
    model.metadata_props[-1].key = "peephole.seam"
    with pytest.raises(HostileModelFile, match="seal does not fit") as caught:
        read_bytes(model.SerializeToString(), "door.onnx")
    assert "copy it again" in caught.value.hint
    with pytest.raises(HostileModelFile, match="seal"):
        read_bytes(tiny_model_path.read_bytes() + b"\x72\x00", "door.onnx")
    model.model_version = 0  # a file from before there were seals
    del model.metadata_props[-1]
    assert read_bytes(model.SerializeToString(), "door.onnx")


def test_the_digest_is_that_of_the_whole_file():
    """One pass gives what two would, also for files shorter than a seal."""
    for data in (b"", b"x", b"x" * 500, seal(b"body")):
        assert digest(data)[0] == hashlib.sha256(data).hexdigest()
    assert digest(seal(b"body"))[1] and not digest(b"body")[1] and not digest(seal(b"body") + b" ")[1]


def test_writing_again_seals_again(tmp_path, tiny_graph, tiny_card, tiny_model_path):
    """A graph that was read from a sealed file gets one new seal, not two."""
    path = tmp_path / "again.onnx"
    write(path, onnx.load(tiny_model_path), tiny_card)
    assert path.read_bytes() == tiny_model_path.read_bytes()
