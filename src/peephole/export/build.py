"""From a folder of photos to a model file: the one path that `peephole train` and `peephole.train` walk.

Every stage hands a record to the next: listing -> facts -> recipe -> photos -> split -> network -> line -> graph -> proof -> card -> file.
"""

import platform
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from peephole.base.card import Card, Input, Parity, Region, Resize, Training, Unknown
from peephole.base.errors import OutputError, TrainingStopped
from peephole.base.files import write_atomic
from peephole.base.modelfile import ModelFile
from peephole.base.modelwrite import write
from peephole.base.records import Unit
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, Split, load, split, stranger_split
from peephole.data.photos import require_trainable, scan
from peephole.decide.familiarity import K, choose_known
from peephole.export.layers import layers
from peephole.export.onnx import Known, to_onnx
from peephole.export.proof import Trained, prove
from peephole.nets.cnn import Plain
from peephole.train.checkpoint import Kept
from peephole.train.facts import survey
from peephole.train.judged import judge_by_holding_out, known_examples
from peephole.train.learner import learner_for
from peephole.train.loop import Moment
from peephole.train.recipe import Options, Recipe, derive

__all__ = ["Built", "Strangers", "build"]

# How many known examples become constants of the graph.
KNOWN_PER_LABEL, KNOWN_MOST = 50, 3000
# The network's share of the time: with few examples, holding them and their labels out in turn takes the rest.
FINAL_SHARE = {"estimate": 0.25, "proof": 0.85}


@dataclass(frozen=True)
class Strangers:
    """How strangers are counted.

    `false_accept` (0..1) is the share of their photos that the threshold is chosen for; `unit` is what a sub-folder of unknown/ is, a
    "stranger" or a "kind"; with `each_file` every loose file there is a stranger of its own.
    """

    false_accept: float = 0.01
    unit: Unit = "stranger"
    each_file: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A model file on disk, the recipe with its steps, the seconds of training alone, and what was noted on the way."""

    path: Path
    model: ModelFile
    recipe: Recipe
    training_seconds: float
    notes: tuple[str, ...]


def build(
    root: Path | str,
    output: Path | str,
    options: Options | None = None,
    *,
    strangers: Strangers | None = None,
    skip: tuple[str, ...] = (),
    region: Region | None = None,
    resume: bool = False,
    watch: Watcher | None = None,
) -> Built:
    """Train on a folder of photos and write one model file.

    Raises InputError for photos that cannot be learned from, OutputError for a place that cannot be written, ParityError when the file would
    answer differently from the network, TrainingStopped on Ctrl-C (go on with `resume`).
    """
    watch, options, strangers, output = watch or Watcher(), options or Options(), strangers or Strangers(), Path(output)
    _probe(output)
    photos, recipe, spec = _gather(Path(root), options, strangers, skip, region or Region(), watch=watch)
    parts = split(photos, recipe.seed)
    for note in parts.notes:
        watch.said(note)
    recipe = replace(recipe, seconds=recipe.seconds * FINAL_SHARE[parts.role])
    watch.said(recipe.sentence())
    _say_unused(recipe, options, resume, watch)
    kept = Kept(output.with_suffix(".checkpoint"), _about(photos, recipe), resume)
    try:
        trained = _train(photos, parts, recipe, spec, strangers, kept=kept, watch=watch)
        watch.stage("exporting, and comparing the file with the network")
        graph = to_onnx(trained.network, trained.known, spec.shape[1:])
        card = prove(_card(trained, graph, strangers), trained, graph, strangers.unit)
        model = write(output, graph, card)
    except (KeyboardInterrupt, TrainingStopped) as stop:
        raise _stopped(stop, kept) from None
    kept.path.unlink(missing_ok=True)
    return Built(output, model, trained.recipe, trained.seconds, (*photos.notes, *parts.notes))


def _say_unused(recipe: Recipe, options: Options, resume: bool, watch: Watcher) -> None:
    """Tell the user which options change nothing for the network that the recipe chose."""
    if recipe.network != "plain" and options.plain != Plain():
        watch.said(
            "filters, kernel, stride, padding, pool, hidden, keep-prob and norm are numbers of plain, "
            f"which {recipe.network} does not have (--network plain)"
        )
    if recipe.fit == "frozen" and (options.steps or resume):
        watch.said("frozen features take no steps and leave no checkpoint: --steps and --resume change nothing (--fit finetune takes steps)")


def _gather(
    root: Path, options: Options, strangers: Strangers, skip: tuple[str, ...], region: Region, *, watch: Watcher
) -> tuple[PhotoSet, Recipe, Input]:
    """Read the folder, derive the recipe, decode the photos."""
    watch.stage("looking at the photos")
    listing = scan(root, skip=skip, each_file_a_stranger=strangers.each_file)
    require_trainable(listing)
    facts = survey(listing, options.seed)
    if region.box:
        facts = replace(facts, width=max(1, round(facts.width * region.box[2])), height=max(1, round(facts.height * region.box[3])))
    recipe = derive(facts, options)
    if (facts.height, facts.width) != (recipe.height, recipe.width):
        what = "photos" if region.how == "whole" else "regions"
        watch.said(f"{what} of about {facts.height}x{facts.width} pixels become {recipe.height}x{recipe.width}, here and at the door")
    spec = Input(
        shape=("N", recipe.height, recipe.width, recipe.channels),
        region=region,
        resize=Resize(to=(recipe.height, recipe.width), fit="cover"),
        colour="rgb" if recipe.channels == 3 else "grey",
    )
    watch.stage(f"reading {len(listing.photos)} photos")
    photos = load(listing, spec, progress=watch.progress)
    for text in photos.notes:
        watch.said(text)
    if photos.refused:
        first = photos.refused[0]
        more = f", and {len(photos.refused) - 1} more" if len(photos.refused) > 1 else ""
        watch.said(f"refused: {first.id} {first.reason}{more} (all of them: peephole check {root})")
    return photos, recipe, spec


def _train(photos: PhotoSet, parts: Split, recipe: Recipe, spec: Input, strangers: Strangers, *, kept: Kept, watch: Watcher) -> Trained:
    """Train the network, then judge it by what was held out."""
    choosing, proving = stranger_split(photos, recipe.seed)
    chosen = parts.train[choose_known(photos.labels[parts.train], photos.sources[parts.train], KNOWN_PER_LABEL, KNOWN_MOST, recipe.seed)]
    watch.stage("training")
    learner = learner_for(photos, recipe, parts.train, watch.progress)
    fitted = learner.finish(parts.train, parts.choose, partial(_report, watch), kept)
    if hasattr(fitted.network.body, "shrink"):
        watch.said("a large picture: its feature maps are average-pooled (layer `shrink`) before the first fully connected layer")
    judged = judge_by_holding_out(
        learner, fitted.network, photos, parts, chosen, strangers=choosing, false_accept=strangers.false_accept, watch=watch
    )
    embeddings, centre = known_examples(fitted.network, photos, chosen)
    known = Known(embeddings, photos.labels[chosen], centre, K)
    return Trained(fitted.network, fitted.recipe, fitted.seconds, photos, parts, spec, known, chosen, judged, proving)


def _report(watch: Watcher, moment: Moment) -> None:
    watch.learned(moment.step, moment.steps, moment.loss, moment.held_out)


def _stopped(stop: BaseException, kept: Kept) -> TrainingStopped:
    """Say how to go on after a stop, wherever it came: in the loop, while holding out, or while exporting."""
    told = stop if isinstance(stop, TrainingStopped) else TrainingStopped("training was stopped", "start again with the same command")
    if kept.path.exists() and "--resume" not in told.hint:
        told.hint = f"the network itself is trained and kept: the same command with --resume (it reads {kept.path})"
    return told


def _probe(output: Path) -> None:
    """Find out before training, not after, whether the model file can be written."""
    if output.is_dir():
        raise OutputError(f"{output} is a folder; a model is one file", f"name the file: -o {output / 'model.onnx'}")
    if output.suffix == ".checkpoint":
        raise OutputError(f"{output} is where the checkpoint would go", f"give the model file another name: -o {output.with_suffix('.onnx')}")
    probe = output.with_name(f".{output.name}.probe")
    try:
        write_atomic(probe, b"").unlink()
    except OutputError as error:
        raise OutputError(error.what.replace(str(probe), str(output)), error.hint) from error


def _about(photos: PhotoSet, recipe: Recipe) -> str:
    """Name a training by its data and recipe, so that a checkpoint cannot be taken for another's."""
    text = "".join(sorted(photos.digests)) + repr(replace(recipe, steps=0))
    return sha256(text.encode()).hexdigest()


