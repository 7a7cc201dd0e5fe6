"""From a folder of photos to a model file: the one path that `peephole train` and `peephole.train` walk.

Every stage hands a record to the next: listing -> facts -> recipe -> photos -> split -> network -> line -> graph -> proof -> card -> file.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import torch

from peephole.base.card import Card, Input, Parity, Region, Resize, Training, Unknown
from peephole.base.errors import OutputError, SettingsError, TrainingStopped
from peephole.base.files import write_atomic
from peephole.base.modelfile import ModelFile
from peephole.base.modelwrite import write
from peephole.base.records import Unit
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, Split, load, split, stranger_split
from peephole.data.decode import read_bytes
from peephole.data.photos import Listing, require_trainable, scan
from peephole.data.pixels import Room
from peephole.data.region import REASONS
from peephole.data.settle import advice, border_of, choose, learned, nothing_found, require_found
from peephole.data.shared import shared
from peephole.data.unfit import unfit
from peephole.decide.familiarity import K, choose_known
from peephole.export.layers import layers
from peephole.export.meet import Gathered, met
from peephole.export.onnx import Known, to_onnx
from peephole.export.proof import Trained, prove
from peephole.export.receipts import receipts_of, require_alone
from peephole.export.stops import kept_beside, say_lost, say_resumed, stopped
from peephole.export.wallpaper import tested
from peephole.train import distributed
from peephole.train.checkpoint import Kept
from peephole.train.doubt import told
from peephole.train.enough import settled
from peephole.train.facts import survey
from peephole.train.insight import Insight
from peephole.train.judged import judge_by_holding_out, known_examples, parts_held_out
from peephole.train.learner import learner_for
from peephole.train.loop import LEAST_STEPS, Moment
from peephole.train.recipe import Facts, Options, Recipe, derive, instead, unused
from peephole.train.scenery import exchanging, sought

__all__ = ["Built", "Strangers", "build", "gather", "proven"]

# How many known examples become constants of the graph.
KNOWN_PER_LABEL, KNOWN_MOST = 50, 3000
# Endings that are taken for a slip of the pen rather than for a part of the name.
NO_MODELS = (".checkpoint", ".txt", ".pt", ".pth", ".h5", ".keras", ".pb", ".tflite", ".onn", ".model", ".bin", ".zip", ".html")
# The network's share of the time: with few examples, holding them and their labels out in turn takes the rest.
FINAL_SHARE = {"estimate": 0.25, "proof": 0.85}
# Frozen features are computed once, and holding out costs next to nothing.
FROZEN_SHARE = 0.85


@dataclass(frozen=True)
class Strangers:
    """How strangers are counted.

    `false_accept` (0..1) is the share of their photos that the threshold is chosen for; `unit` is what a sub-folder of unknown/ is, a
    "stranger" or a "kind"; with `each_file` every loose file there is a stranger of its own.
    """

    false_accept: float = 0.01
    unit: Unit = "stranger"
    each_file: bool = False

    def __post_init__(self) -> None:
        """Raise SettingsError for a share that is none, or a unit that is not counted in."""
        if not 0 < self.false_accept < 1:
            raise SettingsError(f"false-accept is between 0 and 1, not {self.false_accept:g}", "--false-accept 0.01")
        if self.unit not in ("stranger", "kind"):
            raise SettingsError(f"stranger-unit is stranger or kind, not '{self.unit}'", "--stranger-unit stranger")


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
    region: Region | Literal["auto"] | None = None,
    resume: bool = False,
    memory: float | None = None,
    ablate: bool = False,
    watch: Watcher | None = None,
) -> Built:
    """Train on a folder of photos and write one model file.

    A `region` that lacks what it needs (the scene of `motion`, the cascade of `face`) learns it from the photos; "auto" chooses one. Decoded
    photos that take more than `memory` gigabytes (None: half of what is free) lie in a file beside the model file while it trains.
    With `ablate` the recipe is compared with others once the file is written, and its card gets `receipts`; the network stays as it is.
    Under torchrun all processes train together; only process 0 writes and returns, the others end with it.
    Raises InputError for photos that cannot be learned from, OutputError for a place that cannot be written, ParityError when the file would
    answer differently from the network, TrainingStopped on Ctrl-C (go on with `resume`).
    """
    options, strangers, output = options or Options(), strangers or Strangers(), Path(output)
    if memory is not None and not 0 <= memory <= 1e6:
        raise SettingsError(f"memory is between 0 and 1000000 gigabytes, not {memory:g}", "--memory 4")
    with distributed.together():
        if ablate:
            require_alone()
        watch = watch if watch and distributed.leads() else Watcher()
        if distributed.leads():
            _probe(output, watch)
        most = None if memory is None else round(memory * 1e9)
        room = Room(output.parent if distributed.leads() else Path(gettempdir()), most, said=watch.said)
        gathered = met(lambda where: gather(Path(root), options, strangers, skip, region or Region(), room=where, watch=watch), room)
        return _build(Path(root), output, options, strangers, gathered, resume=resume, ablate=ablate, watch=watch)


def _build(
    root: Path, output: Path, options: Options, strangers: Strangers, gathered: Gathered, *, resume: bool, ablate: bool, watch: Watcher
) -> Built:
    """Train on what was gathered, and write the model file."""
    listing, photos, recipe, spec = gathered
    copies = _copies(listing, photos)
    parts = split(photos, recipe.seed)
    for note in parts.notes:
        watch.said(note)
    recipe = settled(recipe, options, photos, parts, partial(survey, listing, options.seed), watch=watch)
    recipe = exchanging(recipe, options, spec.region, border_of(photos), photos.images[parts.train[:100]])
    recipe = replace(recipe, seconds=recipe.seconds * (FROZEN_SHARE if recipe.fit == "frozen" else FINAL_SHARE[parts.role]))
    watch.said(recipe.sentence())
    _say_unused(recipe, options, resume, watch)
    lost = list[OutputError]()
    kept = kept_beside(output, photos, recipe, spec.region, resume=resume, failed=partial(say_lost, lost, watch))
    if distributed.leads():
        say_resumed(kept, recipe, options, watch)
    try:
        trained = _train(gathered._replace(recipe=recipe), parts, strangers, kept=kept, watch=watch)
        held = trained.judged.held
        in_doubt = told([photos.ids[i] for i in held.indices], held.logits, held.labels, trained.judged.temperature, str(root))
        if in_doubt:
            watch.said(in_doubt)
        watch.stage("exporting, and comparing the file with the network")
        graph, card = proven(trained, strangers, copies)
        model = write(output, graph, card)
        if found := tested(model, listing, photos, parts, watch):
            model = write(output, graph, card := card.model_copy(update={"wallpaper": found}))
    except (KeyboardInterrupt, TrainingStopped) as stop:
        raise stopped(stop, kept, recipe, lost) from None
    kept.path.unlink(missing_ok=True)
    if ablate and (compared := receipts_of(trained.learner, photos, parts, options=options, path=output, watch=watch)):
        model = write(output, graph, card.model_copy(update={"receipts": compared}))
    return Built(output, model, trained.recipe, trained.seconds, (*photos.notes, *parts.notes, *([in_doubt] if in_doubt else [])))


def proven(trained: Trained, strangers: Strangers, copies: Mapping[str, tuple[str, ...]]) -> tuple[onnx.ModelProto, Card]:
    """Return the graph of what was trained and its card, with what the graph itself shows; `copies` are digests of copies by a photo's id."""
    graph = to_onnx(trained.network, trained.known, trained.spec.shape[1:])
    return graph, prove(_card(trained, graph, strangers, copies), trained, graph, strangers.unit)


