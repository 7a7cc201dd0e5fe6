"""What remote commands may do, without a network: in time, once, and also after restarts and with clocks that jump (SAFETY tests 4, 23)."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from doorworld import FACES, RULES

from peephole.base.errors import JournalError
from peephole.base.records import Decision
from peephole.gateway.clock import SteppedClock
from peephole.gateway.commands import DISBELIEVED, LOCK, OPEN, REFUSED, STATUS, UNLOCK
from peephole.gateway.factor import Asked
from peephole.gateway.hearing import END_LOCKOUT, began, hear, unkept, written
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.kept import KeptFile
from peephole.gateway.listener import Message
from peephole.gateway.lockout import Kept, Patience, held
from peephole.gateway.policy import Glance, Policy, State, step
from peephole.gateway.reception import Reception
from peephole.gateway.remote import Order, write_order
from peephole.gateway.remotedesk import Desk
from peephole.gateway.remotestate import FOREVER, MANY, Standing, came, noted

SECRET, NOW = "0123456789abcdef" * 4, 1_790_000_000
POLICY = Policy(rules=RULES, remote=frozenset({"open"}))


@dataclass
class Gate:
    """A gate without a network: what it remembers is on a disk that survives `restart`."""

    policy: Policy = POLICY
    time: float = 100.0
    wall: float = float(NOW)
    disk: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.desk = Desk("front-door", SECRET, Inbox(), lambda _topic, _message: None)
        self.openings, self.said = 0, list[Decision]()
        self.restart()

    def restart(self) -> None:
        """Begin again from the disk."""
        self.state = began(self.policy, State(), self.disk, self.time)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time, self.wall = self.time + seconds, self.wall + seconds

    def take(self, payload: str, retained: bool = False, waited: float = 0.1) -> str:
        """Hear a message and return the rule that answered, "" when there was none."""
        signal = self.desk.signal(Message("peephole/front-door/command", payload.encode(), retained, self.time - waited, self.wall))
        return self.hear(Desk.aged(signal, self.time))

    def hear(self, signal: Signal) -> str:
        """Hear a signal."""
        reaction = hear(self.policy, self.state, signal)
        self.state, self.disk = reaction.state, reaction.state.lockout.kept
        decisions = [event for event in reaction.events if isinstance(event, Decision)]
        self.openings += sum(decision.action is not None for decision in decisions)
        self.said += decisions
        return decisions[-1].rule if decisions else ""

    def come(self, who: str = "ana") -> bool:
        """Let somebody stand in front of the camera; says whether the door opened."""
        opened = False
        for _ in range(3):
            self.wait(0.2)
            reaction = step(self.policy, self.state, Glance(self.time, self.wall, FACES[who]))
            self.state = reaction.state
            opened |= any(isinstance(event, Decision) and event.action == "open" for event in reaction.events)
        return opened

    def order(self, command: str, life: int = 30, ahead: int = 0, **args: str) -> str:
        """Return a command that is sent now."""
        return write_order(SECRET, Order("front-door", command, int(self.wall) + ahead, int(self.wall) + ahead + life, args))


def test_a_lock_holds_until_it_is_unlocked() -> None:
    """Nobody comes in, also after a restart, whatever time it is; then residents do again."""
    gate = Gate()
    assert gate.come()
    gate.wait(10)
    assert gate.take(gate.order("lock", why="fire drill")) == LOCK
    for _ in range(3):
        gate.wait(1e6)
        gate.restart()
        assert not gate.come() and "fire drill" in held(None, gate.state.lockout, gate.time)
    gate.wait(30)
    assert gate.take(gate.order("open")) == REFUSED  # a lock is a lock: unlock first
    gate.wait(30)
    assert gate.take(gate.order("unlock")) == UNLOCK
    gate.wait(10)
    assert gate.come()


def test_an_unlock_ends_a_lockout() -> None:
    """The door that fifty wrong PINs disabled is in order again."""
    policy = replace(POLICY, factor=Asked("secret", patience=Patience(5, 30, 50)))
    gate = Gate(policy, disk=Kept(50))
    assert "disabled" in held(policy.patience, gate.state.lockout, gate.time)
    assert gate.take(gate.order("open")) == REFUSED
    gate.wait(20)
    assert gate.take(gate.order("unlock")) == UNLOCK and held(policy.patience, gate.state.lockout, gate.time) == ""


def test_what_was_typed_before_a_lock_is_worth_nothing_after_it() -> None:
    """A PIN that nobody used when the gate was locked from afar opens nothing once it is unlocked; a new one does."""
    gate = Gate(replace(POLICY, factor=Asked("secret", 20.0)))
    gate.hear(pin(gate, 1))
    gate.take(gate.order("lock"))
    gate.take(gate.order("unlock"))
    assert not gate.state.lockout.kept.standing.locked and not gate.come()
    gate.hear(pin(gate, 2))
    assert gate.openings == 1


def pin(gate: Gate, number: int) -> Signal:
    """Return ana's PIN in a message of its own."""
    values = {"nonce": f"nonce-{number:04}", "expires": gate.wall + 10, "whose": '["ana"]'}
    return Signal(gate.time, gate.wall, "the keypad", "factor", values)


