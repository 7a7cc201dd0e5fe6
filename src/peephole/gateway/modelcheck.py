"""What `gate check` says of the model files: the live one's signature, the last good one, the shadow; nothing moves."""

from collections.abc import Iterator
from pathlib import Path

from peephole.base.errors import PeepholeError, SettingsError
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
        yield _last_good(door)
    if door.shadow is not None:
        yield _shadow(door, door.shadow)


def _signature(door: Door) -> Part:
    try:
        signer = signer_of(door)
        assert signer is not None, "asked only where a key is named"
        require_signature(door.model, read(door.model).data, signer)
    except PeepholeError as error:
        return problem("signature", error)
    return Part("signature", "ok", f"{door.model.name} is signed by {signer.name} ({signer.fingerprint})")


def _shadow(door: Door, path: Path) -> Part:
    try:
        return Part("shadow", "ok", f"{examine(door, path).named} is fit and looks on")
    except PeepholeError as error:
        return problem("shadow", error)


def _last_good(door: Door) -> Part:
    """Somebody who was enrolled since is no fault of the gate's, which runs; but the model that would take over does not know them."""
    path = last_good(door.model)
    try:
        return Part("last good", "ok", f"{examine(door, path).named} is fit and would run if the live model were lost")
    except SettingsError as error:
        told = f"{path.name} could not take over if the live model were lost, until the next promotion replaces it: {error.what}"
        return Part("last good", "note", told)
    except PeepholeError as error:
        return problem("last good", error)
