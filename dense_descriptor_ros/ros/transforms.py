"""tf: where the camera was in other frames, and the found frames as frames of tf.

Needs tf2_ros, which ROS distributions have and no wheel does; whoever asks for tf without it is told so.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped, Vector3
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import quaternion_to_rotation, transform
from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.message_types import make_ros
from dense_descriptor_ros.ros.messages import pose


def check_tf(needed_by: list[str]) -> None:
    """Raise ConfigError if settings need tf and there is none."""
    if needed_by and not has_tf():
        raise ConfigError(
            f'{", ".join(needed_by)}: needs tf2_ros, which is not installed; install '
            'ros-$ROS_DISTRO-tf2-ros-py, or leave it unset'
        )


def has_tf() -> bool:
    """Whether tf2_ros is installed."""
    try:
        return find_spec('tf2_ros') is not None
    except ValueError:  # a module without a spec
        return False


class Transforms:
    """Listens to and publishes tf for one node.

    Raises:
        ConfigError: there is no tf2_ros.
    """

    def __init__(self, node: Node) -> None:
        check_tf(['tf'])
        import tf2_ros

        self._tf2_ros: Any = tf2_ros
        self._prefix = node.get_namespace().strip('/')
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._broadcaster = tf2_ros.TransformBroadcaster(node)

    def T_target_source(self, target: str, source: Header, timeout_s: float) -> np.ndarray:
        """Pose (4, 4) of the frame of a header in another frame, at the header's stamp.

        Waits for it, so it must not be called on the thread that receives tf.

        Raises:
            BadFrameError: TRANSFORM, tf does not know it within the time.
        """
        try:
            found = self._buffer.lookup_transform(
                target, source.frame_id, Time.from_msg(source.stamp), Duration(seconds=timeout_s)
            )
        except self._tf2_ros.TransformException as error:
            raise BadFrameError(
                Drop.TRANSFORM,
                f'no transform from {source.frame_id!r} to {target!r} at the stamp of the image within '
                f'{timeout_s} s ({error}): publish it, or allow more by tf_timeout',
            ) from error
        t, q = found.transform.translation, found.transform.rotation
        return transform(quaternion_to_rotation(np.array([q.x, q.y, q.z, q.w])), np.array([t.x, t.y, t.z]))

    def broadcast(self, header: Header, frames: Iterable[AffordanceFrame]) -> None:
        """One tf frame for each part of each object, such as `mug_3_handle`, under the frame of the header.

        A node in a namespace puts it before, as in `left/mug_3_handle`: several cameras see one mug each.
        """
        messages = [
            TransformStamped(
                header=header, child_frame_id=self.child_frame(frame), transform=as_transform(frame)
            )
            for frame in frames
        ]
        if messages:
            self._broadcaster.sendTransform(messages)

    def child_frame(self, frame: AffordanceFrame) -> str:
        """Name of the tf frame of a part."""
        name = f'{frame.category}_{frame.instance}_{frame.part}'
        return f'{self._prefix}/{name}' if self._prefix else name

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()


def as_transform(frame: AffordanceFrame) -> Transform:
    """The frame's pose as tf has it."""
    found = pose(make_ros, frame.T_camera_part())
    position = found.position
    return Transform(
        translation=Vector3(x=position.x, y=position.y, z=position.z), rotation=found.orientation
    )
