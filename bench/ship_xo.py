"""Writes the X-or-O model that Peephole ships: `python -m bench.ship_xo`; the same wheels write the same bytes.

It learns from drawings that programs of this project make (lab/hand.py, train/glyphs.py) and from nobody's: the drawings in ../shared/data have no
licence to be trained on, and so are a test that it has never seen (bench/shipped.py).

Two labels alone teach a network nothing of what is neither: it would take a square for an O. So it learns three, X, O and "neither" (many other
drawings), and the vote for "neither" is then left out: the file has the labels X and O, and rejects strangers by their distance to known drawings,
as every model file does. Embeddings are centred on the middle of all "neither", so that X and O lie away from it on two sides, and every hidden
unit is divided by its spread, so that no loud one decides alone. Line, temperature and evidence come from drawings that taught nothing, the
strangers among them other invented characters.

What would make its figures unfair: choosing anything here by the real drawings; characters that have taught among those that prove.
"""

import copy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from peephole.base.modelwrite import write
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, split, stranger_split
from peephole.data.region import Region
from peephole.decide.familiarity import K, choose_known, familiarity, similarity
from peephole.export.build import Strangers, gather, proven
from peephole.export.onnx import Known
from peephole.export.proof import Trained
from peephole.lab.hand import STRANGERS, draw
from peephole.lab.shipped import MODEL, PICTURES, SIDE
from peephole.nets.blocks import Network
from peephole.nets.cnn import Plain
from peephole.train.calibrate import line_for, temperature
from peephole.train.crossfit import HeldOut
from peephole.train.glyphs import drawings, invent
from peephole.train.judged import Judged
from peephole.train.learner import learner_for
from peephole.train.loop import answers_of
from peephole.train.recipe import Options

FOLDER = Path(__file__).parents[1] / "src" / "peephole" / "lab" / "models"
TAUGHT, KNOWN = 3000, 500  # drawings of each label that teach, and others that become known examples, choose and prove
OTHERS, INVENTED = 100, 3000  # drawings of each kind that is neither, and characters that nobody has ever written
PROVING, PER_KIND = 200, 8  # other invented characters, so many drawings of each: half of them choose the line, half prove
STEPS, HIDDEN, SEED = 6000, 40, 7
LEAST_SPREAD = 0.01  # a unit that never speaks is not made loud
KNOWN_EACH = 50  # of X and of O that stand in the graph
FALSE_ACCEPT = 0.04


def on_paper(ink: np.ndarray, rng: np.random.Generator, *, light: bool) -> Image.Image:
    """Put ink 0..1 (H, W) on paper: dark on light or light on dark, of other greys, now and then faint, noisy, scratched."""
    paper, pen = (255 if rng.random() < 0.7 else rng.uniform(200, 255)), (0 if rng.random() < 0.5 else rng.uniform(0, 100))
    strength = ink * (rng.uniform(0.7, 1) if rng.random() < 0.2 else 1)
    grey = paper + (pen - paper) * strength
    if rng.random() < 0.2:
        grey += rng.normal(0, rng.uniform(1, 8), ink.shape)
    if rng.random() < 0.1:  # a scratch: one row or column, fainter than the ink
        at = rng.integers(len(ink))
        (grey if rng.random() < 0.5 else grey.T)[at] += (pen - paper) * rng.uniform(0.1, 0.3)
    grey = 255 - grey if light else grey
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def by_hand(kind: str, seed: int) -> Image.Image:
    """Draw one of lab/hand's kinds on paper, at one of the sizes that drawings have; every second is light on dark."""
    rng = np.random.default_rng([seed, 1])
    side = int(rng.choice([28, 28, 56, 112]))
    return on_paper(draw(kind, seed, side, least=0.3, most=0.95, pen=(0.01, 0.09)), rng, light=bool(seed % 2))


def invented(seed: int, each: int, count: int) -> list[list[Image.Image]]:
    """Draw `count` invented characters `each` times. Those of one stroke are left out: one in ten of them is an O."""
    found = list[list[Image.Image]]()
    for step in range(count):
        if len(found) == count:
            break
        strokes = invent(64, seed, step)[1]
        for number, drawn in enumerate(drawings(64, each, 56, seed, step)):
            if strokes[number] > 1 and len(found) < count:
                rng = np.random.default_rng([seed, step, number])
                found.append([on_paper(ink.astype(np.float64), rng, light=bool(n % 2)) for n, ink in enumerate(drawn)])
    return found


def blank(seed: int) -> Image.Image:
    """An empty sheet of any grey."""
    return on_paper(np.zeros((28, 28)), np.random.default_rng([seed, 2]), light=bool(seed % 2))


def _save(pictures: list[Image.Image], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, len(list(folder.iterdir()))):
        picture.save(folder / f"{number:04}.png")


def lay_out_teaching(root: Path, seed: int) -> None:
    """Write X, O and neither: what teaches."""
    base = 1_000_000 * seed
    for kind in "XO":
        _save([by_hand(kind, base + n) for n in range(TAUGHT)], root / kind)
    for kind in STRANGERS:
        _save([by_hand(kind, base + n) for n in range(OTHERS)], root / "neither")
    _save([pictures[0] for pictures in invented(2 * seed, 1, INVENTED)], root / "neither")
    _save([blank(base + n) for n in range(OTHERS)], root / "neither")


