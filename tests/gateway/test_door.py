"""DOOR.toml: every key wrong in turn, near misses, and whatever is not honoured refused by name."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from peephole.base.card import Region
from peephole.base.errors import InputError, MissingInput, SettingsError
from peephole.base.settings import check
from peephole.gateway.door import Door, journal_of, load_door
from peephole.gateway.fakes import card_for
from peephole.gateway.keys import DoorSettings
from peephole.gateway.sentences import check as explain

EXAMPLE = Path(__file__).parents[2] / "examples" / "door" / "DOOR.toml"
WHOLE = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true
[sensor]
source = "folder://frames?once=1"
region = "card"
quality = {min_light = 0.1, min_sharpness = 0.2}
[decide]
agree = 3
within = "2 s"
gap = "2 s"
cool_down = "5 s"
false_accept = 0.01
second_factor = "none"
[[rule]]
who = ["ana", "junho"]
when = "Mo-Fr 07:00-20:00"
do = "open"
[[rule]]
who = ["unknown"]
do = "call"
[action.open]
target = "log://"
pulse = "5 s"
safe = "off"
egress = false
[action.call]
target = "mqtt://home/doorbell"
[action.bell]
target = "https://home.example/bell?to=hall"
pulse = "1 s"
secret = {file = "webhook.secret"}
timeout = "2 s"
[action.light]
target = "gpio://17?active=low"
pulse = "1 min"
[broker]
url = "mqtt://127.0.0.1:1883"
username = "front-door"
password = {file = "broker.secret"}
[journal]
path = "journal.db"
"""
VALUES = tomllib.loads(WHOLE)


def changed(place: str, value: Any) -> dict[str, Any]:
    """Return the settings with one value changed at a dotted place; numbers are places in lists, `...` takes the key out."""
    values = copy.deepcopy(VALUES)
    at: Any = values
    *way, last = (int(part) if part.isdigit() else part for part in place.split("."))
    for part in way:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return values


