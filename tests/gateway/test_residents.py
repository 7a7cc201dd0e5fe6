"""Residents: what the evidence says of how often they are refused, and how many more visits would show what is hoped for."""

import pytest

from peephole.base.evidence import measure, upper_bound
from peephole.base.records import Evidence
from peephole.gateway.arming import arm
from peephole.gateway.residents import residents, with_residents

SHOWN = measure("false reject", 0, 59, "visit", "proof")
FEW = measure("false reject", 0, 20, "photo", "proof")


def test_shown_or_not() -> None:
    """59 visits without a refusal carry 5 %; 20 photos lack 39."""
    assert "hoped for and shown; false reject: 0 of 59 visits" in residents([SHOWN], 0.05)
    assert residents([FEW], 0.05).endswith("39 more photos, none refused, would")
    assert residents([SHOWN, FEW], 0.05).endswith("39 more photos, none refused, would")


@pytest.mark.parametrize(
    "evidence", [[], [measure("false reject", 0, 59, "visit", "estimate")], [measure("false accept", 0, 59, "stranger", "proof")]]
)
def test_only_a_proof_about_residents_counts(evidence: list[Evidence]) -> None:
    """Estimates and other claims show nothing; 59 visits would."""
    assert "nothing shows it; 59 visits" in residents(evidence, 0.05)


def test_with_refusals_the_number_is_exact() -> None:
    """Two refused of 60: the number that is named is the smallest whose bound is low enough."""
    told = residents([measure("false reject", 2, 60, "visit", "proof")], 0.05)
    more = int(told.rpartition("; ")[2].split()[0])
    assert upper_bound(2, 60 + more) <= 0.05 < upper_bound(2, 59 + more)
    assert "must become better first" in residents([measure("false reject", 6, 60, "visit", "proof")], 0.05)


def test_it_is_added_to_the_grounds_and_keeps_nothing_shut() -> None:
    """A gate arms whatever residents may hope for, and says what they may."""
    armed = arm([measure("false accept", 0, 299, "stranger", "proof")], 0.01, low_risk=False)
    assert with_residents(armed, [], None) == armed
    assert with_residents(armed, [], 0.05).how == "proof" and "59 visits of residents" in with_residents(armed, [], 0.05).sentence
