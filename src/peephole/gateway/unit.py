"""The service unit that keeps a gate running for months under systemd; pure text, see systemd.service(5) and systemd.exec(5)."""

from collections.abc import Iterable
from pathlib import Path

from peephole.gateway.door import Door

__all__ = ["unit"]

WATCHDOG = 10  # seconds: a gate none of whose turns ends in this time is ended and started anew
MEMORY = 400  # MB: a gate needs under 150


def unit(door: Door, program: Path, user: str | None = None) -> str:
    """Return the unit of a door: restarted for ever, ended by the watchdog, allowed to write where the door's own files stand and nowhere else.

    `program` is the peephole to start, `user` whom it runs as (None: systemd's default, root, for whom gpio needs no group).
    """
    settings, path = door.settings, door.path.resolve()
    groups = [
        name for scheme, name in (("gpio", "gpio"), ("camera", "video")) if any(address.startswith(f"{scheme}:") for address in _addresses(door))
    ]
    folders = sorted({str(folder.resolve()) for folder in (path.parent, door.journal.parent)})
    lines = [
        "[Unit]",
        f"Description=Peephole gate {_plain(settings.gate.name)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={_word(str(program))} gate run {_word(str(path))}",
        f"WorkingDirectory={_plain(str(path.parent))}",
        "Restart=always",
        "RestartSec=1",
        f"WatchdogSec={WATCHDOG}",
        "TimeoutStopSec=10",
        f"MemoryMax={MEMORY}M",
        *([f"User={user}"] if user else []),
        *([f"SupplementaryGroups={' '.join(groups)}"] if user and groups else []),
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "PrivateTmp=yes",
        *(f"ReadWritePaths={_word(folder)}" for folder in folders),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _addresses(door: Door) -> Iterable[str]:
    yield door.settings.sensor.source
    for action in door.settings.action.values():
        yield action.target


def _plain(text: str) -> str:
    """Write a value in which a percent sign means nothing."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Write one word of a command line, whatever it is made of."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
