"""What a network would say that knew the frames, by a formula of its own."""

import numpy as np
import torch

from dense_descriptor_ros.model import STRIDE, ModelOutput


def ray_rotation(ray: np.ndarray) -> np.ndarray:
    """Rotation from z onto a ray, by the closed form of the matrix exponential."""
    r = ray / np.linalg.norm(ray)
    w = np.cross([0, 0, 1.0], r)
    angle = np.arcsin(np.linalg.norm(w))
    k = w / max(np.linalg.norm(w), 1e-15)
    k_cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + np.sin(angle) * k_cross + (1 - np.cos(angle)) * k_cross @ k_cross


def perfect_output(
    depth_m: np.ndarray, K: np.ndarray, origins_m: np.ndarray, axes: np.ndarray
) -> ModelOutput:
    """Output for one image (H, W) that shows one object everywhere, with frames (P, 3), spread 2 cells."""
    h, w, parts = depth_m.shape[0] // STRIDE, depth_m.shape[1] // STRIDE, len(axes)
    offset, axis = np.zeros((1, parts, 3, h, w)), np.zeros((1, parts, 3, h, w))
    for i in range(h):
        for j in range(w):
            u, v = STRIDE * j + STRIDE // 2, STRIDE * i + STRIDE // 2
            ray = np.linalg.inv(K) @ [u, v, 1]
            R, z = ray_rotation(ray), depth_m[v, u]
            for p in range(parts):
                offset[0, p, :, i, j] = R.T @ (origins_m[p] - z * ray) * K[0, 0] / STRIDE / z
                axis[0, p, :, i, j] = R.T @ axes[p]
    flat = torch.zeros(1, parts, h, w)
    return ModelOutput(
        descriptors=torch.zeros(1, 4, h, w),
        object_logit=torch.full((1, h, w), 3.0),
        on_part_logit=flat + 1,
        log_spread=flat + np.log(2),
        offset_cells=torch.from_numpy(offset).float(),
        axis=torch.from_numpy(axis).float(),
    )
