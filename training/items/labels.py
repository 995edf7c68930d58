"""What the network should say about one virtual view: masks, frames, and surface points of every instance."""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.bop import BopDataset, Instance, View
from dense_descriptor_ros.category import Category
from dense_descriptor_ros.geometry import apply, back_project, pixel_grid, project
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera

MIN_PART_PX = 25
"""A part that shows fewer pixels (of the original image) counts as not seen."""
HANDLE = 'handle'
KEYPOINT_M = 0.015
"""Reach of a heat map's spot, at the keypoint's depth."""


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
    """(I, P) bool: enough of the part is seen."""
    on_part: np.ndarray
    """(P, H, W) bool: pixels on each part; a part without a region is wherever an instance is."""


def view_labels(
    dataset: BopDataset,
    view: View,
    exact_depth_m: np.ndarray,
    camera: VirtualCamera,
    category: Category,
    parts_by: str = 'region',
) -> ViewLabels:
    """Labels of a view as a virtual camera sees it; `exact_depth_m` (H, W) is of the original image.

    Pixels are on a part by its region of the surface, or, with `parts_by` keypoint, where they are near its
    keypoint in the image: then the part's channel is a heat map.
    """
    instances = tuple(instances_of(view, dataset, category))
    instance_map = np.zeros((camera.height, camera.width), np.int16)
    for number, instance in enumerate(instances):
        mask = camera.warp(view.visible_mask(instance).astype(np.uint8), cv2.INTER_NEAREST) > 0
        instance_map[mask] = number + 1
    depth_m = camera.warp(exact_depth_m, cv2.INTER_NEAREST)
    p_virtual = back_project(camera.K, pixel_grid(camera.height, camera.width), depth_m)
    frames = [instance_frames(dataset, i, camera, category) for i in instances]
    on_handle = handle_pixels(dataset, instances, instance_map, p_virtual, camera)
    on_part = np.stack([on_handle if name == HANDLE else instance_map > 0 for name in category.part_names])
    if parts_by == 'keypoint':
        on_part = near_keypoints([origins for origins, _ in frames], instance_map, on_part, camera)
    enough_px = MIN_PART_PX * float(abs(np.linalg.det(camera.affine[:, :2])))
    visible = [
        [
            name != HANDLE or on_handle[instance_map == n + 1].sum() >= enough_px
            for name in category.part_names
        ]
        for n in range(len(instances))
    ]
    shape = (len(instances), len(category.parts))
    return ViewLabels(
        instance_map,
        p_virtual,
        instances,
        origins_m=np.array([origins for origins, _ in frames]).reshape(*shape, 3),
        axes=np.array([axes for _, axes in frames]).reshape(*shape, 3),
        visible=np.array(visible, bool).reshape(shape),
        on_part=on_part,
    )


def instances_of(view: View, dataset: BopDataset, category: Category) -> list[Instance]:
    """Instances of a category in a view, hidden ones as well."""
    return [
        i
        for i in view.instances
        if i.obj_id in dataset.models and dataset.models[i.obj_id].category == category.name
    ]


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


def handle_pixels(
    dataset: BopDataset,
    instances: tuple[Instance, ...],
    instance_map: np.ndarray,
    p_virtual: np.ndarray,
    camera: VirtualCamera,
) -> np.ndarray:
    """(H, W) bool: pixels whose surface point lies on the handle of its instance."""
    on_handle = np.zeros(instance_map.shape, bool)
    for number, instance in enumerate(instances):
        own = (instance_map == number + 1) & (p_virtual[..., 2] > 0)
        p_object = camera.to_object(p_virtual[own], instance.T_camera_object)
        on_handle[own] = p_object[:, 0] > dataset.models[instance.obj_id].handle_x_min_m
    return on_handle


def near_keypoints(
    origins_m: list[np.ndarray], instance_map: np.ndarray, on_part: np.ndarray, camera: VirtualCamera
) -> np.ndarray:
    """(P, H, W) bool like `on_part`: pixels of an instance within `KEYPOINT_M` of its keypoints (P, 3)."""
    near = np.zeros_like(on_part)
    pixels = pixel_grid(camera.height, camera.width)
    for number, origins in enumerate(origins_m):
        for part, origin in enumerate(origins):
            radius_px = KEYPOINT_M * camera.K[0, 0] / origin[2]
            distance_px = np.linalg.norm(pixels - project(camera.K, origin), axis=-1)
            near[part] |= (instance_map == number + 1) & (distance_px < radius_px)
    return near


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
