"""The witnesses that [journal] asks for: who keeps pictures, who lets rows go in time, and who keeps the head of the chain off the box."""

from collections.abc import Callable

from peephole.gateway.address import Address
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.head import HeadKeeper, open_post
from peephole.gateway.journal import Journal
from peephole.gateway.outbox import Mark
from peephole.gateway.pictures import Album, PictureKeeper
from peephole.gateway.trimming import RowKeeper
from peephole.gateway.watch import Witness

__all__ = ["keepers"]


def keepers(door: Door, journal: Journal, clock: Clock) -> tuple[Witness, ...]:
    """Return them, the head's last, so that the last head is the one after the others' last row; raises SettingsError or InputError."""
    settings, post = door.settings.journal, open_post(door)
    pictures = settings.pictures
    head = HeadKeeper(journal, post, clock) if post else None
    rows = RowKeeper(journal, settings.rows, door.pictures, told=_told(door, journal), let_go=head.let_go if head else None)
    return (
        *((PictureKeeper(Album(door.pictures, pictures.days, pictures.megabytes), journal),) if pictures else ()),
        rows,
        *((head,) if head else ()),
    )


def _told(door: Door, journal: Journal) -> Callable[[], int] | None:
    """Return what reads from disk up to which row a broker has heard (0: of none), None where [events] tells nobody."""
    if door.settings.events is None:
        return None
    topic = Address.parse(door.settings.events.target, ("mqtt",)).place
    return lambda: Mark.beside(journal, door.journal, topic).number or 0
