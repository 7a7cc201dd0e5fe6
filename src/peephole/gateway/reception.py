"""What a door listens to beside its sensor: opens keypad, phones and readings, and keeps what a lockout must remember.

Hands the watch signals; what they mean is the policy's business.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from peephole.base.errors import JournalError
from peephole.gateway.address import Address
from peephole.gateway.clock import Clock
from peephole.gateway.decidekeys import NO_FACTOR, PRESENCE
from peephole.gateway.door import Door
from peephole.gateway.hearing import END_LOCKOUT, REMOTE, hear, unkept, written
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.kept import KeptFile
from peephole.gateway.keypad import Keypad
from peephole.gateway.letters import Letter, factor, phone, reading
from peephole.gateway.listener import Listener, Message
from peephole.gateway.lockout import Kept
from peephole.gateway.onlooker import open_onlookers
from peephole.gateway.readings import passed
from peephole.gateway.remotedesk import Deed, Desk
from peephole.gateway.remotekeys import LEAST
from peephole.gateway.remotestate import FOREVER, Standing
from peephole.gateway.secret import read_secret
from peephole.gateway.state import Policy, Reaction, State
from peephole.gateway.switchboard import broker_place
from peephole.gateway.tail import Tail

__all__ = ["Reception", "heard", "kept", "needed", "open_reception", "unheard"]

LOOK = 1.0  # seconds between two looks for a person's order


class Ear(Protocol):
    """Whatever listens from a thread of its own."""

    def start(self) -> None: ...
    def close(self) -> None: ...


class Reception:
    """The signals of one door, and its lockout's memory; `kept` is what was on disk at the start, `problem` what was wrong with it."""

    def __init__(
        self,
        clock: Clock,
        inbox: Inbox,
        file: KeptFile | None = None,
        disable_after: int = 0,
        ears: Sequence[Ear] = (),
        *,
        desk: Desk | None = None,
    ) -> None:
        self._clock, self._inbox, self._file, self._ears, self._desk = clock, inbox, file, ears, desk
        self._looked = -LOOK
        self.kept, self.problem = Kept(), ""
        try:
            self.kept = file.read() if file is not None else Kept()
        except JournalError as error:
            # An order that lies there already may be an old one, which the unreadable file knew.
            order = file.order() if file is not None else ""
            standing = Standing("shut: what it must remember cannot be read", floor=FOREVER) if desk is not None else Standing()
            self.kept = Kept(disable_after, orders=(order,) if order else (), standing=standing)
            self.problem = f"the door is disabled: {error.what}"

    def start(self) -> None:
        """Begin to listen."""
        for ear in self._ears:
            ear.start()

    def signals(self) -> tuple[Signal, ...]:
        """Take everything that was heard since the last time; a person's order is looked for once a second."""
        now = self._clock.monotonic()
        found = tuple(Desk.aged(signal, now) for signal in self._inbox.empty())
        if self._file is None or 0 <= now - self._looked < LOOK:
            return found
        self._looked = now
        order = self._file.order()
        return (*found, Signal(now, self._clock.wall(), "a person", "command", {"do": END_LOCKOUT, "order": order})) if order else found

    def faults(self) -> tuple[str, ...]:
        """Return what kept anybody from being heard since this was last asked, a sentence for each outage."""
        return tuple(what for ear in self._ears if isinstance(ear, Listener) for what in ear.faults())

    def keep(self, kept: Kept) -> None:
        """Put on disk what must survive a power cut; raises JournalError."""
        if self._file is not None:
            self._file.write(kept)

    def answer(self, signal: Signal, deeds: Sequence[Deed]) -> None:
        """Tell whoever sent a remote command what became of it; never blocks."""
        if self._desk is not None and signal.source == REMOTE:
            self._desk.answer(signal, deeds, self._clock.wall())

    def close(self) -> None:
        """Stop listening; never raises."""
        for ear in self._ears:
            ear.close()


def heard(reception: Reception | None, policy: Policy, state: Callable[[], State], time: float) -> Iterator[tuple[Signal | None, Reaction]]:
    """Yield what follows from everything that was heard since the last turn, and from what; `state` is asked anew each time."""
    if reception is None:
        return
    if state().lockout.unwritten:
        yield None, Reaction(written(state()))
    for signal in reception.signals():
        yield signal, hear(policy, state(), signal)
    yield None, passed(policy, state(), time)


def kept(reception: Reception | None, state: State, reaction: Reaction) -> tuple[Reaction, JournalError | None]:
    """Put on disk what a lockout must remember, before anything else happens; where that fails, nobody comes in, and it is said once."""
    old, new = state.lockout, reaction.state.lockout
    if reception is None or (old.kept, old.unwritten) == (new.kept, new.unwritten):
        return reaction, None
    try:
        reception.keep(new.kept)
    except JournalError as error:
        return unkept(state, reaction, error.what), None if old.unwritten else error
    return reaction, None


