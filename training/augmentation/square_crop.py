"""Small square frames of images, with the depth and the camera that go with them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dense_descriptor_ros.training.sources.image import LabelledImage


@dataclass(frozen=True)
class SquareCrop:
    """A square of an image, brought to `size_px`, perhaps mirrored."""

    left: int
    top: int
    side: int
    """pixels of the original"""
    size_px: int
    mirrored: bool = False

    def __call__(self, image: LabelledImage) -> LabelledImage:
        """The square; colours are averaged, all else is taken from the nearest pixel."""
        return LabelledImage(
            self.cut(image.rgb, cv2.INTER_AREA),
            self.cut(image.depth_m, cv2.INTER_NEAREST),
            self.intrinsics(image.K),
            None if image.instances is None else self.cut(image.instances, cv2.INTER_NEAREST),
            None if image.classes is None else self.cut(image.classes, cv2.INTER_NEAREST),
        )

    def cut(self, array: np.ndarray, interpolation: int) -> np.ndarray:
        """(size_px, size_px, ...) of (H, W, ...)."""
        square = array[self.top : self.top + self.side, self.left : self.left + self.side]
        small = cv2.resize(square, (self.size_px, self.size_px), interpolation=interpolation)
        return np.ascontiguousarray(small[:, ::-1] if self.mirrored else small)

    def intrinsics(self, K: np.ndarray) -> np.ndarray:
        """(3, 3) of the frame; a mirrored one shows the mirrored world to an ordinary camera."""
        scale = self.size_px / self.side
        small = np.diag([K[0, 0] * scale, K[1, 1] * scale, 1.0])
        small[:2, 2] = (K[:2, 2] - [self.left, self.top] + 0.5) * scale - 0.5
        if self.mirrored:
            small[0, 2] = self.size_px - 1 - small[0, 2]
        return small


def central_crop(image: LabelledImage, size_px: int) -> SquareCrop:
    """The largest square in the middle of such an image."""
    height, width = image.rgb.shape[:2]
    side = min(height, width)
    return SquareCrop((width - side) // 2, (height - side) // 2, side, size_px)


def draw_crop(
    image: LabelledImage, size_px: int, smallest: float, mirror: float, rng: np.random.Generator
) -> SquareCrop:
    """A square anywhere, whose side is `smallest` to 1 of the largest's, mirrored with a probability."""
    height, width = image.rgb.shape[:2]
    largest = min(height, width)
    side = max(1, round(largest * rng.uniform(smallest, 1)))
    left, top = (int(rng.integers(0, room - side + 1)) for room in (width, height))
    return SquareCrop(left, top, side, size_px, bool(rng.random() < mirror))


def frame_sample(image: LabelledImage) -> dict[str, torch.Tensor]:
    """`rgb` (3, H, W) uint8, `depth_m` (H, W) and `K` (3, 3) float32."""
    return {
        'rgb': torch.from_numpy(image.rgb).permute(2, 0, 1),
        'depth_m': torch.from_numpy(image.depth_m.astype(np.float32)),
        'K': torch.from_numpy(image.K.astype(np.float32)),
    }
