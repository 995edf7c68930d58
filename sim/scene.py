"""What a scene is, apart from any engine: objects, where they are dropped, surfaces, light and cameras."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from dense_descriptor_ros.geometry import transform
from dense_descriptor_ros.sim.distractor import sample_distractor
from dense_descriptor_ros.sim.mesh import Mesh
from dense_descriptor_ros.sim.mug import Mug, build_mug, sample_mug
from dense_descriptor_ros.sim.texture import object_texture, plain_texture, surface_texture, vessel_texture

VESSELS = (
    'cup',
    'tumbler',
    'bowl',
    'plate',
    'jug',
    'pan',
    'casserole',
    'teapot',
    'kettle',
    'moka_pot',
)
"""Kinds that take a mug's textures."""
STANDING = ('bowl', 'plate', 'jug', 'pan', 'casserole', 'teapot', 'kettle', 'moka_pot', 'animal')
PILED = 0.12
"""Share of the objects that are dropped on others: they come to lie across them or lean on them."""


@dataclass(frozen=True)
class SceneObject:
    """One rigid thing. The world frame is at the table's centre, +z up, z = 0 on the table."""

    kind: str
    mesh: Mesh
    pieces: list[np.ndarray]
    """Points (n, 3) of the convex pieces that collide, object frame, metres."""
    texture: np.ndarray
    """(h, w, 3) uint8 RGB."""
    shine: float
    """Strength of the highlights, 0 to 1."""
    T_world_object: np.ndarray
    """(4, 4)"""
    mug: Mug | None = None
    """Set for members of the category."""


@dataclass(frozen=True)
class Room:
    """Table, floor and four walls; lengths in metres."""

    table_half: tuple[float, float]
    table_texture: np.ndarray
    table_repeat_m: float
    """Edge of one repetition of the table's texture."""
    floor_z_m: float
    floor_texture: np.ndarray
    wall_distance_m: float
    wall_texture: np.ndarray


@dataclass(frozen=True)
class Light:
    """One directed light and an ambient part."""

    direction: np.ndarray
    """(3,) unit, from the scene towards the light."""
    colour: np.ndarray
    """(3,) 0 to 1."""
    ambient: float
    diffuse: float
    specular: float


@dataclass(frozen=True)
class Scene:
    """A static world. `objects[i]` is instance i of the rendered masks."""

    objects: tuple[SceneObject, ...]
    room: Room
    light: Light

    @property
    def mugs(self) -> list[int]:
        """Indices of the objects that belong to the category."""
        return [index for index, item in enumerate(self.objects) if item.mug is not None]


def mug_pieces(mug: Mug) -> list[np.ndarray]:
    """Convex pieces of a mug: the body's hull and four lengths of the handle."""
    rings = mug.handle_rings
    cuts = np.linspace(0, len(rings) - 1, 5).round().astype(int)
    lengths = [rings[a : b + 1].reshape(-1, 3) for a, b in pairwise(cuts)]
    body = mug.mesh.vertices[: -(rings.shape[0] * (rings.shape[1] + 1) + 2)]
    return [body, *lengths]


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """(3,) unit vector at these angles, in radians."""
    return np.array([*(np.cos(elevation) * np.array([np.cos(azimuth), np.sin(azimuth)])), np.sin(elevation)])


def rotation_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) rotation by `angle` radians about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def sample_rotation(rng: np.random.Generator, upright: float) -> np.ndarray:
    """Start attitude (3, 3): upright with this probability, else lying, upside down or any."""
    turn = rotation_about(np.array([0, 0, 1.0]), rng.uniform(0, 2 * np.pi))
    draw = rng.random()
    if draw < upright:
        return turn
    draw = (draw - upright) / (1 - upright)
    spin = rotation_about(np.array([0, 0, 1.0]), rng.uniform(0, 2 * np.pi))
    tilt = {0: np.pi / 2, 1: np.pi}.get(int(draw * 3), rng.uniform(0, np.pi))
    return turn @ rotation_about(np.array([0, 1.0, 0]), tilt) @ spin


