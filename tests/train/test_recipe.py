"""The recipe: one dial, the rest follows from the data, and a sentence says so."""

import math
from dataclasses import replace

import pytest

from peephole.base.errors import SettingsError
from peephole.nets.cnn import Plain
from peephole.train.augment import Augment
from peephole.train.recipe import Facts, Options, derive, instead, unused

DRAWINGS = Facts(examples=24, labels=2, fewest=12, height=120, width=116, colour=False, drawing=True)
PHOTOS = Facts(examples=40, labels=2, fewest=20, height=768, width=1024, colour=True, drawing=False)
DIGITS = Facts(examples=60_000, labels=10, fewest=5_421, height=28, width=28, colour=False, drawing=True)


def test_few_drawings_get_the_practised_network():
    """Strokes at the size it practised at, its weights kept, varied a little, never mirrored; many drawings do without."""
    recipe = derive(DRAWINGS, Options())
    assert (recipe.network, recipe.fit, recipe.channels, recipe.height, recipe.width) == ("strokes", "frozen", 1, 32, 32)
    assert recipe.augment.rotate > 0 and not recipe.augment.flip
    assert "practised weights kept" in recipe.sentence()
    assert derive(replace(DRAWINGS, fewest=500), Options()).network == "plain"
    trained_on = derive(DRAWINGS, Options(network="strokes", fit="finetune"))
    assert trained_on.augment.rotate > recipe.augment.rotate and trained_on.learning_rate > 3e-4


@pytest.mark.parametrize("given", [{"plain": Plain(pool=3)}, {"steps": 50}, {"learning_rate": 0.01}, {"size": (28, 28)}, {"batch": 16}])
def test_a_number_of_a_training_trains_from_nothing(given):
    """What only a network trained from nothing has: then one is trained."""
    assert derive(DRAWINGS, Options(**given)).network == "plain"


def test_what_leaves_the_practised_network_is_named():
    """A team, another embedding, no smoothing: which option it was, and what there is without; nothing is said where nothing changes."""
    assert instead(DRAWINGS, Options(members=2)) == (
        "plain, not strokes: --members belongs to a network trained from nothing (without it: strokes, which has practised)"
    )
    said = instead(DRAWINGS, Options(embedding="maps", label_smoothing=0.0, plain=Plain(keep_prob=0.5))) or ""
    assert "--label-smoothing, --embedding, --keep-prob belong to" in said and "without them" in said
    for facts, options in ((DRAWINGS, Options()), (DRAWINGS, Options(network="plain", members=2)), (DIGITS, Options(members=2))):
        assert instead(facts, options) is None


def test_strokes_looks_at_its_own_size():
    """32 x 32, and a sentence for any other."""
    assert derive(DRAWINGS, Options(network="strokes", size=(32, 32))).width == 32
    with pytest.raises(SettingsError, match="32x32") as refused:
        derive(DRAWINGS, Options(network="strokes", size=(64, 64)))
    assert "--network plain" in refused.value.hint


def test_drawings_trained_from_nothing():
    """Small, grey, strongly varied because there are few, and never mirrored."""
    recipe = derive(DRAWINGS, Options(network="plain"))
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
    recipe, few = derive(DIGITS, Options()), derive(replace(DIGITS, examples=100, fewest=10), Options(network="plain"))
    assert (recipe.height, recipe.width, recipe.network) == (28, 28, "plain")
    assert recipe.batch > few.batch and recipe.label_smoothing < few.label_smoothing
    assert recipe.augment.rotate < few.augment.rotate and recipe.augment.noise == 0


def test_drawings_framed_alike_are_moved_less_and_bent_more():
    """What all drawings have in common, the next one will have; many drawings say the rest themselves, photos have no frame."""
    few = replace(DIGITS, examples=100, fewest=10)
    free, framed = derive(few, Options(network="plain")).augment, derive(replace(few, framed=True), Options(network="plain")).augment
    assert framed.shift < free.shift and framed.scale < free.scale
    assert framed.stretch > free.stretch and framed.elastic > free.elastic and framed.shear > free.shear
    alone = derive(replace(few, examples=10, fewest=1, framed=True), Options(network="plain")).augment
    assert alone.stretch > framed.stretch and alone.elastic > framed.elastic and alone.shift == framed.shift
    assert derive(replace(DIGITS, framed=True), Options(network="plain")) == derive(DIGITS, Options(network="plain"))
    assert derive(replace(few, framed=True), Options(network="plain", vary={"shift": 0.2})).augment == replace(framed, shift=0.2)


