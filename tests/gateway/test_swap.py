"""SAFETY 8: the power is cut, the disk fails or the process is killed at every step of a model swap; the old model or the new one runs."""

import errno
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from doors import TINY

from peephole.base.card import Card
from peephole.base.disk import Disk
from peephole.base.errors import HostileModelFile, InputError, MissingInput, ModelFileError, NotArmed, NotSigned, OutputError, SettingsError
from peephole.base.files import write_atomic
from peephole.base.modelwrite import write
from peephole.base.signature import beside, keygen, public_key, require_signed, sign
from peephole.decide.predictor import load
from peephole.gateway.door import Door, last_good, load_door, undone
from peephole.gateway.enrol import begun
from peephole.gateway.forgetfuldisk import ForgetfulDisk, PowerCut
from peephole.gateway.modelcheck import inspect_models
from peephole.gateway.people import Example, Place, write_people
from peephole.gateway.swap import Files, choose, exchange, promote, rollback

DOOR = f'{TINY}[models]\nkey = "door.pub"\n'


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """A door that runs signed files only, with a key pair beside it."""
    keygen(tmp_path / "door.key")
    (tmp_path / "DOOR.toml").write_text(DOOR)
    return load_door(tmp_path / "DOOR.toml")


@pytest.fixture
def make_model(tmp_path: Path, tiny_graph: object, tiny_card: Card) -> Callable[..., Path]:
    """Return a function that writes a signed model file; another threshold makes another file."""

    def make(name: str, threshold: float = 0.9, signed: bool = True, labels: tuple[str, str] = ("left", "top")) -> Path:
        card = tiny_card.model_copy(update={"labels": labels, "unknown": tiny_card.unknown.model_copy(update={"threshold": threshold})})
        write(tmp_path / name, tiny_graph, card)  # type: ignore[arg-type]  # the fixture's graph
        if signed:
            sign(tmp_path / name, tmp_path / "door.key")
        return tmp_path / name

    return make


@pytest.fixture
def live(door: Door, make_model: Callable[..., Path]) -> Path:
    """The door with a live model."""
    return make_model("door.onnx")


def enrolled(model: Path, name: str) -> bytes:
    """Enrol somebody beside a model file and return the gallery's bytes."""
    predictor = load(model)
    example = Example(0, "person", name, "f" * 64, "kim", 1.8e9, predictor.engine.run(np.full((8, 8, 1), 200, np.uint8)))
    write_people(begun(predictor).plus([example]), Place(model.with_suffix(".gallery")))
    return model.with_suffix(".gallery").read_bytes()


def pair(model: Path) -> Files:
    people = model.with_suffix(".gallery")
    return Files(model.read_bytes(), beside(model).read_bytes(), people.read_bytes() if people.exists() else b"")


def without_fsync(path: Path, data: bytes, disk: Disk) -> None:
    """Planted bug: the new file is renamed before it is on the platter."""
    assert isinstance(disk, ForgetfulDisk)
    draft = path.with_name(f".{path.name}.x")
    disk.create(draft, data, sync=False)
    disk.rename(draft, path)
    disk.sync(path.parent)


def without_folder(path: Path, data: bytes, disk: Disk) -> None:
    """Planted bug: nobody sees the folder onto the platter."""
    disk.rename(disk.draft(path, data, 0o644), path)


def in_place(path: Path, data: bytes, disk: Disk) -> None:
    """Planted bug: the old file is written over where it stands."""
    assert isinstance(disk, ForgetfulDisk)
    if path in disk.files:
        disk.overwrite(path, data)
    else:
        disk.create(path, data, sync=True)
    disk.sync(path.parent)


def model_first(live: Path, new: Files, keep_at: Path, keep: Files | None, *, disk: Disk) -> None:
    """Planted bug: the model is exchanged, and only then its signature."""
    for path, what in ((keep_at, keep), (live, new)):
        if what is not None:
            write_atomic(path, what.data, disk)
            write_atomic(beside(path), what.signature, disk)


