"""The fault matrix: every fault of faulttable in every state of the door, with a whole gate, a real relay process and a real camera child.

The short run takes, of each of the eight kinds, the first fault in the state whose number is the kind's own (modulo four), and the
second two states later: sixteen cells. The long run takes all cells and prints the table.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faultcell import STATES, Fault, Result, State, run
from faulttable import FAULTS

AT_ONCE = min(10, 4 * (os.cpu_count() or 1))  # cells side by side: a cell mostly waits
KINDS = tuple(dict.fromkeys(fault.kind for fault in FAULTS))
BY_NAME = {f"{fault.kind}: {fault.name}": fault for fault in FAULTS}

Cells = Iterable[tuple[Fault, State]]


def short() -> list[tuple[Fault, State]]:
    """Return the cells of the short run."""
    firsts = [[fault for fault in FAULTS if fault.kind == kind][:2] for kind in KINDS]
    return [(fault, STATES[(number + 2 * turn) % 4]) for number, pair in enumerate(firsts) for turn, fault in enumerate(pair)]


def run_all(cells: Cells, folder: Path) -> list[Result]:
    """Run cells side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda item: run(*item[1], folder / str(item[0])), enumerate(cells)))


def table(results: Iterable[Result]) -> str:
    """Return a line for each cell."""
    return "\n".join(
        f"{one.fault:52} {one.state:9} openings {one.unauthorised}  safe {one.safe_after:5.2f} s  late {one.late:5.2f} s  stood {one.stood:4.2f} s  "
        f"{'; '.join(one.problems) or 'ok'}"
        for one in results
    )


def slowest(results: Iterable[Result]) -> str:
    """Return a line for each kind: the slowest cut, and what was left alone and ended latest after its pulse."""
    lines = []
    for kind in KINDS:
        here = [one for one in results if one.state == "unlocked" and BY_NAME[one.fault].kind == kind]
        cut = [one.safe_after for one in here if BY_NAME[one.fault].cuts]
        left = [one.late for one in here if not BY_NAME[one.fault].cuts]
        lines.append(
            f"{kind:13} {len(cut):2} cut, the slowest in {max(cut, default=0.0):.2f} s; "
            f"{len(left):2} left alone{f', {min(left):.2f} to {max(left):.2f} s after the pulse' if left else ''}; "
            f"the computer stood still for {max((one.stood for one in here), default=0.0):.2f} s at most"
        )
    return "\n".join(lines)


def test_the_matrix_is_as_large_as_promised() -> None:
    """At least forty faults with names of their own, in four states."""
    assert len(BY_NAME) == len(FAULTS) >= 40 and len(STATES) == 4 and len(KINDS) == 8


def test_faults_open_nothing(tmp_path: Path) -> None:
    """Sixteen cells: no unauthorised opening, safe in time, and the gate goes on or ended, with a journal that verifies."""
    results = run_all(short(), tmp_path)
    assert all(result.passed for result in results), table(result for result in results if not result.passed)


@pytest.mark.long
def test_every_fault_in_every_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All cells, or those whose fault's name holds what PEEPHOLE_FAULTS says; the table is printed."""
    only = os.environ.get("PEEPHOLE_FAULTS", "")
    results = run_all([(fault, state) for fault in FAULTS for state in fault.states if only in f"{fault.kind}: {fault.name}"], tmp_path)
    opened = sum(result.unauthorised for result in results)
    wrong = [result for result in results if not result.passed]
    with capsys.disabled():
        print(f"\n{table(results)}\n\n{slowest(results)}\n{len(results)} cells, {opened} unauthorised openings, {len(wrong)} wrong")
    assert not wrong, table(wrong)


def test_without_a_fault_the_door_would_open(tmp_path: Path) -> None:
    """The control: nothing is planted, and the cell for faults that block counts ana's opening, the one for faults that cut a late door."""
    nothing = Fault("control", "nothing", lambda _: None, blocks=True, cuts=True)
    agreeing, unlocked = run_all([(nothing, "agreeing"), (nothing, "unlocked")], tmp_path)
    assert agreeing.unauthorised == 1 and agreeing.problems == ()
    assert unlocked.unauthorised == 0 and "safe only after" in unlocked.problems[0]


TWINS: dict[str, tuple[str, State]] = {
    "make_safe does nothing": ("disk: full before the decision", "unlocked"),
    "opens for whom it does not see": ("camera: hangs", "unlocked"),
    "keeps agreement over a problem": ("camera: black", "agreeing"),
    "judges late": ("model: slow", "agreeing"),
    "acts late": ("disk: hangs", "agreeing"),
    "acts before it is written": ("disk: full before the decision", "agreeing"),
    "relay trusts the gate": ("process: kill -9 of the gate", "unlocked"),
    "takes doubtful answers": ("model: NaN for ana", "agreeing"),
    "forgets a lockout that it cannot read": ("disk: lockout broken at a restart", "agreeing"),
}


def test_the_matrix_finds_gates_that_fail_open(tmp_path: Path) -> None:
    """Planted-bug twins: each of nine broken gates fails in the cell that is there for it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        folders = {twin: tmp_path / twin.replace(" ", "-") for twin in TWINS}
        results = dict(zip(TWINS, pool.map(lambda twin: run(BY_NAME[TWINS[twin][0]], TWINS[twin][1], folders[twin], twin), TWINS), strict=True))
    assert not [twin for twin, result in results.items() if result.passed], table(results.values())
    late = {"make_safe does nothing", "opens for whom it does not see", "relay trusts the gate"}
    opened = {twin for twin, result in results.items() if result.unauthorised}
    assert opened == set(TWINS) - late and all(any("safe" in problem for problem in results[twin].problems) for twin in late), table(results.values())
