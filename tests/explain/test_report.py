"""The report as a file: complete, escaped, the same bytes each time, numbers as JSON."""

import hashlib
import json
import re
import string

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import OutputError, PhotoError
from peephole.base.evidence import describe
from peephole.decide.predictor import load
from peephole.explain import anatomy
from peephole.explain.report import explain, render, to_json, write_json, write_report
from peephole.explain.words import LANGUAGES, catalogue, number

NASTY = ("<script>alert(1)</script>", "한글 \"x\" & 'y'", "{mina} $who")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A seeded photo with a name that is HTML."""
    path = tmp_path_factory.mktemp("photo") / "<img src=x onerror=alert(1)>.png"
    pixels = np.random.default_rng(7).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def nasty(make_door, photo):
    """An explanation whose every name is hostile."""
    return explain(load(make_door(NASTY, unknown={"how": "<b>set</b> by hand"}, licence="</q><script>")), photo)


def test_same_input_same_bytes(make_door, photo):
    """Two explanations of one photo by one file are the same page and the same JSON."""
    predictor = load(make_door())
    first, second = explain(predictor, photo), explain(predictor, photo)
    assert render(first) == render(second)
    assert to_json(first) == to_json(second)


def test_names_are_escaped(nasty):
    """Labels, file names and what the card says stay text."""
    page = render(nasty)
    assert page.count("<script>") == 1
    assert "alert(1)</script>" not in page
    assert "<img src=x" not in page
    assert "<b>set</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "한글 &quot;x&quot; &amp; &#x27;y&#x27;" in page
    assert "{mina} $who" in page


def test_nothing_is_loaded(nasty):
    """No address but data: stands in the page, and the content policy allows no other."""
    page = render(nasty)
    assert not re.findall(r"https?:|//[a-z]", re.sub(r"data:image/[^\"]*|// [^\n]*", "", page))
    assert set(re.findall(r'src="([^:"]*):', page)) == {"data"}
    assert "default-src 'none'" in page


def test_every_layer_and_section_is_there(nasty):
    """Each layer has its heading, its picture and its place in the table."""
    page = render(nasty)
    ends = {nasty.look.layers[place].name: group[-1] for group in anatomy.groups(nasty.look.layers) for place in group}
    for layer in nasty.look.layers:
        assert page.count(f'"><a href="#layer-{ends[layer.name]}">{layer.name}</a></th>') == 1
    assert page.count('<details class="layer" open id="layer-') == len(nasty.look.layers) - 3  # the four steps of the normalisation are one
    for evidence in nasty.card.evidence:
        assert describe(evidence) in page
    assert nasty.model.sha256 in page
    assert "plain network, 600 steps, shift 8 %." in page


def test_the_verdict_is_the_prediction(make_door, photo):
    """Who is accepted is named; everybody else is a stranger; the threshold's origin stands there; of doors only a gate speaks."""
    never = explain(load(make_door(unknown={"threshold": 2.0})), photo)
    assert '<p class="answer"><span class="en" lang="en">A stranger</span>' in render(never)
    always = explain(load(make_door(("ana",), unknown={"threshold": -2.0, "margin": 0.0})), photo)
    assert always.prediction.accepted
    assert f"Recognised: <b>{always.prediction.label}</b>" in render(always)
    assert not re.search(r"\bdoor\b(?!\.onnx)|Open for", re.sub(r"data:image/[^\"]*", "", render(always)))
    assert "chosen on held-out labels; an estimate" in render(always)


def test_a_margin_of_nothing_is_not_spoken_of(make_door, photo):
    """At margin 0 the page asks that no other label is nearer, not for a lead of 0; with one label it compares with none."""
    page = render(explain(load(make_door(unknown={"margin": 0.0, "threshold": -2.0})), photo))
    assert "may be nearer" in page
    assert "by at least" not in page
    assert "by at least 0.02" in render(explain(load(make_door()), photo))
    alone = render(explain(load(make_door(("ana",), unknown={"margin": 0.02, "threshold": -2.0})), photo))
    assert alone.count('data-check="') == 2


def test_many_strangers_are_one_row(make_door, photo, nasty):
    """A few strangers are listed by name, many as one row with their sum."""
    assert "stranger: visitor" in render(nasty)
    many = nasty.card.training.model_copy(update={"strangers": {f"s{index}": 2 for index in range(40)}})
    page = render(explain(load(make_door(training=many)), photo))
    assert "strangers: 40 of them together" in page
    assert "stranger: s7" not in page


def test_what_was_not_measured_is_said(nasty, make_door, photo):
    """Without a false accept on the card the page says that it was not measured."""
    assert "was not measured" not in render(nasty)
    assert "was not measured" in render(explain(load(make_door(evidence=nasty.card.evidence[1:])), photo))


def test_the_glance_leads_to_layers(nasty):
    """Every stop between picture and answer leads to a layer that is there; the last is the logits; there are ten at most."""
    page = render(nasty)
    row = page[page.index('<ol class="glance">') : page.index('<section id="layers"')]
    stops = re.findall(r'href="#(layer-\d+)">([^<]+)', row)
    assert [name for _, name in stops][-2:] == ["relu_", "logits"]  # names may break after an underscore
    assert all(f'id="{place}"' in page for place, _ in stops)
    assert 3 <= len(stops) <= 10


