"""Environments of their own for the libraries peephole is compared with, made once, never shared with ours."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
NEEDED = ("tensorflow-cpu==2.21.0",)
ALBUMENTATIONS, NEEDED_THERE = HERE / ".peers-albumentations", ("albumentations==2.0.8", "opencv-python-headless>=4.10,<5")


def python(where: Path = PEERS, needed: tuple[str, ...] = NEEDED) -> Path:
    """Return a peer's Python; make its environment first where it is missing (minutes; 1.6 GB on disk for Keras, 0.4 for Albumentations)."""
    found, made = where / "bin" / "python", where / ".made"
    if not made.exists() or made.read_text() != repr(needed):
        print(f"setting up {where}: {', '.join(needed)}; takes minutes, once", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", where], check=True)
        extra = os.environ.get("PIP_ARGS", "").split()
        subprocess.run([found, "-m", "pip", "--disable-pip-version-check", "install", "-q", *extra, *needed], check=True)
        made.write_text(repr(needed))
    return found


class Peer:
    """A peer as a child process that is asked for one measurement at a time, so that rounds can be interleaved."""

    def __init__(self, interpreter: Path, script: str, images: Path) -> None:
        """Start it on the arrays of an .npz file; returns once it is warm."""
        command = [str(interpreter), str(HERE / script), str(images)]
        self._command = " ".join(command)
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.versions = self._answer()

    def images_per_second(self, what: str) -> float:
        """Have it measured once; `what` is one of the lines that the script knows."""
        assert self._child.stdin
        self._child.stdin.write(what + "\n")
        self._child.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """Let it end by itself."""
        self._child.communicate()

    def _answer(self) -> str:
        assert self._child.stdout
        answer = self._child.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the peer ended with exit code {self._child.wait()}; run it by hand: {self._command}")
        return answer


class Keras(Peer):
    """Trains the lab-11 network once over all images in `float32` or `mixed_bfloat16`."""

    def __init__(self, images: Path) -> None:
        """Take `images` and `labels`."""
        super().__init__(python(), "keras_peer.py", images)


class Albumentations(Peer):
    """Varies all images of one of the arrays once."""

    def __init__(self, images: Path) -> None:
        """Take one array for each size, named by it."""
        super().__init__(python(ALBUMENTATIONS, NEEDED_THERE), "albumentations_peer.py", images)


if __name__ == "__main__":
    print(python(), python(ALBUMENTATIONS, NEEDED_THERE), sep="\n")
