"""Settings: every problem told at once, with its place and the near miss."""

import os
import time
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, StrictBool, model_validator

from peephole.base.errors import MissingInput, SettingsError
from peephole.base.settings import MAX_BYTES, Section, check, load_table, load_toml


class Lockout(Section):
    """Three numbers."""

    after: Annotated[int, Field(ge=1)] = 5
    seconds: float = 30


class Decide(Section):
    """How many frames."""

    agree: Annotated[int, Field(ge=1, le=30)] = 3
    false_accept: Annotated[float, Field(gt=0, lt=1)] = 0.01
    mode: Literal["strict", "lenient"] = "strict"
    lockout: Lockout = Lockout()


class Rule(Section):
    """Who may do what."""

    who: tuple[str, ...]
    do: str = "open"


class Action(Section):
    """What is switched."""

    target: str
    pulse: float | None = None


class Broker(Section):
    """Where messages go."""

    password: Annotated[str, Field(min_length=20)] = "x" * 20


class Door(Section):
    """A door's settings."""

    name: str
    low_risk: bool = False
    decide: Decide = Decide()
    rule: tuple[Rule, ...] = ()
    action: dict[str, Action] = Field(default_factory=dict)
    broker: Broker | None = None

    @model_validator(mode="after")
    def _rules_name_actions(self) -> "Door":
        for rule in self.rule:
            if rule.do not in self.action:
                raise ValueError(f"a rule does '{rule.do}', which is no action")
        return self


GOOD = """
name = "front"
[decide]
agree = 5
lockout = {after = 3}
[[rule]]
who = ["ana", "준호"]
[action.open]
target = "log://"
"""


def load(tmp_path, text: str | bytes) -> Door:
    """Write a settings file and read it."""
    path = tmp_path / "DOOR.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_toml(path, Door)


