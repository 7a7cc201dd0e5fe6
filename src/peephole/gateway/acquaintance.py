"""A predictor with the people of a door's gallery, and forgetting one of them again: rows, journal, and what is left for a person to do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from peephole.base.card import Card
from peephole.base.errors import InputError, did_you_mean
from peephole.base.modelfile import ModelFile
from peephole.data.layout import is_unknown, label_of
from peephole.decide.gallery import Acquainted
from peephole.decide.predictor import Predictor
from peephole.gateway.door import Door
from peephole.gateway.people import People, read_people, write_people
from peephole.gateway.reasons import plural
from peephole.gateway.standing import card_here

__all__ = ["Forgotten", "acquainted", "forget", "met"]


def met(predictor: Predictor, path: Path) -> Predictor:
    """Return a predictor that also knows the people in the gallery at `path`; itself where there is no gallery.

    Read once: what is enrolled or forgotten later counts from the next start. Raises GalleryError for a gallery that is not this model's.
    """
    found = read_people(path, predictor.model) if path.exists() else None
    return predictor if found is None else acquainted(predictor, found[0])


def acquainted(predictor: Predictor, people: People) -> Predictor:
    """Return a predictor with these people, whose card says what evidence is left with them."""
    model = predictor.model
    return Acquainted(model, predictor.engine, people.gallery, card_here(model.card, people))


@dataclass(frozen=True)
class Forgotten:
    """What became of somebody: `photos` erased from the gallery, `trained` photos inside the model file, `left` sentences on what still names them."""

    name: str
    photos: int
    trained: int
    left: tuple[str, ...]


def forget(door: Door, model: ModelFile, name: str, erase: Callable[[str], str] | None = None) -> Forgotten:
    """Erase somebody from the gallery, and from the journal by `erase`, which returns what it left behind ("": nothing).

    "unknown" erases the strangers who were measured here. Raises InputError when nobody of that name is known.
    """
    name = label_of(name)
    read = read_people(door.gallery, model)
    people, place = read if read is not None else (None, None)
    role = "stranger" if is_unknown(name) else "person"
    erased = sum(example.role == role and (role == "stranger" or example.who == name) for example in people.examples) if people else 0
    trained = model.card.training.examples.get(name, 0)
    if not erased and not trained and role == "person" and erase is None:
        known = people.gallery.labels(model.card.labels) if people else model.card.labels
        raise InputError(f"nobody called '{name[:60]}' is known here{did_you_mean(name, known)}", f"see: peephole gate people {door.path}")
    if people is not None and place is not None and erased:
        fewer = people.minus(role, None if role == "stranger" else name)
        write_people(replace(fewer, following=fewer.following), place)
    behind = erase(name) if erase is not None and role == "person" else ""
    return Forgotten(name, erased, trained, tuple(_left(door, model.card, name, trained, behind)))


def _left(door: Door, card: Card, name: str, trained: int, behind: str) -> list[str]:
    """Say what still knows somebody, and the command that ends it."""
    left = []
    if trained:
        left.append(
            f"{door.settings.gate.model} itself was trained on {plural(trained, 'photo')} of {name} and still knows them: train it again without "
            f"them (peephole train PHOTOS --skip {name}), or open to them for ever"
        )
    named = [f"rule {number}" for number, rule in enumerate(door.settings.rule, 1) if name in rule.who]
    if named and not trained:
        left.append(f"{' and '.join(named)} of {door.path} still names {name}: take the name out, or the gate will not start")
    return [*left, *([behind] if behind else [])]
