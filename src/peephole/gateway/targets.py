"""What a target's address may say, and what that means in plain words; pure.

gpio://17?active=high|low&fake=PATH, mqtt://TOPIC?discovery=lock|binary_sensor|event&state=TOPIC, http(s)://HOST/PATH, log://PATH, record://.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from peephole.base.errors import SettingsError, did_you_mean
from peephole.gateway.address import Address, require_topic
from peephole.gateway.weburl import require_url

__all__ = ["EGRESS", "TARGETS", "TIMEOUT", "Asked", "meaning", "misfits", "require_target", "shared_pins"]

TARGETS = ("log", "mqtt", "record", "gpio", "http", "https")
# What may follow the ? of each; a webhook's query is its own and is sent as it is.
OPTIONS = {"log": (), "record": (), "gpio": ("active", "fake"), "mqtt": ("discovery", "state")}
EGRESS = "an actuator marked egress is refused: software never controls the way out"
KINDS = ("lock", "binary_sensor", "event")  # of Home Assistant
PINS = 54  # lines of a Raspberry Pi's processor, of which the header has 0 to 27
TIMEOUT = 2.0  # seconds


@dataclass(frozen=True)
class Asked:
    """An action's settings beside its target: whether there is a secret; its timeout and pulse in seconds, None where there is none."""

    secret: bool = False
    timeout: float | None = None
    pulse: float | None = None


def require_target(text: str) -> str:
    """Return a target's address; raises SettingsError with what is wrong with it."""
    address = Address.parse(text, TARGETS)
    if "egress" in (name for name, _ in address.options):
        raise SettingsError(EGRESS, "wire the way out so that it works without this software")
    if address.scheme in ("http", "https"):
        require_url(text)
        return text
    options = dict(zip(OPTIONS[address.scheme], address.take(*OPTIONS[address.scheme]), strict=True))
    if address.scheme == "mqtt":
        _require_mqtt(address, options)
    if address.scheme == "gpio":
        _require_pin(address, options)
    if address.scheme == "record" and address.place:
        raise SettingsError("record:// remembers in memory and takes no path", "write record://, or log://PATH for a file")
    return text


def _require_mqtt(address: Address, options: Mapping[str, str | None]) -> None:
    topic, state = require_topic(address.place), options["state"]
    _one_of("discovery", options["discovery"], KINDS)
    if state is not None and require_topic(state) == topic:
        raise SettingsError(f"{address.text[:60]} gives commands on the topic that it hears the answers on", "give ?state= the device's own topic")


def _require_pin(address: Address, options: Mapping[str, str | None]) -> None:
    place = address.place
    if not (place.isascii() and place.isdigit() and str(int(place[:9])) == place and int(place) < PINS):
        raise SettingsError(f"'{place[:40]}' is no pin", "write gpio://17 for GPIO17: Broadcom's numbers, as on the board's own drawing; run: pinout")
    _one_of("active", options["active"], ("high", "low"))
    if options["fake"] == "":
        raise SettingsError("gpio:// is given ?fake= without a file", "write ?fake=pin.txt, or take it away to move a real pin")


def _one_of(option: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in known:
        raise SettingsError(f"?{option}={value[:40]} is not known{did_you_mean(value, known)}", f"it is one of {', '.join(known)}")


def misfits(target: str, asked: Asked) -> Iterator[str]:
    """Yield what an action's other settings have against its target."""
    address = Address.parse(target, TARGETS)
    web = address.scheme in ("http", "https")
    options = dict(address.options)
    if web and not asked.secret:
        yield 'a webhook is signed: add secret = {file = "webhook.secret"}'
    if asked.secret and not web:
        yield f"{address.scheme}:// signs nothing: remove the secret"
    if asked.timeout is not None and not web and "state" not in options:
        aside = ", or follow the device: ?state=TOPIC" if address.scheme == "mqtt" else ""
        yield f"{address.scheme}:// waits for no answer: remove the timeout{aside}"
    if address.scheme == "gpio" and asked.pulse is None:
        yield 'a pin is only driven for a pulse: add pulse = "5 s"'
    if options.get("discovery") in ("lock", "binary_sensor") and asked.pulse is None and not web:
        yield 'without a pulse it never ends: add pulse = "5 s", or write ?discovery=event'


def shared_pins(targets: Mapping[str, str]) -> Iterator[str]:
    """Yield the pins that two actions want to drive; `targets` by the action's name."""
    drives: dict[str, str] = {}
    for name, target in targets.items():
        if target.startswith("gpio:"):
            pin = Address.parse(target, TARGETS).place
            if pin in drives:
                yield f"[action.{name}] and [action.{drives[pin]}] both drive pin {pin}"
            drives.setdefault(pin, name)


def meaning(target: str, timeout: float | None) -> str:
    """Say what more is to be known of a target, as sentences that follow one another, or nothing."""
    address = Address.parse(target, TARGETS)
    options = dict(address.options)
    within = f"{timeout or TIMEOUT:g} s"
    told = []
    if address.scheme == "gpio":
        level = options.get("active", "high")
        real = f"GPIO{address.place} is on when it is {level}; a process of its own ends the pulse, also when the gate is killed."
        told.append("No pin moves: its levels are written to a file." if "fake" in options else real)
    if address.scheme in ("http", "https"):
        told.append(f"It is signed, and not done unless the answer comes within {within} and is no redirect.")
    if address.scheme == "http":
        told.append("It is not encrypted: whoever is on the way reads who came.")
    if "state" in options and address.scheme == "mqtt":
        told.append(f"It is not done, and the lock jammed, unless {options['state']} says so within {within}.")
    if "discovery" in options and address.scheme == "mqtt":
        told.append(f"Home Assistant is told of it as a {options['discovery'].replace('_', ' ')}.")
    return "".join(f" {sentence}" for sentence in told)
