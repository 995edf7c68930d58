"""Where the cameras stand."""

import numpy as np

from dense_descriptor_ros.geometry import transform
from dense_descriptor_ros.sim.scene import direction, rotation_about

DISTANCE_M = (0.4, 1.3)
ELEVATION_DEG = (15.0, 80.0)
ROLL_DEG = 15.0
FOCAL_PX_AT_640 = (400.0, 800.0)
PATH_DISTANCE_M = (0.5, 1.1)
PATH_ELEVATION_DEG = (20.0, 60.0)
PATH_STEP_DEG = (2.0, 5.0)
"""Between neighbouring views of a path, seen from what it goes round."""


def sample_intrinsics(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """K (3, 3): focal lengths equal within 1 %, principal point within 15 px of the middle at 640 px."""
    scale = width / 640
    fx = rng.uniform(*FOCAL_PX_AT_640) * scale
    fy = fx * rng.uniform(0.99, 1.01)
    cx, cy = (np.array([width, height]) - 1) / 2 + rng.uniform(-15, 15, 2) * scale
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """T_camera_world (4, 4) of an optical camera at `eye` that looks at `target`, rolled by radians."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    R = rotation_about(np.array([0, 0, 1.0]), roll) @ R
    return transform(R, -R @ eye)


def sample_camera(rng: np.random.Generator, centre: np.ndarray) -> np.ndarray:
    """T_camera_world (4, 4) of a camera round `centre` (3,), looking near it."""
    distance = rng.uniform(*DISTANCE_M)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*ELEVATION_DEG))
    target = centre + rng.normal(0, 0.04, 3) * [1, 1, 0.5]
    eye = target + distance * direction(azimuth, elevation)
    return look_at(eye, target, np.radians(rng.uniform(-ROLL_DEG, ROLL_DEG)))


def sample_path(rng: np.random.Generator, centre: np.ndarray, views: int) -> list[np.ndarray]:
    """T_camera_world (4, 4) of cameras on an arc round `centre` (3,), all looking at it, at even steps."""
    distance = rng.uniform(*PATH_DISTANCE_M)
    elevation = np.radians(rng.uniform(*PATH_ELEVATION_DEG))
    start = rng.uniform(0, 2 * np.pi)
    step = np.radians(rng.uniform(*PATH_STEP_DEG)) * rng.choice([-1, 1])
    return [look_at(centre + distance * direction(start + k * step, elevation), centre) for k in range(views)]
