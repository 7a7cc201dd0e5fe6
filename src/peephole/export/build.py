"""From a folder of photos to a model file: the one path that `peephole train` and `peephole.train` walk.

Every stage hands a record to the next: listing -> facts -> recipe -> photos -> split -> network -> line -> graph -> parity -> card -> file.
"""

import platform
from dataclasses import dataclass, replace
from hashlib import sha256
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from peephole.base import evidence
from peephole.base.card import Card, Input, Region, Resize, Score, Training, Unknown
from peephole.base.engine import Outputs
from peephole.base.errors import TrainingStopped
from peephole.base.files import write_atomic
from peephole.base.modelfile import ModelFile
from peephole.base.modelwrite import write
from peephole.base.records import Evidence, Unit
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, Split, load, split, stranger_split
from peephole.data.photos import require_trainable, scan
from peephole.decide.familiarity import centre_of, choose_known, familiarity, similarity
from peephole.decide.judge import accepts
from peephole.decide.threshold import Line
from peephole.export.layers import layers
from peephole.export.onnx import Known, to_onnx
from peephole.export.parity import compare, run_graph
from peephole.nets.blocks import Network
from peephole.train.calibrate import line_for, temperature
from peephole.train.crossfit import HeldOut, held_out, labels_in_turn
from peephole.train.facts import survey
from peephole.train.learner import Learner, learner_for
from peephole.train.loop import Examples, Moment, answers
from peephole.train.recipe import Options, Recipe, derive

__all__ = ["Built", "build"]

K = 3  # nearest known examples that count (CONTRACTS section 2)
KNOWN_PER_LABEL, KNOWN_MOST = 50, 3000
# Shares of the time: with few examples the folds and the labels held out in turn take as long as the network itself.
FINAL_SHARE = {"estimate": 0.25, "proof": 0.85}
CROSS_SHARE = {"estimate": 1.5, "proof": 0.15}  # of the final training's steps, for all folds and again for all label groups


@dataclass(frozen=True, eq=False)
class Built:
    """A model file on disk, the recipe with its steps, the seconds of training alone, and what was noted on the way."""

    path: Path
    model: ModelFile
    recipe: Recipe
    training_seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Held-out evidence from training: scores per held-out example, the softmax temperature, the line."""

    held: HeldOut
    temperature: float
    line: Line


def _spec(recipe: Recipe, region: Region) -> Input:
    return Input(
        shape=("N", recipe.height, recipe.width, recipe.channels),
        region=region,
        resize=Resize(to=(recipe.height, recipe.width), fit="cover"),
        colour="rgb" if recipe.channels == 3 else "grey",
    )


def _about(photos: PhotoSet, recipe: Recipe) -> str:
    """Name a training by its data and recipe, so that a checkpoint cannot be taken for another's."""
    text = "".join(sorted(photos.digests)) + repr(replace(recipe, steps=0))
    return sha256(text.encode()).hexdigest()


def _judge(
    learner: Learner, network: Network, photos: PhotoSet, parts: Split, strangers: np.ndarray, false_accept: float, watch: Watcher
) -> _Judged:
    """Score held-out examples and choose the line, by the roles that the split allows."""
    share = CROSS_SHARE[parts.role]
    done = 0

    def note() -> None:
        nonlocal done
        done += 1
        watch.progress(done, done + 1)

    if parts.role == "proof":
        held = _scores(network, photos, parts.train, parts.choose)
    else:
        watch.stage("holding out examples in turn")
        held = held_out(learner, photos, parts.folds, share / len(parts.folds), K, note)
    strange, stranger_scores = None, np.empty(0)
    if len(strangers):
        stranger_scores = _scores(network, photos, parts.train, strangers).familiarity.max(1)
    else:
        watch.stage("holding out labels in turn, as strangers")
        among = parts.train if len(parts.train) <= 5000 else np.sort(np.random.default_rng(learner.recipe.seed).permutation(parts.train)[:5000])
        fold = np.intersect1d(parts.folds[0], among)
        strange = labels_in_turn(learner, photos, among, fold, share, K, learner.recipe.seed, note)
    return _Judged(held, temperature(held.logits, held.labels), line_for(held.genuine, strange, stranger_scores, false_accept))


def _known(network: Network, photos: PhotoSet, train: np.ndarray, seed: int) -> tuple[Known, np.ndarray]:
    """Choose the known examples among the training ones and compute their embeddings."""
    chosen = train[choose_known(photos.labels[train], photos.sources[train], KNOWN_PER_LABEL, KNOWN_MOST, seed)]
    _, embedding = answers(network, Examples.of(photos.images[chosen], photos.labels[chosen]).images)
    return Known(embedding.numpy(), photos.labels[chosen], centre_of(embedding.numpy(), photos.labels[chosen]), K), chosen


