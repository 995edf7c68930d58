"""Rounded shapes without a use in the kitchen: toys, fruit, rings, figures."""

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, length_along, revolve
from dense_descriptor_ros.sim.solid import Solid, centred, ellipsoid, sphere


def ball(rng: np.random.Generator) -> Solid:
    """Sphere."""
    return centred('ball', sphere(rng.uniform(0.02, 0.05)))


def roll(rng: np.random.Generator) -> Solid:
    """Ring with a square or round section, as tape, paper rolls and toy rings are."""
    inner, thick, height = rng.uniform(0.01, 0.035), rng.uniform(0.012, 0.035), rng.uniform(0.02, 0.11)
    power = rng.choice([1.0, 0.3])
    t = np.linspace(-np.pi, np.pi, 25)
    x, z = np.cos(t), np.sin(t)
    section = np.stack(
        [
            inner + thick / 2 * (1 + np.sign(x) * np.abs(x) ** power),
            height / 2 * np.sign(z) * np.abs(z) ** power,
        ],
        1,
    )
    section[-1] = section[0]
    along = length_along(section)
    return centred('roll', revolve(section, 0.02 + 0.96 * along / along[-1], 40))


def blob(rng: np.random.Generator) -> Solid:
    """Two to five ellipsoids grown together."""
    first, *others = (sample_lobe(rng, 0.02 * rng.normal(size=3)) for _ in range(rng.integers(2, 6)))
    return centred('blob', first, *others)


def sample_lobe(rng: np.random.Generator, centre_m: np.ndarray) -> Mesh:
    """An ellipsoid in any attitude."""
    attitude, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    attitude[:, 0] *= np.linalg.det(attitude)
    return ellipsoid(centre_m, attitude * rng.uniform(0.012, 0.045, 3))


def animal(rng: np.random.Generator) -> Solid:
    """Body, head, legs, ears and tail."""
    length, girth = rng.uniform(0.035, 0.07), rng.uniform(0.024, 0.042)
    body = ellipsoid(np.zeros(3), np.diag([length, girth, girth]))
    head_size = girth * rng.uniform(0.45, 0.8)
    head_at = np.array([length * rng.uniform(0.85, 1.1), 0, girth * rng.uniform(0.1, 0.9)])
    head = ellipsoid(head_at, np.diag([head_size * rng.uniform(0.9, 1.4), head_size, head_size]))
    side = np.array([1, -1, 1])
    leg, reach = np.diag([0.24, 0.24, rng.uniform(0.5, 0.9)]) * girth, rng.uniform(0.4, 0.6)
    at = np.array([reach * length, 0.5 * girth, -0.85 * girth])
    legs = [ellipsoid(at * mirror, leg) for mirror in ([1, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1])]
    ear_at = head_at + head_size * np.array([-0.2, 0.6, 0.85])
    ear = np.diag([0.25, 0.3, rng.uniform(0.3, 0.9)]) * head_size
    ears = [ellipsoid(place, ear) for place in (ear_at, ear_at * side)]
    tail = ellipsoid(np.array([-1.05 * length, 0, 0.2 * girth]), np.diag([0.3, 0.12, 0.15]) * girth)
    return centred('animal', body, head, *legs, *ears, tail)
