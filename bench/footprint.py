"""What peephole weighs on a gateway: import time, memory and seconds to the first answer, disk of the base install.

Every value comes from a fresh process. Seconds to the first answer run from the start of the process to the printed label, as a
person waits for it; memory is the peak of resident memory (VmHWM, because ru_maxrss of a child begins with its parent's).

What would make the figure unfair: a file cache that is cold in one process and warm in the next (the first of each is not counted);
counting the disk of an environment that shares packages with others (here it holds the base install alone).
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.models import lite0_model, plain_model
from bench.report import Row

ROOT = Path(__file__).parents[1]
PROCESSES = 15
ASK = """
import sys, peephole
print(peephole.load(sys.argv[1]).predict(sys.argv[2]).label, flush=True)
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0], "torch" in sys.modules)
"""


def seconds_of(code: str) -> float:
    """Run a line of Python in a process of its own."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def import_time(count: int) -> Row:
    """`import peephole` on top of starting Python; the two are measured in turn."""
    pairs = [(seconds_of("import peephole"), seconds_of("pass")) for _ in range(count + 1)][1:]
    return Row("`import peephole`", tuple(1000 * (ours - bare) for ours, bare in pairs), "ms", "processes", most=50)


def ask(model: Path, photo: Path) -> tuple[float, float, bool]:
    """Ask a model file about a photo in a fresh process: seconds to the answer, peak memory in MB, whether torch was imported."""
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", ASK, model, photo], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        child.stdout.readline()
        seconds = time.perf_counter() - begun
        peak, torch = child.stdout.readline().split()
    return seconds, int(peak) * 1024 / 1e6, torch == "True"


def first_answer(name: str, model: Path, photo: Path, count: int) -> list[Row]:
    """Seconds, memory and imports of a process that loads a model file and predicts once."""
    seconds, megabytes, torch = zip(*[ask(model, photo) for _ in range(count + 1)][1:], strict=True)
    return [
        Row(f"A process that loads {name} and predicts: seconds to its first answer", seconds, "s", "processes", most=1),
        Row(f"A process that loads {name} and predicts: peak memory", megabytes, "MB", "processes", most=150),
        Row(f"A process that loads {name} and predicts: processes that imported torch", (float(sum(torch)),), f"of {count}", "count", most=0),
    ]


def base_install() -> Row:
    """Install the base package alone, by constraints.txt, into an empty environment and weigh it on disk (blocks, .pyc files included)."""
    with TemporaryDirectory() as temporary:
        source, place = Path(temporary) / "source", Path(temporary) / "environment"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "bench", "docs"))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(place / "bin" / "python"), "install", "-q"]
        subprocess.run([*pip, *os.environ.get("PIP_ARGS", "").split(), "-c", str(ROOT / "constraints.txt"), str(source)], check=True)
        blocks = sum(path.lstat().st_blocks for path in place.glob("lib/python*/site-packages/**/*"))
    return Row("Base install on disk, site-packages of a clean environment", (blocks * 512 / 1e6,), "MB", "install", most=280)


def run(quick: bool) -> list[Row]:
    count = 2 if quick else PROCESSES
    found = [import_time(count)]
    with TemporaryDirectory() as temporary:
        for name, make in (("lab-11", plain_model), ("lite0", lite0_model)):
            model, photo = make(Path(temporary))
            found += first_answer(name, model, photo, count)
    return found if quick else [*found, base_install()]
