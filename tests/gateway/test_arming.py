"""Arming: a door opens for a rate that is proven, or as low risk and said so; it says how many strangers are missing."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import NotArmed
from peephole.base.evidence import measure, upper_bound
from peephole.base.records import Evidence
from peephole.gateway.arming import arm, proof

PROOF = measure("false accept", 0, 299, "stranger", "proof")
WEAK = measure("false accept", 0, 40, "stranger", "proof")
KINDS = measure("false accept", 0, 5, "kind", "proof")


def test_a_proof_arms() -> None:
    """0 of 299 strangers carry 1 %."""
    armed = arm([PROOF], 0.01, low_risk=False)
    assert armed.how == "proof" and armed.evidence == PROOF
    assert "0 of 299 strangers" in armed.sentence and "1 % was requested" in armed.sentence


def test_a_proof_with_low_risk_still_says_so() -> None:
    """low_risk is repeated even where the rate is proven: the camera alone opens."""
    assert "low_risk = true" in arm([PROOF], 0.01, low_risk=True).sentence


@pytest.mark.parametrize(("evidence", "more"), [([], "299 strangers"), ([WEAK], "259 more strangers"), ([KINDS], "294 more kinds")])
def test_what_is_missing_is_counted(evidence: list[Evidence], more: str) -> None:
    """Without a proof the gate stays unarmed and says how many more are needed; low risk arms and says the same."""
    with pytest.raises(NotArmed, match=more):
        arm(evidence, 0.01, low_risk=False)
    armed = arm(evidence, 0.01, low_risk=True)
    assert armed.how == "low risk" and more in armed.sentence and "not proven" in armed.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"role": "estimate"},
        {"role": "simulated"},
        {"unit": "photo"},
        {"unit": "visit"},
        {"claim": "false reject"},
        {"confidence": 0.5},
        {"confidence": math.nan},
        {"bound": math.nan},
        {"errors": 300},
        {"errors": -1},
        {"trials": 0},
        {"trials": 10**12},
    ],
)
def test_only_a_proof_about_strangers_counts(change: dict[str, object]) -> None:
    """Estimates, photos, other claims, low confidence and impossible counts prove nothing."""
    assert proof([replace(PROOF, **change)]) is None  # type: ignore[arg-type]


def test_a_typed_in_bound_proves_nothing() -> None:
    """A card whose bound is smaller than its counts allow is taken at its counts."""
    lied = replace(WEAK, bound=0.0001)
    with pytest.raises(NotArmed, match=r"7\.2 %"):
        arm([lied], 0.01, low_risk=False)


def test_the_weakest_proof_counts() -> None:
    """In doubt the larger bound."""
    with pytest.raises(NotArmed):
        arm([PROOF, KINDS], 0.01, low_risk=False)


def test_errors_need_many_more() -> None:
    """With two accepted of 400 the count that would prove 1 % is close to the exact one; at 5 % errors no count would."""
    with pytest.raises(NotArmed, match="more strangers") as caught:
        arm([measure("false accept", 2, 400, "stranger", "proof")], 0.01, low_risk=False)
    more = int(caught.value.what.split("about ")[1].split(" more")[0].replace(",", ""))
    assert upper_bound(2, 400 + more, 0.95) <= 0.0101
    assert upper_bound(2, 400 + more - 20, 0.95) > 0.01
    with pytest.raises(NotArmed, match="must become better"):
        arm([measure("false accept", 20, 400, "stranger", "proof")], 0.01, low_risk=False)


def test_nothing_to_open_needs_no_proof() -> None:
    """A gate that only rings is not asked for a rate."""
    assert arm([], 0.01, low_risk=False, opening=False).how == "no opening"


@given(
    st.integers(0, 400),
    st.integers(0, 3),
    st.floats(1e-5, 0.9),
    st.sampled_from(["stranger", "kind", "visit", "photo"]),
    st.sampled_from(["proof", "estimate"]),
)
def test_never_armed_beyond_the_evidence(trials: int, errors: int, requested: float, unit: str, role: str) -> None:
    """Without low risk, whatever arms has a bound at or below the request."""
    if not trials or errors > trials:
        return
    evidence = measure("false accept", errors, trials, unit, role)  # type: ignore[arg-type]
    carries = evidence.bound <= requested and role == "proof" and unit in ("stranger", "kind")
    try:
        armed = arm([evidence], requested, low_risk=False)
    except NotArmed:
        assert not carries
    else:
        assert carries and armed.how == "proof"
