"""The inbox: many threads put, one empties; nothing is lost or doubled, and no flood keeps a PIN out."""

import threading
from collections import Counter

import pytest

from peephole.gateway.inbox import Inbox, Kind, Signal


def signal(kind: Kind, number: int) -> Signal:
    return Signal(float(number), 1.8e9 + number, "here", kind, {"number": number})


def test_in_order_and_once() -> None:
    """Signals come out as they came in, each of them once."""
    inbox = Inbox()
    sent = [signal(kind, number) for number, kind in enumerate(("factor", "reading", "factor", "presence", "command"))]
    assert all(inbox.put(one) for one in sent)
    assert inbox.empty() == tuple(sent)
    assert inbox.empty() == () and inbox.lost == 0


@pytest.mark.parametrize(("kind", "kept"), [("factor", [0, 1, 2]), ("command", [0, 1, 2]), ("reading", [7, 8, 9]), ("presence", [7, 8, 9])])
def test_a_full_kind(kind: Kind, kept: list[int]) -> None:
    """Of PINs and commands the newcomers are turned away, of readings and presence the oldest makes room; both are counted."""
    inbox = Inbox(room=3)
    taken = [inbox.put(signal(kind, number)) for number in range(10)]
    assert [one.values["number"] for one in inbox.empty()] == kept
    assert inbox.lost == 7 and taken.count(True) == (10 if kept[0] else 3)
    assert inbox.put(signal(kind, 11)) and len(inbox.empty()) == 1


def test_a_flood_of_one_kind_leaves_room_for_the_others() -> None:
    """A million readings do not keep a PIN out, nor the other way round."""
    inbox = Inbox(room=5)
    for number in range(1000):
        inbox.put(signal("reading", number))
    assert inbox.put(signal("factor", 1)) and len(inbox.empty()) == 6


def test_from_many_threads() -> None:
    """Four threads put 500 each while the watch empties: every signal that was taken comes out once, each thread's in order."""
    inbox, seen, taken = Inbox(room=50), [], Counter[int]()
    done = threading.Event()

    def put(thread: int) -> None:
        for number in range(500):
            taken[thread] += inbox.put(Signal(number, 0.0, str(thread), "factor", {}))

    def take() -> None:
        while not done.is_set():
            seen.extend(inbox.empty())

    threads = [threading.Thread(target=put, args=(thread,)) for thread in range(4)]
    taker = threading.Thread(target=take)
    for thread in (taker, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    taker.join()
    seen.extend(inbox.empty())
    for thread in range(4):
        mine = [one.time for one in seen if one.source == str(thread)]
        assert len(mine) == taken[thread] and mine == sorted(set(mine))
    assert sum(taken.values()) + inbox.lost == 2000
