"""What the program tells people to type can be typed: every `peephole ...` and every option in its texts is one that there is."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from peephole.cli.verbs import app

ROOT = Path(__file__).parents[1] / "src" / "peephole"
HOLE = "§"  # what stands for a value that is filled in
TREE = typer.main.get_command(app)
# Signed or hashed, or the program itself: never typed.
MAGIC = (["command", "1"], ["answer", "1"], ["journal", "2"], [HOLE, "1"], ["to", "start"])
# Python's and pip's, and the relay's own: `python -m peephole.gateway.relay`.
FOREIGN = {"--help", "--version", "--force-reinstall", "--safe", "--longest", "--folder"}
CHOICES = {"lock", "unlock", "status", "open"}


@dataclass(frozen=True)
class Told:
    """A text of the program and where it stands."""

    place: str
    text: str


def texts() -> list[Told]:
    """Return every text of the package, values that are filled in as holes; a docstring's lines are joined."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
        for node in ast.walk(tree):
            if id(node) in inner:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
            else:
                continue
            found.append(Told(f"{path.relative_to(ROOT)}:{node.lineno}", " ".join(text.split())))
    return found


def commands(text: str) -> list[list[str]]:
    """Return the words of each command in a text, up to the end of its clause."""
    found = []
    for match in re.finditer(r"(?<![\w/.-])(?<!import )(?<!install )(?<!update )peephole (?=[a-z§-])", text):
        words = []
        for word in text[match.end() :].split():
            bare = re.sub(r"[`,;:.)\"'|].*$", "", word) if not re.search(r"[.=][a-zA-Z]", word) else re.sub(r"[`,;:.)\"'|]+$", "", word)
            words += [bare] if bare else []
            if bare != word:
                break
        found.append(words)
    return found


def complaint(words: list[str]) -> str:
    """Say what is wrong with a command, or nothing; the prose behind it is left out."""
    command, at = TREE, 0
    while hasattr(command, "commands") and at < len(words) and not words[at].startswith("-"):
        if words[at] not in command.commands:
            return f"there is no verb '{words[at]}'"
        command, at = command.commands[words[at]], at + 1
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    needed = sum(one.required for one in command.params if one.param_type_name == "argument")
    given, rest = 0, words[at:]
    while rest:
        word = rest.pop(0)
        if word == "--help":
            return ""
        if word.startswith("-") and HOLE not in word:
            if word not in options:
                return f"'{word}' is no option of '{' '.join(words[:at])}'"
            if not options[word].is_flag and (not rest or rest[0].startswith("-")):
                return f"'{word}' needs a value"
            rest = rest if options[word].is_flag else rest[1:]
        elif re.fullmatch(r"[a-z]+", word) and word not in CHOICES:
            break  # prose again
        elif not word.startswith("-"):
            given += 1
    # A verb alone is named, not told to be typed.
    return f"{needed} arguments are needed" if given < needed and len(words) > at and (given or words[at].startswith("-")) else ""


def wrong(told: Told) -> list[str]:
    """Return what is wrong with the commands in a text."""
    typed = [words for words in commands(told.text) if words[:2] not in MAGIC]
    return [f"{told.place}: peephole {' '.join(words)}: {problem}" for words in typed if (problem := complaint(words))]


def test_every_command_can_be_typed() -> None:
    """The verb exists, its options are its own, and nothing that it needs is missing."""
    all_of_them = [words for told in texts() for words in commands(told.text)]
    assert len(all_of_them) > 80
    assert [problem for told in texts() for problem in wrong(told)] == []


def test_every_option_is_one() -> None:
    """Also where an option is named without its command."""
    known = set(FOREIGN)
    waiting = [TREE]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    # Variables of a style sheet (--ink: #16191d) look like options too.
    named = [(told.place, option) for told in texts() for option in re.findall(r"(?<![\w(-])--[a-z][a-z-]+(?![a-z-]*:)", told.text)]
    assert len(named) > 80
    assert [one for one in named if one[1] not in known] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("see: peephole gate jurnal DOOR.toml", "no verb"),
        ("see the visits: peephole gate journal --kind visit", "arguments are needed"),
        ("see: peephole gate check DOOR.toml --brokers", "no option"),
        ("see: peephole gate check DOOR.toml --confirmed-by me", "no option"),
        ("peephole gate pin DOOR.toml", "arguments are needed"),
        ("write peephole gate journal J --kind", "needs a value"),
    ],
)
def test_planted_bugs_are_found(text: str, says: str) -> None:
    """Hints of the wrong kind are found."""
    (problem,) = wrong(Told("here", text))
    assert says in problem


@pytest.mark.parametrize(
    "text",
    [
        "peephole gate pin DOOR.toml NAME",
        "say which (peephole gate enrol) it is",
        "the `peephole train` verb",
        "look at the visits: peephole gate journal DOOR.toml --kind visit; or wait",
        "peephole gate send DOOR.toml lock --why fire, and so on",
        "the default is a good start (peephole train --help lists all)",
        f"peephole train {HOLE} --skip {HOLE}) and put it there",
    ],
)
def test_good_ones_are_left_alone(text: str) -> None:
    """And prose is prose."""
    assert wrong(Told("here", text)) == []
