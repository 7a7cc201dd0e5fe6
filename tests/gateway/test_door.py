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
from peephole.gateway.factor import Asked
from peephole.gateway.fakes import card_for
from peephole.gateway.keys import DoorSettings
from peephole.gateway.lockout import Patience
from peephole.gateway.sentences import check as explain
from peephole.gateway.weighing import Weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "door" / "DOOR.toml"
WHOLE = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true
[sensor]
source = "folder://frames?once=1"
region = "card"
motion = false
quality = {min_light = 0.1, min_sharpness = 0.2, max_overexposed = 0.5, max_subjects = 1, min_subject = 0.01}
[decide]
agree = 3
within = "2 s"
gap = "2 s"
cool_down = "5 s"
margin = 0.05
false_accept = 0.01
false_reject = 0.05
second_factor = "mqtt://door/pin"
lockout = {after = 5, seconds = 30, disable_after = 50}
held_open = {if = ["entry.contact == open"], after = "30 s"}
weigh = true
refusal = 10
strangers = 0.2
[factor]
within = "20 s"
file = "factors.json"
fresh = "5 min"
[also.side]
model = "side.onnx"
source = "folder://side"
[reading.entry]
source = "mqtt://door/contact"
fresh = "10 min"
[reading.air]
source = "csv://air.csv"
[[rule]]
who = ["ana", "junho"]
when = "Mo-Fr 07:00-20:00"
if = ["air.co2 < 1000"]
do = "open"
[[rule]]
who = ["unknown"]
do = "call"
[[rule]]
who = []
if = ["air.co2 > 1200"]
do = "ventilate"
[action.open]
target = "log://"
pulse = "5 s"
safe = "off"
egress = false
cost = 100
[action.call]
target = "mqtt://home/doorbell"
cost = 1
[action.ventilate]
target = "log://"
pulse = "5 min"
opens = false
cost = 0
[action.bell]
target = "https://home.example/bell?to=hall"
pulse = "1 s"
secret = {file = "webhook.secret"}
timeout = "2 s"
cost = 1
opens = false
[action.light]
target = "gpio://17?active=low"
pulse = "1 min"
cost = 1
[broker]
url = "mqtts://127.0.0.1"
username = "front-door"
password = {file = "broker.secret"}
ca = "ca.crt"
certificate = "front-door.crt"
key = "front-door.key"
[journal]
path = "journal.db"
pictures = {days = 14, megabytes = 500}
rows = {days = 365, megabytes = 1000}
head = "mqtt://home/front-door/journal-head"
[events]
target = "mqtt://home/front-door/events"
[models]
key = "door.pub"
shadow = "new.onnx"
[gallery]
path = "door.gallery"
[remote]
secret = {file = "remote.secret"}
may_open = true
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
        ("rule 3", [], "ventilate", False),
    ]
    assert door.gallery == Path("/etc/door/door.gallery")
    assert [[one.text for one in rule.conditions] for rule in policy.rules] == [["air.co2 < 1000"], [], ["air.co2 > 1200"]]
    assert policy.factor == Asked("secret", 20.0, 300.0, Patience(5, 30.0, 50)) and policy.margin == 0.05
    assert policy.fresh == {"entry": 600.0, "air": 600.0} and policy.rules[2].rest == 300.0
    assert policy.also == ("side",) and door.as_if_backed().policy().also == ()
    assert policy.weights == Weights(0.2, 0.01, 10.0, {"open": 100.0, "call": 1.0, "ventilate": 0.0, "bell": 1.0, "light": 1.0})
    assert ([one.text for one in policy.ajar], policy.held) == (["entry.contact == open"], 30.0)
    assert door.factors == Path("/etc/door/factors.json") and door.lockout == Path("/etc/door/journal.db.lockout")
    assert door.model == Path("/etc/door/door.onnx") and door.journal == Path("/etc/door/journal.db")
    assert (door.pulse("open"), door.pulse("call"), door.opening) == (5.0, None, True)
    assert door.settings.broker is not None and door.settings.broker.place == ("127.0.0.1", 8883) and door.settings.broker.secure


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
    ("gate", ..., "gate is missing"),
    ("sensor", ..., "sensor is missing"),
    ("sensor.source", "photos", "is not an address"),
    ("sensor.source", "foldr://photos", "did you mean 'folder'"),
    ("sensor.source", "camera://0?colour=1", "does not know the option"),
    ("sensor.source", "http://ana:s3cret@camera/x", "does not belong into the address"),
    ("sensor.source", "http:///x", "names no camera"),
    ("sensor.source", "mqtt://door/+", "not a topic"),
    ("sensor.motion", "yes", "sensor.motion"),
    ("sensor.source", "csv://rows.csv", "csv:// is not supported yet"),
    ("sensor.source", "folder://a\x00b", "control character"),
    ("sensor.source", "folder://a%00b", "control character"),
    ("sensor.source", 5, "sensor.source"),
    ("sensor.region", [0, 0, 0.5, 1.5], "inside the frame"),
    ("sensor.region", [0, 0, 0.5], "a rectangle"),
    ("sensor.region", [0, 0, True, 0.5], "a rectangle"),
    ("sensor.region", [0, 0, float("nan"), 0.5], "inside the frame"),
    ("sensor.region", "face", "a rectangle"),
    ("sensor.quality.min_light", 1.5, "sensor.quality.min_light"),
    ("sensor.quality.min_light", "0.1", "sensor.quality.min_light"),
    ("sensor.quality.min_light", float("nan"), "sensor.quality.min_light"),
    ("sensor.quality.min_light", True, "sensor.quality.min_light"),
    ("sensor.quality.min_sharpness", -1, "sensor.quality.min_sharpness"),
    ("sensor.quality.min_sharpness", float("inf"), "sensor.quality.min_sharpness"),
    ("sensor.quality.max_subjects", 0, "sensor.quality.max_subjects"),
    ("sensor.quality.max_overexposed", 1.5, "sensor.quality.max_overexposed"),
    ("sensor.quality.min_subject", "far", "sensor.quality.min_subject"),
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
    ("decide.margin", -0.1, "decide.margin"),
    ("decide.margin", 3, "decide.margin"),
    ("decide.margin", float("nan"), "decide.margin"),
    ("decide.false_reject", 0, "decide.false_reject"),
    ("decide.false_reject", "5 %", "decide.false_reject"),
    ("decide.second_factor", "none", "[factor] says how a second factor is shown"),
    ("decide.second_factor", "presence", "belong together"),
    ("decide.second_factor", "mqtt://door/+", "is not a topic"),
    ("decide.second_factor", "mqt://door/pin", "did you mean 'mqtt'"),
    ("decide.second_factor", "pin", "is not an address"),
    ("decide.second_factor", "http://0.0.0.0:80/pin", "is no place on this computer"),
    ("decide.second_factor", "http://127.0.0.1/pin", "is no place on this computer"),
    ("decide.second_factor", "http://127.0.0.1:99999/pin", "is no place on this computer"),
    ("decide.second_factor", "http://me@127.0.0.1:80/pin", "is no place on this computer"),
    ("decide.second_factor", True, "decide.second_factor"),
    ("decide.lockout", 5, "decide.lockout"),
    ("decide.lockout.after", 0, "decide.lockout.after"),
    ("decide.lockout.after", 60, "disable_after is less than after"),
    ("decide.lockout.seconds", 0, "decide.lockout.seconds"),
    ("decide.lockout.seconds", "30 s", "decide.lockout.seconds"),
    ("decide.lockout.disable_after", 5.5, "decide.lockout.disable_after"),
    ("decide.held_open", "door", "decide.held_open"),
    ("decide.held_open.if", [], "decide.held_open.if"),
    ("decide.held_open.if", ["entree.contact == open"], "did you mean 'entry'"),
    ("decide.held_open.after", 30, "is not a duration"),
    ("decide.weigh", "yes", "decide.weigh"),
    ("decide.weigh", False, "would be ignored"),
    ("decide.refusal", -1, "decide.refusal"),
    ("decide.refusal", float("inf"), "decide.refusal"),
    ("decide.strangers", 1.5, "decide.strangers"),
    ("decide.strangers", "half", "decide.strangers"),
    ("factor", "pin", "factor"),
    ("factor.within", "10 min", "factor.within"),
    ("factor.within", 20, "is not a duration"),
    ("factor.file", "", "factor.file"),
    ("factor.phones", {"ana": "home/ana"}, "belong together"),
    ("factor.phones", {"ana": "home/#"}, "is not a topic"),
    ("factor.phones", ["ana"], "factor.phones"),
    ("factor.fresh", "0 s", "factor.fresh"),
    ("also", "side.onnx", "also"),
    ("also.side.model", "", "also.side.model"),
    ("also.side.model", ..., "also.side.model is missing"),
    ("also.side.source", "replay://night", "a recording has times of its own"),
    ("also.side.source", "foldr://side", "did you mean 'folder'"),
    ("also.side.source", ..., "also.side.source is missing"),
    ("reading", ..., "there is no [reading.air]"),
    ("reading.air", ..., "there is no [reading.air]"),
    ("reading.air.source", "air.csv", "is not an address"),
    ("reading.air.source", "csv://", "names no file"),
    ("reading.air.source", "mqtt://a/#", "is not a topic"),
    ("reading.air.source", "http://a", "is not known"),
    ("reading.air.source", ..., "reading.air.source is missing"),
    ("reading.entry.fresh", "2 d", "is not a unit of time"),
    ("rule.0.if", ["air.co2 <"], "is not a condition"),
    ("rule.0.if", ["air.co2 < low"], "only == and != compare words"),
    ("rule.0.if", ["air.co2 < nan"], "is not a number"),
    ("rule.0.if", ["x" * 10_000], "is not a condition"),
    ("rule.0.if", [7], "is not a condition"),
    ("rule.0.if", "air.co2 < 5", "rule[1].if"),
    ("rule.2.if", [], "there is no `if"),
    ("rule.2.if", ..., "there is no `if"),
    ("rule.2.do", "open", "nobody needs to be seen for 'open', which opens"),
    ("action.ventilate.opens", ..., "nobody needs to be seen for 'ventilate', which opens"),
    ("action.ventilate.opens", True, "action.ventilate.opens"),
    ("action.open.opens", False, "call it something else"),
    ("action.open.cost", ..., "weigh = true needs a cost"),
    ("action.open.cost", -1, "action.open.cost"),
    ("action.open.cost", "high", "action.open.cost"),
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
    ("broker.url", "wss://127.0.0.1", "wss:// is not supported yet"),
    ("broker.url", "mqts://127.0.0.1", "did you mean 'mqtts'"),
    ("broker.url", "mqtt://127.0.0.1", "broker.ca and broker.certificate and broker.key would be ignored"),
    ("broker.url", "mqtts://[::1", "is not a broker"),
    ("broker.url", "mqtts://::1:8883", "is not a broker"),
    ("broker.url", "mqtts://a:b:8883", "is not a broker"),
    ("broker.url", "mqtts://host:8883?", "is not a broker"),
    ("broker.url", "mqtts://ho%73t", "is not a broker"),
    ("broker.url", "mqtts://höst", "is not a broker"),
    ("broker.url", "mqtts://a..b", "is not a broker"),
    ("broker.url", "mqtts://" + "x" * 10_000, "is not a broker"),
    ("broker.url", "mqtts://host/path", "is not a broker"),
    ("broker.ca", "", "broker.ca"),
    ("broker.ca", {"file": "ca.crt"}, "broker.ca"),
    ("broker.certificate", "", "broker.certificate"),
    ("broker.certificate", ..., "belong together"),
    ("broker.key", 7, "broker.key"),
    ("broker.key", ..., "belong together"),
    ("broker.url", "mqtt://", "is not a broker"),
    ("broker.url", "mqtt://host:0", "is not a broker"),
    ("broker.url", "mqtt://host:99999", "is not a broker"),
    ("broker.url", "mqtt://me:secret@host", "holds no name and no password"),
    ("broker.username", "", "broker.username"),
    ("broker.password", "secret", "broker.password"),
    ("broker.password.file", "", "broker.password.file"),
    ("sensor.quality", 1, "sensor.quality"),
    ("journal", "journal.db", "journal"),
    ("events", 5, "events"),
    ("events.target", "mqtt://home/+/x", "not a topic"),
    ("events.target", "log://x", "not known"),
    ("events.target", ..., "events.target"),
    ("gallery", "door.gallery", "gallery"),
    ("gallery.path", "", "gallery.path"),
    ("gallery.path", 3, "gallery.path"),
    ("journal.path", "", "journal.path"),
    ("journal.path", 3, "journal.path"),
    ("journal.pictures", {"days": 14}, "journal.pictures.megabytes is missing"),
    ("journal.pictures", 14, "journal.pictures"),
    ("journal.pictures.days", 0, "journal.pictures.days"),
    ("journal.pictures.days", "14", "journal.pictures.days"),
    ("journal.pictures.days", float("inf"), "journal.pictures.days"),
    ("journal.pictures.megabytes", 0.5, "journal.pictures.megabytes"),
    ("journal.pictures.megabytes", 1e9, "journal.pictures.megabytes"),
    ("journal.pictures.megabytes", True, "journal.pictures.megabytes"),
    ("journal.rows", 14, "journal.rows"),
    ("journal.rows.days", 0, "journal.rows.days"),
    ("journal.rows.days", 14, "keep rows longer"),
    ("journal.rows.days", "365", "journal.rows.days"),
    ("journal.rows.days", 40_000, "journal.rows.days"),
    ("journal.rows.days", float("nan"), "journal.rows.days"),
    ("journal.rows.megabytes", 0.5, "journal.rows.megabytes"),
    ("journal.rows.megabytes", True, "journal.rows.megabytes"),
    ("journal.pictures.days", 400, "rows are kept for 365 days and pictures for 400"),
    ("journal.head", "https://elsewhere/head", "is not known"),
    ("journal.head", "head.json", "is not an address"),
    ("journal.head", "mqtt://home/#", "is not a topic"),
    ("journal.head", "mqtt://", "is not a topic"),
    ("journal.head", "file://", "names no file"),
    ("journal.head", "file:///mnt/", "names no file"),
    ("journal.head", "file://x?retain=1", "does not know the option 'retain'"),
    ("journal.head", 3, "journal.head"),
    ("models", "new.onnx", "models"),
    ("models.key", "", "models.key"),
    ("models.key", True, "models.key"),
    ("models.shadow", "", "models.shadow"),
    ("models.shadow", ["new.onnx"], "models.shadow"),
    ("remote", "remote.secret", "remote"),
    ("remote.secret", ..., "remote.secret is missing"),
    ("remote.secret", "0123456789abcdef", "remote.secret"),
    ("remote.secret.file", "", "remote.secret.file"),
    ("remote.may_open", "yes", "remote.may_open"),
    ("broker", ..., "[remote] commands come over MQTT"),
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
            return {name for field, info in kind.model_fields.items() for name in {info.alias or field} | keys(info.annotation)}
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
        "action.open.csot",
        "decide.secnd_factor",
        "decide.lockout.aftr",
        "factor.wihtin",
        "also.side.modle",
        "reading.air.frsh",
        "broker.usernam",
        "journal.pth",
        "gallery.pth",
        "journal.haed",
        "journal.pictures.dyas",
        "journal.rows.dyas",
        "events.taget",
        "models.shadwo",
        "models.kye",
        "remote.may_opn",
        "remote.secret.fiel",
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
    values["action"]["unlock"] = {"target": "log://", "cost": 1}
    with pytest.raises(SettingsError, match="lets strangers do 'unlock'"):
        check(DoorSettings, values, "DOOR.toml")
    values["rule"][1]["who"] = ["ana"]
    assert Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).pulse("unlock") == 5.0


