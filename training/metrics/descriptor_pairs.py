"""Draws true correspondences from a data set: the questions that descriptors are asked.

Drawing looks at geometry alone, so every kind of descriptor answers the same questions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from dense_descriptor_ros.bop import MM, BopDataset, Instance, ObjectModel, View
from dense_descriptor_ros.geometry import inverse, project
from dense_descriptor_ros.surface_code import REGIONS
from dense_descriptor_ros.training.items.surface_coordinates import surface_coordinates, surface_regions
from dense_descriptor_ros.training.metrics.surface import Surface, visible_surface
from dense_descriptor_ros.training.metrics.truth import MIN_PART_PX, camera_points_mm, pose_mm, read_depth_mm

HANDLE, OUTSIDE = REGIONS.index('radial'), REGIONS.index('outside')
MATCHES = 100
"""Correspondences asked for in a pair of views."""
MIN_MATCHES = 20
MIN_VISIBLE_PX = 500
MIN_BASELINE_MM = 50.0
DEPTH_TOLERANCE_MM = 5.0
COORDINATE_TOLERANCE = 0.15
"""Points of two mugs correspond if they are this near in surface coordinates."""
TARGET_STEP = 3
"""Every third point of the target is a candidate: dense enough, and a third of the time."""


@dataclass(frozen=True, eq=False)
class MugView:
    """An image and the mugs that it shows well enough."""

    view: View
    mugs: dict[int, Instance]
    models: dict[int, ObjectModel]

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W)"""
        return read_depth(self).shape[:2]

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool: pixels that show the mug and have depth."""
        return self.view.visible_mask(self.mugs[index]) & (read_depth(self) > 0)

    def model(self, index: int) -> ObjectModel:
        """Shape of the mug."""
        return self.models[self.mugs[index].obj_id]

    def object_points_mm(self, index: int, uv: np.ndarray) -> np.ndarray:
        """Surface points (N, 3) of pixels (N, 2) in the frame of a mug; NaN where depth is unknown."""
        R, t_mm = pose_mm(self.mugs[index])
        points = camera_points_mm(self.view, read_depth(self))[uv[:, 1], uv[:, 0]]
        points[points[:, 2] <= 0] = np.nan
        return (points - t_mm) @ R

    @cached_property
    def centre_mm(self) -> np.ndarray | None:
        """Camera centre (3,) in the world, None where the data set does not say."""
        T = self.view.T_camera_world
        return None if T is None else inverse(T)[:3, 3] / MM


@dataclass(frozen=True)
class SameInstancePair:
    """One mug in two views of a scene."""

    a: MugView
    b: MugView
    uv_a: np.ndarray
    """(N, 2) int, queries"""
    uv_b: np.ndarray
    """(N, 2), where the same points are seen"""
    mask_b: np.ndarray
    """(H, W) bool"""


@dataclass(frozen=True)
class AcrossPair:
    """Two different mugs."""

    a: MugView
    b: MugView
    uv_a: np.ndarray
    """(N, 2) int, queries"""
    uv_b: np.ndarray
    """(N, 2) int, pixels of the corresponding points"""
    mask_b: np.ndarray
    """(H, W) bool"""
    index_b: int
    """Which mug of b"""
    points_b_mm: np.ndarray
    """(N, 3) corresponding points in b's object frame"""
    part_b: np.ndarray
    """(N,) index into REGIONS of the corresponding points"""
    diagonal_mm: float
    """Size of the mug in b"""


def mug_views(dataset: BopDataset, category: str = 'mug') -> list[MugView]:
    """Every image of the split with its well visible mugs."""
    wanted = {obj_id for obj_id, model in dataset.models.items() if model.category == category}
    return [
        MugView(
            view,
            {
                instance.index: instance
                for instance in view.instances
                if instance.obj_id in wanted and instance.px_count_visib >= MIN_VISIBLE_PX
            },
            dataset.models,
        )
        for view in dataset.views
    ]


@lru_cache(maxsize=64)
def read_depth(view: MugView) -> np.ndarray:
    """(H, W) float64 millimetres."""
    return read_depth_mm(view.view)


@lru_cache(maxsize=256)
def mug_surface(view: MugView, index: int) -> Surface:
    """Visible surface of one mug."""
    camera_mm = camera_points_mm(view.view, read_depth(view))
    return visible_surface(camera_mm, view.mask(index), *pose_mm(view.mugs[index]))


def draw_same_instance(views: list[MugView], rng: np.random.Generator, count: int) -> list[SameInstancePair]:
    """Up to `count` pairs of views of one mug, their cameras over `MIN_BASELINE_MM` apart."""
    candidates = list(shared_mugs(views))
    rng.shuffle(candidates)
    pairs: list[SameInstancePair] = []
    for a, b, index in candidates:
        if len(pairs) == count:
            break
        pair = same_instance_pair(a, b, index, rng)
        if pair is not None:
            pairs.append(pair)
    return pairs


