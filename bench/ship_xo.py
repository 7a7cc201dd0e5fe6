"""Writes the X-or-O model that Peephole ships: `python -m bench.ship_xo`; the same wheels write the same bytes.

It learns from drawings that programs of this project make (bench/xo_drawings.py) and from nobody's: the drawings in ../shared/data have no
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

from bench.xo_drawings import lay_out_known, lay_out_teaching
from peephole.base.modelwrite import write
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, split, stranger_split
from peephole.data.region import Region
from peephole.decide.familiarity import K, choose_known, familiarity, similarity
from peephole.export.build import Strangers, gather, proven
from peephole.export.onnx import Known
from peephole.export.proof import Trained
from peephole.lab.shipped import MODEL, PICTURES, SIDE
from peephole.nets.blocks import Network
from peephole.nets.cnn import Plain
from peephole.train.calibrate import line_for, temperature
from peephole.train.crossfit import HeldOut
from peephole.train.judged import Judged
from peephole.train.learner import learner_for
from peephole.train.loop import answers_of
from peephole.train.recipe import Options

FOLDER = Path(__file__).parents[1] / "src" / "peephole" / "lab" / "models"
STEPS, HIDDEN, SEED = 6000, 40, 7
LEAST_SPREAD = 0.01  # a unit that never speaks is not made loud
KNOWN_EACH = 50  # of X and of O that stand in the graph
FALSE_ACCEPT = 0.04


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
