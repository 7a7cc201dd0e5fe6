"""The lab's addresses: numbers equal to the mathematics, and a sentence for everything that is none."""

import io
import json
import struct
import subprocess
import sys
import wave

import numpy as np
import pytest

from peephole.base.errors import MissingExtra
from peephole.lab import drawn, hand, learn
from peephole.studio import labfiles

S1 = """
 7 -1  1  3  5 -1  3
-1  9 -1  3 -1  1 -1
 1 -1  9 -3  1 -1  5
 3  3 -3  5 -3  3  3
 5 -1  1 -3  9 -1  1
-1  1 -1  3 -1  9 -1
 3 -1  5  3  1 -1  7"""
S2 = """
 3 -5  1 -1  1 -5  3
-5  5 -5  3 -5  5 -5
 1 -5  5 -7  5 -5  1
-1  3 -7  9 -7  3 -1
 1 -5  5 -7  5 -5  1
-5  5 -5  3 -5  5 -5
 3 -5  1 -1  1 -5  3"""
X = drawn.cross().tolist()


def rows(text):
    return [[int(word) for word in line.split()] for line in text.split("\n")[1:]]


@pytest.fixture(scope="module")
def headers(live):
    return live.visitor()


@pytest.fixture
def ask(live, headers):
    """Return a function that sends JSON as a visitor who gave no code, and returns status and answer."""

    def send(name, sent):
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        found = live.ask("POST", f"/api/lab/{name}", headers, data)
        return found.status, found.json

    return send


@pytest.fixture
def echo(live, headers):
    """Return a function that sends a sound and returns status, what is said and the two sounds."""

    def send(query, sound=b""):
        found = live.ask("POST", f"/api/lab/echo?{query}", headers, sound)
        if found.status != 200:
            return found.status, found.json, b"", b""
        (length,) = struct.unpack("<I", found.body[:4])
        said = json.loads(found.body[4 : 4 + length])
        first = 4 + length + said["bytes"][0]
        return found.status, said, found.body[4 + length : first], found.body[first:]

    return send


def sound(samples, rate=8000, channels=1):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return data.getvalue()


def samples(data):
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


