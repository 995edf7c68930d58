"""Where on its object a point lies, the same for corresponding points of all objects of a category.

For objects with an axis of revolution: the region of the surface, the angle about the axis from the part that
points away from it (a mug's handle), and the height. With the frames and the depth of an image these
coordinates are known to millimetres, far better than any network says them, so each cell of a found object
carries them in its descriptor beside what the network learned. The idea is that of normalised object
coordinates (Wang et al. 2019, https://arxiv.org/abs/1901.02970), computed here instead of regressed.
"""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.decode import FoundObject
from dense_descriptor_ros.parts import PartEstimate
from dense_descriptor_ros.votes import Votes

REGIONS = ('radial', 'flat', 'inside', 'outside')
FLAT_COSINE = 0.8
"""A surface whose normal is nearer to the axis than this is flat: the bottom, or a thick rim."""
CODE_DIM = len(REGIONS) + 4
REGION_WEIGHT, HEIGHT_WEIGHT, LEARNED_WEIGHT = 2.0, 1.2, 0.6
"""Lengths of the parts of a descriptor; the angle's is 1."""
MIN_HALF_HEIGHT_M = 0.01
HINT = 0.1
"""Presence of the radial part from which on its direction is better than none, also where it may be wrong."""


@dataclass(frozen=True)
class SurfaceSize:
    """What an object's coordinates are relative to, metres."""

    half_height: float
    radius: float
    radial_from: float
    """Distance from the axis at which the radial part begins."""
    radial_reach: float
    """From there to its keypoint."""


def surface_regions(points_m: np.ndarray, normals: np.ndarray, on_radial: np.ndarray) -> np.ndarray:
    """Index (N,) into `REGIONS` of points (N, 3) with outward normals (N, 3) in the object frame.

    That frame has z along the axis and x towards the radial part; `on_radial` (N,) bool marks its points.
    """
    outward = normals[:, 0] * points_m[:, 0] + normals[:, 1] * points_m[:, 1]
    flat = np.abs(normals[:, 2]) > FLAT_COSINE
    return np.select([on_radial, flat, outward < 0], [0, 1, 2], 3)


def surface_position(points_m: np.ndarray, regions: np.ndarray, size: SurfaceSize) -> np.ndarray:
    """(N, 3) dimensionless position of points (N, 3), object frame, within their regions (N,).

    Cosine and sine of the angle about the axis, times the radius on flat surfaces (on the radial part: reach
    and sideways), then height, -1 and 1 at the ends.
    """
    x, y, z = points_m.T
    distance = np.hypot(x, y)
    spread = np.where(regions == 1, distance / size.radius, 1.0) / np.maximum(distance, 1e-9)
    on_radial = regions == 0
    return np.stack(
        [
            np.where(on_radial, (x - size.radial_from) / size.radial_reach, spread * x),
            np.where(on_radial, y / (0.5 * size.radius), spread * y),
            z / size.half_height,
        ],
        1,
    )


def surface_code(votes: Votes, parts: list[PartEstimate], category: Category) -> np.ndarray | None:
    """(N, 8) code of the cells of one object, None if the category has no axis of revolution.

    The angle is left out, as 0, where there is no hint of the radial part: then nothing tells it.
    """
    layout = revolution_parts(category)
    if layout is None:
        return None
    base, end, radial = (parts[index] for index in layout)
    z = base.axis
    x = radial.axis - (radial.axis @ z) * z
    x /= max(float(np.linalg.norm(x)), 1e-9)
    R = np.stack([x, np.cross(z, x), z], 1)
    points, normals = (votes.point_m - base.origin_m) @ R, votes.normal @ R
    on_radial = votes.on_part[:, layout[2]] > 0.5
    regions = surface_regions(points, normals, on_radial)
    position = surface_position(points, regions, measured_size(points, on_radial, base, end, radial))
    if radial.presence <= HINT:
        position[:, :2] = 0
    angle = np.pi / 4 * np.clip(position[:, 2:], -1.3, 1.3)
    return np.concatenate(
        [
            REGION_WEIGHT * np.eye(len(REGIONS))[regions],
            position[:, :2],
            HEIGHT_WEIGHT * np.concatenate([np.sin(angle), np.cos(angle)], 1),
        ],
        1,
    )


def revolution_parts(category: Category) -> tuple[int, int, int] | None:
    """Indices of the part whose keypoint is the origin, the part at the end, and the radial part."""
    relation = [part.revolution for part in category.parts]
    ends = [index for index, part in enumerate(category.parts) if part.at_end]
    if not ends or 'radial' not in relation:
        return None
    return relation.index('on_axis'), ends[0], relation.index('radial')


def measured_size(
    points_m: np.ndarray, on_radial: np.ndarray, base: PartEstimate, end: PartEstimate, radial: PartEstimate
) -> SurfaceSize:
    """Size of an object from its seen surface (N, 3), object frame, and its frames."""
    body = points_m if on_radial.all() else points_m[~on_radial]
    radius = max(float(np.median(np.hypot(body[:, 0], body[:, 1]))), 1e-3)
    keypoint = radial.origin_m - base.origin_m
    reach = float(np.linalg.norm(keypoint - (keypoint @ base.axis) * base.axis)) - radius
    half_height = float((end.origin_m - base.origin_m) @ base.axis)
    return SurfaceSize(max(half_height, MIN_HALF_HEIGHT_M), radius, radius, max(reach, 1e-3))


def add_surface_codes(
    learned: np.ndarray, votes: Votes, objects: list[FoundObject], category: Category
) -> np.ndarray:
    """Unit descriptors (D + 8, h, w) from learned ones (D, h, w), with a code where an object is found.

    For a category without an axis of revolution the learned ones.
    """
    if revolution_parts(category) is None:
        return learned
    D = len(learned)
    descriptors = np.zeros((D + CODE_DIM, *learned.shape[1:]), np.float32)
    descriptors[:D] = LEARNED_WEIGHT * learned
    for found in objects:
        own = votes[found.cells]
        code = surface_code(own, found.parts, category)
        descriptors[D:, own.cell[:, 0], own.cell[:, 1]] = 0 if code is None else code.T
    return descriptors / np.maximum(np.linalg.norm(descriptors, axis=0), 1e-6)