def problem(place: str, value: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        check(DoorSettings, changed(place, value), "DOOR.toml")
    return str(caught.value)


def test_the_whole_of_it_is_read() -> None:
    """Every key that this version honours, at once."""
    door = Door(Path("/etc/door/DOOR.toml"), check(DoorSettings, VALUES, "DOOR.toml"))
    policy = door.policy()
    assert (policy.agree, policy.within, policy.gap, policy.cool_down) == (3, 2.0, 2.0, 5.0)
    assert [(rule.name, sorted(rule.who), rule.action, rule.opens) for rule in policy.rules] == [
        ("rule 1", ["ana", "junho"], "open", True),
        ("rule 2", ["unknown"], "call", False),
    ]
    assert door.model == Path("/etc/door/door.onnx") and door.journal == Path("/etc/door/journal.db")
    assert (door.pulse("open"), door.pulse("call"), door.opening) == (5.0, None, True)
    assert door.settings.broker is not None and door.settings.broker.place == ("127.0.0.1", 1883)


WRONG: list[tuple[str, Any, str]] = [
    ("gate.name", "", "gate.name"),
    ("gate.name", "a/b", "letters, digits"),
    ("gate.name", "a\nb", "letters, digits"),
    ("gate.name", "x" * 10_000, "gate.name"),
    ("gate.name", 7, "gate.name"),
    ("gate.name", ..., "gate.name is missing"),
    ("gate.model", "", "gate.model"),
    ("gate.model", ["door.onnx"], "gate.model"),
    ("gate.model", ..., "gate.model is missing"),
    ("gate.low_risk", "true", "gate.low_risk"),
    ("gate.low_risk", 1, "gate.low_risk"),
    ("gate.low_risk", False, "second factor is not supported yet"),
    ("gate", ..., "gate is missing"),
    ("sensor", ..., "sensor is missing"),
    ("sensor.source", "photos", "is not an address"),
    ("sensor.source", "foldr://photos", "did you mean 'folder'"),
    ("sensor.source", "camera://0", "camera:// is not supported yet"),
    ("sensor.source", "csv://rows.csv", "csv:// is not supported yet"),
    ("sensor.source", "folder://a\x00b", "control character"),
    ("sensor.source", "folder://a%00b", "control character"),
    ("sensor.source", 5, "sensor.source"),
    ("sensor.region", [0, 0, 0.5, 0.5], "not supported yet"),
    ("sensor.region", "face", "not supported yet"),
    ("sensor.quality.min_light", 1.5, "sensor.quality.min_light"),
    ("sensor.quality.min_light", "0.1", "sensor.quality.min_light"),
    ("sensor.quality.min_light", float("nan"), "sensor.quality.min_light"),
    ("sensor.quality.min_light", True, "sensor.quality.min_light"),
    ("sensor.quality.min_sharpness", -1, "sensor.quality.min_sharpness"),
    ("sensor.quality.min_sharpness", float("inf"), "sensor.quality.min_sharpness"),
    ("sensor.quality.max_subjects", 1, "max_subjects is not supported yet"),
    ("decide", ..., "decide is missing"),
    ("decide.agree", 0, "decide.agree"),
    ("decide.agree", 101, "decide.agree"),
    ("decide.agree", 2.5, "decide.agree"),
    ("decide.agree", "3", "decide.agree"),
    ("decide.agree", True, "decide.agree"),
    ("decide.within", 2, "is not a duration"),
    ("decide.within", "0 s", "decide.within"),
    ("decide.within", "2 h", "decide.within"),
    ("decide.within", "2 sec", "is not a unit of time"),
    ("decide.gap", "0 ms", "decide.gap"),
    ("decide.gap", "-1 s", "is not a duration"),
    ("decide.cool_down", "2 h", "decide.cool_down"),
    ("decide.false_accept", 0, "decide.false_accept"),
    ("decide.false_accept", 1, "decide.false_accept"),
    ("decide.false_accept", "1 %", "decide.false_accept"),
    ("decide.false_accept", float("nan"), "decide.false_accept"),
    ("decide.false_accept", ..., "decide.false_accept is missing"),
    ("decide.second_factor", "mqtt://door/pin", "second factor is not supported yet"),
    ("decide.lockout", {"after": 5}, "lockout is not supported yet"),
    ("rule", ..., "rule is missing"),
    ("rule", [], "rule"),
    ("rule.0.who", [], "rule[1].who"),
    ("rule.0.who", "ana", "rule[1].who"),
    ("rule.0.who", [""], "rule[1].who"),
    ("rule.0.who", ["x" * 10_000], "rule[1].who"),
    ("rule.0.who", ["unknown"], "lets strangers do 'open'"),
    ("rule.1.who", ["unknown", 3], "rule[2].who"),
    ("rule.1.do", "open", "lets strangers do 'open'"),
    ("rule.0.when", "Mon-Fri", "did you mean"),
    ("rule.0.when", 7, "rule[1].when"),
    ("rule.0.do", "opn", "did you mean 'open'"),
    ("rule.0.do", ..., "rule[1].do is missing"),
    ("action", ..., "action is missing"),
    ("action.open", ..., "there is no [action.open]"),
    ("action.open.target", "gpio://17", "both drive pin 17"),
    ("action.open.target", "gpio://", "is no pin"),
    ("action.open.target", "gpio://BOARD11", "is no pin"),
    ("action.open.target", "gpio://017", "is no pin"),
    ("action.open.target", "gpio://54", "is no pin"),
    ("action.open.target", "gpio://" + "9" * 10_000, "is no pin"),
    ("action.open.target", "gpio://1７", "is no pin"),
    ("action.open.target", "gpio://4?active=hihg", "did you mean 'high'"),
    ("action.open.target", "gpio://4?activ=high", "did you mean 'active'"),
    ("action.open.target", "gpio://4?active=high&active=low", "twice"),
    ("action.open.target", "gpio://4?fake=", "without a file"),
    ("action.open.target", "gpio://4?egress=1", "software never controls the way out"),
    ("action.light.pulse", ..., "a pin is only driven for a pulse"),
    ("action.open.target", "http://127.0.0.1/open", "a webhook is signed"),
    ("action.bell.target", "https://", "is not a URL"),
    ("action.bell.target", "https://host:99999/", "is not a URL"),
    ("action.bell.target", "https://host:0/", "is not a URL"),
    ("action.bell.target", "https://me:hunter2@host/", "no name and no password"),
    ("action.bell.target", "https://host/#top", "has a fragment"),
    ("action.bell.target", "https://host/a b", "letters that no URL has"),
    ("action.bell.target", "https://höst/", "letters that no URL has"),
    ("action.bell.target", "https://host/" + "x" * 10_000, "letters that no URL has"),
    ("action.bell.target", "https://host/a%0d%0ab", "control character"),
    ("action.bell.target", "https://[::1/", "is not a URL"),
    ("action.bell.target", "https://host/?egress=1", "software never controls the way out"),
    ("action.bell.target", "log://", "log:// signs nothing"),
    ("action.bell.secret", ..., "a webhook is signed"),
    ("action.bell.secret", "hunter2hunter2hunter2", "action.bell.secret"),
    ("action.bell.secret.file", "", "action.bell.secret.file"),
    ("action.bell.timeout", 2, "is not a duration"),
    ("action.bell.timeout", "0 s", "action.bell.timeout"),
    ("action.bell.timeout", "11 s", "action.bell.timeout"),
    ("action.call.timeout", "2 s", "or follow the device: ?state=TOPIC"),
    ("action.light.timeout", "2 s", "gpio:// waits for no answer"),
    ("action.call.target", "mqtt://home/bell?discovery=lokc", "did you mean 'lock'"),
    ("action.call.target", "mqtt://home/bell?discovery=lock", "without a pulse it never ends"),
    ("action.call.target", "mqtt://home/bell?stat=x", "did you mean 'state'"),
    ("action.call.target", "mqtt://home/bell?state=home/%23", "is not a topic"),
    ("action.call.target", "mqtt://home/bell?state=home/bell", "on the topic that it hears the answers on"),
    ("action.call.target", "mqtt://home/bell?state=", "is not a topic"),
    ("action.open.target", "lgo://x", "did you mean 'log'"),
    ("action.open.target", "record://lock", "takes no path"),
    ("action.open.target", "log://x?egress=1", "software never controls the way out"),
    ("action.open.target", "log://x?colour=1", "does not know the option 'colour'"),
    ("action.call.target", "mqtt://home/+/bell", "is not a topic"),
    ("action.call.target", "mqtt://", "is not a topic"),
    ("action.call.target", "mqtt://$SYS/x", "is not a topic"),
    ("action.open.pulse", 5, "is not a duration"),
    ("action.open.pulse", "0 s", "action.open.pulse"),
    ("action.open.pulse", "1 h", "action.open.pulse"),
    ("action.open.safe", "on", "on a fault the door stays shut"),
    ("action.open.safe", "of", "did you mean 'off'"),
    ("action.open.safe", False, "action.open.safe"),
    ("action.open.egress", True, "software never controls the way out"),
    ("action.open.egress", "no", "action.open.egress"),
    ("broker", ..., "there is no [broker]"),
    ("broker.url", "127.0.0.1:1883", "is not an address"),
    ("broker.url", "mqtts://127.0.0.1", "mqtts:// is not supported yet"),
    ("broker.url", "mqtt://", "is not a broker"),
    ("broker.url", "mqtt://host:0", "is not a broker"),
    ("broker.url", "mqtt://host:99999", "is not a broker"),
    ("broker.url", "mqtt://me:secret@host", "is not a broker"),
    ("broker.username", "", "broker.username"),
    ("broker.password", "secret", "broker.password"),
    ("broker.password.file", "", "broker.password.file"),
    ("sensor.quality", 1, "sensor.quality"),
    ("journal", "journal.db", "journal"),
    ("journal.path", "", "journal.path"),
    ("journal.path", 3, "journal.path"),
    ("journal.pictures", {"days": 14}, "pictures is not supported yet"),
    ("journal.head", "mqtt://home/head", "head is not supported yet"),
]


@pytest.mark.parametrize(("place", "value", "says"), WRONG, ids=[f"{place}={str(value)[:20]!r}" for place, value, _ in WRONG])
def test_each_key_wrong_in_turn(place: str, value: Any, says: str) -> None:
    """A wrong value is refused with the key's own name, or with the reason, and never with a wall of text."""
    told = problem(place, value)
    assert says in told
    assert "hint:" in told and len(told) < 1000


def test_every_key_was_tried() -> None:
    """The list above leaves no key of the schema out."""
    tried = {place.split(".")[-1] for place, _, _ in WRONG}

    def keys(kind: Any) -> set[str]:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {name for field, info in kind.model_fields.items() for name in {field} | keys(info.annotation)}
        return {name for inner in get_args(kind) for name in keys(inner)}

    assert keys(DoorSettings) - tried == set()


@pytest.mark.parametrize(
    "place",
    [
        "gate.nmae",
        "gate.modle",
        "sensor.sorce",
        "decide.agre",
        "decide.wihtin",
        "decide.cooldown",
        "rule.0.whem",
        "action.open.puls",
        "broker.usernam",
        "journal.pth",
        "gaet",
        "sensor.quality.min_ligth",
    ],
)
def test_unknown_keys_have_near_misses(place: str) -> None:
    """A misspelt key is refused, and the right one offered."""
    assert "did you mean" in problem(place, "x")


def test_all_problems_are_told_at_once() -> None:
    """Two mistakes take one reading, not two."""
    values = changed("gate.name", "")
    values["decide"]["agree"] = 0
    with pytest.raises(SettingsError) as caught:
        check(DoorSettings, values, "DOOR.toml")
    assert "gate.name" in str(caught.value) and "decide.agree" in str(caught.value)


def test_a_password_is_never_repeated() -> None:
    """A password typed into DOOR.toml does not appear in the error."""
    assert "hunter2" not in problem("broker.password", "hunter2")


def test_an_action_nobody_thought_of_is_an_opening() -> None:
    """`unlock` is no way around the rules for `open`: strangers may not, it ends by itself, it is off on a fault."""
    values = changed("rule.1.do", "unlock")
    values["action"]["unlock"] = {"target": "log://"}
    with pytest.raises(SettingsError, match="lets strangers do 'unlock'"):
        check(DoorSettings, values, "DOOR.toml")
    values["rule"][1]["who"] = ["ana"]
    assert Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).pulse("unlock") == 5.0