def lay_out_known(root: Path, seed: int) -> None:
    """Write other X and O, and other invented characters as strangers: what is known, chooses and proves."""
    base = 1_000_000 * seed + 500_000
    for kind in "XO":
        _save([by_hand(kind, base + n) for n in range(KNOWN)], root / kind)
    for number, pictures in enumerate(invented(2 * seed + 1, PER_KIND, PROVING)):
        _save(pictures, root / "unknown" / f"invented {number:03}")
    for number in range(PER_KIND):
        _save([blank(base + number)], root / "unknown" / f"blank {number}")


def evened(network: Network, spread: np.ndarray) -> Network:
    """Return the network with each hidden unit divided by its spread (units,) within a label, and its votes as they were.

    A cosine listens to loud units most. ReLU lets a factor above 0 pass, and the last layer takes it back.
    """
    found, by = copy.deepcopy(network), torch.from_numpy(spread.astype(np.float32))
    dense, head = found.body.get_submodule("dense1"), found.head()
    dense.weight.data, dense.bias.data = dense.weight.data / by[:, None], dense.bias.data / by
    head.weight.data = head.weight.data * by
    return found


def narrowed(network: Network, kept: list[int]) -> Network:
    """Return the network with only these votes of its last layer."""
    found = copy.deepcopy(network)
    head = found.head()
    head.weight.data, head.bias.data = head.weight.data[kept].clone(), head.bias.data[kept].clone()
    head.out_features = len(kept)
    return found


def scored(network: Network, photos: PhotoSet, known: Known, asked: np.ndarray) -> HeldOut:
    """Score drawings that the network has not learned from against the known ones."""
    logits, embedding = answers_of(network, photos.images, asked)
    familiar = familiarity(similarity(embedding, known.embeddings, known.centre), known.labels, len(photos.names))
    return HeldOut(logits, photos.labels[asked], familiar, asked)


def ship(folder: Path, seed: int = SEED, steps: int | None = None, watch: Watcher | None = None) -> Path:
    """Draw, teach, narrow, judge, prove, write the model file and the pictures of its known drawings; return the file's path."""
    torch.set_num_threads(1)
    watch, strangers = watch or Watcher(), Strangers(FALSE_ACCEPT, "kind")
    options = Options(network="plain", size=(SIDE, SIDE), steps=steps or STEPS, seed=seed, threads=1, plain=Plain(filters=(8, 16), hidden=HIDDEN))
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        watch.stage("drawing")
        lay_out_teaching(root / "teach", seed)
        lay_out_known(root / "known", seed)
        teaching = gather(root / "teach", options, strangers, (), Region(), watch=watch)
        teaching_parts = split(teaching.photos, seed)
        watch.stage("training")
        learner = learner_for(teaching.photos, teaching.recipe, teaching_parts.train, watch, None)
        fitted = learner.finish(teaching_parts.train, teaching_parts.choose, lambda m: watch.learned(m.step, m.steps, m.loss, m.held_out), None)
        names = teaching.photos.names
        photos, spec = (known := gather(root / "known", options, strangers, (), Region(), watch=watch)).photos, known.spec
        _, taught = answers_of(fitted.network, teaching.photos.images, np.arange(len(teaching.photos)))
        spread = np.sqrt(np.mean([taught[teaching.photos.labels == n].var(0) for n in range(len(names))], axis=0)) + LEAST_SPREAD
        network = narrowed(evened(fitted.network, spread), [names.index(name) for name in photos.names])
        parts, (choosing, proving) = split(photos, seed), stranger_split(photos, seed)
        chosen = parts.train[choose_known(photos.labels[parts.train], photos.sources[parts.train], KNOWN_EACH, 2 * KNOWN_EACH, seed)]
        watch.stage("judging")
        centre = (taught[teaching.photos.labels == names.index("neither")] / spread).mean(0)
        inside = Known(answers_of(network, photos.images, chosen)[1], photos.labels[chosen], centre, K)
        held = scored(network, photos, inside, parts.choose)
        line = line_for(held.genuine, None, scored(network, photos, inside, choosing).familiarity.max(1), FALSE_ACCEPT)
        judged = Judged(held, temperature(held.logits, held.labels), line)
        trained = Trained(network, fitted.recipe, fitted.seconds, photos, parts, spec, inside, chosen, judged, proving, learner)
        graph, card = proven(trained, strangers, {})
    counts = ", ".join(f"{int((teaching.photos.labels == n).sum())} {name}" for n, name in enumerate(names))
    sentence = f"{card.training.sentence}; taught by {counts} that a program drew, the vote for neither left out"
    card = card.model_copy(update={"training": card.training.model_copy(update={"sentence": sentence}), "licence": "Apache-2.0"})
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / MODEL, graph, card)
    np.savez_compressed(folder / PICTURES, pictures=photos.images[chosen][..., 0], digests=np.array(card.unknown.known_digests))
    return folder / MODEL


class Aloud(Watcher):
    """Says what is going on."""

    def stage(self, text: str) -> None:
        """Print a stage's name."""
        print(text, flush=True)


if __name__ == "__main__":
    print(ship(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, watch=Aloud()))
