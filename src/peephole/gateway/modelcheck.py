"""What `gate check` says of the model files: the live one's signature, the last good one, the shadow; nothing moves."""

from collections.abc import Iterator
from pathlib import Path

from peephole.base.errors import PeepholeError
from peephole.base.modelfile import read
from peephole.gateway.door import Door, last_good
from peephole.gateway.selftest import examine, require_signature, signer_of
from peephole.gateway.sentences import Part, problem

__all__ = ["inspect_models"]


def inspect_models(door: Door) -> Iterator[Part]:
    """Yield a part for the signature where a key is named, for the last good model where there is one, and for the shadow."""
    if door.key is not None:
        yield _signature(door)
    if last_good(door.model).exists():
        yield _fit("last good", door, last_good(door.model), "would run if the live model were lost")
    if door.shadow is not None:
        yield _fit("shadow", door, door.shadow, "looks on")


def _signature(door: Door) -> Part:
    try:
        signer = signer_of(door)
        assert signer is not None, "asked only where a key is named"
        require_signature(door.model, read(door.model).data, signer)
    except PeepholeError as error:
        return problem("signature", error)
    return Part("signature", "ok", f"{door.model.name} is signed by {signer.name} ({signer.fingerprint})")


def _fit(name: str, door: Door, path: Path, what: str) -> Part:
    try:
        return Part(name, "ok", f"{examine(door, path).named} is fit and {what}")
    except PeepholeError as error:
        return problem(name, error)
