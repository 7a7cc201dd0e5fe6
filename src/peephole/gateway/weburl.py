"""A webhook's URL, read strictly: what is odd in it is refused rather than mended; pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from peephole.base.errors import SettingsError

__all__ = ["Webhook", "require_url"]

LONGEST = 2000
HINT = "write https://host/path, or http://host/path where only your own network is in between"


@dataclass(frozen=True)
class Webhook:
    """A URL in its parts: `path` with its query, as it is sent."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Host and port; the path may be a secret of its own and is not repeated."""
        return f"{self.host}:{self.port}"


def require_url(text: str) -> Webhook:
    """Read a webhook's URL; raises SettingsError for names and passwords in it, fragments, and letters that no URL has."""
    if len(text) > LONGEST or not text.isascii() or any(not letter.isprintable() or letter in " \"'<>\\^`{|}" for letter in text):
        raise SettingsError(f"{text[:40]!r} has letters that no URL has, or over {LONGEST:,}", "write it as a browser shows it, with %20 for a space")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"'{text[:60]}' is not a URL: {error}", HINT) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise SettingsError(f"'{text[:60]}' is not a URL", HINT)
    if "@" in parts.netloc:
        raise SettingsError("a webhook's URL holds no name and no password", 'sign it instead: secret = {file = "webhook.secret"}')
    if parts.fragment or text.endswith("#"):
        raise SettingsError(f"'{text[:60]}' has a fragment, which is never sent", "take away the # and what follows it")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Webhook(secure, parts.hostname, port or (443 if secure else 80), path)
