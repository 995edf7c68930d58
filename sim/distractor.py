"""Objects that are no mugs. None has the handle of one, so that a detector has something to reject."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, box_mesh, length_along, merge, revolve, sweep
from dense_descriptor_ros.sim.mug import sample_body
from dense_descriptor_ros.sim.vessel import VesselShape, build_vessel


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


def tube(points: np.ndarray, radius: float, flat: float = 1.0) -> Mesh:
    """Bar along points (n, 3) in the x-z plane, `flat` times as wide as it is thick."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.stack([-tangent[:, 2], np.zeros(len(points)), tangent[:, 0]], 1)
    angle = -np.arange(12) * (2 * np.pi / 12)
    across = np.array([0, flat, 0])
    ring = np.cos(angle)[:, None] * normal[:, None] + np.sin(angle)[:, None] * across
    return sweep(points[:, None] + radius * ring, (0, 0.02, 1, 0.98))


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


def teapot(rng: np.random.Generator) -> Solid:
    """Closed body with a spout, a lid and a handle over the top or at the side."""
    radius = rng.uniform(0.05, 0.075)
    a = np.linspace(-1.15, 1.35, 14)
    squash = rng.uniform(0.75, 1.1)
    belly = np.stack([radius * np.cos(a), radius * squash * np.sin(a)], 1)
    top = belly[-1, 1]
    knob = [[0.010, top + 0.004], [0.012, top + 0.012], [0.006, top + 0.018], [0, top + 0.019]]
    body = solid_of_revolution([[0, belly[0, 1]], *belly.tolist(), *knob])
    s = np.linspace(0, 1, 7)
    spout = np.stack([-radius * (0.8 + 0.75 * s), 0 * s, radius * (-0.2 + 0.8 * s ** 1.5)], 1)[::-1]
    b = np.linspace(0.15, np.pi - 0.15, 20)
    if rng.random() < 0.5:
        grip = np.stack([-0.9 * radius * np.cos(b), 0 * b, radius * squash * (0.35 + 1.35 * np.sin(b))], 1)
    else:
        grip = np.stack([radius * (0.6 + 0.95 * np.sin(b)), 0 * b, radius * squash * 0.75 * np.cos(b)], 1)
    return centred('teapot', body, tube(spout, 0.011), tube(grip, rng.uniform(0.004, 0.007), 1.4))


KINDS = {
    cup: 0.2, tumbler: 0.1, bowl: 0.1, plate: 0.06, bottle: 0.12, can: 0.11, box: 0.13, ball: 0.05, pan: 0.07,
    teapot: 0.06,
}


def sample_distractor(rng: np.random.Generator) -> Solid:
    """One of the kinds, with sizes of its own."""
    kinds = list(KINDS)
    return kinds[rng.choice(len(kinds), p=list(KINDS.values()))](rng)
