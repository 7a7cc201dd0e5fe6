"""SAFETY 10 and 19 at the gate: hostile, broken and NaN model files are never run, and refusing one costs less than 64 MB."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from doors import TINY
from onnx import TensorProto, helper, numpy_helper

from peephole.base.card import Card
from peephole.base.engine import Outputs
from peephole.base.errors import HostileModelFile, ModelFileError
from peephole.base.modelfile import CARD_KEY, read_bytes
from peephole.base.modelwrite import write
from peephole.base.records import Prediction
from peephole.base.seal import SEALED, seal
from peephole.base.signature import keygen, sign
from peephole.decide.judge import judge
from peephole.gateway.door import Door, load_door
from peephole.gateway.hours import ALWAYS
from peephole.gateway.policy import Glance, Policy, Rule, State, finish, step
from peephole.gateway.selftest import examine

CHILD = """
import os, resource, sys
from pathlib import Path
from peephole.base.errors import PeepholeError
from peephole.gateway.door import load_door
from peephole.gateway.selftest import examine
import onnxruntime

def strict(path):
    examine(door, path)

def lenient(path):  # planted bug: a gate that leaves the looking to ONNX Runtime
    if not path.is_fifo():
        onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

def data_now():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))

folder, which = Path(sys.argv[1]), {"strict": strict, "lenient": lenient}[sys.argv[2]]
door = load_door(folder / "DOOR.toml")
examine(door, folder / "good.onnx")
for group in sorted((folder / "bad").iterdir()):
    child = os.fork()
    if child == 0:
        limit = data_now() + 64 * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        done = 0
        for path in sorted(group.iterdir()):
            try:
                which(path)
                done |= 1
            except PeepholeError:
                pass
            except MemoryError:
                done |= 2
            except Exception:
                done |= 0 if which is lenient else 4
        os._exit(done)
    status = os.waitpid(child, 0)[1]
    words = {0: "refused", 1: "accepted", 2: "memory", 4: "crashed"}
    print(group.name, f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else words.get(os.WEXITSTATUS(status), "several"), flush=True)
"""


def raw(graph: Any, card: str, change: Callable[[onnx.ModelProto], object] = lambda model: None, *, sealed: bool = True) -> bytes:
    """Return the bytes of a model changed by a function, sealed anew as an attacker would."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    model.metadata_props.add(key=CARD_KEY, value=card)
    model.model_version = SEALED if sealed else 0
    change(model)
    return seal(model.SerializeToString()) if sealed else model.SerializeToString()


def nan(model: onnx.ModelProto) -> None:
    """Put NaN into a weight."""
    weight = next(w for w in model.graph.initializer if w.name == "conv1.weight")
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def outside(model: onnx.ModelProto) -> None:
    """Point a weight to another file."""
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    weight.external_data.add(key="location", value="/etc/passwd")


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.array(value, np.int64), name)


def blown(model: onnx.ModelProto) -> None:
    """Ask for 50 GB by a step of forty bytes."""
    model.graph.initializer.append(constant("size", [50_000, 250_000]))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["size"], ["evil"], "evil"))


def endless(model: onnx.ModelProto) -> None:
    """Loop for ever."""
    model.graph.node.append(helper.make_node("Loop", ["image"], ["evil"], "evil", body=helper.make_graph([], "inner", [], [])))


def overflowing(model: onnx.ModelProto) -> None:
    """Make finite weights whose answers are infinite."""
    for weight in model.graph.initializer:
        if weight.name in ("logits.weight", "dense1.weight"):
            weight.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(weight), 3e38), weight.name))


def header(model: onnx.ModelProto) -> None:
    """Claim 10 GB in a header."""
    model.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[50_000, 50_000]))


