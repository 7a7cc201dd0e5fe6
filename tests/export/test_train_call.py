"""peephole.train: three lines from photos to an answer, and a near miss for a wrong option."""

import pytest

import peephole
from drawings import draw, folder, save
from peephole.base.card import Region
from peephole.base.errors import MissingInput, SettingsError
from peephole.base.files import output_for
from peephole.export.build import Strangers


def test_three_lines(tmp_path, monkeypatch):
    """Train on a folder, ask, and load the file that was written; it is named after the folder."""
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "photos", 6)
    visitor = save(draw("X", 77), tmp_path / "visitor.png")

    model = peephole.train("photos/", seconds=2, steps=60, network="plain", threads=1)
    answer = model.predict(str(visitor))
    again = peephole.load("photos.onnx")

    assert model.labels == ("O", "X") and answer.best == "X"
    assert again.predict(visitor) == answer
    assert "X" in answer._repr_html_()


def test_where_the_file_goes(tmp_path, monkeypatch):
    """Into the current folder, named after the photos' one, also when that is given as a dot; or where asked."""
    assert str(output_for(tmp_path / "my photos")) == "my photos.onnx"
    monkeypatch.chdir(tmp_path)
    assert str(output_for(tmp_path.__class__("."))) == f"{tmp_path.name}.onnx"


def test_an_unknown_option_has_a_near_miss(tmp_path):
    """A typing error is named before anything is read."""
    with pytest.raises(SettingsError, match="did you mean 'learning_rate'") as refused:
        peephole.train(tmp_path / "absent", learning_rat=0.1)
    assert "learning_rate" in refused.value.hint


@pytest.mark.parametrize("wrong", [{"seconds": -1}, {"steps": 0}, {"seconds": "long"}, {"size": 32}])
def test_options_out_of_range(tmp_path, wrong):
    """Refused before anything is read."""
    with pytest.raises(SettingsError):
        peephole.train(tmp_path / "absent", **wrong)


def test_no_such_folder(tmp_path, monkeypatch):
    """MissingInput, and no file of the probe is left."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingInput):
        peephole.train("absent")
    assert not list(tmp_path.iterdir())


def test_numbers_of_the_network_and_strengths_by_name(tmp_path):
    """What the command line takes, Python takes by the same names; strangers, skip and region too."""
    photos = folder(tmp_path / "photos", 3, signs="XO=", strangers="I")
    model = peephole.train(
        photos,
        tmp_path / "m.onnx",
        steps=4,
        filters=(3, 5),
        hidden=7,
        noise=4.0,
        skip=("=",),
        strangers=Strangers(unit="kind"),
        region=Region(how="rectangle", box=(0.1, 0.1, 0.8, 0.8)),
    )
    recipe = model.card.training.recipe
    assert model.labels == ("O", "X") and model.card.input.region.how == "rectangle"
    assert (tuple(recipe["plain"]["filters"]), recipe["plain"]["hidden"], recipe["augment"]["noise"]) == ((3, 5), 7, 4.0)
    assert [found.unit for found in model.card.evidence if found.claim == "false accept"] == ["kind"]
