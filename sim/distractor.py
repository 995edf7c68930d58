"""Objects that are no mugs, so that a detector has something to reject.

A teapot may have a mug's handle, but with a lid and a spout.
"""

from dataclasses import dataclass, replace

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, box_mesh, length_along, merge, revolve, sweep
from dense_descriptor_ros.sim.mug import attached_handle, handle_mesh, sample_body, sample_handle
from dense_descriptor_ros.sim.vessel import (
    HANDLE_BOX,
    OUTSIDE,
    VesselShape,
    band,
    build_vessel,
    outside_section,
)


@dataclass(frozen=True)
class Solid:
    """Mesh with the origin in the middle of its height, and convex pieces (n, 3) that cover it."""

    kind: str
    mesh: Mesh
    pieces: list[np.ndarray]


def centred(kind: str, mesh: Mesh, *attached: Mesh) -> Solid:
    """The meshes as one solid, each with the hull of its own as a convex piece."""
    offset = np.array([0, 0, -(mesh.vertices[:, 2].min() + mesh.vertices[:, 2].max()) / 2])
    parts = [part.moved(offset) for part in (mesh, *attached)]
    return Solid(kind, merge(*parts), [part.vertices for part in parts])


def cup(rng: np.random.Generator) -> Solid:
    """A mug's body without the handle."""
    return centred('cup', build_vessel(sample_body(rng)))


Range = tuple[float, float]
UvBox = tuple[float, float, float, float]


def vessel(
    rng: np.random.Generator, kind: str, radius_m: Range, height_m: Range, profiles: list[str]
) -> Solid:
    """An open vessel of other proportions than a mug's."""
    shape = VesselShape(
        profile=str(rng.choice(profiles)), height_m=rng.uniform(*height_m), radius_m=rng.uniform(*radius_m),
        amount=rng.uniform(0.08, 0.3), wall_m=rng.uniform(0.002, 0.005), bottom_m=rng.uniform(0.003, 0.006),
        corner_m=rng.uniform(0.002, 0.01), foot_m=0.0, lip_m=0.0, squareness=2.0,
    )
    return centred(kind, build_vessel(shape))


def tumbler(rng: np.random.Generator) -> Solid:
    """Tall and slim."""
    return vessel(rng, 'tumbler', (0.028, 0.042), (0.11, 0.17), ['taper', 'cylinder', 'bell'])


def bowl(rng: np.random.Generator) -> Solid:
    """Wide and low."""
    return vessel(rng, 'bowl', (0.06, 0.10), (0.04, 0.08), ['round', 'taper'])


def plate(rng: np.random.Generator) -> Solid:
    """Wide and flat."""
    return vessel(rng, 'plate', (0.08, 0.13), (0.016, 0.026), ['round', 'taper'])


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


def can(rng: np.random.Generator) -> Solid:
    """Closed cylinder."""
    return centred('can', solid_of_revolution(bevelled(rng.uniform(0.025, 0.05), 0, rng.uniform(0.05, 0.16))))


def bottle(rng: np.random.Generator) -> Solid:
    """Closed, with a shoulder and a neck."""
    radius, height = rng.uniform(0.025, 0.045), rng.uniform(0.15, 0.26)
    neck, shoulder = rng.uniform(0.25, 0.5) * radius, rng.uniform(0.5, 0.75) * height
    s = np.linspace(0, np.pi, 9)
    slope = np.stack([neck + (radius - neck) * (1 + np.cos(s)) / 2, shoulder + 0.18 * height * s / np.pi], 1)
    section = [*bevelled(radius, 0, shoulder)[:4], *slope.tolist(), *bevelled(neck, shoulder, height)[4:]]
    return centred('bottle', solid_of_revolution(section, squareness=rng.choice([2.0, 2.0, 4.0])))


def box(rng: np.random.Generator) -> Solid:
    """Cuboid that shows the whole texture on each side."""
    half = rng.uniform(0.02, 0.09, 3) * [1, 0.7, 1]
    return centred('box', box_mesh(-half, half))


def ball(rng: np.random.Generator) -> Solid:
    """Sphere."""
    radius = rng.uniform(0.02, 0.05)
    a = np.linspace(-np.pi / 2, np.pi / 2, 21)
    section = np.stack([radius * np.cos(a), radius * np.sin(a)], 1)
    section[[0, -1], 0] = 0
    return centred('ball', solid_of_revolution(section.tolist()))


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