def varint(value: int) -> bytes:
    """Write a number as protobuf does."""
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def holes(path: Path, megabytes: int) -> None:
    """Write a well-formed file of so many megabytes of zero weights, most of which take no room on the disk, and no card."""
    size = megabytes * 2**20
    tensor = b"\x08" + varint(size // 4) + b"\x10\x01\x42\x01w\x4a" + varint(size)
    graph = b"\x2a" + varint(len(tensor) + size) + tensor
    front = b"\x08\x08\x42\x04\x0a\x00\x10\x11\x3a" + varint(len(graph) + size) + graph
    path.write_bytes(front)
    os.truncate(path, len(front) + size)


@pytest.fixture
def door(tmp_path: Path, tiny_model_path: Path) -> Door:
    """A door with a good model beside it."""
    (tmp_path / "DOOR.toml").write_text(TINY)
    (tmp_path / "good.onnx").write_bytes(tiny_model_path.read_bytes())
    return load_door(tmp_path / "DOOR.toml")


@pytest.fixture
def zoo(door: Door, tiny_graph: Any, tiny_card: Card) -> Path:
    """A folder of hostile files: 15 kinds, each in a folder of its own."""
    card, bad = tiny_card.model_dump_json(), door.folder / "bad"
    threshold = json.loads(card) | {"unknown": json.loads(card)["unknown"] | {"threshold": "T"}}
    kinds: dict[str, bytes] = {
        "pickle": b"\x80\x04\x95" + bytes(100),
        "zip": b"PK\x03\x04" + bytes(100),
        "nan-weight": raw(tiny_graph, card, nan),
        "nan-threshold": raw(tiny_graph, json.dumps(threshold).replace('"T"', "NaN")),
        "infinite-threshold": raw(tiny_graph, json.dumps(threshold).replace('"T"', "-1e999")),
        "external-data": raw(tiny_graph, card, outside),
        "10-gb-header": raw(tiny_graph, card, header),
        "50-gb-step": raw(tiny_graph, card, blown),
        "endless-loop": raw(tiny_graph, card, endless),
        "answers-infinity": raw(tiny_graph, card, overflowing),
        "deep-card": raw(tiny_graph, "[" * 100_000),
        "wide-card": raw(tiny_graph, '{"card":1,"x":[' + "[]," * 900_000 + "[]]}"),
        "two-cards": raw(tiny_graph, card, lambda model: model.metadata_props.add(key=CARD_KEY, value=card)),
        "newer-card": raw(tiny_graph, card.replace('"card":1', '"card":2')),
        "takes-everybody": raw(tiny_graph, card.replace('"threshold":0.9', '"threshold":-1.0').replace('"margin":0.1', '"margin":0.0')),
    }
    for kind, data in kinds.items():
        (bad / kind).mkdir(parents=True)
        (bad / kind / f"{kind}.onnx").write_bytes(data)
    for kind in ("150-mb-of-zeros", "10-gb-of-holes", "a-link", "a-pipe"):
        (bad / kind).mkdir()
    holes(bad / "150-mb-of-zeros" / "a.onnx", 150)
    (bad / "10-gb-of-holes" / "a.onnx").touch()
    os.truncate(bad / "10-gb-of-holes" / "a.onnx", 10 * 10**9)
    (bad / "a-link" / "a.onnx").symlink_to(door.folder / "good.onnx")
    os.mkfifo(bad / "a-pipe" / "a.onnx")
    return door.folder


def flipped(folder: Path, data: bytes, count: int, dice: random.Random) -> None:
    """Write files with one to eight bits changed."""
    folder.mkdir(parents=True)
    for number in range(count):
        broken = bytearray(data)
        for at in dice.sample(range(len(data)), dice.choice((1, 1, 2, 8))):
            broken[at] ^= 1 << dice.randrange(8)
        (folder / f"{number}.onnx").write_bytes(broken)


def shuffled(folder: Path, data: bytes, count: int, dice: random.Random) -> None:
    """Write files with pieces cut out, doubled, moved or replaced by noise."""
    folder.mkdir(parents=True)
    for number in range(count):
        a, b, c = sorted(dice.randrange(1, len(data)) for _ in range(3))
        noise = dice.randbytes(b - a)
        ways = (data[:a] + data[b:], data[:b] + data[a:], data[:a] + data[b:c] + data[a:b] + data[c:], data[:a] + noise + data[b:])
        made = dice.choice(ways)
        (folder / f"{number}.onnx").write_bytes(made if made != data else data[:-1])  # a piece of nothing that is moved changes nothing


def verdicts(folder: Path, how: str = "strict") -> dict[str, str]:
    """Run every file of a folder through the gate's self-test in a process that may take 64 MB more, and return what became of each kind."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder), how], capture_output=True, text=True, check=True, timeout=600)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_hostile_files_are_refused_in_little_memory(zoo: Path, tiny_model_path: Path) -> None:
    """Nineteen kinds, 300 files with flipped bits and 300 with shuffled pieces: 0 accepted, none takes 64 MB, none crashes."""
    data, dice = tiny_model_path.read_bytes(), random.Random(3)
    flipped(zoo / "bad" / "flips", data, 300, dice)
    shuffled(zoo / "bad" / "fuzz", data, 300, dice)
    found = verdicts(zoo)
    assert len(found) == 21 and set(found.values()) == {"refused"}, {kind: what for kind, what in found.items() if what != "refused"}


@pytest.mark.long
def test_many_broken_files_are_refused_in_little_memory(door: Door, tiny_model_path: Path) -> None:
    """The same with 20,000 files of each: 0 accepted."""
    data, dice = tiny_model_path.read_bytes(), random.Random(5)
    for number in range(20):
        flipped(door.folder / "bad" / f"flips{number}", data, 1000, dice)
        shuffled(door.folder / "bad" / f"fuzz{number}", data, 1000, dice)
    found = verdicts(door.folder)
    assert len(found) == 40 and set(found.values()) == {"refused"}


def test_a_lenient_gate_is_caught(zoo: Path) -> None:
    """Planted-bug twin: a gate that leaves it to ONNX Runtime accepts some of them, and some take more than they may."""
    found = verdicts(zoo, "lenient")
    assert found["nan-weight"] == found["nan-threshold"] == found["takes-everybody"] == "accepted"
    assert found["150-mb-of-zeros"] == "memory"


def test_with_a_key_nothing_forged_runs(door: Door, tiny_graph: Any, tiny_card: Card) -> None:
    """An attacker seals what was changed anew: without a key some of it is a model like any other, with one 0 of 400 run."""
    folder, dice, card = door.folder, random.Random(4), tiny_card.model_dump_json()
    private, public = keygen(folder / "door.key")
    door.path.write_text(TINY + '[models]\nkey = "door.pub"\n')
    sign(folder / "good.onnx", private)
    signature = (folder / "good.onnx.sig").read_bytes()
    strict, forged = load_door(door.path), folder / "forged.onnx"
    assert examine(strict, folder / "good.onnx").signature == signature
    body = raw(tiny_graph, card, sealed=False)
    counts = {"free": 0, "strict": 0}
    for _ in range(400):
        broken = bytearray(body)
        broken[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
        forged.write_bytes(seal(bytes(broken)))
        (folder / "forged.onnx.sig").write_bytes(signature)
        for name, which in (("free", door), ("strict", strict)):
            try:
                examine(which, forged)
                counts[name] += 1
            except ModelFileError:
                pass
            except ValueError:  # a label of the rules was changed
                assert name == "free"
    assert counts["strict"] == 0 and counts["free"] > 50 and public.exists()


def test_nan_is_never_written(tmp_path: Path, tiny_graph: Any, tiny_card: Card) -> None:
    """SAFETY 19: NaN or infinity in a weight or a line on familiarity never becomes a file, however it got into the card."""
    broken = onnx.ModelProto()
    broken.CopyFrom(tiny_graph)
    nan(broken)
    with pytest.raises(HostileModelFile, match="NaN"):
        write(tmp_path / "a.onnx", broken, tiny_card)
    for field in ("threshold", "margin", "false_accept"):
        for value in (float("nan"), float("inf"), float("-inf")):
            card = tiny_card.model_copy(update={"unknown": tiny_card.unknown.model_copy(update={field: value})})
            with pytest.raises(ModelFileError):
                write(tmp_path / "a.onnx", tiny_graph, card)
    for value in (float("nan"), float("inf"), 0.0):
        with pytest.raises(ModelFileError):
            write(tmp_path / "a.onnx", tiny_graph, tiny_card.model_copy(update={"temperature": value}))
    assert not (tmp_path / "a.onnx").exists()


NUMBERS = ("threshold", "margin", "false_accept", "temperature", "bound", "confidence", "max_difference", "macs")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_nan_is_never_read(word: str, tiny_graph: Any, tiny_card: Card) -> None:
    """SAFETY 19: in the place of any number of the card, one after the other, whatever JSON's spellings are."""
    parts = json.dumps(json.loads(tiny_card.model_dump_json()), indent=1).split("\n")
    places = [number for number, line in enumerate(parts) if line.strip().rstrip(",")[-1:].isdigit()]
    assert len(places) > 30
    for place in places:
        line = parts[place]
        front = line[: line.rindex(":") + 1] if ":" in line else line[: len(line) - len(line.lstrip())]
        text = "\n".join([*parts[:place], f"{front} {word}{',' if line.endswith(',') else ''}", *parts[place + 1 :]])
        with pytest.raises(ModelFileError):
            read_bytes(raw(tiny_graph, text, sealed=False), "door.onnx")


BAD = (float("nan"), float("inf"), float("-inf"))


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("where", ["logits", "familiarity", "similarity"])
def test_a_score_that_is_no_number_lets_nobody_in(value: float, where: str, tiny_card: Card) -> None:
    """SAFETY 19: in any answer of the model, for the best label or another, a door stays shut."""
    good = {"logits": [[4.0, -4.0]], "familiarity": [[0.99, 0.1]], "similarity": [[0.99, 0.98, 0.1]]}
    card = tiny_card.model_copy(update={"unknown": tiny_card.unknown.model_copy(update={"threshold": 0.5})})

    def answer(scores: dict[str, Any]) -> Prediction:
        parts = {name: np.array(score, np.float32) for name, score in scores.items()}
        return judge(Outputs(parts["logits"], np.zeros((1, 4), np.float32), parts["familiarity"], parts["similarity"]), card)[0]

    assert opens(answer(good)) and answer(good).accepted
    for column in range(len(good[where][0])):
        scores = {name: [list(score[0])] for name, score in good.items()}
        scores[where][0][column] = value
        given = answer(scores)
        assert not opens(given), f"{where} {column}"
        if where != "similarity":
            assert not given.accepted


def opens(prediction: Prediction) -> bool:
    """Say whether three frames with this answer open a door."""
    policy = Policy(rules=(Rule("rule 1", frozenset({"left", "top"}), ALWAYS, "open", True),))
    state, opened = State(), False
    for number in range(3):
        reaction = step(policy, state, Glance(number * 0.1, 1.8e9, prediction))
        state, opened = reaction.state, opened or any(getattr(event, "verdict", "") == "open" for event in reaction.events)
    return opened or any(getattr(event, "verdict", "") == "open" for event in finish(policy, state).events)


def test_flipping_a_threshold_by_hand_shows(door: Door, tiny_graph: Any, tiny_card: Card) -> None:
    """The place of the threshold in the file's bytes is part of what is sealed."""
    path = door.folder / "good.onnx"
    data = path.read_bytes()
    at = data.index(b'"threshold":0.9')
    path.write_bytes(data[:at] + b'"threshold":0.1' + data[at + 15 :])
    with pytest.raises(HostileModelFile, match="seal does not fit"):
        examine(door, path)
