"""PINs and tags at rest, and on their way in: hashed, for their owner alone, refused when anything about them is odd."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peephole.base.errors import InputError, JournalError, MissingInput
from peephole.gateway.inbox import Signal
from peephole.gateway.kept import KeptFile
from peephole.gateway.letters import factor, phone, reading
from peephole.gateway.lockout import Kept
from peephole.gateway.pins import Pins, read_pins, require_good, write_pins

WHEN = (12.0, 1.8e9)


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a PIN of ana, a PIN and a tag of junho, and min, who chose ana's PIN."""
    path = tmp_path_factory.mktemp("pins") / "factors.json"
    known = Pins().given("ana", "pin", "246802").given("junho", "pin", "135791").given("junho", "tag", "04:A2:19", beside=True)
    write_pins(path, known.given("min", "pin", "246802"))
    return path


def test_whose(pins: Path) -> None:
    """A PIN belongs to all who chose it, a tag is no PIN, and nobody's is nobody's."""
    known = read_pins(pins)
    assert known.whose("pin", "246802") == ("ana", "min")
    assert known.whose("tag", "04:A2:19") == known.whose("pin", "135791") == ("junho",)
    assert known.whose("pin", "04:A2:19") == known.whose("pin", "24680") == known.whose("pin", "") == ()
    assert known.without("ana").whose("pin", "246802") == ("min",)
    assert known.given("ana", "pin", "999123").whose("pin", "246802") == ("min",)


def test_at_rest(pins: Path) -> None:
    """Nothing that was typed is in the file, only its owner may read it, and two files hash the same PIN differently."""
    text = pins.read_text()
    assert not any(secret in text for secret in ("246802", "135791", "04:A2:19"))
    assert stat.S_IMODE(pins.stat().st_mode) == 0o600
    assert Pins().digest("pin", "1") != Pins().digest("pin", "1")


