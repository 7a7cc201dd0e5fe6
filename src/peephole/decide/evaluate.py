"""A model file against a folder of photos: who was recognised, who was let in, who was confused with whom.

Photos that the model was trained on are found by their digests and left out: they prove nothing.
"""

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peephole.base import evidence
from peephole.base.card import Card, Score, Wallpaper
from peephole.base.engine import Outputs
from peephole.base.errors import DataError
from peephole.base.records import Evidence, Unit
from peephole.data.dataset import PhotoSet, load, merged_strangers
from peephole.data.photos import Listing, scan
from peephole.data.settle import nothing_found
from peephole.data.subject import seeker
from peephole.decide.judge import accepts
from peephole.decide.predictor import Predictor
from peephole.decide.predictor import load as load_model
from peephole.decide.wallpaper import Asked
from peephole.decide.wallpaper import lines as told
from peephole.decide.wallpaper import wallpaper as ask_wallpaper

__all__ = ["SHOWN", "WIDEST", "Evaluation", "Examination", "Mistake", "evaluate", "examine"]

WIDEST = 12  # labels; a larger confusion matrix is for programs
SHOWN = 10  # mistakes


@dataclass(frozen=True)
class Mistake:
    """A photo that was taken for the wrong label: its id, the true label (None: a stranger), the label given, the familiarity."""

    id: str
    truth: str | None
    given: str
    familiarity: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a model makes of photos it has not learned from.

    `accuracy` is of the best label, whether accepted or not (None without labelled photos); `recognised` and `let_in` are the evidence on
    known labels (false reject) and on strangers (false accept). `confusion` int (labels, labels + 1): rows true, columns given, the last one
    "stranger"; `strangers` int (labels + 1,) is the same row for the photos of strangers. `wallpaper` is there when it was asked for.
    `mistakes`: accepted under a wrong label, the most familiar first. `seen` photos were left out: the model was trained on them. Every file of
    the folder is one of `photos`, `seen`, `duplicates` (exact ones) and `refused`; every one of `photos` is in `confusion` or `strangers`.
    """

    labels: tuple[str, ...]
    accuracy: Score | None
    evidence: tuple[Evidence, ...]
    confusion: np.ndarray
    strangers: np.ndarray
    mistakes: tuple[Mistake, ...]
    photos: int
    seen: int
    duplicates: int
    refused: int
    notes: tuple[str, ...]
    wallpaper: Wallpaper | None = None

    @property
    def rows(self) -> tuple[tuple[str, np.ndarray], ...]:
        """The confusion matrix row by row, int (labels + 1,) each, that of the strangers last, where there were any."""
        strange = [("stranger", self.strangers)] if self.strangers.any() else []
        return (*zip(self.labels, self.confusion, strict=True), *strange)

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found as sentences: what became of every file and photo, the accuracy with its interval, the evidence."""
        left = [f"{self.seen} left out, the model was trained on them"] * bool(self.seen)
        left += [f"{evidence.counted(self.duplicates, 'exact duplicate')} counted once"] * bool(self.duplicates)
        left += [f"{evidence.counted(self.refused, 'file')} refused"] * bool(self.refused)
        left += [f"{evidence.counted(self.photos + self.seen + self.duplicates + self.refused, 'file')} in all"] * bool(left)
        found = ["; ".join([f"{evidence.counted(self.photos, 'photo')} that the model has not learned from", *left]), *self.notes, *self._counts]
        if self.accuracy is not None:
            (low, high), n, share = self.accuracy.interval, self.accuracy.n, self.accuracy.accuracy
            found.append(
                f"accuracy: {round(share * n)} of {evidence.counted(n, 'source')} with the right best label, let in or not: {share:.2%} "
                f"(95 % interval {low:.2%} to {high:.2%})"
            )
        return (*found, *map(evidence.describe, self.evidence), *(told(self.wallpaper) if self.wallpaper else ()))

    @property
    def _counts(self) -> tuple[str, ...]:
        """What became of every photo: those of known labels, those of strangers."""
        known, right, refused = (int(part.sum()) for part in (self.confusion, np.diagonal(self.confusion), self.confusion[:, -1]))
        ones = self.accuracy.n if self.accuracy is not None else 0
        copies = f"; near copies among them count once from here on, so {ones} of them" if ones < known else ""
        let_in, strange = int(self.strangers[:-1].sum()), int(self.strangers.sum())
        words = (
            (known, f"of known labels: {right} right, {known - right - refused} let in under a wrong label, {refused} taken for strangers{copies}"),
            (strange, f"of strangers: {let_in} let in, {strange - let_in} taken for strangers"),
        )
        return tuple(f"{evidence.counted(count, 'photo')} {what}" for count, what in words if count)

    @property
    def errors(self) -> tuple[str, ...]:
        """Each mistake as a sentence, the most familiar first."""
        return tuple(
            f"let in by mistake: {mistake.id}, {mistake.truth if mistake.truth is not None else 'a stranger'}, "
            f"taken for {mistake.given} (familiarity {mistake.familiarity:.2f})"
            for mistake in self.mistakes
        )

    def __repr__(self) -> str:
        right = f", accuracy {self.accuracy.accuracy:.1%} of {self.accuracy.n}" if self.accuracy is not None else ""
        wrong = "".join(f", {found.claim} {found.errors} of {evidence.counted(found.trials, found.unit)}" for found in self.evidence)
        return f"<Evaluation on {evidence.counted(self.photos, 'photo')}{right}{wrong}>"

    def __str__(self) -> str:
        more = [f"and {len(self.mistakes) - SHOWN} more mistakes"] if len(self.mistakes) > SHOWN else []
        return "\n".join([*self.lines, *self.errors[:SHOWN], *more])

    def _repr_html_(self) -> str:
        """Show the evaluation in a notebook: the sentences, then the confusion matrix where it is not too wide."""
        items = "".join(f"<li>{html.escape(line)}</li>" for line in (*self.lines, *self.errors[:SHOWN]))
        table = ""
        if self.confusion.any() and len(self.labels) <= WIDEST:
            heads = "".join(f"<th>{html.escape(name)}</th>" for name in ("true \\ given", *self.labels, "stranger"))
            rows = "".join(f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{int(count)}</td>' for count in row)}</tr>" for name, row in self.rows)
            table = f"<table><tr>{heads}</tr>{rows}</table>"
        return f"<div><ul>{items}</ul>{table}</div>"


@dataclass(frozen=True, eq=False, repr=False)
class Examination:
    """An `evaluation` with the answer for each of the n photos it was counted on, for curves and pictures.

    `ids` and `paths` of the photos; `truth` int (n,) the label by the model's number, -1 for a stranger; `strangers` int (n,) which stranger, -1 for
    known labels (two with the same picture are one); `sources` int (n,): near copies share one; `given` int (n,) the label let in under, -1 for none;
    `outputs` what the file answered. `card` is the model's.
    """

    evaluation: Evaluation
    card: Card
    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    truth: np.ndarray
    strangers: np.ndarray
    sources: np.ndarray
    given: np.ndarray
    outputs: Outputs

    @property
    def best(self) -> np.ndarray:
        """The label int (n,) with the largest logit, let in or not; -2, which is nobody, where the answer is not a number."""
        return _best(self.outputs)

    @property
    def ones(self) -> np.ndarray:
        """Rows int (m,) of one photo of each source of a known label: what rates on known labels are counted on."""
        mine = np.flatnonzero(self.truth >= 0)
        return np.asarray(mine[np.unique(self.sources[mine], return_index=True)[1]])


def _labels_in_model(photos: PhotoSet, labels: tuple[str, ...]) -> np.ndarray:
    """Return each photo's label as the model numbers it; -1 for strangers and for labels that it has never heard of."""
    number = {name: i for i, name in enumerate(labels)}
    return np.array([number.get(photos.names[label], -1) if label >= 0 else -1 for label in photos.labels], np.int64)


def _strangers(photos: PhotoSet, truth: np.ndarray) -> np.ndarray:
    """Return the name of each photo's stranger; a label that the model does not know is one stranger."""
    names = [
        photos.stranger_names[s] if s >= 0 else photos.names[label] if label >= 0 else ""
        for s, label in zip(photos.strangers, photos.labels, strict=True)
    ]
    return np.where(truth < 0, np.array(names, object), "")


def _best(outputs: Outputs) -> np.ndarray:
    return np.where(np.isfinite(outputs.logits).all(1), outputs.logits.argmax(1), -2)


def _who(photos: PhotoSet, truth: np.ndarray) -> np.ndarray:
    """Return int (N,): which stranger a photo is of, -1 for known labels; two with the same picture are one."""
    strange, found = truth < 0, np.full(len(truth), -1, np.int64)
    if strange.any():
        _, who = np.unique(_strangers(photos, truth)[strange].astype(str), return_inverse=True)
        found[strange] = merged_strangers(who, photos.sources[strange])
    return found


def _foreign(photos: PhotoSet, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Name the folders that are no label of the model: a misspelt one must not pass for strangers unnoticed."""
    other = [name for i, name in enumerate(photos.names) if name not in labels and (photos.labels == i).any()]
    return (f"not labels of this model, so counted as strangers: {', '.join(other)} (it knows {', '.join(labels)})",) if other else ()


def _first_refused(photos: PhotoSet) -> tuple[str, ...]:
    """Name a file that could not be used, and why."""
    more = f", and {len(photos.refused) - 1} more (peephole check lists them)" if len(photos.refused) > 1 else ""
    return tuple(f"refused: {refusal.id}: {refusal.reason}{more}" for refusal in photos.refused[:1])


def _false_accept(taken: np.ndarray, who: np.ndarray, unit: Unit) -> Evidence:
    errors, trials = len(set(who[taken])), len(set(who))
    return evidence.measure("false accept", errors, trials, unit, "proof")


def _false_reject(right: np.ndarray, sources: np.ndarray) -> Evidence:
    ones = np.unique(sources, return_index=True)[1]
    return evidence.measure("false reject", int((~right[ones]).sum()), len(ones), "photo", "proof")


def _answer(predictor: Predictor, photos: PhotoSet, progress: Callable[[int, int], None] | None) -> Outputs:
    parts, batch = [], 256
    for at in range(0, len(photos), batch):
        parts.append(predictor.engine.run(photos.images[at : at + batch]))
        if progress:
            progress(min(at + batch, len(photos)), len(photos))
    return Outputs(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("logits", "embedding", "familiarity", "similarity")))


def evaluate(
    predictor: Predictor | str | Path,
    root: Path | str,
    *,
    stranger_unit: Unit = "stranger",
    each_file_a_stranger: bool = False,
    wallpaper: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate a model on a folder laid out like a training folder; raises DataError when nothing in it is new to the model.

    `wallpaper` asks again about some of the photos before other backgrounds and without their subjects.
    """
    found = examine(predictor, root, stranger_unit=stranger_unit, each_file_a_stranger=each_file_a_stranger, wallpaper=wallpaper, progress=progress)
    return found.evaluation


def examine(
    predictor: Predictor | str | Path,
    root: Path | str,
    *,
    stranger_unit: Unit = "stranger",
    each_file_a_stranger: bool = False,
    wallpaper: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Examination:
    """Evaluate as `evaluate` does, and keep the answer for every photo."""
    predictor = predictor if isinstance(predictor, Predictor) else load_model(predictor)
    listing: Listing = scan(root, each_file_a_stranger=each_file_a_stranger)
    photos = load(listing, predictor.card.input, progress=progress)
    known = set(predictor.card.training.digests)
    fresh = np.array([digest not in known for digest in photos.digests], bool)
    seen = int((~fresh).sum())
    photos = photos.take(np.flatnonzero(fresh))
    if not len(photos):
        counts = [(seen, "trained on"), (len(photos.refused), "refused")]
        why = " and ".join(f"{evidence.counted(count, 'photo')} {'was' if count == 1 else 'were'} {what}" for count, what in counts if count)
        raise DataError(f"{root} has no photo to evaluate on: {why or 'it is empty'}", "give photos the model has not seen, laid out as for training")
    outputs = _answer(predictor, photos, progress)
    card = predictor.card
    truth = _labels_in_model(photos, card.labels)
    given = np.where(accepts(outputs.logits, outputs.familiarity, card.unknown.threshold, card.unknown.margin), outputs.logits.argmax(1), -1)
    who = _who(photos, truth)
    found = _summary(photos, card.labels, truth=truth, who=who, given=given, outputs=outputs, unit=stranger_unit, seen=seen)
    unjudged = nothing_found(photos, listing, card.input.region)
    found = replace(found, notes=(*found.notes, unjudged)) if unjudged else found
    found = replace(found, wallpaper=_before_other_walls(predictor, listing, photos, truth, progress)) if wallpaper else found
    paths = {photo.id: photo.path for photo in listing.photos}
    return Examination(found, card, photos.ids, tuple(paths[each] for each in photos.ids), truth, who, photos.sources, given, outputs)


def _before_other_walls(
    predictor: Predictor, listing: Listing, photos: PhotoSet, truth: np.ndarray, progress: Callable[[int, int], None] | None
) -> Wallpaper:
    """Run the wallpaper test on one photo of each source of a known label; raises DataError when it cannot be run."""
    mine = np.flatnonzero(truth >= 0)
    ones = mine[np.unique(photos.sources[mine], return_index=True)[1]]
    paths = {photo.id: photo.path for photo in listing.photos}
    asked = [Asked(paths[photos.ids[i]], int(truth[i])) for i in ones]
    how = seeker(listing, predictor.card.input.region)
    found = ask_wallpaper(predictor.engine, predictor.card, asked, how, role="proof", learned=False, progress=progress)
    if found is None:
        raise DataError("the wallpaper test needs new photos of at least two labels that the model knows", "add some, or leave out --wallpaper")
    return found


def _summary(
    photos: PhotoSet, labels: tuple[str, ...], *, truth: np.ndarray, who: np.ndarray, given: np.ndarray, outputs: Outputs, unit: Unit, seen: int
) -> Evaluation:
    found, accuracy = [], None
    mine = truth >= 0
    best = _best(outputs)
    if (~mine).any():
        found.append(_false_accept((given >= 0)[~mine], who[~mine], unit))
    if mine.any():
        ones = np.flatnonzero(mine)[np.unique(photos.sources[mine], return_index=True)[1]]
        hits = int((best == truth)[ones].sum())
        accuracy = Score(accuracy=hits / len(ones), n=len(ones), interval=evidence.interval(hits, len(ones)), role="proof")
        found.append(_false_reject((given == truth)[mine], photos.sources[mine]))
    confusion = np.zeros((len(labels), len(labels) + 1), np.int64)
    column = np.where(given < 0, len(labels), given)
    np.add.at(confusion, (truth[mine], column[mine]), 1)
    return Evaluation(
        labels=labels,
        accuracy=accuracy,
        evidence=tuple(found),
        confusion=confusion,
        strangers=np.bincount(column[~mine], minlength=len(labels) + 1),
        mistakes=_mistakes(photos, labels, truth, given, outputs.familiarity),
        photos=len(photos),
        seen=seen,
        duplicates=photos.duplicates_dropped,
        refused=len(photos.refused),
        notes=(*_foreign(photos, labels), *photos.notes, *_first_refused(photos)),
    )


def _mistakes(photos: PhotoSet, labels: tuple[str, ...], truth: np.ndarray, given: np.ndarray, familiar: np.ndarray) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero((given >= 0) & (given != truth))
    scores = familiar[wrong, given[wrong]]
    return tuple(
        Mistake(photos.ids[i], labels[truth[i]] if truth[i] >= 0 else None, labels[given[i]], float(score))
        for i, score in sorted(zip(wrong, scores, strict=True), key=lambda pair: -pair[1])
    )
