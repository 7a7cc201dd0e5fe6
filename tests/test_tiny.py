"""The whole chain in seconds: drawings -> training -> one file -> ONNX Runtime alone -> decision -> door -> report."""

import json
import time
from datetime import UTC

import numpy as np
import onnxruntime

import peephole
from drawings import draw, folder, save
from peephole.explain.report import write_report
from peephole.export.build import build
from peephole.gateway.hours import ALWAYS
from peephole.gateway.policy import Glance, Policy, Rule, State, step
from peephole.nets.cnn import Plain
from peephole.train.recipe import Options

POLICY = Policy(
    agree=3, rules=(Rule("rule 1", frozenset("XO"), ALWAYS, "open", True), Rule("rule 2", frozenset({"unknown"}), ALWAYS, "call", False)), zone=UTC
)


def verdicts(predictions):
    """Show predictions to the door, 0.2 s apart, and return what it did."""
    state, found = State(), []
    for number, prediction in enumerate(predictions):
        reaction = step(POLICY, state, Glance(0.2 * number, 1.8e9, prediction))
        state = reaction.state
        found += [event.verdict for event in reaction.events if hasattr(event, "verdict")]
    return found


def test_from_twelve_drawings_to_a_door(tmp_path):
    """Six X and six O: trained, written, asked without Peephole, shown to a door, and explained; under ten seconds."""
    begun = time.process_time()
    photos = folder(tmp_path / "photos", 6, strangers="=I")
    built = build(photos, tmp_path / "door.onnx", Options(network="plain", steps=80, threads=1, plain=Plain(filters=(8, 16), hidden=64)))
    assert built.model.card.parity.changed_decisions == 0

    session = onnxruntime.InferenceSession(str(built.path))
    card = json.loads(session.get_modelmeta().custom_metadata_map["peephole.card"])
    fresh = {sign: [draw(sign, seed) for seed in range(40, 60)] for sign in "XO"}
    asked = np.stack([pixels for drawings in fresh.values() for pixels in drawings])[..., None]
    logits, familiarity = session.run(["logits", "familiarity"], {"image": asked})
    named = [card["labels"][best] for best in logits.argmax(1)]
    assert np.mean([name == sign for name, sign in zip(named, "X" * 20 + "O" * 20, strict=True)]) >= 0.9

    door = peephole.load(built.path)
    answers = {sign: door.predict(drawings) for sign, drawings in fresh.items()}
    assert [answer.best for answer in answers["X"] + answers["O"]] == named
    np.testing.assert_allclose([answer.familiarity for answer in answers["X"]], familiarity[:20].max(1)[:20], atol=0.2)
    known = [answer for answer in answers["X"] if answer.label == "X"]
    assert len(known) >= 10
    assert "open" in verdicts(known[:3]) and "open" not in verdicts(known[:2])

    empty = door.predict([np.full((16, 16), light, np.uint8) for light in (0, 128, 250, 255)])
    strangers = door.predict([draw("=", seed) for seed in range(20)])
    assert [one.label for one in empty] == [None] * 4
    assert sum(one.accepted for one in strangers) <= 10
    assert verdicts(empty) == ["ask"] and "open" not in verdicts([one for one in strangers if not one.accepted])

    visitor = save(fresh["X"][0], tmp_path / "visitor.png")
    assert peephole.evaluate(door, photos).seen == 12
    page = tmp_path / "report.html"
    explanation = peephole.explain(door, visitor, photos=photos)
    write_report(explanation, page)
    text = page.read_text("utf-8")
    assert explanation.prediction == answers["X"][0] and "conv1" in text and "visitor.png" in text
    assert time.process_time() - begun < 10, "seconds of computing; what else the machine does is not counted"
