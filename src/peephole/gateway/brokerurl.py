"""A broker's url, read strictly: mqtt://HOST:PORT, or mqtts:// over TLS; what is odd in it is refused rather than mended; pure."""

import ipaddress
import re
from dataclasses import dataclass

from peephole.base.errors import SettingsError
from peephole.gateway.address import Address

__all__ = ["BrokerUrl", "read_broker"]

PORTS = {"mqtt": 1883, "mqtts": 8883}
HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
HINT = (
    'write url = "mqtt://127.0.0.1:1883", or "mqtts://broker.local:8883" for TLS; username = "NAME" and password = {file = "broker.secret"} '
    "are keys beside it"
)


@dataclass(frozen=True)
class BrokerUrl:
    """A url in its parts; an IPv6 `host` without its brackets."""

    secure: bool
    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether what is said to it certainly stays on this computer; a name is not looked up."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower().rstrip(".") == "localhost"


def read_broker(text: str) -> BrokerUrl:
    """Read a broker's url; raises SettingsError for names, passwords, paths and options in it, and for what is no host or port."""
    address = Address.parse(text, PORTS, ("ws", "wss"))
    if "@" in address.place:  # never repeated: it may hold a password
        raise SettingsError(
            "a broker's url holds no name and no password", 'write username = "NAME" and password = {file = "broker.secret"} under [broker]'
        )
    address.take()
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", address.place)
    host, port = (found[1], int(found[2] or PORTS[address.scheme])) if found else ("", 0)
    if "%" in text or text.endswith("?") or not (_is_six(host) or HOST.fullmatch(host)) or not 0 < port < 65536:
        raise SettingsError(f"'{text[:60]}' is not a broker", HINT)
    return BrokerUrl(address.scheme == "mqtts", host.strip("[]"), port)


def _is_six(host: str) -> bool:
    """Say whether a host is an IPv6 address in brackets."""
    if not (host.startswith("[") and host.endswith("]")):
        return False
    try:
        return ipaddress.ip_address(host[1:-1]).version == 6
    except ValueError:
        return False
