"""Many at once: few compute at a time, some wait, the rest are told so; whoever gave the code waits for nobody who did not."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from peephole.lab import learn
from peephole.studio import guard
from peephole.studio.turns import Busy, Turns


def test_few_run_some_wait_the_rest_are_told():
    """Of nine pieces of work two run at a time, four more wait, and three are refused at once."""
    here, most, lock = 0, 0, threading.Lock()

    def work() -> int:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        time.sleep(0.02)
        with lock:
            here -= 1
        return 1

    async def all_of_them() -> list[object]:
        turns = Turns(2, 4)
        found = await asyncio.gather(*(turns.take(work) for _ in range(9)), return_exceptions=True)
        return [*found, await turns.take(work)]  # there is room again

    found = asyncio.run(all_of_them())
    assert [type(each) for each in found] == [int] * 6 + [Busy] * 3 + [int]
    assert most == 2


def test_work_that_fails_leaves_its_place():
    """What the work raises comes through, and the next one has its turn."""

    async def one_after_another() -> int:
        turns = Turns(1, 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await turns.take(lambda: 1 // 0)
        return await turns.take(lambda: 5)

    assert asyncio.run(one_after_another()) == 5


def until(call, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := call()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def test_twenty_trainings_of_visitors_stop_nothing_else(live, monkeypatch):
    """One trains, twelve wait, the others are told; the page, what is quick, and the owner's own training are answered meanwhile."""
    go, begun, right = threading.Event(), [], learn.train

    def slow(*given, **named):
        begun.append(threading.get_ident())
        if named["seed"] == 1:
            go.wait(30)
        return right(*given, **named)

    visitor, owner = live.visitor(), live.owner()
    monkeypatch.setattr(learn, "train", slow)

    def ask(headers, seed):
        return live.ask("POST", "/api/lab/learn", headers, json.dumps({"steps": 1, "seed": seed}).encode(), wait=30).status

    with ThreadPoolExecutor(20) as many:
        asked = [many.submit(ask, visitor, 1) for _ in range(20)]
        try:
            until(lambda: sum(each.done() for each in asked) == 7)
            assert {each.result() for each in asked if each.done()} == {503}
            until(lambda: begun)
            assert live.ask("GET", "/api/hello", visitor).status == 200
            assert live.ask("POST", "/api/lab/ball", visitor, b'{"first": {"weights": ["1"]}, "second": {"weights": ["1"]}}').status == 200
            assert ask(owner, 2) == 200
            assert len(begun) == 2
        finally:
            go.set()
    assert sorted(each.result() for each in asked) == [200] * 13 + [503] * 7


def test_the_bodies_of_visitors_share_a_room(live, monkeypatch):
    """While one visitor's half picture fills it another's is refused; the owner's is not; when it is gone there is room again."""
    visitor, owner = live.visitor(), live.owner()
    monkeypatch.setattr(guard, "MOST_HELD", 1000)
    sent = b'{"w": 0.2' + b" " * 500 + b"}"

    def status(headers):
        return live.ask("POST", "/api/lab/scalar", headers, sent).status

    assert status(visitor) == 200
    with socket.create_connection(("127.0.0.1", live.port)) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": live.host, "Content-Length": "1000"} | visitor).items())
        line.sendall(f"POST /api/lab/scalar HTTP/1.1\r\n{head}\r\n".encode() + b" " * 900)
        until(lambda: status(visitor) == 503)
        assert status(owner) == 200
    until(lambda: status(visitor) == 200)


def test_a_body_that_never_ends_is_given_up(live, monkeypatch):
    """Piece by piece, each in time, but all of it too slow."""
    monkeypatch.setattr(guard, "LONGEST", 0.3)
    visitor = live.visitor()
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": live.host, "Content-Length": "1000"} | visitor).items())
        line.sendall(f"POST /api/lab/scalar HTTP/1.1\r\n{head}\r\n".encode())
        begun = time.monotonic()
        line.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - begun < 5:
            line.sendall(b" ")
            try:
                answer = line.recv(1000)
            except TimeoutError:
                continue
    assert b" 408 " in answer.split(b"\r\n")[0]


def test_pictures_of_the_same_second_are_all_kept(live, folder):
    """A camera is quick: sixteen pictures sent at once are sixteen files."""
    owner = live.owner()
    (folder / "burst" / "x").mkdir(parents=True)
    target = "/api/data/add?set=burst&label=x&width=4&height=4&channels=1"
    headers = owner | {"Content-Type": "application/octet-stream"}
    with ThreadPoolExecutor(16) as many:
        kept = [*many.map(lambda at: live.ask("POST", target, headers, bytes([at] * 16), wait=30).json["photo"], range(16))]
    assert len(set(kept)) == 16
    assert len({(folder / "burst" / name).read_bytes() for name in kept}) == 16
