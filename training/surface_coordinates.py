"""Coordinates on the surface of a mug that tie points of mugs of different shape.

A point's region (handle, flat, inside wall, outside wall), angle from the handle and relative height. Left
and right differ by the sign of the second angular coordinate.
"""

import numpy as np

from dense_descriptor_ros.bop import ObjectModel

REGIONS = ('handle', 'flat', 'inside', 'outside')
REGION_DISTANCE = 10.0
"""Regions are this far apart, more than any two points of one region."""
FLAT_NORMAL_Z = 0.8


def surface_regions(points_m: np.ndarray, normals: np.ndarray, model: ObjectModel) -> np.ndarray:
    """Index (N,) into `REGIONS` of surface points (N, 3) with outward normals (N, 3), object frame."""
    x, y = points_m[:, 0], points_m[:, 1]
    radial = normals[:, 0] * x + normals[:, 1] * y
    handle = x > model.handle_x_min_m
    flat = np.abs(normals[:, 2]) > FLAT_NORMAL_Z
    return np.select([handle, flat, radial < 0], [0, 1, 2], 3)


def surface_coordinates(points_m: np.ndarray, normals: np.ndarray, model: ObjectModel) -> np.ndarray:
    """(N, 7) dimensionless coordinates of surface points (N, 3) with outward normals (N, 3), object frame.

    The first four tell the region; then two that turn with the angle from the handle (on the handle: reach
    and sideways), then height, -1 at the base and 1 at the rim.
    """
    regions = surface_regions(points_m, normals, model)
    x, y, z = points_m.T
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    reach_m = max(model.frames['handle'].origin_m[0] - model.handle_x_min_m, 1e-3)
    spread = np.where(regions == 1, radius / model.rim_radius_m, 1.0)
    handle = regions == 0
    return np.concatenate(
        [
            REGION_DISTANCE * np.eye(len(REGIONS))[regions],
            np.where(handle, (x - model.handle_x_min_m) / reach_m, spread * np.cos(angle))[:, None],
            np.where(handle, y / (0.5 * model.rim_radius_m), spread * np.sin(angle))[:, None],
            (2 * z / model.height_m)[:, None],
        ],
        1,
    )
