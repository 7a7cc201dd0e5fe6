"""Who is the owner: a code that stands in the terminal, exchanged once for a cookie; wrong codes have a price that restarts do not lower.

Knows nothing of HTTP. What is kept lies in one folder that only its user can read: a secret, digests of sessions, and the count of failures.
"""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from peephole.base.errors import OutputError
from peephole.base.files import write_atomic
from peephole.gateway.lockout import Kept, Patience, cleared, failed, restarted

__all__ = ["Auth", "Refusal"]

# No 0 and O, 1, I and L: the code is also read aloud and typed.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 10
PATIENCE = Patience(after=5, seconds=30.0, disable_after=50)
MOST_SESSIONS = 20
DAYS = 30


@dataclass(frozen=True)
class Refusal:
    """Why a code was not taken: `key` names the sentence on the page, `seconds` how long nobody is heard (0: try again at once)."""

    key: str
    seconds: float = 0.0


class Auth:
    """The code of this start, the sessions of this computer, and how patient it still is."""

    def __init__(self, folder: Path, *, unlock: bool = False) -> None:
        """Open what is kept in `folder`, which is made; `unlock` forgets the wrong codes. Raises OutputError when it cannot be written."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)  # it may have been made by somebody else's unpacking
            secret = folder / "secret"
            if not secret.is_file() or secret.stat().st_size < 32:
                write_atomic(secret, secrets.token_bytes(32), mode=0o600)
            secret.chmod(0o600)
            # With the file's number on this disk: a folder that was copied, or unpacked from a stranger's archive, brings no sessions along.
            self._secret = hashlib.sha256(secret.read_bytes() + f" {secret.stat().st_ino}".encode()).digest()
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be used: {error.strerror or error}", "choose a folder that you can write to: peephole studio FOLDER"
            ) from error
        self.code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._lockout = restarted(PATIENCE, Kept(failures=0 if unlock else self._count()), time.monotonic())
        if unlock:
            self._remember()

    def fresh(self) -> str:
        """Return a new visitor's id: unguessable, and nothing by itself."""
        return secrets.token_urlsafe(24)

    def token(self, visitor: str) -> str:
        """Return what a page must send back with every change: no other site can read it (synchroniser token)."""
        return hmac.new(self._secret, f"token {visitor}".encode(), hashlib.sha256).hexdigest()

    def fits(self, visitor: str, token: str) -> bool:
        """Whether the token is this visitor's."""
        return bool(visitor) and hmac.compare_digest(self.token(visitor).encode(), token.encode())

    def is_owner(self, visitor: str) -> bool:
        """Whether this visitor has given the code within the last 30 days."""
        made = self._sessions().get(self._digest(visitor), 0.0) if visitor else 0.0
        return 0 <= time.time() - made < DAYS * 86400 if made else False

    def let_in(self, code: str) -> str | Refusal:
        """Return a new visitor's id, that of an owner, for the right code; else why not."""
        now = time.monotonic()
        if self._lockout.kept.failures >= PATIENCE.disable_after:
            return Refusal("login.disabled")
        if now < self._lockout.until:
            return Refusal("login.wait", self._lockout.until - now)
        # Counted before it is compared: whoever cuts the power at a wrong code has spent it.
        before = self._lockout
        self._lockout = failed(PATIENCE, before, now)
        self._remember()
        if not hmac.compare_digest(code.strip().upper().replace("-", "").encode(errors="replace"), self.code.encode()):
            return Refusal("login.wrong", max(0.0, self._lockout.until - now))
        self._lockout = cleared(before)
        self._remember()
        visitor = self.fresh()
        sessions = self._sessions() | {self._digest(visitor): time.time()}
        newest = sorted(sessions.items(), key=lambda each: each[1])[-MOST_SESSIONS:]
        self._write("sessions.json", dict(newest))
        return visitor

    def let_out(self, visitor: str) -> None:
        """Forget a session."""
        self._write("sessions.json", {name: made for name, made in self._sessions().items() if name != self._digest(visitor)})

    def _digest(self, visitor: str) -> str:
        return hmac.new(self._secret, f"session {visitor}".encode(), hashlib.sha256).hexdigest()

    def _sessions(self) -> dict[str, float]:
        found = self._read("sessions.json")
        return {name: float(made) for name, made in found.items() if isinstance(made, int | float)} if isinstance(found, dict) else {}

    def _count(self) -> int:
        """Return the failures on disk; what cannot be read counts as one failure short of disabled, not as none."""
        if not (self._folder / "failures.json").exists():
            return 0
        found = self._read("failures.json")
        count = found.get("failures") if isinstance(found, dict) else None
        return count if isinstance(count, int) and 0 <= count <= PATIENCE.disable_after else PATIENCE.disable_after - 1

    def _remember(self) -> None:
        self._write("failures.json", {"failures": self._lockout.kept.failures})

    def _read(self, name: str) -> object:
        try:
            return json.loads((self._folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def _write(self, name: str, value: object) -> None:
        write_atomic(self._folder / name, json.dumps(value, sort_keys=True), mode=0o600)
