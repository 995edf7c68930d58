"""Messages to numpy arrays and back. Needs no ROS: the messages may be those of a bag as well.

The encodings of the interface are views on the message's buffer; bridge.py takes cv_bridge where it works.
"""

from __future__ import annotations

import array
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.message_types import Make

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo, Image
    from std_msgs.msg import Header

MM = 1e-3

COLOUR_CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
DEPTH_DTYPES: dict[str, np.dtype] = {'16UC1': np.dtype(np.uint16), '32FC1': np.dtype(np.float32)}


@dataclass(frozen=True)
class DepthRange:
    """What the values of a depth image mean."""

    min_m: float = 0.0
    """Nearer depth counts as unknown."""
    max_m: float = math.inf
    """Farther depth counts as unknown."""
    unit_m: float = MM
    """Metres of one unit of 16UC1."""


ALL_DEPTH = DepthRange()


@dataclass(frozen=True)
class RgbdFrame:
    """One image with its depth and intrinsics."""

    header: Header
    """Of the image: its stamp and the camera's optical frame."""
    rgb: np.ndarray
    """(H, W, 3) uint8."""
    depth_m: np.ndarray
    """(H, W) float32, 0 where unknown."""
    K: np.ndarray
    """(3, 3) in pixels."""


def rgbd_frame(
    image: Image, depth: Image, camera_info: CameraInfo, depth_range: DepthRange = ALL_DEPTH
) -> RgbdFrame:
    """One frame from its three messages.

    Raises:
        BadFrameError: one of the messages cannot be used, or their sizes differ.
    """
    rgb = image_to_rgb(image)
    if (depth.height, depth.width) != rgb.shape[:2]:
        raise BadFrameError(
            Drop.DEPTH_SIZE,
            f'depth is {depth.width}x{depth.height}, image {image.width}x{image.height}: '
            'publish depth registered to the image',
        )
    K = camera_matrix(camera_info, image.width, image.height)
    return RgbdFrame(image.header, rgb, depth_to_metres(depth, depth_range), K)


def image_to_rgb(message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB copy of an image in one of COLOUR_CHANNELS; mono8 is repeated.

    Raises:
        BadFrameError: IMAGE_ENCODING, IMAGE_SIZE or IMAGE_STEP.
    """
    channels = COLOUR_CHANNELS.get(message.encoding)
    if channels is None:
        raise BadFrameError(
            Drop.IMAGE_ENCODING,
            f'image has encoding {message.encoding!r}, expected one of {sorted(COLOUR_CHANNELS)}',
        )
    if not message.height or not message.width:
        raise BadFrameError(Drop.IMAGE_SIZE, f'image is empty: {message.width}x{message.height}')
    pixels = _pixels(message, np.dtype(np.uint8), channels, Drop.IMAGE_STEP)
    if message.encoding.startswith('bgr'):
        pixels = pixels[..., 2::-1]
    elif channels == 1:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return pixels[..., :3].copy()


def depth_to_metres(message: Image, depth_range: DepthRange = ALL_DEPTH) -> np.ndarray:
    """(H, W) float32 metres from 16UC1 (units, mm by default) or 32FC1 (m).

    0 where it is 0, negative, infinite, NaN or out of range.

    Raises:
        BadFrameError: DEPTH_ENCODING, DEPTH_SIZE, DEPTH_STEP or DEPTH_EMPTY.
    """
    dtype = DEPTH_DTYPES.get(message.encoding)
    if dtype is None:
        raise BadFrameError(
            Drop.DEPTH_ENCODING,
            f'depth has encoding {message.encoding!r}, expected one of {sorted(DEPTH_DTYPES)}',
        )
    if not message.height or not message.width:
        raise BadFrameError(Drop.DEPTH_SIZE, f'depth is empty: {message.width}x{message.height}')
    ordered = dtype.newbyteorder('>' if message.is_bigendian else '<')
    depth_m = _pixels(message, ordered, 1, Drop.DEPTH_STEP)[..., 0].astype(np.float32)
    if message.encoding == '16UC1':
        depth_m *= np.float32(depth_range.unit_m)
    low, high = np.float32(depth_range.min_m), np.float32(depth_range.max_m)
    depth_m[~(np.isfinite(depth_m) & (depth_m > 0) & (depth_m >= low) & (depth_m <= high))] = 0
    if not depth_m.any():
        raise BadFrameError(
            Drop.DEPTH_EMPTY,
            f'depth has no pixel above zero and from {depth_range.min_m:g} to {depth_range.max_m:g} m: '
            'check the sensor and its range',
        )
    return depth_m


def camera_matrix(message: CameraInfo, width: int, height: int) -> np.ndarray:
    """(3, 3) intrinsics in pixels, for an image of the given size; the message may be of ROS 1.

    Raises:
        BadFrameError: CAMERA_INFO_SIZE or CAMERA_INFO_K.
    """
    if (message.width, message.height) != (width, height):
        raise BadFrameError(
            Drop.CAMERA_INFO_SIZE,
            f'camera_info is for {message.width}x{message.height}, the image is '
            f'{width}x{height}: publish the calibration of the images as they are sent',
        )
    K = np.array(message.k if hasattr(message, 'k') else message.K, float).reshape(3, 3)
    if not np.isfinite(K).all() or min(K[0, 0], K[1, 1]) <= 0:
        raise BadFrameError(
            Drop.CAMERA_INFO_K,
            f'camera_info has fx {K[0, 0]:g} and fy {K[1, 1]:g}, expected focal lengths '
            'above 0: calibrate the camera',
        )
    return K


def array_to_image(make: Make, pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """An image message of an array (H, W) or (H, W, C), in this machine's byte order."""
    pixels = np.ascontiguousarray(pixels)
    # The field check of rclpy walks through `bytes` one by one; an array.array passes at once.
    data = array.array('B')
    data.frombytes(pixels.data.cast('B'))
    return make(
        'sensor_msgs/msg/Image',
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == 'big'),
        step=pixels.nbytes // pixels.shape[0],
        data=data,
    )


def _pixels(message: Image, dtype: np.dtype, channels: int, reason: Drop) -> np.ndarray:
    """View (H, W, C) on the message's buffer that leaves out the padding at the end of its rows."""
    row_bytes = message.width * channels * dtype.itemsize
    if message.step < row_bytes or len(message.data) != message.step * message.height:
        raise BadFrameError(
            reason,
            f'{message.encoding} {message.width}x{message.height} has step {message.step} and '
            f'{len(message.data)} bytes, expected a step of at least {row_bytes} and step x height bytes',
        )
    return np.ndarray(
        (message.height, message.width, channels),
        dtype,
        memoryview(message.data),
        strides=(message.step, channels * dtype.itemsize, dtype.itemsize),
    )