def test_a_team_is_asked_for_and_never_of_pretrained_networks():
    """One network unless asked; pretrained members would all be alike, and the user is told."""
    assert derive(DRAWINGS, Options()).members == 1
    team = derive(DRAWINGS, Options(members=4))
    assert team.members == 4 and team.sentence().startswith("4 times plain (")
    alike = derive(PHOTOS, Options(members=4))
    assert alike.members == 1 and unused(alike, Options(members=4)) == (
        "lite0 does not have members: what was given changes nothing (--network names another)"
    )
    assert unused(team, Options(members=4)) is None


def test_glances_are_asked_for_and_never_of_pretrained_networks():
    """One look unless asked; it does not choose the network; where it changes nothing, or takes the maps' place, the user is told."""
    asked = Options(glances=True)
    assert not derive(DIGITS, Options()).glances and derive(DIGITS, asked).glances
    assert "asked at five places" in derive(DIGITS, asked).sentence() and unused(derive(DIGITS, asked), asked) is None
    for facts, fit in ((DRAWINGS, "frozen"), (DRAWINGS, "finetune"), (PHOTOS, "finetune")):
        idle = replace(asked, fit=fit)
        recipe = derive(facts, idle)
        assert recipe.network == derive(facts, Options(fit=fit)).network and not recipe.glances
        assert "does not have glances" in unused(recipe, idle)
    both = replace(asked, embedding="maps")
    assert derive(DIGITS, both).embedding == "hidden" and "maps before a hidden layer" in unused(derive(DIGITS, both), both)


def test_the_maps_can_be_the_embedding_where_a_hidden_layer_follows_them():
    """Asked for, of one plain or vgg; elsewhere the user is told."""
    asked = Options(embedding="maps")
    assert derive(DIGITS, Options()).embedding == "hidden" and derive(DIGITS, asked).embedding == "maps"
    assert "compared by their maps" in derive(DIGITS, asked).sentence() and unused(derive(DIGITS, asked), asked) is None
    for other in (replace(asked, network="resnet"), replace(asked, members=2)):
        recipe = derive(DIGITS, other)
        assert recipe.embedding == "hidden" and "maps before a hidden layer" in unused(recipe, other)


def test_small_photos_need_no_pretrained_network():
    """40 pixels or less: plain, in colour where there is some."""
    recipe = derive(replace(PHOTOS, height=32, width=40), Options())
    assert (recipe.network, recipe.height, recipe.width, recipe.channels) == ("plain", 32, 40, 3)


def test_large_pictures_are_made_small_for_the_plain_network():
    """At most 64 pixels for photos and 32 for drawings, with the aspect kept; never under 8."""
    recipe = derive(PHOTOS, Options(network="plain"))
    assert (recipe.height, recipe.width) == (48, 64)
    narrow = derive(replace(DRAWINGS, height=2000, width=50), Options(network="plain"))
    assert (narrow.height, narrow.width) == (32, 8)
    tiny = derive(replace(DRAWINGS, height=3, width=5), Options(network="plain"))
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
    assert "as many steps of 64 as fit into 30 s, learning rate" in derive(DRAWINGS, Options(network="plain")).sentence()
    assert "ImageNet weights kept" in derive(PHOTOS, Options()).sentence()
    assert "batch norm" in derive(DRAWINGS, Options(plain=Plain(norm="batch"))).sentence()


def test_the_recipe_is_plain_json():
    """For the card: nested, with every number that training used."""
    values = derive(DRAWINGS, Options()).as_dict()
    assert values["plain"]["filters"] == (32, 64, 128) and values["augment"]["flip"] is False and values["seed"] == 7


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"network": "plan"}, "--network auto|plain|vgg|inception|resnet|strokes|lite0|lite2"),
        ({"fit": "tune"}, "--fit auto|frozen|finetune"),
        ({"seconds": 0}, "--seconds"),
        ({"seconds": math.nan}, "--seconds"),
        ({"seconds": 1e9}, "--seconds"),
        ({"steps": 0}, "--steps"),
        ({"learning_rate": 0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"learning_rate": math.inf}, "--learning-rate"),
        ({"batch": 0}, "--batch"),
        ({"members": 0}, "--members"),
        ({"members": 17}, "--members"),
        ({"embedding": "map"}, "--embedding auto|hidden|maps"),
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
