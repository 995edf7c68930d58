"""Visible surface of a mug in one image, and coordinates that tie the surfaces of different mugs.

Millimetres, as in `truth`.
"""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.bop import MM, ObjectModel

EDGE_MM = 8.0
"""A depth step larger than this within `EDGE_REACH_PX` is an edge; points beside it are unreliable."""
EDGE_REACH_PX = 2
HANDLE, FLAT, INSIDE, OUTSIDE = range(4)


@dataclass(frozen=True)
class Surface:
    """Visible points of one object away from edges, in the object frame."""

    points_mm: np.ndarray
    """(N, 3)"""
    uv: np.ndarray
    """(N, 2) int, their pixels"""
    normals: np.ndarray
    """(N, 3) unit, on the camera's side"""


@dataclass(frozen=True)
class SurfaceCoordinates:
    """Where points lie on a mug, whatever its shape."""

    values: np.ndarray
    """(N, 8): one of four large entries names the part, the others the place on it"""
    part: np.ndarray
    """(N,) int: HANDLE, FLAT, INSIDE or OUTSIDE"""
    azimuth: np.ndarray
    """(N,) radians about the body's axis, 0 at the handle"""


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


def surface_coordinates(surface: Surface, model: ObjectModel) -> SurfaceCoordinates:
    """Side of the wall, angle from the handle and relative height; a handle has coordinates of its own.

    Two points correspond where these agree. The handle defines the angle, so that left and right differ.
    """
    x, y, z = surface.points_mm.T
    radius_mm, handle_from_mm = model.rim_radius_m / MM, model.handle_x_min_m / MM
    handle_reach_mm = max(model.frames['handle'].origin_m[0] / MM - handle_from_mm, 1.0)
    azimuth, rho = np.arctan2(y, x), np.hypot(x, y)
    part = wall_side(surface, rho, handle_from_mm)
    reach = np.where(part == FLAT, rho / radius_mm, 1)
    values = np.zeros((len(x), 8))
    values[np.arange(len(x)), part] = 10
    values[:, 4] = np.where(part == HANDLE, (x - handle_from_mm) / handle_reach_mm, reach * np.cos(azimuth))
    values[:, 5] = np.where(part == HANDLE, y / (0.5 * radius_mm), reach * np.sin(azimuth))
    values[:, 6] = 2 * z / (model.height_m / MM)
    return SurfaceCoordinates(values, part, azimuth)


def wall_side(surface: Surface, rho_mm: np.ndarray, handle_from_mm: float) -> np.ndarray:
    """(N,) HANDLE, FLAT (rim, floor, base), INSIDE or OUTSIDE of each point."""
    x, y, _ = surface.points_mm.T
    radial = (surface.normals[:, 0] * x + surface.normals[:, 1] * y) / np.maximum(rho_mm, 1e-6)
    level = np.abs(surface.normals[:, 2]) > 0.8
    return np.select([x > handle_from_mm, level, radial < 0], [HANDLE, FLAT, INSIDE], OUTSIDE)