def test_low_risk_is_only_needed_to_open() -> None:
    """A gate that only rings needs no such word."""
    values = changed("rule", [{"who": ["unknown"], "do": "call"}])
    values["gate"]["low_risk"] = False
    assert not Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).opening


def test_labels_that_the_model_lacks() -> None:
    """A rule for somebody whom the model does not know is refused, with the nearest name it does know."""
    door = Door(Path("DOOR.toml"), check(DoorSettings, VALUES, "DOOR.toml"))
    with pytest.raises(SettingsError, match="did you mean 'junhoo'"):
        door.require_labels(("ana", "junhoo"))
    with pytest.raises(SettingsError, match="did you mean 'ANA'"):
        door.require_labels(("ANA", "junho"))
    door.require_labels(("ana", "junho", "min"))


def test_labels_are_the_same_in_any_unicode_form() -> None:
    """한글 typed on a Mac (decomposed) is the label of the folder (composed)."""
    values = changed("rule.0.who", ["지우"])
    Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).require_labels(("지우",))


def test_a_missing_file(tmp_path: Path) -> None:
    """A path that is not there is said so."""
    with pytest.raises(MissingInput):
        load_door(tmp_path / "DOOR.toml")


def test_the_example_is_accepted() -> None:
    """The shipped example is short, is read, and fits a model that knows its labels."""
    assert len(EXAMPLE.read_text().splitlines()) <= 40
    found = explain(load_door(EXAMPLE), card_for(["ana", "junho"]))
    assert found.problems == ()
    assert any("a stranger may cause 'call'" in sentence for sentence in found.sentences)


