"""Visible surface of an object in one image, in millimetres as in `truth`."""

from dataclasses import dataclass

import numpy as np

EDGE_MM = 8.0
"""A depth step larger than this within `EDGE_REACH_PX` is an edge; points beside it are unreliable."""
EDGE_REACH_PX = 2


@dataclass(frozen=True)
class Surface:
    """Visible points of one object away from edges, in the object frame."""

    points_mm: np.ndarray
    """(N, 3)"""
    uv: np.ndarray
    """(N, 2) int, their pixels"""
    normals: np.ndarray
    """(N, 3) unit, on the camera's side"""


def visible_surface(
    camera_mm: np.ndarray, mask: np.ndarray, R_camera_object: np.ndarray, t_mm: np.ndarray
) -> Surface:
    """Surface of the object in `mask` (H, W), from the image's points (H, W, 3) in the camera frame."""
    v, u = np.nonzero(away_from_edges(mask, camera_mm[..., 2]))
    normals = image_normals(camera_mm)[v, u]
    return Surface((camera_mm[v, u] - t_mm) @ R_camera_object, np.stack([u, v], 1), normals @ R_camera_object)


def away_from_edges(mask: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose neighbours up to `EDGE_REACH_PX` away are in the mask at a similar depth."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (*range(-EDGE_REACH_PX, 0), *range(1, EDGE_REACH_PX + 1)):
            depth_step_mm = np.abs(np.roll(depth_mm, step, axis) - depth_mm)
            inner &= np.roll(mask, step, axis) & (depth_step_mm < EDGE_MM)
    return inner


def image_normals(camera_mm: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals towards the camera, from central differences over two pixels."""
    across = np.roll(camera_mm, -2, 1) - np.roll(camera_mm, 2, 1)
    down = np.roll(camera_mm, -2, 0) - np.roll(camera_mm, 2, 0)
    normals = np.cross(down, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    away = (normals * camera_mm).sum(-1, keepdims=True) >= 0
    return np.where(away, -normals, normals)