def with_write(how: Callable[[Path, bytes, Disk], object]) -> Callable[..., None]:
    return lambda *words, disk: exchange(*words, disk=disk, write=how)


@dataclass(frozen=True)
class Cuts:
    """What was found after cutting the power after every step: how many folders, and which of them were neither old nor new."""

    steps: int
    found: int
    wrong: int
    ends: frozenset[str]


def cut_everywhere(swap: Callable[..., None], live: Path, new: Files, signed: Callable[[bytes, bytes], bool]) -> Cuts:
    """Cut the power after each step and look at every folder that may be found then."""
    old, before = pair(live), {path: path.read_bytes() for path in (live, beside(live))}
    found = wrong = 0
    ends: set[str] = set()
    for cut in range(10_000):
        disk = ForgetfulDisk(before, cut=cut)
        try:
            swap(live, new, last_good(live), old, disk=disk)
            done = True
        except PowerCut:
            done = False
        for folder in disk.after_cut():
            found += 1
            data, signatures = folder.get(live, b""), folder.get(beside(live), b"")
            which = "old" if data == old.data else "new" if data == new.data else "neither"
            fits = which != "neither" and signed(data, signatures)
            wrong += not fits or (done and which != "new")
            ends.add(which if fits else "neither")
        if done:
            return Cuts(cut, found, wrong, frozenset(ends))
    raise AssertionError("it never ends")


@pytest.fixture
def signed(door: Door) -> Callable[[bytes, bytes], bool]:
    """Return a function that says whether bytes have a signature that fits."""
    signer = public_key(door.folder / "door.pub")

    def check(data: bytes, signatures: bytes) -> bool:
        try:
            return len(signatures) in (64, 128) and bool(require_signed("door.onnx", data, signatures, signer))
        except NotSigned:
            return False

    return check


def test_a_power_cut_at_every_step(live: Path, make_model: Callable[..., Path], signed: Callable[[bytes, bytes], bool]) -> None:
    """After each step, in every way in which a disk may forget what was not synced: the old model or the new one, whole and signed."""
    cuts = cut_everywhere(exchange, live, pair(make_model("new.onnx", 0.8)), signed)
    assert cuts.wrong == 0 and cuts.ends == {"old", "new"}
    assert cuts.steps == 30 and cuts.found > 60


@pytest.mark.parametrize("path", ["", "people.db"])
def test_the_people_go_with_their_model(live: Path, make_model: Callable[..., Path], door: Door, path: str) -> None:
    """A gallery stands with the model it was made with, or none does: at every cut, after a promotion and a rollback; also by [gallery] path."""
    if path:
        door.path.write_text(f'{door.path.read_text()}[gallery]\npath = "{path}"\n')
        door = load_door(door.path)
    people, new = door.gallery, make_model("new.onnx", 0.8)
    mine, theirs = (enrolled(model, name) for model, name in ((live, "ana"), (new, "junho")))
    live.with_suffix(".gallery").rename(people)
    old, files = replace(pair(live), gallery=mine), {path: path.read_bytes() for path in (live, beside(live), people)}
    seen = set()
    for cut in range(100):
        disk = ForgetfulDisk(files, cut=cut)
        with suppress(PowerCut):
            exchange(live, pair(new), last_good(live), old, gallery=people, disk=disk)
        seen |= {("old" if folder[live] == old.data else "new", folder.get(people)) for folder in disk.after_cut()}
    assert seen == {("old", mine), ("old", None), ("new", None), ("new", theirs)}
    assert "ana stood in the gallery of the model before it alone" in promote(door, new).kept
    assert (people.read_bytes(), last_good(live).with_suffix(".gallery").read_bytes()) == (theirs, mine)
    people.unlink()  # the live model is lost with its people: the last good one runs with its own
    live.rename(live.with_suffix(".lost"))
    chosen = choose(door)
    assert "ana" in chosen.fit.predictor.labels and chosen.door.gallery == last_good(live).with_suffix(".gallery")
    live.with_suffix(".lost").rename(live)
    people.write_bytes(theirs)
    rollback(door)
    assert (people.read_bytes(), undone(live).with_suffix(".gallery").read_bytes()) == (mine, theirs)
    make_model("third.onnx", 0.7)
    promote(door, door.folder / "third.onnx")
    assert not people.exists() and last_good(live).with_suffix(".gallery").read_bytes() == mine
    assert stat.S_IMODE(last_good(live).with_suffix(".gallery").stat().st_mode) == 0o600