def _scores(network: Network, photos: PhotoSet, train: np.ndarray, asked: np.ndarray) -> HeldOut:
    """Score photos that the network did not train on against its known examples."""
    known, _ = _known(network, photos, train, 0)
    logits, embedding = (part.numpy() for part in answers(network, Examples.of(photos.images[asked], photos.labels[asked]).images))
    familiar = familiarity(similarity(embedding, known.embeddings, known.centre), known.labels, len(photos.names), K)
    return HeldOut(logits, photos.labels[asked], familiar, asked)


def _first_of_sources(photos: PhotoSet, indices: np.ndarray) -> np.ndarray:
    """Return positions within `indices` of one photo per source: copies must not count as evidence twice."""
    return np.unique(photos.sources[indices], return_index=True)[1]


def _score(right: np.ndarray, role: str) -> Score:
    hits, n = int(right.sum()), len(right)
    return Score(accuracy=hits / n, n=n, interval=evidence.interval(hits, n), role="proof" if role == "proof" else "estimate")


def _strangers_let_in(photos: PhotoSet, indices: np.ndarray, taken: np.ndarray) -> tuple[int, int]:
    """Return (strangers with at least one accepted photo, strangers)."""
    who = photos.strangers[indices]
    return len(np.unique(who[taken])), len(np.unique(who))


def _evidence(photos: PhotoSet, parts: Split, judged: _Judged, prove: Outputs | None, strange: Outputs | None, at: np.ndarray, unit: Unit) -> list[Evidence]:
    """Count what the file itself answered on what was kept for proof."""
    line, found = judged.line.threshold, []
    if strange is not None:
        errors, trials = _strangers_let_in(photos, at, accepts(strange.logits, strange.familiarity, line, 0.0))
        found.append(evidence.measure("false accept", errors, trials, unit, "proof"))
    if prove is not None:
        held = HeldOut(prove.logits, photos.labels[parts.prove], prove.familiarity, parts.prove)
    else:
        held = judged.held
    ones = _first_of_sources(photos, held.indices)
    let_in = (accepts(held.logits, held.familiarity, line, 0.0) & held.right)[ones]
    found.append(evidence.measure("false reject", int((~let_in).sum()), len(ones), "photo", "proof" if prove is not None else "estimate"))
    return found