def _say_unused(recipe: Recipe, options: Options, resume: bool, watch: Watcher) -> None:
    """Tell the user which options change nothing for the network that the recipe chose."""
    if idle := unused(recipe, options):
        watch.said(idle)
    if recipe.fit == "frozen" and (options.steps or resume):
        watch.said("frozen features take no steps and leave no checkpoint: --steps and --resume change nothing (--fit finetune takes steps)")


def gather(
    root: Path,
    options: Options,
    strangers: Strangers,
    skip: tuple[str, ...],
    region: Region | Literal["auto"],
    *,
    room: Room | None = None,
    watch: Watcher,
) -> Gathered:
    """Read the folder, settle the region, derive the recipe, decode the photos into the `room`."""
    watch.stage("looking at the photos")
    listing = scan(root, skip=skip, each_file_a_stranger=strangers.each_file)
    require_trainable(listing)
    if isinstance(region, Region):
        region = learned(region, listing)
    else:
        region, why = choose(listing)
        watch.said(why)
    facts = _of_region(survey(listing, options.seed), region)
    recipe = derive(facts, options)
    if changed := instead(facts, options):
        watch.said(changed)
    if (facts.height, facts.width) != (recipe.height, recipe.width):
        what = "photos" if region.how == "whole" else "regions"
        watch.said(f"{what} of about {facts.height}x{facts.width} pixels become {recipe.height}x{recipe.width}, here and at the door")
    spec = Input(
        shape=("N", recipe.height, recipe.width, recipe.channels),
        region=region,
        # What moved may be of any shape: nothing of it is cut off.
        resize=Resize(to=(recipe.height, recipe.width), fit="contain" if region.how == "motion" else "cover"),
        colour="rgb" if recipe.channels == 3 else "grey",
    )
    watch.stage(f"reading {len(listing.photos)} photos")
    photos = load(listing, spec, progress=watch.progress, room=room)
    for text in photos.notes:
        watch.said(text)
    refused = [refusal for refusal in photos.refused if not refusal.reason.startswith(REASONS)]
    if refused:
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        watch.said(f"refused: {refused[0].id} {refused[0].reason}{more} (all of them: peephole check {root})")
    for what, hint in (*shared(photos), *unfit(listing, photos)):
        watch.said(f"{what}: {hint}")
    require_found(photos, listing, region)
    for text in (nothing_found(photos, listing, region), advice(border_of(photos), region, listing)):
        if text:
            watch.said(text)
    return Gathered(listing, photos, recipe, spec)


