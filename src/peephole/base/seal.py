"""The seal: the sha256 of a model file's bytes as its last metadata entry, so that a file which a broken disk changed is not run.

It finds accidents. Whoever changes a file on purpose can seal it anew; against that there are signatures (see signature).
"""

import hashlib
import mmap

__all__ = ["SEALED", "SEAL_KEY", "digest", "seal"]

SEAL_KEY = "peephole.seal"
# The file's model_version when it has a seal: one changed bit in the seal's own name must not make the file pass for one that never had any.
SEALED = 0x5EA1
METADATA = 14  # the field of onnx.ModelProto


def _entry(digits: str) -> bytes:
    """Write a metadata entry as protobuf does: a field of two fields, each a tag, a length and its text."""
    key, value = SEAL_KEY.encode(), digits.encode()
    inner = bytes([1 << 3 | 2, len(key)]) + key + bytes([2 << 3 | 2, len(value)]) + value
    return bytes([METADATA << 3 | 2, len(inner)]) + inner


SIZE = len(_entry("0" * 64))


def seal(body: bytes) -> bytes:
    """Return a file's bytes with their seal, which is whole protobuf still."""
    return body + _entry(hashlib.sha256(body).hexdigest())


def digest(data: bytes | mmap.mmap) -> tuple[str, bool]:
    """Return the sha256 of a whole file, in hex, and whether its last bytes are the seal of those before; one pass and no copy."""
    view = memoryview(data)
    body = max(0, len(data) - SIZE)
    found = hashlib.sha256(view[:body])
    fits = bytes(view[body:]) == _entry(found.hexdigest())
    found.update(view[body:])
    return found.hexdigest(), fits
