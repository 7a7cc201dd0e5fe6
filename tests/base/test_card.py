"""The card: JSON both ways; what would be misread is refused."""

import json

import pytest
from pydantic import ValidationError

from peephole.base.card import Card


def test_json_both_ways(tiny_card):
    """A card survives its own JSON, tuples and evidence included."""
    again = Card.model_validate_json(tiny_card.model_dump_json())
    assert again == tiny_card
    assert again.evidence[0].bound == tiny_card.evidence[0].bound
    assert again.input.shape == ("N", 8, 8, 1)


def test_a_card_is_frozen(tiny_card):
    """Thresholds and labels do not change after training."""
    with pytest.raises(ValidationError, match="frozen"):
        tiny_card.temperature = 2.0
    with pytest.raises(ValidationError, match="frozen"):
        tiny_card.unknown.threshold = -1.0


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("card", 2),
        ("kind", "table"),
        ("labels", []),
        ("labels", ["a", "a"]),
        ("temperature", 0),
        ("temperature", "warm"),
        ("unknown.threshold", float("nan")),
        ("unknown.threshold", float("inf")),
        ("unknown.margin", -0.1),
        ("unknown.k", 0),
        ("unknown.false_accept", 1.5),
        ("unknown.later", 1),
        ("input.shape", ["N", 8, 8, 2]),
        ("input.shape", [1, 8, 8, 1]),
        ("input.dtype", "float32"),
        ("input.resize.to", [0, 8]),
        ("input.resize.fit", "squeeze"),
        ("input.region.box", [0, 0, 2, 1]),
        ("training.seed", "seven"),
        ("later", True),
    ],
)
def test_wrong_values_are_refused(tiny_card, place, value):
    """Each wrong value is named by its place."""
    values = json.loads(tiny_card.model_dump_json())
    inner = values
    *way, last = place.split(".")
    for part in way:
        inner = inner[part]
    inner[last] = value
    with pytest.raises(ValidationError) as caught:
        Card.model_validate(values)
    assert place in {".".join(map(str, item["loc"][: len(way) + 1])) for item in caught.value.errors()}


def test_every_part_must_be_there(tiny_card):
    """A card without its threshold, temperature or parity is no card."""
    values = json.loads(tiny_card.model_dump_json())
    for name in ("unknown", "temperature", "parity", "labels", "input", "outputs", "training"):
        with pytest.raises(ValidationError, match=name):
            Card.model_validate({key: value for key, value in values.items() if key != name})


def test_receipts_are_left_out_where_there_are_none(tiny_card):
    """A card without them has no such key, so that it is read by versions that know nothing of them, and one without the key is read here."""
    values = json.loads(tiny_card.model_dump_json())
    assert "receipts" not in values and Card.model_validate(values).receipts is None
    half = {"present": 0.9, "absent": 0.8, "difference": 0.1, "interval": [-0.1, 0.3]}
    row = {"effect": "shift", "strength": "shift up to 12 %", "used": True, "accuracy": half, "loss": half, "verdict": "unclear"}
    values["receipts"] = {"rows": [row], "n": 8, "parts": 2, "repeats": 2, "steps": 30}
    again = Card.model_validate_json(Card.model_validate(values).model_dump_json())
    assert again.receipts.rows[0].loss.interval == (-0.1, 0.3) and again.receipts.confidence == 0.95 and again.receipts.role == "estimate"


@pytest.mark.parametrize(("name", "value"), [("rows", []), ("n", 0), ("repeats", 1), ("role", "proof"), ("confidence", 1), ("later", 1)])
def test_receipts_claim_no_more_than_an_estimate(tiny_card, name, value):
    """Without rows, without repeats or as a proof they are refused."""
    half = {"present": 0.9, "absent": 0.8, "difference": 0.1, "interval": [-0.1, 0.3]}
    row = {"effect": "shift", "strength": "shift up to 12 %", "used": True, "accuracy": half, "loss": half, "verdict": "unclear"}
    values = json.loads(tiny_card.model_dump_json())
    values["receipts"] = {"rows": [row], "n": 8, "parts": 2, "repeats": 2, "steps": 30} | {name: value}
    with pytest.raises(ValidationError, match=name):
        Card.model_validate(values)
