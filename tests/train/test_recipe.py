"""The recipe: one dial, the rest follows from the data, and a sentence says so."""

import math
from dataclasses import replace

import pytest

from peephole.base.errors import SettingsError
from peephole.nets.cnn import Plain
from peephole.train.augment import Augment
from peephole.train.recipe import Facts, Options, derive

DRAWINGS = Facts(examples=24, labels=2, fewest=12, height=120, width=116, colour=False, drawing=True)
PHOTOS = Facts(examples=40, labels=2, fewest=20, height=768, width=1024, colour=True, drawing=False)
DIGITS = Facts(examples=60_000, labels=10, fewest=5_421, height=28, width=28, colour=False, drawing=True)


def test_drawings_get_the_plain_network():
    """Small, grey, strongly varied because there are few, and never mirrored."""
    recipe = derive(DRAWINGS, Options())
    assert (recipe.network, recipe.fit, recipe.channels) == ("plain", "train", 1)
    assert (recipe.height, recipe.width) == (32, 31)
    assert recipe.augment.rotate > 0 and recipe.augment.shift > 0 and not recipe.augment.flip


def test_photos_of_things_get_the_pretrained_network():
    """Lite0 at 224 x 224 in colour, its weights kept while photos are few."""
    recipe = derive(PHOTOS, Options())
    assert (recipe.network, recipe.fit, recipe.channels, recipe.height, recipe.width) == ("lite0", "frozen", 3, 224, 224)
    assert recipe.augment.flip
    grey = derive(replace(PHOTOS, colour=False), Options())
    assert grey.channels == 3, "the pretrained network takes colour"


def test_many_photos_and_much_time_train_the_pretrained_network_on():
    """200 of every label and two minutes: fine-tuning, with a smaller rate and batch."""
    many = replace(PHOTOS, examples=400, fewest=200)
    assert derive(many, Options(seconds=119)).fit == "frozen"
    recipe = derive(many, Options(seconds=120))
    assert recipe.fit == "finetune" and recipe.learning_rate < 1e-3 and recipe.batch == 32
    assert derive(PHOTOS, Options(fit="finetune")).fit == "finetune"
    assert derive(many, Options(seconds=600, fit="frozen")).fit == "frozen"


def test_a_big_set_is_varied_less_and_smoothed_less():
    """60,000 digits: a bigger batch, a milder variation, at their own size."""
    recipe, few = derive(DIGITS, Options()), derive(replace(DIGITS, examples=100, fewest=10), Options())
    assert (recipe.height, recipe.width, recipe.network) == (28, 28, "plain")
    assert recipe.batch > few.batch and recipe.label_smoothing < few.label_smoothing
    assert recipe.augment.rotate < few.augment.rotate and recipe.augment.noise == 0


def test_small_photos_need_no_pretrained_network():
    """40 pixels or less: plain, in colour where there is some."""
    recipe = derive(replace(PHOTOS, height=32, width=40), Options())
    assert (recipe.network, recipe.height, recipe.width, recipe.channels) == ("plain", 32, 40, 3)


def test_large_pictures_are_made_small_for_the_plain_network():
    """At most 64 pixels for photos and 32 for drawings, with the aspect kept; never under 8."""
    recipe = derive(PHOTOS, Options(network="plain"))
    assert (recipe.height, recipe.width) == (48, 64)
    narrow = derive(replace(DRAWINGS, height=2000, width=50), Options())
    assert (narrow.height, narrow.width) == (32, 8)
    tiny = derive(replace(DRAWINGS, height=3, width=5), Options())
    assert (tiny.height, tiny.width) == (8, 8)


def test_what_is_given_is_kept():
    """Every option that the user fixes comes out as given."""
    given = Options(
        network="plain",
        size=(20, 24),
        seconds=5,
        steps=77,
        seed=11,
        threads=2,
        batch=9,
        learning_rate=0.5,
        label_smoothing=0.0,
        weight_decay=0.0,
        plain=Plain(filters=(4,)),
        augment=Augment(shift=0.01),
    )
    recipe = derive(PHOTOS, given)
    assert (recipe.height, recipe.width) == (20, 24)
    for name in ("network", "seconds", "steps", "seed", "threads", "batch", "learning_rate", "label_smoothing", "weight_decay", "plain", "augment"):
        assert getattr(recipe, name) == getattr(given, name), name


def test_the_sentence_says_it_all():
    """Network, size, steps or seconds, variation and seed, in words."""
    assert derive(DRAWINGS, Options(steps=300, augment=Augment(rotate=20))).sentence() == (
        "plain (32,64,128 filters of 3x3, pool 2, hidden 625, keep 0.7) trained from nothing, at 32x31x1, "
        "300 steps of 64, learning rate 0.003, varied by rotation up to 20 degrees; seed 7"
    )
    assert "as many steps as fit into 30 s" in derive(DRAWINGS, Options()).sentence()
    assert "ImageNet weights kept" in derive(PHOTOS, Options()).sentence()
    assert "batch norm" in derive(DRAWINGS, Options(plain=Plain(norm="batch"))).sentence()


def test_the_recipe_is_plain_json():
    """For the card: nested, with every number that training used."""
    values = derive(DRAWINGS, Options()).as_dict()
    assert values["plain"]["filters"] == (32, 64, 128) and values["augment"]["flip"] is False and values["seed"] == 7


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"network": "plan"}, "--network auto|plain|vgg|inception|resnet|lite0|lite2"),
        ({"fit": "tune"}, "--fit auto|frozen|finetune"),
        ({"seconds": 0}, "--seconds"),
        ({"seconds": math.nan}, "--seconds"),
        ({"seconds": 1e9}, "--seconds"),
        ({"steps": 0}, "--steps"),
        ({"learning_rate": 0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"learning_rate": math.inf}, "--learning-rate"),
        ({"batch": 0}, "--batch"),
        ({"batch": 5000}, "--batch"),
        ({"label_smoothing": 1.0}, "--label-smoothing"),
        ({"weight_decay": -0.1}, "--weight-decay"),
        ({"size": (4, 32)}, "--size"),
        ({"size": (32, 1000)}, "--size"),
        ({"threads": -1}, "--threads"),
        ({"seed": 2**31}, "--seed"),
        ({"batch": 1, "plain": Plain(norm="batch")}, "--batch"),
    ],
)
def test_options_out_of_range_are_refused(wrong, hint):
    """Each with a hint that is a working option."""
    with pytest.raises(SettingsError) as refused:
        Options(**wrong)
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize(
    "wrong", [{"steps": "many"}, {"seconds": "30"}, {"size": 32}, {"network": 3}, {"plain": "big"}, {"augment": 0.5}, {"batch": 1.5}]
)
def test_options_of_the_wrong_type_are_refused(wrong):
    """From Python anything can come: it is named, not raised as a TypeError from within."""
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Options(**wrong)


def test_a_near_miss_is_named():
    """A typing error in a network's name."""
    with pytest.raises(SettingsError, match="did you mean 'plain'"):
        Options(network="plane")


def test_a_named_strength_changes_that_one_alone():
    """--noise 5 sets the noise and leaves the derived shift, scale and rotation as they were."""
    derived = derive(DRAWINGS, Options()).augment
    assert derive(DRAWINGS, Options(vary={"noise": 5})).augment == replace(derived, noise=5)
    with pytest.raises(SettingsError, match="did you mean 'noise'"):
        derive(DRAWINGS, Options(vary={"nose": 5}))
