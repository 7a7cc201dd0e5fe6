"""claims.json -> the claims page: its figures and the parts between the markers of docs/claims/en.md and ko.md; `python -m bench.claims_page`.

Whatever was measured is written by this file, so that no figure of the page can drift from what was measured; the words around it, which
hold no figures that were measured, are written by hand.
"""

import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from bench.notes import figures, words_en, words_ko
from bench.notes.measured import KEPT, Measured, Setting, load
from bench.notes.said import SECTIONS, columns, source, together
from bench.notes.sets import ARCHIVES, LABELS
from bench.notes.trained import USUAL
from bench.notes.verdict import HOLDS, Statement, Verdict, judged

PAGES = Path(__file__).parents[1] / "docs" / "claims"
LANGUAGES: Mapping[str, ModuleType] = {"en": words_en, "ko": words_ko}
MARKED = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"\d[\d.]*(e-?\d+)?")
DIGITS = {"loss gap": 2, "nats": 2, "reaches start": 1, "reaches middle": 1, "reaches end": 1, "decades": 2}
# Which settings a section shows where it shares its measurements with another.
SHOWN = {"vanishing": ("plain", "plain dropout", "plain dropouts", "sigmoid", "sigmoid dropout", "sigmoid dropouts")}
SHOWN["gradient"] = ("plain", "residual", "plain norm", "residual norm")


def setting(claim: str, name: str, words: ModuleType) -> str:
    """Return the words for a setting, with the set it was drawn from where there are two."""
    first, _, rest = name.partition(" ")
    where, name = (f"{words.SETS[first]}, ", rest) if first in ARCHIVES else ("", name)
    before, _, last = name.rpartition(" ")
    numbered = before and NUMBER.fullmatch(last)
    text: str = words.SETTINGS[f"{claim} {before if numbered else name}"]
    return where + text.format(n=f"{float(last):g}" if numbered else "")


def _table(heads: list[str], rows: list[list[str]], right: int = 0) -> str:
    """Write a table whose last columns, so many, are flush right."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) - right) + "---:|" * right]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _mean(values: tuple[float, ...], digits: int) -> str:
    """Write a mean with its standard deviation."""
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def _row(section: str, one: Setting, words: ModuleType) -> list[str]:
    facts, values = columns(section)
    shown = [f"{one.facts[fact]:,.0f}" for fact in facts]
    return [setting(source(section), one.name, words), *shown, *(_mean(one.values[value], DIGITS.get(value, 1)) for value in values)]


def settings_table(section: str, measured: Measured, words: ModuleType) -> str:
    """Return the table of what was measured: every setting with its facts and its means over the draws."""
    facts, values = columns(section)
    chosen = SHOWN.get(section, tuple(one.name for one in measured.settings))
    heads = [words.HEADS[name].format(**measured.setup) for name in ("setting", *facts, *values)]
    return _table(heads, [_row(section, measured[name], words) for name in chosen], len(heads) - 1)


def _signed(value: float, unit: str) -> str:
    return f"{value:+.{DIGITS.get(unit, 1)}f}"


def _said(statement: Statement, words: ModuleType) -> str:
    more = setting(statement.claim, statement.more, words)
    less = setting(statement.claim, statement.less, words) if statement.less else ""
    text: str = words.THAN if less else words.NOTHING
    return text.format(measure=words.MEASURES[statement.measure], more=more, less=less)


def _judgement(statement: Statement, found: Verdict, words: ModuleType) -> list[str]:
    mean, low, high = (_signed(value, statement.unit) for value in (found.mean, found.low, found.high))
    return [_said(statement, words), f"{mean} [{low}, {high}] {words.UNITS[statement.unit]}", words.VERDICTS[found.word]]


def _across(statements: tuple[Statement, ...], verdicts: list[Verdict], words: ModuleType) -> str:
    """Return the mean differences of a claim's statements from the least to the greatest, unit by unit."""
    parts = []
    for unit in dict.fromkeys(s.unit for s in statements):
        means = sorted(v.mean for s, v in zip(statements, verdicts, strict=True) if s.unit == unit)
        ends = dict.fromkeys(_signed(mean, unit) for mean in (means[0], means[-1]))
        parts.append(f"{' … '.join(ends)} {words.UNITS[unit]}")
    return "; ".join(parts)


def claims_table(section: str, measured: Measured, words: ModuleType) -> str:
    """Return the section's claims with their verdicts."""
    rows = []
    for name, statements in SECTIONS[section].items():
        verdicts = [judged(statement, measured) for statement in statements]
        held = f"{sum(v.word == HOLDS for v in verdicts)} / {len(verdicts)}"
        rows.append([words.CLAIMS[name], words.VERDICTS[together(verdicts)], held, _across(statements, verdicts, words)])
    return _table([words.HEADS[name] for name in ("claim", "verdict", "statements", "difference")], rows)


def _setup(measured: Measured, words: ModuleType) -> str:
    prefixes = dict.fromkeys(name for one in measured.settings if (name := one.name.partition(" ")[0]) in ARCHIVES)
    sets = ", ".join(words.SETS[name] for name in prefixes or ("mnist",)) + ": "
    each = words.EACH.format(each=measured.setup["each"]) if "each" in measured.setup else ""
    seeds = {"draws": len(measured.seeds), "first": measured.seeds[0], "last": measured.seeds[-1]}
    facts = seeds | {"steps": measured.setup["steps"], "batch": measured.setup.get("batch", USUAL.batch)}
    text: str = words.SETUP.format(sets=sets, each=each, judged=f"{int(measured.setup['judged']) * LABELS:,}", **facts)
    return f"{text} {measured.origin}.\n"


def block(section: str, measured: Mapping[str, Measured], words: ModuleType) -> str:
    """Return everything measured that stands in one section, or the table of all claims for `summary`; says where nothing was measured yet."""
    if section == "summary":
        parts = [claims_table(name, measured[source(name)], words) for name in SECTIONS if source(name) in measured]
        return "".join(part if not number else "".join(part.splitlines(keepends=True)[2:]) for number, part in enumerate(parts))
    if source(section) not in measured:
        return f"{words.MISSING}\n"
    one = measured[source(section)]
    heads = [words.HEADS[name] for name in ("statement", "difference", "verdict")]
    rows = [_judgement(s, judged(s, one), words) for statements in SECTIONS[section].values() for s in statements]
    figure = f"![{words.FIGURE}: {section}]({section}.png)\n"
    return "\n".join([claims_table(section, one, words), figure, settings_table(section, one, words), _table(heads, rows), _setup(one, words)])


def filled(page: str, measured: Mapping[str, Measured], words: ModuleType) -> str:
    """Return a page with everything between its markers written anew."""
    return MARKED.sub(lambda found: f"{found[1]}\n{block(found[2], measured, words)}\n{found[3]}", page)


def write(folder: Path = PAGES, kept: Path = KEPT) -> None:
    """Write the figures and the pages into a folder, from what is kept."""
    measured = load(kept)
    for section in SECTIONS:
        if source(section) in measured:
            figures.save(section, measured[source(section)], folder / f"{section}.png")
    for language, words in LANGUAGES.items():
        page = (PAGES / f"{language}.md").read_text(encoding="utf-8")
        (folder / f"{language}.md").write_text(filled(page, measured, words), encoding="utf-8")


if __name__ == "__main__":
    write()