def complaint(tmp_path, text: str | bytes) -> str:
    """Return what is said about a wrong settings file, without the folder."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert caught.value.hint
    return caught.value.what.replace(str(tmp_path) + "/", "")


def test_good_settings(tmp_path):
    """Tables, lists of tables and inline tables become frozen sections; a byte order mark and DOS line ends do no harm."""
    door = load(tmp_path, GOOD)
    assert (door.name, door.decide.agree, door.decide.lockout.after, door.rule[0].who) == ("front", 5, 3, ("ana", "준호"))
    assert door.action["open"].target == "log://"
    assert load(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == door
    with pytest.raises(ValueError, match="frozen"):
        door.name = "back"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("agree = 5", "agre = 5", "decide.agre is not a setting (did you mean 'agree'?)"),
        ("after = 3", "aftr = 3", "decide.lockout.aftr is not a setting (did you mean 'after'?)"),
        ("who =", "whom =", "rule[1].whom is not a setting (did you mean 'who'?)"),
        ("target =", "tarjet =", "action.open.tarjet is not a setting (did you mean 'target'?)"),
        ("name =", "zzz = 1\nname =", "zzz is not a setting (there are: action, broker, decide, low_risk, name, rule)"),
        ('name = "front"', "", "name is missing"),
        ("agree = 5", "agree = 0", "decide.agree is 0: it should be greater than or equal to 1"),
        ("agree = 5", "agree = 2.5", "decide.agree is 2.5: it should be a whole number"),
        ("agree = 5", 'agree = "many"', "decide.agree is 'many': it should be a whole number, without quotes"),
        ("agree = 5", "false_accept = nan", "decide.false_accept is nan: it should be a finite number"),
        ("agree = 5", "false_accept = inf", "decide.false_accept is inf: it should be a finite number"),
        ("agree = 5", 'mode = "strickt"', "decide.mode is 'strickt': it should be 'strict' or 'lenient' (did you mean 'strict'?)"),
        ('who = ["ana", "준호"]', 'who = "ana"', "rule[1].who is 'ana': it should be a list, in [ ]"),
        ("[action.open]", "[action.opn]", "a rule does 'open', which is no action"),
        ("[[rule]]", "[rule]", "rule"),
    ],
)
def test_each_problem_has_its_place(tmp_path, old, new, said):
    """The dotted place, the value, what it should be, and the near miss."""
    assert old in GOOD
    assert said in complaint(tmp_path, GOOD.replace(old, new))


def test_all_problems_are_told_at_once(tmp_path):
    """Five mistakes take one round to mend, not five; a hundred are counted."""
    wrong = complaint(tmp_path, 'nme = "x"\n[decide]\nagree = 99\nmod = 1\n[[rule]]\nwho = ["a"]\n[[rule]]\ndo = 5\n')
    assert wrong.startswith("DOOR.toml has 6 problems:\n")
    places = ("nme", "name is missing", "decide.agree", "decide.mod ", "rule[2].who", "rule[2].do")
    assert all(f"\n  {place}" in wrong for place in places)
    many = complaint(tmp_path, 'name = "x"\n' + "".join(f"wrong{number} = 1\n" for number in range(100)))
    assert "has 100 problems" in many
    assert many.endswith("and 80 more")


def test_a_secret_is_not_repeated(tmp_path):
    """A password with a mistake stays off the screen."""
    assert "hunter2" not in complaint(tmp_path, 'name = "x"\n[broker]\npassword = "hunter2"\n')
    assert "hunter2" not in complaint(tmp_path, 'name = "x"\n[broker]\npassword = hunter2\n')
    assert "hunter2" not in complaint(tmp_path, 'name = "x"\n[broker]\npasswrd = "hunter2"\n')


def _refuse(value):
    """Say what is wrong in the ways that readers of values do."""
    if value == "is":
        raise ValueError("is too short to be one")
    raise ValueError("'foldr' is not known" if "://" in value else f"'{value}' is not an address")


class Odd(Section):
    """Settings whose readers speak in sentences of their own."""

    source: Annotated[str, AfterValidator(_refuse)] = ""
    limits: Lockout | None = None
    words: Annotated[tuple[str, ...], Field(min_length=1)] = ("a",)
    on: StrictBool = False


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "photos"}, "x: source: 'photos' is not an address"),
        ({"source": "foldr://a"}, "x: source is 'foldr://a': 'foldr' is not known"),
        ({"source": "is"}, "x: source is 'is': it is too short to be one"),
        ({"limits": 5}, "x: limits is 5: it should be a table, as in {after = ..., seconds = ...}"),
        ({"words": []}, "x: words: it should not be empty"),
        ({"on": "yes"}, "x: on is 'yes': it should be true or false, without quotes"),
    ],
)
def test_nothing_is_said_twice(values, said):
    """A value stands once in a sentence, and what it should be is said as TOML is written, not as Python is."""
    with pytest.raises(SettingsError) as caught:
        check(Odd, values, "x")
    assert caught.value.what == said


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ('name = "front"\nlow_risk = True\n', "line 2, column 12: True is no value\n  low_risk = True", "without quotes: low_risk = true"),
        ("low_risk = no", "line 1, column 12: no is no value", "low_risk = false"),
        ("name = front-door # x", "line 1, column 8: front-door is text without quotes", 'name = "front-door"'),
        ("who = [ana]", "line 1, column 8: ana is text without quotes", 'who = ["ana", ...]'),
        ("name = “a”", "line 1, column 8: curly quotes", 'name = "a"'),
        ("name =", "line 1, column 7: 'name' has no value", 'name = "..."'),
        ('who = ("a")', "line 1, column 7: a list does not stand in round brackets", "square"),
        ("name = None", "line 1, column 8: None is no value", "leave name out"),
        ("x = .5", "line 1, column 5: .5 is no number", "x = 0.5"),
        ("x = 5.", "line 1, column 6: 5. is no number", "x = 5"),
        ("name\n", "line 1, column 5: 'name' has no =", 'name = "..."'),
        ("name front", "line 1, column 6: there is no = after 'name'", 'name = "front"'),
        ("name: 'x'", "line 1, column 5: a colon is no =", "name = 'x'"),
        ("a b = 1", "line 1, column 3: a setting's name is one word", "a_b ="),
        ("gate]", "line 1, column 5: the [", "write [gate]"),
        ("[gate\nx = 1", "line 1, column 6: the table's name", "write [gate]"),
        ("[[rule]\n", "line 1, column 7: the table's name is opened with [[", "write [[rule]]"),
        ("[rule]]\n", "line 1, column 7: the table's name is closed with ]]", "write [[rule]]"),
        ('name = "a"\nname = "b"\n', "line 2, column", "keep one"),
        ("[rule]\nx = 1\n[rule]\n", "line 3, column 6: [rule] stands here a second time\n  [rule]", "each is a [[rule]]"),
        ("[a.b]\n[a.b] # x\n", "line 2, column 5: [a.b] stands here a second time", "another name"),
        ("x = {a = 1, a = 2}", "line 1, column 18: 'a' stands twice", "keep one"),
        ('\nwho = [\n"a",\n\ndo = "open"', "line 2, column 8: [ is never closed\n  who = [", "add ]"),
        ('who = ["a" "b"]', "line 1, column 12: a comma is missing", "comma"),
        ('who = ["a"}', "line 1, column 11: what begins with [ ends with }", "end it with ]"),
        ("q = {a = 1\n[b]", "line 1, column 11: { is never closed", "add }"),
        ("q = {a = 1,}", "line 1, column 12: a comma stands before }", "remove it"),
        ('name = "front\n', "line 1, column 14: the text is opened", "closing quote"),
        ('\n\nx = """never\nends', "line 3, column 13: the text is opened", "closing quote"),
        ('m = "C:\\door"', "line 1, column 10: a backslash", "m = 'C:\\door'"),
        ("within = 2 s", "line 1, column 12: 2 s is no number", 'within = "2 s"'),
        ("agree = 3,", "line 1, column 10: , stands after", "one setting per line"),
        ("agree = 3 // x", "line 1, column 11: this is no comment", "#"),
        ("// x", "line 1, column 1: this is no setting", "#"),
        ("문 = 1", "line 1, column 1: a name in other letters", 'write "문"'),
        (b'name = "\xff"\n', "line 1: not UTF-8", "UTF-8"),
        (b"\x00\x01\x1b[31m", "line 1, column 1: Invalid statement\n  ???[31m", "toml.io"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path, text, said, hint):
    """Line, column, what is wrong, the line itself without control characters, and a hint that fits this mistake."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert caught.value.what.replace(str(tmp_path) + "/", "").startswith(f"DOOR.toml, {said}")
    assert hint in caught.value.hint and len(caught.value.what.splitlines()) <= 2


def test_a_long_line_is_shown_around_the_mistake(tmp_path):
    """A line of a thousand letters is not printed whole."""
    told = complaint(tmp_path, f'who = [{chr(34)}{"a" * 900}", oops, "{"b" * 900}"]')
    assert "oops, " in told.splitlines()[1] and len(told.splitlines()[1]) <= 82


def test_one_table_alone(tmp_path):
    """`load_table` asks for nothing of the other tables; an absent one is empty, a value in its place is refused."""
    path = tmp_path / "DOOR.toml"
    path.write_text("nonsense = 1\n[decide]\nagree = 7\n")
    assert load_table(path, "decide", Decide).agree == 7
    assert load_table(path, "lockout", Lockout) == Lockout()
    with pytest.raises(SettingsError, match=r"nonsense is no table(.|\n)*\[nonsense\]"):
        load_table(path, "nonsense", Decide)
    path.write_text("[decide]\nagre = 7\n")
    with pytest.raises(SettingsError, match=r"\[decide\]: agre is not a setting"):
        load_table(path, "decide", Decide)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "[" * 50_000, "recursion"),
        ("x = " + "{a = " * 50_000, "recursion"),
        ("x = " + "[" * 200 + "]" * 200, "too deep"),
        ("x = " + "[" * 20 + "]" * 20, "too deep"),
        ("a." * 20 + "a = 1", "too deep"),
        ("a." * 60 + "a = 1", "too deep"),
        ("x = " + ("{" + "a." * 60 + "a = ") * 200 + "1" + "}" * 200, "too deep"),
        ("a." * 200_000 + "a = 1", "too deep"),
        ("[" + "a." * 200_000 + "a]", "too deep"),
        ("x = {" + '"a".' * 50_000 + "a = 1}", "too deep"),
        ("x = " + "1" * 5000, "digits"),
        ("name = " + "9" * 300, "name is 99"),
    ],
    ids=lambda text: f"{text[:8]} ({len(text)})",
)
def test_hostile_texts_are_refused_quickly(tmp_path, text, said):
    """Deep nesting and endless numbers are refused in a moment, without a crash."""
    start = time.perf_counter()
    assert said in complaint(tmp_path, text)
    assert time.perf_counter() - start < 5


def test_the_size_is_asked_before_reading(tmp_path):
    """Ten gigabytes (on paper) are refused at once."""
    with (tmp_path / "big.toml").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(SettingsError, match="at most 1,048,576"):
        load_toml(tmp_path / "big.toml", Door)
    with pytest.raises(SettingsError):
        load(tmp_path, b"#" * MAX_BYTES)
    assert "bytes" in complaint(tmp_path, b"#" * (MAX_BYTES + 1))


def test_what_is_no_file(tmp_path):
    """A folder, a pipe, an odd name and an absent file; the near miss is offered."""
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path, tmp_path / "pipe.toml"):
        with pytest.raises(SettingsError, match="is not a file"):
            load_toml(path, Door)
    for path in ("a\0b.toml", "x" * 5000):
        with pytest.raises(SettingsError):
            load_toml(path, Door)
    (tmp_path / "DOOR.toml").write_text(GOOD)
    with pytest.raises(MissingInput, match=r"did you mean 'DOOR\.toml'"):
        load_toml(tmp_path / "DOR.toml", Door)
    for path in (tmp_path / "no" / "DOOR.toml", tmp_path / "DOOR.toml" / "below"):
        with pytest.raises(MissingInput, match="no settings file"):
            load_toml(path, Door)
    (tmp_path / "link.toml").symlink_to(tmp_path / "DOOR.toml")
    assert load_toml(tmp_path / "link.toml", Door).name == "front"


def test_values_from_elsewhere_are_checked_too():
    """`check` names the source it was given."""
    assert check(Lockout, {"after": 2}, "--lockout") == Lockout(after=2)
    with pytest.raises(SettingsError, match=r"--lockout: after is 0: it should be greater") as caught:
        check(Lockout, {"after": 0}, "--lockout")
    assert caught.value.hint == "change it in --lockout"


def test_a_lax_model_is_our_own_mistake():
    """A model that would swallow unknown keys cannot be used for settings, however deep it lies."""

    class Lax(BaseModel):
        x: int = 0

    class Outer(Section):
        inner: tuple[Lax, ...] = ()

    for kind in (Lax, Outer):
        with pytest.raises(AssertionError):
            check(kind, {}, "here")


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "rule", "who", "decide", "agree", "x\n", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "low_risk", "decide", "rule", "action", "broker", "naem", "\n"]), JSON_LIKE, max_size=5))
def test_any_values_are_taken_or_refused(values):
    """Whatever stands in a file: a door, or one SettingsError with each problem on a line of its own."""
    try:
        assert isinstance(check(Door, values, "here"), Door)
    except SettingsError as error:
        first, *rest = error.what.splitlines()
        assert first.startswith("here")
        assert all(line.startswith("  ") for line in rest)
