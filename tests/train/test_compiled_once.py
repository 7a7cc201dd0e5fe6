"""Loops that were just compiled and the same loops read back from the disk give the same numbers: the first training after installing is no other."""

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np
import torch
from peephole.train.augment import Augment, Key, augment
images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 1, 28, 28), dtype=np.uint8))
how = Augment(shift=0.1, scale=0.15, rotate=15, elastic=0.05, thickness=0.025, scratch=2, colour=0.2, noise=8)
print(hashlib.sha256(np.asarray(augment(images, how, Key(7, 1, 0), None)).tobytes()).hexdigest())
"""


def test_the_first_time_is_like_every_other(tmp_path):
    """With a cache that is empty, and then with what the first run left there."""
    settings = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    said = [subprocess.run([sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert any(tmp_path.rglob("*.nbi")), "nothing was kept, so both runs compiled"
    assert said[0] == said[1] != ""
