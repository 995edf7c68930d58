"""Pairs of augmentations of one image with all labels of a BOP data set."""

import cv2
import numpy as np
import torch

from dense_descriptor_ros.training.augmentation.appearance import draw_recolouring
from dense_descriptor_ros.training.augmentation.colour_distortion import distort_colour
from dense_descriptor_ros.training.augmentation.crop_camera import draw_crop_camera, matches_between
from dense_descriptor_ros.training.items.labels import view_labels
from dense_descriptor_ros.training.items.view_pairs import Sample, ViewPairs


class AugmentedViews(ViewPairs):
    """As `ViewPairs`, but both views are of one image, each with its own crop, flips, rotation and colours.

    Matches follow from the augmentations and are exact.
    """

    def __getitem__(self, position: int) -> Sample:
        """Item `position % len(self)`; the whole position seeds the augmentation (see EndlessSampler)."""
        rng = np.random.default_rng([self.seed, position])
        view = self.views[position % len(self)]
        rgb, depth_m = view.rgb(), view.depth_m()
        shape = (self.config.height, self.config.width)
        cameras = [draw_crop_camera(depth_m.shape, view.K, shape, rng) for _ in range(2)]
        labels = [
            view_labels(self.dataset, view, depth_m, camera, self.category, self.config.parts_by)
            for camera in cameras
        ]
        images = []
        for camera, truth in zip(cameras, labels, strict=True):
            recolouring = draw_recolouring(self.augmentation, rng)
            image = self.draw_images(view, depth_m, camera, truth, recolouring, rng)
            distorted = distort_colour(camera.warp(rgb, cv2.INTER_LINEAR), rng)
            images.append(image | {'rgb': np.ascontiguousarray(distorted.transpose(2, 0, 1))})
        arrays = {key: np.stack([image[key] for image in images]) for key in images[0]}
        arrays |= self.draw_points(labels, cameras, rng)
        match_uv, inside = matches_between(cameras[0], cameras[1], arrays['uv'][0])
        arrays['match_uv'], arrays['matched'] = match_uv, inside & (arrays['owner'][0] != 0)
        return {key: torch.from_numpy(value) for key, value in arrays.items()}
