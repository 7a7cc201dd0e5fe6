"""Hostile and broken model files: each refused with its reason, in little memory, and never by a crash."""

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from peephole.base.engine import Engine
from peephole.base.errors import HostileModelFile, MissingInput, ModelFileError, NewerModelFile
from peephole.base.graph import MAX_INITIALISERS, MAX_NODES
from peephole.base.modelfile import CARD_KEY, MAX_BYTES, read, read_bytes


def carded(graph, *cards: str) -> bytes:
    """Return the bytes of a graph with any texts as its card, checked by nobody."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    for text in cards:
        model.metadata_props.add(key=CARD_KEY, value=text)
    return model.SerializeToString()


def copy(graph):
    """Return a graph that may be changed."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    return model


@pytest.fixture
def text(tiny_card) -> str:
    """The tiny model's card as JSON."""
    return tiny_card.model_dump_json()


def test_a_valid_file_is_read_whole(tiny_model_path, tiny_card):
    """Reading gives back the card, the very bytes and their digest."""
    model = read(str(tiny_model_path))
    assert model.card == tiny_card
    assert model.data == tiny_model_path.read_bytes()
    assert model.name == "tiny.onnx"
    assert len(model.sha256) == 64


def tensor(**parts):
    """Return a tensor with its fields set by hand."""
    made = TensorProto(name=parts.pop("name", "bad"))
    for name, value in parts.items():
        if isinstance(value, list):
            getattr(made, name).extend(value)
        else:
            setattr(made, name, value)
    return made


def planted(value):
    """Return a change that adds one tensor to the initialisers."""
    return lambda model: model.graph.initializer.append(value)


def constant(**attributes):
    """Return a change that adds a Constant node."""
    return lambda model: model.graph.node.append(helper.make_node("Constant", [], ["made"], **attributes))


def step(op, inputs, outputs, **attributes):
    """Return a change that adds a step at the end, with numbers as int64 constants where an input is a list."""

    def change(model):
        names = []
        for at, value in enumerate(inputs):
            if not isinstance(value, str):
                model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), f"{outputs[0]}.{at}"))
            names.append(value if isinstance(value, str) else f"{outputs[0]}.{at}")
        model.graph.node.append(helper.make_node(op, names, outputs, outputs[0], **attributes))

    return change


def steps(*changes):
    """Return several changes as one."""

    def change(model):
        for each in changes:
            each(model)

    return change


def inner(op):
    """Return a change that adds a step with a graph of its own."""
    return step(op, ["image"], ["evil"], body=helper.make_graph([], "inner", [], []))


def squared(times):
    """Return a change that multiplies a row by itself again and again: 64 numbers become 64^(2^times)."""
    flat = step("Reshape", ["image_float", [-1, 1]], ["s0"])
    grow = [steps(step("Transpose", [f"s{n}"], [f"t{n}"]), step("MatMul", [f"s{n}", f"t{n}"], [f"p{n}"])) for n in range(times)]
    back = [step("Reshape", [f"p{n}", [-1, 1]], [f"s{n + 1}"]) for n in range(times)]
    return steps(flat, *(each for pair in zip(grow, back, strict=True) for each in pair))


def sparse(values, dims):
    """Return a change that adds a sparse initialiser."""
    indices = tensor(data_type=TensorProto.INT64, dims=[1], int64_data=[0])
    return lambda model: model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=values, indices=indices, dims=dims))


def renamed(what, name):
    """Return a change of the name of the first input or output."""

    def change(model):
        getattr(model.graph, what)[0].name = name

    return change


def opset(version, domain=""):
    """Return a change of the operator set."""

    def change(model):
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, version))
        else:
            model.opset_import[0].version = version

    return change


def port(what, index, kind, shape):
    """Return a change of one input's or output's type and shape."""

    def change(model):
        ports = getattr(model.graph, what)
        ports[index].CopyFrom(helper.make_tensor_value_info(ports[index].name, kind, shape))

    return change


