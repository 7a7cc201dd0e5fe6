"""An environment of its own for the libraries peephole is compared with: bench/.peers, made once, never shared with ours."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
NEEDED = ("tensorflow-cpu==2.21.0",)


def python() -> Path:
    """Return the peers' Python; make the environment first where it is missing (minutes, 1.6 GB on disk)."""
    found, made = PEERS / "bin" / "python", PEERS / ".made"
    if not made.exists() or made.read_text() != repr(NEEDED):
        print(f"setting up {PEERS}: {', '.join(NEEDED)}; takes minutes, once", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
        extra = os.environ.get("PIP_ARGS", "").split()
        subprocess.run([found, "-m", "pip", "--disable-pip-version-check", "install", "-q", *extra, *NEEDED], check=True)
        made.write_text(repr(NEEDED))
    return found


class Keras:
    """The Keras peer as a child process that is asked for one measurement at a time, so that rounds can be interleaved."""

    def __init__(self, images: Path) -> None:
        """Start it on the images and labels of an .npz file; returns once its models are built and warm."""
        command = [str(python()), str(HERE / "keras_peer.py"), str(images)]
        self._command = " ".join(command)
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.versions = self._answer()

    def images_per_second(self, precision: str) -> float:
        """Train once over all images in `float32` or `mixed_bfloat16`."""
        assert self._child.stdin
        self._child.stdin.write(precision + "\n")
        self._child.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """Let it end by itself."""
        self._child.communicate()

    def _answer(self) -> str:
        assert self._child.stdout
        answer = self._child.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the Keras peer ended with exit code {self._child.wait()}; run it by hand: {self._command}")
        return answer


if __name__ == "__main__":
    print(python())
