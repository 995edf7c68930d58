"""Rasterises one mesh at pixel centres in numpy: its whole silhouette, whatever stands in front."""

import numpy as np

from dense_descriptor_ros.geometry import project


def rasterise(p_camera: np.ndarray, faces: np.ndarray, K: np.ndarray, height: int, width: int) -> np.ndarray:
    """Depth image of a closed mesh that lies wholly in front of the camera.

    Args:
        p_camera: (N, 3) vertices in the camera frame, metres, z > 0.
        faces: (F, 3) counter-clockwise seen from outside.

    Returns:
        (H, W) float64 metres along the optical axis, infinite where the mesh is not hit.
    """
    depth = np.full((height, width), np.inf)
    uv, inverse_z = project(K, p_camera), 1 / p_camera[:, 2]
    a, b, c = uv[faces[:, 0]], uv[faces[:, 1]], uv[faces[:, 2]]
    area = cross(b - a, c - a)
    low = np.ceil(np.minimum(np.minimum(a, b), c)).astype(int).clip(0)
    high = np.floor(np.maximum(np.maximum(a, b), c)).astype(int).clip(max=[width - 1, height - 1])
    size = (high - low + 1).clip(0)
    count = size[:, 0] * size[:, 1]
    count[area >= 0] = 0  # v points down: front faces turn the other way
    face = np.repeat(np.arange(len(faces)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    pixel = low[face] + np.stack([within % size[face, 0], within // size[face, 0]], 1)
    weights = (
        np.stack(
            [
                cross(c[face] - b[face], pixel - b[face]),
                cross(a[face] - c[face], pixel - c[face]),
                cross(b[face] - a[face], pixel - a[face]),
            ],
            1,
        )
        / area[face, None]
    )
    inside = (weights >= 0).all(1)
    z = 1 / (weights[inside] * inverse_z[faces[face[inside]]]).sum(1)
    np.minimum.at(depth, (pixel[inside, 1], pixel[inside, 0]), z)
    return depth


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """z of the cross product of plane vectors (..., 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
