"""What DOOR.toml's [broker] means in plain words, and what is amiss with it; for sentences and inspection."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from peephole.base.errors import PeepholeError
from peephole.gateway.address import Address
from peephole.gateway.brokerurl import BrokerUrl, read_broker
from peephole.gateway.decidekeys import PRESENCE
from peephole.gateway.door import Door
from peephole.gateway.mqtt import knock
from peephole.gateway.parts import Part, problem
from peephole.gateway.secret import read_by_others
from peephole.gateway.switchboard import broker_place

__all__ = ["explained", "looked_at"]

SOON = 30 * 86_400.0  # seconds before a certificate ends in which it is told


def explained(door: Door) -> Iterator[str]:
    """Yield a sentence on who can read what goes to the broker."""
    broker = door.settings.broker
    if broker is None:
        return
    url = read_broker(broker.url)
    if url.secure:
        shown = f"; it is shown {broker.certificate}" if broker.certificate else ""
        signed = f"the authority in {broker.ca}" if broker.ca else "an authority that this computer knows"
        yield f"The broker is spoken to over TLS alone, and only as '{url.host}' with a certificate that {signed} signed{shown}."
    elif not url.loopback:
        yield f"The broker is spoken to without TLS: whoever is on the way to '{url.host}' reads {_readable(door)}."


def looked_at(door: Door, tried: bool) -> Iterator[Part]:
    """Yield the broker, only spoken to when it is to be `tried`, the gate's own certificate, and whether others can read what goes to it."""
    broker = door.settings.broker
    if broker is None:
        if tried:
            yield Part("broker", "ok", f"{door.path} names no broker, so none was asked")
        return
    if broker.certificate is not None and broker.key is not None:
        yield _own(door.folder / broker.certificate, door.folder / broker.key)
    if broker.password is not None and read_by_others(path := door.folder / broker.password.file):
        yield Part("password", "problem", f"{path} may be read by others on this computer, who could then speak as this gate", f"chmod 600 {path}")
    yield _broker(door, tried)
    yield from _dropped(door)
    url = read_broker(broker.url)
    if not url.secure and not url.loopback:
        yield _open_wire(door, url)


def _dropped(door: Door) -> Iterator[Part]:
    """Yield a note on topics of what is told and of what lets in that the shipped access list refuses: a broker says nothing when it drops."""
    own, settings = f"peephole/{door.settings.gate.name}", door.settings
    asked = (
        ("[events] target", settings.events.target if settings.events else "", "events"),
        ("[journal] head", settings.journal.head or "", "journal-head"),
        ("[decide] second_factor", settings.decide.second_factor, "pin"),
    )
    found = [(key, Address.parse(text, ("mqtt",)).place, f"{own}/{end}") for key, text, end in asked if text.startswith("mqtt:")]
    found = [(key, topic, right) for key, topic, right in found if topic != right]
    phones = settings.factor.phones.values() if settings.factor else ()
    strays = [topic for topic in phones if re.fullmatch(f"{re.escape(own)}/phone/[^/]+", topic) is None]
    found += [("[factor] phones", topic, f"{own}/phone/...") for topic in strays[:1]]
    if found:
        told = ", ".join(f"{key} ({topic})" for key, topic, _ in found)
        hint = f"where the broker has that list, write {', '.join(right for *_, right in found)}; else see that it lets this gate use them"
        yield Part("topics", "note", f"the shipped access list (examples/mosquitto) would drop, without a word: {told}", hint)


def _broker(door: Door, tried: bool) -> Part:
    try:
        place = broker_place(door)
        if not tried:
            hint = f"whether anybody answers there: peephole gate check {door.path} --broker"
            return Part("broker", "not tried", f"{place.url} is a well-formed address; {hint}")
        end = knock(place)
    except PeepholeError as error:
        return problem("broker", error)
    answers = f"{place.url} answers{f' and lets {place.username} in' if place.username else ''}"
    if end is None:
        return Part("broker", "ok", answers)
    return _until("broker", f"{answers}; its certificate", end, "renew it there in time: after that day no gate believes it")


def _own(certificate: Path, key: Path) -> Part:
    """Say until when the gate's own certificate is good, and that nobody else reads its key."""
    name = "certificate"
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        mode = key.stat().st_mode
    except (OSError, ValueError) as error:
        return Part(name, "problem", f"{certificate} with {key} cannot be read: {getattr(error, 'strerror', None) or 'no PEM file'}", "see broker")
    begin, end = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    if mode & 0o077:
        return Part(name, "problem", f"{key} may be read by others on this computer, who could then be this gate", f"chmod 600 {key}")
    if not begin <= time.time() < end:
        what = f"{certificate} is good from {_day(begin)} until {_day(end)}, and today is {_day(time.time())}"
        return Part(name, "problem", what, "have a new one signed, if this computer's clock is right")
    return _until(name, str(certificate), end, "have a new one signed in time")


def _until(name: str, what: str, end: float, hint: str) -> Part:
    """Say until when a certificate is good; soon is worth a note."""
    told = f"{what} is good until {_day(end)}"
    return Part(name, "ok", told) if end - time.time() > SOON else Part(name, "note", told, hint)


def _open_wire(door: Door, url: BrokerUrl) -> Part:
    hint = 'give the broker a certificate, then url = "mqtts://..." and ca = "ca.crt" (docs/reference/broker.md)'
    return Part("network", "note", f"without TLS whoever is on the way to '{url.host}' reads {_readable(door)}", hint)


def _readable(door: Door) -> str:
    """Name what goes to the broker in clear where there is no TLS."""
    settings = door.settings
    broker, asked = settings.broker, settings.decide.second_factor
    found = ["who comes"]
    found += ["PINs and tags"] if asked.startswith("mqtt:") else ["which phones are here"] if asked == PRESENCE else []
    found += ["the broker's password"] if broker is not None and broker.password is not None else []
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
