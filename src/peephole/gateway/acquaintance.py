"""A predictor with the people of a door's gallery, and forgetting one of them again, with what is then left for a person to do."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peephole.base.card import Card
from peephole.base.errors import GalleryError, InputError, JournalError, PeepholeError, did_you_mean
from peephole.base.modelfile import ModelFile, read
from peephole.data.layout import is_unknown, label_of
from peephole.decide.gallery import Acquainted
from peephole.decide.predictor import Predictor
from peephole.gateway.address import Address
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door, last_good, undone
from peephole.gateway.enrol import Candidate, enrol
from peephole.gateway.erasure import erase
from peephole.gateway.journal import Enrolled, Erased, Journal, Remark
from peephole.gateway.names import same
from peephole.gateway.people import People, Place, lies_at, read_people, write_people
from peephole.gateway.pins import read_pins, write_pins
from peephole.gateway.reasons import plural
from peephole.gateway.standing import card_here
from peephole.gateway.targets import TARGETS

__all__ = ["Forgotten", "acquainted", "forget", "met", "take_in"]


def met(predictor: Predictor, path: Path) -> Predictor:
    """Return a predictor that also knows the people in the gallery at `path`; itself where there is no gallery.

    Read once: what is enrolled or forgotten later counts from the next start. Raises GalleryError for a gallery that is not this model's.
    """
    found = read_people(path, predictor.model) if lies_at(path) else None
    return predictor if found is None else acquainted(predictor, found[0])


def acquainted(predictor: Predictor, people: People) -> Predictor:
    """Return a predictor with these people, whose card says what evidence is left with them."""
    model = predictor.model
    return Acquainted(model, predictor.engine, people.gallery, card_here(model.card, people))


def take_in(door: Door, found: tuple[People, Place], name: str, taken: tuple[Candidate, ...], *, confirmed_by: str, clock: Clock) -> People:
    """Take somebody into the gallery that was `found`, on a named person's word, and return the people then: a row of the journal tells it first.

    Raises InputError when nobody confirmed, JournalError or GalleryError when something cannot be written, and then nobody was taken in.
    """
    people = enrol(found[0], name, taken, confirmed_by=confirmed_by, wall=clock.wall())
    row = Enrolled(name, len(taken), sum(bool(one.flags) for one in taken), people.examples[-1].confirmed_by)
    with Journal(door.journal, door.settings.gate.name) as journal:
        journal.write(row, clock.monotonic(), clock.wall())
        try:
            write_people(people, found[1])
        except GalleryError as error:
            told = f"{name} was not taken in after all: {error.what}"
            journal.write(Remark("fault", "the gallery", told[:2000]), clock.monotonic(), clock.wall())
            raise
    return people


@dataclass(frozen=True)
class Forgotten:
    """What became of somebody: `photos` erased from the gallery, `names` and `pictures` from the journal.

    `trained` photos are inside the model file; `left` says in sentences what still knows or names them.
    """

    name: str
    photos: int
    names: int
    pictures: int
    trained: int
    left: tuple[str, ...]


def forget(door: Door, model: ModelFile, name: str, clock: Clock) -> Forgotten:
    """Erase somebody from the gallery and from the journal, which tells of it; "unknown" erases the strangers who were measured here.

    Raises InputError when nobody of that name is known anywhere, GalleryError or JournalError when something cannot be written; it can be
    repeated until it succeeds.
    """
    name = label_of(name)
    strangers = is_unknown(name)
    role = "stranger" if strangers else "person"
    read = read_people(door.gallery, model)
    mine = [example for example in (read[0].examples if read else ()) if example.role == role and (strangers or example.who == name)]
    signed = [example for example in (read[0].examples if read else ()) if example.confirmed_by == name and not strangers]
    if read is not None and (mine or signed):
        write_people(read[0].minus(role, None if strangers else name).unsigned(name), read[1])
    trained = 0 if strangers else model.card.training.examples.get(name, 0)
    called = {*model.card.labels, *model.card.training.examples, *(who for rule in door.settings.rule for who in rule.who), *_holders(door)}
    is_name = bool(signed) or any(same(one) == same(name) for one in called)
    names, pictures, problem = _from_journal(door, name, clock, len(mine), is_name)
    kept = (*_from_kept(door, name, strangers), *(() if strangers else _from_pins(door, name)))
    if not (mine or signed or trained or names or pictures or problem or kept):
        known = read[0].gallery.labels(model.card.labels) if read else model.card.labels
        raise InputError(
            f"nobody called '{name[:60]}' is known here, or no longer{did_you_mean(name, known)}; what was erased before is gone to the last byte",
            f"see: peephole gate people {door.path}",
        )
    left = (*_left(door, model.card, name, trained, problem), *kept)
    return Forgotten(name, len(mine), names, pictures, trained, left)


def _from_kept(door: Door, name: str, strangers: bool) -> Iterator[str]:
    """Take away the gallery of a model that is merely kept, where it names somebody who is forgotten; say so. To know fewer is safe."""
    for model in (last_good(door.model), undone(door.model)):
        gallery = model.with_suffix(".gallery")
        try:
            if lies_at(gallery) and (strangers or name.encode() in gallery.read_bytes()):
                gallery.unlink()
                yield f"{gallery.name}, the people kept with {model.name}, was taken away with them: after a rollback, enrol the others again"
        except OSError as error:
            yield f"{gallery.name}, the people kept with {model.name}, may still name them: {getattr(error, 'what', None) or error.strerror or error}"
        try:
            if not strangers and model.exists() and name in read(model).card.training.examples:
                yield f"{model.name}, which is kept for a rollback, was trained on {name} too: delete it"
        except PeepholeError as error:
            yield f"{model.name}, which is kept for a rollback, may have been trained on {name}: {error.what}; delete it"


def _from_pins(door: Door, name: str) -> Iterator[str]:
    """Take away somebody's PINs and tags, which whoever is given the name next must not inherit; say so where that cannot be done."""
    if not door.factors.exists():
        return
    try:
        pins = read_pins(door.factors)
        if name in pins.people:
            write_pins(door.factors, pins.without(name))
    except PeepholeError as error:
        yield f"{door.factors.name} may still hold a PIN or tag of {name}: {error.what}"