def shared_mugs(views: list[MugView]) -> Iterator[tuple[MugView, MugView, int]]:
    """Ordered pairs of views of one scene, and each mug that both show."""
    scenes: dict[int, list[MugView]] = {}
    for view in views:
        scenes.setdefault(view.view.scene_id, []).append(view)
    for scene in scenes.values():
        for a in scene:
            for b in scene:
                if a.centre_mm is None or b.centre_mm is None or a is b:
                    continue
                if np.linalg.norm(a.centre_mm - b.centre_mm) <= MIN_BASELINE_MM:
                    continue
                for index in a.mugs:
                    if index in b.mugs and a.mugs[index].obj_id == b.mugs[index].obj_id:
                        yield a, b, index


def same_instance_pair(
    a: MugView, b: MugView, index: int, rng: np.random.Generator
) -> SameInstancePair | None:
    """Points of the mug that both views show, None for too few."""
    surface = mug_surface(a, index)
    pick = rng.permutation(len(surface.points_mm))[: 10 * MATCHES]
    R, t_mm = pose_mm(b.mugs[index])
    p_b = surface.points_mm[pick] @ R.T + t_mm
    uv_b, mask_b = project(b.view.K, p_b), b.mask(index)
    seen = visible_points(p_b, uv_b, mask_b, read_depth(b))
    pick, uv_b = pick[seen][:MATCHES], uv_b[seen][:MATCHES]
    return SameInstancePair(a, b, surface.uv[pick], uv_b, mask_b) if len(pick) >= MIN_MATCHES else None


def visible_points(
    p_camera_mm: np.ndarray, uv: np.ndarray, mask: np.ndarray, depth_mm: np.ndarray
) -> np.ndarray:
    """(N,) bool: points that project into the mask at the depth that is seen there."""
    u, v = np.round(uv).astype(int).T
    seen = (u >= 0) & (u < mask.shape[1]) & (v >= 0) & (v < mask.shape[0])
    u, v = u[seen], v[seen]
    seen[seen] = mask[v, u] & (np.abs(depth_mm[v, u] - p_camera_mm[seen, 2]) < DEPTH_TOLERANCE_MM)
    return seen


def draw_across_instances(views: list[MugView], rng: np.random.Generator, count: int) -> list[AcrossPair]:
    """Up to `count` pairs of different mugs that both show their handles; gives up after 50 tries a pair."""
    shown = [(view, index) for view in views for index in view.mugs]
    pairs: list[AcrossPair] = []
    for _ in range(50 * count if len(shown) > 1 else 0):
        if len(pairs) == count:
            break
        (a, i), (b, j) = (shown[k] for k in rng.integers(0, len(shown), 2))
        if a.mugs[i].obj_id == b.mugs[j].obj_id:
            continue
        pair = across_pair(a, i, b, j, rng)
        if pair is not None:
            pairs.append(pair)
    return pairs


def across_pair(a: MugView, i: int, b: MugView, j: int, rng: np.random.Generator) -> AcrossPair | None:
    """Corresponding points of two mugs; None for too few, or if a handle, the angle's origin, is unseen."""
    surface_a, surface_b = mug_surface(a, i), mug_surface(b, j)
    parts_a = surface_regions(surface_a.points_mm * MM, surface_a.normals, a.model(i))
    parts_b = surface_regions(surface_b.points_mm * MM, surface_b.normals, b.model(j))
    if min((parts_a == HANDLE).sum(), (parts_b == HANDLE).sum()) < MIN_PART_PX:
        return None
    at_a = surface_coordinates(surface_a.points_mm * MM, surface_a.normals, a.model(i))
    at_b = surface_coordinates(surface_b.points_mm * MM, surface_b.normals, b.model(j))
    pick = rng.permutation(len(at_a))[: 3 * MATCHES]
    distance = np.linalg.norm(at_a[pick, None] - at_b[None, ::TARGET_STEP], axis=-1)
    near = distance.min(1) < COORDINATE_TOLERANCE
    pick, target = pick[near][:MATCHES], TARGET_STEP * distance.argmin(1)[near][:MATCHES]
    if len(pick) < MIN_MATCHES:
        return None
    return AcrossPair(
        a,
        b,
        surface_a.uv[pick],
        surface_b.uv[target],
        b.mask(j),
        j,
        surface_b.points_mm[target],
        parts_b[target],
        size_mm(b.model(j), surface_b),
    )


def size_mm(model: ObjectModel, surface: Surface) -> float:
    """Diameter of the model, or the diagonal of what is seen where the data set does not give it."""
    if model.diameter_m:
        return model.diameter_m / MM
    return float(np.linalg.norm(np.ptp(surface.points_mm, axis=0)))
