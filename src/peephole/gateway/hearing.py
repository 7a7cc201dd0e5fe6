"""What is heard rather than seen: PINs, tags, phones, and a person who ends a lockout; pure.

A signal may let somebody in on whom enough frames have just agreed, and nobody else. Whatever is wrong with it, the door stays shut.
"""

import math
from dataclasses import replace

from peephole.base.records import Decision
from peephole.gateway.commands import obey
from peephole.gateway.conditions import Row
from peephole.gateway.factor import Asked, Shown, doubt, forgotten, mark, present, remembered, whose
from peephole.gateway.inbox import Signal
from peephole.gateway.lockout import Kept, Lockout, cleared, failed, held, restarted, spent
from peephole.gateway.permission import settle
from peephole.gateway.readings import read
from peephole.gateway.reasons import plural
from peephole.gateway.remote import LIFE
from peephole.gateway.remotestate import freed, merged
from peephole.gateway.state import Agreement, Policy, Reaction, State, also_source, awaits, note, told

__all__ = ["END_LOCKOUT", "REMOTE", "began", "hear", "unkept", "written"]

END_LOCKOUT = "end the lockout"
REMOTE = "remote"  # the source of signals that are remote commands
QUIET = 10.0  # seconds between two rows about messages that are not believed: a flood must not fill the journal


def began(policy: Policy, state: State, kept: Kept, time: float) -> State:
    """Return the state after a start: failures count on from what was on disk, and what was locked stays locked."""
    return replace(state, lockout=Lockout(kept) if policy.patience is None else restarted(policy.patience, kept, time))


def hear(policy: Policy, state: State, signal: Signal) -> Reaction:
    """Take one signal; returns the next state with at most one decision that acts."""
    if not math.isfinite(signal.time):
        return Reaction(state)
    if signal.kind == "reading" and signal.source in map(also_source, policy.also):
        return _other_model(policy, state, signal)
    if signal.kind == "reading":
        return read(policy, state, signal)
    if signal.kind == "command":
        return obey(policy, state, signal) if signal.source == REMOTE else _command(state, signal)
    factor = policy.factor
    if factor is None or factor.kind != ("secret" if signal.kind == "factor" else "presence"):
        return Reaction(state)
    state, decision = (_secret if signal.kind == "factor" else _phone)(policy, factor, state, signal)
    return Reaction(state, (decision,) if decision else ())


def unkept(state: State, reaction: Reaction, why: str) -> Reaction:
    """Return what happens instead of a reaction whose `kept` could not be put on disk: nobody comes in until it can be.

    Failures and spent nonces only add up here, and a lockout only begins: neither an opening nor an order happened.
    """
    before, new, again = state.lockout, reaction.state.lockout, state.lockout.unwritten
    old = before.kept
    kept = replace(old, failures=max(old.failures, new.kept.failures), spent=new.kept.spent, standing=merged(old.standing, new.kept.standing))
    lockout = Lockout(kept, max(before.until, new.until), unwritten=True)
    state = replace(state, lockout=lockout, heard=reaction.state.heard)
    if again:
        return Reaction(state)
    state, decision = told(state, "lockout", None, f"nobody comes in: wrong PINs and tags cannot be counted on disk: {why}")
    return Reaction(state, (decision,))


def written(state: State) -> State:
    """Return the state once everything is on disk."""
    return replace(state, lockout=replace(state.lockout, unwritten=False))


def _secret(policy: Policy, factor: Asked, state: State, signal: Signal) -> tuple[State, Decision | None]:
    """A PIN or tag: believed or not, wrong or right, too early or just in time."""
    nonce = mark(signal.values)
    shut = held(factor.patience, state.lockout, signal.time)
    problem = shut or doubt(signal.values, signal.wall, state.heard, state.lockout.kept.spent) or str(signal.values.get("problem", ""))
    if nonce and not signal.values.get("retained"):
        state = replace(state, heard=remembered(state.heard, nonce))
    if problem:
        return _ignored(state, signal, f"a PIN or tag was not looked at: {problem}")
    people = whose(signal.values)
    if not people:
        return _wrong(factor, state, signal)
    tokens = tuple(shown for shown in state.heard.shown if abs(signal.time - shown.time) <= factor.within)
    heard = replace(state.heard, shown=(*tokens, Shown(people, signal.time)))
    return _now(policy, factor, replace(state, heard=heard, lockout=spent(state.lockout, nonce)), signal)


