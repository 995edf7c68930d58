"""Mugs: the parameter space of the category, and the mesh and affordance frames of each of its members.

| | |
|---|---|
| height | 50 to 150 mm, 0.65 to 1.6 times the diameter: from espresso and tea cups to latte mugs |
| diameter | 54 to 112 mm |
| profile | cylinder, taper either way, barrel, bell, square (superellipse of exponent 3 to 8), round, waist |
| outside | smooth or with up to 12 grooves |
| wall, bottom | 2 to 7.5 mm, 4 to 16 mm; lip 0 to 3 mm, hollow foot 0 to 4 mm, edge radius 1 to 16 mm |
| handle | C, D, ear, square, ring or strap, at any height between base and rim |
| handle's reach | 16 to 42 mm from the body's surface to the centre of the bar |
| bar | 5 to 14 mm thick, 0.8 to 2 times as wide (a strap 14 to 28 mm), elliptic to nearly rectangular |
"""

from dataclasses import dataclass, replace

import numpy as np

from dense_descriptor_ros.bop import PartFrame
from dense_descriptor_ros.sim.handle import KINDS, HandleShape, bar_centre, centreline, tube_rings
from dense_descriptor_ros.sim.mesh import Mesh, merge, sweep
from dense_descriptor_ros.sim.vessel import HANDLE_BOX, PROFILES, VesselShape, build_vessel

HEIGHT_M = (0.050, 0.150)
DIAMETER_M = (0.054, 0.112)


@dataclass(frozen=True)
class MugShape:
    """One member of the category."""

    body: VesselShape
    handle: HandleShape


@dataclass(frozen=True)
class Mug:
    """A built mug. Object frame: +z up the body axis, +x to the handle, origin on the axis at mid-height."""

    shape: MugShape
    mesh: Mesh
    handle_rings: np.ndarray
    """(n, k, 3) outlines along the handle, of which the convex pieces for collision are made."""
    frames: dict[str, PartFrame]
    """Affordance frames in the object frame, metres."""
    handle_x_min_m: float
    """Beyond this x the surface belongs to the handle."""


def sample_body(rng: np.random.Generator) -> VesselShape:
    """A body from the category's range; without a handle it is a cup."""
    profile = str(rng.choice(PROFILES, p=[0.28, 0.2, 0.13, 0.1, 0.13, 0.1, 0.06]))
    diameter = rng.uniform(*DIAMETER_M)
    height = np.clip(diameter * rng.uniform(0.65, 1.6), *HEIGHT_M)
    limit = {'taper': 0.35, 'barrel': 0.22, 'bell': 0.35, 'round': 0.3, 'waist': 0.15}.get(profile, 0.0)
    amount = rng.uniform(0.05, limit) if limit else 0.0
    if profile == 'taper' and rng.random() < 0.25:
        amount = -0.5 * amount
    wall = rng.uniform(0.002, 0.0075)
    ribs = int(rng.integers(3, 13)) if rng.random() < 0.15 else 0
    return VesselShape(
        profile=profile,
        height_m=float(height),
        radius_m=diameter / 2,
        amount=amount,
        wall_m=wall,
        bottom_m=rng.uniform(0.004, 0.016),
        corner_m=float(rng.choice([rng.uniform(0.001, 0.004), rng.uniform(0.004, 0.016)])),
        foot_m=float(rng.choice([0.0, rng.uniform(0.001, 0.004)])),
        lip_m=float(rng.choice([0.0, rng.uniform(0.0, 0.003)], p=[0.6, 0.4])),
        squareness=rng.uniform(3.0, 8.0) if profile == 'square' else 2.0,
        ribs=ribs,
        rib_m=rng.uniform(0.1, 0.3) * wall if ribs else 0.0,
    )


def sample_handle(rng: np.random.Generator, height_m: float) -> HandleShape:
    """A handle that stays between the base and the rim of a body of this height."""
    while True:
        handle = draw_handle(rng, height_m)
        line, half = centreline(handle)[:, 1], handle.thickness_m / 2
        if line.min() - half > 0 and line.max() + half < height_m:
            return handle


