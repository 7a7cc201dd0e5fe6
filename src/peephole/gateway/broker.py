"""An embedded MQTT broker (amqtt) in a background thread, for the demo and for tests; listens on 127.0.0.1 alone.

Anybody on this computer may speak to it; a real door uses Mosquitto with passwords and an access list.
"""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any, Self

from amqtt.broker import Broker

from peephole.base.errors import GateError

__all__ = ["EmbeddedBroker"]

HOST = "127.0.0.1"


class EmbeddedBroker:
    """A broker between `with` and its end; `url` and `port` say where."""

    def __init__(self, port: int = 0) -> None:
        """`port` 0 takes a free one."""
        self.port = port
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)

    @property
    def url(self) -> str:
        """The address for [broker] url."""
        return f"mqtt://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Start; raises GateError when the port is taken."""
        self._thread.start()
        self._ready.wait(10)
        if self._problem is not None or not self._ready.is_set():
            raise GateError(f"the embedded broker cannot start on {HOST}:{self.port}: {self._problem or 'no answer'}", "choose another port, or 0")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait for the end."""
        end = self._end
        if end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(end.set)
        self._thread.join(10)

    def _run(self) -> None:
        # What it would log as a traceback is raised by __enter__ in one sentence.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # amqtt's errors share no base class
            self._problem = error
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        broker = _Tidy(_settings(self.port), loop=self._loop)
        await broker.start()
        if self.port == 0:
            self.port = _port(broker)
        self._ready.set()
        await self._end.wait()
        await broker.shutdown()
        await _end_the_rest()


class _Tidy(Broker):  # type: ignore[misc]  # amqtt ships no types
    """Closes every connection when its task ends; amqtt forgets those that never said who they are."""

    async def stream_connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str) -> None:
        """Serve one connection."""
        try:
            with suppress(asyncio.CancelledError):  # Python 3.11 would log the end of a cancelled connection as a failure
                await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()


async def _end_the_rest() -> None:
    """Cancel what still waits, and let the closed connections go."""
    waiting = asyncio.all_tasks() - {asyncio.current_task()}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.01)


def _settings(port: int) -> dict[str, Any]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


def _port(broker: Any) -> int:
    """Return the port that was given for 0; amqtt has no public way to ask."""
    return int(broker._servers["default"].instance.sockets[0].getsockname()[1])