def test_what_was_done_is_told_as_what_it_is() -> None:
    """Locked, unlocked, asked: notes of the gate itself, of no visit, also while somebody stands there; what was refused is a refusal."""
    gate = Gate(disk=Kept(3))
    gate.come("stranger")
    assert gate.state.visit is not None
    said = []
    for command in ("lock", "unlock", "status", "open"):
        gate.wait(0.5)
        gate.take(gate.order(command, **({"action": "call"} if command == "open" else {})))
        said += gate.said[-1:]
    assert [(one.visit, one.verdict, one.rule, one.label, one.action) for one in said] == [
        ("-", "note", LOCK, None, None), ("-", "note", UNLOCK, None, None), ("-", "note", STATUS, None, None), ("-", "refuse", REFUSED, None, None),
    ]  # fmt: skip
    assert said[1].reason.startswith("unlocked from afar: the lock and a count of 3 failures ended; command ")
    assert gate.state.visit.verdict == "ask", "the stranger's visit is told of as it was"


def test_a_person_at_the_gate_ends_a_lock_too() -> None:
    """Who stands at the gate needs no secret: gate unlock; an old order ends no new lock, also after a restart."""
    gate = Gate()
    for _ in range(2):
        assert gate.take(gate.order("lock")) == LOCK
        gate.restart()
        gate.wait(1)
        assert gate.hear(Signal(gate.time, gate.wall, "a person", "command", {"do": END_LOCKOUT, "order": "abc"})) in ("lockout", "")
    assert gate.state.lockout.kept.standing.locked


def test_opening_is_a_decision_of_its_own() -> None:
    """It is written with its own rule, cools down as others do, and only where the settings allow it."""
    gate = Gate()
    assert gate.take(gate.order("open", why="the plumber")) == OPEN and gate.openings == 1
    assert gate.take(gate.order("open")) == REFUSED and gate.openings == 1
    gate.wait(10)
    assert gate.take(gate.order("open", action="call")) == REFUSED
    assert not Gate(replace(POLICY, remote=None)).take(gate.order("open"))
    shut = Gate(replace(POLICY, remote=frozenset()))
    assert shut.take(shut.order("open")) == REFUSED and shut.openings == 0
    assert shut.take(shut.order("status")) == STATUS


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"retained": True}, DISBELIEVED),
        ({"waited": 2.5}, REFUSED),
        ({"waited": -1.0}, REFUSED),
        ({"life": 61}, REFUSED),
        ({"life": 0}, REFUSED),
        ({"life": -20}, REFUSED),
        ({"ahead": 6}, REFUSED),
        ({"ahead": -31}, REFUSED),
        ({"ahead": -30}, REFUSED),
        ({"life": 0, "ahead": 3}, REFUSED),
        ({"wall": 0.0}, REFUSED),
        ({"wall": 1_500_000_000.0}, REFUSED),
        ({"wall": float("nan")}, REFUSED),
        ({"wall": float("inf")}, REFUSED),
        ({"wall": NOW - 100.0}, REFUSED),
        ({}, OPEN),
        ({"ahead": 5}, OPEN),
        ({"life": 60}, OPEN),
    ],
    ids=str,
)
def test_in_time_or_not_at_all(change: dict[str, float], rule: str) -> None:
    """Too old, too early, good for too long, or at a gate that does not know the time: it does not open."""
    gate = Gate()
    payload = gate.order("open", **{key: int(change[key]) for key in ("life", "ahead") if key in change})
    gate.wall = change.get("wall", gate.wall)
    assert gate.take(payload, **{key: change[key] for key in ("retained", "waited") if key in change}) == rule  # type: ignore[arg-type]
    assert gate.openings == (rule == OPEN)


