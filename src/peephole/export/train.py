"""`peephole.train`: a folder of photos in, something that predicts out."""

from pathlib import Path
from typing import Any, Literal

from peephole.base.card import Region
from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.files import output_for
from peephole.base.records import Unit
from peephole.base.watch import Watcher
from peephole.decide.predictor import Predictor
from peephole.export.build import Strangers, build
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep
from peephole.train.augment import Augment
from peephole.train.recipe import Options

__all__ = ["train"]


def _options(given: dict[str, Any]) -> Options:
    """Sort what was given by name into the recipe's options, the networks' numbers and the augmentation's strengths."""
    kinds = (Options, Plain, Deep, Augment)
    own, plain, deep, vary = ({name: value for name, value in given.items() if name in kind.__dataclass_fields__} for kind in kinds)
    known = [name for kind in kinds for name in kind.__dataclass_fields__]
    for name in given:
        if name not in known:
            raise SettingsError(f"there is no option '{name}'{did_you_mean(name, known)}", f"the options are {', '.join(known)}")
    if plain:
        own["plain"] = Plain(**plain)
    if deep:
        own["deep"] = Deep(**deep)
    if vary:
        own["vary"] = vary
    return Options(**own)


def train(
    photos: str | Path,
    output: str | Path | None = None,
    *,
    seconds: float = 30.0,
    false_accept: float = 0.01,
    stranger_unit: Unit = "stranger",
    each_file_a_stranger: bool = False,
    strangers: Strangers | None = None,
    skip: tuple[str, ...] = (),
    region: Region | Literal["auto"] | None = None,
    resume: bool = False,
    memory: float | None = None,
    ablate: bool = False,
    watch: Watcher | None = None,
    **options: Any,
) -> Predictor:
    """Train on a folder of photos (one sub-folder per label, `unknown/` for strangers), write a model file, and return it ready to predict.

    `seconds` is the one dial. `options` are those of the command line by name: network, seed, size, steps, filters, keep_prob, noise, ... The
    file is named after the folder unless `output` says otherwise. `false_accept` (0..1) is what the threshold is chosen for; `stranger_unit`
    ("stranger" or "kind") is what a sub-folder of unknown/ is; `strangers` holds these three in one record.
    `region` is what part of each photo is judged: Region(how="face"), or "auto" to choose by the photos.
    Decoded photos beyond `memory` gigabytes (None: half of what is free) lie in a file beside the model file while it trains. Under torchrun only
    process 0 returns; the others end with it.
    With `ablate` the file's card.receipts say which augmentations helped on these photos: up to ten times as long again.
    Raises InputError with a hint for photos or options that cannot be used.
    """
    root = Path(photos)
    built = build(
        root,
        output or output_for(root),
        _options({"seconds": seconds, **options}),
        strangers=strangers or Strangers(false_accept, stranger_unit, each_file_a_stranger),
        skip=tuple(skip),
        region=region,
        resume=resume,
        memory=memory,
        ablate=ablate,
        watch=watch,
    )
    return Predictor(built.model)
