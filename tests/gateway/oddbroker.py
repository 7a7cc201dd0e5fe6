"""A broker that speaks just enough MQTT 3.1.1 to be away, mute, slow or forbidding at any moment; the real one cannot be told to."""

import socket
import threading
import time
from contextlib import suppress

ANSWERS = {1: b"\x20\x02\x00\x00", 12: b"\xd0\x00"}  # to CONNECT and PINGREQ


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class OddBroker:
    """Listens on a loopback port of its own; `mode` is fine, mute (half-open), slow (seconds a word) or refuse (the password)."""

    def __init__(self) -> None:
        self.mode = "fine"
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._receive, daemon=True).start()

    def cut(self) -> None:
        """End all connections, not the broker."""
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Be away."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def _receive(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._door.accept()
                self._lines.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError, IndexError), line:
            while True:
                kind, flags, body = _packet(line)
                while self.mode == "mute":
                    time.sleep(0.05)
                if self.mode == "slow":
                    time.sleep(1.5)
                line.sendall(self._answer(kind, flags, body))

    def _answer(self, kind: int, flags: int, body: bytes) -> bytes:
        if kind == 1 and self.mode == "refuse":
            return b"\x20\x02\x00\x05"
        if kind == 3 and flags & 2:  # PUBLISH with QoS 1: its number follows the topic
            start = 2 + int.from_bytes(body[:2], "big")
            return b"\x40\x02" + body[start : start + 2]
        return ANSWERS.get(kind, b"\x90\x03" + body[:2] + b"\x01" if kind == 8 else b"")


def _packet(line: socket.socket) -> tuple[int, int, bytes]:
    """Read one packet: its kind, its flags, the rest."""
    head = line.recv(1)[0]
    length = shift = 0
    while True:
        byte = line.recv(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    body = b""
    while len(body) < length:
        part = line.recv(length - len(body))
        if not part:
            raise OSError("it ended")
        body += part
    return head >> 4, head & 15, body
