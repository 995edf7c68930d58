"""Geometric augmentation as another camera at the same place: rolled, zoomed, cropped, perhaps mirrored.

Everything stays exact: `p_virtual = M p_camera`, depth along z is unchanged, and the image follows by one
affine warp, since M leaves z alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.geometry import apply, inverse


@dataclass(frozen=True)
class VirtualCamera:
    """A camera that sees part of the original image."""

    M: np.ndarray
    """(3, 3) orthogonal: roll about z, with det -1 when mirrored."""
    K: np.ndarray
    """(3, 3) pixels of the virtual image."""
    affine: np.ndarray
    """(2, 3) from original to virtual pixels."""
    width: int
    height: int

    def warp(self, image: np.ndarray, interpolation: int) -> np.ndarray:
        """The virtual image of an image (H, W, ...); 0 outside the original."""
        return cv2.warpAffine(image, self.affine, (self.width, self.height), flags=interpolation)

    def T_virtual_object(self, T_camera_object: np.ndarray) -> np.ndarray:
        """(4, 4) of an object in the virtual camera; mirrored coordinates have det -1."""
        T = np.eye(4)
        T[:3, :3] = self.M
        return T @ T_camera_object

    def to_object(self, p_virtual: np.ndarray, T_camera_object: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the virtual camera in the frame of an object as the original camera sees it."""
        return apply(inverse(T_camera_object), p_virtual @ self.M)


def virtual_camera(
    K: np.ndarray,
    centre_uv: np.ndarray,
    width: int,
    height: int,
    zoom: float,
    roll_rad: float,
    mirrored: bool,
) -> VirtualCamera:
    """Camera whose image has pixel `centre_uv` (2,) of the original in its middle.

    Args:
        zoom: virtual pixels for a pixel of the original.
        roll_rad: rotation about the optical axis.
    """
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    M = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ np.diag([-1.0 if mirrored else 1.0, 1, 1])
    K_virtual = np.diag([K[0, 0] * zoom, K[1, 1] * zoom, 1.0])
    middle = K_virtual @ M @ np.linalg.inv(K) @ np.array([*centre_uv, 1.0])
    K_virtual[:2, 2] = np.array([(width - 1) / 2, (height - 1) / 2]) - middle[:2]
    affine = (K_virtual @ M @ np.linalg.inv(K))[:2]
    return VirtualCamera(M, K_virtual, affine, width, height)
