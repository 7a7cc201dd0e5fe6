"""SAFETY test 30: small bugs planted all over the policy, the relay, the second factor and the audit are noticed by their own tests.

A sample of all mutants of each part, the same in every run; PEEPHOLE_MUTANTS says how many of each part (all: every one), and
PEEPHOLE_MUTANT_SEED picks another sample. One that survives is either a hole in the tests or a change that changes nothing.
"""

import compileall
import importlib.util
import os
import random
import resource
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
GATEWAY = "src/peephole/gateway"
SAMPLE = os.environ.get("PEEPHOLE_MUTANTS", "40")
SEED = os.environ.get("PEEPHOLE_MUTANT_SEED", "0")
KILLED = 0.9
SECONDS = 180.0  # after which the tests are taken to hang; they need fifteen on an idle core
# Modules of a part, and the tests that must notice: what needs no process first.
PARTS = {
    "policy": (
        ("policy", "permission", "judging"),
        ("test_judging.py", "test_permission.py", "test_policy.py", "test_weighing.py", "test_door_machine.py"),
    ),
    "relay": (("relay",), ("test_relay.py", "test_relaylink.py")),
    "auth": (("lockout", "factor", "hearing"), ("test_factor.py", "test_hearing.py", "test_lockout.py", "test_commands.py", "test_door_machine.py")),
    "verify": (("audit", "chain"), ("test_chain.py", "test_trimmed.py", "test_pictures.py", "test_erasure.py")),
}


def sampled(part: str) -> list[tuple[str, Mutant]]:
    """Return the mutants of a part that are tried, with their modules."""
    every = [(module, mutant) for module in PARTS[part][0] for mutant in mutants((ROOT / GATEWAY / f"{module}.py").read_text(encoding="utf-8"))]
    some = len(every) if SAMPLE == "all" else min(int(SAMPLE), len(every))
    return random.Random(f"{part} {SEED}").sample(every, some)


class Runner:
    """A copy of the sources, and a process that runs the tests against it (see mutantrun)."""

    def __init__(self, copy: Path, tests: tuple[str, ...], seconds: float) -> None:
        self._copy = copy
        words = [sys.executable, str(Path(__file__).with_name("mutantrun.py")), str(copy / "src"), str(seconds)]
        # What was compiled before a change was planted may look as new as the change.
        environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PEEPHOLE_LONG", None)
        words += [str(ROOT / "tests/gateway" / name) for name in tests]
        self._process = subprocess.Popen(words, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def passes(self) -> bool:
        """Run the tests, and once more when they fail: some wait for other processes, and a computer that is busy may fail one."""
        first = self._once()
        return first == "passed" or (first == "failed" and self._once() == "passed")

    def _once(self) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None, "pipes were asked for"
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in ("passed", "failed", "hangs"), "the process that runs the tests is gone"
        return answer

    def survives(self, module: str, mutant: Mutant) -> bool:
        """Say whether the tests pass with a change planted."""
        path = self._copy / GATEWAY / f"{module}.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(mutant.text, encoding="utf-8")
        try:
            return self.passes()
        finally:
            path.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """End it."""
        with self._process:
            pass


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_planted_bugs_are_noticed(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At least nine in ten; those that survive are printed. The sources as they are pass, or nothing would be shown by a failure."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(tmp_path / "src", quiet=2)
    for module in PARTS[part][0]:  # these change
        Path(importlib.util.cache_from_source(str(tmp_path / GATEWAY / f"{module}.py"))).unlink()
    tried, before = sampled(part), resource.getrusage(resource.RUSAGE_CHILDREN)
    with closing(Runner(tmp_path, PARTS[part][1], SECONDS)) as runner:
        assert runner.passes()
        alive = sorted(f"{module}.py:{mutant.line} {mutant.change}" for module, mutant in tried if runner.survives(module, mutant))
        assert runner.passes()
    with capsys.disabled():
        told, after = "".join(f"\n  {one}" for one in alive) or " none", resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"\n{part}: {len(tried) - len(alive)} of {len(tried)} mutants were noticed in {spent:.0f} s of one core; alive:{told}")
    assert len(alive) <= (1 - KILLED) * len(tried), alive


def test_a_mutant_differs_in_one_place() -> None:
    """Each changes the program, no two are alike, and what needs no test is left alone."""
    source = """
@dataclass(frozen=True)
class A:
    b: int = 2

def f(a, b):
    assert a < b
    if a:
        act(f"{a}" + b)
    c = 'text' + a
    return replace(a, x=not b, y=(0 < a <= b or a in b and a + b))
"""
    found = mutants(source)
    assert [(mutant.line, mutant.change) for mutant in found] == [
        (4, "2 -> 3"),
        (8, "not a"),
        (9, "act(f'{a}' + b) gone"),
        (11, "x not carried over"),
        (11, "y not carried over"),
        (11, "not gone"),
        (11, "Or -> And"),
        (11, "Lt -> LtE"),
        (11, "LtE -> Lt"),
        (11, "0 -> 1"),
        (11, "And -> Or"),
        (11, "In -> NotIn"),
        (11, "Add -> Sub"),
    ]
    assert len({mutant.text for mutant in found}) == len(found)
    assert found[0].text.replace("b: int = 3", "b: int = 2") == found[1].text.replace("if not a:", "if a:")
