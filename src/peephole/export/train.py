"""`peephole.train`: a folder of photos in, something that predicts out."""

from pathlib import Path
from typing import Any

from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.watch import Watcher
from peephole.decide.predictor import Predictor
from peephole.export.build import build
from peephole.train.recipe import Options

__all__ = ["output_for", "train"]


def output_for(root: Path) -> Path:
    """Return the model file's default place: named after the folder, in the current one."""
    return Path(f"{root.resolve().name or 'model'}.onnx")


def train(photos: str | Path, output: str | Path | None = None, *, seconds: float = 30.0, watch: Watcher | None = None, **options: Any) -> Predictor:
    """Train on a folder of photos (one sub-folder per label, `unknown/` for strangers), write a model file, and return it ready to predict.

    `seconds` is the one dial; `options` are those of `train.recipe.Options` (network, seed, size, steps, ...). The file is named after the
    folder unless `output` says otherwise. Raises InputError with a hint for photos or options that cannot be used.
    """
    known = Options.__dataclass_fields__
    for name in options:
        if name not in known:
            raise SettingsError(f"there is no option '{name}'{did_you_mean(name, known)}", f"the options are {', '.join(known)}")
    root = Path(photos)
    built = build(root, output or output_for(root), Options(seconds=seconds, **options), watch=watch)
    return Predictor(built.model)
