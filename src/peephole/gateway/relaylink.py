"""The gate's end of the pipe to a relay's process: tells it to open, lets it know that the gate is alive, and notices when it is not.

The relay ends every pulse by itself (see relay); what is done here is to start it, to start it again in its safe state when it died
or hangs, and to say so.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from peephole.base.errors import ActuatorError
from peephole.gateway.actuators import Command, drain
from peephole.gateway.relay import BEAT, SILENCE

__all__ = ["RelayActuator", "relay_program"]

START = 10.0  # seconds until a new process must have said that it is ready; a Raspberry Pi Zero takes two
AGAIN = 1.0  # seconds between two attempts to start a relay that does not come up, or dies as soon as it is there
PATIENCE = 3  # deaths within AGAIN of its start, one after the other, before that is waited for
SAFE = 2.0  # seconds within which a relay that was started anew must be safe before that counts as failed
ENDING = 1.0  # seconds in which a relay must have ended after the gate's goodbye
ANSWER = 0.5  # seconds in which a relay must have done what it was told


def relay_program(target: str, safe: str, longest: float, folder: Path) -> tuple[str, ...]:
    """Return the command line of the process that drives gpio://PIN, `longest` being its longest pulse in seconds."""
    # -P: a file called peephole.py in the folder where the gate was started is nobody's relay.
    options = ("--safe", safe, "--longest", f"{longest:.3f}", "--folder", str(folder.absolute()))
    return (sys.executable, "-P", "-m", "peephole.gateway.relay", target, *options)


class RelayActuator:
    """Drives one pin through a process of its own.

    `faults` says what went wrong by itself: the relay died, hung or let go because it heard nothing from here.
    """

    def __init__(self, program: Sequence[str], safe: str = "off") -> None:
        """Start the process and wait until its pin is safe; raises ActuatorError with what kept it from it."""
        self._program, self._safe = tuple(program), safe
        self._faults: deque[str] = deque(maxlen=20)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        try:
            self._child = _Child(self._program, self._heard)
        except OSError as error:
            raise ActuatorError(f"the relay cannot be started: {error.strerror or error}", "are there processes and memory left?") from error
        self._started, self._quick = time.monotonic(), 0
        if not self._child.came_up(START):
            problem, hint = self._child.problem()
            self._child.kill()
            raise ActuatorError(f"the relay did not start: {problem}", hint)
        self._keeper = threading.Thread(target=self._keep, name="relay", daemon=True)
        self._keeper.start()

    @property
    def process(self) -> int:
        """The process id of the relay that is there now."""
        return self._child.process.pid

    @property
    def answered(self) -> float:
        """When the relay last said anything (monotonic seconds)."""
        return self._child.answered

    def send(self, command: Command) -> None:
        """Open for the command's pulse, or make safe; returns when the pin was driven. Raises ActuatorError when it may not have been."""
        if command.pulse is None and command.state != self._safe:
            raise ActuatorError("a relay is only ever driven for a pulse", 'give the action a pulse: pulse = "5 s"')
        if not self._lock.acquire(timeout=SAFE):
            raise ActuatorError(f"the relay could not be reached within {SAFE:g} s", "see the journal for what became of it")
        try:
            if command.pulse is None:
                self._make_safe()
            elif not self._child.ready.is_set():
                raise ActuatorError("the relay is being started again", "see the journal for what became of it")
            else:
                self._child.ask(f"on {{}} {command.pulse:.3f} {time.monotonic():.6f}")
        finally:
            self._lock.release()

    def faults(self) -> tuple[str, ...]:
        """Return what went wrong since this was last asked."""
        return drain(self._faults)

    def close(self) -> None:
        """Let the relay end, which it does in its safe state; never raises."""
        self._stop.set()
        self._keeper.join()
        self._child.end()

    def _make_safe(self) -> None:
        """Tell the relay to be safe; one that does not answer is ended, and a new one begins by being safe."""
        if self._child.ready.is_set():
            with suppress(ActuatorError):
                self._child.ask("safe {}")
                return
            self._begin_again(self._child.ailment() or "the relay did not answer")
        elif ailment := self._child.ailment():  # one that is still starting is left to it, however slow the computer is
            self._begin_again(ailment)
        if not self._child.came_up(SAFE):
            raise ActuatorError(f"the relay was not safe within {SAFE:g} s", "see the journal for what became of it")

    def _keep(self) -> None:
        """Say every tenth of a second that the gate is alive, and see to it that the relay is."""
        turn = time.monotonic()
        while not self._stop.wait(BEAT):
            before, turn = turn, time.monotonic()
            if turn - before > SILENCE:  # it was this process that stood still, so nobody could have answered
                self._child.forgive()
            if not self._lock.acquire(blocking=False):  # an order is under way, and an order is a word too
                continue
            try:
                self._tend()
            finally:
                self._lock.release()

    def _tend(self) -> None:
        """Look after the process once: a beat if it is well, another process if it is not."""
        ailment = self._child.ailment()
        if not ailment:
            self._child.beat()
        elif (self._child.ready.is_set() and self._quick < PATIENCE) or time.monotonic() - self._started > AGAIN:
            self._begin_again(ailment)

    def _begin_again(self, ailment: str) -> None:
        """End what is left of the process and start another; a relay that does not come up is told of once."""
        if self._child.ready.is_set():
            self._faults.append(f"{ailment}; it is started again, in its safe state")
        self._child.kill()
        self._quick = self._quick + 1 if time.monotonic() - self._started < AGAIN else 0
        self._started = time.monotonic()
        try:
            self._child = _Child(self._program, self._heard)
        except (OSError, RuntimeError, MemoryError) as error:  # RuntimeError: there is no room for another thread
            if self._child.ready.is_set():
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                self._faults.append(f"the relay cannot be started: {why}; its pin is left to its kernel")
            self._child.ready.clear()

    def _heard(self, why: str) -> None:
        if why == "silence":
            self._faults.append(f"the relay let go by itself: it heard nothing from the gate for {SILENCE:g} s")


