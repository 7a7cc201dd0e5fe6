"""Chance by counting: every number is a hash of (seed, step, image, use, place), so threads and the split of a batch change nothing.

The hash of an image is splitmix64 (Steele, Lea & Flood 2014); that of a pixel is a 32-bit mix of two multiplications (C. Wellons,
hash-prospector, constants 21f0aaad / d35a2d97) with the image's other 32 bits stirred in between. Here stand also the effects that
need a number for every pixel: noise, and salt and pepper.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from peephole.train.compiled import compiled

__all__ = ["Key", "salt", "sensor", "uniform"]

U8, U4, F4 = np.uint64, np.uint32, np.float32
STEP = U8(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: splitmix64's stride
LOW, HIGH = U4(0x00FF00FF), U4(0x0000FFFF)


@dataclass(frozen=True)
class Key:
    """Names the draws of a batch: its image i takes those of (seed, step, first + i).

    Any whole numbers; a batch split in two gives the same when the second half's `first` is the length of the first half.
    """

    seed: int
    step: int
    first: int = 0

    def images(self, count: int) -> np.ndarray:
        """Return one 64-bit key (count,) for each image."""
        keys = np.empty(count, np.uint64)
        _image_keys(keys, U8(self.seed % 2**64), U8(self.step % 2**64), U8(self.first % 2**64))
        return keys


@compiled
def _mix(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> U8(30))) * U8(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> U8(27))) * U8(0x94D049BB133111EB)
    return word ^ (word >> U8(31))


@compiled
def _image_keys(keys: np.ndarray, seed: np.uint64, step: np.uint64, first: np.uint64) -> None:
    base = _mix(_mix(seed + STEP) ^ _mix(_mix(step) + STEP))
    for i in range(len(keys)):
        keys[i] = _mix(base + STEP * (first + U8(i)))


@compiled
def _fill(found: np.ndarray, keys: np.ndarray, use: np.uint64) -> None:
    for i in range(len(keys)):
        base = _mix(keys[i] ^ use)
        for j in range(found.shape[1]):
            found[i, j] = F4(_mix(base + STEP * U8(j + 1)) >> U8(40)) * F4(2.0**-24)


def _use(name: str) -> np.uint64:
    """Give each use of chance a stream of its own."""
    return U8((crc32(name.encode()) << 32) | crc32(name[::-1].encode()))


def uniform(keys: np.ndarray, use: str, count: int) -> np.ndarray:
    """Return float32 (images, count), even in 0..1 (1 excluded), for each image key and the use that names itself."""
    found = np.empty((len(keys), count), np.float32)
    _fill(found, keys, _use(use))
    return found


@compiled
def _sensor(pixels: np.ndarray, keys: np.ndarray, use: np.uint64, read: np.float32, gain: np.float32) -> None:
    """Shot and read noise, then clipping; `gain` is the 0..255 units that one photon makes."""
    for i in range(pixels.shape[0]):
        row, word = pixels[i], _mix(keys[i] ^ use)
        one, two = U4(word), U4(word >> U8(32))
        for j in range(row.shape[0]):
            h = U4(U4(j) * U4(0x9E3779B9) + one)
            h = U4(U4(h ^ (h >> U4(16))) * U4(0x21F0AAAD)) ^ two
            h = U4(U4(h ^ (h >> U4(15))) * U4(0xD35A2D97))
            h = U4(h ^ (h >> U4(15)))
            pair = U4((h & LOW) + ((h >> U4(8)) & LOW))
            s = (F4(np.int32(U4((pair & HIGH) + (pair >> U4(16))))) - F4(510)) * F4(1 / 147.80054)
            z = s * (F4(0.94903328) + F4(0.01864238) * s * s)
            v = row[j]
            if gain > F4(0):
                light = gain * max(v, F4(0))
                variance = read * read + light
                v += np.sqrt(variance) * z + gain * light / (F4(6) * variance + F4(1e-6)) * (z * z - F4(1))
            else:
                v += read * z
            row[j] = min(max(v, F4(0)), F4(255))


@compiled
def _clip(pixels: np.ndarray) -> None:
    for j in range(pixels.size):
        pixels[j] = min(max(pixels[j], F4(0)), F4(255))


def sensor(pixels: np.ndarray, keys: np.ndarray, shot: float, read: float) -> None:
    """Add the sensor's noise to float32 (n, C, H, W) in place, and clip to 0..255 as a sensor does.

    `read` is the standard deviation of Gaussian noise, `shot` that of Poisson noise at 255, both in 0..255 units. The Gaussian number is
    the sum of four bytes of the hash, straightened by a cubic: mean 0, variance 1, skewness 0 and kurtosis 3 exactly, its distribution
    function within 0.002 of the normal one, none beyond 4.04 standard deviations. Poisson noise has Poisson's mean, variance and skewness
    (Cornish & Fisher 1938), which is good from about 4 photons on.
    """
    if shot or read:
        _sensor(pixels.reshape(len(pixels), -1), keys, _use("sensor"), F4(read), F4(shot * shot / 255))
    else:
        _clip(pixels.reshape(-1))


@compiled
def _salt(pixels: np.ndarray, keys: np.ndarray, use: np.uint64, shares: np.ndarray) -> None:
    area = pixels.shape[2]
    for i in range(pixels.shape[0]):
        word = _mix(keys[i] ^ use)
        one, two = U4(word), U4(word >> U8(32))
        line = U4(min(np.float64(shares[i]), 1.0) * 4294967295.0)
        for c in range(pixels.shape[1]):
            row = pixels[i, c]
            for j in range(area):
                h = U4(U4(j) * U4(0x9E3779B9) + one)
                h = U4(U4(h ^ (h >> U4(16))) * U4(0x21F0AAAD)) ^ two
                h = U4(U4(h ^ (h >> U4(15))) * U4(0xD35A2D97))
                h = U4(h ^ (h >> U4(15)))
                ink = F4(255) if h & U4(1) else F4(0)
                row[j] = ink if h < line else row[j]


def salt(pixels: np.ndarray, keys: np.ndarray, shares: np.ndarray) -> None:
    """Turn a share (n,) of each image's pixels black or white in place, all channels of a pixel together; float32 (n, C, H, W)."""
    _salt(pixels.reshape(*pixels.shape[:2], -1), keys, _use("salt"), shares)
