"""What the network should say about one virtual view: masks, frames, and surface points of every instance."""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.bop import BopDataset, Instance, View
from dense_descriptor_ros.category import Category
from dense_descriptor_ros.geometry import apply, back_project, pixel_grid
from dense_descriptor_ros.training.virtual_camera import VirtualCamera

MIN_PART_PX = 25
"""A part that shows fewer pixels (of the original image) counts as not seen."""
HANDLE = 'handle'


@dataclass(frozen=True)
class ViewLabels:
    """Truth of a virtual view of H x W pixels with I instances and P parts; metres, virtual camera frame."""

    instance_map: np.ndarray
    """(H, W) int16: 0 where no instance of the category is, else 1 + its position in `instances`."""
    p_virtual: np.ndarray
    """(H, W, 3) surface points from exact depth; z is 0 where unknown."""
    instances: tuple[Instance, ...]
    origins_m: np.ndarray
    """(I, P, 3)"""
    axes: np.ndarray
    """(I, P, 3)"""
    visible: np.ndarray
    """(I, P) bool"""


def view_labels(
    dataset: BopDataset, view: View, exact_depth_m: np.ndarray, camera: VirtualCamera, category: Category
) -> ViewLabels:
    """Labels of a view as a virtual camera sees it; `exact_depth_m` (H, W) is of the original image."""
    instances = tuple(
        i
        for i in view.instances
        if i.obj_id in dataset.models and dataset.models[i.obj_id].category == category.name
    )
    instance_map = np.zeros((camera.height, camera.width), np.int16)
    for number, instance in enumerate(instances):
        mask = camera.warp(view.visible_mask(instance).astype(np.uint8), cv2.INTER_NEAREST) > 0
        instance_map[mask] = number + 1
    depth_m = camera.warp(exact_depth_m, cv2.INTER_NEAREST)
    p_virtual = back_project(camera.K, pixel_grid(camera.height, camera.width), depth_m)
    frames = [instance_frames(dataset, i, camera, category) for i in instances]
    zoom_area = float(abs(np.linalg.det(camera.affine[:, :2])))
    visible = [
        visible_parts(dataset, i, camera, p_virtual[instance_map == n + 1], zoom_area, category)
        for n, i in enumerate(instances)
    ]
    shape = (len(instances), len(category.parts))
    return ViewLabels(
        instance_map,
        p_virtual,
        instances,
        origins_m=np.array([origins for origins, _ in frames]).reshape(*shape, 3),
        axes=np.array([axes for _, axes in frames]).reshape(*shape, 3),
        visible=np.array(visible, bool).reshape(shape),
    )


def instance_frames(
    dataset: BopDataset, instance: Instance, camera: VirtualCamera, category: Category
) -> tuple[np.ndarray, np.ndarray]:
    """Origins (P, 3) and axes (P, 3) of one instance's parts in the virtual camera."""
    model = dataset.models[instance.obj_id]
    T = camera.T_virtual_object(instance.T_camera_object)
    frames = [model.frames[name] for name in category.part_names]
    return (
        apply(T, np.array([f.origin_m for f in frames])),
        np.array([f.axis for f in frames]) @ T[:3, :3].T,
    )


def visible_parts(
    dataset: BopDataset,
    instance: Instance,
    camera: VirtualCamera,
    points: np.ndarray,
    zoom_area: float,
    category: Category,
) -> list[bool]:
    """For each part whether the virtual view shows enough of it; `points` (N, 3) are the instance's."""
    p_object = camera.to_object(points[points[:, 2] > 0], instance.T_camera_object)
    on_handle = int((p_object[:, 0] > dataset.models[instance.obj_id].handle_x_min_m).sum())
    enough = MIN_PART_PX * zoom_area
    return [on_handle >= enough if name == HANDLE else True for name in category.part_names]


def surface_normals(p_virtual: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) towards the camera at pixels `uv` (N, 2) int of a point image (H, W, 3)."""
    height, width = p_virtual.shape[:2]
    u, v = uv.T
    right, left = np.minimum(u + 2, width - 1), np.maximum(u - 2, 0)
    below, above = np.minimum(v + 2, height - 1), np.maximum(v - 2, 0)
    normal = np.cross(p_virtual[below, u] - p_virtual[above, u], p_virtual[v, right] - p_virtual[v, left])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    towards = (normal * p_virtual[v, u]).sum(1, keepdims=True) < 0
    return np.where(towards, normal, -normal)