def test_two_clocks_of_1970_do_not_agree() -> None:
    """A sender and a gate that both never heard the time: nothing remote, though the numbers fit."""
    gate = Gate(wall=60.0)
    assert gate.take(gate.order("open")) == REFUSED and gate.openings == 0


def test_a_longer_command_does_not_outlast_a_shorter_one() -> None:
    """What was remembered is not forgotten early: a command that expires before another one is believed after it."""
    gate = Gate()
    assert [gate.take(gate.order("status", life)) for life in (30, 15, 5)] == [STATUS] * 3


def test_a_message_counts_once() -> None:
    """Again at once, after a restart, and after the clock went forward a year and back: never."""
    gate = Gate()
    payload = gate.order("open", life=60)
    assert gate.take(payload) == OPEN
    for jump in (0.0, 31_536_000.0, -31_536_000.0):
        gate.wall += jump
        gate.wait(11)
        gate.restart()
        assert gate.take(payload) != OPEN
        gate.take(gate.order("status"))  # which makes room among the nonces
    assert gate.openings == 1


def test_a_flood_is_told_of_now_and_then() -> None:
    """A thousand messages that nobody signed make one row in ten seconds, and none of them is remembered."""
    gate = Gate()
    rules = [gate.take(f'{{"number": {number}}}') for number in range(1000)]
    assert rules == [DISBELIEVED] + [""] * 999 and gate.disk == Kept()
    gate.wait(11)
    assert gate.take("{}") == DISBELIEVED


def test_a_flood_leaves_room_for_a_command() -> None:
    """A thousand forged messages between two turns of the watch do not turn a command away."""
    gate, inbox = Gate(), Inbox()
    desk = Desk("front-door", SECRET, inbox, lambda _topic, _message: None)
    for payload in (*["{}"] * 1000, gate.order("lock")):
        desk.hear(Message("t", payload.encode(), False, gate.time, gate.wall))
    assert [signal.values.get("do") for signal in inbox.empty()] == [None, "lock"]


def test_a_disk_that_is_full() -> None:
    """A lock holds in memory, and on disk once there is room; an opening and an unlock do not happen, nor later."""
    gate = Gate()
    for command, locked in (("open", False), ("lock", True), ("unlock", True)):
        signal = gate.desk.signal(Message("t", gate.order(command).encode(), False, gate.time, gate.wall))
        before = gate.state
        after = unkept(before, hear(POLICY, before, signal), "it is full")
        assert all(event.action is None for event in after.events if isinstance(event, Decision))
        assert bool(after.state.lockout.kept.standing.locked) is locked and held(None, after.state.lockout, gate.time)
        gate.state = replace(written(after.state), remote_told=before.remote_told)
        gate.wait(11)


def test_the_file_keeps_what_commands_did(tmp_path: Path) -> None:
    """What is written is read; a file of before there were commands is read as well; an edited one is refused."""
    file = KeptFile(tmp_path / "kept", "front-door")
    kept = Kept(3, ("a",), standing=Standing("locked from afar", (("0" * 32, NOW),), NOW - 5))
    file.write(kept)
    assert file.read() == kept
    text = file.path.read_text()
    file.path.write_text('{"lockout": 1, "gate": "front-door", "failures": 3, "spent": [], "orders": []}')
    assert file.read() == Kept(3)
    for old, new in ((f'"floor": {NOW - 5}', '"floor": "x"'), ('"locked": "locked from afar"', '"locked": null'), (f", {NOW}]", ', "x"]')):
        assert old in text
        file.path.write_text(text.replace(old, new))
        with pytest.raises(JournalError):
            file.read()


def test_an_order_on_a_full_disk_is_not_lost(tmp_path: Path) -> None:
    """Gate unlock at a locked gate whose disk is full: it stays locked, and the order is followed once there is room."""
    file = KeptFile(tmp_path / "kept", "front-door")
    order = Signal(200.0, float(NOW), "a person", "command", {"do": END_LOCKOUT, "order": file.give_order()})
    for failures in (0, 5):
        gate = Gate(replace(POLICY, factor=Asked("secret", patience=Patience(5, 300.0))), disk=Kept(failures))
        gate.take(gate.order("lock"))
        state = unkept(gate.state, hear(gate.policy, gate.state, order), "it is full").state
        assert held(gate.policy.patience, written(state).lockout, 200.0) == "it is locked from afar"
        gate.state = written(state)
        assert gate.hear(order) == "lockout" and held(gate.policy.patience, gate.state.lockout, 200.0) == ""