def test_a_rectangle_is_explained(make_door: Callable[..., Door]) -> None:
    """A model that judges a part of the picture says which."""
    card = card_for(["ana", "junho"])
    given = card.input.model_copy(update={"region": Region(how="rectangle", box=(0.1, 0.2, 0.5, 0.25))})
    region = explain(make_door(), card.model_copy(update={"input": given})).parts[0].text
    assert "rectangle (50 % by 25 % of the picture, 10 % from the left and 20 % from the top" in region


def test_without_a_model_the_settings_are_still_explained(make_door: Callable[..., Door]) -> None:
    """What needs the card is left out."""
    found = explain(make_door(), None)
    assert found.parts == found.problems == () and any("a stranger may cause 'call'" in sentence for sentence in found.sentences)


def test_a_journal_is_found_by_itself_or_by_its_door(tmp_path: Path) -> None:
    """A DOOR.toml needs no more than its [journal] for that, and not even this."""
    path = tmp_path / "DOOR.toml"
    path.write_text('[gate]\nmodle = 3\n[journal]\npath = "log/j.db"\n')
    assert journal_of(path) == tmp_path / "log" / "j.db"
    path.write_text("")
    assert journal_of(path) == tmp_path / "journal.db" == journal_of(tmp_path / "journal.db")
    path.write_text("[journal]\npth = 3\n")
    with pytest.raises(SettingsError, match="did you mean 'path'"):
        journal_of(path)


def test_check_explains_and_finds(make_door: Callable[..., Door]) -> None:
    """The explanation names who is left out, what is not proven, and labels that the model lacks."""
    door = make_door()
    found = explain(door, card_for(["ana", "junho", "min"]))
    assert "The model knows min too, but no rule names them" in " ".join(found.sentences)
    assert [(part.name, part.state) for part in found.parts] == [("region", "ok"), ("rules", "ok"), ("arming", "ok")]
    assert found.parts[0].text.startswith("as the model file says: whole (the whole picture, made 32x32 pixels")
    assert "armed as low risk only" in found.parts[2].text and "needs 299 strangers" in found.parts[2].text
    assert "junho" in explain(door, card_for(["ana"])).problems[0]


def test_errors_are_input_errors() -> None:
    """Whoever has never heard of Peephole catches a ValueError."""
    assert issubclass(SettingsError, InputError) and issubclass(SettingsError, ValueError)
