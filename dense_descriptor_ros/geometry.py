"""Pinhole camera and rigid transforms on numpy arrays.

The camera frame is the optical one: x right, y down, z forward. `K` is 3x3 in pixels, `uv` is
(column, row), pixel centres are at integers. `T_a_b` maps coordinates of frame b to frame a.
"""

import numpy as np

from dense_descriptor_ros.errors import InputError


def transform(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(4, 4) rigid transform of a rotation (3, 3) and a translation (3,)."""
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = t
    return T


def inverse(T: np.ndarray) -> np.ndarray:
    """Inverse of a rigid transform (4, 4)."""
    R = T[:3, :3].T
    return transform(R, -R @ T[:3, 3])


def apply(T: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) of frame b in frame a, for `T_a_b` (4, 4)."""
    return points @ T[:3, :3].T + T[:3, 3]


def project(K: np.ndarray, p_camera: np.ndarray) -> np.ndarray:
    """Pixels `uv` (..., 2) of camera points (..., 3); not finite for points with z = 0."""
    uvw = p_camera @ K.T
    with np.errstate(divide='ignore', invalid='ignore'):
        return uvw[..., :2] / uvw[..., 2:]


def back_project(K: np.ndarray, uv: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """Camera points (..., 3) of pixels `uv` (..., 2) at depths along z (...)."""
    x = (uv[..., 0] - K[0, 2]) / K[0, 0] * depth_m
    y = (uv[..., 1] - K[1, 2]) / K[1, 1] * depth_m
    return np.stack([x, y, depth_m], -1)


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Every pixel of an image as `uv`, (H, W, 2) float64."""
    v, u = np.mgrid[:height, :width]
    return np.stack([u, v], -1).astype(float)


def scale_intrinsics(K: np.ndarray, scale_x: float, scale_y: float) -> np.ndarray:
    """Intrinsics of the image resized by the scales, with pixel centres at integers."""
    scaled = K.astype(float)
    scaled[0] *= scale_x
    scaled[1] *= scale_y
    scaled[0, 2] += (scale_x - 1) / 2
    scaled[1, 2] += (scale_y - 1) / 2
    return scaled


def frame_rotation(axis: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) whose z column is along `axis` and whose x column is the part of `second` normal to it.

    Raises:
        InputError: one of them is zero or not finite, or they are parallel.
    """
    z = np.asarray(axis, float)
    x = np.asarray(second, float)
    z = z / max(float(np.linalg.norm(z)), 1e-12)
    x = x - (x @ z) * z
    length = float(np.linalg.norm(x))
    if not np.isfinite(z).all() or not np.isfinite(length) or length < 1e-6 or not np.isclose(z @ z, 1):
        raise InputError(
            f'axis {axis} and second axis {second} span no frame: give two directions that differ'
        )
    x = x / length
    return np.stack([x, np.cross(z, x), z], 1)


def rotation_to_quaternion(R: np.ndarray) -> np.ndarray:
    """Unit quaternion (x, y, z, w), w >= 0, of a rotation (3, 3).

    Source: the eigenvector form of Bar-Itzhack 2000, stable for every rotation.
    """
    xx, xy, xz, yx, yy, yz, zx, zy, zz = np.asarray(R, float).ravel()
    N = (
        np.array(
            [
                [xx - yy - zz, yx + xy, zx + xz, zy - yz],
                [yx + xy, yy - xx - zz, zy + yz, xz - zx],
                [zx + xz, zy + yz, zz - xx - yy, yx - xy],
                [zy - yz, xz - zx, yx - xy, xx + yy + zz],
            ]
        )
        / 3
    )
    _, vectors = np.linalg.eigh(N)
    q = vectors[:, -1]
    return -q if q[3] < 0 else q


def quaternion_to_rotation(q: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) of a quaternion (x, y, z, w) of any length but 0.

    Raises:
        InputError: it is zero or not finite.
    """
    q = np.asarray(q, float)
    length = float(np.linalg.norm(q))
    if not np.isfinite(length) or length < 1e-9:
        raise InputError(f'quaternion is {q.tolist()}: expected four finite numbers that are not all 0')
    x, y, z, w = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles (...) in degrees between directions (..., 3), 0 to 180."""
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