def _wrong(factor: Asked, state: State, signal: Signal) -> tuple[State, Decision]:
    state = replace(state, lockout=failed(factor.patience, state.lockout, signal.time))
    number = state.lockout.kept.failures
    so = held(factor.patience, state.lockout, signal.time)
    state = replace(state, heard=forgotten(state.heard)) if so else state
    return told(state, "second factor", None, f"a PIN or tag came that belongs to nobody, number {number} in a row{f'; {so}' if so else ''}")


def _phone(policy: Policy, factor: Asked, state: State, signal: Signal) -> tuple[State, Decision | None]:
    problem = doubt(signal.values, signal.wall, state.heard, ()) or str(signal.values.get("problem", ""))
    if problem:
        return _ignored(state, signal, f"a phone's message was not believed: {problem}")
    heard = remembered(state.heard, mark(signal.values))
    for label in whose(signal.values):
        heard = present(heard, label, signal.values.get("here") == "yes", signal.time)
    return _now(policy, factor, replace(state, heard=heard), signal)


def _now(policy: Policy, factor: Asked, state: State, signal: Signal) -> tuple[State, Decision | None]:
    """Let in whoever was waiting for this, if all else still allows it."""
    visit = state.visit
    if visit is None or visit.agreed is None or not awaits(policy, visit, signal.time) or visit.agreed.who not in whose(signal.values):
        return state, None
    return settle(policy, state, visit, max(signal.time, visit.agreed.time), signal.wall)


def _other_model(policy: Policy, state: State, signal: Signal) -> Reaction:
    """Another model's word: it may complete an agreement that is not older than the window."""
    state = replace(state, rows={**state.rows, signal.source: Row(signal.time, dict(signal.values))})
    if "problem" in signal.values:
        name = signal.source.partition("/")[2]
        return Reaction(state, (note("another model", f"{name} says nothing any more: {signal.values['problem']}"),))
    visit = state.visit
    if visit is None or (seen := visit.agreed) is None or not _same(policy, seen, signal):
        return Reaction(state)
    state, decision = settle(policy, state, visit, max(signal.time, seen.time), signal.wall)
    return Reaction(state, (decision,) if decision else ())


def _same(policy: Policy, seen: Agreement, signal: Signal) -> bool:
    return seen.who == signal.values.get("who") and abs(signal.time - seen.time) <= policy.within


def _ignored(state: State, signal: Signal, why: str) -> tuple[State, Decision | None]:
    """Say that something was not believed, now and then."""
    if 0 <= signal.time - state.heard.told < QUIET:
        return state, None
    return told(replace(state, heard=replace(state.heard, told=signal.time)), "second factor", None, why)


def _command(state: State, signal: Signal) -> Reaction:
    """A person ended the lockout, and a remote lock; each such order counts once, also after a restart."""
    order = str(signal.values.get("order", ""))
    if signal.values.get("do") != END_LOCKOUT or not order or order in state.lockout.kept.orders:
        return Reaction(state)
    failures, standing = state.lockout.kept.failures, state.lockout.kept.standing
    lockout = cleared(state.lockout, order)
    state = replace(state, lockout=replace(lockout, kept=replace(lockout.kept, standing=freed(standing, signal.wall + LIFE))))
    also = f", and what was {standing.locked}" if standing.locked else ""
    return Reaction(state, (note("lockout", f"a person ended the lockout{also}; {plural(failures, 'failure')} forgotten"),))
