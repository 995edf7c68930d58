"""Views with a representation whose answer is known, for tests of probes.

Each shows two upright mugs as rectangles of cells: a body, and a handle as their right quarter.
"""

from pathlib import Path

import numpy as np
import torch

from dense_descriptor_ros.bop import View
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera
from dense_descriptor_ros.training.probes.frozen import FrozenView
from dense_descriptor_ros.training.sources.image import LabelledImage

STRIDE = 4
BACKGROUND, OTHER, BODY, HANDLE = range(4)


def frozen_view(im_id, classes, instances, objects, descriptors):
    """A view of cells (h, w) with descriptors (D, h, w)."""
    height, width = (STRIDE * side for side in classes.shape)
    image = LabelledImage(
        rgb=np.zeros((height, width, 3), np.uint8),
        depth_m=np.ones((height, width), np.float32),
        K=np.eye(3),
        instances=large(instances).astype(np.int32),
        classes=large(classes).astype(np.uint8),
    )
    camera = VirtualCamera(np.eye(3), np.eye(3), np.eye(2, 3), width, height)
    view = View(Path(), 0, im_id, np.eye(3), None, 1.0, ())
    return FrozenView(view, camera, image, objects, torch.as_tensor(descriptors).half())


def large(cells):
    """(4 h, 4 w) pixels of cells (h, w)."""
    return np.kron(cells, np.ones((STRIDE, STRIDE), cells.dtype))


def two_mugs(im_id):
    """Classes, instances and, per object, the cells' coordinates in its box (0 to 1), all (24, 40)."""
    rng = np.random.default_rng(im_id)
    classes, instances = np.zeros((24, 40), int), np.zeros((24, 40), int)
    within = np.zeros((2, 24, 40))
    for number, left in ((1, 0), (2, 20)):
        w, h = 4 * rng.integers(2, 5), rng.integers(8, 17)
        x, y = left + rng.integers(0, 20 - w), rng.integers(0, 24 - h)
        box = np.s_[y : y + h, x : x + w]
        classes[box] = BODY
        classes[y : y + h, x + 3 * w // 4 : x + w] = HANDLE
        instances[box] = number
        within[(slice(None), *box)] = np.stack(
            np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h), indexing='xy')
        )
    return classes, instances, within


def views(describe, count, first=0):
    """Views of two different mugs each; `describe` gives (D, h, w) of (classes, instances, within, rng)."""
    found = []
    for im_id in range(first, first + count):
        classes, instances, within = two_mugs(im_id)
        descriptors = describe(classes, instances, within, np.random.default_rng(1000 + im_id))
        objects = {1: 2 * im_id, 2: 2 * im_id + 1}
        found.append(frozen_view(im_id, classes, instances, objects, descriptors))
    return found


def true_classes(classes, instances, within, rng):
    """One-hot classes, and one more dimension of noise."""
    return np.concatenate([np.arange(4)[:, None, None] == classes, rng.normal(size=(1, *classes.shape))])


def surface_points(classes, instances, within, rng):
    """Unit vectors that only the same place in two boxes shares; 0 outside."""
    waves = np.concatenate([np.cos(within), np.sin(within)]) / np.sqrt(2)
    return np.where(instances > 0, waves, 0)


def noise(classes, instances, within, rng):
    """Independent in every cell."""
    values = rng.normal(size=(16, *classes.shape))
    return values / np.linalg.norm(values, axis=0)


def nothing(classes, instances, within, rng):
    """The same everywhere: collapsed."""
    return np.full((4, *classes.shape), 0.5)
