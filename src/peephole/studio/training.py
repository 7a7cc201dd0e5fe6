"""What a person asks for on the Train tab, checked, and as the words of the command that does it."""

import math
import re
import sys
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path

from peephole.base.errors import InputError, MissingInput, SettingsError, did_you_mean

__all__ = ["NETWORKS", "TrainJob", "command", "photos_in"]

NETWORKS = ("auto", "plain", "vgg", "inception", "resnet", "strokes", "lite0", "lite2")
NAME = re.compile(r"[\w][\w .+-]{0,99}\.onnx", re.UNICODE)
EFFECT = re.compile(r"[a-z_]{1,30}")
# Option, whether it is whole, least, most: numbers whose finer rules the training itself knows.
RANGES = (
    ("seconds", False, 0.5, 86_400.0),
    ("learning_rate", False, 1e-9, 10.0),
    ("keep_prob", False, 1e-3, 1.0),
    ("weight_decay", False, 0.0, 1.0),
    ("label_smoothing", False, 0.0, 0.999),
    ("hidden", True, 1, 8192),
    ("batch", True, 1, 4096),
    ("steps", True, 1, 10_000_000),
    ("threads", True, 0, 1024),
    ("seed", True, -(2**31), 2**31 - 1),
)


@dataclass(frozen=True)
class TrainJob:
    """A training: photos in the folder `data` (inside the working folder), a model file `output` (NAME.onnx) there, and what was chosen.

    None leaves a choice to the recipe. `seconds` 0.5..86400 is the one dial; `vary` are strengths of augmentations by name; `resume` goes on
    from a checkpoint; `replace` allows a model file of the same name to be written over. Raises SettingsError for what cannot be.
    """

    data: str
    output: str
    seconds: float = 30.0
    network: str = "auto"
    filters: tuple[int, ...] | None = None
    hidden: int | None = None
    keep_prob: float | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    batch: int | None = None
    steps: int | None = None
    vary: tuple[tuple[str, float], ...] = ()
    seed: int = 7
    threads: int = 0
    resume: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        """Look at every field: it may have come from anywhere."""
        _check_names(self)
        for name, whole, least, most in RANGES:
            value = getattr(self, name)
            if value is None and type(self).__dataclass_fields__[name].default is None:
                continue
            number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
            if not number or not least <= value <= most:  # a NaN is in no range
                kind = "a whole number" if whole else "a number"
                raise SettingsError(f"{name} is {kind} between {least:g} and {most:g}, not {value!r:.40}", "leave it out, and the recipe chooses")
        for name in ("resume", "replace"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} is true or false, not {getattr(self, name)!r:.40}", "leave it out")
        _check_lists(self)

    @classmethod
    def of(cls, given: object) -> "TrainJob":
        """Read one from what a JSON object holds; raises SettingsError."""
        known = [each.name for each in fields(cls)]
        if not isinstance(given, dict):
            raise SettingsError("a training is an object with data and output", '{"data": "photos", "output": "door.onnx"}')
        for name in given:
            if name not in known:
                raise SettingsError(f"a training has no '{name!s:.40}'{did_you_mean(str(name), known)}", f"it has {', '.join(known)}")
        for name in ("data", "output"):
            if name not in given:
                raise SettingsError(f"a training needs {name}", '{"data": "photos", "output": "door.onnx"}')
        values = {str(name): value for name, value in given.items()}
        if isinstance(values.get("filters"), list):
            values["filters"] = tuple(values["filters"])
        vary = values.get("vary", {})
        if isinstance(vary, dict | list):
            pairs = vary.items() if isinstance(vary, dict) else vary
            values["vary"] = tuple(tuple(pair) if isinstance(pair, list | tuple) else pair for pair in pairs)
        return cls(**values)


def _check_names(job: TrainJob) -> None:
    if not isinstance(job.data, str) or not job.data or len(job.data) > 4096 or "\0" in job.data:
        raise SettingsError("data is the name of a folder of photos", '"data": "photos"')
    if not isinstance(job.output, str) or not NAME.fullmatch(job.output):
        raise SettingsError(
            f"the model's name is plain and ends in .onnx, not {job.output!r:.60}", "letters, digits, spaces, - and _ only, as in door.onnx"
        )
    if job.network not in NETWORKS:
        near = did_you_mean(job.network, NETWORKS) if isinstance(job.network, str) else ""
        raise SettingsError(f"there is no network {job.network!r:.40}{near}", f"one of {', '.join(NETWORKS)}")


def _check_lists(job: TrainJob) -> None:
    filters, vary = job.filters, job.vary
    if filters is not None and not (
        isinstance(filters, tuple) and 1 <= len(filters) <= 8 and all(type(count) is int and 1 <= count <= 1024 for count in filters)
    ):
        raise SettingsError("filters are 1 to 8 whole numbers between 1 and 1024, one for each stage", "[32, 64, 128]")
    able = isinstance(vary, tuple) and len(vary) <= 64 and all(isinstance(pair, tuple) and len(pair) == 2 for pair in vary)
    if not able or not all(isinstance(name, str) and EFFECT.fullmatch(name) for name, _ in vary):
        raise SettingsError("vary is strengths by name", '{"rotate": 10, "noise": 5}')
    for name, strength in vary:
        if isinstance(strength, bool) or not isinstance(strength, Real) or not math.isfinite(strength) or abs(strength) > 1000:
            raise SettingsError(f"the strength of {name} is a number, not {strength!r:.40}", f'{{"{name}": 1}}')


def photos_in(folder: Path, data: str) -> Path:
    """Return the folder `data` inside the working `folder`; raises MissingInput where it is not there, InputError where it lies outside."""
    root = folder.resolve()
    try:
        found = (root / data).resolve()
        inside, there = found.is_relative_to(root), found.is_dir()
        inside = inside and not any(part.startswith(".") for part in found.relative_to(root).parts)  # the studio's own state is hidden
    except (OSError, ValueError, RuntimeError):  # a name too long, or a circle of links
        inside, there = True, False
    if not inside:
        raise InputError(f"the folder {data!r:.60} is outside the studio's working folder", f"move the photos into {root}")
    if not there:
        raise MissingInput(f"there is no folder {data!r:.60} in the studio's working folder", f"put a folder of photos into {root}")
    return found


def command(job: TrainJob, folder: Path, events: Path) -> list[str]:
    """Return the words of the command, no shell between; the working folder is not a place that Python would import from (-P)."""
    words = [sys.executable, "-P", "-m", "peephole", "train", str(photos_in(folder, job.data)), "--output", str(folder.resolve() / job.output)]
    words += ["--events", str(events), "--seconds", f"{job.seconds:g}", "--network", job.network, "--seed", str(job.seed)]
    if job.filters:
        words += ["--filters", ",".join(map(str, job.filters))]
    for name in ("hidden", "keep_prob", "learning_rate", "weight_decay", "label_smoothing", "batch", "steps"):
        if (value := getattr(job, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for name, strength in job.vary:
        words += ["--vary", f"{name}={strength:g}"]
    return [*words, "--threads", str(job.threads), *["--resume"] * job.resume]