TWINS = {
    "no fsync of the file": with_write(without_fsync),
    "no fsync of the folder": with_write(without_folder),
    "writing in place": with_write(in_place),
    "the model before its signature": model_first,
}


@pytest.mark.parametrize("bug", TWINS)
def test_the_cut_finds_planted_bugs(bug: str, live: Path, make_model: Callable[..., Path], signed: Callable[[bytes, bytes], bool]) -> None:
    """Planted-bug twins: each of four ways to be careless leaves a door without a model, or with one that may not run."""
    assert cut_everywhere(TWINS[bug], live, pair(make_model("new.onnx", 0.8)), signed).wrong > 0


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_at_every_step(error: int, live: Path, make_model: Callable[..., Path], signed: Callable[[bytes, bytes], bool]) -> None:
    """From any step on every write fails: one sentence, the old model or the new one, and no half file is left."""
    old, new = pair(live), pair(make_model("new.onnx", 0.8))
    failed = 0
    for fails in range(31):
        disk = ForgetfulDisk({live: old.data, beside(live): old.signature}, fails=fails, error=error)
        try:
            exchange(live, new, last_good(live), old, disk=disk)
        except OutputError as told:
            failed += 1
            assert "cannot be written" in told.what
        assert disk.files[live] in (old.data, new.data) and signed(disk.files[live], disk.files[beside(live)])
        assert not [path for path in disk.files if path.name.startswith(".")]
    assert failed == 30


KILLED = """
import os, signal, sys
from pathlib import Path
from peephole.base.disk import SystemDisk
from peephole.gateway.modelcheck import inspect_models
from peephole.gateway.swap import Files, exchange

class Killing(SystemDisk):
    left = int(sys.argv[2])
    def _step(self):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def draft(self, path, data, mode):
        self._step()
        made = super().draft(path, data[: len(data) // 2], mode)
        self._step()
        made.unlink()
        made = super().draft(path, data, mode)
        self._step()
        return made
    def rename(self, draft, path):
        self._step(); super().rename(draft, path); self._step()
    def sync(self, folder):
        super().sync(folder); self._step()

root = Path(sys.argv[1])
def pair(name):
    return Files((root / name).read_bytes(), (root / f"{name}.sig").read_bytes())
first = Killing.left
for number in range(first, 100):
    folder = root / f"cut{number}"
    folder.mkdir()
    for name in ("door.onnx", "door.onnx.sig", "DOOR.toml", "door.pub"):
        (folder / name).write_bytes((root / name).read_bytes())
    child = os.fork()
    if child == 0:
        Killing.left = number
        exchange(folder / "door.onnx", pair("new.onnx"), folder / "door.last.onnx", pair("door.onnx"), disk=Killing())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(number, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "done", flush=True)
    if not os.WIFSIGNALED(status):
        break
"""


