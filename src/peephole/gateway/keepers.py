"""The witnesses that [journal] asks for: who keeps pictures, and who keeps the head of the chain off the box."""

from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.head import HeadKeeper, open_post
from peephole.gateway.journal import Journal
from peephole.gateway.pictures import Album, PictureKeeper
from peephole.gateway.watch import Witness

__all__ = ["keepers"]


def keepers(door: Door, journal: Journal, clock: Clock) -> tuple[Witness, ...]:
    """Return them, pictures first, so that the last head is the one after their last row; raises SettingsError or InputError."""
    pictures, post = door.settings.journal.pictures, open_post(door)
    return (
        *((PictureKeeper(Album(door.pictures, pictures.days, pictures.megabytes), journal),) if pictures else ()),
        *((HeadKeeper(journal, post, clock),) if post else ()),
    )
