"""Strangers and residents at a whole gate, visit by visit: people enrolled with five photos, a frozen cohort, the bound printed (SAFETY test 6)."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import peephole
from peephole.base.evidence import describe, measure
from peephole.base.records import Evidence, Unit
from peephole.decide.predictor import Predictor
from peephole.gateway.acquaintance import acquainted
from peephole.gateway.agent import run
from peephole.gateway.door import Door, load_door
from peephole.gateway.enrol import begun, enrol, propose
from peephole.gateway.journal import Journal
from peephole.gateway.keys import Limits
from peephole.gateway.sensors import replay_sensor
from peephole.gateway.switchboard import rehearsal
from peephole.gateway.visits import Tally, rates

pytestmark = pytest.mark.long

DEAL = 100  # deals 0-2 chose how many are trained and how large a photo is judged
GROUP, TRAINED = 10, 20  # of 38 people; the 8 that are left are strangers of the training, and prove on the card
PHOTOS, FRAMES = 5, 8  # frames by each light: a visit by three lights takes 5 s
SIDE = 96
# As the guide says to enrol: from in front and from both sides. They come by the lights that are left, which lie between these.
SPANNING = ("A+000E+00", "A+020E+10", "A+035E+15", "A-020E+10", "A-035E+15")


def cohort(folder: Path, turn: int) -> tuple[list[str], list[str], list[str]]:
    """Deal 38 people once into four groups; in each turn one group comes to the door. Return trained, strangers of the training, the group."""
    names = sorted(path.name for path in folder.iterdir())
    dealt = [names[at] for at in np.random.default_rng(DEAL).permutation(len(names))]
    group = dealt[GROUP * turn : GROUP * (turn + 1)]
    others = [name for name in dealt if name not in group]
    return others[:TRAINED], others[TRAINED:], group


def lay_out(folder: Path, root: Path, trained: list[str], strangers: list[str], draw: np.random.Generator) -> None:
    for name in (*trained, *strangers):
        photos = sorted((folder / name).glob("*.pgm"))
        inside = root / name if name in trained else root / "unknown" / name
        inside.mkdir(parents=True)
        for at in draw.permutation(len(photos))[: PHOTOS if name in trained else None]:
            (inside / photos[at].name).write_bytes(photos[at].read_bytes())


def recorded(path: Path, visits: list[tuple[str, str, list[Path]]], draw: np.random.Generator) -> Path:
    """Write visits as a recording: somebody stands before the door in one light after the other, a little moved and with noise in each frame."""
    lines = ["time,file,visit,truth"]
    for number, (visit, truth, photos) in enumerate(visits):
        for light, photo in enumerate(photos):
            with Image.open(photo) as image:
                pixels = np.asarray(image.convert("L"), np.float32)
            for frame in range(FRAMES):
                moved = np.roll(pixels, draw.integers(-2, 3, 2), (0, 1)) * draw.uniform(0.95, 1.05) + draw.normal(0, 3, pixels.shape)
                file = path.parent / f"{number}-{light}-{frame}.png"
                Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8)).save(file)
                lines.append(f"{1_793_600_000 + 100 * number + 0.2 * (FRAMES * light + frame)},{file.name},{visit},{truth}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def models(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Predictor]:
    """A model for each turn, trained without the group whose turn it is."""
    from peephole.export.build import build
    from peephole.train.recipe import Options

    folder, found = shared_data / "yaleb" / "cropped", []
    for turn in range(4):
        root = tmp_path_factory.mktemp("turn")
        trained, choosing, _ = cohort(folder, turn)
        lay_out(folder, root / "photos", trained, choosing, np.random.default_rng([DEAL, turn, 0]))
        build(root / "photos", root / "door.onnx", Options(network="lite0", fit="frozen", size=(SIDE, SIDE), threads=1, seed=DEAL + turn))
        found.append(peephole.load(root / "door.onnx"))
    return found


def an_evening(
    folder: Path, door: Door, predictor: Predictor, *, enrolled: list[str], strangers: list[str], draw: np.random.Generator, spanning: bool
) -> tuple[Evidence, ...]:
    """Enrol some with five photos; then they come by the lights that are left, and strangers by all of theirs."""
    people, visits = begun(predictor), []
    for name in enrolled:
        photos = sorted((folder / name).glob("*.pgm"))
        order = draw.permutation(len(photos))
        if spanning:
            order = np.array(sorted(order, key=lambda at: not photos[at].stem.endswith(SPANNING)))
        found = propose(predictor, people, name, [photos[at] for at in order[:PHOTOS]], Limits())
        people = enrol(people, name, found.candidates, confirmed_by="a test", wall=0.0)  # all are theirs, flagged or not
        visits.append((f"{name} home", name, [photos[at] for at in order[PHOTOS:]]))
    visits += [(f"{name} out", name, sorted((folder / name).glob("*.pgm"))) for name in strangers]
    gate, tally = acquainted(predictor, people), Tally()
    with Journal(None, door.settings.gate.name) as journal:
        source = replay_sensor(recorded(door.folder / "night.csv", visits, draw))
        run(door, gate.follow, gate.card, sensor=source, switchboard=rehearsal(door), journal=journal, witnesses=(tally,))
    return rates(tally, gate.labels, "simulated")


@pytest.mark.parametrize("spanning", [True, False], ids=["lights between those enrolled", "any other lights"])
def test_strangers_and_residents_visit_by_visit(models: list[Predictor], shared_data: Path, make_door: Callable[..., Door], spanning: bool) -> None:
    """Everybody is a stranger once and enrolled once: at most 5 % of the residents' visits are refused; the bound on strangers is printed.

    Any five lights may leave out those from 35 degrees aside, which are hard: with half the frames 2 to 4 of 38 were refused in the deals looked
    at before, so that is held below 15 % only.
    What it cannot show: all photos of a person were taken within a second, so a visit differs from what was enrolled by its light alone.
    """
    folder = shared_data / "yaleb" / "cropped"
    errors, trials = Counter[str](), Counter[str]()
    for turn, predictor in enumerate(models):
        draw, group = np.random.default_rng([DEAL, turn, 1]), cohort(folder, turn)[2]
        for enrolled, strangers in ((group[::2], group[1::2]), (group[1::2], group[::2])):
            path = make_door().path
            everybody = ", ".join(f'"{name}"' for name in sorted((*predictor.labels, *enrolled)))
            path.write_text(path.read_text(encoding="utf-8").replace('"ana", "junho"', everybody), encoding="utf-8")
            for item in an_evening(folder, load_door(path), predictor, enrolled=enrolled, strangers=strangers, draw=draw, spanning=spanning):
                errors[f"{item.claim} per {item.unit}"] += item.errors
                trials[f"{item.claim} per {item.unit}"] += item.trials
    told: tuple[tuple[str, Unit], ...] = (
        ("false accept per stranger", "stranger"),
        ("false reject per visit", "visit"),
        ("taken for somebody else per visit", "visit"),
    )
    for what, unit in told:
        print(describe(measure(what, errors[what], trials[what], unit, "simulated")))
    assert trials["false accept per stranger"] == trials["false reject per visit"] == 38
    assert errors["taken for somebody else per visit"] == 0
    assert errors["false reject per visit"] / 38 <= (0.05 if spanning else 0.15)
    assert errors["false accept per stranger"] <= 4  # of the deals that were looked at before, 0 to 2