class TestNumbers:
    def test_x_or_o_is_the_example(self, ask):
        """S1, S2 and S3 of the example, its pooled maps and its flat row, all in ninths."""
        status, found = ask("x-or-o", {"picture": X, "move": [0, 2]})
        maps = found["worked"]["maps"]
        assert status == 200
        assert [each["matches"]["parts"] for each in maps] == [rows(S1), rows(S2), np.fliplr(rows(S1)).tolist()]
        assert maps[0]["pooled"]["parts"] == [[9, 3, 5, 3], [3, 9, 3, 5], [5, 3, 9, 1], [3, 5, 1, 7]]
        assert np.array(maps[0]["pooled_floor"]["parts"]).shape == (3, 3)
        assert found["worked"]["flat"] == [9, 5, 5, 9, 9, 5, 5, 5, 5, 9, 9, 5]
        assert found["whole"]["x"]["equal"] == 61
        assert found["whole"]["answer"] == "O"
        assert found["moved_answer"] == "X"
        assert found["parts"]["moved"] == [0, 2]

    @pytest.mark.parametrize(
        ("change", "wanted"),
        [
            ("o", drawn.ring()),
            ("down", drawn.shift(drawn.cross(), 1, 0)),
            ("left", drawn.shift(drawn.cross(), 0, -1)),
            ("rotate", drawn.rotate(drawn.cross(), 15)),
            ("thicken", drawn.thicken(drawn.cross())),
            ("clear", np.full((9, 9), -1.0)),
        ],
    )
    def test_buttons_change_the_picture(self, ask, change, wanted):
        """Each button does to the picture what its function does."""
        assert ask("x-or-o", {"picture": X, "change": change})[1]["worked"]["picture"] == wanted.tolist()

    def test_learning_is_that_of_the_lab(self, ask):
        """Every step equals the generator's, the weight that is followed included."""
        found = ask("learn", {"steps": 5, "rate": 0.3, "follow": [2, 0, 1]})[1]
        wanted = list(learn.train(hand.drawings(20, 0, 12), steps=5, learning_rate=0.3, follow=(2, 0, 1)))
        assert [step["error"] for step in found["steps"]] == [step.error for step in wanted]
        assert found["steps"][4]["filters"] == pytest.approx(wanted[4].net.filters.ravel(), rel=1e-6)
        told = found["steps"][3]["update"]
        assert told["new"] == pytest.approx(told["old"] - 0.3 * told["slope"], rel=1e-12)
        assert (told["filter"], told["row"], told["column"]) == (2, 0, 1)

    def test_a_rate_too_large_runs_away(self, ask):
        """The error grows instead, and is still told."""
        status, found = ask("learn", {"steps": 30, "rate": 30})
        assert status == 200
        assert max(float(step["error"]) for step in found["steps"]) > 1000 * found["error"]

    def test_one_weight(self, ask):
        """W = 0.2 goes to 0.44, the error from 0.36 to 0.0144; at 0.5 the slope is 0."""
        found = ask("scalar", {"w": 0.2, "x": 2, "target": 1, "rate": 0.1})[1]
        assert [found[name] for name in ("slope", "new", "error_before", "error_after")] == pytest.approx([-2.4, 0.44, 0.36, 0.0144])
        assert ask("scalar", {"w": 0.5})[1]["slope"] == 0

    def test_the_ball(self, ask):
        """Two of (1, 2, 3, 4) / 10: exact fractions that sum to 1, and the shares of the way back."""
        found = ask("ball", {"first": {"weights": ["1", "2", "3", "4"]}, "second": {"weights": ["0.1", "0.2", "0.3", "0.4"]}})[1]
        assert [100 * part / whole for part, whole in found["total"]["values"]] == pytest.approx([1, 4, 10, 20, 25, 24, 16])
        three = found["landings"][3]
        assert three["chance"] == [1, 5]
        assert [way["share"] for way in three["ways"]] == [[1, 5], [3, 10], [3, 10], [1, 5]]

    def test_two_dice(self, ask):
        """Seven has six of the 36 ways."""
        die = {"weights": ["1"] * 6, "start": 1}
        found = ask("ball", {"first": die, "second": die})[1]["total"]
        assert dict(zip([place for place, _ in found["places"]], found["values"], strict=True))[7] == [1, 6]

    def test_the_window(self, ask):
        """Stride, padding, dilation and cut windows give the size of the formula and the sums of the cells inside."""
        grid = np.arange(49).reshape(7, 7)
        assert np.array(ask("window", {"grid": grid.tolist(), "kernel": 3})[1]["slid"]["values"]).shape == (5, 5)
        found = ask("window", {"grid": grid.tolist(), "kernel": 2, "stride": 2, "partial": True, "how": "max"})[1]["slid"]
        assert found["values"][3] == [43, 45, 47, 48]
        assert found["inside"][3] == [2, 2, 2, 1]
        padded = ask("window", {"grid": grid.tolist(), "kernel": 3, "padding": 1, "dilation": 2})[1]["slid"]["values"]
        assert np.array(padded).shape == (5, 5)
        assert padded[1][1] == sum(grid[row, column] for row in (0, 2, 4) for column in (0, 2, 4))

    def test_the_kernel(self, ask):
        """On one edge: blur 0 3 6, difference 9; turned and not turned differ for a kernel that is not symmetric."""
        pytest.importorskip("scipy")
        step = [[0, 0, 0, 9, 9]] * 5
        assert ask("kernel", {"picture": step, "kernel": "box", "pad": "valid"})[1]["correlation"][0] == pytest.approx([0, 3, 6])
        assert ask("kernel", {"picture": step, "kernel": [[-1, 1]], "pad": "valid"})[1]["correlation"][0] == [0, 0, 9, 0]
        squares = (np.arange(25).reshape(5, 5) ** 2).tolist()
        sent = {"picture": squares, "kernel": [[0, 0, 0], [-1, 1, 0], [0, 0, 0]], "pad": "valid"}
        found = ask("kernel", sent)[1]
        assert (found["correlation"][0][0], found["convolution"][0][0]) == (11, -13)
        cell = ask("kernel", sent | {"at": [0, 0]})[1]["convolution"]
        assert cell["total"] == np.sum(np.array(cell["patch"]) * cell["kernel"]) == -13

    def test_a_patch_of_the_picture_fits_itself_best(self, ask):
        """Cross-correlation with a patch, its mean off, is largest where it was cut."""
        pytest.importorskip("scipy")
        picture = np.zeros((20, 20), int)
        picture[5:10, 6] = picture[7, 4:9] = 200
        found = ask("kernel", {"picture": picture.tolist(), "kernel": "patch", "left": 4, "top": 5, "side": 5, "pad": "valid"})[1]
        values = np.array(found["correlation"])
        assert np.unravel_index(values.argmax(), values.shape) == (5, 4)

    def test_the_echo_is_a_convolution(self, echo):
        """(1, 2, 3) with spikes 1 and 1/2 three samples apart, as any array library convolves them."""
        pytest.importorskip("soundfile")
        given = np.array([1000, 2000, 3000, 0, 0, 0])
        status, said, before, after = echo("delay=0.000375&decay=0.5&times=1", sound(given))
        assert status == 200
        assert before == sound(given)
        assert samples(after) / said["factor"] == pytest.approx(np.convolve(given, [1, 0, 0, 0.5]), abs=0.6 / said["factor"] + 1e-9)
        assert said["impulse"] == 4

    @pytest.mark.parametrize("name", ["clap", "string", "tune", "spike"])
    def test_sounds_of_the_program(self, echo, name):
        """Each is heard, and twice with an echo: the second time half as loud."""
        pytest.importorskip("soundfile")
        status, said, before, after = echo(f"sound={name}&delay=0.2&decay=0.5")
        assert status == 200
        assert said["seconds"][1] - said["seconds"][0] == pytest.approx(0.2)
        heard = samples(after) / said["factor"]
        shift = round(0.2 * said["rate"])
        wanted = np.pad(samples(before), (0, shift)) + 0.5 * np.pad(samples(before), (shift, 0))
        assert heard == pytest.approx(wanted, abs=1 / said["factor"] + 1e-9)

    def test_drawings(self, live):
        """Drawings come as grey numbers; other names do not."""
        found = live.ask("GET", "/api/lab/drawing?name=star").json["picture"]
        assert np.array(found).shape == (64, 64)
        assert (np.min(found), np.max(found)) == (30, 255)
        assert live.ask("GET", "/api/lab/drawing?name=../../etc").status == 400


