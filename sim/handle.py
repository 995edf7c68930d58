"""Handles: a centreline in the x-z plane, swept by a superelliptic section."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.sim.mesh import length_along

KINDS = ('c', 'd', 'ear', 'square', 'ring', 'strap')
SIDES = 10
RINGS = 26


@dataclass(frozen=True)
class HandleShape:
    """Lengths in metres. Heights are above the mug's base and are those of the centreline's ends."""

    kind: str
    top_m: float
    bottom_m: float
    reach_m: float
    """From the body's surface to the centreline of the outer bar."""
    thickness_m: float
    """Of the bar, in the handle's plane."""
    width_m: float
    """Of the bar, across the handle's plane."""
    section_exponent: float
    """Superellipse of the bar's cross section, 2 is an ellipse."""
    root_flare: float
    """How much thicker the bar is where it meets the body, 1 is not at all."""
    lean: float
    """Metres that the bar rises for each metre of reach."""


def centreline(shape: HandleShape, samples: int = 240) -> np.ndarray:
    """(samples, 2) from the top end to the bottom end: part of the reach, 0 to 1, and height in metres."""
    t = np.linspace(0, 1, samples)
    half = (shape.top_m - shape.bottom_m) / 2
    if shape.kind == 'ear':
        control = np.array([[0, 1], [1.55, 1.25], [1.0, -0.55], [0, -1]])
        bezier = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3], 1)
        curve = bezier @ control
        curve[:, 0] /= curve[:, 0].max()
    elif shape.kind == 'ring':
        angle = np.radians(125) * (1 - 2 * t)
        curve = np.stack([np.cos(angle) - np.cos(angle[0]), np.sin(angle)], 1)
        curve /= [curve[:, 0].max(), np.sin(angle[0])]
    else:
        angle = np.pi / 2 * (1 - 2 * t)
        power = 2 / {'c': 2.0, 'strap': 2.4, 'd': 3.5, 'square': 8.0}[shape.kind]
        curve = np.stack([signed_power(np.cos(angle), power), signed_power(np.sin(angle), power)], 1)
    middle = (shape.top_m + shape.bottom_m) / 2
    height = middle + half * curve[:, 1] + shape.lean * shape.reach_m * curve[:, 0]
    return np.stack([curve[:, 0], height], 1)


def signed_power(x: np.ndarray, power: float) -> np.ndarray:
    """|x| to a power with the sign of x: the coordinates of a superellipse."""
    return np.sign(x) * np.abs(x) ** power


def evenly(curve: np.ndarray, count: int) -> np.ndarray:
    """The curve (n, 2) resampled at `count` points at equal distances along it."""
    along = length_along(curve)
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, curve[:, k]) for k in range(curve.shape[1])], 1)


def bar_centre(curve: np.ndarray, thickness_m: float) -> np.ndarray:
    """(2,) x and z of the outer bar's centre: the farthest x, half-way up the part that is nearly as far."""
    farthest = curve[:, 0].max()
    outer = curve[curve[:, 0] > farthest - 0.1 * thickness_m]
    return np.array([farthest, (outer[:, 1].min() + outer[:, 1].max()) / 2])


def tube_rings(curve: np.ndarray, shape: HandleShape) -> np.ndarray:
    """(RINGS, SIDES, 3) section outlines along the centreline `curve` (x, z) in metres."""
    centre = evenly(curve, RINGS)
    tangent = np.gradient(centre, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    outward = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    s = np.linspace(-1, 1, RINGS)
    swell = 1 + (shape.root_flare - 1) * np.abs(s) ** 6
    angle = -np.arange(SIDES) * (2 * np.pi / SIDES)
    power = 2 / shape.section_exponent
    along_y = signed_power(np.sin(angle), power) * shape.width_m / 2
    along_normal = signed_power(np.cos(angle), power) * shape.thickness_m / 2
    offset = swell[:, None] * along_normal
    rings = np.empty((RINGS, SIDES, 3))
    rings[..., 0] = centre[:, :1] + offset * outward[:, :1]
    rings[..., 1] = swell[:, None] * along_y
    rings[..., 2] = centre[:, 1:] + offset * outward[:, 1:]
    return rings
