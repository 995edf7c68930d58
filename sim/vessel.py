"""Open vessels of revolution: outside wall, lip, inside wall and bottom in one closed section."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, length_along, revolve, superellipse

PROFILES = ('cylinder', 'taper', 'barrel', 'bell', 'square', 'round', 'waist')

OUTSIDE = (0.42, 1.0)
INSIDE = (0.22, 0.42)
HANDLE = (0.0, 0.22)
"""Bands of the texture coordinate v that the surfaces take."""
BAND_MARGIN = 0.01
HANDLE_BOX = (0.0, HANDLE[0] + BAND_MARGIN, 1.0, HANDLE[1] - BAND_MARGIN)
"""(u0, v0, u1, v1) of the handle's texture."""


@dataclass(frozen=True)
class VesselShape:
    """Lengths in metres; radii are half widths where the section is square."""

    profile: str
    height_m: float
    radius_m: float
    """Largest outer radius, without the lip."""
    amount: float
    """How far the profile departs from a cylinder, a part of the radius; negative narrows a taper's rim."""
    wall_m: float
    bottom_m: float
    """Thickness of the bottom."""
    corner_m: float
    """Radius of the edge between the outside wall and the bottom."""
    foot_m: float = 0.0
    """Depth of the hollow under the base, 0 for a flat one."""
    lip_m: float = 0.0
    """How far the lip stands out of the wall."""
    squareness: float = 2.0
    """Exponent of the superellipse that is the horizontal section, 2 for a circle."""
    ribs: int = 0
    """Grooves round the outside."""
    rib_m: float = 0.0
    """Their depth."""

    def outer_radius(self, z: np.ndarray) -> np.ndarray:
        """Outer radius at heights z above the base, without the rounded edge and the lip."""
        s = np.clip(np.asarray(z, float) / self.height_m, 0, 1)
        k = self.amount
        if self.profile == 'taper':
            narrowing = k * (1 - s) if k >= 0 else -k * s
        elif self.profile == 'barrel':
            narrowing = k * (2 * s - 1) ** 2
        elif self.profile == 'bell':
            narrowing = k * (1 - s**3)
        elif self.profile == 'round':
            narrowing = 2 * k * (1 - s) ** 2.5
        elif self.profile == 'waist':
            narrowing = k * (1 - (2 * s - 1) ** 2)
        else:
            narrowing = np.zeros_like(s)
        return self.radius_m * (1 - narrowing)

    def base_radius(self, z: np.ndarray) -> np.ndarray:
        """Outer radius with the rounded edge at the base."""
        return self.outer_radius(z) - rounding(np.asarray(z, float), self.corner_m)

    def middle_radius(self, z: np.ndarray) -> np.ndarray:
        """Radius half-way between the outer and the inner wall."""
        return self.base_radius(z) - self.wall_m / 2

    @property
    def rim_radius_m(self) -> float:
        """Radius of the rim's middle line, averaged round the axis where the section is square."""
        around = superellipse(np.linspace(0, 2 * np.pi, 360, endpoint=False), self.squareness)
        return float(self.outer_radius(np.array(self.height_m)) - self.wall_m / 2) * float(around.mean())

    @property
    def largest_radius_m(self) -> float:
        """Largest outer extent along x."""
        return float(self.outer_radius(np.linspace(0, self.height_m, 50)).max()) + self.lip_m


def rounding(z: np.ndarray, radius_m: float) -> np.ndarray:
    """How far a quarter circle between z = 0 and z = `radius_m` steps back from the wall at heights z."""
    below = np.clip(radius_m - z, 0, radius_m)
    # As a product: the difference of the squares may round to below 0, and PyBullet crashes on NaN.
    return radius_m - np.sqrt((radius_m - below) * (radius_m + below))


def quarter(radius_m: float) -> np.ndarray:
    """(4,) heights over a quarter circle, closest where it turns fastest."""
    return radius_m * (1 - np.cos(np.linspace(0, np.pi / 2, 4)))


def outside_section(shape: VesselShape) -> np.ndarray:
    """(n, 2) radius and height from the bottom's centre up to the lip."""
    wall, corner, top = shape.wall_m, shape.corner_m, shape.height_m - shape.wall_m / 2
    z = np.concatenate([quarter(corner), np.linspace(corner, top, max(9, 5 * shape.ribs + 1))[1:]])
    radius = shape.base_radius(z) + shape.lip_m * np.exp(-(((z - shape.height_m) / (1.2 * wall)) ** 2))
    along = np.clip((z - corner) / (top - corner), 0, 1)
    radius = radius - shape.rib_m * np.sin(np.pi * shape.ribs * along) ** 2
    base = [[0.0, shape.foot_m]]
    if shape.foot_m:
        foot_radius = float(radius[0]) - 0.25 * wall
        base += [[0.8 * foot_radius, shape.foot_m], [0.85 * foot_radius, 0.0]]
    return np.concatenate([base, np.stack([radius, z], 1)])


def lip_section(shape: VesselShape) -> np.ndarray:
    """(5, 2) radius and height over the rim, from outside to inside."""
    angle = np.linspace(0, np.pi, 7)[1:-1]
    half = (shape.wall_m + shape.lip_m) / 2
    centre = float(shape.outer_radius(np.array(shape.height_m))) - shape.wall_m + half
    height = shape.height_m - shape.wall_m / 2 * (1 - np.sin(angle))
    return np.stack([centre + half * np.cos(angle), height], 1)


def inside_section(shape: VesselShape) -> np.ndarray:
    """(n, 2) radius and height from the lip down to the centre of the inner bottom."""
    wall, bottom = shape.wall_m, shape.bottom_m
    fillet = min(max(shape.corner_m - wall, 0.0015), 0.3 * (shape.height_m - bottom))
    above = np.concatenate(
        [
            np.linspace(shape.height_m - wall / 2 - bottom, fillet, 8),
            quarter(fillet)[-2::-1],
        ]
    )
    radius = shape.outer_radius(bottom + above) - wall - rounding(above, fillet)
    radius = np.minimum(radius, shape.base_radius(bottom + above) - 0.6 * wall)
    return np.concatenate([np.stack([np.maximum(radius, 0.004), bottom + above], 1), [[0.0, bottom]]])


def band(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """(n,) texture coordinate within the band, from `low` to `high` along the polyline (n, 2)."""
    along = length_along(points)
    return low + BAND_MARGIN + along / along[-1] * (high - low - 2 * BAND_MARGIN)


def build_vessel(shape: VesselShape, segments: int = 40) -> Mesh:
    """Mesh of a vessel that stands on z = 0. The texture changes from outside to inside on top of the lip."""
    lip = lip_section(shape)
    outside = np.concatenate([outside_section(shape), lip[:3]])
    inside = np.concatenate([lip[2:], inside_section(shape)])
    v = np.concatenate([band(outside, *OUTSIDE), band(inside, *INSIDE)[::-1]])
    return revolve(np.concatenate([outside, inside]), v, segments, shape.squareness)
