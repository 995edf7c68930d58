"""Open vessels of revolution: outside wall, lip, inside wall and bottom in one closed section."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, revolve

PROFILES = ('cylinder', 'taper', 'barrel', 'bell', 'square', 'round', 'waist')

OUTSIDE = (0.42, 1.0)
INSIDE = (0.22, 0.42)
HANDLE = (0.0, 0.22)
"""Bands of the texture coordinate v that each surface takes."""


@dataclass(frozen=True)
class VesselShape:
    """Lengths in metres; radii are half widths where the section is square."""

    profile: str
    height_m: float
    radius_m: float
    """Largest outer radius."""
    amount: float
    """How far the profile departs from a cylinder, a part of the radius; negative narrows the rim of a taper."""
    wall_m: float
    bottom_m: float
    corner_m: float
    """Radius of the edge between the outside wall and the bottom."""
    foot_m: float
    """Depth of the hollow under the base, 0 for a flat one."""
    lip_m: float
    """How far the lip stands out of the wall."""
    squareness: float
    """Superellipse of the horizontal section, 2 is a circle."""

    def outer_radius(self, z: np.ndarray) -> np.ndarray:
        """Outer radius at heights z above the base, without the rounded edge and the lip."""
        s = np.clip(np.asarray(z, float) / self.height_m, 0, 1)
        k = self.amount
        if self.profile == 'taper':
            shape = 1 - k * (1 - s) if k >= 0 else 1 + k * s
        elif self.profile == 'barrel':
            shape = 1 - k * (2 * s - 1) ** 2
        elif self.profile == 'bell':
            shape = 1 - k * (1 - s ** 3)
        elif self.profile == 'round':
            shape = 1 - 2 * k * (1 - s) ** 2.5
        elif self.profile == 'waist':
            shape = 1 - k * (1 - (2 * s - 1) ** 2)
        else:
            shape = np.ones_like(s)
        return self.radius_m * shape

    def base_radius(self, z: np.ndarray) -> np.ndarray:
        """Outer radius with the rounded edge at the base."""
        below = np.clip(self.corner_m - np.asarray(z, float), 0, self.corner_m)
        return self.outer_radius(z) - (self.corner_m - np.sqrt(self.corner_m ** 2 - below ** 2))

    def middle_radius(self, z: np.ndarray) -> np.ndarray:
        """Radius half-way between the outer and the inner wall."""
        return self.base_radius(z) - self.wall_m / 2

    @property
    def rim_radius_m(self) -> float:
        """Radius of the rim's middle line; averaged round the axis where the section is square."""
        theta = np.linspace(0, 2 * np.pi, 360, endpoint=False)
        shape = (np.abs(np.cos(theta)) ** self.squareness + np.abs(np.sin(theta)) ** self.squareness) ** (-1 / self.squareness)
        return float(self.outer_radius(self.height_m) - self.wall_m / 2) * float(shape.mean())

    @property
    def largest_radius_m(self) -> float:
        """Largest outer extent along x."""
        return float(self.outer_radius(np.linspace(0, self.height_m, 50)).max()) + self.lip_m


def vessel_section(shape: VesselShape) -> tuple[np.ndarray, np.ndarray]:
    """Section (n, 2) for `revolve` with the base at z = 0, and its texture coordinate v (n,)."""
    h, wall, corner = shape.height_m, shape.wall_m, shape.corner_m
    z_out = np.concatenate([corner * (1 - np.cos(np.linspace(0, np.pi / 2, 4))), np.linspace(corner, h - wall / 2, 9)[1:]])
    r_out = shape.base_radius(z_out) + shape.lip_m * np.exp(-((z_out - h) / (1.2 * wall)) ** 2)
    foot_r = r_out[0] - 0.25 * wall
    foot = [[0, shape.foot_m], [0.8 * foot_r, shape.foot_m], [0.85 * foot_r, 0]] if shape.foot_m else [[0, 0]]
    lip_angle = np.linspace(0, np.pi, 7)[1:-1]
    r_top = float(shape.outer_radius(h))
    centre, half = r_top - wall / 2 + shape.lip_m / 2, (wall + shape.lip_m) / 2
    lip = np.stack([centre + half * np.cos(lip_angle), h - wall / 2 + wall / 2 * np.sin(lip_angle)], 1)
    fillet = min(max(corner - wall, 0.0015), 0.3 * (h - shape.bottom_m))
    z_in = np.concatenate([
        np.linspace(h - wall / 2, shape.bottom_m + fillet, 8),
        shape.bottom_m + fillet * (1 - np.sin(np.linspace(0, np.pi / 2, 4)))[1:],
    ])
    down = np.clip(shape.bottom_m + fillet - z_in, 0, fillet)
    r_in = shape.outer_radius(z_in) - wall - (fillet - np.sqrt(fillet ** 2 - down ** 2))
    r_in = np.minimum(r_in, shape.base_radius(z_in) - 0.6 * wall)
    r_in = np.maximum(r_in, 0.004)
    outside = np.concatenate([foot, np.stack([r_out, z_out], 1), lip[:3]])
    inside = np.concatenate([lip[2:], np.stack([r_in, z_in], 1), [[0, shape.bottom_m]]])
    return np.concatenate([outside, inside]), np.concatenate([band(outside, *OUTSIDE), band(inside, *INSIDE)[::-1]])


def band(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """(n,) texture coordinate from `low` to `high`, even along the polyline (n, 2)."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    margin = 0.01
    return low + margin + along / along[-1] * (high - low - 2 * margin)


def build_vessel(shape: VesselShape, segments: int = 40) -> Mesh:
    """Mesh of a vessel that stands on z = 0."""
    section, v = vessel_section(shape)
    return revolve(section, v, segments, shape.squareness)
