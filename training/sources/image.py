"""One image with what is known of it, and the interface of what images are read from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.errors import InputError

IGNORE = 255
"""Label of a pixel whose class nobody gave."""


@dataclass(frozen=True)
class LabelledImage:
    """An image of H x W pixels; what a source does not know is None, or 0 in depth.

    Raises:
        InputError: an array has another size or type than it should.
    """

    rgb: np.ndarray
    """(H, W, 3) uint8"""
    depth_m: np.ndarray
    """(H, W) float32 metres along z, 0 where unknown"""
    K: np.ndarray
    """(3, 3) pixels; for a source without cameras, `guessed_intrinsics`"""
    instances: np.ndarray | None = None
    """(H, W) int32: 0 where no object is, else the object's number in this image"""
    classes: np.ndarray | None = None
    """(H, W) uint8: index into `ImageSource.class_names`, or IGNORE"""

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise InputError(f'rgb is {self.rgb.dtype} of shape {self.rgb.shape}: expected uint8 (H, W, 3)')
        for name in ('depth_m', 'instances', 'classes'):
            array = getattr(self, name)
            if array is not None and array.shape != self.rgb.shape[:2]:
                raise InputError(f'{name} has shape {array.shape}: expected {self.rgb.shape[:2]}, as rgb')


class ImageSource(ABC):
    """A data set as images, in an order that stays. Pixels are read when asked for, in any process."""

    class_names: tuple[str, ...] = ()
    """Of `LabelledImage.classes`; empty where the source has no classes."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def __getitem__(self, index: int) -> LabelledImage:
        """One image, 0 <= index < len."""

    @property
    def sequences(self) -> list[list[int]]:
        """Images that show one scene, in the order they were taken; by default each image is its own."""
        return [[index] for index in range(len(self))]


def guessed_intrinsics(height: int, width: int) -> np.ndarray:
    """(3, 3) of a camera with a field of view of 60 degrees along the longer side."""
    focal_px = max(height, width) / (2 * np.tan(np.radians(30)))
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]])
