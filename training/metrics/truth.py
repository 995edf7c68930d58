"""True affordance frames of a data set, as the metrics need them.

Metrics keep BOP's millimetres: their thresholds are stated in them, and depth is compared with those
thresholds, so that rounding in another unit would change which pixels count.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.bop import MM, BopDataset, Instance, ObjectModel, View, read_png
from dense_descriptor_ros.geometry import back_project, pixel_grid

MIN_VISIBLE = 0.1
"""Objects less visible than this are neither required nor punished."""
MIN_PART_PX = 25
"""So are handles with fewer visible pixels."""

ImageKey = tuple[int, int]
"""Scene and image number."""


@dataclass(frozen=True)
class TrueFrame:
    """One part of one object in one image, in the camera frame."""

    part: str
    instance: int
    origin_mm: np.ndarray
    """(3,)"""
    axis: np.ndarray
    """(3,) unit"""
    required: bool
    """Whether missing it counts."""
    visible: float
    """Visible share of the object, 0 to 1."""
    tilt_deg: float
    """Angle from the object's +z to the world's up, 0 to 180; NaN where the camera's pose is unknown."""
    handle_px: int = 0
    """Visible pixels of the object's handle."""
    texture: float = 0.0
    """Mean difference of neighbouring grey values on the object, 0 to 255."""

    @property
    def distance_mm(self) -> float:
        """Distance from the camera."""
        return float(np.linalg.norm(self.origin_mm))


def load_truth(dataset: BopDataset) -> dict[ImageKey, list[TrueFrame]]:
    """True frames of every image of a split."""
    return {(view.scene_id, view.im_id): view_frames(view, dataset.models) for view in dataset.views}


def view_frames(view: View, models: dict[int, ObjectModel]) -> list[TrueFrame]:
    """True frames of one image."""
    known = [instance for instance in view.instances if instance.obj_id in models]
    if not known:
        return []
    frames, depth_mm, grey = [], read_depth_mm(view), view.rgb().mean(-1)
    for instance in known:
        model = models[instance.obj_id]
        seen = instance.visib_fract >= MIN_VISIBLE
        handle_px = handle_pixels(view, instance, model, depth_mm)
        R, t_mm = pose_mm(instance)
        texture = mean_step(grey, view.visible_mask(instance))
        for part, frame in model.frames.items():
            enough = part != 'handle' or handle_px >= MIN_PART_PX
            frames.append(
                TrueFrame(
                    part=part,
                    instance=instance.index,
                    origin_mm=R @ (frame.origin_m / MM) + t_mm,
                    axis=R @ frame.axis,
                    required=seen and enough,
                    visible=instance.visib_fract,
                    tilt_deg=tilt_deg(view, instance),
                    handle_px=handle_px,
                    texture=texture,
                )
            )
    return frames


def read_depth_mm(view: View) -> np.ndarray:
    """(H, W) float64 exact depth in millimetres, 0 where unknown."""
    path = view.folder / 'depth' / f'{view.im_id:06d}.png'
    return read_png(path, cv2.IMREAD_UNCHANGED).astype(float) * view.depth_scale


def pose_mm(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) in millimetres from the object to the camera frame."""
    T = instance.T_camera_object
    return T[:3, :3], T[:3, 3] / MM


def camera_points_mm(view: View, depth_mm: np.ndarray) -> np.ndarray:
    """(H, W, 3) surface points in the camera frame."""
    return back_project(view.K, pixel_grid(*depth_mm.shape), depth_mm)


def handle_pixels(view: View, instance: Instance, model: ObjectModel, depth_mm: np.ndarray) -> int:
    """Visible pixels whose surface point lies outside the body, towards +x."""
    v, u = np.nonzero(view.visible_mask(instance) & (depth_mm > 0))
    p_camera = back_project(view.K, np.stack([u, v], 1), depth_mm[v, u])
    R, t_mm = pose_mm(instance)
    x_object = (p_camera - t_mm) @ R[:, 0]
    return int((x_object > model.handle_x_min_m / MM).sum())


def mean_step(grey: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference between neighbours in a row that both lie in the mask (H, W)."""
    steps = np.abs(np.diff(grey, axis=1))[mask[:, 1:] & mask[:, :-1]]
    return float(steps.mean()) if len(steps) else 0.0


def tilt_deg(view: View, instance: Instance) -> float:
    """Angle between the object's +z and the world's +z, which points up."""
    if view.T_camera_world is None:
        return float('nan')
    up, z = view.T_camera_world[:3, 2], instance.T_camera_object[:3, 2]
    return float(np.degrees(np.arccos(np.clip(up @ z, -1, 1))))