def _of_region(facts: Facts, region: Region) -> Facts:
    """Return the facts with the size in pixels of what is judged: a face is taken to be a square of half the photo's shorter side."""
    if region.box:
        return replace(facts, width=max(1, round(facts.width * region.box[2])), height=max(1, round(facts.height * region.box[3])))
    if region.how == "face":
        side = max(1, min(facts.width, facts.height) // 2)
        return replace(facts, width=side, height=side)
    return facts


def _copies(listing: Listing, photos: PhotoSet) -> dict[str, tuple[str, ...]]:
    """Return the digests of the files that were dropped as exact duplicates, by the id of the photo that stands for them.

    Their pixels are equal, their bytes need not be: without them a copy would pass for a new photo later.
    """
    paths, found = {photo.id: photo.path for photo in listing.photos}, dict[str, tuple[str, ...]]()
    for dropped, stays in photos.duplicates:
        found[stays] = (*found.get(stays, ()), sha256(read_bytes(paths[dropped])).hexdigest())
    return found


def _train(gathered: Gathered, parts: Split, strangers: Strangers, *, kept: Kept, watch: Watcher) -> Trained:
    """Train the network, then judge it by what was held out."""
    listing, photos, recipe, spec = gathered
    choosing, proving = stranger_split(photos, recipe.seed)
    chosen = parts.train[choose_known(photos.labels[parts.train], photos.sources[parts.train], KNOWN_PER_LABEL, KNOWN_MOST, recipe.seed)]
    scenery = sought(listing, photos, parts.train, spec, free=choosing, watch=watch) if recipe.augment.background else None
    watch.stage("training")
    learner = learner_for(photos, recipe, parts.train, watch, scenery)
    if recipe.fit == "frozen":
        distributed.dismiss()  # the features are there: the last layer takes one process
    if not kept.resume and (pace := learner.plan(parts.train)):
        _say_least(pace, recipe.seconds / FINAL_SHARE[parts.role], parts_held_out(parts, len(photos.names), len(choosing), hurried=True), watch)
    insight = Insight(photos.names, watch.inside) if watch.curious else None
    fitted = learner.finish(parts.train, parts.choose, partial(_report, watch), kept, insight)
    # Told by the steps, not by the clock: a resumed training must come to the same.
    hurried = not recipe.steps and recipe.fit != "frozen" and fitted.recipe.steps <= LEAST_STEPS
    if hasattr(fitted.network.body, "shrink"):
        watch.said("a large picture: its feature maps are average-pooled (layer `shrink`) before the first fully connected layer")
    judged = judge_by_holding_out(
        learner, fitted.network, photos, parts, chosen, strangers=choosing, false_accept=strangers.false_accept, watch=watch, hurried=hurried
    )
    distributed.dismiss()
    embeddings, centre = known_examples(fitted.network, photos, chosen)
    known = Known(embeddings, photos.labels[chosen], centre, K)
    return Trained(fitted.network, fitted.recipe, fitted.seconds, photos, parts, spec, known, chosen, judged, proving, learner)


def _report(watch: Watcher, moment: Moment) -> None:
    watch.learned(moment.step, moment.steps, moment.loss, moment.held_out, moment.learning_rate)


def _say_least(pace: float, asked: float, parts: int, watch: Watcher) -> None:
    """Say before a training that is short what the least is, and why; `pace` are seconds a step, `asked` seconds."""
    least = pace * (LEAST_STEPS + LEAST_STEPS // 2 * parts)
    held = f" and {LEAST_STEPS // 2} for each of {parts} parts that are held out in turn" if parts else ""
    watch.said(
        f"--seconds {asked:g} is {'below the least, ' if least > asked else 'short: the least is '}about {least:.{int(least < 10)}f} s here: "
        f"{LEAST_STEPS} steps of {1000 * pace:.0f} ms to train{held}; fewer teach nothing, and the results of so few are rough"
    )


def _probe(output: Path, watch: Watcher) -> None:
    """Find out before training, not after, whether the model file can be written."""
    if output.is_dir():
        raise OutputError(f"{output} is a folder; a model is one file", f"name the file: -o {output / 'model.onnx'}")
    if output.suffix != ".onnx":
        named = output.with_suffix(".onnx") if output.suffix.lower() in (*NO_MODELS, ".onnx") else output.with_name(f"{output.name}.onnx")
        raise OutputError(f"{output} is no name for a model file, which ends in .onnx", f"-o {named}")
    new = not output.parent.exists()
    probe = output.with_name(f".{output.name}.probe")
    try:
        write_atomic(probe, b"").unlink()
    except OutputError as error:
        raise OutputError(error.what.replace(str(probe), str(output)), f"{error.hint}: -o FILE.onnx") from error
    if new:
        watch.said(f"the folder {output.parent} was made for {output.name}")


def _card(trained: Trained, graph: onnx.ModelProto, strangers: Strangers, copies: Mapping[str, tuple[str, ...]]) -> Card:
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
        training=_training(trained, copies),
        parity=Parity(max_difference=0.0, changed_decisions=0, n=0),  # replaced by what the graph shows
        software={
            "peephole": version("peephole"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__,
        },
    )


def _training(trained: Trained, copies: Mapping[str, tuple[str, ...]]) -> Training:
    photos, used = trained.photos, trained.parts.train
    # What chose the weights, the temperature or the threshold can prove nothing later either.
    touched = np.setdiff1d(np.arange(len(photos)), np.concatenate([trained.parts.prove, trained.proving]))
    return Training(
        examples={name: int((photos.labels[used] == i).sum()) for i, name in enumerate(photos.names)},
        strangers={name: int((photos.strangers == i).sum()) for i, name in enumerate(photos.stranger_names)},
        sources=len(np.unique(photos.sources[used])),
        digests=tuple(sorted({digest for i in touched for digest in (photos.digests[i], *copies.get(photos.ids[i], ()))})),
        duplicates_dropped=photos.duplicates_dropped,
        refused=len(photos.refused),
        recipe=trained.recipe.as_dict(),
        sentence=trained.recipe.sentence(),
        seed=trained.recipe.seed,
    )
