"""The topics that the node publishes. A message is built only when somebody listens to its topic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from dense_descriptor_ros.frames import Prediction
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.ros.conversions import RgbdFrame, array_to_image
from dense_descriptor_ros.ros.messages import affordance_frames, marker_array, pose_array
from dense_descriptor_ros.visualize import descriptors_to_rgb, draw_frames

Build = Callable[[RgbdFrame, Prediction], Any]


def frames_message(frame: RgbdFrame, found: Prediction) -> AffordanceFrameArray:
    """For planners."""
    return affordance_frames(frame.header, found.frames, found.time_s)


def descriptors_message(frame: RgbdFrame, found: Prediction) -> Image:
    """Encoding 32FC<D>, one cell a pixel of the network's stride."""
    cells = np.moveaxis(found.descriptors, 0, -1)
    return array_to_image(cells, f'32FC{cells.shape[-1]}', frame.header)


def descriptors_rgb_message(frame: RgbdFrame, found: Prediction) -> Image:
    """Descriptors for the eye: the same descriptor always has the same colour."""
    return array_to_image(descriptors_to_rgb(found.descriptors), 'rgb8', frame.header)


def overlay_message(frame: RgbdFrame, found: Prediction) -> Image:
    """The image with the frames drawn."""
    return array_to_image(draw_frames(frame.rgb, found.frames, frame.K), 'rgb8', frame.header)


def poses_message(frame: RgbdFrame, found: Prediction) -> PoseArray:
    """Poses alone, for tools that know only standard messages."""
    return pose_array(frame.header, found.frames)


def markers_message(frame: RgbdFrame, found: Prediction) -> MarkerArray:
    """For RViz."""
    return marker_array(frame.header, found.frames)


@dataclass(frozen=True)
class Output:
    """One topic and how its message is built."""

    topic: str
    message_type: type
    build: Build


OUTPUTS = (
    Output('~/acf_poses', AffordanceFrameArray, frames_message),
    Output('~/descriptors', Image, descriptors_message),
    Output('~/descriptors_rgb', Image, descriptors_rgb_message),
    Output('~/overlay', Image, overlay_message),
    Output('~/poses', PoseArray, poses_message),
    Output('~/markers', MarkerArray, markers_message),
)


class Outputs:
    """The publishers of a configured node.

    Reliable, so that reliable and best-effort subscribers match; a slow one gets the newest message.
    """

    def __init__(self, node: LifecycleNode, outputs: tuple[Output, ...] = OUTPUTS) -> None:
        self._node = node
        self._publishers = [
            (
                node.create_lifecycle_publisher(
                    output.message_type,
                    output.topic,
                    QoSProfile(depth=1),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                ),
                output.build,
            )
            for output in outputs
        ]

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to any of them."""
        return any(publisher.get_subscription_count() for publisher, _ in self._publishers)

    def publish(self, frame: RgbdFrame, found: Prediction) -> None:
        """Publish on every topic that somebody listens to."""
        for publisher, build in self._publishers:
            if publisher.get_subscription_count():
                publisher.publish(build(frame, found))

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher, _ in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()