def outside(model):
    """Point a tensor to another file."""
    first = model.graph.initializer[0]
    first.data_location = TensorProto.EXTERNAL
    first.external_data.add(key="location", value="/etc/passwd")


F = TensorProto.FLOAT
NAN32, INF32, NAN16, NAN_BF16 = struct.pack("<f", float("nan")), struct.pack("<f", float("inf")), b"\x00\x7e", b"\xc0\x7f"
HOSTILE = {
    "NaN in raw data": (planted(tensor(data_type=F, dims=[2], raw_data=bytes(4) + NAN32)), "NaN"),
    "infinity in raw data": (planted(tensor(data_type=F, dims=[1], raw_data=INF32)), "NaN"),
    "NaN in float_data": (planted(tensor(data_type=F, dims=[2], float_data=[1.0, float("nan")])), "NaN"),
    "infinity in double_data": (planted(tensor(data_type=TensorProto.DOUBLE, dims=[1], double_data=[float("-inf")])), "NaN"),
    "NaN in raw double": (planted(tensor(data_type=TensorProto.DOUBLE, dims=[1], raw_data=struct.pack("<d", float("nan")))), "NaN"),
    "NaN in raw float16": (planted(tensor(data_type=TensorProto.FLOAT16, dims=[1], raw_data=NAN16)), "NaN"),
    "NaN in float16 as numbers": (planted(tensor(data_type=TensorProto.FLOAT16, dims=[2], int32_data=[0, 0x7E00])), "NaN"),
    "NaN in raw bfloat16": (planted(tensor(data_type=TensorProto.BFLOAT16, dims=[1], raw_data=NAN_BF16)), "NaN"),
    "infinity in bfloat16 as numbers": (planted(tensor(data_type=TensorProto.BFLOAT16, dims=[1], int32_data=[0x7F80])), "NaN"),
    "NaN in a Constant": (constant(value=numpy_helper.from_array(np.array([np.nan], np.float32))), "NaN"),
    "NaN in value_float": (constant(value_float=float("nan")), "NaN"),
    "infinity in value_floats": (constant(value_floats=[0.0, float("inf")]), "NaN"),
    "NaN in a sparse tensor": (sparse(tensor(data_type=F, dims=[1], raw_data=NAN32), [4]), "NaN"),
    "external data": (outside, "another file"),
    "external data by its entries alone": (lambda model: model.graph.initializer[0].external_data.add(key="location", value="w"), "another file"),
    "a custom operator": (lambda model: model.graph.node.append(helper.make_node("Evil", [], ["e"], domain="evil.org")), "custom operators"),
    "a custom operator set": (opset(1, "evil.org"), "custom operators"),
    "an operator set too old": (opset(6), "operator set 6"),
    "an operator set too new": (opset(26), "operator set 26"),
    "a function": (lambda model: model.functions.append(onnx.FunctionProto(name="f", domain="ai.onnx")), "functions"),
    "a training graph": (lambda model: model.training_info.append(onnx.TrainingInfoProto()), "training"),
    "no graph": (lambda model: model.ClearField("graph"), "no graph"),
    "too many nodes": (lambda model: model.graph.node.extend([onnx.NodeProto()] * MAX_NODES), "5,000 nodes"),
    "too many initialisers": (lambda model: model.graph.initializer.extend([tensor(data_type=F, dims=[0])] * MAX_INITIALISERS), "20,000 initial"),
    "10 GB by its header": (planted(tensor(data_type=F, dims=[50_000, 50_000])), "2,500,0"),
    "more elements than 64 bits count": (planted(tensor(data_type=F, dims=[2**62, 2**62, 2**62])), "elements"),
    "a negative size": (planted(tensor(data_type=F, dims=[-1, -1])), "elements"),
    "10 GB by a sparse header": (sparse(tensor(data_type=F, dims=[1], raw_data=bytes(4)), [50_000, 50_000]), "elements"),
    "a Loop": (inner("Loop"), "graph within a graph"),
    "a Loop without its graph": (step("Loop", ["image"], ["evil"]), "operator Loop in its step 'evil', which could run without end"),
    "a graph within an honest step": (inner("Relu"), "graph within a graph"),
    "an operator of no network of ours": (step("ConvTranspose", ["conv1", "conv1.weight"], ["evil"]), "operator ConvTranspose .* no network"),
    "an operator whose size its values decide": (step("NonZero", ["conv1"], ["evil"]), "operator NonZero"),
    "an operator of another domain": (
        lambda model: model.graph.node.append(helper.make_node("Relu", ["conv1"], ["e"], domain="com.microsoft")),
        "com.microsoft.Relu",
    ),
    "a photo blown up": (step("Expand", ["image_float", [10**6, 8, 8, 1]], ["evil"]), "64,000,000 values per photo"),
    "a photo blown up by tiles": (step("Tile", ["image_float", [1, 10**5, 10**5, 1]], ["evil"]), "values per photo"),
    "a photo padded without end": (step("Pad", ["image_float", [0, 2**40, 0, 0] * 2], ["evil"]), "values per photo"),
    "a constant of 10 GB": (step("ConstantOfShape", [[50_000, 50_000]], ["evil"]), "2,500,000,000 values per photo"),
    "a constant of more than 64 bits": (step("ConstantOfShape", [[2**62, 2**62]], ["evil"]), "values per photo"),
    "a batch that squares itself": (squared(8), "values per photo"),
    "a size that is computed without end": (
        steps(step("Shape", ["conv1"], ["z0"]), *(step("Mul", [f"z{n}", f"z{n}"], [f"z{n + 1}"]) for n in range(30))),
        "do not fit together",
    ),
    "a size that hangs on the photo": (
        steps(step("Cast", ["image"], ["c"], to=TensorProto.INT64), step("Reshape", ["c", [-1]], ["f"]), step("ConstantOfShape", ["f"], ["evil"])),
        "hangs on what is in the photo",
    ),
    "a window that does not move": (step("MaxPool", ["conv1"], ["evil"], kernel_shape=[1, 1], strides=[0, 0]), "do not fit"),
    "multiplications without end": (
        steps(
            step("ConstantOfShape", [[7000, 7000]], ["a"]),
            *(step("MatMul", ["a", "a"], [f"m{n}"]) for n in range(3)),
        ),
        "multiplications for one photo",
    ),
    "a step that reads what nobody makes": (step("Relu", ["nowhere"], ["evil"]), "before anything has made it"),
    "a value that is made twice": (step("Relu", ["conv1"], ["relu1"]), "makes 'relu1' twice"),
    "sizes that do not fit": (step("MatMul", ["conv1", "logits"], ["evil"]), "do not fit together"),
    "two tensors of one name": (planted(tensor(name="conv1.bias", data_type=F, dims=[0])), "two tensors called 'conv1.bias'"),
    "fewer values than promised": (planted(tensor(data_type=F, dims=[3], raw_data=bytes(8))), "does not hold"),
    "more values than promised": (planted(tensor(data_type=F, dims=[1], raw_data=bytes(8))), "does not hold"),
    "part of a value": (planted(tensor(data_type=F, dims=[1], raw_data=bytes(5))), "does not hold"),
    "fewer numbers than promised": (planted(tensor(data_type=TensorProto.INT64, dims=[3], int64_data=[1, 300])), "does not hold"),
    "values in the wrong field": (planted(tensor(data_type=F, dims=[1], int64_data=[1])), "wrong place"),
    "values in two fields": (planted(tensor(data_type=F, dims=[1], float_data=[1], raw_data=bytes(4))), "wrong place"),
    "texts as values": (planted(tensor(data_type=TensorProto.STRING, dims=[1], string_data=[b"x"])), "type that is not supported"),
    "an input of another name": (renamed("input", "picture"), "input"),
    "an output of another name": (renamed("output", "logit"), "output"),
    "a second input": (lambda model: model.graph.input.append(helper.make_tensor_value_info("more", F, ["N"])), "input"),
    "a float input": (port("input", 0, F, ["N", 8, 8, 1]), "type 1"),
    "an input of another size": (port("input", 0, TensorProto.UINT8, ["N", 9, 8, 1]), "promises"),
    "an output of another width": (port("output", 1, F, ["N", 5]), "promises"),
    "a fixed batch": (port("output", 0, F, [1, 2]), "fixed batch"),
    "an output without a shape": (port("output", 0, F, None), "promises"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_graph_is_refused(kind, tiny_graph, text):
    """Each kind is refused with its reason, and the message names the file."""
    change, words = HOSTILE[kind]
    model = copy(tiny_graph)
    change(model)
    with pytest.raises(ModelFileError, match=words) as caught:
        read_bytes(carded(model, text), "door.onnx")
    assert caught.value.what.startswith("door.onnx ")
    assert caught.value.hint


def harmless(model):
    """Add what is allowed: every float type, values as numbers, an int8 domain, sizes made from sizes, a sparse tensor."""
    for change in (
        planted(tensor(name="a", data_type=TensorProto.FLOAT16, dims=[2], int32_data=[0x3C00, 0x7BFF])),
        planted(tensor(name="b", data_type=TensorProto.BFLOAT16, dims=[1], raw_data=b"\x80\x3f")),
        planted(tensor(name="c", data_type=TensorProto.DOUBLE, dims=[1], double_data=[1e300])),
        planted(tensor(name="d", data_type=TensorProto.INT64, dims=[2], int64_data=[-1, 2**62])),
        planted(tensor(name="e", data_type=TensorProto.UINT64, dims=[1], uint64_data=[2**64 - 1])),
        planted(tensor(name="f", data_type=F, dims=[], float_data=[1.0])),
        planted(tensor(name="g", data_type=F, dims=[0, 7])),
        sparse(tensor(data_type=F, dims=[1], raw_data=bytes(4)), [4]),
        constant(value_floats=[1.0, -2.0]),
        lambda model: model.graph.node.append(helper.make_node("Constant", [], ["c2"], value_ints=[1, -2])),
        step("Shape", ["conv1"], ["sizes"]),
        step("Gather", ["sizes", [0]], ["batch"], axis=0),
        step("Concat", ["batch", [5]], ["start"], axis=0),
        step("ConstantOfShape", ["start"], ["zeros"]),
        opset(1, "com.microsoft"),
    ):
        change(model)


def test_what_is_allowed_is_not_refused(tiny_graph, text):
    """The checks do not refuse by accident."""
    model = copy(tiny_graph)
    harmless(model)
    assert read_bytes(carded(model, text), "door.onnx").card.labels == ("left", "top")


def changed(text: str, **paths) -> str:
    """Return the card with values set at places such as unknown__k."""
    values = json.loads(text)
    for path, value in paths.items():
        *way, last = path.split("__")
        inner = values
        for part in way:
            inner = inner[part]
        inner[last] = value
    return json.dumps(values)


WRONG_CARDS = {
    "not JSON": (lambda text: text[:-1], ModelFileError, "not JSON"),
    "not an object": (lambda text: "[1]", ModelFileError, "not a JSON object"),
    "100,000 lists deep": (lambda text: "[" * 100_000, ModelFileError, "not JSON"),
    "a number of 5,000 digits": (lambda text: '{"card": ' + "1" * 5000 + "}", ModelFileError, "not JSON"),
    "a million parts": (lambda text: "[" + "[]," * 1_000_000 + "[]]", HostileModelFile, "parts"),
    "5 MB": (lambda text: " " * (5 * 2**20) + text, HostileModelFile, "bytes of metadata"),
    "a threshold given twice": (lambda text: text.replace('"threshold":', '"threshold":-1,"threshold":'), HostileModelFile, "twice"),
    "a threshold of NaN": (lambda text: text.replace('"threshold":0.9', '"threshold":NaN'), HostileModelFile, "NaN"),
    "a bound of 1e999": (lambda text: text.replace('"bound":0.95', '"bound":1e999'), HostileModelFile, "infinity"),
    "version 2": (lambda text: changed(text, card=2), NewerModelFile, "version 2"),
    "version 2 with nothing known": (lambda text: '{"card": 2, "all": "new"}', NewerModelFile, "version 2"),
    "no version": (lambda text: '{"labels": ["a"]}', ModelFileError, "version"),
    "version true": (lambda text: changed(text, card=True), ModelFileError, "version"),
    "version as text": (lambda text: changed(text, card="1"), ModelFileError, "version"),
    "a key from the future": (lambda text: changed(text, mood="sunny"), NewerModelFile, "mood"),
    "an inner key from the future": (lambda text: changed(text, unknown__veto=True), NewerModelFile, "unknown.veto"),
    "a key from the future in the evidence": (
        lambda text: text.replace('"claim":', '"seasons":4,"claim":'),
        NewerModelFile,
        "evidence.0.seasons",
    ),
    "a kind from the future": (lambda text: changed(text, kind="smell"), NewerModelFile, "kind"),
    "a text as threshold": (lambda text: changed(text, unknown__threshold="high"), ModelFileError, "unknown.threshold"),
    "known lists of different length": (lambda text: changed(text, unknown__known_ids=["a"]), ModelFileError, "differ in length"),
    "a known example of no label": (lambda text: changed(text, unknown__known_labels=[0, 0, 2]), ModelFileError, "does not exist"),
    "a known example of label -1": (lambda text: changed(text, unknown__known_labels=[0, 0, -1]), ModelFileError, "does not exist"),
    "a label called unknown": (lambda text: changed(text, labels=["left", "unknown"]), ModelFileError, "strangers"),
    "an empty label": (lambda text: changed(text, labels=["left", ""]), ModelFileError, "empty label"),
    "a label twice": (lambda text: changed(text, labels=["left", "left"]), ModelFileError, "same name"),
    "more labels than the graph": (lambda text: changed(text, labels=["left", "top", "ana"]), ModelFileError, "logits"),
    "another input size": (lambda text: changed(text, input__resize__to=[9, 9]), ModelFileError, "resize"),
    "colour for a grey graph": (lambda text: changed(text, input__colour="rgb"), ModelFileError, "colour"),
    "a rectangle without a box": (lambda text: changed(text, input__region__how="rectangle"), ModelFileError, "region"),
    "an output too few": (lambda text: changed(text, outputs={"logits": ["N", 2]}), ModelFileError, "outputs"),
    "evidence better than its counts": (lambda text: text.replace('"bound":0.95', '"bound":0.01'), ModelFileError, "evidence"),
    "evidence of nothing": (lambda text: text.replace('"trials":1', '"trials":0'), ModelFileError, "evidence"),
    "evidence from 10 billion strangers": (lambda text: text.replace('"trials":1', '"trials":10000000000'), ModelFileError, "evidence"),
}


@pytest.mark.parametrize("kind", WRONG_CARDS)
def test_a_wrong_card_is_refused(kind, tiny_graph, text):
    """Each kind is refused with its reason and the class that says whose fault it is."""
    change, error, words = WRONG_CARDS[kind]
    text = change(text)
    with pytest.raises(error, match=words) as caught:
        read_bytes(carded(tiny_graph, text), "door.onnx")
    assert isinstance(caught.value, NewerModelFile) == (error is NewerModelFile)


def test_a_later_version_says_what_to_do(tiny_graph, text):
    """The hint of a file from the future is the command that helps."""
    with pytest.raises(NewerModelFile) as caught:
        read_bytes(carded(tiny_graph, changed(text, card=2)), "door.onnx")
    assert caught.value.hint == "pip install -U peephole"


def test_an_onnx_file_of_somebody_else_is_told_apart(tiny_graph):
    """A file without a card is no attack."""
    with pytest.raises(ModelFileError, match="is an ONNX file without a Peephole card") as caught:
        read_bytes(carded(tiny_graph), "resnet.onnx")
    assert not isinstance(caught.value, HostileModelFile | NewerModelFile)


def test_two_cards_are_refused(tiny_graph, text):
    """Nobody can tell which one counts."""
    with pytest.raises(HostileModelFile, match="two cards"):
        read_bytes(carded(tiny_graph, text, text), "door.onnx")


def test_an_absent_file_names_its_near_miss(tmp_path, tiny_model_path):
    """A typing error gets the name that was meant; a wholly different name gets a list."""
    for name in ("front-door.onnx", "shed.onnx"):
        (tmp_path / name).write_bytes(tiny_model_path.read_bytes())
    with pytest.raises(MissingInput, match=r"did you mean 'front-door\.onnx'"):
        read(tmp_path / "front-dor.onnx")
    with pytest.raises(FileNotFoundError, match=r"beside it: front-door\.onnx, shed\.onnx"):
        read(tmp_path / "qqqqq")
    with pytest.raises(MissingInput, match="no model file"):
        read(tmp_path / "no" / "such" / "folder.onnx")
    with pytest.raises(MissingInput, match="no model file"):
        read(tmp_path / "shed.onnx" / "below-a-file.onnx")


def test_what_is_no_plain_file_is_refused(tmp_path, tiny_model_path):
    """A folder, a link, a pipe and a device are refused without reading from them."""
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "link.onnx").symlink_to(tiny_model_path)
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "pipe.onnx", "no plain file"),
        (tmp_path / "link.onnx", "symbolic link"),
        (tmp_path / "loop.onnx", "symbolic link"),
        (Path("/dev/zero"), "no plain file"),
    ):
        with pytest.raises(HostileModelFile, match=words):
            read(path)
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(ModelFileError, match="cannot be read"):
            read(path)


