"""Where a figure comes from: the machine, the versions of what it depends on, the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("peephole", "torch", "onnxruntime", "numpy")


def machine() -> str:
    """Name the processor, whether it multiplies bfloat16 natively, and the cores that this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or platform.machine())
    native = any("avx512_bf16" in line or "amx_bf16" in line for line in lines if line.startswith("flags"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}{' with bf16' if native else ''}, {cores} cores"


def versions() -> str:
    """List Python and the packages that the figures depend on."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def commit() -> str:
    """Return the commit that was measured, with a + when the tree held changes beside the results themselves."""

    def git(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=HERE.parent, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!bench/results.md", ":!bench/results.json", ":!bench/claims.json", ":!docs/claims")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