def _card(trained: Trained, graph: onnx.ModelProto, strangers: Strangers) -> Card:
    """Fill the card, all but what the exported graph has yet to show (parity, evidence, scores)."""
    photos, chosen = trained.photos, trained.chosen
    names = photos.names
    shapes = {out.name: tuple(d.dim_value for d in out.type.tensor_type.shape.dim[1:]) for out in graph.graph.output}
    return Card(
        kind="photo",
        labels=names,
        input=trained.spec,
        outputs={name: ("N", *shape) for name, shape in shapes.items()}
        | {"logits": ("N", len(names)), "familiarity": ("N", len(names)), "similarity": ("N", len(chosen))},
        layers=layers(graph),
        unknown=Unknown(
            k=K,
            threshold=trained.judged.line.threshold,
            false_accept=strangers.false_accept,
            how=trained.judged.line.how,
            known_labels=tuple(int(v) for v in photos.labels[chosen]),
            known_digests=tuple(photos.digests[i] for i in chosen),
            known_ids=tuple(photos.ids[i] for i in chosen),
        ),
        temperature=trained.judged.temperature,
        training=_training(trained),
        parity=Parity(max_difference=0.0, changed_decisions=0, n=0),  # replaced by what the graph shows
        software={
            "peephole": version("peephole"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__,
        },
    )


def _training(trained: Trained) -> Training:
    photos, used = trained.photos, trained.parts.train
    # What chose the weights, the temperature or the threshold can prove nothing later either.
    touched = np.setdiff1d(np.arange(len(photos)), np.concatenate([trained.parts.prove, trained.proving]))
    return Training(
        examples={name: int((photos.labels[used] == i).sum()) for i, name in enumerate(photos.names)},
        strangers={name: int((photos.strangers == i).sum()) for i, name in enumerate(photos.stranger_names)},
        sources=len(np.unique(photos.sources[used])),
        digests=tuple(sorted(photos.digests[i] for i in touched)),
        duplicates_dropped=photos.duplicates_dropped,
        refused=len(photos.refused),
        recipe=trained.recipe.as_dict(),
        sentence=trained.recipe.sentence(),
        seed=trained.recipe.seed,
    )