def test_size_is_asked_before_reading(tmp_path):
    """A file of 10 GB (on paper) and one of a byte too many are refused at once; so are too many bytes in memory."""
    for size in (10 * 2**30, MAX_BYTES + 1):
        with (tmp_path / "big.onnx").open("wb") as file:
            file.truncate(size)
        with pytest.raises(HostileModelFile, match="at most 200 MB"):
            read(tmp_path / "big.onnx")


OTHER_FILES = {
    "an empty file": (b"", "x.onnx", "is empty", "copy it again"),
    "a JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(99), "visitor.jpg", "is a JPEG picture", "swap the arguments"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(99), "x.onnx", "is a PNG picture", "peephole predict MODEL PHOTOS"),
    "a WebP": (b"RIFF\x00\x01\x00\x00WEBPVP8 " + bytes(99), "x.onnx", "is a WebP picture", "swap the arguments"),
    "a photo of an iPhone": (b"\x00\x00\x00\x20ftypheic" + bytes(99), "x.heic", "is a HEIC or MP4 picture", "swap the arguments"),
    "a text": (b"hello, this is a text\n" * 99, "x.onnx", "is a text", "peephole predict MODEL PHOTOS"),
    "a Korean text": ("\ud478\ub978 \ud558\ub298 ".encode() * 200, "x.txt", "is a text", "peephole predict MODEL PHOTOS"),
    "a door": (b'# the door\n[gate]\nname = "front"\n', "DOOR.toml", "is a text of settings", "peephole gate check"),
    "a zip": (b"PK\x03\x04" + bytes(99), "x.pt", "is a zip archive", "train again"),
    "a pickle": (b"\x80\x04\x95" + bytes(99), "x.pkl", "is a pickle", "train again"),
    "noise": (bytes(range(255, 0, -1)), "x.onnx", "is no ONNX file", "train again"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_other_files_are_told_by_what_they_are(kind, tmp_path):
    """What is no ONNX file is named for what it looks like, not by the fields of a format that it does not have."""
    data, name, words, hint = OTHER_FILES[kind]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(HostileModelFile, match=words) as caught:
        read(tmp_path / name)
    assert hint in caught.value.hint and caught.value.what.startswith(name) and "field" not in caught.value.what


def test_a_folder_is_told_with_the_models_inside(tmp_path, tiny_model_path):
    """The near miss is the file in the folder."""
    (tmp_path / "door.onnx").write_bytes(tiny_model_path.read_bytes())
    with pytest.raises(HostileModelFile, match=r"is a folder, not a model file .*door\.onnx"):
        read(tmp_path)


def test_every_truncation_is_refused(tiny_model_path):
    """A file that was cut anywhere is never read as a whole one."""
    data = tiny_model_path.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ModelFileError):
            read_bytes(data[:length], "cut.onnx")


def test_flipped_bits_never_crash(tiny_graph, text):
    """Whatever is made of a file without a seal: it is refused on reading or running, or it still answers in the promised shape."""
    data = carded(tiny_graph, text)
    dice = random.Random(7)
    read_fine = 0
    for _ in range(4000):
        broken = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 8))):
            broken[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        try:
            model = read_bytes(bytes(broken), "flipped.onnx")
            read_fine += 1
            if read_fine % 8 == 0:
                answer = Engine(model).run(np.zeros((2, 8, 8, 1), np.uint8))
                assert answer.logits.shape == (2, 2)
        except ModelFileError:
            pass
    assert 100 < read_fine < 3900


def test_shuffled_pieces_never_crash(tiny_graph, text):
    """Pieces cut out, doubled and moved: refused or read, never anything else."""
    data, refused = carded(tiny_graph, text), 0
    dice = random.Random(8)
    for _ in range(2000):
        a, b, c = sorted(dice.randrange(len(data)) for _ in range(3))
        broken = dice.choice((data[:a] + data[b:], data[:b] + data[a:], data[:a] + data[b:c] + data[a:b] + data[c:]))
        try:
            read_bytes(broken, "moved.onnx")
        except ModelFileError:
            refused += 1
    assert refused > 1000


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    """No short string of bytes is a model file, and none makes the reader stumble."""
    with pytest.raises(ModelFileError):
        read_bytes(data, "noise.onnx")


CHILD = """
import resource, sys
from pathlib import Path
from peephole.base.errors import ModelFileError
from peephole.base.modelfile import read
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
good, *bad = sys.argv[1:]
read(good)
for path in bad:
    before = peak()
    try:
        read(path)
        print(Path(path).stem, "read", peak() - before)
    except ModelFileError:
        print(Path(path).stem, "refused", peak() - before)
print("loaded", sorted({"onnx", "torch", "onnxruntime", "google.protobuf"} & set(sys.modules)))
"""


def test_memory_stays_small(tmp_path, tiny_model_path, tiny_graph, text):
    """In a process of its own, no refusal costs 64 MB more, a 17 MB file costs its own size once, and `onnx` is never loaded."""
    model = copy(tiny_graph)
    model.graph.initializer.append(tensor(data_type=F, dims=[50_000, 50_000]))
    (tmp_path / "header.onnx").write_bytes(carded(model, text))
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(10 * 2**30)
    (tmp_path / "lists.onnx").write_bytes(carded(tiny_graph, '{"card":1,"x":[' + "[]," * 249_000 + "[]]}"))
    (tmp_path / "fields.onnx").write_bytes(b"\x42\x00" * 5_000_000)
    model = copy(tiny_graph)
    model.graph.node[0].attribute.append(helper.make_attribute("many", list(range(2_000_000))))
    (tmp_path / "ints.onnx").write_bytes(carded(model, text))
    model = copy(tiny_graph)
    weights = np.zeros(17_000_000 // 4, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    (tmp_path / "weights.onnx").write_bytes(carded(model, text))
    names = ("header", "sparse", "lists", "fields", "ints", "weights")
    paths = [tiny_model_path, *(tmp_path / f"{name}.onnx" for name in names)]
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], capture_output=True, text=True, check=True)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "loaded []"
    assert [line.split()[:2] for line in lines] == [[name, "read" if name == "weights" else "refused"] for name in names]
    assert all(int(line.split()[2]) < 64 for line in lines), lines
    assert int(lines[-1].split()[2]) <= 20, lines
