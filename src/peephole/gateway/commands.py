"""What a remote command is believed, and what it may do: lock, unlock, status, and opening where the door's settings allow it; pure.

Whoever heard it has looked at its signature already; here it must also be new, in time, and fit what the door is doing.
"""

import math
from dataclasses import replace

from peephole.base.records import Decision
from peephole.gateway.factor import forgotten
from peephole.gateway.inbox import Signal
from peephole.gateway.lockout import Lockout, cleared, held
from peephole.gateway.reasons import plural
from peephole.gateway.remote import LIFE
from peephole.gateway.remotestate import FOREVER, came, freed, noted
from peephole.gateway.rules import CLOCK_IS_SET
from peephole.gateway.state import Policy, Reaction, State, note

__all__ = ["DISBELIEVED", "LOCK", "OPEN", "REFUSED", "STATUS", "UNLOCK", "obey"]

LOCK, UNLOCK, STATUS, OPEN = "remote lock", "remote unlock", "remote status", "remote open"
REFUSED, DISBELIEVED = "remote refused", "remote disbelieved"
AHEAD = 5.0  # seconds that a sender's clock may be ahead of ours
PATIENCE = 2.0  # seconds that a command may wait for the watch: who sent it has looked away since
# Seconds between two rows about commands that are not followed: a flood must not fill the journal. A sender whose clock is wrong, and who
# tries again, is to hear why.
QUIET = {DISBELIEVED: 10.0, REFUSED: 3.0}


def obey(policy: Policy, state: State, signal: Signal) -> Reaction:
    """Take one remote command; returns the next state with one decision, whose rule says what was done, or none in a flood."""
    if policy.remote is None:
        return Reaction(state)
    problem = _forged(state, signal)
    late = problem or _untimely(state, signal)
    if late:
        return _aside(state, signal, DISBELIEVED if problem else REFUSED, late)
    standing = noted(state.lockout.kept.standing, _nonce(signal), _number(signal, "expires"), signal.wall)
    state = replace(state, lockout=_with(state.lockout, standing=standing))
    do = {"lock": _lock, "unlock": _unlock, "status": _status, "open": _open}[str(signal.values["do"])]
    state, decision = do(policy, state, signal)
    return Reaction(state, (decision,))


def _forged(state: State, signal: Signal) -> str:
    """Say why a command is not believed to be one, or nothing."""
    if signal.values.get("retained"):
        return "it was retained by the broker, so nobody knows when it was said"
    if problem := str(signal.values.get("problem", "")):
        return problem
    standing = state.lockout.kept.standing
    return "it came before" if standing.floor < FOREVER and came(standing, _nonce(signal), _number(signal, "expires")) else ""


def _untimely(state: State, signal: Signal) -> str:
    """Say why a signed command is too late, too early, or at a gate that cannot tell, or nothing."""
    begins, ends, wall = _number(signal, "time"), _number(signal, "expires"), signal.wall
    if not CLOCK_IS_SET <= wall < math.inf:
        return "this gate's clock is not set, so nobody knows how old a command is"
    if state.lockout.kept.standing.floor >= FOREVER:
        return "this gate has lost its memory of past commands; somebody at the gate must say: peephole gate unlock DOOR.toml"
    if not begins <= wall + AHEAD:
        return f"it was said {begins - wall:.0f} s in the future; the clocks must agree"
    if not 0 < ends - begins <= LIFE:
        return f"it claims to be good for {ends - begins:.0f} s; {LIFE} s at most are allowed"
    if not wall < ends:
        return f"it expired {wall - ends:.0f} s ago; the clocks must agree"
    waited = _number(signal, "waited") if "waited" in signal.values else 0.0
    return "" if 0 <= waited <= PATIENCE else f"it waited {waited:.1f} s for the watch"


def _aside(state: State, signal: Signal, rule: str, why: str) -> Reaction:
    """Say that a command was not followed, now and then."""
    if 0 <= signal.time - state.remote_told < QUIET[rule]:
        return Reaction(state)
    return Reaction(replace(state, remote_told=signal.time), (note(rule, f"a remote command was not followed: {why}", "refuse"),))


def _lock(_: Policy, state: State, signal: Signal) -> tuple[State, Decision]:
    locked = f"locked from afar{_why(signal)}"
    standing = replace(state.lockout.kept.standing, locked=locked)
    state = replace(state, lockout=_with(state.lockout, standing=standing), heard=forgotten(state.heard))
    return state, note(LOCK, f"{locked}: nobody comes in until it is unlocked; {_named(signal)}")


def _unlock(_: Policy, state: State, signal: Signal) -> tuple[State, Decision]:
    kept = state.lockout.kept
    ended = [*(["the lock"] if kept.standing.locked else []), *([f"a count of {plural(kept.failures, 'failure')}"] if kept.failures else [])]
    state = replace(state, lockout=_with(cleared(state.lockout), standing=freed(kept.standing, kept.standing.floor)))
    what = f"{' and '.join(ended)} ended" if ended else "nothing was locked"
    return state, note(UNLOCK, f"unlocked from afar{_why(signal)}: {what}; {_named(signal)}")


def _status(policy: Policy, state: State, signal: Signal) -> tuple[State, Decision]:
    bar = held(policy.patience, state.lockout, signal.time)
    return state, note(STATUS, f"asked from afar how it is: {bar or 'armed'}; {_named(signal)}")


def _open(policy: Policy, state: State, signal: Signal) -> tuple[State, Decision]:
    """Open for nobody in particular: lock, lockout and cool-down still forbid it."""
    assert policy.remote is not None, "a door without remote commands obeys none"
    action = str(signal.values.get("action", "open"))
    if action not in policy.remote:
        may = f"only {', '.join(sorted(policy.remote))} may be" if policy.remote else "nothing may be: [remote] may_open = false"
        return state, note(REFUSED, f"'{action}' is not opened from afar, {may}; {_named(signal)}", "refuse")
    wait = state.shut_until - signal.time
    bar = held(policy.patience, state.lockout, signal.time) or (f"it opened a moment ago: shut for another {wait:.1f} s" if wait > 0 else "")
    if bar:
        return state, note(REFUSED, f"not opened from afar: {bar}; {_named(signal)}", "refuse")
    state = replace(state, shut_until=signal.time + policy.cool_down)
    return state, Decision("-", "open", None, f"opened from afar{_why(signal)}; {_named(signal)}", OPEN, action)


def _with(lockout: Lockout, **changes: object) -> Lockout:
    return replace(lockout, kept=replace(lockout.kept, **changes))  # type: ignore[arg-type]  # the callers above name Kept's own fields


def _why(signal: Signal) -> str:
    why = str(signal.values.get("why", "")).strip()
    return f" ('{why}')" if why else ""


def _named(signal: Signal) -> str:
    return f"command {_nonce(signal)[:8]}"


def _nonce(signal: Signal) -> str:
    return str(signal.values.get("nonce", ""))


def _number(signal: Signal, name: str) -> float:
    value = signal.values.get(name)
    return float(value) if isinstance(value, int | float) else math.nan
