"""The keys of DOOR.toml's [remote]."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictStr

from peephole.base.settings import Section

__all__ = ["LEAST", "Remote", "SecretFile"]

LEAST = 32  # letters: 128 bits at least, where they are hexadecimal


class SecretFile(Section):
    """Where the secret stands that commands are signed with; never in DOOR.toml itself."""

    file: Annotated[StrictStr, Field(min_length=1)]


class Remote(Section):
    """Whether commands from afar are heard, signed with `secret`; `may_open`: they may also open, as whoever has the secret pleases."""

    secret: SecretFile
    may_open: StrictBool = False
