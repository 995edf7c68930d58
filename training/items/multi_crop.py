"""Two large and a few small crops of each image, as Caron et al. 2020 train with.

Source: https://arxiv.org/abs/2006.09882.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from dense_descriptor_ros.training.augmentation.appearance import (
    AugmentationConfig,
    augment_colour,
    augment_depth,
    draw_recolouring,
)
from dense_descriptor_ros.training.augmentation.square_crop import SquareCrop, frame_sample
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.objectives.objective import Batch, Sample
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

LOOKS = AugmentationConfig(recolour=0.2, jitter=0.4, grey=0.2)
"""Colours change from crop to crop, but seldom wholly: they tell objects apart."""


@dataclass(frozen=True)
class CropConfig:
    """Sides and shares of the crops; a share is of the area of the largest square in the image."""

    large_px: int
    small_px: int
    small_crops: int
    large_share_min: float
    """Large crops have this share to 1."""
    small_share_min: float
    """Small crops have this share to that of the large ones."""
    mirror: float
    """Probability."""


class MultiCrops(Dataset[Sample]):
    """Square crops of single images: nothing is stretched.

    An item has `large_rgb` (2, 3, H, W) uint8, `large_depth_m` (2, H, W) and `large_K` (2, 3, 3) float32; if
    any small crops are wanted, also `small_rgb`, `small_depth_m` and `small_K` of so many.
    """

    def __init__(self, source: ImageSource, config: CropConfig, seed: int) -> None:
        self.source, self.config, self.seed = source, config, seed

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Sample:
        rng = np.random.default_rng([self.seed, position])
        image = self.source[position % len(self)]
        c = self.config
        large = [draw_square(image, c.large_px, (c.large_share_min, 1), c.mirror, rng) for _ in range(2)]
        shares = (c.small_share_min, c.large_share_min)
        small = [draw_square(image, c.small_px, shares, c.mirror, rng) for _ in range(c.small_crops)]
        return crops_of('large', image, large, rng) | crops_of('small', image, small, rng)


def draw_square(
    image: LabelledImage,
    size_px: int,
    shares: tuple[float, float],
    mirror: float,
    rng: np.random.Generator,
) -> SquareCrop:
    """A square anywhere in an image, with a share, drawn from `shares`, of its largest square's area."""
    image_size = image.depth_m.shape
    side = max(1, round(min(image_size) * float(rng.uniform(*shares)) ** 0.5))
    top, left = (int(rng.integers(length - side + 1)) for length in image_size)
    return SquareCrop(left, top, side, size_px, bool(rng.random() < mirror))


def crops_of(name: str, image: LabelledImage, squares: list[SquareCrop], rng: np.random.Generator) -> Sample:
    """Squares of an image, each with a look of its own, stacked: `NAME_rgb`, `NAME_depth_m` and `NAME_K`."""
    samples = [frame_sample(augmented(square(image), rng)) for square in squares]
    keys = samples[0] if samples else ()
    return {f'{name}_{key}': torch.stack([sample[key] for sample in samples]) for key in keys}


def augmented(image: LabelledImage, rng: np.random.Generator) -> LabelledImage:
    """The image with other colours, noise, and holes in its depth; without what is known of it."""
    rgb = augment_colour(image.rgb, draw_recolouring(LOOKS, rng), LOOKS, rng)
    return LabelledImage(rgb, augment_depth(image.depth_m, LOOKS, rng), image.K)


def crop_channels(batch: Batch, name: str) -> torch.Tensor:
    """Input channels (B * C, 9, H, W) of a batch's crops of one kind, an image's crops in turn."""
    rgb, depth_m, K = (batch[f'{name}_{key}'].flatten(0, 1) for key in ('rgb', 'depth_m', 'K'))
    return input_channels(rgb, depth_m, K)
