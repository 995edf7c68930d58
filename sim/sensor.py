"""What a real RGB-D camera adds to a rendering: exposure, colour noise, depth noise and holes."""

import cv2
import numpy as np

BASELINE_M = 0.06
DISPARITY_STEP_PX = 1 / 8


def noisy_rgb(rng: np.random.Generator, rgb: np.ndarray, largest_std: float) -> np.ndarray:
    """(H, W, 3) uint8 with random exposure and contrast and normal grey noise up to `largest_std` of 255."""
    gamma, gain, std = rng.uniform(0.8, 1.25), rng.uniform(0.85, 1.15), rng.uniform(0, largest_std)
    curve = 255 * np.clip(np.linspace(0, 1, 256) ** gamma * gain, 0, 1)
    noise = rng.standard_normal((*rgb.shape[:2], 1), dtype=np.float32) * np.float32(std)
    return np.clip(curve.astype(np.float32)[rgb] + noise + 0.5, 0, 255).astype(np.uint8)


def noisy_depth(rng: np.random.Generator, depth_m: np.ndarray, fx: float) -> np.ndarray:
    """Depth (H, W) float32 metres as a stereo camera of focal length `fx` (pixels) gives it, 0 where none.

    Axial noise grows with the square of the distance (Nguyen, Izadi and Lovell 2012,
    https://doi.org/10.1109/3DIMPVT.2012.84) and is smooth over a few pixels; disparity comes in steps; depth
    is lost beside edges, on surfaces seen at a grazing angle and here and there.
    """
    depth = depth_m.astype(np.float32)
    height, width = depth.shape
    grain = rng.standard_normal((height // 2, width // 2), dtype=np.float32)
    grain = cv2.blur(cv2.resize(grain, (width, height)), (3, 3)) * np.float32(rng.uniform(0.5, 2.0))
    noisy = depth + (0.0006 + 0.0019 * (depth - 0.4) ** 2) * grain
    with np.errstate(divide='ignore', invalid='ignore'):
        scale = fx * BASELINE_M / DISPARITY_STEP_PX
        noisy = scale / np.round(scale / noisy)
    dx, dy = (cv2.Sobel(depth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    slope = np.sqrt(dx * dx + dy * dy) * fx / np.maximum(depth, 1e-3)
    chance = np.clip((slope - 3) / 6, 0, 0.9)
    edge = cv2.dilate((slope > 12).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    draw = rng.random(depth.shape, dtype=np.float32)
    lost = (draw < np.where(edge, 0.75, chance)) | (draw > 0.998) | (depth <= 0) | ~np.isfinite(noisy)
    return np.where(lost, 0, noisy).astype(np.float32)
