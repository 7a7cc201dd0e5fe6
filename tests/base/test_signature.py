"""Signatures and keys: what is signed is all of the file, what is not is refused, and keys are kept safe."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from peephole.base.errors import InputError, MissingInput, ModelFileError, NotSigned, OutputError
from peephole.base.signature import SIZE, beside, keygen, public_key, require_signed, sign, signature_of


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Path]:
    """A private key and its public one."""
    return keygen(tmp_path / "door.key")


@pytest.fixture
def model(tmp_path, tiny_model_path) -> Path:
    """A model file that may be signed and changed."""
    return Path(shutil.copy(tiny_model_path, tmp_path / "door.onnx"))


def signed(model: Path, public: Path) -> bytes:
    """Return the signature by which a model file is accepted."""
    return require_signed(model.name, model.read_bytes(), signature_of(model), public_key(public))


def test_what_was_signed_is_accepted(model, keys):
    """The signature is the bare 64 bytes beside the file, and any other key refuses it."""
    private, public = keys
    assert sign(model, private) == model.with_name("door.onnx.sig") == beside(model)
    assert signed(model, public) == beside(model).read_bytes() and len(signed(model, public)) == SIZE
    _, other = keygen(model.with_name("other.key"))
    with pytest.raises(NotSigned, match="another key signed it") as caught:
        signed(model, other)
    assert "other.pub" in caught.value.what and "peephole sign door.onnx --key other.key" in caught.value.hint


def test_openssl_agrees(model, keys, require_program):
    """Nobody needs Peephole to verify a file."""
    sign(model, keys[0])
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", keys[1], "-rawin", "-in", model, "-sigfile", beside(model)]
    assert subprocess.run([require_program("openssl"), *map(str, words)], capture_output=True, check=True).returncode == 0


def only_the_front(name, data, signature, signer):
    """A check that leaves the last bytes out, as a bug could."""
    return require_signed(name, data[:2000], signature, signer)


def accepted(check, data, signature, signer) -> int:
    """Count the changed files that a check accepts: each byte changed in turn, one byte more, one less, none at all."""
    changed = [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]
    count = 0
    for each in (*changed, data + b"\0", data[:-1], b""):
        try:
            check("door.onnx", each, signature, signer)
            count += 1
        except NotSigned:
            pass
    return count


def test_every_byte_counts(model, keys):
    """A change of any byte, a byte more and a byte less are refused; a check that leaves bytes out is caught by the same count."""
    sign(model, keys[0])
    data, signer = model.read_bytes(), public_key(keys[1])
    assert accepted(require_signed, data, signature_of(model), signer) == 0
    front = load_pem_private_key(keys[0].read_bytes(), None).sign(data[:2000])
    assert accepted(only_the_front, data, front, signer) > 1000


def test_a_broken_signature_is_refused(model, keys):
    """Absent, empty, too long, a folder, a pipe, noise: a sentence each, and nobody waits for a pipe."""
    _, public = keys
    with pytest.raises(NotSigned, match=r"has no signature door\.onnx\.sig") as caught:
        signature_of(model)
    assert "peephole sign door.onnx" in caught.value.hint
    for data in (b"", b"x" * 63, b"x" * 65, b"x" * 192, b"x" * 10_000):
        beside(model).write_bytes(data)
        with pytest.raises(NotSigned, match="is no signature"):
            signature_of(model)
    beside(model).write_bytes(b"x" * SIZE)
    with pytest.raises(NotSigned):
        signed(model, public)
    beside(model).unlink()
    os.mkfifo(beside(model))
    with pytest.raises(NotSigned, match="is no signature"):
        signature_of(model)
    beside(model).unlink()
    beside(model).mkdir()
    with pytest.raises(NotSigned):
        signature_of(model)


def test_two_signatures_while_a_model_is_exchanged(model, keys):
    """A file of two signatures fits the old file and the new one, and returns the one that fits."""
    private, public = keys
    old = (sign(model, private)).read_bytes()
    beside(model).write_bytes(b"n" * SIZE + old)
    assert signed(model, public) == old


def test_keys_are_kept_safe(tmp_path):
    """Nobody else may read the private key from its first moment on, and no key is written over."""
    before = os.umask(0)
    try:
        private, public = keygen(tmp_path / "door.key")
    finally:
        os.umask(before)
    assert (private.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    kept = private.read_bytes(), public.read_bytes()
    with pytest.raises(InputError, match="never written over"):
        keygen(private)
    private.unlink()
    with pytest.raises(InputError, match=r"door\.pub is there already"):
        keygen(private)
    assert public.read_bytes() == kept[1] and not private.exists()
    private.symlink_to(tmp_path / "elsewhere")
    public.unlink()
    with pytest.raises(InputError, match="never written over"):
        keygen(private)
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(InputError, match="name of a public key"):
        keygen(tmp_path / "a.pub")
    with pytest.raises(OutputError, match="cannot be written"):
        keygen(tmp_path / "none" / "door.key")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o610])
def test_a_private_key_that_others_may_read_signs_nothing(model, keys, mode):
    """Refused with the command that mends it."""
    keys[0].chmod(mode)
    with pytest.raises(InputError, match="may be read by others") as caught:
        sign(model, keys[0])
    assert "chmod 600" in caught.value.hint and not beside(model).exists()


def test_a_public_key_that_everybody_may_write_proves_nothing(keys):
    """Refused with the command that mends it."""
    keys[1].chmod(0o666)
    with pytest.raises(InputError, match="may be written by everybody"):
        public_key(keys[1])


def test_other_files_are_no_keys(model, keys, tmp_path):
    """Swapped keys, other kinds, locked ones, folders, pipes and large files are told for what they are."""
    private, public = keys
    with pytest.raises(InputError, match="is a private key, which should not leave the bench"):
        public_key(private)
    with pytest.raises(InputError, match="which cannot sign"):
        public.chmod(0o600)
        sign(model, public)
    other = generate_private_key(SECP256R1())
    files = {
        "curve.pub": other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "curve.key": other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "locked.key": other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "text.pub": b"ssh-ed25519 AAAA me@here",
        "long.pub": b"x" * 5000,
        "empty.pub": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    for name, words in [("curve.pub", "another kind"), ("text.pub", "no public key"), ("long.pub", "5,000 bytes"), ("empty.pub", "no public key")]:
        with pytest.raises(InputError, match=words):
            public_key(tmp_path / name)
    for name, words in [("curve.key", "another kind"), ("locked.key", "password"), ("text.pub", "no private key")]:
        with pytest.raises(InputError, match=words):
            sign(model, tmp_path / name)
    os.mkfifo(tmp_path / "pipe.pub", 0o600)
    (tmp_path / "folder.pub").mkdir(0o700)
    for name in ("pipe.pub", "folder.pub"):
        with pytest.raises(InputError):
            public_key(tmp_path / name)
    with pytest.raises(MissingInput, match="peephole keygen"):
        public_key(tmp_path / "none.pub")


def test_only_model_files_are_signed(keys, tmp_path):
    """A hostile file gets no signature, for a signature is trusted later."""
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x01" + bytes(50))
    with pytest.raises(ModelFileError):
        sign(tmp_path / "bad.onnx", keys[0])
    assert not (tmp_path / "bad.onnx.sig").exists()
