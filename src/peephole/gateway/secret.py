"""Secrets stand in files of their own beside DOOR.toml, never in it, and are never printed."""

from pathlib import Path

from peephole.base.errors import InputError

__all__ = ["read_by_others", "read_secret"]

MOST = 1000


def read_secret(path: Path, what: str, least: int = 1) -> str:
    """Return the one line that a file holds; raises InputError, without the secret, when it cannot be read or has under `least` letters.

    `what` names it in the error: "the broker's password".
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(10 * MOST).strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{what} cannot be read from {path}: {getattr(error, 'strerror', None) or error}", "write it there") from error
    if not text or len(text) > MOST or not text.isprintable():
        raise InputError(f"{path} should hold {what} and nothing else", "write it there, on one line")
    if len(text) < least:
        raise InputError(f"{what} in {path} is too short: at least {least} letters are asked", f"openssl rand -hex 32 > {path.name}")
    return text


def read_by_others(path: Path) -> bool:
    """Say whether others than its owner may read, write or run a file; one that is not there is read by nobody."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