def draw_handle(rng: np.random.Generator, height_m: float) -> HandleShape:
    """A handle whose ends are on a body of this height; it may bulge above the rim or below the base."""
    kind = str(rng.choice(KINDS, p=[0.3, 0.2, 0.15, 0.13, 0.1, 0.12]))
    thickness = rng.uniform(0.005, 0.014)
    width = rng.uniform(0.014, 0.028) if kind == 'strap' else thickness * rng.uniform(0.8, 2.0)
    reach = rng.uniform(0.016, 0.042)
    room = height_m - 2 * thickness
    span = float(np.clip(room * rng.uniform(0.45, 0.95), 0.026, room))
    if kind == 'ring':
        span = float(np.clip(1.35 * reach, 0.02, room))
    bottom = thickness + rng.uniform(0, 1) * (room - span)
    return HandleShape(
        kind=kind,
        top_m=bottom + span,
        bottom_m=bottom,
        reach_m=reach,
        thickness_m=thickness,
        width_m=width,
        section_exponent=rng.uniform(2.0, 5.0),
        root_flare=rng.uniform(1.0, 1.35),
        lean=float(rng.choice([0.0, rng.uniform(-0.25, 0.25)])),
    )


def sample_mug(rng: np.random.Generator, shapes: bool = True) -> MugShape:
    """A mug drawn from the category's parameter space; without `shapes` a cylinder with a C as its handle."""
    body = sample_body(rng)
    if not shapes:
        body = replace(body, profile='cylinder', amount=0.0, squareness=2.0, ribs=0, rib_m=0.0)
    handle = sample_handle(rng, body.height_m)
    if not shapes:
        handle = replace(handle, kind='c', lean=0.0)
    return MugShape(body, handle)


def wall_x(body: VesselShape, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """x of the middle of the wall on the handle's side, at (y, z) above the base."""
    radius = body.middle_radius(np.clip(z, 0, body.height_m))
    n = body.squareness
    return np.maximum(radius**n - np.abs(y) ** n, 0) ** (1 / n)


def attached_handle(body: VesselShape, handle: HandleShape) -> tuple[np.ndarray, np.ndarray]:
    """The handle on a body that stands on z = 0: its centreline (n, 2), x and z, and its outlines (n, k, 3).

    It ends in the middle of the wall, so that it overlaps the body and never shows inside.
    """
    line = centreline(handle)
    ends = body.base_radius(np.array([handle.top_m, handle.bottom_m]))
    attach = np.interp(line[:, 1], [handle.bottom_m, handle.top_m], ends[::-1]) - body.wall_m / 2
    curve = np.stack([attach + (handle.reach_m + body.wall_m / 2) * line[:, 0], line[:, 1]], 1)
    rings = tube_rings(curve, handle)
    inner = wall_x(body, rings[..., 1], rings[..., 2])
    rings[..., 0] = np.maximum(rings[..., 0], inner)
    rings[[0, -1], :, 0] = inner[[0, -1]]
    return curve, rings


def handle_mesh(rings: np.ndarray) -> Mesh:
    """Closed surface of a handle with its part of the texture."""
    return sweep(rings, HANDLE_BOX)


def build_mug(shape: MugShape, segments: int = 40) -> Mug:
    """Mesh and frames of a mug. Body and handle are two closed surfaces."""
    body, handle = shape.body, shape.handle
    curve, rings = attached_handle(body, handle)
    half = np.array([0, 0, body.height_m / 2])
    rings = rings - half
    x, z = bar_centre(curve, handle.thickness_m)
    up = np.array([0.0, 0.0, 1.0])
    frames = {
        'body': PartFrame(np.zeros(3), up),
        'handle': PartFrame(np.array([x, 0.0, z]) - half, np.array([1.0, 0.0, 0.0])),
        'opening': PartFrame(half, up),
    }
    mesh = merge(build_vessel(body, segments).moved(-half), handle_mesh(rings))
    return Mug(shape, mesh, rings, frames, body.largest_radius_m + 0.002)