def test_softmax_is_the_predictions(make_door, photo):
    """The share of the best label is the probability that the predictor gives."""
    found = explain(load(make_door()), photo)
    assert found.softmax.terms[0].share == pytest.approx(found.prediction.probability, abs=1e-6)
    assert found.familiarity[0].mean == pytest.approx(found.familiarity[0].value, abs=1e-6)


def test_json_has_the_numbers(nasty, photo, tmp_path):
    """The JSON is strict and carries the answer, the layers, the sums and the examples."""
    values = json.loads(write_json(nasty, tmp_path / "report.json").read_text("utf-8"))
    assert all(each["met"] for each in values["conditions"]) == nasty.prediction.accepted
    assert values["prediction"]["accepted"] == nasty.prediction.accepted
    assert values["input_sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert [layer["id"] for layer in values["layers"]] == [layer.name for layer in nasty.look.layers]
    assert values["layers"][4]["macs"]["product"] == "8 × 1 × 3 × 3 × 28 × 28"
    assert sum(term["share"] for term in values["softmax"]["terms"]) == pytest.approx(1)
    assert len(values["nearest"]) == 9


def test_tiny_model(tiny_model_path, tiny_photos, tmp_path):
    """A photo that the tiny model knows opens, and its nearest example is itself at distance 0."""
    Image.fromarray(tiny_photos["top-1"][:, :, 0]).save(tmp_path / "top.png")
    found = explain(load(tiny_model_path), tmp_path / "top.png")
    assert (found.prediction.label, found.prediction.accepted) == ("top", True)
    assert found.known[0].id == "top-1"
    assert found.known[0].distance == pytest.approx(0, abs=1e-6)
    assert write_report(found, tmp_path / "report.html").stat().st_size < 300_000


def test_pictures_only_when_given(make_door, photo, tmp_path):
    """Known examples are shown as pictures only with their folder."""
    folder = tmp_path / "photos" / "ana"
    folder.mkdir(parents=True)
    Image.new("RGB", (30, 30), "teal").save(folder / "one.png")
    digest = hashlib.sha256((folder / "one.png").read_bytes()).hexdigest()
    predictor = load(make_door(digests=(digest,) * 12))
    assert 'class="example"' not in render(explain(predictor, photo))
    assert render(explain(predictor, photo, photos=tmp_path / "photos")).count('class="example"') == 9


def test_a_large_colour_picture_stays_small(make_door, tmp_path):
    """Noise in colour, the worst to compress, stays under 3 MB."""
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    path = make_door(size=96, channels=3, filters=(64, 64, 64, 64))
    assert write_report(explain(load(path), tmp_path / "noise.png"), tmp_path / "report.html").stat().st_size < 3_000_000


def test_over_the_budget_maps_get_smaller_and_it_is_said(nasty, monkeypatch):
    """What does not fit is shown smaller and in part, and the page says so."""
    whole = render(nasty)
    assert "To keep this page small" not in whole
    monkeypatch.setattr(anatomy, "BUDGET", 12_000)
    small = render(nasty)
    assert "To keep this page small" in small
    assert "are left out" in small
    assert len(small) < len(whole)


def test_an_answer_that_is_no_number_is_shown_as_such(make_door, photo):
    """Overflowing activations give a report that says NaN and lets nobody in; its JSON is still JSON."""
    found = explain(load(make_door(gain=1e25)), photo)
    assert not np.isfinite(found.look.logits).all()
    page = render(found)
    assert '<p class="answer"><span class="en" lang="en">A stranger</span>' in page
    assert page.count('data-check="') == 1
    assert "train or export it again" in page.lower()
    assert "not finite numbers" in page
    assert "NaN" in page
    json.loads(to_json(found), parse_constant=pytest.fail)


def test_bad_photo_and_bad_place(make_door, nasty, tmp_path):
    """What is no photo is refused with its reason; a folder that is a file cannot hold a report."""
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(PhotoError):
        explain(load(make_door()), tmp_path / "text.jpg")
    with pytest.raises(OutputError):
        write_report(nasty, tmp_path / "text.jpg" / "report.html")


def test_languages_agree():
    """Both languages have the same keys with the same placeholders, and none is empty."""

    def placeholders(sentence):
        return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name)

    english, korean = (catalogue(language) for language in LANGUAGES)
    assert list(english) == list(korean)
    for key, sentence in english.items():
        assert sentence.strip()
        assert korean[key].strip(), key
        assert placeholders(sentence) == placeholders(korean[key]), key


def test_korean_is_korean():
    """Every Korean sentence has Hangul, but for formulas and names."""
    same = {key for key, sentence in catalogue("ko").items() if not re.search("[가-힣]", sentence)}
    assert same <= {"softmax.tempered", "softmax.power", "report.title", "term.relu", "joint.add.sign", "way.conv", "budget.range", "budget.gain"}


def test_numbers_are_written_with_a_minus():
    """A minus is a minus, zero has no sign, and what is no number says so."""
    assert [number(value, 2) for value in (-1.5, -0.001, float("nan"), float("-inf"), 1234.5)] == ["−1.50", "0.00", "NaN", "−∞", "1,234.50"]
