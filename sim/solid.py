"""A rigid thing that is no mug, and the shapes that most of them are made of."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, length_along, merge, revolve, sweep

Range = tuple[float, float]
UvBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class Solid:
    """Mesh with the origin in the middle of its height, and convex pieces (n, 3) that cover it."""

    kind: str
    mesh: Mesh
    pieces: list[np.ndarray]


def centred(kind: str, mesh: Mesh, *attached: Mesh) -> Solid:
    """The meshes as one solid, each with the hull of its own as a convex piece."""
    heights = np.concatenate([part.vertices[:, 2] for part in (mesh, *attached)])
    offset = np.array([0, 0, -(heights.min() + heights.max()) / 2])
    parts = [part.moved(offset) for part in (mesh, *attached)]
    return Solid(kind, merge(*parts), [part.vertices for part in parts])


def solid_of_revolution(section: list[list[float]], segments: int = 40, squareness: float = 2.0) -> Mesh:
    """Closed body of a section, radius and height in metres from the bottom's centre to the top's."""
    points = np.array(section)
    along = length_along(points)
    return revolve(points, 0.02 + 0.96 * along / along[-1], segments, squareness)


def bevelled(radius: float, low: float, high: float, edge: float = 0.003) -> list[list[float]]:
    """Section of a closed cylinder."""
    inset = 0.3 * edge
    lower = [[0, low], [radius - edge, low], [radius - inset, low + inset], [radius, low + edge]]
    upper = [[radius, high - edge], [radius - inset, high - inset], [radius - edge, high], [0, high]]
    return lower + upper


def sphere(radius_m: float) -> Mesh:
    """Round the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 21)
    section = radius_m * np.stack([np.cos(angle), np.sin(angle)], 1)
    section[[0, -1], 0] = 0
    return solid_of_revolution(section.tolist())


def ellipsoid(centre_m: np.ndarray, axes_m: np.ndarray) -> Mesh:
    """Ellipsoid round `centre_m` (3,) whose half axes are the columns of `axes_m` (3, 3), det > 0."""
    return sphere(1.0).transformed(axes_m).moved(centre_m)


def tube(
    points: np.ndarray, radius: float | np.ndarray, flat: float = 1.0, uv_box: UvBox = (0, 0.02, 1, 0.98)
) -> Mesh:
    """Bar along points (n, 3) in the x-z plane, of one radius or of (n,), `flat` times as wide as thick."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.stack([-tangent[:, 2], np.zeros(len(points)), tangent[:, 0]], 1)
    angle = -np.arange(12) * (2 * np.pi / 12)
    across = np.array([0, flat, 0])
    ring = np.cos(angle)[:, None] * normal[:, None] + np.sin(angle)[:, None] * across
    return sweep(points[:, None] + np.reshape(radius, (-1, 1, 1)) * ring, uv_box)


def in_plane(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(n, 3) points of the x-z plane."""
    return np.stack([x, np.zeros(len(x)), z], 1)
