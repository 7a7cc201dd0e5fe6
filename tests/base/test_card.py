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