def _software() -> dict[str, str]:
    return {
        "peephole": version("peephole"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
    }


def _card(
    photos: PhotoSet, parts: Split, spec: Input, recipe: Recipe, graph: onnx.ModelProto, judged: _Judged, chosen: np.ndarray, false_accept: float
) -> Card:
    """Fill the card, all but what the exported graph has yet to show (parity, evidence, scores)."""
    used = parts.train
    names = photos.names
    shapes = {o.name: tuple(d.dim_value for d in o.type.tensor_type.shape.dim[1:]) for o in graph.graph.output}
    return Card(
        kind="photo",
        labels=names,
        input=spec,
        outputs={
            "logits": ("N", len(names)),
            "embedding": ("N", *shapes["embedding"]),
            "familiarity": ("N", len(names)),
            "similarity": ("N", len(chosen)),
        },
        layers=layers(graph),
        unknown=Unknown(
            k=K,
            threshold=judged.line.threshold,
            false_accept=false_accept,
            how=judged.line.how,
            known_labels=tuple(int(v) for v in photos.labels[chosen]),
            known_digests=tuple(photos.digests[i] for i in chosen),
            known_ids=tuple(photos.ids[i] for i in chosen),
        ),
        temperature=judged.temperature,
        training=Training(
            examples={name: int((photos.labels[used] == i).sum()) for i, name in enumerate(names)},
            strangers={name: int((photos.strangers == i).sum()) for i, name in enumerate(photos.stranger_names)},
            sources=len(np.unique(photos.sources[used])),
            digests=tuple(sorted(photos.digests[i] for i in used)),
            duplicates_dropped=photos.duplicates_dropped,
            refused=len(photos.refused),
            recipe=recipe.as_dict(),
            sentence=recipe.sentence(),
            seed=recipe.seed,
        ),
        parity={"max_difference": 0, "changed_decisions": 0, "n": 0},  # type: ignore[arg-type]  # replaced by what the graph shows
        software=_software(),
    )


def _report(watch: Watcher, moment: Moment) -> None:
    watch.learned(moment.step, moment.steps, moment.loss, moment.held_out)


def _probe(output: Path) -> None:
    """Find out before training, not after, whether the model file can be written."""
    write_atomic(output.with_name(f".{output.name}.probe"), b"").unlink()


def _gather(root: Path, options: Options, skip: tuple[str, ...], each: bool, region: Region, watch: Watcher) -> tuple[PhotoSet, Recipe]:
    """Read the folder, derive the recipe, decode the photos."""
    watch.stage("looking at the photos")
    listing = scan(root, skip=skip, each_file_a_stranger=each)
    require_trainable(listing)
    facts = survey(listing, options.seed)
    recipe = derive(facts, options)
    watch.stage(f"reading {len(listing.photos)} photos")
    photos = load(listing, _spec(recipe, region), progress=watch.progress)
    for text in photos.notes:
        watch.said(text)
    if photos.refused:
        first = photos.refused[0]
        watch.said(f"{len(photos.refused)} files were refused; the first: {first.id} {first.reason} (all: peephole check {root})")
    return photos, recipe


def build(
    root: Path | str,
    output: Path | str = "model.onnx",
    options: Options | None = None,
    *,
    false_accept: float = 0.01,
    stranger_unit: Unit = "stranger",
    skip: tuple[str, ...] = (),
    each_file_a_stranger: bool = False,
    region: Region | None = None,
    resume: bool = False,
    watch: Watcher | None = None,
) -> Built:
    """Train on a folder of photos and write one model file.

    `false_accept` (0..1) is the share of strangers' photos that the threshold is chosen for; `stranger_unit` says what a sub-folder of
    unknown/ is: a "stranger", or a "kind" of thing. Raises InputError for photos that cannot be learned from, OutputError for a place that
    cannot be written, ParityError when the file would answer differently, TrainingStopped on Ctrl-C (go on with `resume`).
    """
    watch, options, output = watch or Watcher(), options or Options(), Path(output)
    _probe(output)
    photos, recipe = _gather(Path(root), options, skip, each_file_a_stranger, region or Region(), watch)
    spec = _spec(recipe, region or Region())
    parts = split(photos, recipe.seed)
    choosing, proving = stranger_split(photos, recipe.seed)
    recipe = replace(recipe, seconds=recipe.seconds * FINAL_SHARE[parts.role])
    checkpoint = output.with_suffix(".checkpoint")
    about = _about(photos, recipe)
    watch.said(recipe.sentence())
    try:
        watch.stage("training")
        learner = learner_for(photos, recipe, parts.train, watch.progress)
        fitted = learner.finish(parts.train, parts.choose, partial(_report, watch), checkpoint, resume, about)
        judged = _judge(learner, fitted.network, photos, parts, choosing, false_accept, watch)
    except TrainingStopped as stop:
        if checkpoint.exists() and "--resume" not in stop.hint:
            stop.hint = f"the network itself is trained and kept: the same command with --resume (it reads {checkpoint})"
        raise
    watch.stage("exporting, and comparing the file with the network")
    known, chosen = _known(fitted.network, photos, parts.train, recipe.seed)
    graph = to_onnx(fitted.network, known, spec.shape[1:])
    card = _card(photos, parts, spec, fitted.recipe, graph, judged, chosen, false_accept)
    card = _proven(card, graph, fitted.network, known, photos, parts, judged, proving, stranger_unit)
    model = write(output, graph, card)
    checkpoint.unlink(missing_ok=True)
    return Built(output, model, fitted.recipe, fitted.seconds, (*photos.notes, *parts.notes))


def _proven(
    card: Card, graph: onnx.ModelProto, network: Network, known: Known, photos: PhotoSet, parts: Split, judged: _Judged, proving: np.ndarray, unit: Unit
) -> Card:
    """Ask the graph itself about everything that was held out, and write parity, scores and evidence onto the card."""
    asked = np.concatenate([parts.choose, parts.prove, proving]) if parts.role == "proof" else np.concatenate([parts.train, proving])
    outputs = run_graph(graph, photos.images[asked])
    parity = compare(network, known, outputs, photos.images[asked], judged.line.threshold, card.unknown.margin)
    strange = _part(outputs, np.isin(asked, proving)) if len(proving) else None
    prove = _part(outputs, np.isin(asked, parts.prove)) if len(parts.prove) else None
    judges = HeldOut(prove.logits, photos.labels[parts.prove], prove.familiarity, parts.prove) if prove is not None else judged.held
    right = judges.right[_first_of_sources(photos, judges.indices)]
    return card.model_copy(
        update={
            "parity": parity,
            "scores": {"held_out": _score(right, parts.role)},
            "evidence": tuple(_evidence(photos, parts, judged, prove, strange, proving, unit)),
        }
    )


def _part(outputs: Outputs, at: np.ndarray) -> Outputs:
    return Outputs(outputs.logits[at], outputs.embedding[at], outputs.familiarity[at], outputs.similarity[at])