def needed(door: Door) -> bool:
    """Say whether a door has anything to listen to."""
    return door.asks or bool(door.settings.reading) or bool(door.settings.also) or door.settings.remote is not None


def unheard(door: Door) -> tuple[str, ...]:
    """Return what to say of a watch without a reception: a recording holds pictures alone."""
    notes = []
    if door.backed and door.asks:
        notes.append("nothing moves, so it is as if everybody had shown the second factor that the door asks for")
    elif door.factor is not None:
        notes.append("a recording holds no PIN, tag or phone, so the second factor that the door asks for never comes")
    if door.settings.also:
        notes.append(f"a recording has one sensor, so {' and '.join(door.settings.also)} {'are taken to agree' if door.backed else 'never agree'}")
    if any(rule.conditions for rule in door.settings.rule):
        notes.append("a recording holds no readings, so no condition on one holds in it")
    return tuple(notes)


def open_reception(door: Door, clock: Clock, inbox: Inbox | None = None, speak: Callable[[str, str], None] | None = None) -> Reception:
    """Open all that a door's settings name; `speak` publishes answers to remote commands.

    Raises InputError when a secret cannot be read, and what open_onlookers and a broker's settings raise.
    """
    inbox = inbox or Inbox()
    asked = door.settings.decide.second_factor
    desk = _desk(door, inbox, speak)
    file = KeptFile(door.lockout, door.settings.gate.name) if desk is not None or asked not in (NO_FACTOR, PRESENCE) else None
    ears: list[Ear] = [*open_onlookers(door, inbox, clock), *_tables(door, clock, inbox)]
    ears += [*_broker(door, clock, inbox, desk), *_keypad(door, clock, inbox)]
    return Reception(clock, inbox, file, door.settings.decide.lockout.disable_after, ears, desk=desk)


def _desk(door: Door, inbox: Inbox, speak: Callable[[str, str], None] | None) -> Desk | None:
    remote = door.settings.remote
    if remote is None:
        return None
    secret = read_secret(door.folder / remote.secret.file, "the secret of remote commands", LEAST)
    return Desk(door.settings.gate.name, secret, inbox, speak or (lambda _topic, _message: None))


def _tables(door: Door, clock: Clock, inbox: Inbox) -> list[Tail]:
    def put(name: str) -> Callable[[Letter], None]:
        return lambda values: void(inbox.put(Signal(clock.monotonic(), clock.wall(), name, "reading", values)))

    sources = ((name, Address.parse(reading.source, ("mqtt", "csv"))) for name, reading in door.settings.reading.items())
    return [Tail(address.path(door.folder), put(name)) for name, address in sources if address.scheme == "csv"]


def _keypad(door: Door, clock: Clock, inbox: Inbox) -> list[Keypad]:
    asked = door.settings.decide.second_factor
    if not asked.startswith("http:"):
        return []
    place, _, path = Address.parse(asked, ("http",)).place.partition("/")
    host, _, port = place.rpartition(":")

    turn = threading.Lock()  # hashing takes 16 MB, so one PIN is hashed after the other

    def hear(body: bytes) -> None:
        when = clock.monotonic(), clock.wall()
        with turn:
            inbox.put(factor(door.factors, "the keypad", body, False, when))

    return [Keypad(host, int(port), f"/{path}", hear)]


def _broker(door: Door, clock: Clock, inbox: Inbox, desk: Desk | None) -> list[Listener]:
    """Return one listener for all topics, none when nothing comes over MQTT."""
    asked, how = door.settings.decide.second_factor, door.settings.factor
    sources = {name: reading.source.partition("://")[2] for name, reading in door.settings.reading.items() if reading.source.startswith("mqtt:")}
    if desk is None and not sources and asked != PRESENCE and not asked.startswith("mqtt:"):
        return []
    listener = Listener(broker_place(door), door.settings.gate.name, clock)
    if desk is not None:
        listener.on(desk.topic, desk.hear)
    if asked.startswith("mqtt:"):
        topic = Address.parse(asked, ("mqtt",)).place
        listener.on(topic, lambda heard: void(inbox.put(factor(door.factors, topic, heard.payload, heard.retained, _when(heard)))))
    for label, topic in (how.phones if how and asked == PRESENCE else {}).items():
        listener.on(topic, _phone(inbox, label))
    for name, topic in sources.items():
        listener.on(topic, _reading(inbox, name))
    return [listener]


def _phone(inbox: Inbox, label: str) -> Callable[[Message], None]:
    return lambda heard: void(inbox.put(phone(label, heard.payload, heard.retained, _when(heard))))


def _reading(inbox: Inbox, name: str) -> Callable[[Message], None]:
    def hear(heard: Message) -> None:
        signal = reading(name, heard.payload, heard.retained, _when(heard))
        if signal is not None:
            inbox.put(signal)

    return hear


def _when(message: Message) -> tuple[float, float]:
    return message.time, message.wall


def void(_: object) -> None:
    """Drop what a listener need not hear."""
