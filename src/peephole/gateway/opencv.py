"""Cameras and video files through OpenCV; the only file of the gateway that names it, and it runs in a process of its own (see eye)."""

import time
from collections.abc import Iterator

import cv2
import numpy as np

from peephole.base.errors import SensorError

__all__ = ["camera", "video"]


def camera(place: str, width: int, height: int, fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (monotonic seconds, uint8 RGB (H, W, 3)) from a camera: a number, or a path such as /dev/video0; 0 leaves a figure to the camera.

    Raises SensorError when it cannot be opened or gives no more.
    """
    device = cv2.VideoCapture(int(place) if place.isdigit() else place, cv2.CAP_ANY)
    if not device.isOpened():
        raise SensorError(f"the camera {place} cannot be opened", "is it plugged in and free, and may this user read it (group video)?")
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old picture must not wait in the driver
    for what, value in ((cv2.CAP_PROP_FRAME_WIDTH, width), (cv2.CAP_PROP_FRAME_HEIGHT, height), (cv2.CAP_PROP_FPS, fps)):
        if value:
            device.set(what, value)
    last = -1.0
    while True:
        given = device.grab()
        now = time.monotonic()
        if not given:
            raise SensorError(f"the camera {place} gives no more pictures", "was it unplugged?")
        if fps and now - last < 0.9 / fps:  # many cameras ignore the rate they are asked for
            continue
        given, pixels = device.retrieve()
        if given:
            last = now
            yield now, _rgb(pixels)


def video(path: str, fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (seconds from its beginning, uint8 RGB (H, W, 3)) from a video file, at most `fps` a second; raises SensorError."""
    film = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    if not film.isOpened():
        raise SensorError(f"{path} is no video that can be read", "MP4, AVI and MKV can; ffmpeg makes one of them")
    rate = film.get(cv2.CAP_PROP_FPS)
    rate = rate if 0.1 <= rate <= 1000 else 25.0
    number, due = 0, 0.0
    while film.grab():
        seconds, number = number / rate, number + 1
        if seconds + 1e-9 < due:
            continue
        given, pixels = film.retrieve()
        if given:
            due += 1 / fps
            yield seconds, _rgb(pixels)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return np.ascontiguousarray(pixels[:, :, 2::-1])