def _holders(door: Door) -> tuple[str, ...]:
    """Return who has a PIN or tag; nobody where that cannot be read, which `_from_pins` says."""
    try:
        return tuple(read_pins(door.factors).people)
    except PeepholeError:
        return ()


def _from_journal(door: Door, name: str, clock: Clock, photos: int, is_name: bool) -> tuple[int, int, str]:
    """Erase a name from the journal, with a row that tells of it and of `photos` gone from the gallery.

    A word that the journal's sentences hold counts only where it `is_name` for another reason: "nobody" is nobody.
    Returns names and pictures erased, and a sentence on what could not be.
    """
    strangers = is_unknown(name)
    if not photos and (strangers or not door.journal.exists()):
        return 0, 0, ""
    with Journal(door.journal, door.settings.gate.name) as journal:
        try:
            if strangers:
                journal.write(Erased((), 0, "the strangers who were measured", photos), clock.monotonic(), clock.wall())
                return 0, 0, ""
            known = any(same(known) == same(name) for known in journal.names().values())
            known = known or (is_name and bool(journal.entries(last=1, mention=name)))
            if not known and not photos:
                journal.scour()  # a call before this one may have been kept from it
                return 0, 0, ""
            gone = erase(journal, name, clock.monotonic(), clock.wall(), door.pictures, photos=photos)
        except (JournalError, OSError) as error:
            what = error.what if isinstance(error, JournalError) else str(error)
            return 0, 0, f"the journal may still hold the name: {what}; stop the gate, then do it again"
    rows = ", ".join(f"{row:,}" for row in gone.remnants[:5])
    behind = f"the journal names {name} in clear in {plural(len(gone.remnants), 'row')} written before the name was known (first: {rows})"
    return gone.names, gone.pictures, behind if gone.remnants else ""


def _left(door: Door, card: Card, name: str, trained: int, problem: str) -> Iterator[str]:
    """Say what still knows somebody, and what ends it."""
    if trained:
        yield (
            f"{door.settings.gate.model} itself was trained on {plural(trained, 'photo')} of {name} and still knows them: "
            f"train it again without them (peephole train PHOTOS --skip {name}) and put the new file in its place"
        )
    named = [f"rule {number}" for number, rule in enumerate(door.settings.rule, 1) if name in rule.who and not is_unknown(name)]
    if named:
        stuck = "" if name in card.labels else ", or the gate will not start"
        yield f"{' and '.join(named)} of {door.path} still name{'s' if len(named) == 1 else ''} {name}: take the name out{stuck}"
    if problem:
        yield problem
    addresses = [Address.parse(action.target, TARGETS) for action in door.settings.action.values()]
    for path in sorted({address.path(door.folder) for address in addresses if address.scheme == "log" and address.place}):
        if _names(path, name):
            yield f"{path} names {name} in clear: it is a plain log, so edit or delete it"


def _names(path: Path, name: str) -> bool:
    """Say whether a log names somebody, as text or as JSON writes it."""
    forms = {form.encode() for text in (name, unicodedata.normalize("NFD", name)) for form in (text, json.dumps(text)[1:-1])}
    try:
        with path.open("rb") as file:
            return any(form in line for line in file for form in forms)
    except OSError:
        return False
