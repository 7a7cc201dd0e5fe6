"""What DOOR.toml's [remote] and the status mean, in plain words, and what is missing for them; for sentences and inspection."""

from collections.abc import Iterator

from peephole.base.errors import InputError
from peephole.gateway.door import Door
from peephole.gateway.parts import Part, problem
from peephole.gateway.remote import LIFE, topics
from peephole.gateway.remotekeys import LEAST
from peephole.gateway.secret import read_by_others, read_secret

__all__ = ["explained", "looked_at"]


def explained(door: Door) -> Iterator[str]:
    """Yield a sentence for each key."""
    settings = door.settings
    if settings.broker is not None:
        yield (
            f"How the gate is stands on the broker at peephole/{settings.gate.name}/status, renewed every 30 s and at every change; "
            "when the gate is gone, the broker says so."
        )
    if settings.remote is None:
        return
    heard, _ = topics(settings.gate.name)
    opening = ", ".join(sorted(door.remote or ()))
    may = f"They may also open ({opening}), whoever stands there, unless the door is locked or cooling down." if opening else "They cannot open."
    yield (
        f"Commands from afar come over {heard}: lock (shut until unlock, also after a restart), unlock (ends a lock or a lockout), status. Each must "
        f"be signed with the secret in {settings.remote.secret.file}, unretained, new, and good for {LIFE} s at most. {may}"
    )


def looked_at(door: Door) -> Iterator[Part]:
    """Yield the file with the secret."""
    remote = door.settings.remote
    if remote is None:
        return
    path = door.folder / remote.secret.file
    try:
        read_secret(path, "the secret of remote commands", LEAST)
    except InputError as error:
        hint = f"make one: peephole gate secret {door.path}" if not path.exists() else error.hint
        yield problem("remote", InputError(error.what, hint))
        return
    if read_by_others(path):
        yield Part("remote", "problem", f"{path} may be read by others on this computer, who could then sign commands", f"chmod 600 {path}")
    else:
        yield Part("remote", "ok", f"{path} holds the secret, for its owner alone to read")