class _Child:
    """One process of a relay, with what it said."""

    def __init__(self, program: Sequence[str], released: Callable[[str], None]) -> None:
        """Start the program; `released` hears why the relay let go by itself, on a thread of its own."""
        self.ready = threading.Event()
        self._released = released
        self._news = threading.Condition()
        self._answers: dict[int, str] = {}
        self._number = 0
        self._last_words, self._gone = "", False
        self._silent_since: float | None = None
        self.answered = self._started = time.monotonic()
        # A session of its own: Ctrl-C in a terminal ends the gate, which then makes the relay safe, in that order.
        self.process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/"
        )
        assert self.process.stdin is not None, "a pipe was asked for"
        self._writing = self.process.stdin.fileno()
        os.set_blocking(self._writing, False)
        self._reader = threading.Thread(target=self._read, name="relay-answers", daemon=True)
        try:
            self._reader.start()
        except RuntimeError as error:  # a process that nobody listens to would keep the pin from the next one
            with self.process:  # which closes its pipes, and waits for it
                self.process.kill()
            raise OSError(errno.EAGAIN, "the computer has no thread left") from error

    def came_up(self, seconds: float) -> bool:
        """Wait until its pin is safe, for `seconds` at most; false when it is not, or when the process is gone."""
        with self._news:
            self._news.wait_for(lambda: self.ready.is_set() or self._gone, seconds)
            return self.ready.is_set() and not self._gone

    def ask(self, order: str) -> None:
        """Give an order, with its number in place of {}, and wait until it was done; raises ActuatorError."""
        number = self._tell(order)
        with self._news:
            self._news.wait_for(lambda: number in self._answers or self._gone, ANSWER)
            answer = self._answers.pop(number, "")
        if answer != "did":
            raise ActuatorError(answer or f"the relay did not answer within {ANSWER:g} s", "see the journal for what became of it")

    def beat(self) -> None:
        """Say that the gate is alive."""
        self._tell("beat {}")

    def ailment(self) -> str:
        """Say what is wrong with the process, or nothing."""
        code, now = self.process.poll(), time.monotonic()
        if code is not None:
            self._reader.join(0.1)  # for its last words
            how = f"was killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
            return f"the relay's process {how}{f': {self.problem()[0]}' if self._last_words else ''}"
        if not self.ready.is_set():
            return f"the relay was not ready within {START:g} s" if now - self._started > START else ""
        if self._silent_since is not None and now - self._silent_since > SILENCE:
            return f"the relay's process did not answer for {SILENCE:g} s"
        return ""

    def problem(self) -> tuple[str, str]:
        """Return the process's last words and their hint."""
        words, _, hint = (self._last_words or "it said nothing").removeprefix("cannot start: ").partition(" | ")
        return words, hint or "run it by hand: python -m peephole.gateway.relay gpio://17"

    def forgive(self) -> None:
        """Begin to count the silence anew."""
        if self._silent_since is not None:
            self._silent_since = time.monotonic()

    def end(self) -> None:
        """Let it end by itself, which it does in its safe state; one that does not is killed."""
        self._tell("bye")
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDING)
        self.kill()

    def kill(self) -> None:
        """Make sure that it is gone, also when it stands still; one that hangs in the kernel is left to it."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDING)
        self._reader.join(1)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _tell(self, order: str) -> int:
        """Send an order with the next number, which is returned; never waits."""
        self._number += 1
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        with suppress(OSError, ValueError):  # a pipe that is full or broken shows in the answer that does not come
            os.write(self._writing, f"{order.format(self._number)}\n".encode())
        return self._number

    def _read(self) -> None:
        assert self.process.stdout is not None, "a pipe was asked for"
        with suppress(OSError, ValueError):
            while line := self.process.stdout.readline(1000):
                self._hear(line.decode("ascii", "replace").strip())
        with self._news:
            self._gone = True
            self._news.notify_all()

    def _hear(self, line: str) -> None:
        self.answered, self._silent_since = time.monotonic(), None
        word, _, rest = line.partition(" ")
        if word == "ready":
            with self._news:
                self.ready.set()
                self._news.notify_all()
        elif word == "end":
            self._last_words = rest[:300]
        elif word == "released":
            self._released(rest)
        elif word in ("did", "refused"):
            number, _, why = rest.partition(" ")
            with self._news:
                self._answers[int(number)] = word if word == "did" else f"the relay refused the order: {why}"
                self._news.notify_all()
