"""The URL that picks a part: camera://0, folder://photos?once=1, mqtt://home/doorbell.

Knows nothing of what the parts do. Written by hand because urllib lower-cases hosts and stumbles over brackets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from peephole.base.errors import SettingsError, did_you_mean

__all__ = ["SOURCE_OPTIONS", "VIDEO", "Address", "require_topic"]

VIDEO = ("camera", "http", "https")  # what gives pictures all the time, also when nobody is there

# What may follow the ? of each source.
SOURCE_OPTIONS = {
    "folder": ("once", "poll"),
    "replay": ("step", "apart", "start"),
    "camera": ("width", "height", "fps"),
    "video": ("fps", "start"),
    "mqtt": (),
}


@dataclass(frozen=True)
class Address:
    """A part by name: `scheme`://`place`?`options`; percent signs are already decoded."""

    text: str
    scheme: str
    place: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str, schemes: Iterable[str], later: Iterable[str] = ()) -> "Address":
        """Read an address; raises SettingsError when its scheme is none of `schemes`, more kindly when it is one of `later`."""
        known = tuple(schemes)
        listing = ", ".join(f"{name}://" for name in known)
        scheme, mark, rest = text.partition("://")
        if not mark:
            raise SettingsError(f"'{text[:80]}' is not an address", f"write one of {listing}")
        if scheme in later:
            raise SettingsError(f"{scheme}:// is not supported yet", f"this version has {listing}")
        if scheme not in known:
            raise SettingsError(f"'{scheme[:40]}://' is not known{did_you_mean(scheme, known)}", f"write one of {listing}")
        place, _, query = rest.partition("?")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in unquote(text)):
            raise SettingsError("an address holds a control character", "remove it")
        return cls(text, scheme, unquote(place), tuple(parse_qsl(query, keep_blank_values=True)))

    def take(self, *names: str) -> tuple[str | None, ...]:
        """Return the values of the named options, None where absent; raises SettingsError for any other or doubled option."""
        found: dict[str, str] = {}
        for name, value in self.options:
            if name not in names:
                near = did_you_mean(name, names) or (f" (it knows: {', '.join(names)})" if names else " (it takes none)")
                raise SettingsError(f"{self.scheme}:// does not know the option '{name[:40]}'{near}", "correct or remove it")
            if name in found:
                raise SettingsError(f"{self.scheme}:// is given the option '{name}' twice", "keep one of the two")
            found[name] = value
        return tuple(found.get(name) for name in names)

    def path(self, folder: Path) -> Path:
        """Return the place as a path, relative ones below `folder`; raises SettingsError when there is none."""
        if not self.place:
            raise SettingsError(f"{self.text} names no path", f"write {self.scheme}://PATH")
        return folder / self.place


def require_topic(topic: str) -> str:
    """Return a topic that a message may be published to; raises SettingsError for wildcards, `$SYS` and over-long ones."""
    if not topic or len(topic.encode()) > 1024 or topic.startswith("$") or set(topic) & set("+#"):
        raise SettingsError(f"'{topic[:60]}' is not a topic to publish to", "write mqtt://home/doorbell, without + # or a leading $")
    return topic
