"""How strongly to vary the examples: one record of physical quantities, with a dial from 0 to 1 for each and a sentence for all.

Knows nothing of pixels; what each quantity does to them stands in the file that is named beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from peephole.base.errors import SettingsError, did_you_mean

__all__ = ["EFFECTS", "Augment", "Effect"]


@dataclass(frozen=True)
class Effect:
    """One effect: the most that is accepted, what a strength of 1 means, how many of it are one in words, and the words."""

    most: float
    full: float
    scale: float
    words: str


# In the order in which a camera meets them. {:.0f} stands for the strength times `scale`.
EFFECTS: dict[str, Effect] = {
    "background": Effect(1, 1, 100, "another background behind {:.0f} %"),
    "thickness": Effect(0.1, 0.04, 100, "strokes thicker or thinner by up to {:.1f} %"),
    "shift": Effect(0.5, 0.2, 100, "shift up to {:.0f} %"),
    "scale": Effect(0.5, 0.4, 100, "scale up to {:.0f} %"),
    "stretch": Effect(1, 0.3, 100, "stretched to one side by up to {:.0f} %"),
    "rotate": Effect(180, 30, 1, "rotation up to {:.0f} degrees"),
    "shear": Effect(45, 20, 1, "shear up to {:.0f} degrees"),
    "perspective": Effect(0.5, 0.4, 100, "perspective up to {:.0f} %"),
    "elastic": Effect(0.2, 0.1, 100, "elastic bending up to {:.1f} %"),
    "colour": Effect(1, 0.6, 100, "colour up to {:.0f} %"),
    "brightness": Effect(128, 80, 1, "brightness up to {:.0f}/255"),
    "contrast": Effect(1, 0.7, 100, "contrast up to {:.0f} %"),
    "gamma": Effect(2, 1.2, 100, "gamma up to {:.0f} %"),
    "temperature": Effect(200, 150, 1, "colour temperature up to {:.0f} mired"),
    "channels": Effect(0.5, 0.3, 100, "channel gains up to {:.0f} %"),
    "shadow": Effect(1, 0.8, 100, "a shadow of up to {:.0f} %"),
    "exposure": Effect(3, 1.5, 1, "over-exposure up to {:.1f} stops"),
    "patch": Effect(0.5, 0.25, 100, "a patch over up to {:.0f} %"),
    "smear": Effect(1, 0.9, 100, "a smear of up to {:.0f} %"),
    "rain": Effect(30, 8, 1, "rain drops up to {:.1f}"),
    "scratch": Effect(20, 5, 1, "scratches up to {:.1f}"),
    "dust": Effect(60, 20, 1, "dust specks up to {:.1f}"),
    "defocus": Effect(0.05, 0.03, 100, "defocus up to {:.1f} %"),
    "motion": Effect(0.2, 0.08, 100, "motion blur up to {:.1f} %"),
    "shot": Effect(64, 20, 1, "shot noise of {:.0f}/255"),
    "noise": Effect(64, 20, 1, "noise of {:.0f}/255"),
    "salt": Effect(0.5, 0.06, 100, "salt and pepper up to {:.1f} %"),
    "jpeg": Effect(95, 85, 1, "JPEG down to quality {:.0f}"),
}
FLIP = "left-right flips"
OPTIONS = ("shift", "scale", "rotate", "colour", "noise")  # have options of their own; the others are --vary NAME=AMOUNT


@dataclass(frozen=True)
class Augment:
    """How strongly to vary the examples; 0 leaves an effect out. Every image takes its own amount, even in 0..most or -most..most.

    The side is the longer one unless said. Background (backdrop.py, scenery.py) - background: the share of the images whose subject is laid
    before another background, 0..1. Drawings (strokes.py) - thickness: how much thicker or thinner a stroke gets, as a fraction of
    the side, 0..0.1.

    Geometry (warp.py; one resampling) - shift: largest move as a fraction of each side, 0..0.5; scale: largest relative change of size,
    0..0.5; stretch: largest relative change of width over height, the area kept, 0..1; rotate: largest turn in degrees, 0..180; shear:
    largest slant in degrees, 0..45; perspective: largest relative difference in size of opposite edges, 0..0.5; elastic: largest local move
    as a fraction of each side, 0..0.2; flip: mirror left and right at random (only where a mirrored picture keeps its label: never for
    letters or text).

    Light (light.py) - colour: largest relative change of brightness, contrast and each channel's gain, 0..1, the last three in one;
    brightness: largest addition in 0..255 units, 0..128; contrast: largest relative change about the image's mean, 0..1; gamma: the
    exponent is between 1 / (1 + gamma) and 1 + gamma, 0..2; temperature: largest change of colour temperature in mired (1e6 / kelvin),
    0..200; channels: largest relative change of a channel's gain, 0..0.5; shadow: largest share of the light that a shadow with a straight,
    soft edge takes, 0..1; exposure: largest over-exposure in stops, 0..3.

    Lens and surface (lens.py) - patch: largest share of the image that a flat rectangle hides, 0..0.5; smear: largest share of the detail
    that a greasy band takes, 0..1; rain: most drops on the lens, 0..30, each magnifies; scratch: most scratches, 0..20; dust: most specks,
    0..60. Below 1 there is one, so much fainter.

    Optics (blur.py) - defocus: largest radius of the disc that a point becomes, as a fraction of the side, 0..0.05, at most 32 pixels;
    motion: longest line that a point becomes, as a fraction of the side, 0..0.2, at most 64 pixels.

    Sensor (chance.py, jpeg.py) - shot: standard deviation of Poisson noise at white, in 0..255 units, 0..64; noise: standard deviation of
    Gaussian noise in 0..255 units, 0..64; salt: largest share of pixels turned black or white, 0..0.5; jpeg: how far JPEG's quality falls
    below 100, 0..95.
    """

    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    flip: bool = False
    thickness: float = 0.0
    stretch: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    elastic: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    temperature: float = 0.0
    channels: float = 0.0
    shadow: float = 0.0
    exposure: float = 0.0
    patch: float = 0.0
    smear: float = 0.0
    rain: float = 0.0
    scratch: float = 0.0
    dust: float = 0.0
    defocus: float = 0.0
    motion: float = 0.0
    shot: float = 0.0
    salt: float = 0.0
    jpeg: float = 0.0
    background: float = 0.0

    def __post_init__(self) -> None:
        """Raise SettingsError for a strength that is no number or out of range."""
        for name, effect in EFFECTS.items():
            value: Any = getattr(self, name)
            hint = f"--{name} {effect.most / 4:g}" if name in OPTIONS else f"--vary {name}={effect.most / 4:g}"
            if isinstance(value, bool) or not isinstance(value, Real):
                raise SettingsError(f"augmentation {name} is a number, not {value!r:.60}", hint)
            if not 0 <= float(value) <= effect.most:
                raise SettingsError(f"augmentation {name} is between 0 and {effect.most:g}, not {value:g}", hint)

    @classmethod
    def of(cls, names: Iterable[str], strength: float = 0.5) -> "Augment":
        """Return the named effects at a strength of 0 (nothing) to 1 (as strong as is sensible); raises SettingsError for an unknown name."""
        if not 0 <= strength <= 1:
            raise SettingsError(f"strength is between 0 and 1, not {strength:g}", "--strength 0.5")
        known = (*EFFECTS, "flip")
        how = cls()
        for name in names:
            if name not in known:
                raise SettingsError(f"there is no augmentation '{name}'{did_you_mean(name, known)}", f"the augmentations are {', '.join(known)}")
            amount: Any = strength > 0 if name == "flip" else strength * EFFECTS[name].full
            how = replace(how, **{name: amount})
        return how

    def on(self) -> tuple[str, ...]:
        """Return the names of the effects that are on, in the order in which they happen."""
        return tuple(name for name in EFFECTS if getattr(self, name)) + (("flip",) if self.flip else ())

    def sentence(self) -> str:
        """Return the recipe in words, for people and for the card."""
        words = [effect.words.format(self._said(name, effect)) for name, effect in EFFECTS.items() if getattr(self, name)]
        return ", ".join([*words, *([FLIP] if self.flip else [])]) or "nothing"

    def _said(self, name: str, effect: Effect) -> float:
        value = float(getattr(self, name)) * effect.scale
        return 100 - value if name == "jpeg" else value
