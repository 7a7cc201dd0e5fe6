"""Where the faces in a picture are: a cascade that OpenCV ships (Viola & Jones 2001, Lienhart & Maydt 2002), the same file here and at the door.

The only place that needs OpenCV; reached through `base/extras.py`. Finds faces, knows nobody.
"""

import hashlib
import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from peephole.base.card import Face
from peephole.base.errors import InputError

__all__ = ["find", "finder"]

# Chosen on Yale B faces before photos of cats and dogs: found as many as any, and the fewest where there is none (docs/log.md).
CASCADE = "haarcascade_frontalface_alt.xml"
SIDE, STEP, NEIGHBOURS, SMALLEST = 160, 1.05, 3, 0.2
# A cascade keeps state while it looks, and photos are read by several threads.
LOOKING = threading.Lock()


def _path(cascade: str) -> Path:
    """Return where this OpenCV keeps a cascade; raises InputError for one that ships none (5.0 and later)."""
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    path = Path(folder) / cascade
    if not folder or not path.is_file():
        raise InputError(f"this OpenCV ({cv2.__version__}) ships no {cascade}", 'pip install "opencv-python-headless<5"')
    return path


@lru_cache(maxsize=4)
def _read(cascade: str) -> tuple[cv2.CascadeClassifier, str]:
    """Return a cascade and the sha256 of its file, read once."""
    path = _path(cascade)
    return cv2.CascadeClassifier(str(path)), hashlib.sha256(path.read_bytes()).hexdigest()


def finder() -> Face:
    """Return how faces are looked for here, for the card of a new model."""
    _, digest = _read(CASCADE)
    return Face(cascade=CASCADE, sha256=digest, opencv=cv2.__version__, side=SIDE, step=STEP, neighbours=NEIGHBOURS, smallest=SMALLEST)


def find(image: Image.Image, how: Face) -> list[tuple[float, float, float, float]]:
    """Return the faces of an upright picture as (left, top, width, height) in its pixels, the largest first.

    Raises InputError when OpenCV's cascade is not, byte for byte, the one that the card names.
    """
    cascade, digest = _read(how.cascade)
    if digest != how.sha256:
        raise InputError(
            f"the model was trained with another {how.cascade} (OpenCV {how.opencv}, sha256 {how.sha256[:8]}) than OpenCV {cv2.__version__} has here",
            f'pip install "opencv-python-headless=={how.opencv}", or train again',
        )
    scale = max(1.0, max(image.size) / how.side)
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    grey = np.array(image.convert("L").resize(size, Image.Resampling.BOX, reducing_gap=None), np.uint8)
    least = max(20, round(how.smallest * min(size)))
    if min(size) < least:
        return []
    with LOOKING:
        found = cascade.detectMultiScale(grey, how.step, how.neighbours, minSize=(least, least))
    boxes = [(float(x * scale), float(y * scale), float(w * scale), float(h * scale)) for x, y, w, h in found]
    # Which thread found it first must not matter: sorted by size, then by place.
    return sorted(boxes, key=lambda box: (-box[2] * box[3], box))
