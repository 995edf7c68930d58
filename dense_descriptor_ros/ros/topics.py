"""The topics that results go to, and how the message of each is built. Needs no ROS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.ros.conversions import RgbdFrame, array_to_image
from dense_descriptor_ros.ros.message_types import Make
from dense_descriptor_ros.ros.messages import affordance_frames, detections, marker_array, pose_array
from dense_descriptor_ros.visualize import descriptors_to_rgb, draw_frames

if TYPE_CHECKING:
    from geometry_msgs.msg import PoseArray
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    from visualization_msgs.msg import MarkerArray

    from dense_descriptor_ros.msg import AffordanceFrameArray


@dataclass(frozen=True)
class Result:
    """What was found in one frame, and where geometry is to be published."""

    frame: RgbdFrame
    found: Prediction
    """In the camera's frame."""
    header: Header
    """With the image's stamp and the frame of `placed`."""
    placed: Sequence[AffordanceFrame]
    """The found frames in the frame of the header."""


Build = Callable[[Make, Result], Any]


def frames_message(make: Make, result: Result) -> AffordanceFrameArray:
    """For planners."""
    return affordance_frames(make, result.header, result.placed, result.found.time_s)


def descriptors_message(make: Make, result: Result) -> Image:
    """Encoding 32FC<D>, one cell a pixel of the network's stride."""
    cells = np.moveaxis(result.found.descriptors, 0, -1)
    return array_to_image(make, cells, f'32FC{cells.shape[-1]}', result.frame.header)


def descriptors_rgb_message(make: Make, result: Result) -> Image:
    """Descriptors for the eye: the same descriptor always has the same colour."""
    return array_to_image(make, descriptors_to_rgb(result.found.descriptors), 'rgb8', result.frame.header)


def overlay_message(make: Make, result: Result) -> Image:
    """The image with the frames drawn."""
    drawn = draw_frames(result.frame.rgb, result.found.frames, result.frame.K)
    return array_to_image(make, drawn, 'rgb8', result.frame.header)


def poses_message(make: Make, result: Result) -> PoseArray:
    """Poses alone, for tools that know only standard messages."""
    return pose_array(make, result.header, result.placed)


def markers_message(make: Make, result: Result) -> MarkerArray:
    """For RViz."""
    return marker_array(make, result.header, result.placed)


def detections_message(make: Make, result: Result) -> Any:
    """For tools that know vision_msgs."""
    return detections(make, result.header, result.placed)


@dataclass(frozen=True)
class Output:
    """One topic and how its message is built."""

    topic: str
    message_type: str
    build: Build

    @property
    def name(self) -> str:
        """The topic without the node's name."""
        return self.topic.removeprefix('~/')


OUTPUTS = (
    Output('~/acf_poses', 'dense_descriptor_ros/msg/AffordanceFrameArray', frames_message),
    Output('~/descriptors', 'sensor_msgs/msg/Image', descriptors_message),
    Output('~/descriptors_rgb', 'sensor_msgs/msg/Image', descriptors_rgb_message),
    Output('~/overlay', 'sensor_msgs/msg/Image', overlay_message),
    Output('~/poses', 'geometry_msgs/msg/PoseArray', poses_message),
    Output('~/markers', 'visualization_msgs/msg/MarkerArray', markers_message),
    Output('~/detections', 'vision_msgs/msg/Detection3DArray', detections_message),
)
"""The last needs a package that not every installation has."""