def test_killed_at_every_step(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """Kill -9 in the middle of a real exchange on a real disk: the gate starts with the old model or the new one, without a complaint."""
    new = make_model("new.onnx", 0.8)
    done = subprocess.run([sys.executable, "-c", KILLED, str(door.folder), "0"], capture_output=True, text=True, check=True)
    *kills, last = done.stdout.split("\n")[:-1]
    assert len(kills) > 30 and all(line.endswith(f" {int(signal.SIGKILL)}") for line in kills) and last.endswith(" done")
    found = []
    for number in range(len(kills) + 1):
        chosen = choose(load_door(door.folder / f"cut{number}" / "DOOR.toml"))
        assert chosen.complaint is None
        found.append(chosen.fit.predictor.model.data)
    assert found[0] == live.read_bytes() and found[-1] == new.read_bytes()
    assert set(found) == {found[0], found[-1]} and sorted(found, key=found.index) == found


def test_promote_and_roll_back(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """The candidate becomes door.onnx, the old model is kept; one command takes it back, and what was rolled back is kept too."""
    old, new = pair(live), pair(make_model("new.onnx", 0.8))
    done = promote(door, door.folder / "new.onnx")
    assert pair(live) == new and pair(last_good(live)) == old and "kept as door.last.onnx" in done.kept
    assert [name for name, _ in done.live.passed] == ["opens", "signature", "labels", "region", "answers", "arming"]
    with pytest.raises(InputError, match="is the live model already"):
        promote(door, door.folder / "new.onnx")
    back = rollback(door)
    assert pair(live) == old == pair(last_good(live)) and pair(undone(live)) == new and "door.undone.onnx" in back.kept
    with pytest.raises(InputError, match="last good model already"):
        rollback(door)
    promote(door, undone(live))
    assert pair(live) == new and pair(last_good(live)) == old


def test_the_first_promotion_has_nothing_to_keep(make_model: Callable[..., Path], door: Door) -> None:
    """A door without a model gets one; there is nothing to go back to yet."""
    make_model("new.onnx", 0.8)
    assert "not fit to be kept" in promote(door, door.folder / "new.onnx").kept
    assert not last_good(door.model).exists()
    with pytest.raises(InputError, match="there is no last good model"):
        rollback(door)


def test_a_broken_live_model_never_becomes_the_last_good_one(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """What is kept is what was fit: a live model that went bad does not take the good one's place."""
    good = pair(live)
    promote(door, make_model("second.onnx", 0.8))
    live.write_bytes(live.read_bytes()[:-7])
    promote(door, make_model("third.onnx", 0.7))
    assert pair(last_good(live)) == good


UNFIT = {
    "cut off": (lambda new, make: new.write_bytes(new.read_bytes()[:-1]), HostileModelFile),
    "changed after signing": (lambda new, make: make("new.onnx", 0.7, signed=False), NotSigned),
    "not signed": (lambda new, make: beside(new).unlink(), NotSigned),
    "knows other people": (lambda new, make: make("new.onnx", 0.7, labels=("lefty", "top")), SettingsError),
    "accepts everybody": (lambda new, make: make("new.onnx", -1.0), ModelFileError),
    "is not there": (lambda new, make: new.unlink(), MissingInput),
    "a link": (lambda new, make: (new.rename(new.with_name("n.onnx")), new.symlink_to(new.with_name("n.onnx"))), HostileModelFile),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_candidate_changes_nothing(kind: str, live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """Whatever is wrong with it, the live model and the folder are what they were."""
    new = make_model("new.onnx", 0.8)
    spoil, error = UNFIT[kind]
    spoil(new, make_model)
    before = {path.name: path.read_bytes() for path in door.folder.iterdir() if not path.name.startswith("new")}
    with pytest.raises(error):
        promote(door, new)
    assert {path.name: path.read_bytes() for path in door.folder.iterdir() if not path.name.startswith("new")} == before


def test_a_rate_that_is_not_proven_is_not_promoted(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """A candidate must arm at the rate that the door asks for."""
    (door.folder / "DOOR.toml").write_text(DOOR.replace("low_risk = true", "low_risk = false"))
    try:
        strict = load_door(door.folder / "DOOR.toml")
    except SettingsError:  # without a second factor the settings themselves refuse
        strict = Door(door.path, door.settings.model_copy(update={"gate": door.settings.gate.model_copy(update={"low_risk": False})}))
    with pytest.raises(NotArmed, match="299 strangers"):
        promote(strict, make_model("new.onnx", 0.8))


def broken(live: Path) -> Iterator[None]:
    """Spoil the live model in several ways, one after the other."""
    whole = live.read_bytes()
    for data in (b"", whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:], bytes(len(whole))):
        live.write_bytes(data)
        yield
    live.unlink()
    yield
    live.mkdir()
    yield


def test_the_gate_takes_the_last_good_model(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """However the live model was lost, the last good one runs, and the complaint says what happened and what to do."""
    good = pair(live).data
    promote(door, make_model("new.onnx", 0.8))
    ways = 0
    for _ in broken(live):
        chosen = choose(door)
        ways += 1
        assert chosen.fit.predictor.model.data == good and chosen.door.model == last_good(live)
        assert chosen.complaint is not None and "runs in its place" in chosen.complaint.what and "peephole gate rollback" in chosen.complaint.hint
    assert ways == 7


def test_without_any_fit_model_there_is_no_gate(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """Live and last good both spoilt: the gate refuses, with both reasons."""
    promote(door, make_model("new.onnx", 0.8))
    live.write_bytes(b"")
    with pytest.raises(HostileModelFile, match="is empty"):
        shutil.copy(live, last_good(live))
        choose(door)
    last_good(live).unlink()
    with pytest.raises(HostileModelFile, match=r"^door\.onnx is empty, not a model file"):
        choose(door)


def test_rolling_back_to_a_spoilt_model_is_refused(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """A last good model that went bad on the disk does not replace a live one."""
    promote(door, make_model("new.onnx", 0.8))
    new = pair(live)
    last_good(live).write_bytes(last_good(live).read_bytes()[:-1])
    with pytest.raises(HostileModelFile):
        rollback(door)
    assert pair(live) == new


def test_a_disk_that_lies_is_found_out(live: Path, make_model: Callable[..., Path]) -> None:
    """What cannot be read back as it was written is told, not taken for done."""

    class Lying(ForgetfulDisk):
        def rename(self, draft: Path, path: Path) -> None:
            """Lose the new model, and say nothing."""
            if path == live:
                self.remove(draft)
            else:
                super().rename(draft, path)

    old = pair(live)
    with pytest.raises(OutputError, match="did not keep"):
        exchange(live, pair(make_model("new.onnx", 0.8)), last_good(live), None, disk=Lying({live: old.data, beside(live): old.signature}))


def test_without_a_key_no_signature_is_needed(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """An unsigned model may run where no key is named; the old signature goes with its file, which runs again once a key is asked for."""
    door.path.write_text(DOOR.replace('[models]\nkey = "door.pub"', ""))
    free = load_door(door.path)
    promote(free, make_model("new.onnx", 0.8, signed=False))
    assert not beside(live).exists()
    assert choose(free).complaint is None
    assert beside(last_good(live)).exists()
    chosen = choose(door)
    assert chosen.complaint is not None and chosen.fit.path == last_good(live)


def checked(door: Door) -> dict[str, tuple[str, str]]:
    """Return what `gate check` says of the model files: {part: (state, text)}."""
    return {part.name: (part.state, part.text) for part in inspect_models(door)}


def test_check_tells_of_the_files_beside_the_model(live: Path, make_model: Callable[..., Path], door: Door) -> None:
    """The signature, the last good model and the shadow: each in order, or a problem with its reason."""
    door = Door(door.path, door.settings.model_copy(update={"models": door.settings.models.model_copy(update={"shadow": "shadow.onnx"})}))
    assert checked(door)["shadow"][0] == "problem" and "there is no model file" in checked(door)["shadow"][1]
    make_model("shadow.onnx", 0.7)
    promote(door, make_model("new.onnx", 0.8))
    assert {name: state for name, (state, _) in checked(door).items()} == {"signature": "ok", "last good": "ok", "shadow": "ok"}
    assert "looks on" in checked(door)["shadow"][1] and "would run if the live model were lost" in checked(door)["last good"][1]
    met = enrolled(live, "ana")
    door.path.write_text(door.path.read_text().replace('"top"]', '"top", "ana"]'))
    state, told = checked(load_door(door.path))["last good"]  # somebody was enrolled since: it could not take over, and the gate runs all the same
    assert (state, met != b"") == ("note", True) and "could not take over" in told and "names 'ana'" in told
    beside(live).unlink()
    last_good(live).write_bytes(b"")
    assert [state for state, _ in checked(door).values()] == ["problem", "problem", "ok"]
    (door.folder / "door.pub").unlink()
    assert "there is no key" in checked(door)["signature"][1]
