"""What a real RGB-D camera adds to a rendering: exposure, colour noise, depth noise and holes."""

import cv2
import numpy as np

BASELINE_M = 0.06
DISPARITY_STEP_PX = 1 / 8


def noisy_rgb(rng: np.random.Generator, rgb: np.ndarray, largest_std: float) -> np.ndarray:
    """(H, W, 3) uint8 with a random exposure, contrast and normal grey noise of at most `largest_std` of 255."""
    curve = 255 * np.clip(np.linspace(0, 1, 256) ** rng.uniform(0.8, 1.25) * rng.uniform(0.85, 1.15), 0, 1)
    noise = rng.standard_normal((*rgb.shape[:2], 1), dtype=np.float32) * np.float32(rng.uniform(0, largest_std))
    return np.clip(curve.astype(np.float32)[rgb] + noise + 0.5, 0, 255).astype(np.uint8)


def noisy_depth(rng: np.random.Generator, depth_m: np.ndarray, fx: float) -> np.ndarray:
    """Depth (H, W) float32 metres as a stereo camera with focal length `fx` pixels gives it; 0 where it has none.

    Axial noise grows with the square of the distance (Nguyen, Izadi and Lovell 2012,
    https://doi.org/10.1109/3DIMPVT.2012.84); disparity comes in steps; depth is lost beside edges, on surfaces seen
    at a grazing angle and here and there.
    """
    depth = depth_m.astype(np.float32)
    shape = depth.shape
    steps = cv2.blur(cv2.resize(rng.standard_normal((shape[0] // 2, shape[1] // 2), dtype=np.float32), shape[::-1]), (3, 3))
    noisy = depth + (0.0006 + 0.0019 * (depth - 0.4) ** 2) * steps * np.float32(rng.uniform(0.5, 2.0))
    with np.errstate(divide='ignore', invalid='ignore'):
        scale = fx * BASELINE_M / DISPARITY_STEP_PX
        noisy = scale / np.round(scale / noisy)
    dx, dy = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope = np.sqrt(dx * dx + dy * dy) * fx / np.maximum(depth, 1e-3)
    chance = np.clip((slope - 3) / 6, 0, 0.9)
    edge = cv2.dilate((slope > 12).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    draw = rng.random(shape, dtype=np.float32)
    lost = (draw < chance) | (edge & (draw < 0.75)) | (draw > 0.998) | (depth <= 0) | ~np.isfinite(noisy)
    return np.where(lost, 0, noisy).astype(np.float32)
