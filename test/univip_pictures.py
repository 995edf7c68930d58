"""Pictures with known objects, and a small UniVIP, for its tests."""

import numpy as np
import torch

from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.objectives.univip import Univip, UnivipConfig
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage, guessed_intrinsics

TINY = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
SMALL = {'scene_px': 64, 'instance_px': 32, 'hidden': 64, 'projected': 16}


class Pictures(ImageSource):
    """Noise of 60 x 80 px with four rectangles about its middle, with or without their instance map."""

    def __init__(self, count=4, labelled=True, contrast=1.0):
        self.count, self.labelled, self.contrast = count, labelled, contrast

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        rgb = (128 + self.contrast * rng.integers(-40, 40, (60, 80, 3))).astype(np.uint8)
        instances = np.zeros((60, 80), np.int32)
        for number, (u, v) in enumerate(((28, 18), (42, 18), (28, 32), (42, 32)), 1):
            instances[v : v + 10, u : u + 10] = number
            rgb[v : v + 10, u : u + 10] += np.uint8(15 * number * self.contrast)
        rgb.flags.writeable = False  # as a memory map is
        depth_m = np.ones((60, 80), np.float32)
        return LabelledImage(rgb, depth_m, guessed_intrinsics(60, 80), instances if self.labelled else None)


def objective_of(seed=0, **settings):
    torch.manual_seed(seed)
    return Univip(UnivipConfig(**(SMALL | settings)), TINY)
