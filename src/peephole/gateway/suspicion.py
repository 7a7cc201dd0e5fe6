"""Which of somebody's photos look like poison: nearer to another, unlike the rest, the door for a stranger; pure numpy.

The limits were chosen on tuning draws of Yale B (docs/log.md). They find a photo of somebody else among someone's own; they do not find a
whole set that shows somebody else, which only the person who confirms can see.
"""

from collections.abc import Sequence

import numpy as np

from peephole.base.card import Card
from peephole.base.engine import Outputs
from peephole.base.records import Neighbour
from peephole.decide.familiarity import similarity
from peephole.decide.gallery import Gallery, stand
from peephole.gateway.people import People, join

__all__ = ["flags", "near_twin", "watching"]

# A photo whose median cosine to the others of its set is below this share of the card's threshold is unlike them.
UNLIKE = 0.7
# Of two photos of one person with a higher cosine one is taken for a copy, unless two different ones of that person are as near.
TWIN = 0.97
# From so many strangers on, one in four of them watches over enrolments and proves nothing (EVIDENCE: who chooses does not prove).
ENOUGH, SHARE = 20, 4


def near_twin(outputs: Outputs, name: str, people: People) -> str:
    """Return the id of an enrolled photo of the same person that one answer (N = 1) is almost equal to, or nothing."""
    mine = [example for example in people.persons if example.who == name]
    if not mine:
        return ""
    inside = join(example.outputs for example in mine).embedding
    between = similarity(inside, inside, people.centre)
    np.fill_diagonal(between, -1.0)
    near = similarity(outputs.embedding, inside, people.centre)[0]
    return mine[int(near.argmax())].id if near.max() >= max(TWIN, float(between.max())) else ""


def watching(people: People) -> tuple[bool, ...]:
    """Say of each stranger's example whether it watches over enrolments; all others prove. By stranger, and the same ones ever after."""
    every = {example.who for example in people.strangers}
    return tuple(len(every) >= ENOUGH and int(example.who[:8], 16) % SHARE == 0 for example in people.strangers)


def flags(
    answers: Sequence[Outputs], name: str, card: Card, people: People, nobody: Outputs | None = None
) -> list[tuple[Neighbour | None, tuple[str, ...]]]:
    """Return, for each photo, the nearest example of anybody else and the reasons against taking it (none: it is in order).

    `nobody` is what the model answers for frames that show nothing: whoever is as near as these would open the door to a hand on the lens.
    """
    if not answers:
        return []
    batch = join(answers)
    others = people.gallery.take(np.array([who != name for who in people.gallery.who], bool))
    standing = stand(batch, card, others)
    foreigner = standing.accepted & np.array([standing.labels[best] != name for best in standing.best])
    own = _own(batch, name, card, people, foreigner)
    column = [at for at, label in enumerate(standing.labels) if label != name]
    owners = [*(card.labels[label] for label in card.unknown.known_labels), *others.who]
    ids = [*card.unknown.known_ids, *others.ids]
    foreign = [at for at, owner in enumerate(owners) if owner != name]
    watchers = [example.outputs for example, watches in zip(people.strangers, watching(people), strict=True) if watches]
    letting = _letting(batch, name, card, people, join(watchers) if watchers else None)
    empty = _letting(batch, name, card, people, nobody)
    found: list[tuple[Neighbour | None, tuple[str, ...]]] = []
    for at in range(len(answers)):
        nearest, why = None, list[str]()
        if foreign:
            best = foreign[int(standing.similarity[at, foreign].argmax())]
            nearest = Neighbour(ids[best], owners[best], float(1 - standing.similarity[at, best]))
        if column:
            other = column[int(standing.familiarity[at, column].argmax())]
            familiar = float(standing.familiarity[at, other])
            if foreigner[at]:
                taken = int(standing.best[at])
                why.append(f"the gate takes it for {standing.labels[taken]} (familiarity {standing.familiarity[at, taken]:.2f})")
            elif np.isfinite(own[at]) and familiar >= own[at]:
                why.append(f"nearer to {standing.labels[other]} ({familiar:.2f}) than to {name}'s other photos ({own[at]:.2f})")
        if np.isfinite(own[at]) and own[at] < UNLIKE * card.unknown.threshold:
            why.append(f"unlike {name}'s other photos ({own[at]:.2f}, at least {UNLIKE * card.unknown.threshold:.2f} is usual)")
        if letting[at]:
            why.append(f"with it a stranger who was measured here would pass as {name} (familiarity {letting[at]:.2f})")
        if empty[at]:
            why.append(f"with it a frame that shows nothing would pass as {name} (familiarity {empty[at]:.2f})")
        found.append((nearest, tuple(why)))
    return found


def _own(batch: Outputs, name: str, card: Card, people: People, foreigner: np.ndarray) -> np.ndarray:
    """Return each photo's median cosine (N,) to the others of that name: those given, enrolled and trained; NaN where there is none.

    Photos that the gate takes for somebody else, bool (N,), say nothing about the others.
    """
    mine = people.gallery.take(np.array([who == name for who in people.gallery.who], bool))
    among = similarity(batch.embedding, batch.embedding, people.centre)
    np.fill_diagonal(among, np.nan)
    among[:, foreigner] = np.nan
    trained = [at for at, label in enumerate(card.unknown.known_labels) if card.labels[label] == name]
    rows = np.concatenate([among, similarity(batch.embedding, mine.embeddings, people.centre), batch.similarity[:, trained]], 1)
    return np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in rows])


def _letting(batch: Outputs, name: str, card: Card, people: People, watchers: Outputs | None) -> np.ndarray:
    """Return, for each photo, the familiarity of somebody among the watchers who would pass because of it, else 0 (N,)."""
    found = np.zeros(len(batch.embedding))
    if watchers is None:
        return found
    gallery, count = people.gallery, len(found)
    grown = Gallery(
        np.concatenate([gallery.embeddings, batch.embedding]), (*gallery.who, *[name] * count), (*gallery.ids, *[""] * count), people.centre
    )
    standing = stand(watchers, card, grown)
    label = standing.labels.index(name)
    for at in np.flatnonzero(standing.accepted & (standing.best == label)):
        given = standing.similarity[at, -count:]
        near = np.argsort(-given)[: card.unknown.k]
        found[near] = np.maximum(found[near], standing.familiarity[at, label])
    return found
