"""Augmented crops of labelled images: what segmentation is trained on."""

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.augmentation.appearance import (
    AugmentationConfig,
    augment_colour,
    augment_depth,
    draw_recolouring,
)
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera, virtual_camera
from dense_descriptor_ros.training.objectives.objective import Sample
from dense_descriptor_ros.training.sources.image import IGNORE, ImageSource, LabelledImage


class LabelledCrops(Dataset[Sample]):
    """One crop of each image of a source: rolled, zoomed, perhaps mirrored, in other colours.

    An item holds `rgb` uint8 (3, S, S), `depth_m` float32 (S, S), `K` float32 (3, 3) of the crop and
    `classes` int64 (S, S), IGNORE outside the image.

    Args:
        source: of images with classes.
        count: classes there are; labels are below it, or IGNORE.
        size: S, pixels.
        augmentation: strengths; depth is read as the source gives it.
        seed: with the position it draws the augmentation.
    """

    def __init__(
        self, source: ImageSource, count: int, size: int, augmentation: AugmentationConfig, seed: int
    ) -> None:
        self.source, self.count, self.size = source, count, size
        self.augmentation, self.seed = augmentation, seed

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Sample:
        """Item `position % len(self)`; the whole position seeds the augmentation (see EndlessSampler).

        Raises:
            DatasetError: the image has no classes, or one that is out of range.
        """
        index = position % len(self)
        rng = np.random.default_rng([self.seed, position])
        image = self.source[index]
        classes = self.checked_classes(image, index)
        camera = self.draw_camera(image, classes, rng)
        recolouring = draw_recolouring(self.augmentation, rng)
        rgb = augment_colour(camera.warp(image.rgb, cv2.INTER_LINEAR), recolouring, self.augmentation, rng)
        depth_m = augment_depth(camera.warp(image.depth_m, cv2.INTER_NEAREST), self.augmentation, rng)
        return {
            'rgb': torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))),
            'depth_m': torch.from_numpy(depth_m.astype(np.float32)),
            'K': torch.from_numpy(camera.K.astype(np.float32)),
            # Outside the image a warp gives 0: so it does not give class 0, but IGNORE.
            'classes': torch.from_numpy(IGNORE - camera.warp(IGNORE - classes, cv2.INTER_NEAREST)).long(),
        }

    def checked_classes(self, image: LabelledImage, index: int) -> np.ndarray:
        """(H, W) uint8 of an image."""
        if image.classes is None:
            raise DatasetError(f'image {index} has no classes: expected a label for every pixel, or {IGNORE}')
        known = image.classes[image.classes != IGNORE]
        if known.size and known.max() >= self.count:
            raise DatasetError(
                f'image {index} has class {known.max()}: expected 0 to {self.count - 1}, or {IGNORE} to '
                'leave a pixel out'
            )
        return image.classes

    def draw_camera(
        self, image: LabelledImage, classes: np.ndarray, rng: np.random.Generator
    ) -> VirtualCamera:
        """A crop that shows a pixel of a class drawn among those of the image, so that rare ones are seen."""
        config, height, width = self.augmentation, *classes.shape
        zoom = float(np.exp(rng.uniform(np.log(config.zoom_min), np.log(config.zoom_max))))
        present = np.setdiff1d(classes, [IGNORE])
        if len(present) == 0 or rng.random() < config.anywhere:
            centre = rng.uniform(0, [width, height])
        else:
            shown = np.argwhere(classes == rng.choice(present))
            centre = shown[rng.integers(len(shown))][::-1] + rng.uniform(-0.35, 0.35, 2) * self.size / zoom
        roll = float(np.radians(rng.uniform(-config.roll_deg, config.roll_deg)))
        mirrored = bool(rng.random() < config.mirror)
        return virtual_camera(image.K, centre, self.size, self.size, zoom, roll, mirrored)
