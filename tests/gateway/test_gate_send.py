"""peephole gate send, gate secret, and what gate check says of remote commands."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livegate import running, until
from typer.testing import CliRunner

from peephole.base.errors import ActuatorError, InputError, PeepholeError, SettingsError
from peephole.cli.gate import app
from peephole.gateway.door import Door
from peephole.gateway.inspection import inspect
from peephole.gateway.remotesend import ordered
from peephole.gateway.sentences import check


@pytest.fixture
def make_remote(make_door: Callable[..., Door], mosquitto: Any) -> Callable[..., Door]:
    """Return a function that makes a door which hears remote commands."""
    return lambda may="false", url=None: make_door(
        more=f'[broker]\nurl = "{url or mosquitto.url}"\n[remote]\nsecret = {{file = "remote.secret"}}\nmay_open = {may}'
    )


def invoke(*words: str, code: int = 0) -> str:
    """Run a verb; an error of ours is raised."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, PeepholeError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_a_secret_is_made_once(make_remote: Callable[..., Door], tmp_path: Path) -> None:
    """32 random bytes for its owner alone; one that is there is never written over."""
    door = make_remote()
    told = invoke("secret", str(door.path))
    path = tmp_path / "remote.secret"
    assert len(bytes.fromhex(path.read_text())) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() not in told
    with pytest.raises(PeepholeError, match="is there already"):
        invoke("secret", str(door.path))


def test_send_and_answer(make_remote: Callable[..., Door]) -> None:
    """Done, refused, no answer: told apart in words and by the exit code."""
    door = make_remote()
    invoke("secret", str(door.path))
    with running(door) as gate:
        assert until(lambda: CliRunner().invoke(app, ["send", str(door.path), "status", "--wait", "2"]).exit_code == 0)
        assert "armed" in invoke("send", str(door.path), "status")
        assert "done: locked from afar ('fire drill')" in invoke("send", str(door.path), "lock", "--why", "fire drill")
        assert "refused: 'open' is not opened from afar" in invoke("send", str(door.path), "open", code=3)
        assert "done: unlocked from afar" in invoke("send", str(door.path), "unlock")
        assert "no answer" in invoke("send", str(door.path), "status", "--gate", "back-door", "--wait", "1", code=3)
        invoke("send", str(door.path), "lock")
        assert "0 failures in a row; locked from afar" in invoke("unlock", str(door.path))  # at the gate itself, without the secret
        assert until(lambda: gate.rules()[-1] == "lockout") and "armed" in invoke("send", str(door.path), "status")
        assert gate.openings == 0
    told = " ".join(invoke("send", str(door.path), "status", "--wait", "1", code=3).split())
    assert "no answer" in told and "does not let somebody without a name send commands" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["opne"], "did you mean 'open'"),
        (["x" * 10_000], "is no command"),
        (["lock", "--why", "x" * 10_000], "no gate takes this command"),
        (["lock", "--why", "a\nb"], "printable"),
        (["status", "--why", "because"], "takes nothing"),
        (["lock", "--action", "open"], "takes why"),
        (["lock", "--gate", "+"], "not a topic"),
        (["lock", "--gate", "a/b"], "not a gate's name"),
        (["lock", "--gate", "x" * 10_000], "not a topic"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_no_gate_would_take_is_not_sent(make_remote: Callable[..., Door], words: list[str], says: str, free_port: int) -> None:
    """It is refused here, before anybody is spoken to: the broker named here does not even exist."""
    door = make_remote(url=f"mqtt://127.0.0.1:{free_port}")
    invoke("secret", str(door.path))
    with pytest.raises((InputError, SettingsError), match=says) as caught:
        invoke("send", str(door.path), *words)
    assert len(str(caught.value)) < 1000


def test_what_is_missing_is_said(make_remote: Callable[..., Door], make_door: Callable[..., Door], tmp_path: Path, free_port: int) -> None:
    """No [remote], no secret, a short one, no broker there: a sentence and what to do."""
    with pytest.raises(SettingsError, match=r"has no \[remote\]"):
        invoke("send", str(make_door().path), "lock")
    door = make_remote(url=f"mqtt://127.0.0.1:{free_port}")
    with pytest.raises(InputError, match=r"remote\.secret\nhint: .*peephole gate secret "):
        invoke("send", str(door.path), "lock")
    (tmp_path / "remote.secret").write_text("hunter2")
    with pytest.raises(InputError, match="too short") as caught:
        invoke("send", str(door.path), "lock")
    assert "hunter2" not in str(caught.value)
    (tmp_path / "remote.secret").write_text("0123456789abcdef" * 4)
    with pytest.raises(ActuatorError, match="is away"):
        invoke("send", str(door.path), "lock")


def test_whoever_sends_needs_three_tables(make_remote: Callable[..., Door], mosquitto: Any, tmp_path: Path) -> None:
    """[gate] name, [broker] and [remote] are enough, for the secret too; each that lacks is named, and a wrong key of them is none."""
    desk = tmp_path / "desk" / "DOOR.toml"
    desk.parent.mkdir()
    tables = [f'[broker]\nurl = "{mosquitto.url}"\n', '[remote]\nsecret = {file = "remote.secret"}\n', '[gate]\nname = "front-door"\n']
    desk.write_text("".join(tables))
    invoke("secret", str(desk))
    door = make_remote()
    (tmp_path / "remote.secret").write_bytes((desk.parent / "remote.secret").read_bytes())
    with running(door):
        assert until(lambda: CliRunner().invoke(app, ["send", str(desk), "status", "--wait", "2"]).exit_code == 0)
        desk.write_text("".join(tables[:2]))
        assert "armed" in invoke("send", str(desk), "status", "--gate", "front-door")
    for lacking, says in (("broker", r"has no \[broker\]"), ("remote", r"has no \[remote\]"), ("gate", r"has no \[gate\]")):
        desk.write_text("".join(table for table in tables if not table.startswith(f"[{lacking}]")))
        with pytest.raises(SettingsError, match=says):
            invoke("send", str(desk), "status")
    desk.write_text("".join(tables).replace("url", "urn"))
    with pytest.raises(SettingsError, match=r"broker\.urn is not a setting"):
        invoke("send", str(desk), "status")


def test_check_explains_and_looks(make_remote: Callable[..., Door], tmp_path: Path) -> None:
    """The sentences say what commands may do; a secret that is missing, or that others may read, is a problem with its remedy."""
    door = make_remote()
    told = " ".join(check(door, None).sentences)
    assert "peephole/front-door/status" in told and "peephole/front-door/command" in told and "They cannot open." in told
    assert "They may also open (open), whoever stands there" in " ".join(check(make_remote("true"), None).sentences)

    def part() -> Any:
        return next(part for part in inspect(door) if part.name == "remote")

    assert part().state == "problem" and part().hint == f"make one: peephole gate secret {door.path}"
    invoke("secret", str(door.path))
    assert part().state == "ok"
    (tmp_path / "remote.secret").chmod(0o644)
    assert part().state == "problem" and "chmod 600" in part().hint


def test_a_command_is_good_for_as_long_as_it_is_waited_for() -> None:
    """Who has stopped waiting does not open the door any more; a minute is the most."""
    assert [order.expires - order.time for order in (ordered("g", "lock", {}, seconds) for seconds in (0.2, 10, 3600))] == [1, 10, 60]
