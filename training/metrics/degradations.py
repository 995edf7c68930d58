"""What goes wrong with images: missing depth, noise, other resolutions and lenses, lost colour."""

from collections.abc import Callable

import cv2
import numpy as np

from dense_descriptor_ros.geometry import scale_intrinsics

Image = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Colour (H, W, 3) uint8, depth (H, W) float32 metres, K (3, 3)."""
Degradation = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], Image]


def as_it_is(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
    """Nothing."""
    return rgb, depth_m, K


def lost_pixels(share: float) -> Degradation:
    """Single pixels without depth."""

    def degrade(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
        return rgb, depth_m * (rng.random(depth_m.shape) >= share).astype(np.float32), K

    return degrade


def lost_patches(share: float, size_px: int = 12) -> Degradation:
    """Patches without depth, as on shiny or dark surfaces."""

    def degrade(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
        height, width = depth_m.shape
        coarse = rng.random((height // size_px + 1, width // size_px + 1)) >= share
        keep = np.kron(coarse, np.ones((size_px, size_px), bool))[:height, :width]
        return rgb, depth_m * keep.astype(np.float32), K

    return degrade


def noise(std: float) -> Degradation:
    """Normal noise on colour, of 255."""

    def degrade(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
        noisy = rgb + std * rng.standard_normal(rgb.shape, np.float32)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), depth_m, K

    return degrade


def dark(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
    """A quarter of the light, and the noise that comes with it."""
    return noise(6.0)((rgb // 4).astype(np.uint8), depth_m, K, rng)


def grey(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
    """No colour."""
    return np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2), depth_m, K


def resized(scale_x: float, scale_y: float) -> Degradation:
    """Fewer or more pixels; square ones no longer if the scales differ."""

    def degrade(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
        size = (round(rgb.shape[1] * scale_x), round(rgb.shape[0] * scale_y))
        return (
            cv2.resize(rgb, size, interpolation=cv2.INTER_AREA),
            cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST_EXACT),
            scale_intrinsics(K, size[0] / rgb.shape[1], size[1] / rgb.shape[0]),
        )

    return degrade


def wide_angle(scale: float) -> Degradation:
    """A shorter lens on as many pixels: the picture is smaller, black around and off the middle."""

    def degrade(rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> Image:
        small_rgb, small_depth, small_K = resized(scale, scale)(rgb, depth_m, K, rng)
        top, left = (
            int(rng.integers(0, full - part + 1))
            for full, part in zip(depth_m.shape, small_depth.shape, strict=True)
        )
        wide_rgb, wide_depth = np.zeros_like(rgb), np.zeros_like(depth_m)
        inside = np.s_[top : top + small_depth.shape[0], left : left + small_depth.shape[1]]
        wide_rgb[inside], wide_depth[inside] = small_rgb, small_depth
        return wide_rgb, wide_depth, small_K + np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])

    return degrade


DEGRADATIONS: dict[str, Degradation] = {
    'as it is': as_it_is,
    '10 % of the depth pixels missing': lost_pixels(0.1),
    '30 % of the depth pixels missing': lost_pixels(0.3),
    '10 % of the depth missing in patches': lost_patches(0.1),
    '30 % of the depth missing in patches': lost_patches(0.3),
    'colour noise, standard deviation 10 of 255': noise(10.0),
    'a quarter of the light': dark,
    'grey': grey,
    'half resolution': resized(0.5, 0.5),
    'pixels 1.25 times as wide as high': resized(0.8, 1.0),
    'lens 0.7 times as long, principal point anywhere': wide_angle(0.7),
}