def test_every_hash_is_compared(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right PIN takes as many comparisons as a wrong one, each of them in constant time."""
    known, compared = read_pins(pins), []
    monkeypatch.setattr("peephole.gateway.pins.hmac.compare_digest", lambda a, b: compared.append(a) or a == b)
    known.whose("pin", "246802")
    known.whose("pin", "000000")
    assert len(compared) == 8


def test_a_file_that_others_may_read_is_refused(pins: Path, tmp_path: Path) -> None:
    """The hint is chmod."""
    copy = tmp_path / "open.json"
    copy.write_bytes(pins.read_bytes())
    copy.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        read_pins(copy)
    with pytest.raises(MissingInput, match="gate pin"):
        read_pins(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", '{"factors": 2, "salt": "00", "people": {}}', '{"factors": 1, "salt": "zz", "people": {}}',
     '{"factors": 1, "salt": "00000000000000000000000000000000", "people": {"ana": ["00"]}}',
     '{"factors": 1, "salt": "00000000000000000000000000000000", "people": {"ana": 5}}', "[" * 5000, "\xff", "x" * 2**21],
    ids=range(11),
)  # fmt: skip
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever was made of it, it is an InputError and nobody's PIN."""
    path = tmp_path / "factors.json"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(InputError):
        read_pins(path)


@pytest.mark.parametrize("pin", ["", "123", "1111", "1234", "876543", "x" * 201])
def test_poor_pins(pin: str) -> None:
    """Too short, too long, or the first that everybody tries."""
    with pytest.raises(InputError):
        require_good(pin)
    require_good("2468")


def letter(**values: object) -> bytes:
    return json.dumps({"nonce": "nonce-0001", "expires": 1.8e9 + 5, **values}).encode()


def heard(pins: Path, payload: bytes, retained: bool = False) -> Signal:
    return factor(pins, "door/pin", payload, retained, WHEN)


def test_a_letter_becomes_names(pins: Path) -> None:
    """The signal says whose it was, when, and its envelope, and never the PIN."""
    signal = heard(pins, letter(pin="246802"))
    assert signal == Signal(12.0, 1.8e9, "door/pin", "factor", {"nonce": "nonce-0001", "expires": 1.8e9 + 5, "whose": '["ana", "min"]'})
    assert heard(pins, letter(tag="04:A2:19")).values["whose"] == '["junho"]'
    assert heard(pins, letter(pin="000001")).values["whose"] == "[]"


@pytest.mark.parametrize(
    "payload",
    [b"", b"246802", b"null", b"[]", b"{", b"\xff\xfe", b"{" * 4000, letter(), letter(pin=246802), letter(pin="246802", tag="04:A2:19"),
     letter(pin=""), letter(pin="2" * 201), letter(pin={"a": 1}), letter(pin=["246802"]), letter(pin=None), letter(pin="246802", more="x" * 5000),
     json.dumps({"pin": "246802", "nonce": "nonce-0001", "x" * 2000: 1}).encode(), b'{"pin": "246802", "nonce": 1e999}'],
    ids=range(18),
)  # fmt: skip
def test_malformed_letters_say_so(pins: Path, payload: bytes) -> None:
    """Anything else is a signal with a problem, or without a nonce worth the name, and belongs to nobody."""
    values = heard(pins, payload).values
    assert "whose" not in values or not isinstance(values.get("nonce"), str)
    assert "problem" in values or not isinstance(values.get("nonce"), str)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_no_pin(payload: bytes) -> None:
    """Random bytes never end the thread that hears them, and never become somebody."""
    assert "whose" not in heard(Path("/nonexistent"), payload).values


def test_hashing_is_spared_what_is_not_believed(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retained message, or one without a nonce, costs no scrypt."""
    monkeypatch.setattr("peephole.gateway.letters.read_pins", lambda path: pytest.fail("hashed"))
    assert heard(pins, letter(pin="246802"), retained=True).values["retained"]
    heard(pins, b'{"pin": "246802"}')


def test_without_the_file_nobody_is_guessing(tmp_path: Path) -> None:
    """A file that cannot be read is a problem of the door, not a wrong PIN."""
    values = heard(tmp_path / "none.json", letter(pin="246802")).values
    assert "whose" not in values and "there are no PINs yet" in str(values["problem"])


def test_a_phone() -> None:
    """Present, gone, or not understood."""
    assert phone("ana", letter(present=True), False, WHEN).values["here"] == "yes"
    assert phone("ana", letter(present=False), False, WHEN).values["here"] == "no"
    assert "problem" in phone("ana", letter(present="home"), False, WHEN).values
    assert "problem" in phone("ana", b"home", False, WHEN).values


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        (b'{"co2": 812, "window": "open", "motion": true, "gone": null}', {"co2": 812.0, "window": "open", "motion": "true"}),
        (b"812", None),
        (b'{"deep": {"co2": 1}}', None),
        (b'{"co2": NaN}', {"co2": pytest.approx(float("nan"), nan_ok=True)}),
    ],
)
def test_a_reading(payload: bytes, values: dict[str, object] | None) -> None:
    """Flat objects of numbers and words; true and false are words; a retained one has no age."""
    signal = reading("air", payload, False, WHEN)
    assert (None if signal is None else dict(signal.values)) == values
    assert reading("air", payload, True, WHEN) is None


def test_the_lockout_file(tmp_path: Path) -> None:
    """What was written is read, by the same gate alone."""
    file = KeptFile(tmp_path / "journal.db.lockout", "front-door")
    assert file.read() == Kept()
    file.write(Kept(7, ("a1", "b2"), ("c3",)))
    assert KeptFile(file.path, "front-door").read() == Kept(7, ("a1", "b2"), ("c3",))
    with pytest.raises(JournalError, match="belongs to the gate 'front-door'"):
        KeptFile(file.path, "back-door").read()


@pytest.mark.parametrize(
    "change",
    [
        {"failures": -1},
        {"failures": True},
        {"failures": "0"},
        {"spent": [1]},
        {"orders": [1]},
        {"orders": 5},
        {"spent": "x" * 2000},
        {"lockout": 9},
        {"gate": 1},
    ],
)
def test_an_edited_lockout_file_is_no_way_in(tmp_path: Path, change: dict[str, object]) -> None:
    """It raises, and whoever starts with it is disabled."""
    path = tmp_path / "j.lockout"
    path.write_text(json.dumps({"lockout": 1, "gate": "g", "failures": 3, "spent": [], "orders": [], **change}))
    with pytest.raises(JournalError, match="gate unlock"):
        KeptFile(path, "g").read()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", "x" * 2**18])
def test_a_broken_lockout_file_is_no_way_in(tmp_path: Path, text: str) -> None:
    """The same for half a file."""
    (tmp_path / "j.lockout").write_text(text, encoding="latin-1")
    with pytest.raises(JournalError):
        KeptFile(tmp_path / "j.lockout", "g").read()


def test_orders(tmp_path: Path) -> None:
    """Each order is another one; rubbish in its place is none."""
    file = KeptFile(tmp_path / "j.lockout", "g")
    assert file.order() == ""
    first = file.give_order()
    assert file.order() == first != file.give_order()
    (tmp_path / "j.lockout.end").write_bytes(b"\xff../..")
    assert file.order() == ""


def test_a_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stands, and the error is a JournalError."""
    file = KeptFile(tmp_path / "j.lockout", "g")
    file.write(Kept(3))

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("peephole.base.disk.os.fsync", fails)
    with pytest.raises(JournalError, match="No space left"):
        file.write(Kept(4))
    assert file.read() == Kept(3)


def test_each_write_is_on_disk_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and its folder are synced: two calls, counted."""
    synced: list[int] = []
    monkeypatch.setattr("peephole.base.disk.os.fsync", synced.append)
    KeptFile(tmp_path / "j.lockout", "g").write(Kept(4))
    assert len(synced) == 2
