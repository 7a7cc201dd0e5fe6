"""The documentation is true: rows of the README are run, links lead somewhere, the reference is the command line's own."""

import re
import shlex
import wave
from pathlib import Path

import pytest

import reference
from drawings import draw, save
from peephole.cli.main import main
from peephole.train.strengths import EFFECTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(peephole .+?)` \|$", README.partition("## The notes say")[2].partition("\n## ")[0], re.M)
PAGES = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "cli.md"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """What the README's commands expect to find: drawings, a recording, a door, and the model of the first row."""
    root = tmp_path_factory.mktemp("readme")
    for name in ("X", "O"):
        for number in range(1, 9):
            save(draw(name, number, 28), root / "drawings" / name / f"{number}.png")
    for name in ("X", "O"):
        (root / "visits" / f"a-{name}").mkdir(parents=True)
        for number in range(1, 5):
            (root / "visits" / f"a-{name}" / f"{number}.png").write_bytes((root / "drawings" / name / f"{number}.png").read_bytes())
    (root / "frames").mkdir()
    with wave.open(str(root / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\x20\0\xe0" * 4000)
    door = (ROOT / "examples" / "door" / "DOOR.toml").read_text(encoding="utf-8")
    (root / "DOOR.toml").write_text(door.replace('"ana", "junho"', '"X"').replace("door.onnx", "xo.onnx"), encoding="utf-8")
    return root


def _run(command, monkeypatch):
    """Run a command as typed; trainings are cut to a few small steps, which changes how good they are, not whether they work."""
    words = shlex.split(command)
    short = ["--steps", "20", *(["--batch", "16"] if "--batch" not in words else [])] if words[1] == "train" else []
    monkeypatch.setattr("sys.argv", [*words, *short])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


def test_the_table_was_found():
    """The rows below are those of the README."""
    assert len(ROWS) >= 16


@pytest.mark.parametrize(("says", "command"), ROWS, ids=[row[1] for row in ROWS])
def test_every_row_of_the_notes_works(says, command, workplace, monkeypatch, capfd):
    """Each command of "the notes say -> try this" runs and ends well."""
    monkeypatch.chdir(workplace)
    if not command.startswith("peephole train") and not Path("xo.onnx").exists():  # this row was asked for by itself
        assert _run(ROWS[0][1], monkeypatch) in (0, None)
    assert _run(command, monkeypatch) in (0, None), capfd.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link of every page names a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_reference_is_the_command_lines_own():
    """Every verb and option is documented as it is; `python tests/reference.py` writes it anew."""
    assert reference.PATH.read_text(encoding="utf-8") == reference.text()


def test_the_tree_in_the_readme_is_the_tree():
    """README and ARCHITECTURE name every folder of the package, and no other."""
    folders = {path.name for path in (ROOT / "src" / "peephole").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert set(re.findall(r"^[├└]── (\w+) ", README, re.M)) == folders
    listed = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("```\n")[2].partition("```")[0]
    assert {line.split()[0] for line in listed.splitlines()} == folders


def test_the_guides_speak_of_the_same_things():
    """The English and the Korean guide have the same sections and the same commands."""
    guides = [(ROOT / "docs" / "guide" / f"{language}.md").read_text(encoding="utf-8") for language in ("en", "ko")]
    counts = [(len(re.findall(r"^## ", text, re.M)), sorted(set(re.findall(r"peephole [a-z]+", text)))) for text in guides]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("page", ["en.md", "ko.md"])
def test_every_augmentation_has_its_picture(page):
    """Each effect stands in a command that made one of the pictures which the page shows, and in its table."""
    folder = ROOT / "docs" / "augmentation"
    text = (folder / page).read_text(encoding="utf-8")
    shown = re.findall(r"peephole augment \S+ -o (\S+\.png) .*--only (\S+)", text)
    drawn = {
        name
        for picture, names in shown
        if picture != "sheet.png" and (folder / picture).is_file() and f"({picture})" in text
        for name in names.split(",")
    }
    assert drawn >= {*EFFECTS, "flip"}
    assert all(f"| `{name}` |" in text for name in (*EFFECTS, "flip"))
