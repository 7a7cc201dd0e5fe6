"""The package as a whole: importing it costs nothing, its names resolve, and a gateway needs neither PyTorch nor the network."""

import pydoc
import re
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import peephole
from drawings import draw, save

ROOT = Path(__file__).parents[1]


def python(code, *words, timeout=60):
    """Run code in a fresh process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_costs_nothing():
    """No library but the standard one comes with `import peephole`."""
    loaded = python("""
        import sys
        before = set(sys.modules)
        import peephole
        dir(peephole)
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
    """)
    assert loaded.split() == ["peephole"]


def test_the_public_names():
    """Sorted, each resolves, each is documented; others are refused with the list; what is called comes first to the eye."""
    assert peephole.__all__ == sorted(peephole.__all__)
    assert dir(peephole) == ["Predictor", "check", "evaluate", "explain", "load", "train"] and set(dir(peephole)) < set(peephole.__all__)
    assert set(peephole.__all__) == set(peephole._NAMES)
    for name in peephole.__all__:
        assert (getattr(peephole, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match=r"no attribute 'lod'.*load"):
        _ = peephole.lod


def test_help_is_a_page_to_read():
    """help(peephole) names everything there is to call, to get and to catch, in some 100 lines, without the machinery below."""
    page = pydoc.render_doc(peephole, renderer=pydoc.plaintext)
    assert len(page.splitlines()) < 135 and "pydantic" not in page and "__hash__" not in page
    for name in peephole.__all__:
        assert re.search(rf"\b{name}\b", page), name


def test_functions_win_over_folders_of_the_same_name():
    """`train` and `explain` are functions, in whatever order their folders are imported, and the folders stay importable."""
    said = python("""
        from peephole.train.recipe import Options
        import peephole.explain.report
        import peephole
        from peephole import explain, train
        from peephole.train import loop
        assert callable(peephole.train) and peephole.train is train and callable(peephole.explain) and peephole.explain is explain
        from peephole.train.augment import Augment
        assert callable(peephole.train) and callable(loop.fit)
        print("fine")
    """)
    assert said.strip() == "fine"


def test_the_type_checker_sees_the_same_names():
    """The imports for type checkers name what is resolved at run time."""
    text = (ROOT / "src" / "peephole" / "__init__.py").read_text("utf-8")
    seen = {}
    for module, names in re.findall(r"^    from peephole\.(\S+) import (.+)$", text, re.M):
        seen |= {name.strip(): f"{module}:{name.strip()}" for name in names.split(",")}
    assert seen == peephole._NAMES


def test_the_version_stands_in_one_place():
    """pyproject.toml says it, the installed package repeats it, no source file does."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version("peephole") == said
    for path in (ROOT / "src").rglob("*.py"):
        assert f'"{said}"' not in path.read_text("utf-8"), path


GATEWAY = """
    import sys

    def listen(event, details):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.system"):
            raise RuntimeError(f"{event} {details}")

    sys.addaudithook(listen)
    import peephole
    model = peephole.load(sys.argv[1])
    print(model.predict(sys.argv[2]).label)
    print(*sorted({name for name in sys.modules if name.count(".") < 2}))
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            print(line.split()[1])
"""


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    """A photo that the drawn model has not seen."""
    return save(draw("X", 91, 64), tmp_path_factory.mktemp("visitor") / "x.png")


def test_a_gateway_needs_no_torch_no_network_and_little_memory(drawn_model, visitor):
    """Load and predict: no training library, none of our training folders, no socket, at most 150 MB at the peak.

    The peak is the kernel's VmHWM: getrusage would count what the parent had before it started the child.
    """
    label, modules, *peak = python(GATEWAY, drawn_model, visitor).splitlines()
    assert label == "X"
    loaded = set(modules.split())
    assert not loaded & {"torch", "onnx", "scipy", "sklearn", "matplotlib", "polars", "onnxscript", "mlxtend", "cv2", "starlette", "paho"}
    assert not loaded & {"peephole.nets", "peephole.train", "peephole.export"}
    if peak:
        assert int(peak[0]) <= 150_000


def test_a_base_install_works_and_says_what_training_needs(drawn_model, drawn_photos, visitor):
    """Without any extra: predict, evaluate, check and explain work; training says which pip command it lacks."""
    said = python(
        """
        import sys
        from importlib.abc import MetaPathFinder
        from peephole.base.extras import EXTRAS

        class Absent(MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in EXTRAS:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Absent())
        import peephole
        model = peephole.load(sys.argv[1])
        print(model.predict(sys.argv[3]).label)
        print(peephole.evaluate(model, sys.argv[2]).seen, peephole.check(sys.argv[2]).used, peephole.explain(model, sys.argv[3]).prediction.best)
        assert "torch" in peephole.train.__doc__ and hasattr(peephole, "train")
        try:
            peephole.train(sys.argv[2])
        except ImportError as error:
            print(error.hint)
        """,
        drawn_model,
        drawn_photos,
        visitor,
    )
    assert said.splitlines() == ["X", "16 22 X", 'pip install "peephole[train]"']
