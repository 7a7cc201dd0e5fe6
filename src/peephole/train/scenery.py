"""Where the subjects of the examples are and which backgrounds they may be laid before: looked for once, before training, and not at the door.

The backgrounds are the examples' own, their subjects painted over, and each stands behind every label equally often: then a wall tells nothing.
Were it taken from other labels alone, it would tell of whom the photo is not, and a model would learn that (docs/log.md). Scenes without
anybody (unknown/empty/) lend theirs too, unless they are kept for proof.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageFilter

from peephole.base.card import Input, Region
from peephole.base.watch import Watcher
from peephole.data.border import Border, glances, sheets
from peephole.data.photos import Listing
from peephole.data.photoset import PhotoSet
from peephole.data.settle import EMPTY
from peephole.data.subject import masks
from peephole.data.wallpaper import emptied
from peephole.train import distributed
from peephole.train.backdrop import Behind
from peephole.train.recipe import Options, Recipe

__all__ = ["MOST", "Scenery", "exchanging", "sought"]

USUAL = 1.0  # share of the varied views, where the recipe exchanges backgrounds by itself (docs/log.md)
MOST = 500  # backgrounds in all, 75 MB at 224 x 224: more would not make a wall less likely
RIM = 0.02  # of the longer side: hair and shadow that a mask left out must not stand in another's background
LEAST = 0.15  # of a photo: where less than that is background, painting over the rest tells nothing of a room


@dataclass(frozen=True, eq=False)
class Scenery:
    """Of N photos, masks uint8 (N, H, W), 255 on the subject, and labels int64 (N,); of M of them the backdrop, uint8 (M, C, H, W).

    `lenders` int64 (M,) says whose they are, `open` bool (M,) which of them may be used now. The mask of a photo that was not looked at is 255.
    """

    masks: torch.Tensor
    labels: torch.Tensor
    backdrops: torch.Tensor
    lenders: torch.Tensor
    open: torch.Tensor

    @classmethod
    def of(cls, images: np.ndarray, masks: np.ndarray, labels: np.ndarray, lending: np.ndarray, empty: np.ndarray) -> "Scenery":
        """Paint over the subjects, uint8 masks (N, H, W), of the `lending` among uint8 images (N, H, W, C); the `empty` lend all they show."""
        shown = [i for i in lending if (masks[i] < 128).mean() >= LEAST]
        walls = [*(_backdrop(images[i], masks[i]) for i in shown), *(images[i] for i in empty)]
        stacked = np.stack(walls) if walls else np.empty((0, *images.shape[1:]), np.uint8)
        return cls(
            torch.from_numpy(masks),
            torch.from_numpy(np.asarray(labels, np.int64)),
            torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous(),
            torch.from_numpy(np.array([*shown, *empty], np.int64)),
            torch.ones(len(walls), dtype=torch.bool),
        )

    def lent_by(self, rows: np.ndarray) -> "Scenery":
        """Return the same with the backdrops of these photos (n,) and of scenes without anybody alone."""
        return replace(self, open=torch.from_numpy(np.isin(self.lenders.numpy(), rows)) | (self.labels[self.lenders] < 0))

    def behind(self, rows: torch.Tensor) -> Behind:
        """Return what may lie behind these photos (n,): the backgrounds of every label equally often, whichever label the photo is of.

        Where the photos of one label alone lend any, a wall would stay with its label: none is taken, so that clouds take their place.
        """
        own, usable = self.labels[self.lenders].numpy(), self.open.numpy()
        names, many = np.unique(own[usable], return_counts=True)
        weights = np.zeros(len(own))
        if len(names) > 1:
            weights[usable] = 1 / many[np.searchsorted(names, own[usable])]
        return Behind(self.masks[rows], self.backdrops, torch.from_numpy(weights))


def _backdrop(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return uint8 pixels (H, W, C) with what the mask covers, and a little more, painted over by what surrounds it."""
    reach = round(RIM * max(mask.shape))
    part = np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(2 * reach + 1)), np.float32) / 255
    return emptied(pixels, part) if pixels.shape[2] == 3 else emptied(pixels.repeat(3, 2), part)[:, :, :1]


def _lenders(photos: PhotoSet, among: np.ndarray) -> np.ndarray:
    """Return one photo of each source, at most 500, as many of each label."""
    ones = among[np.unique(photos.sources[among], return_index=True)[1]]
    names = np.unique(photos.labels[ones])
    each = max(1, MOST // max(1, len(names)))
    own = (ones[photos.labels[ones] == name] for name in names)
    return np.concatenate([mine[np.unique(np.linspace(0, len(mine) - 1, min(each, len(mine))).astype(int))] for mine in own])


def sought(listing: Listing, photos: PhotoSet, among: np.ndarray, spec: Input, *, free: np.ndarray, watch: Watcher) -> Scenery:
    """Look for the subjects of the photos in `among` (n,), and paint them over to get their backgrounds.

    `free` (m,) are strangers that prove nothing later: those of unknown/empty/ lend all of their picture. Of many processes each looks at its share.
    """
    watch.stage("looking for the subjects, to lay them before other backgrounds")
    mine = among[distributed.share(len(among))]
    found = distributed.gathered(masks(listing, [photos.ids[i] for i in mine], spec, watch.progress))
    sheets = np.full((len(photos), *found.shape[1:]), 255, np.uint8)
    sheets[among] = found
    empty = [i for i in free if photos.stranger_names[photos.strangers[i]] == EMPTY]
    scenery = Scenery.of(photos.images, sheets, photos.labels, _lenders(photos, among), np.array(empty, np.int64))
    if not len(scenery.lenders):
        watch.said("no photo shows enough of a background to lend it: soft clouds of chance colours take its place")
    return scenery


def exchanging(recipe: Recipe, options: Options, region: Region, border: Border | None, images: np.ndarray) -> Recipe:
    """Return the recipe with backgrounds exchanged where that is known to help, unless `options` say how strongly; else as it is.

    That is with frozen features of whole photos of things whose borders tell the labels apart; `images` uint8 (N, H, W, C) are some of them.
    """
    given = options.augment is not None or "background" in options.vary
    if given or recipe.fit != "frozen" or region.how != "whole" or border is None or not border.telling or sheets(glances(images)):
        return recipe
    return replace(recipe, augment=replace(recipe.augment, background=USUAL))
