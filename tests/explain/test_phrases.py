"""Sentences of the card in the reader's language: ours are recognised by their form, others stay quotations."""

import re
from itertools import product

import numpy as np
import pytest

from peephole.base.modelfile import read
from peephole.explain.phrases import quoted, said
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep
from peephole.train.augment import EFFECTS, Augment
from peephole.train.calibrate import line_for
from peephole.train.crossfit import Strange
from peephole.train.recipe import Facts, Options, derive

NAMES = {"plain", "lite", "ImageNet", "JPEG", "vgg", "inception", "resnet", "strokes"}


def korean(family: str, words: str) -> str:
    """Return the Korean of words of the card, after a look that it is Korean and that the English is what stood on the card."""
    assert said("en", family, words) == words
    found = said("ko", family, words)
    assert re.search("[가-힣]", found)
    assert set(re.findall("[A-Za-z]{2,}", found)) <= NAMES, found
    assert "<q>" not in quoted(family, words)
    return found


def lines():
    """Return every sentence that tells where a threshold comes from."""
    genuine, few, many = np.linspace(0.3, 0.9, 20), np.linspace(-0.2, 0.4, 20), np.linspace(-0.2, 0.4, 500)
    for turned in (None, Strange(genuine, few, 3), Strange(genuine, many, 3)):
        for strangers in (np.empty(0), few, many):
            yield line_for(genuine, turned, strangers, 0.01).how
    for most in (0.45, 0.8):
        yield line_for(genuine, None, np.empty(0), 0.01, made=np.linspace(-0.5, most, 1000)).how


def test_where_a_threshold_comes_from_is_told_in_korean():
    """Every sentence that training writes about a threshold is known."""
    assert len({korean("how", how) for how in lines()}) == 7


@pytest.mark.parametrize("drawing", [True, False])
def test_how_it_was_trained_is_told_in_korean(drawing):
    """Every recipe's sentence is known: each network, fit, norm and augmentation."""
    facts = Facts(60, 3, 20, 128, 128, colour=not drawing, drawing=drawing)
    all_of_it = Augment.of([*EFFECTS, "flip"], 0.5)
    networks = ("plain", "strokes", "lite0")
    for network, fit, norm, augment in product(networks, ("frozen", "finetune"), ("none", "batch"), (None, Augment(), all_of_it)):
        recipe = derive(facts, Options(network=network, fit=fit, steps=300, plain=Plain(norm=norm), augment=augment))
        found = korean("recipe", recipe.sentence())
        assert ("좌우 뒤집기" in found) == recipe.augment.flip
    assert "이동 최대 10 %, 크기 변화 최대 20 %, 한쪽으로 늘리기 최대 15 %, 회전 최대 15도" in found


def test_a_team_and_its_maps_are_told_in_korean():
    """Several networks that answer together; known examples that are compared by their maps."""
    facts = Facts(60, 3, 20, 28, 28, colour=False, drawing=True)
    assert "4개를 나란히" in korean("recipe", derive(facts, Options(network="plain", steps=300, members=4)).sentence())
    assert "다섯 자리" in korean("recipe", derive(facts, Options(network="plain", steps=300, members=4, glances=True)).sentence())
    assert "특징 맵으로 비교" in korean("recipe", derive(facts, Options(network="plain", steps=300, embedding="maps")).sentence())


def test_what_was_taken_for_the_subject_is_told_in_korean():
    """Each way of finding it, alone and beside another."""
    assert korean("subject", "an ellipse in the middle (14 of 14)") == "한가운데의 타원(14장 중 14장)"
    assert korean("subject", "what moved (3 of 9) or a head around the face (6 of 9)").count("또는") == 1
    korean("subject", "what moved (3 of 9) or an ellipse in the middle (6 of 9)")


@pytest.mark.parametrize("network", ["vgg", "inception", "resnet"])
def test_deep_recipes_are_told_in_korean(network):
    """Every plan of a deep network is known: one or several of each part, with batch norm and shortcuts or without; a time instead of steps too."""
    facts = Facts(60, 3, 20, 128, 128, colour=False, drawing=True)
    for depth, stages, norm, shortcuts in product((1, 2), (1, 3), ("none", "batch"), (True, False)):
        deep = Deep(depth=depth, stages=stages, norm=norm, shortcuts=shortcuts or network != "resnet")
        for steps in (300, None):
            found = korean("recipe", derive(facts, Options(network=network, steps=steps, deep=deep)).sentence())
            assert f"{stages}단계" in found and ("배치 정규화" in found) == (norm == "batch") and ("지름길 없음" in found) == (not deep.shortcuts)


def test_the_cards_own_words_are_told_in_korean(drawn_model, tiny_card):
    """A file that was really trained carries no words that the Korean page would leave in English."""
    for card in (read(drawn_model).card, tiny_card.model_copy(update={"unknown": read(drawn_model).card.unknown})):
        korean("how", card.unknown.how)
        korean("spoof", card.spoof)
        korean("licence", card.licence)
        for evidence in card.evidence:
            korean("claim", evidence.claim)
            korean("method", evidence.method)
    korean("recipe", read(drawn_model).card.training.sentence)


@pytest.mark.parametrize("words", ["set by hand", "none of", "not tested!", "<b>not tested</b>", "none of 5 photos of " + "x" * 2000 + " let in", ""])
def test_words_of_others_stay_a_quotation(words):
    """What has none of our forms is quoted as it stands, escaped."""
    for family in ("how", "spoof", "recipe"):
        assert quoted(family, words).startswith("<q>")
        assert "<b>" not in quoted(family, words)


def test_parts_that_are_not_known_stay_within_the_sentence():
    """A name within one of our sentences is kept."""
    assert (
        said("ko", "how", "none of 7 photos of {my} <i>friends</i> let in") == "{my} <i>friends</i>의 사진 7장 중 한 장도 받아들이지 않는 값입니다."
    )
    assert "&lt;i&gt;" in quoted("how", "none of 7 photos of {my} <i>friends</i> let in")
