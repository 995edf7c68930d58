"""Pots with handles: what is taken for a mug most easily.

A teapot may have a mug's handle, but with a lid and a spout.
"""

from dataclasses import replace

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh, revolve
from dense_descriptor_ros.sim.mug import attached_handle, handle_mesh, sample_body, sample_handle
from dense_descriptor_ros.sim.solid import Solid, centred, in_plane, tube
from dense_descriptor_ros.sim.vessel import (
    HANDLE_BOX,
    OUTSIDE,
    VesselShape,
    band,
    build_vessel,
    outside_section,
)

QUARTER_TURN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""About x: from the x-z plane to the x-y plane."""


def pan_shape(rng: np.random.Generator, height_m: float) -> VesselShape:
    """Round and nearly straight."""
    return VesselShape(
        'taper', height_m, rng.uniform(0.05, 0.10), rng.uniform(0.01, 0.2), 0.003, 0.004, 0.006
    )


def pan(rng: np.random.Generator) -> Solid:
    """Saucepan or frying pan with one long straight handle."""
    shape = pan_shape(rng, rng.uniform(0.05, 0.09) if rng.random() < 0.5 else rng.uniform(0.025, 0.04))
    return centred('pan', build_vessel(shape), long_handle(rng, shape))


def casserole(rng: np.random.Generator) -> Solid:
    """Deep pan under a lid, with one long handle or two short ones."""
    shape = pan_shape(rng, rng.uniform(0.06, 0.12))
    if rng.random() < 0.6:
        grips = [long_handle(rng, shape)]
    else:
        grip = ear(rng, shape)
        grips = [grip, grip.transformed(np.diag([-1.0, -1.0, 1.0]))]
    return centred('casserole', lidded(rng, shape, 40), *grips)


def long_handle(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Straight bar that leaves the wall below the rim and may rise."""
    start, rise = 0.7 * shape.height_m, rng.uniform(-0.05, 0.35)
    along = np.linspace(-0.0015, rng.uniform(0.09, 0.16), 6)
    points = in_plane(float(shape.outer_radius(np.array(start))) + along, start + rise * np.maximum(along, 0))
    return tube(points, rng.uniform(0.005, 0.011), rng.uniform(1.0, 1.8), uv_box=HANDLE_BOX)


def ear(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Level loop at the wall below the rim."""
    height = 0.75 * shape.height_m
    t = np.linspace(-np.pi / 2, np.pi / 2, 11)
    x = float(shape.outer_radius(np.array(height))) - 0.002 + rng.uniform(0.02, 0.04) * np.cos(t)
    arc = in_plane(x, -rng.uniform(0.02, 0.035) * np.sin(t))
    loop = tube(arc, rng.uniform(0.004, 0.007), 1.3, uv_box=HANDLE_BOX)
    return loop.transformed(QUARTER_TURN).moved(np.array([0, 0, height]))


def lidded(rng: np.random.Generator, shape: VesselShape, segments: int) -> Mesh:
    """A body under a domed lid with a knob, smooth or, with few segments, faceted."""
    section = lidded_section(shape, rng.uniform(0.03, 0.5) * shape.radius_m)
    return revolve(section, band(section, *OUTSIDE), segments)


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
    points = in_plane(x, low + (high - low) * s ** rng.uniform(0.8, 2.0))
    return tube(points[::-1], np.linspace(0.5, 1, len(s)) * rng.uniform(0.009, 0.016), uv_box=HANDLE_BOX)


def bail(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Handle over the top, thicker where it is held."""
    t = np.linspace(0.05, np.pi - 0.05, 20)
    foot = 0.85 * float(shape.outer_radius(np.array(0.9 * shape.height_m)))
    rise = rng.uniform(0.7, 1.4) * shape.radius_m
    points = in_plane(-foot * np.cos(t), 0.9 * shape.height_m + rise * np.sin(t) ** rng.uniform(0.4, 1.0))
    grip = 1 + rng.choice([0.0, rng.uniform(0.3, 1.2)]) * (np.sin(t) > 0.8)
    return tube(points, rng.uniform(0.004, 0.008) * grip, 1.4, uv_box=HANDLE_BOX)


def teapot(rng: np.random.Generator) -> Solid:
    """What is most like a mug: the same body and often the same handle, but with a lid and a spout."""
    shape = replace(sample_body(rng), squareness=2.0, foot_m=0.0, lip_m=0.0)
    if rng.random() < 0.35:
        grip = bail(rng, shape)
    else:
        grip = handle_mesh(attached_handle(shape, sample_handle(rng, shape.height_m))[1])
    size = rng.uniform(0.9, 1.5)
    parts = (lidded(rng, shape, 40), spout(rng, shape), grip)
    return centred('teapot', *(part.scaled(size) for part in parts))


def kettle(rng: np.random.Generator) -> Solid:
    """Squat and round, larger than a mug, with a handle over the top."""
    radius = rng.uniform(0.065, 0.105)
    shape = VesselShape(
        str(rng.choice(['round', 'barrel', 'taper'])),
        radius * rng.uniform(0.8, 1.5),
        radius,
        rng.uniform(0.1, 0.3),
        0.003,
        0.004,
        rng.uniform(0.003, 0.02),
    )
    dome = lidded(rng, replace(shape, amount=min(shape.amount, 0.2)), 40)
    return centred('kettle', dome, spout(rng, shape), bail(rng, shape))


def moka_pot(rng: np.random.Generator) -> Solid:
    """Faceted and waisted, with a lid, a beak and a handle that hangs free at its lower end."""
    height = rng.uniform(0.12, 0.2)
    shape = VesselShape(
        'waist', height, height * rng.uniform(0.25, 0.34), rng.uniform(0.1, 0.25), 0.003, 0.004, 0.004
    )
    top = float(shape.outer_radius(np.array(height)))
    reach = rng.uniform(0.03, 0.05)
    x = top + reach * np.array([-0.1, 0.5, 0.9, 1.0, 0.9])
    z = height * np.array([0.9, 0.95, 0.9, 0.7, 0.4])
    grip = tube(in_plane(x, z), rng.uniform(0.005, 0.009), 1.5, HANDLE_BOX)
    s = np.linspace(0, 1, 4)
    beak = tube(
        in_plane(-(top - 0.004 + 0.022 * s), (0.82 + 0.16 * s) * height)[::-1],
        0.006 + 0.004 * s[::-1],
        uv_box=HANDLE_BOX,
    )
    return centred('moka_pot', lidded(rng, shape, int(rng.choice([6, 8, 10, 12]))), grip, beak)
