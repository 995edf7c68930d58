"""The axis of a prism, such as a square mug, from its normals: its walls are parallel to the axis."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.errors import ConfigError


@dataclass(frozen=True)
class PrismConfig:
    """When a surface is taken for a prism, and how far its normals are trusted."""

    explained_below: float = 0.45
    """No surface of revolution if less of it than this agrees with the best axis."""
    normal_rad: float = 0.06
    """Deviation of a good normal; ends and rounded edges deviate far more and count for little."""
    axis_rad: float = 0.35
    """Standard deviation of the guessed direction."""
    independent: float = 0.25
    """Share of the normals that count as independent."""
    iterations: int = 12

    def __post_init__(self) -> None:
        for name in ('explained_below', 'normal_rad', 'axis_rad', 'independent', 'iterations'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected more than 0')


def fit_prism_axis(
    normals: np.ndarray, weight: np.ndarray, axis: np.ndarray, config: PrismConfig
) -> np.ndarray:
    """Most probable axis given the normals and a guess, by iteratively reweighted least squares on n . a = 0.

    Args:
        normals: (N, 3) unit, either side; 0 where unknown.
        weight: (N,) 0 to 1, how far a point belongs to the surface.
        axis: (3,) unit, guess of the direction; it stays where the normals do not determine it.
        config: scales of the errors.

    Returns:
        Unit direction (3,) on the side of the guess.
    """
    across = np.linalg.svd(axis[None])[2][1:]  # (2, 3), normal to the guess
    tilt = np.zeros(2)
    for _ in range(config.iterations):
        residuals, jacobian = normals @ (axis + tilt @ across), normals @ across.T
        cauchy = config.independent * weight / (config.normal_rad**2 + residuals**2)
        information = jacobian.T * cauchy @ jacobian + np.eye(2) / config.axis_rad**2
        tilt = tilt - np.linalg.solve(
            information, jacobian.T @ (cauchy * residuals) + tilt / config.axis_rad**2
        )
    direction = axis + tilt @ across
    return direction / np.linalg.norm(direction)
