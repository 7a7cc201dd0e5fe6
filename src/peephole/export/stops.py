"""What is kept of a training beside its model file, and what is said when it stops or goes on."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from peephole.base.card import Region
from peephole.base.errors import InputError, OutputError, TrainingStopped
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet
from peephole.train.checkpoint import Kept, find
from peephole.train.recipe import Options, Recipe

__all__ = ["kept_beside", "say_lost", "say_resumed", "stopped"]


def kept_beside(output: Path, photos: PhotoSet, recipe: Recipe, region: Region, *, resume: bool, failed: Callable[[OutputError], None]) -> Kept:
    """Name a training by its data and recipe, so that a checkpoint cannot be taken for another's."""
    digests = sha256("".join(sorted(photos.digests)).encode()).hexdigest()
    facts = {
        "the set of photos": f"{len(photos)} with digest {digests[:8]}",
        "the region": f"{region.how}, digest {sha256(region.model_dump_json().encode()).hexdigest()[:8]}",
    } | _facts(recipe)
    about = sha256((digests + repr(facts)).encode()).hexdigest()
    return Kept(output.with_suffix(".checkpoint"), about, resume, facts, failed)


def _facts(recipe: Recipe) -> dict[str, str]:
    """Return what decides the weights by name, one number each, without the numbers of a network that is not trained."""
    found = replace(recipe, steps=0, seconds=0).as_dict()
    plain, deep, augment = (found.pop(name) for name in ("plain", "deep", "augment"))
    parts = {recipe.network: deep or (plain if recipe.network == "plain" else {}), "the augmentation": augment}
    inner = {f"{name} of {part}": value for part, numbers in parts.items() for name, value in numbers.items()}
    return {name.replace("_", " "): _words(value) for name, value in (found | inner).items()}


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def say_resumed(kept: Kept, recipe: Recipe, options: Options, watch: Watcher) -> None:
    """Say what a checkpoint beside the model file means for this training; raises InputError where it was made for other steps."""
    found = find(kept)
    if found is None or recipe.fit == "frozen":
        return
    if not kept.resume:
        watch.said(f"{kept.path} stands at step {found.step} of {found.steps} of this training; it starts anew (--resume would go on from there)")
        return
    if options.steps and options.steps != found.steps:
        raise InputError(
            f"the checkpoint {kept.path} stands at step {found.step} of {found.steps}, and --steps says {options.steps}: "
            "the learning rate falls towards the last step, so a training cannot change its length",
            f"go on with --steps {found.steps} --resume, or leave --resume out to start anew",
        )
    fixed = "" if options.steps else "; its steps were fixed when it began, so --seconds changes nothing"
    watch.said(f"resuming from step {found.step} of {found.steps} ({kept.path}){fixed}")


def say_lost(lost: list[OutputError], watch: Watcher, error: OutputError) -> None:
    """Go on without a checkpoint: a full disk must not take the training with it, the model file is smaller and may still fit."""
    if not lost:
        watch.said(f"{error.what}; the training goes on, and a stop would lose it")
    lost.append(error)


def stopped(stop: BaseException, kept: Kept, recipe: Recipe, lost: list[OutputError]) -> TrainingStopped:
    """Say how to go on after a stop, wherever it came: in the loop, while holding out, or while exporting."""
    told = stop if isinstance(stop, TrainingStopped) else TrainingStopped("training was stopped", "start again with the same command")
    found = find(kept)
    if lost:
        told = TrainingStopped(f"training was stopped, and its state could not be kept: {lost[-1].what}", "make room, then the same command again")
    # Another training's checkpoint may lie there: only what this one could go on from is promised.
    if found and recipe.fit != "frozen" and "--resume" not in told.hint:
        done = "the network itself is trained and kept" if found.step == found.steps else f"step {found.step} of {found.steps} is kept"
        told.hint = f"{done}: the same command with --resume (it reads {kept.path})"
    return told
