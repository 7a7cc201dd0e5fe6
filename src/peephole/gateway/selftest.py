"""Is a model file fit for this door? It opens, is signed, knows whom the rules name, answers, opens for nobody, and arms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.base import extras
from peephole.base.card import Card
from peephole.base.errors import HostileModelFile, ModelFileError
from peephole.base.records import Prediction
from peephole.data.region import require_ready
from peephole.decide import predictor as predictors
from peephole.decide.judge import judge
from peephole.decide.nothing import HELPS, asked
from peephole.decide.predictor import Predictor
from peephole.decide.probes import probes
from peephole.gateway.acquaintance import met
from peephole.gateway.arming import Armed, arm
from peephole.gateway.door import Door
from peephole.gateway.reasons import plural

if TYPE_CHECKING:
    from peephole.base.signature import Signer

__all__ = ["Fit", "answers", "examine", "require_signature", "signer_of"]

PROBES = 4  # a Pi needs a tenth of a second for each with the largest network
SAME = 1e-4  # how far the answers for one picture alone and among others may lie apart


@dataclass(frozen=True, eq=False)
class Fit:
    """A model that passed: `predictor` holds the very bytes that were examined, `signature` is theirs (b"" where there is none).

    `armed` says on what grounds the door arms with it; `passed` are the tests, each with what there is to say.
    """

    path: Path
    predictor: Predictor
    armed: Armed
    signature: bytes
    passed: tuple[tuple[str, str], ...]

    @property
    def named(self) -> str:
        """The file's name and the first 16 hex digits of its sha256."""
        return f"{self.path.name} ({self.predictor.model.sha256[:16]})"


def signer_of(door: Door) -> "Signer | None":
    """Return the public key that the door's settings name, or None; raises InputError when it cannot be read."""
    return None if door.key is None else extras.load("base.signature:public_key")(door.key)


def examine(door: Door, path: Path) -> Fit:
    """Test a model file for a door; raises the PeepholeError of the first test that it fails.

    The region must be ready, every label that a rule names must be there, the answers on built-in pictures must be numbers and the same
    alone and among others, no rule may open for an empty frame, and the evidence must carry the rate that is asked for.
    """
    signer = signer_of(door)
    alone = predictors.load(path)
    # Without a key nothing that stands beside the file is trusted, or looked at.
    signature = b"" if signer is None else require_signature(path, alone.model.data, signer)
    found = met(alone, door.gallery_of(path))
    passed = [("opens", f"{path} knows {', '.join(found.labels[:12])}{', ...' if len(found.labels) > 12 else ''}; threshold {_line(found.card)}")]
    if signer is not None:
        passed.append(("signature", f"signed by {signer.name} ({signer.fingerprint})"))
    door.require_labels(found.labels)
    passed.append(("labels", "it knows everybody whom the rules name"))
    require_ready(found.card.input.region)
    passed.append(("region", f"{found.card.input.region.how}: what it needs is here"))
    passed.append(("answers", answers(path, found, door)))
    settings = door.settings
    armed = arm(found.card.evidence, settings.decide.false_accept, settings.gate.low_risk, door.opening, factor=door.asks)
    passed.append(("arming", armed.sentence))
    return Fit(path, found, armed, signature, tuple(passed))


def _line(card: Card) -> str:
    return f"{card.unknown.threshold:.3f}"


def require_signature(path: Path, data: bytes, signer: "Signer") -> bytes:
    """Return the signature beside a model file that fits its bytes `data`; raises NotSigned."""
    beside: bytes = extras.load("base.signature:signature_of")(path)
    fits: bytes = extras.load("base.signature:require_signed")(path.name, data, beside, signer)
    return fits


def answers(path: Path, found: Predictor, door: Door) -> str:
    """Ask a model about pictures that need no photo, and say what came of it; raises ModelFileError when an answer may not be trusted."""
    pictures = probes(found.card.input.shape[1:], PROBES)
    together = judge(found.engine.run(pictures), found.card)
    alone = [judge(found.engine.run(picture), found.card)[0] for picture in pictures]
    _require_sound(path, together)
    if any(_apart(one, other) > SAME or one.label != other.label for one, other in zip(alone, together, strict=True)):
        raise ModelFileError(f"{path.name} answers otherwise for a picture alone than among others", "train or export it again")
    for name, answer in asked(found):
        _require_shut(path, name, answer, door)
    return f"{plural(len(pictures), 'built-in picture')}: numbers, the same alone and among others; nobody is let in on an empty frame"


def _require_sound(path: Path, answers: Sequence[Prediction]) -> None:
    for answer in answers:
        if not all(map(math.isfinite, (answer.probability, answer.familiarity, answer.margin))):
            raise HostileModelFile(f"{path.name} answers with what is not a number", "train or export it again")


def _require_shut(path: Path, name: str, answer: Prediction, door: Door) -> None:
    """Raise when a rule would open for a frame that shows nothing."""
    _require_sound(path, [answer])
    who = answer.label if answer.accepted else None
    if any(who in rule.who and door.settings.opens(rule.do) for rule in door.settings.rule):
        raise ModelFileError(
            f"{path.name} takes an empty {name} frame for {who}, so a hand on the lens could open the door",
            HELPS,
        )


def _apart(one: Prediction, other: Prediction) -> float:
    return max(abs(one.familiarity - other.familiarity), abs(one.probability - other.probability))
