"""Coordinates on the surface of a mug that tie points of mugs of different shape, from its true model."""

import numpy as np

from dense_descriptor_ros.bop import ObjectModel
from dense_descriptor_ros.surface_code import REGIONS, SurfaceSize, surface_position
from dense_descriptor_ros.surface_code import surface_regions as regions_of

REGION_DISTANCE = 10.0
"""Regions are this far apart, more than any two points of one region."""


def surface_regions(points_m: np.ndarray, normals: np.ndarray, model: ObjectModel) -> np.ndarray:
    """Index (N,) into `REGIONS` of surface points (N, 3) with outward normals (N, 3), object frame."""
    return regions_of(points_m, normals, points_m[:, 0] > model.handle_x_min_m)


def surface_coordinates(points_m: np.ndarray, normals: np.ndarray, model: ObjectModel) -> np.ndarray:
    """(N, 7) dimensionless coordinates of surface points (N, 3) with outward normals (N, 3), object frame.

    The first four tell the region; then the position within it, as `surface_position` gives it.
    """
    regions = surface_regions(points_m, normals, model)
    reach_m = max(model.frames['handle'].origin_m[0] - model.handle_x_min_m, 1e-3)
    size = SurfaceSize(model.height_m / 2, model.rim_radius_m, model.handle_x_min_m, reach_m)
    position = surface_position(points_m, regions, size)
    return np.concatenate([REGION_DISTANCE * np.eye(len(REGIONS))[regions], position], 1)
