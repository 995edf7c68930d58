"""Classes of pixels in colour, over the image that shows them."""

import cv2
import numpy as np

from dense_descriptor_ros.training.sources.image import IGNORE

OPACITY = 0.5
HUE_STEP = 0.618034
"""The golden ratio's fraction of the circle: neighbouring classes, and any few first ones, differ most."""


def class_colours() -> np.ndarray:
    """(256, 3) uint8 RGB of every class; a class has the same colour in every picture."""
    index = np.arange(256)
    hsv = np.stack([180 * (index * HUE_STEP % 1), 160 + 60 * (index % 2), np.full(256, 255)], 1)
    return cv2.cvtColor(hsv[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0]


def paint_classes(rgb: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The image (H, W, 3) uint8 under the colours of its classes (H, W) uint8; pixels of IGNORE go dark."""
    colours = class_colours()
    colours[IGNORE] = 0
    return np.rint((1 - OPACITY) * rgb + OPACITY * colours[classes]).astype(np.uint8)