def test_the_camera_alone_needs_low_risk() -> None:
    """Without a second factor a lock opens only where somebody said that it protects little; with one it needs no such word."""
    values = changed("decide.second_factor", "none")
    for key in ("factor", "decide.lockout"):
        at: Any = values
        *way, last = key.split(".")
        for part in way:
            at = at[part]
        del at[last]
    assert check(DoorSettings, values, "DOOR.toml").gate.low_risk
    values["gate"]["low_risk"] = False
    with pytest.raises(SettingsError, match=r"rule 1 does 'open' on the camera alone: ask for a second factor"):
        check(DoorSettings, values, "DOOR.toml")
    assert not check(DoorSettings, changed("gate.low_risk", False), "DOOR.toml").gate.low_risk


def test_presence_needs_phones() -> None:
    """The other second factor, with the topic of each person's phone."""
    values = changed("decide.second_factor", "presence")
    values["factor"]["phones"] = {"ana": "home/phones/ana"}
    del values["decide"]["lockout"]
    policy = Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).policy()
    assert policy.factor is not None and policy.factor.kind == "presence"
    with pytest.raises(SettingsError, match=r"phones names 'ana'.*did you mean 'anna'"):
        Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).require_labels(("anna", "junho"))
    values["decide"]["lockout"] = {"after": 5}
    with pytest.raises(SettingsError, match='"presence" asks for none'):
        check(DoorSettings, values, "DOOR.toml")


