"""The wallpaper test: whether a model's answer follows the subject or the wall behind it, and whether the empty scene is somebody to it.

Photos are pasted before other backgrounds and asked about again, through the region and the preparation that the card names. With
lead(x) = the logit of the label that the photo itself gets, less the mean of the other logits, the share of the answer from outside the subject is

    outside = sum of max(0, lead(photo) - lead(subject before grey)) / sum of that and of max(0, lead(photo) - lead(empty scene))

over the photos: by how much the answer falls without the background, beside by how much it falls without the subject.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from peephole.base.card import Card, Region, Score, Wallpaper
from peephole.base.engine import Engine
from peephole.base.errors import PeepholeError, PhotoError
from peephole.base.evidence import counted, interval, percent
from peephole.base.records import Role
from peephole.data.motion import background_of, behind
from peephole.data.photos import open_photo
from peephole.data.prepare import prepare, prepare_part
from peephole.data.region import place
from peephole.data.subject import HOW, subject
from peephole.data.wallpaper import GROWN, blanked, emptied, swapped
from peephole.decide.judge import accepts

__all__ = ["MOST", "Asked", "lines", "spoiled", "verdict", "wallpaper"]

MOST = 60  # photos
SIDE = 448  # pixels of the longest side: enough for every network here
BATCH = 32
LEAST_RIGHT = 0.75  # share right before their own backgrounds, below which the other shares say little
VERDICTS = {
    "knows": "the model knows the wallpaper: take photos before several backgrounds, or let a region cut the subject out (--region auto)",
    "guessed": "this test cannot tell: no subject was found, so an ellipse in the middle was taken for it; where the subject fills the photo, "
    "as a tightly cut face does, these figures mean nothing; where a wall is seen around it, the model knows the wallpaper",
    "unclear": "too few photos are named right even before their own backgrounds for this test to tell",
    "scene": "the answer follows the subject, but most empty scenes are taken for somebody: put photos of the empty scene into unknown/empty/",
    "follows": "as far as this test can tell, the answer follows the subject",
}
DROP = 0.2  # a model that loses more than this before other backgrounds knows the wallpaper


@dataclass(frozen=True)
class Asked:
    """A photo and its label's number in the model."""

    path: Path
    label: int


@dataclass(frozen=True, eq=False)
class _Scene:
    """A photo taken apart: uint8 (H, W, 3), the subject's mask (H, W), the photo without it, and how the subject was found."""

    pixels: np.ndarray
    mask: np.ndarray
    empty: np.ndarray
    how: str
    label: int


