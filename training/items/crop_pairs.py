"""Two overlapping crops of an image that show the same objects: UniVIP's scene views.

Source: Li et al. 2022, UniVIP (https://arxiv.org/abs/2203.06965).
"""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.items.boxes import MAX_ASPECT, MAX_IOU, overlap_of

TRIES = 20
"""Pairs drawn before random boxes stand in for objects, and random boxes drawn before one is taken anyway."""
CROP_ASPECT = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class CropPair:
    """Two crops and the boxes that lie in both, as (left, top, right, bottom) in pixels of the image."""

    crops: np.ndarray
    """(2, 4)"""
    boxes: np.ndarray
    """(K, 4)"""


def draw_crop_pair(
    height: int,
    width: int,
    boxes: np.ndarray,
    count: int,
    min_side: int,
    scale_min: float,
    rng: np.random.Generator,
) -> CropPair:
    """Two crops with `count` common boxes.

    Up to TRIES pairs are drawn until one holds enough of the image's boxes. Else the pair that held most
    keeps those, and random boxes inside its overlap make up the number. Every loop is bounded, so this ends
    for any image and any boxes.

    Args:
        boxes: (N, 4) of the image's objects, N may be 0.
        count: K, common boxes wanted.
        min_side: shortest side of a random box, and of an overlap that can hold some, pixels.
        scale_min: smallest area of a crop as a share of the image's.

    Raises:
        InputError: the image has no pixel, or `count` is less than 1.
    """
    if min(height, width, count) < 1:
        raise InputError(f'{height} x {width} px and {count} boxes: expected at least 1 of each')
    pairs = []
    for _ in range(TRIES):
        crops = np.stack([draw_crop(height, width, scale_min, rng) for _ in range(2)])
        overlap = intersection(crops)
        common = inside(boxes, overlap)
        if len(common) >= count:
            return CropPair(crops, rng.permutation(common)[:count])
        if shorter_side(overlap) >= min_side:
            pairs.append(CropPair(crops, common))
    if not pairs:
        # No overlap was large enough. A crop of the whole image overlaps in all of the other one.
        crops = np.stack([draw_crop(height, width, scale_min, rng), np.array([0, 0, width, height])])
        pairs = [CropPair(crops, inside(boxes, intersection(crops)))]
    best = max(pairs, key=lambda pair: len(pair.boxes))
    return CropPair(best.crops, with_random_boxes(best.boxes, intersection(best.crops), count, min_side, rng))


def draw_crop(height: int, width: int, scale_min: float, rng: np.random.Generator) -> np.ndarray:
    """A crop (4,) of `scale_min` to 1 of the image's area, 3/4 to 4/3 as wide as high.

    It is less where the image ends.
    """
    area = rng.uniform(scale_min, 1) * height * width
    aspect = np.exp(rng.uniform(*np.log(CROP_ASPECT)))
    w = int(np.clip(round((area * aspect) ** 0.5), 1, width))
    h = int(np.clip(round((area / aspect) ** 0.5), 1, height))
    left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    return np.array([left, top, left + w, top + h])


def intersection(crops: np.ndarray) -> np.ndarray:
    """What two boxes (2, 4) share, (4,); its sides are 0 or negative if that is nothing."""
    return np.concatenate([crops[:, :2].max(0), crops[:, 2:].min(0)])


def inside(boxes: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Those boxes (N, 4) that lie whole in a region (4,)."""
    return boxes[(boxes[:, :2] >= region[:2]).all(1) & (boxes[:, 2:] <= region[2:]).all(1)]


def shorter_side(box: np.ndarray) -> int:
    """Pixels; 0 or negative for an empty box (4,)."""
    return int((box[2:] - box[:2]).min())


def with_random_boxes(
    boxes: np.ndarray, region: np.ndarray, count: int, min_side: int, rng: np.random.Generator
) -> np.ndarray:
    """The boxes (N, 4) and after them random ones inside the region, `count` together.

    Each has an IoU of at most MAX_IOU with those before it; where TRIES draws give none, the draw that shares
    least is taken.
    """
    boxes = boxes[:count]
    while len(boxes) < count:
        drawn = np.stack([random_box(region, min_side, rng) for _ in range(TRIES)])
        shared = overlap_of(drawn, boxes).max(1, initial=0)
        chosen = np.argmax(shared <= MAX_IOU) if (shared <= MAX_IOU).any() else np.argmin(shared)
        boxes = np.concatenate([boxes, drawn[chosen : chosen + 1]])
    return boxes


def random_box(region: np.ndarray, min_side: int, rng: np.random.Generator) -> np.ndarray:
    """A box (4,) inside a region (4,).

    Its sides have at least `min_side` and its aspect is 1/3 to 3, as far as the region allows.
    """
    width, height = (int(side) for side in region[2:] - region[:2])
    widest = max(1, min(width, int(MAX_ASPECT * height)))
    w = int(rng.integers(min(min_side, widest), widest + 1))
    highest = max(1, min(height, int(MAX_ASPECT * w)))
    lowest = min(max(min_side, int(np.ceil(w / MAX_ASPECT))), highest)
    h = int(rng.integers(lowest, highest + 1))
    left = int(region[0] + rng.integers(width - w + 1))
    top = int(region[1] + rng.integers(height - h + 1))
    return np.array([left, top, left + w, top + h])