def test_low_risk_is_only_needed_to_open() -> None:
    """A gate that only rings needs no such word."""
    values = changed("rule", [{"who": ["unknown"], "do": "call"}])
    values["gate"]["low_risk"] = False
    assert not Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml")).opening


def test_a_head_over_mqtt_needs_a_broker() -> None:
    """As an action does; a file needs none."""
    values = changed("broker", ...)
    values["action"]["call"]["target"] = "log://"
    del values["events"]
    with pytest.raises(SettingsError, match="head goes over MQTT, but there is no"):
        check(DoorSettings, values, "DOOR.toml")
    values["journal"]["head"] = "file:///mnt/elsewhere/front.head"
    with pytest.raises(SettingsError) as caught:  # others of its keys go over MQTT too
        check(DoorSettings, values, "DOOR.toml")
    assert "head goes over MQTT" not in str(caught.value)


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
    door = Door(Path("DOOR.toml"), check(DoorSettings, values, "DOOR.toml"))
    door.require_labels(("지우",))
    with pytest.raises(SettingsError):
        door.require_labels(("지수",))


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


def test_check_says_what_is_kept_and_who_would_notice(make_door: Callable[..., Door]) -> None:
    """With pictures and a head, and without."""
    told = " ".join(explain(make_door(), None).sentences)
    assert "No pictures are kept." in told and "nobody would notice if the latest were cut off" in told
    door = make_door(more='[journal]\npictures = {days = 3.5, megabytes = 20}\nhead = "file:///mnt/front.head"')
    told = " ".join(explain(door, None).sentences)
    assert "Pictures of each visit are kept in journal.db-pictures for 3.5 days, the oldest going sooner when they are more than 20 MB." in told
    assert "made known at file:///mnt/front.head at most once a second" in told


def test_errors_are_input_errors() -> None:
    """Whoever has never heard of Peephole catches a ValueError."""
    assert issubclass(SettingsError, InputError) and issubclass(SettingsError, ValueError)


def test_a_password_in_an_address_is_never_repeated() -> None:
    """Neither by the broker's url nor by a camera's."""
    for place, value in (("broker.url", "mqtt://me:s3cret@host"), ("sensor.source", "http://me:s3cret@camera/x")):
        assert "s3cret" not in problem(place, value)