def sample_object(rng: np.random.Generator, is_mug: bool, without: Collection[str]) -> SceneObject:
    """An object at the world's origin in a random attitude."""
    if is_mug:
        mug = build_mug(sample_mug(rng, 'shapes' not in without))
        kind, mesh, pieces = 'mug', mug.mesh, mug_pieces(mug)
        upright = 0.45
    else:
        solid = sample_distractor(rng, 'look_alikes' not in without)
        mug, kind, mesh, pieces = None, solid.kind, solid.mesh, solid.pieces
        upright = 0.9 if kind in STANDING else 0.65
    draw_texture = vessel_texture if is_mug or kind in VESSELS else object_texture
    texture = (plain_texture if 'patterns' in without else draw_texture)(rng)
    shine = rng.choice([0.0, rng.uniform(0.1, 1.0)], p=[0.3, 0.7])
    T = transform(sample_rotation(rng, 1.0 if 'poses' in without else upright), np.zeros(3))
    return SceneObject(kind, mesh, pieces, texture, float(shine), T, mug)


def place(
    rng: np.random.Generator, item: SceneObject, taken: list[np.ndarray], spread_m: float, piled: float
) -> np.ndarray:
    """(4, 4) start pose whose footprint overlaps none of those `taken`, to which it adds its own.

    Where no place is free, and with probability `piled` for its own sake, the object starts above the
    others. Footprints are convex polygons (n, 2) in millimetres: in metres OpenCV's tolerances hide overlaps
    of several centimetres.
    """
    R = item.T_world_object[:3, :3]
    points = item.mesh.vertices @ R.T
    footprint = cv2.convexHull(1000 * points[:, :2].astype(np.float32))[:, 0]
    lift = 0.004
    on_others = rng.random() < piled
    for attempt in range(1 if on_others else 40):
        middle = rng.normal(0, spread_m * (1 + attempt / 20), 2)
        moved = footprint + 1000 * middle.astype(np.float32)
        if not on_others and all(cv2.intersectConvexConvex(moved, other)[0] == 0 for other in taken):
            break
    else:
        lift = 0.18 + 0.05 * len(taken)
    taken.append(moved)
    return transform(R, np.array([*middle, lift - points[:, 2].min()]))


def sample_room(rng: np.random.Generator) -> Room:
    """Table, floor and walls of random sizes and surfaces."""
    return Room(
        table_half=(rng.uniform(0.35, 1.0), rng.uniform(0.35, 1.0)),
        table_texture=surface_texture(rng),
        table_repeat_m=rng.uniform(0.3, 1.2),
        floor_z_m=-rng.uniform(0.3, 0.8),
        floor_texture=surface_texture(rng),
        wall_distance_m=rng.uniform(1.9, 3.0),
        wall_texture=surface_texture(rng),
    )


def sample_light(rng: np.random.Generator) -> Light:
    """A lamp or window above the table."""
    return Light(
        direction=direction(rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(25, 85))),
        colour=1 - rng.uniform(0, 0.18, 3),
        ambient=rng.uniform(0.35, 0.75),
        diffuse=rng.uniform(0.35, 0.75),
        specular=rng.uniform(0, 0.6),
    )


def sample_scene(
    rng: np.random.Generator,
    mugs: tuple[int, int],
    distractors: tuple[int, int],
    without: Collection[str] = (),
) -> Scene:
    """Objects in their start poses, not yet dropped; the ranges of counts include both ends.

    `without` leaves out variety (settings.VARIETY).
    """
    counts = [int(rng.integers(least, most + 1)) for least, most in (mugs, distractors)]
    taken: list[np.ndarray] = []
    spread = rng.uniform(0.03, 0.16)
    objects = []
    for is_mug in rng.permutation(np.repeat([True, False], counts)):
        item = sample_object(rng, bool(is_mug), without)
        pose = place(rng, item, taken, spread, 0.0 if 'poses' in without else PILED)
        objects.append(replace(item, T_world_object=pose))
    return Scene(tuple(objects), sample_room(rng), sample_light(rng))
