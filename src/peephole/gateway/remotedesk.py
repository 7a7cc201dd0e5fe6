"""Where remote commands come in and answers go out: opens the signed message in the thread that heard it, and hands the watch a signal."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from peephole.base.records import Decision
from peephole.gateway.commands import DISBELIEVED, LOCK, OPEN, STATUS, UNLOCK
from peephole.gateway.hearing import REMOTE
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.listener import Message
from peephole.gateway.remote import Answer, Refused, read_order, topics, write_answer

__all__ = ["Deed", "Desk"]

Deed = tuple[Decision, bool]
"""A decision, and whether it could be carried out."""
FAILED = "it could not be carried out; see the gate's journal"
MAX_TEXT = 1000


class Desk:
    """One gate's desk; `speak` publishes an answer and never blocks."""

    def __init__(self, gate: str, secret: str, inbox: Inbox, speak: Callable[[str, str], None]) -> None:
        self.topic, self._answers = topics(gate)
        self._gate, self._secret, self._inbox, self._speak = gate, secret, inbox, speak
        self._forged = float("-inf")

    def hear(self, message: Message) -> None:
        """Let a command wait for the watch, or what is wrong with a message; when too many wait, it never came.

        Of messages that nobody signed one a second is told of: a flood of them leaves room for a command.
        """
        signal = self.signal(message)
        if "nonce" not in signal.values:
            if 0 <= message.time - self._forged < 1.0:
                return
            self._forged = message.time
        self._inbox.put(signal)

    def signal(self, message: Message) -> Signal:
        """Return what the policy hears of a message."""
        values: dict[str, float | str] = {"retained": 1.0} if message.retained else {}
        try:
            order = read_order(self._secret, self._gate, message.payload)
        except Refused as refused:
            return Signal(message.time, message.wall, REMOTE, "command", {**values, "problem": str(refused)})
        facts: dict[str, float | str] = {"do": order.command, "time": order.time, "expires": order.expires, "nonce": order.nonce}
        return Signal(message.time, message.wall, REMOTE, "command", {**order.args, **facts, **values})

    @staticmethod
    def aged(signal: Signal, now: float) -> Signal:
        """Write on a command how long it waited for the watch, in seconds."""
        return replace(signal, values={**signal.values, "waited": now - signal.time}) if signal.source == REMOTE else signal

    def answer(self, signal: Signal, deeds: Sequence[Deed], wall: float) -> None:
        """Tell the sender what became of a command; one that was not believed to be one gets no answer."""
        if "nonce" not in signal.values or not deeds or deeds[-1][0].rule == DISBELIEVED:
            return
        decision, carried = deeds[-1]
        done = decision.rule in (LOCK, UNLOCK, STATUS, OPEN) and carried
        text = decision.reason if carried else f"{decision.reason}: {FAILED}"
        answer = Answer(self._gate, str(signal.values["do"]), str(signal.values["nonce"]), done, text[:MAX_TEXT], int(wall))
        self._speak(self._answers, write_answer(self._secret, answer))