BAD = [
    ("x-or-o", b"no json"),
    ("x-or-o", b"[" * 60_000),
    ("x-or-o", b"[]"),
    ("x-or-o", {}),
    ("x-or-o", {"picture": "X"}),
    ("x-or-o", {"picture": {"a": 1}}),
    ("x-or-o", {"picture": [[1, 1], [1]]}),
    ("x-or-o", {"picture": [[1, 1], [1, 1]]}),
    ("x-or-o", {"picture": [[1] * 9] * 8}),
    ("x-or-o", {"picture": [[1] * 33] * 33}),
    ("x-or-o", {"picture": [[2] * 9] * 9}),
    ("x-or-o", b'{"picture": [[NaN, 1, 1], [1, 1, 1], [1, 1, 1]]}'),
    ("x-or-o", {"picture": [[10**400] * 9] * 9}),
    ("x-or-o", {"picture": X, "filters": [[[1] * 10] * 10]}),
    ("x-or-o", {"picture": X, "filters": [[[1, 1, 1]] * 3] * 9}),
    ("x-or-o", {"picture": X, "filters": []}),
    ("x-or-o", {"picture": X, "change": "explode"}),
    ("x-or-o", {"picture": X, "change": ["x"]}),
    ("x-or-o", {"picture": X, "move": [0.5, 1]}),
    ("x-or-o", {"picture": X, "move": [1]}),
    ("learn", {"steps": 0}),
    ("learn", {"steps": 10**6}),
    ("learn", {"steps": "many"}),
    ("learn", {"steps": True}),
    ("learn", {"rate": 0}),
    ("learn", b'{"rate": NaN}'),
    ("learn", {"rate": 1e9}),
    ("learn", {"filters": 9}),
    ("learn", {"follow": [3, 0, 0]}),
    ("learn", {"follow": [0, 0]}),
    ("learn", {"follow": [0, 0, -1]}),
    ("scalar", {"w": "1"}),
    ("scalar", b'{"w": Infinity}'),
    ("ball", {}),
    ("ball", {"first": {"weights": ["1"]}, "second": {"weights": []}}),
    ("ball", {"first": {"weights": ["0", "0"]}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": ["-1", "2"]}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": ["nan"]}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": [1]}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": ["1"] * 25}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": ["1" * 21]}, "second": {"weights": ["1"]}}),
    ("ball", {"first": {"weights": ["1"], "start": 0.5}, "second": {"weights": ["1"]}}),
    ("ball", {"first": ["1"], "second": {"weights": ["1"]}}),
    ("window", {"grid": [[1, 2], [3, 4]], "kernel": 3}),
    ("window", {"grid": [[1] * 17] * 17}),
    ("window", {"grid": [[1]], "stride": 0}),
    ("window", {"grid": [[1]], "padding": 1.5}),
    ("window", {"grid": [[1]], "how": "median"}),
    ("window", {"grid": [[1]], "how": ["sum"]}),
    ("kernel", {}),
    ("kernel", {"picture": [[1] * 129] * 129}),
    ("kernel", {"picture": [[-1, 0], [0, 0]]}),
    ("kernel", b'{"picture": [[Infinity]]}'),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": "sepia"}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": [[1e9]]}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": [[1] * 16] * 16}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": {"box": 3}}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": "box", "pad": "valid"}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "pad": "honey"}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "pad": ["zero"]}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "stride": 0}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "stride": 1.5}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "at": [5, 5]}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "at": [0]}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "at": "0,0"}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": "patch", "left": 0, "top": 0, "side": 7}),
    ("kernel", {"picture": [[1, 1], [1, 1]], "kernel": "patch", "side": 2}),
    ("kernel", {"picture": [[1, 2], [3, 4]], "kernel": "patch", "side": "all"}),
]
LONG = sound(np.zeros(10)).replace(struct.pack("<I", 8000), struct.pack("<I", 300_000))


