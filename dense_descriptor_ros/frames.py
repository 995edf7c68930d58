"""What the network finds in one image."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from dense_descriptor_ros.geometry import frame_rotation, transform


@dataclass(frozen=True)
class AffordanceFrame:
    """One part of one object instance: a 3-D keypoint with a directed axis, in the camera frame."""

    category: str
    part: str
    instance: int
    """Number of the object, which its frames share; it counts within the image unless objects are tracked."""
    score: float
    """Confidence, 0 to 1."""
    origin_m: np.ndarray
    """Keypoint (3,)."""
    axis: np.ndarray
    """Unit direction (3,) of the part's +z."""
    second_axis: np.ndarray | None = None
    """Unit direction (3,) normal to the axis, the part's +x; None where the image does not determine it."""
    scale_known: bool = True
    """False without depth: the keypoint is then at z = 1 on its viewing ray, and its distance unknown."""
    age_s: float = 0.0
    """Time since the object was first seen; 0 unless objects are tracked."""

    @property
    def orientation_complete(self) -> bool:
        """Whether the rotation about the axis is known."""
        return self.second_axis is not None

    def T_camera_part(self) -> np.ndarray:
        """Pose (4, 4) with +z along the axis; without a second axis the rotation about it is arbitrary."""
        second = self.second_axis
        if second is None:
            second = np.eye(3)[np.argmin(np.abs(self.axis))]
        return transform(frame_rotation(self.axis, second), self.origin_m)

    def transformed(self, T_target_camera: np.ndarray) -> 'AffordanceFrame':
        """The same in another frame, by a rigid transform (4, 4)."""
        R = T_target_camera[:3, :3]
        return replace(
            self,
            origin_m=R @ self.origin_m + T_target_camera[:3, 3],
            axis=R @ self.axis,
            second_axis=None if self.second_axis is None else R @ self.second_axis,
        )


@dataclass(frozen=True)
class Prediction:
    """Everything found in one image of H x W pixels."""

    frames: list[AffordanceFrame]
    """Sorted by instance, then in the category's order of parts."""
    descriptors: np.ndarray
    """(D, h, w) float32, L2-normalised over D; covers the whole image at the network's stride.

    First what the network learned, then the place on the surface (surface_code.py), 0 off found objects.
    """
    object_score: np.ndarray
    """(h, w) float32, 0 to 1: whether the cell shows an object of the category."""
    time_s: float
    """Wall time of the inference."""


class Infers(Protocol):
    """What finds it, such as `dense_descriptor_ros.engine.Engine`."""

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        """Frames and descriptors of one image: (H, W, 3) uint8, (H, W) metres, (3, 3) pixels."""
