"""The axis of a surface of revolution from points with normals.

The normals of such a surface all meet its axis, or are parallel to it: ((p - c) x n) . a = 0 for a point p
with normal n and an axis through c along a (Pottmann and Randrup 1998, "Rotational and helical surface
approximation for reverse engineering", Computing 60).
"""

from dataclasses import dataclass
from typing import NamedTuple

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


class AxisFit(NamedTuple):
    """An axis, and how well the surface agrees with it."""

    centre_m: np.ndarray
    """(3,) point on the axis nearest the guess."""
    axis: np.ndarray
    """(3,) unit, on the side of the guess."""
    explained: float
    """Share of the points, 0 to 1, whose normals meet the axis to within `residual_m`; 1 without points."""


def fit_axis(
    points_m: np.ndarray,
    normals: np.ndarray,
    weight: np.ndarray,
    centre_m: np.ndarray,
    axis: np.ndarray,
    config: RevolutionConfig,
) -> AxisFit:
    """Most probable axis given the points and a guess, by iteratively reweighted Gauss-Newton.

    Where the points do not determine the axis, as on a flat or a sphere, the guess stays.

    Args:
        points_m: (N, 3) on the surface.
        normals: (N, 3) unit, either side.
        weight: (N,) 0 to 1, how far a point belongs to the surface.
        centre_m: (3,) guess of a point on the axis.
        axis: (3,) unit, guess of its direction.
        config: scales of the errors.
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
    direction, centre = axis + state[:2] @ across, centre_m + state[2:] @ across
    direction /= np.linalg.norm(direction)
    residuals = np.cross(points_m - centre, normals) @ direction
    good = weight / (1 + (residuals / config.residual_m) ** 2)
    total = float(weight.sum())
    return AxisFit(centre, direction, float(good.sum()) / total if total > 0 else 1.0)
