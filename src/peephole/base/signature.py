"""Who made a model file: Ed25519 over all of its bytes, in a file of its own beside it.

`door.onnx.sig` holds the bare 64 bytes, which `openssl pkeyutl -verify -rawin` reads too; while a model is exchanged it holds two
signatures, one for the old file and one for the new (see gateway/swap). Keys are PEM. A private key never leaves the bench.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from peephole.base.errors import InputError, MissingInput, NotSigned, OutputError
from peephole.base.files import write_atomic
from peephole.base.modelfile import read

__all__ = ["SIZE", "Signer", "beside", "keygen", "public_key", "require_signed", "sign", "signature_of"]

SIZE = 64  # bytes of one signature
MOST = 2  # signatures in one file: the old model's and the new one's
MAX_KEY = 4096  # bytes; an Ed25519 key in PEM has 119
READABLE, WRITABLE = 0o077, 0o002
QUIET = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe must not keep us waiting for its other end


@dataclass(frozen=True, eq=False)
class Signer:
    """A public key: `name` of its file, and the `key` itself."""

    name: str
    key: Ed25519PublicKey

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the sha256 of the key's 32 bytes, to be compared by eye."""
        return hashlib.sha256(self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def beside(model: Path) -> Path:
    """Return where a model file's signature stands."""
    return model.with_name(f"{model.name}.sig")


def keygen(private: Path) -> tuple[Path, Path]:
    """Make a key pair: `private` (mode 0600) and the public key beside it, ending in .pub; never writes over anything.

    Raises InputError when either is there, OutputError when they cannot be written.
    """
    public = private.with_suffix(".pub")
    if public == private:
        raise InputError(f"{private} is the name of a public key", "name the private one: peephole keygen -o door.key")
    for path in (private, public):
        if path.is_symlink() or path.exists():
            raise InputError(f"{path} is there already, and keys are never written over", "choose another name: peephole keygen -o NAME.key")
    key = Ed25519PrivateKey.generate()
    _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    try:
        _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except (OutputError, InputError):
        private.unlink(missing_ok=True)  # made a moment ago; nobody has signed with it
        raise
    return private, public


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that was not there before, with its permissions from its first moment on."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise InputError(f"{path} is there already, and keys are never written over", "choose another name: peephole keygen -o NAME.key") from None
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}",
            "make room there, correct the permissions, or choose another place",
        ) from error


def sign(model: Path, private: Path) -> Path:
    """Check a model file, sign its bytes with a private key and return the path of the signature, which takes the place of an older one."""
    checked = read(model)
    return write_atomic(beside(model), _private_key(private).sign(checked.data))


def public_key(path: Path) -> Signer:
    """Read a public key; raises MissingInput, or InputError for what is none or may be written by everybody."""
    data = _key_bytes(path, WRITABLE, "may be written by everybody, so it proves nothing", f"chmod 644 {path}")
    if b"PRIVATE KEY" in data:
        raise InputError(f"{path} is a private key, which should not leave the bench", "give the public one, which ends in .pub")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} is no public key", "make a pair: peephole keygen -o door.key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path} is a public key of another kind than Ed25519", "make a pair: peephole keygen -o door.key")
    return Signer(path.name, key)


def _private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key that nobody else may read."""
    data = _key_bytes(path, READABLE, "may be read by others, so anybody could sign", f"chmod 600 {path}, or make a new pair: peephole keygen")
    if b"PUBLIC KEY" in data:
        raise InputError(f"{path} is a public key, which cannot sign", "give the private one, which ends in .key")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise InputError(f"{path} is locked with a password, which is not supported", f"openssl pkey -in {path} -out door.key") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} is no private key", "make a pair: peephole keygen -o door.key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} is a private key of another kind than Ed25519", "make a pair: peephole keygen -o door.key")
    return key


def _key_bytes(path: Path, forbidden: int, why: str, hint: str) -> bytes:
    """Return a key file's bytes; its kind, size and permissions are those of the open file, not of a name that may change."""
    try:
        handle = os.open(path, QUIET)
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_KEY:
                raise InputError(f"{path} is no key: {'it has ' + format(facts.st_size, ',') + ' bytes' if facts.st_size else 'it is no file'}", hint)
            if facts.st_mode & forbidden:
                raise InputError(f"{path} {why}", hint)
            return file.read(MAX_KEY)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInput(f"there is no key {path}", "make a pair: peephole keygen -o door.key") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"the key {path} cannot be read: {getattr(error, 'strerror', None) or error}", "check the path and permissions") from error


def signature_of(model: Path) -> bytes:
    """Return the bytes beside a model file, one signature or two; raises NotSigned when there are none or they are no signature."""
    path = beside(model)
    hint = f"sign it where the private key is: peephole sign {model.name} --key door.key, and copy {path.name} too"
    try:
        handle = os.open(path, QUIET)
        with os.fdopen(handle, "rb") as file:
            data = file.read(SIZE * MOST + 1) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    except (FileNotFoundError, NotADirectoryError):
        raise NotSigned(f"{model.name} has no signature {path.name}", hint) from None
    except OSError as error:
        raise NotSigned(f"the signature {path} cannot be read: {error.strerror or error}", hint) from error
    if len(data) not in range(SIZE, SIZE * MOST + 1, SIZE):
        raise NotSigned(f"{path} is no signature, which has {SIZE} bytes", hint)
    return data


def require_signed(name: str, data: bytes, signatures: bytes, signer: Signer) -> bytes:
    """Return the one of the `signatures` that the key made over `data`, the whole file called `name`; raises NotSigned."""
    for at in range(0, len(signatures), SIZE):
        try:
            signer.key.verify(signatures[at : at + SIZE], data)
        except InvalidSignature:
            continue
        return signatures[at : at + SIZE]
    raise NotSigned(
        f"{name} is not what {signer.name} ({signer.fingerprint}) signed: it was changed, or another key signed it",
        f"sign this very file: peephole sign {name} --key {Path(signer.name).stem}.key",
    )
