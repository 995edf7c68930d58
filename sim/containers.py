"""Closed containers: cans, bottles, boxes, cartons."""

import numpy as np

from dense_descriptor_ros.sim.mesh import box_mesh, polyhedron
from dense_descriptor_ros.sim.solid import Solid, bevelled, centred, solid_of_revolution


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


def jar(rng: np.random.Generator) -> Solid:
    """Wide, with a lid that stands out or in."""
    radius, height = rng.uniform(0.03, 0.05), rng.uniform(0.05, 0.12)
    lid, rise = radius * rng.uniform(0.75, 1.08), rng.uniform(0.012, 0.03)
    body, cap = bevelled(radius, 0, height, 0.006), bevelled(lid, height, height + rise)
    section = [*body[:-1], *cap[1:]]
    return centred('jar', solid_of_revolution(section, squareness=rng.choice([2.0, 2.0, 5.0])))


def box(rng: np.random.Generator) -> Solid:
    """Cuboid that shows the whole texture on each side."""
    half = rng.uniform(0.02, 0.09, 3) * [1, 0.7, 1]
    return centred('box', box_mesh(-half, half))


def carton(rng: np.random.Generator) -> Solid:
    """Drink carton with a gable."""
    x, y = rng.uniform(0.028, 0.05, 2)
    shoulder, ridge = rng.uniform(0.1, 0.2), rng.uniform(0.02, 0.04)
    bottom = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    top = bottom + np.array([0, 0, shoulder])
    left, right = np.array([[-x, 0, shoulder + ridge], [x, 0, shoulder + ridge]])
    walls = [np.stack([bottom[i], bottom[i - 3], top[i - 3], top[i]]) for i in range(4)]
    slopes = [np.stack([top[0], top[1], right, left]), np.stack([top[2], top[3], left, right])]
    gables = [np.stack([top[1], top[2], right]), np.stack([top[3], top[0], left])]
    return centred('carton', polyhedron([bottom[::-1], *walls, *slopes, *gables]))
