"""Images from cameras that nothing is known of."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from dense_descriptor_ros.bop import read_png
from dense_descriptor_ros.training.sources.image import LabelledImage, guessed_intrinsics

SUFFIXES = ('.png', '.jpg', '.jpeg')


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of some paths that are PNG or JPEG files, by their names; none that begins with a dot."""
    return (p for p in paths if p.suffix.lower() in SUFFIXES and not p.name.startswith('.') and p.is_file())


def read_rgb(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, upright where the file tells how the camera was held; grey is repeated.

    Raises:
        DatasetError: the file is missing or damaged.
    """
    return np.ascontiguousarray(read_png(path, cv2.IMREAD_COLOR)[..., ::-1])


def plain_image(
    rgb: np.ndarray, instances: np.ndarray | None = None, classes: np.ndarray | None = None
) -> LabelledImage:
    """An image without depth whose camera is guessed."""
    height, width = rgb.shape[:2]
    depth_m = np.zeros((height, width), np.float32)
    return LabelledImage(rgb, depth_m, guessed_intrinsics(height, width), instances, classes)