class TestWhatIsNone:
    @pytest.mark.parametrize(("name", "sent"), BAD, ids=[f"{name} {at}" for at, (name, _) in enumerate(BAD)])
    def test_is_told_in_a_sentence(self, ask, name, sent):
        """400, what happened and what to do: never a crash, never numbers made up."""
        if name == "kernel":
            pytest.importorskip("scipy")
        status, found = ask(name, sent)
        assert status == 400, found
        assert found["error"]
        assert found["hint"]

    @pytest.mark.parametrize(("name", "most"), [("x-or-o", 64_000), ("learn", 1_000), ("ball", 4_000), ("window", 8_000), ("kernel", 200_000)])
    def test_too_much_is_refused(self, ask, name, most):
        """Each address has its cap."""
        status, found = ask(name, b" " * (most + 1))
        assert (status, found["error"]) == (413, "too.much")

    @pytest.mark.parametrize(
        ("query", "sent"),
        [
            ("", b""),
            ("", b"RIFF"),
            ("", b"RIFF\x24\x00\x00\x00WAVEfmt "),
            ("", b"<svg>" * 100),
            ("", b"\x89PNG\r\n\x1a\n" + bytes(200)),
            ("", sound([])),
            ("", LONG),
            ("", sound(np.zeros(6_000_001 // 2), channels=1)[:44] + bytes(12)),
            ("sound=drum", b""),
            ("sound=clap&delay=nan", b""),
            ("sound=clap&delay=0", b""),
            ("sound=clap&delay=6", b""),
            ("sound=clap&decay=2", b""),
            ("sound=clap&decay=inf", b""),
            ("sound=clap&times=0", b""),
            ("sound=clap&times=41", b""),
            ("sound=clap&times=1.5", b""),
        ],
    )
    def test_no_sound(self, echo, query, sent):
        """A file that is no sound and numbers that make no echo are told without a path of this computer."""
        pytest.importorskip("soundfile")
        status, found, _, _ = echo(query, sent)
        if status == 200:  # libsndfile reads what a broken header leaves
            assert found["seconds"][0] < 1
            return
        assert status == 400, found
        assert found["error"]
        assert "tmp" not in found["error"] + found["hint"]
        assert "peephole-" not in found["error"] + found["hint"]

    def test_a_sound_that_is_too_long(self, echo):
        """Compressed, a small file can hold hours."""
        soundfile = pytest.importorskip("soundfile")
        data = io.BytesIO()
        soundfile.write(data, np.zeros((3_000_001, 2), np.int16), 48_000, format="FLAC")
        assert len(data.getvalue()) < 200_000
        status, found, _, _ = echo("", data.getvalue())
        assert (status, found["error"]) == (400, "the sound is too long for the page")

    def test_an_echo_that_is_too_long(self, echo):
        """A sound of one frame with minutes of tail in eight channels: refused before it is made."""
        pytest.importorskip("soundfile")
        status, found, _, _ = echo("delay=1.5&times=40", sound([0] * 8, rate=192_000, channels=8))
        assert (status, found["error"]) == (400, "the echo is too long for the page")

    def test_what_is_missing_is_named_with_its_command(self, ask, echo, monkeypatch):
        """Without SciPy the kernel and the echo say what to install; the rest works."""

        def absent(name):
            raise MissingExtra("this needs scipy, which is not installed", 'pip install "peephole[explore]"')

        monkeypatch.setattr(labfiles, "load", absent)
        for found in (ask("kernel", {"picture": [[1, 2], [3, 4]]})[1], echo("sound=clap")[1]):
            assert found["hint"] == 'pip install "peephole[explore]"'
        assert ask("x-or-o", {"picture": X})[0] == 200

    def test_the_lab_is_there_without_scipy(self):
        """Its modules can be imported, and what needs SciPy says so."""
        program = """
import sys
sys.modules["scipy"] = sys.modules["soundfile"] = None
from peephole.studio import lab, labfiles
from peephole.base.errors import MissingExtra
try:
    labfiles.load("lab.kernels:apply")
except MissingExtra as error:
    print(error.hint)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == 'pip install "peephole[explore]"'
