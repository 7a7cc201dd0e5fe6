"""SAFETY test 30: small bugs planted all over the policy, the relay, the second factor and the audit are noticed by their own tests.

A sample of all mutants of each part, the same in every run; PEEPHOLE_MUTANTS says how many of each part (all: every one), and
PEEPHOLE_MUTANT_SEED picks another sample. One that survives is either a hole in the tests or a change that changes nothing.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
GATEWAY = "src/peephole/gateway"
SAMPLE = os.environ.get("PEEPHOLE_MUTANTS", "40")
SEED = os.environ.get("PEEPHOLE_MUTANT_SEED", "0")
KILLED = 0.9
# Modules of a part, and the tests that must notice: what needs no process first.
PARTS = {
    "policy": (
        ("policy", "permission", "judging"),
        ("test_judging.py", "test_permission.py", "test_policy.py", "test_weighing.py", "test_door_machine.py"),
    ),
    "relay": (("relay",), ("test_relay.py", "test_relaylink.py")),
    "auth": (("lockout", "factor", "hearing"), ("test_factor.py", "test_hearing.py", "test_lockout.py", "test_commands.py", "test_door_machine.py")),
    "verify": (("audit", "chain"), ("test_chain.py", "test_pictures.py", "test_erasure.py")),
}


def sampled(part: str) -> list[tuple[str, Mutant]]:
    """Return the mutants of a part that are tried, with their modules."""
    every = [(module, mutant) for module in PARTS[part][0] for mutant in mutants((ROOT / GATEWAY / f"{module}.py").read_text(encoding="utf-8"))]
    some = len(every) if SAMPLE == "all" else min(int(SAMPLE), len(every))
    return random.Random(f"{part} {SEED}").sample(every, some)


def noticed(copy: Path, tests: tuple[str, ...], seconds: float) -> bool:
    """Run the tests against a copy of the sources; true when one fails, or they do not come to an end within `seconds`."""
    words = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *(str(ROOT / "tests/gateway" / name) for name in tests))
    left_out = ("PEEPHOLE_LONG", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    # What was compiled before the change was planted looks as new as the change.
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, timeout=seconds, check=False, preexec_fn=_bounded)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _bounded() -> None:
    """Let no process that a mutant leaves behind, such as a relay that never hears the end, run for ever."""
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_planted_bugs_are_noticed(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At least nine in ten; those that survive are printed. The sources as they are pass, or nothing would be shown by a failure."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    tests, since = PARTS[part][1], time.monotonic()
    assert not noticed(tmp_path / "src", tests, 600.0)
    patience, alive = 3 * (time.monotonic() - since) + 10, []
    tried = sampled(part)
    for module, mutant in tried:
        path = tmp_path / GATEWAY / f"{module}.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(mutant.text, encoding="utf-8")
        if not noticed(tmp_path / "src", tests, patience):
            alive.append(f"{module}.py:{mutant.line} {mutant.change}")
        path.write_text(text, encoding="utf-8")
    with capsys.disabled():
        told, seconds = "".join(f"\n  {one}" for one in sorted(alive)) or " none", time.monotonic() - since
        print(f"\n{part}: {len(tried) - len(alive)} of {len(tried)} mutants were noticed in {seconds:.0f} s; alive:{told}")
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