def pan(rng: np.random.Generator) -> Solid:
    """Saucepan or frying pan with one long straight handle."""
    deep = rng.random() < 0.5
    radius, height = rng.uniform(0.05, 0.09), rng.uniform(0.05, 0.09) if deep else rng.uniform(0.025, 0.04)
    shape = VesselShape('taper', height, radius, rng.uniform(0.01, 0.2), 0.003, 0.004, 0.006, 0.0, 0.0, 2.0)
    start, rise = 0.7 * height, rng.uniform(-0.05, 0.35)
    outer = float(shape.outer_radius(np.array(start)))
    along = np.linspace(-0.0015, rng.uniform(0.09, 0.16), 6)
    points = np.stack([outer + along, np.zeros(6), start + rise * np.maximum(along, 0)], 1)
    return centred('pan', build_vessel(shape), tube(points, rng.uniform(0.005, 0.009), rng.uniform(1.0, 1.8)))


def lidded_section(shape: VesselShape, rise_m: float) -> np.ndarray:
    """(n, 2) radius and height of a body closed by a domed lid of this rise, with a knob."""
    walls = outside_section(shape)
    radius, top = walls[-1]
    t = np.linspace(0, np.pi / 2, 9)[1:-1]
    dome = np.stack([0.94 * radius * np.cos(t), top + rise_m * np.sin(t)], 1)
    knob = np.array([[0.007, 0.0], [0.011, 0.006], [0.010, 0.012], [0.005, 0.015], [0.0, 0.0155]])
    return np.concatenate([walls, dome, knob + np.array([0, top + rise_m])])


def spout(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Tapering tube that leaves the wall on the side away from the handle and rises to about the rim."""
    low, high = rng.uniform(0.2, 0.5) * shape.height_m, rng.uniform(0.7, 1.15) * shape.height_m
    s = np.linspace(0, 1, 9)
    wall = float(shape.outer_radius(np.array(low)))
    x = -(0.8 * wall + (0.2 * wall + rng.uniform(0.02, 0.06)) * s)
    points = np.stack([x, 0 * s, low + (high - low) * s ** rng.uniform(0.8, 2.0)], 1)
    return tube(points[::-1], np.linspace(0.5, 1, len(s)) * rng.uniform(0.009, 0.016), uv_box=HANDLE_BOX)


def bail(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Handle over the top, as a kettle has."""
    t = np.linspace(0.05, np.pi - 0.05, 20)
    foot = 0.85 * float(shape.outer_radius(np.array(0.9 * shape.height_m)))
    rise = rng.uniform(0.7, 1.4) * shape.radius_m
    points = np.stack([-foot * np.cos(t), 0 * t, 0.9 * shape.height_m + rise * np.sin(t)], 1)
    return tube(points, rng.uniform(0.004, 0.007), 1.4, uv_box=HANDLE_BOX)


def teapot(rng: np.random.Generator) -> Solid:
    """What is most like a mug: the same body and often the same handle, but with a lid and a spout."""
    shape = replace(sample_body(rng), squareness=2.0, foot_m=0.0, lip_m=0.0)
    section = lidded_section(shape, rng.uniform(0.05, 0.5) * shape.radius_m)
    body = revolve(section, band(section, *OUTSIDE), segments=40)
    if rng.random() < 0.35:
        grip = bail(rng, shape)
    else:
        grip = handle_mesh(attached_handle(shape, sample_handle(rng, shape.height_m))[1])
    size = rng.uniform(0.9, 1.5)
    return centred('teapot', *(part.scaled(size) for part in (body, spout(rng, shape), grip)))


KINDS = {
    cup: 0.18, tumbler: 0.09, bowl: 0.09, plate: 0.06, bottle: 0.11, can: 0.1, box: 0.12, ball: 0.05,
    pan: 0.08, teapot: 0.12,
}


def sample_distractor(rng: np.random.Generator) -> Solid:
    """One of the kinds, with sizes of its own."""
    kinds = list(KINDS)
    return kinds[rng.choice(len(kinds), p=list(KINDS.values()))](rng)
