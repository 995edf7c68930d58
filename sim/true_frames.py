"""The affordance frames that a perfect detector would report for a rendered view."""

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import apply, back_project, inverse
from dense_descriptor_ros.sim.mug import Mug
from dense_descriptor_ros.sim.raster import rasterise
from dense_descriptor_ros.sim.render import Rendering
from dense_descriptor_ros.sim.scene import Scene

LEAST_VISIBLE = 0.1
"""Share of an object's silhouette; below it nothing is required."""
LEAST_HANDLE_PX = 25


def required_frames(
    scene: Scene, rendering: Rendering, T_camera_world: np.ndarray, K: np.ndarray, category: Category
) -> list[AffordanceFrame]:
    """Frames, in the camera frame, of the parts that can be seen, with score 1.

    Objects of which less than a tenth is visible and handles of fewer than 25 pixels are left out. A frame's
    second axis is given where the part that determines it is in the list as well.
    """
    frames = []
    for instance in scene.mugs:
        mug, T = scene.objects[instance].mug, T_camera_world @ scene.objects[instance].T_world_object
        assert mug is not None  # by the definition of scene.mugs
        visible = rendering.instances == instance
        if not visible.any() or visible_share(visible, mug, T, K) < LEAST_VISIBLE:
            continue
        seen = set(mug.frames)
        if handle_pixels(visible, rendering.depth_m, mug, T, K) < LEAST_HANDLE_PX:
            seen.remove('handle')
        frames += object_frames(category, mug, T, instance, seen)
    return frames


def visible_share(visible: np.ndarray, mug: Mug, T_camera_object: np.ndarray, K: np.ndarray) -> float:
    """Visible pixels (H, W) over those of the whole silhouette within the image."""
    p_camera = apply(T_camera_object, mug.mesh.vertices)
    silhouette = np.isfinite(rasterise(p_camera, mug.mesh.faces, K, *visible.shape))
    return float(visible.sum() / max(silhouette.sum(), 1))


def handle_pixels(
    visible: np.ndarray, depth_m: np.ndarray, mug: Mug, T_camera_object: np.ndarray, K: np.ndarray
) -> int:
    """Number of visible pixels (H, W) whose surface point lies on the handle."""
    v, u = np.nonzero(visible)
    p_object = apply(inverse(T_camera_object), back_project(K, np.stack([u, v], -1), depth_m[v, u]))
    return int((p_object[:, 0] > mug.handle_x_min_m).sum())


def object_frames(
    category: Category, mug: Mug, T_camera_object: np.ndarray, instance: int, seen: set[str]
) -> list[AffordanceFrame]:
    """Frames of the parts of one object that are seen."""
    R = T_camera_object[:3, :3]
    return [
        AffordanceFrame(
            category=category.name,
            part=part.name,
            instance=instance,
            score=1.0,
            origin_m=apply(T_camera_object, mug.frames[part.name].origin_m),
            axis=R @ mug.frames[part.name].axis,
            second_axis=R @ np.array(part.second_axis) if part.second_axis_needs in seen else None,
        )
        for part in category.parts
        if part.name in seen
    ]
