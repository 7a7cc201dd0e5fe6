"""The wallpaper test after training: the written file is asked about its photos before other backgrounds, and the card keeps what came out."""

import numpy as np

from peephole.base.card import Wallpaper
from peephole.base.engine import Engine
from peephole.base.modelfile import ModelFile
from peephole.base.watch import Watcher
from peephole.data.border import glances, sheets
from peephole.data.photos import Listing
from peephole.data.photoset import PhotoSet
from peephole.data.splits import Split
from peephole.data.subject import seeker
from peephole.decide.wallpaper import Asked, wallpaper

__all__ = ["tested"]


def tested(model: ModelFile, listing: Listing, photos: PhotoSet, parts: Split, watch: Watcher) -> Wallpaper | None:
    """Return what the test finds; None for drawings on a plain sheet, which have no background, and where too little can be asked.

    Photos kept for proof are asked where there are some, else those that the model learned from, which flatter it.
    """
    learned = not len(parts.prove)
    held = parts.train if learned else parts.prove
    ones = held[np.unique(photos.sources[held], return_index=True)[1]]
    if sheets(glances(photos.images[ones[:: max(1, len(ones) // 100)]])):
        return None
    watch.stage("asking about the photos before other backgrounds")
    paths = {photo.id: photo.path for photo in listing.photos}
    asked = [Asked(paths[photos.ids[i]], int(photos.labels[i])) for i in ones]
    how = seeker(listing, model.card.input.region)
    return wallpaper(Engine(model, 2), model.card, asked, how, role="estimate" if learned else "proof", learned=learned, progress=watch.progress)
