"""What is no TOML, told as people need it: line, column, the line itself, and a hint that fits the mistake; pure.

The standard parser says what it expected; what somebody meant to write is guessed from the line. A line with a secret is not repeated.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from peephole.base.errors import SettingsError

__all__ = ["SECRET", "syntax_error"]

SECRET = re.compile(r"password|secret|token|pin\b", re.IGNORECASE)
SHOWN = 80
MANUAL = "see https://toml.io"
SETTING = re.compile(r"[\w.-]+\s*=")
BARE = re.compile(r"[^\s\[\]{},=#\"']+")
SWITCHES = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
CURLY = "“”„«»‘’"


Guess = tuple[str, str] | None  # what is wrong, and the hint


@dataclass(frozen=True)
class Mistake:
    """Where the parser stopped: `line` and `column` count from 1; `rest` is the line from there on; `key` is what is being set."""

    message: str
    line: int
    column: int
    text: str

    @property
    def rest(self) -> str:
        return self.text[self.column - 1 :]

    @property
    def before(self) -> str:
        return self.text[: self.column - 1]

    @property
    def key(self) -> str:
        return self.text.partition("=")[0].strip()[:40] if "=" in self.text else ""

    @property
    def word(self) -> str:
        """The bare word at the place, without a comment."""
        found = BARE.match(self.rest)
        return found[0][:40] if found else ""


def syntax_error(path: Path, text: str, message: str) -> SettingsError:
    """Return the error for the standard parser's `message` about the file at `path` that holds `text`."""
    mistake = _place(text, message)
    reason, hint = next(filter(None, (guess(mistake) for guess in GUESSES)), (mistake.message, MANUAL))
    where = f"{path}, line {mistake.line}, column {mistake.column}"
    if SECRET.search(mistake.text):
        # Neither the line nor a hint that repeats a word of it: the word may be the password.
        return SettingsError(
            f"{where}: {mistake.message.partition(' (')[0]}; the line is not shown, it may hold a secret", f"text needs quotes; {MANUAL}"
        )
    start = 0 if len(mistake.text) <= SHOWN else max(0, mistake.column - SHOWN // 2)
    shown = mistake.text[start : start + SHOWN].strip()
    return SettingsError(_printable(f"{where}: {reason}") + f"\n  {_printable(shown)}", _printable(hint))


def _printable(text: str) -> str:
    """A file may hold what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _place(text: str, message: str) -> Mistake:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    lines = text.split("\n") or [""]
    lines = [line.rstrip("\r") for line in lines[: -1 if len(lines) > 1 and not lines[-1] else None]]
    number = min(int(found[1]), len(lines)) if found else len(lines)
    column = int(found[2]) if found else len(lines[-1]) + 1
    reason = re.sub(r" \(at [^()]*\)$", "", message)
    before, rest = lines[number - 1][: column - 1].strip(), lines[number - 1][column - 1 :]
    if reason == "Invalid value" and (before in ("[", "[[") or (not before and SETTING.match(rest))):
        reason = "Unclosed array"  # a list that ends in a comma takes the next line for a value
    opened = _opened(reason, lines, number)
    if opened != number:
        number, column = opened, len(lines[opened - 1].partition("#")[0].rstrip()) + 1
    return Mistake(reason, number, column, lines[number - 1])


def _opened(reason: str, lines: list[str], number: int) -> int:
    """Return the line where what was never closed began: the parser only notices lines later."""
    if reason.startswith("Unclosed"):
        # On its own line the place itself says most: a missing comma, a bracket of another kind.
        return next((at for at in range(number, 0, -1) if _open(lines[at - 1])), number)
    if reason.startswith(("Unterminated", "Expected '\"", 'Expected "')):
        return next((at for at in range(number, 0, -1) if any(lines[at - 1].count(mark) % 2 for mark in ('"""', "'''"))), number)
    return number


def _open(line: str) -> bool:
    """Say whether a line opens a list or an inline table: a value, not a table's name."""
    return any(start in line.partition("=")[2] for start in "[{")


def _first(*cases: tuple[object, str, str]) -> Guess:
    """Return reason and hint of the first case that holds."""
    return next(((reason, hint) for holds, reason, hint in cases if holds), None)


def _value(mistake: Mistake) -> Guess:
    """A value that is none: a bare word, a switch in capitals, curly quotes, nothing at all."""
    if not mistake.message.startswith("Invalid value"):
        return None
    word, key = mistake.word, mistake.key
    if not word:
        empty = not mistake.rest.strip() or mistake.rest.lstrip().startswith("#")
        return _first(
            (empty, f"'{key}' has no value", f'write {key} = "..." or take the line out'), (True, "a value is missing here", "a comma too many?")
        )
    switch = SWITCHES.get(word.lower())
    whole = _plain(mistake.rest).strip("\"'")
    return _first(
        (word[0] in CURLY, "curly quotes are no quotes", f'type straight ones: {key} = "{word.strip(CURLY)}"'),
        (switch, f"{word} is no value", f"switches are written in small letters, without quotes: {key} = {switch}"),
        (word.lower() in ("none", "null", "nil"), f"{word} is no value", f"leave {key} out"),
        (word[0] == "(", "a list does not stand in round brackets", f'lists stand in square ones: {key} = ["a", "b"]'),
        (word[0] == ".", f"{word} is no number", f"write a digit before the point: {key} = 0{word}"),
        ("[" in mistake.before, f"{word} is text without quotes", f'text needs quotes: {key} = ["{word}", ...]'),
        (True, f"{whole} is text without quotes", f'text needs quotes: {key} = "{whole}"'),
    )


def _equals(mistake: Mistake) -> Guess:
    """A line without its =, or with another sign in its place."""
    if not mistake.message.startswith("Expected '=' after a key"):
        return None
    text, name, rest = mistake.text.strip(), mistake.before.strip()[:40], _plain(mistake.rest)
    value = rest if rest[:1] in ('"', "'", "[", "{") or rest[:1].isdigit() or rest in ("true", "false") else f'"{rest}"'
    return _first(
        (text.endswith("]") and "[" not in text, "the [ before the table's name is missing", f"write [{text.strip(']')}]"),
        (rest.startswith(":"), "a colon is no =", f"write {name} = {rest[1:].strip() or '...'}"),
        (not rest, f"'{name}' has no = and no value", f'write {name} = "..."'),
        ("=" in rest, "a setting's name is one word", f"join it with _ or put it in quotes: {'_'.join(mistake.key.split())} ="),
        (True, f"there is no = after '{name}'", f"write {name} = {value}"),
    )


def _statement(mistake: Mistake) -> Guess:
    """A line that does not begin as any line may."""
    if not mistake.message.startswith(("Invalid statement", "Invalid initial character")):
        return None
    text = mistake.text.strip()
    return _first(
        (text.startswith(("//", ";", "--", "/*")), "this is no setting and no comment", "a comment begins with #"),
        (text.startswith("="), "the setting's name is missing before =", "write name = value"),
        (mistake.rest.startswith("}"), "a comma stands before }", "remove it: {a = 1, b = 2}"),
        (text[:1].isalpha(), "a name in other letters than a-z needs quotes", f'write "{(mistake.key or text)[:40]}" = ...'),
    )


def _twice(mistake: Mistake) -> Guess:
    """Something that is given a second time; the parser stands behind it."""
    message, name = mistake.message, _plain(mistake.text).strip("[]").strip()[:40]
    again = message.startswith(("Cannot declare", "Cannot mutate", "Cannot redefine", "Cannot overwrite"))
    table = mistake.text.lstrip().startswith("[")
    instead = "give one of the two another name" if "." in name else f"if there may be several, each is a [[{name}]]"
    return _first(
        (
            again and table,
            f"[{name}] stands here a second time",
            f"put its settings under one [{name}]; {instead}",
        ),
        (again, f"'{mistake.key}' is set a second time", "keep one of the two lines"),
        (message.startswith("Duplicate"), f"{message.rpartition(' ')[2]} stands twice between the same braces", "keep one of the two"),
    )


def _bracket(mistake: Mistake) -> Guess:
    """A bracket too few, too many or of the wrong kind."""
    message, text, rest = mistake.message, mistake.text.strip(), mistake.rest.strip()
    name = re.sub(r"[\[\]#].*$", "", text.lstrip("[")).strip()
    start, end = ("{", "}") if "inline table" in message else ("[", "]")
    more = message.startswith("Expected newline") and text.startswith("[") and rest.startswith("]")
    unclosed = message.startswith("Unclosed")
    return _first(
        (message.startswith("Expected ']]'"), "the table's name is opened with [[ and not closed with ]]", f"write [[{name}]]"),
        (message.startswith("Expected ']'"), "the table's name is opened with [ and not closed with ]", f"write [{name}]"),
        (more, "the table's name is closed with ]] but opened with [", f"write [[{name}]] where there may be several, else [{name}]"),
        (
            unclosed and (rest[:1] in ('"', "'") or mistake.word),
            "a comma is missing before this",
            f"write {start}a, b{end}, with a comma between the two",
        ),
        (unclosed and rest[:1] in ("]", "}"), f"what begins with {start} ends with {rest[:1]}", f"end it with {end}"),
        (unclosed, f"{start} is never closed", "add } to this line" if end == "}" else "add ] at the end of the list"),
    )


def _string(mistake: Mistake) -> Guess:
    """A text that does not end, or that holds a backslash."""
    open_ended = mistake.message.startswith(("Illegal character '\\n'", "Unterminated", "Expected '\"", 'Expected "'))
    backslash = mistake.message.startswith(("Unescaped", "Invalid hex", "Escaped"))
    return _first(
        (open_ended, "the text is opened with a quote and not closed", "add the closing quote"),
        (backslash, "a backslash means something else in double quotes", f"write / instead, or single quotes: {mistake.key} = 'C:\\door'"),
    )


def _trailing(mistake: Mistake) -> Guess:
    """Something after a value that was complete."""
    if not mistake.message.startswith("Expected newline"):
        return None
    key, rest, value = mistake.key, mistake.rest.strip(), _plain(mistake.text.partition("=")[2])
    number = value.lstrip("0").rstrip(".") or "0"
    return _first(
        (rest.startswith(("//", "--")), "this is no comment", "a comment begins with #"),
        (rest[:1] in (",", ";"), f"{rest[:1]} stands after the value", "one setting per line, without a comma or semicolon at its end"),
        (re.fullmatch(r"0\d+|\d+\.", value), f"{value} is no number", f"write {key} = {number}"),
        (value[:1].isdigit(), f"{value} is no number", f'a duration, a time or an address is text, in quotes: {key} = "{value}"'),
        (True, f"{rest[:40]} stands after the value", "one setting per line; several values are a list: [1, 2]"),
    )


def _plain(text: str) -> str:
    """Return a value as it stands, without a comment."""
    return text.partition("#")[0].strip()[:60]


GUESSES = (_value, _equals, _statement, _twice, _bracket, _string, _trailing)