def test_a_memory_that_cannot_be_read_locks(tmp_path: Path) -> None:
    """The door stays shut and follows no remote command until a person at the gate says so."""
    file = KeptFile(tmp_path / "kept", "front-door")
    file.path.write_text("{")
    clock = SteppedClock(wall=NOW)
    desk = Desk("front-door", SECRET, Inbox(), lambda _topic, _message: None)
    reception = Reception(clock, Inbox(), file, 50, desk=desk)
    gate = Gate(disk=reception.kept)
    assert "cannot be read" in reception.problem and "cannot be read" in held(None, gate.state.lockout, gate.time)
    old = gate.order("open", life=60)
    for command in ("unlock", "open"):
        gate.wait(11)
        assert gate.take(gate.order(command)) == REFUSED
    order = Signal(gate.time, gate.wall, "a person", "command", {"do": END_LOCKOUT, "order": file.give_order()})
    assert gate.hear(order) == "lockout" and not held(None, gate.state.lockout, gate.time)
    gate.wait(11)
    assert gate.take(old) == DISBELIEVED  # it may have been followed before the file broke
    gate.wait(61)
    assert gate.take(gate.order("open")) == OPEN


def test_nonces_are_bounded() -> None:
    """However many commands come, so many are remembered, and the forgotten ones are not believed again."""
    standing = Standing()
    for number in range(3 * MANY):
        standing = noted(standing, f"{number}", NOW + number, NOW)
    assert len(standing.nonces) == MANY and all(came(standing, f"{number}", NOW + number) for number in range(3 * MANY))
    assert not came(standing, "new", NOW + 3 * MANY) and standing.floor < FOREVER


class Forgetful(Gate):
    """Planted: a restart forgets which commands came."""

    def restart(self) -> None:
        """Begin again from nothing."""
        self.disk = replace(self.disk, standing=Standing())
        super().restart()


class Careless(Gate):
    """Planted: forgets the nonces of what expired, without a floor under the clock."""

    def hear(self, signal: Signal) -> str:
        """Hear a signal."""
        rule = super().hear(signal)
        self.disk = replace(self.disk, standing=replace(self.disk.standing, floor=0))
        self.state = replace(self.state, lockout=replace(self.state.lockout, kept=self.disk))
        return rule


class Timeless(Gate):
    """Planted: takes every message to be of just now."""

    def hear(self, signal: Signal) -> str:
        """Hear a signal."""
        values = {**signal.values, "time": signal.wall, "expires": signal.wall + 30} if "nonce" in signal.values else signal.values
        return super().hear(replace(signal, values=values))


def wrong(kind: type[Gate], stories: int, seed: int = 0) -> tuple[int, int]:
    """Return how many openings no fresh message had asked for, and all openings, of random stories of sending, repeating and mishaps."""
    draw, violations, openings = random.Random(seed), 0, 0
    for _ in range(stories):
        gate, sent, used = kind(), [], set()  # type: ignore[var-annotated]
        for _ in range(40):
            happens = draw.choice(("send", "send", "again", "again", "again", "wait", "restart", "jump", "retained"))
            if happens in ("send", "retained"):
                life, ahead = draw.choice((5, 30, 60, 90)), draw.choice((0, 0, 0, -20, -70, 20))
                sent.append((gate.order("open", life, ahead), int(gate.wall) + ahead, int(gate.wall) + ahead + life))
            if happens in ("send", "again", "retained") and sent:
                payload, begins, ends = sent[-1] if happens != "again" else draw.choice(sent)
                before = gate.openings
                gate.take(payload, retained=happens == "retained")
                if gate.openings > before:
                    may = begins - 5 <= gate.wall < ends <= begins + 60 and payload not in used and happens != "retained"
                    violations += not may
                    used.add(payload)
            gate.wait(draw.choice((0.5, 6, 25, 70)) if happens == "wait" else 0.5)
            if happens == "restart":
                gate.restart()
            if happens == "jump":
                gate.wall += draw.choice((-3600, 3600, -40, 40, -31_536_000, 31_536_000))
        openings += gate.openings
    return violations, openings


def test_no_story_opens_twice_or_late() -> None:
    """A thousand stories of forty events: every opening was asked for by one fresh message."""
    violations, openings = wrong(Gate, 1000)
    assert violations == 0 and openings > 1000


@pytest.mark.parametrize("broken", [Forgetful, Careless, Timeless])
def test_planted_bugs_are_caught(broken: type[Gate]) -> None:
    """A gate that forgets over restarts, over clock jumps, or that does not look at the time, is found out."""
    assert wrong(broken, 300)[0] > 0
