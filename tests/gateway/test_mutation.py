"""SAFETY test 30: small bugs planted all over the policy, the relay, the second factor and the audit are noticed by their own tests.

A sample with a fixed seed, of all mutants of each part; one that survives is either a hole in the tests or a change that changes nothing.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
GATEWAY = "src/peephole/gateway"
SAMPLE = int(os.environ.get("PEEPHOLE_MUTANTS", "12"))  # of each module
KILLED = 0.9
# Modules of a part, and the tests that must notice.
PARTS = {
    "policy": (("policy", "permission", "judging"), ("test_policy.py", "test_door_machine.py", "test_rule_conditions.py", "test_second_factor.py")),
    "relay": (("relay",), ("test_relay.py", "test_relaylink.py")),
    "auth": (("lockout", "factor", "hearing"), ("test_lockout.py", "test_factor.py", "test_door_machine.py", "test_second_factor.py")),
    "verify": (("audit", "chain"), ("test_chain.py", "test_trimmed.py")),
}


def sampled(module: str) -> list[Mutant]:
    """Return the mutants of a module that are tried, the same in every run."""
    every = list(mutants((ROOT / GATEWAY / f"{module}.py").read_text(encoding="utf-8")))
    return random.Random(module).sample(every, min(SAMPLE, len(every)))


def noticed(copy: Path, tests: tuple[str, ...]) -> bool:
    """Run the tests against a copy of the sources; true when one fails, or nothing comes to an end."""
    words = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *(str(ROOT / "tests/gateway" / name) for name in tests))
    environment = {name: value for name, value in os.environ.items() if name != "PEEPHOLE_LONG"} | {"PYTHONPATH": str(copy)}
    try:
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, timeout=180, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_planted_bugs_are_noticed(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At least nine in ten; those that survive are printed. The sources as they are pass, or nothing would be shown by a failure."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    modules, tests = PARTS[part]
    assert not noticed(tmp_path / "src", tests)
    tried, alive = 0, []
    for module in modules:
        path = tmp_path / GATEWAY / f"{module}.py"
        text = path.read_text(encoding="utf-8")
        for mutant in sampled(module):
            path.write_text(mutant.text, encoding="utf-8")
            tried += 1
            if not noticed(tmp_path / "src", tests):
                alive.append(f"{module}.py:{mutant.line} {mutant.change}")
        path.write_text(text, encoding="utf-8")
    with capsys.disabled():
        print(f"\n{part}: {tried - len(alive)} of {tried} mutants were noticed; alive: {', '.join(alive) or 'none'}")
    assert len(alive) <= (1 - KILLED) * tried, alive


def test_a_mutant_differs_in_one_place() -> None:
    """Each changes the program, and no two are alike."""
    found = list(mutants("def f(a, b):\n    return not a < 1 and b in (2, a + b) or True\n"))
    assert sorted(mutant.change for mutant in found) == sorted(
        ["Or -> And", "And -> Or", "not gone", "Lt -> LtE", "In -> NotIn", "Add -> Sub", "True -> False"]
    )
    assert len({mutant.text for mutant in found}) == len(found)
