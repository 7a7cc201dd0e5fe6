"""The same mix in Albumentations; runs in bench/.peers-albumentations, knows nothing of peephole, and is asked over stdin.

Each line on stdin is a size; the answer is a line with the images per second of one pass over the images of the .npz file given as the
argument (one array uint8 (N, H, W, C) for each size, named by it). It is used as its documentation says: one Compose, one call for each
image, uint8 in and out. The images are shared by two threads, the lock of Python held by none of OpenCV's calls; each thread has a
Compose of its own, as its documentation asks, and OpenCV itself one thread, which is faster here than its own threads.
Albumentations has no scratches: as the nearest it draws lines with OpenCV in a transform of the user's own.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import albumentations as A  # noqa: N812  # as its documentation writes it
import cv2
import numpy as np

THREADS = 2


def scratched(image: np.ndarray, **_: object) -> np.ndarray:
    """Draw one to three straight antialiased lines of random tone and opacity."""
    rng = np.random.default_rng()
    height, width = image.shape[:2]
    drawn = image.copy()
    for _ in range(rng.integers(1, 4)):
        start, end = (tuple(int(v) for v in rng.integers(0, (width, height))) for _ in range(2))
        cv2.line(drawn, start, end, (int(rng.integers(256)),) * 3, 1, cv2.LINE_AA)
    return drawn


def mix(grey: bool) -> A.Compose:
    """Affine, colour, scratches, noise: the strengths of bench/augment.py."""
    colour = [] if grey else [A.RGBShift(25, 25, 25, p=1)]
    return A.Compose(
        [
            A.Affine(
                scale=(1 / 1.2, 1.2),
                translate_percent=(-0.1, 0.1),
                rotate=(-15, 15),
                interpolation=cv2.INTER_LINEAR,
                border_mode=cv2.BORDER_REPLICATE,
                p=1,
            ),
            A.RandomBrightnessContrast(0.1, 0.2, p=1),
            *colour,
            A.Lambda(image=scratched, p=1),
            A.GaussNoise(std_range=(8 / 255, 8 / 255), p=1),
        ]
    )


def varied(images: np.ndarray, how: A.Compose) -> np.ndarray:
    out = np.empty_like(images)
    for i, image in enumerate(images):
        out[i] = how(image=image)["image"].reshape(image.shape)
    return out


def main() -> None:
    cv2.setNumThreads(1)
    with np.load(sys.argv[1]) as given:
        sets = {name: given[name] for name in given.files}
    hows = {name: [mix(images.shape[3] == 1) for _ in range(THREADS)] for name, images in sets.items()}
    with ThreadPoolExecutor(THREADS) as pool:
        for name, images in sets.items():
            list(pool.map(varied, np.array_split(images[:64], THREADS), hows[name]))
        print(f"Albumentations {A.__version__}, OpenCV {cv2.__version__}", flush=True)
        for line in sys.stdin:
            name = line.strip()
            begun = time.perf_counter()
            list(pool.map(varied, np.array_split(sets[name], THREADS), hows[name]))
            both = len(sets[name]) / (time.perf_counter() - begun)
            begun = time.perf_counter()
            varied(sets[name], hows[name][0])
            print(max(both, len(sets[name]) / (time.perf_counter() - begun)), flush=True)


if __name__ == "__main__":
    main()