def wallpaper(
    engine: Engine,
    card: Card,
    asked: Sequence[Asked],
    how: Region,
    *,
    role: Role,
    learned: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Wallpaper | None:
    """Ask a model about photos before other backgrounds; None when they are of fewer than two labels, or none can be judged.

    At most 60 are asked, dealt evenly over the labels: give one of each source. `how` is what finds their subjects (`data.subject.seeker`);
    `role` that of the figure on the photos as they are; `learned` says whether the model was trained on them.
    """
    chosen = _dealt(asked)
    scenes: list[_Scene] = []
    for at, one in enumerate(chosen):
        try:
            scenes.append(_apart(one, card.input.region, how))
        except PeepholeError:
            continue  # went away or broke since it was listed
        if progress:
            progress(at + 1, len(chosen))
    if len({scene.label for scene in scenes}) < 2:
        return None
    grey = [blanked(scene.pixels, scene.mask) for scene in scenes]
    others = [swapped(scene.pixels, scene.mask, _donor(scenes, at).empty) for at, scene in enumerate(scenes)]
    own = _ask(engine, card, scenes, [scene.pixels for scene in scenes])
    before = {"swapped": _ask(engine, card, scenes, others), "blanked": _ask(engine, card, scenes, grey)}
    empty = _ask(engine, card, scenes, [scene.empty for scene in scenes], found_again=True)
    labels = np.array([scene.label for scene in scenes])
    methods = {name: sum(scene.how == name for scene in scenes) for name in HOW}
    return Wallpaper(
        own=_score(own.best == labels, role),
        swapped=_score(before["swapped"].best == labels, "simulated"),
        blanked=_score(before["blanked"].best == labels, "simulated"),
        empty=len(scenes),
        unjudged=int((~empty.judged).sum()),
        accepted=int(empty.accepted.sum()),
        outside=_outside(own, before["blanked"], empty),
        subject=" or ".join(f"{HOW[name]} ({count} of {len(scenes)})" for name, count in methods.items() if count),
        learned=learned,
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """For N pictures: the best label, -1 where nothing was judged; logits (N, L), nan there; and whether they were accepted."""

    best: np.ndarray
    logits: np.ndarray
    accepted: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        return np.asarray(self.best >= 0)


def _dealt(asked: Sequence[Asked]) -> list[Asked]:
    """Take photos label by label in turn until there are enough."""
    queues: dict[int, list[Asked]] = {}
    for one in asked:
        queues.setdefault(one.label, []).append(one)
    each = max(1, MOST // max(1, len(queues)))
    spread = [[queue[i] for i in np.unique(np.linspace(0, len(queue) - 1, min(each, len(queue))).astype(int))] for _, queue in sorted(queues.items())]
    return [one for queue in spread for one in queue][: max(MOST, 2 * len(queues))]


def _apart(one: Asked, region: Region, how: Region) -> _Scene:
    image = open_photo(one.path)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=None)
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    found, pixels = subject(image, region, how), np.asarray(image)
    if found.how == "motion" and how.motion is not None:  # what stands behind is known, and need not be guessed from beside
        empty = swapped(pixels, np.clip(1 - GROWN * found.mask, 0, 1), behind(pixels, background_of(how.motion)))
    else:
        empty = emptied(pixels, found.mask)
    return _Scene(pixels, found.mask, empty, found.how, one.label)


def _donor(scenes: list[_Scene], at: int) -> _Scene:
    """Return the photo whose background is lent: one of the next label, each photo of a label another one."""
    labels = sorted({scene.label for scene in scenes})
    own = scenes[at].label
    following = labels[(labels.index(own) + 1) % len(labels)]
    lenders = [scene for scene in scenes if scene.label == following]
    turn = sum(scene.label == own for scene in scenes[:at])
    return lenders[turn % len(lenders)]


def _ask(engine: Engine, card: Card, scenes: list[_Scene], pictures: list[np.ndarray], found_again: bool = False) -> _Answers:
    """Prepare pictures as the card says and ask about them; where the region finds nothing there is no answer.

    What moved is sought in the photo itself unless `found_again`: before another wall all of a picture has moved.
    """
    spec, ready = card.input, dict[int, np.ndarray]()
    for at, picture in enumerate(pictures):
        try:
            if spec.region.how == "motion" and not found_again:
                ready[at] = prepare_part(Image.fromarray(picture), place(Image.fromarray(scenes[at].pixels), spec.region).box, spec)
            else:
                ready[at] = prepare(Image.fromarray(picture), spec)
        except PhotoError:
            continue
    logits, accepted = np.full((len(pictures), len(card.labels)), np.nan, np.float32), np.zeros(len(pictures), bool)
    places = np.array(list(ready), np.int64)
    for at in range(0, len(places), BATCH):
        some = places[at : at + BATCH]
        answer = engine.run(np.stack([ready[int(i)] for i in some]))
        logits[some] = answer.logits
        accepted[some] = accepts(answer.logits, answer.familiarity, card.unknown.threshold, card.unknown.margin)
    best = np.full(len(pictures), -1)
    best[places] = logits[places].argmax(1)
    return _Answers(best, logits, accepted)


def _lead(answers: _Answers, labels: np.ndarray) -> np.ndarray:
    """Return by how much each label's logit leads the mean of the others, (N,); nan where nothing was judged."""
    own = np.take_along_axis(answers.logits, labels[:, None], 1)[:, 0]
    return np.asarray(own - (answers.logits.sum(1) - own) / (answers.logits.shape[1] - 1))


def _outside(own: _Answers, grey: _Answers, empty: _Answers) -> float:
    """Return the share of the answer from outside the subject, 0..1; see the formula above. No subject to judge, no lead."""
    labels = np.maximum(own.best, 0)
    whole = _lead(own, labels)
    without_wall = whole - _lead(grey, labels)
    without_subject = whole - np.where(empty.judged, _lead(empty, labels), 0.0)
    both = own.judged & grey.judged
    outer, inner = (float(np.maximum(fall[both], 0).sum()) for fall in (without_wall, without_subject))
    return outer / (outer + inner) if outer + inner > 0 else 0.0


def _score(right: np.ndarray, role: Role) -> Score:
    hits, n = int(right.sum()), len(right)
    return Score(accuracy=hits / n, n=n, interval=interval(hits, n), role=role)


def spoiled(found: Wallpaper) -> bool:
    """Tell whether the model knows the wallpaper: it loses a fifth before other backgrounds, beyond chance, or most of its answer lies there."""
    lost = found.own.accuracy - found.swapped.accuracy
    return (lost > DROP and found.swapped.interval[1] < found.own.accuracy) or (found.outside > 0.5 and lost > 0)


def _guessed(found: Wallpaper) -> bool:
    """Tell whether most subjects were not found but taken to be an ellipse in the middle: what lies outside it may be subject as well."""
    count = re.search(rf"{HOW['ellipse']} \((\d+) of (\d+)\)", found.subject)
    return count is not None and 2 * int(count[1]) > int(count[2])


def verdict(found: Wallpaper) -> Literal["knows", "guessed", "unclear", "scene", "follows"]:
    """Return what the test says: a model that is often wrong before its own backgrounds cannot show what it looks at.

    Nor is there an alarm about the wall where nobody found the subject: the border of a face that is cut out tightly is the face.
    """
    if spoiled(found):
        return "guessed" if _guessed(found) else "knows"
    if found.own.accuracy < LEAST_RIGHT:
        return "unclear"
    return "scene" if 2 * found.accepted > found.empty else "follows"


def lines(found: Wallpaper) -> tuple[str, ...]:
    """Say in three sentences what the test found, each number with its n."""
    n = found.own.n
    right = [f"{round(score.accuracy * score.n)}" for score in (found.own, found.swapped, found.blanked)]
    whose = "photos that it learned from" if found.learned else "photos that it has not learned from"
    seen = f"{found.accepted} of {counted(found.empty, 'empty scene')} taken for somebody"
    nothing = f", in {found.unjudged} there was nothing to judge" if found.unjudged else ""
    return (
        f"wallpaper: of {n} {whose}, {right[0]} are right as they are, {right[1]} before another label's background, {right[2]} before plain grey "
        f"(pasted together, so simulated; the subject is {found.subject})",
        f"wallpaper: {percent(found.outside)} of the answer comes from outside the subject; {seen}{nothing}",
        f"wallpaper: {VERDICTS[verdict(found)]}",
    )
