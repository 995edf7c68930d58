"""Pairs of augmentations of one image: what is learned from where there are neither poses nor labels."""

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from dense_descriptor_ros.model import STRIDE
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig, augment_depth
from dense_descriptor_ros.training.augmentation.colour_distortion import distort_colour
from dense_descriptor_ros.training.augmentation.crop_camera import draw_crop_camera, matches_between
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera
from dense_descriptor_ros.training.items.point_sampling import draw_pixels, point_regions
from dense_descriptor_ros.training.items.view_pairs import PairConfig, Sample
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

OUTSIDE = -1
"""In `instance_map`, what no pixel of the image fell on."""


class AugmentedPairs(Dataset[Sample]):
    """Every image of a source in two views, each with its own crop, flips, rotation and colours.

    An item holds of `ViewPairs` items, with a leading dimension of 2 for the views: `rgb` uint8 (2, 3, H, W),
    `depth_m` (2, H, W), `K` (2, 3, 3), `instance_map` (2, h, w) with the regions that points are drawn from,
    0 for none and -1 outside the image; and of the points `uv` (2, N, 2), `match_uv` (N, 2) in view 1,
    `matched` (N), `owner` (2, N), the region or 0 for padding, and `p_object` (N, 3), all 0. Matches follow
    from the augmentations alone and are exact.

    Args:
        source: any; without depth the network sees colour alone.
        sampling: where points are drawn (`point_regions`).
        config: size of the views and number of points.
        augmentation: of the depth.
        seed: with an item's position it gives all random numbers.

    Raises:
        ConfigError: points are to be drawn on masks, which the source does not have.
    """

    def __init__(
        self,
        source: ImageSource,
        sampling: str,
        config: PairConfig,
        augmentation: AugmentationConfig,
        seed: int,
    ) -> None:
        self.source, self.sampling, self.config = source, sampling, config
        self.augmentation, self.seed = augmentation, seed
        point_regions(source[0], sampling)  # tells now what every item would

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Sample:
        """Item `position % len(self)`; the whole position seeds the augmentation (see EndlessSampler)."""
        rng = np.random.default_rng([self.seed, position])
        image = self.source[position % len(self)]
        regions = point_regions(image, self.sampling)
        shape = (self.config.height, self.config.width)
        cameras = [draw_crop_camera(image.depth_m.shape, image.K, shape, rng) for _ in range(2)]
        views = [self.draw_view(image, regions, camera, rng) for camera in cameras]
        arrays = {key: np.stack([view[key] for view in views]) for key in views[0]}
        match_uv, inside = matches_between(cameras[0], cameras[1], arrays['uv'][0])
        arrays['match_uv'], arrays['matched'] = match_uv, inside & (arrays['owner'][0] > 0)
        arrays['p_object'] = np.zeros((self.config.points, 3), np.float32)
        return {key: torch.from_numpy(value) for key, value in arrays.items()}

    def draw_view(
        self, image: LabelledImage, regions: np.ndarray, camera: VirtualCamera, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """One view and its points."""
        rgb = distort_colour(camera.warp(image.rgb, cv2.INTER_LINEAR), rng)
        depth_m = camera.warp(image.depth_m, cv2.INTER_NEAREST)
        # OpenCV warps no int32; whole numbers stay whole in float32. Outside the image it gives 0.
        shown = (
            camera.warp((regions - OUTSIDE).astype(np.float32), cv2.INTER_NEAREST).astype(np.int64) + OUTSIDE
        )
        drawn = draw_pixels(shown, self.config.points, rng)
        uv = np.zeros((self.config.points, 2), np.float32)
        owner = np.zeros(self.config.points, np.int64)
        uv[: len(drawn)], owner[: len(drawn)] = drawn, shown[drawn[:, 1], drawn[:, 0]]
        return {
            'rgb': np.ascontiguousarray(rgb.transpose(2, 0, 1)),
            'depth_m': augment_depth(depth_m, self.augmentation, rng),
            'K': camera.K.astype(np.float32),
            'instance_map': shown[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE].copy(),
            'uv': uv,
            'owner': owner,
        }
