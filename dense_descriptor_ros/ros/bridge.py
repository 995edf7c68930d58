"""cv_bridge, where a ROS distribution brings one that works in this environment.

It is compiled against one numpy, and beside another it may end the process instead of raising, as in a
virtual environment (https://github.com/ros-perception/vision_opencv/issues/535). So a child process tries it.
"""

from __future__ import annotations

import array
import signal
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.ros.compressed import DecodedImage
from dense_descriptor_ros.ros.conversions import COLOUR_CHANNELS, DEPTH_DTYPES, depth_to_metres, image_to_rgb

if TYPE_CHECKING:
    from sensor_msgs.msg import Image

TRIAL_TIMEOUT_S = 30.0
# The child searches where this process does, whatever its PYTHONPATH.
_TRIAL = (
    'import sys; sys.path[:] = sys.argv[1:]; '
    'from dense_descriptor_ros.ros.bridge import try_cv_bridge; try_cv_bridge()'
)


class CvBridge(Protocol):
    """What is used of `cv_bridge.CvBridge`."""

    def imgmsg_to_cv2(self, img_msg: Any, desired_encoding: str = 'passthrough') -> np.ndarray:
        """Pixels (H, W) or (H, W, C) of a sensor_msgs/Image, as they are in the message."""


@cache
def find_cv_bridge() -> tuple[CvBridge | None, str]:
    """A cv_bridge, or None and a sentence on why not, empty where none is installed.

    Looks for it once; where one is installed that takes about a second, at most TRIAL_TIMEOUT_S.
    """
    if not _is_installed():
        return None, ''
    trouble = _trouble_in_child()
    if not trouble:
        try:
            return import_module('cv_bridge').CvBridge(), ''
        except Exception as error:  # whatever a module may raise when it is imported
            trouble = f'raises {type(error).__name__}: {error}'
    return None, (
        f'cv_bridge {trouble}; images are converted without it, to the same pixels. To use it, install one '
        f'for numpy {np.__version__}'
    )


def read_by_cv_bridge(bridge: CvBridge, message: Image) -> Image | DecodedImage:
    """The image as cv_bridge reads it, for `image_to_rgb` or `depth_to_metres`, with the same result.

    The message itself is returned where cv_bridge would raise or give other pixels: its fields contradict
    each other, its encoding is none that the node takes, its byte order is the other one (cv_bridge raises
    beside numpy 2), or the padding of its rows is no whole number of pixels (cv_bridge shears the image); see
    https://github.com/ros-perception/vision_opencv/blob/rolling/cv_bridge/python/cv_bridge/core.py.
    """
    if not _is_read_well(message):
        return message
    return DecodedImage(message.header, message.encoding, bridge.imgmsg_to_cv2(message, 'passthrough'))


def try_cv_bridge() -> None:
    """Convert a small image of each encoding by cv_bridge; only for a process that may be lost.

    Raises:
        DenseDescriptorError: its pixels are not those of the conversion without it.
        Exception: whatever cv_bridge raises.
    """
    bridge = import_module('cv_bridge').CvBridge()
    for encoding in (*COLOUR_CHANNELS, *DEPTH_DTYPES):
        message = _small_image(encoding)
        convert = depth_to_metres if encoding in DEPTH_DTYPES else image_to_rgb
        if not np.array_equal(convert(read_by_cv_bridge(bridge, message)), convert(message)):
            raise DenseDescriptorError(f'cv_bridge gives other pixels for {encoding}')


def _is_installed() -> bool:
    try:
        return find_spec('cv_bridge') is not None
    except ValueError:  # a module without a spec
        return False


def _trouble_in_child() -> str:
    """How a child process fails to convert by cv_bridge; empty if it does not fail."""
    command = [sys.executable, '-c', _TRIAL, *sys.path]
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f'does not answer within {TRIAL_TIMEOUT_S:g} s'
    if child.returncode < 0:
        return f'ends the process by {signal.Signals(-child.returncode).name}'
    if child.returncode:
        return f'fails: {(child.stderr.splitlines() or [f"exit status {child.returncode}"])[-1]}'
    return ''


def _is_read_well(message: Image) -> bool:
    pixel_bytes = _pixel_bytes(message.encoding)
    return (
        pixel_bytes > 0
        and message.height > 0
        and message.width > 0
        and message.step >= message.width * pixel_bytes
        and message.step % pixel_bytes == 0
        and len(message.data) == message.step * message.height
        and bool(message.is_bigendian) == (sys.byteorder == 'big')
    )


def _pixel_bytes(encoding: str) -> int:
    if encoding in DEPTH_DTYPES:
        return DEPTH_DTYPES[encoding].itemsize
    return COLOUR_CHANNELS.get(encoding, 0)


def _small_image(encoding: str) -> Any:
    """Image of 3x2 different pixels, with one of padding in each row."""
    step = 4 * _pixel_bytes(encoding)
    pixels = np.arange(1, 1 + 2 * step, dtype=np.uint8)
    if encoding in DEPTH_DTYPES:
        pixels = np.arange(1, 9, dtype=DEPTH_DTYPES[encoding])
    return SimpleNamespace(
        header=None,
        height=2,
        width=3,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == 'big'),
        step=step,
        data=array.array('B', pixels.tobytes()),
    )
