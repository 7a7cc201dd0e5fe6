"""A folder of frames without labels -> a listing, as the photos of a training folder have: each a stranger of its own."""

from pathlib import Path

from peephole.base.errors import DataError, MissingInput
from peephole.data.layout import Place, walk
from peephole.data.photos import Listing, Photo, Refusal, look

__all__ = ["frames"]


def frames(folder: Path | str) -> Listing:
    """List every photo below a folder, whatever the folders inside are named.

    Raises MissingInput when the folder is not there, DataError when it is a file or holds nothing that can be read.
    """
    root = Path(folder)
    if not root.exists():
        raise MissingInput(f"{root} is not there", "check the path; --unlabelled names a folder of frames")
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder of frames", "give the folder that holds the frames")
    litter: list[str] = []
    found = [look(entry, Place("unknown", "/".join(entry.parts))) for entry in walk(root, litter)]
    photos = tuple(one for one in found if isinstance(one, Photo))
    refused = tuple(one for one in found if isinstance(one, Refusal))
    if not photos:
        why = f"; {len(refused)} files were refused, the first one, {refused[0].id}: {refused[0].reason}" if refused else ""
        raise DataError(f"{root} holds no frame that can be read{why}", "give a folder of photos that nobody has labelled yet")
    return Listing(root, photos, refused, ())
