"""Figures are kept with their values, and one script's run leaves another's alone."""

import ast
import json
from pathlib import Path

from bench.report import HERE, Row, save

FAST = Row("fast", (1.0, 2.0, 9.0), "ms", "processes", most=3)
GOOD = Row("good", (98.0, 99.0), "%", "seeds", "mean", least=99)


def test_a_median_ignores_an_outlier_and_a_mean_does_not():
    """Timings are judged by their median, accuracies by their mean."""
    assert (FAST.value, FAST.verdict, FAST.spread) == (2.0, "pass", "1 to 9")
    assert (GOOD.value, GOOD.verdict) == (98.5, "miss")
    assert GOOD.spread.startswith("± 0.71")


def test_a_time_limit_is_judged_by_the_slowest():
    """A budget that one draw breaks is broken, whatever the mean says."""
    row = Row("slow once", (42.5, 44.0, 92.5), "s", "seeds", "worst", most=60)
    assert (row.value, row.verdict) == (92.5, "miss")
    assert row.spread == "mean 59.67 (42.5 to 92.5)"


def test_a_second_run_replaces_its_own_rows_only(tmp_path: Path):
    """Rows of the same script on the same machine are replaced, those of other scripts stay."""
    save("a", [FAST, GOOD], 0.0, tmp_path)
    save("b", [GOOD], 0.0, tmp_path)
    save("a", [FAST], 12.0, tmp_path)
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [(e["script"], e["what"], e["others"]) for e in kept] == [("a", "fast", "12 %"), ("b", "good", "0 %")]
    assert kept[0]["values"] == [1.0, 2.0, 9.0]
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| fast | 2 ms |" in table
    assert "98.5 % | ± 0.71 (98 to 99) | 2 seeds | >= 99 (miss)" in table


def test_every_script_is_short_and_says_what_it_measures():
    """A newcomer reads each in one sitting: a docstring, under 150 lines, no function over 60."""
    for path in (*HERE.glob("*.py"), *HERE.glob("notes/*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        assert ast.get_docstring(tree), path.name
        assert text.count("\n") < 150, path.name
        long = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and (n.end_lineno or 0) - n.lineno >= 60]
        assert not long, (path.name, long)
