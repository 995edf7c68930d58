"""The axis of a surface of revolution from points with normals.

The normals of such a surface all meet its axis, or are parallel to it: ((p - c) x n) . a = 0 for a point p
with normal n and an axis through c along a (Pottmann and Randrup 1998, "Rotational and helical surface
approximation for reverse engineering", Computing 60).
"""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.errors import ConfigError


@dataclass(frozen=True)
class RevolutionConfig:
    """How far points and the first guess are trusted."""

    residual_m: float = 0.003
    """Deviation of a good point; those beyond a few times it count for little."""
    axis_rad: float = 0.35
    """Standard deviation of the guessed direction."""
    centre_m: float = 0.01
    """Standard deviation of the guessed centre."""
    independent: float = 0.25
    """Share of the points that count as independent: neighbours err alike."""
    iterations: int = 10

    def __post_init__(self) -> None:
        for name in ('residual_m', 'axis_rad', 'centre_m', 'independent', 'iterations'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected more than 0')


def fit_axis(
    points_m: np.ndarray,
    normals: np.ndarray,
    weight: np.ndarray,
    centre_m: np.ndarray,
    axis: np.ndarray,
    config: RevolutionConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Most probable axis given the points and a guess, by iteratively reweighted Gauss-Newton.

    Where the points do not determine the axis, as on a flat or a sphere, the guess stays.

    Args:
        points_m: (N, 3) on the surface.
        normals: (N, 3) unit, either side.
        weight: (N,) 0 to 1, how far a point belongs to the surface.
        centre_m: (3,) guess of a point on the axis.
        axis: (3,) unit, guess of its direction.
        config: scales of the errors.

    Returns:
        Point on the axis (3,) nearest the guess, and unit direction (3,) on the side of the guess.
    """
    across = np.linalg.svd(axis[None])[2][1:]  # (2, 3), normal to the guess
    prior = 1 / np.array([config.axis_rad, config.axis_rad, config.centre_m, config.centre_m]) ** 2
    state = np.zeros(4)
    for _ in range(config.iterations):
        a, c = axis + state[:2] @ across, centre_m + state[2:] @ across
        moments = np.cross(points_m - c, normals)
        residuals = moments @ a
        cauchy = config.independent * weight / (config.residual_m**2 + residuals**2)
        jacobian = np.concatenate([moments @ across.T, -np.cross(normals, a) @ across.T], 1)
        information = jacobian.T * cauchy @ jacobian + np.diag(prior)
        state = state - np.linalg.solve(information, jacobian.T @ (cauchy * residuals) + prior * state)
    direction = axis + state[:2] @ across
    return centre_m + state[2:] @ across, direction / np.linalg.norm(direction)
