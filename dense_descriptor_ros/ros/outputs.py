"""Publishes results. A message is built only when somebody listens to its topic."""

from collections.abc import Collection, Sequence

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header

from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.ros.conversions import RgbdFrame
from dense_descriptor_ros.ros.message_types import is_installed, make_ros, ros_class
from dense_descriptor_ros.ros.topics import OUTPUTS, Output, Result


class Outputs:
    """The publishers of a configured node.

    Reliable, so that reliable and best-effort subscribers match; a slow one gets the newest message.
    """

    def __init__(self, node: LifecycleNode, outputs: tuple[Output, ...] = OUTPUTS) -> None:
        self._node = node
        self._publishers = [
            (
                node.create_lifecycle_publisher(
                    ros_class(output.message_type),
                    output.topic,
                    QoSProfile(depth=1),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                ),
                output,
            )
            for output in outputs
            if is_installed(output.message_type)
        ]

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to any of them."""
        return any(publisher.get_subscription_count() for publisher, _ in self._publishers)

    def publish(
        self,
        frame: RgbdFrame,
        found: Prediction,
        header: Header,
        placed: Sequence[AffordanceFrame],
        skip: Collection[str] = (),
    ) -> None:
        """Publish on every topic that somebody listens to.

        Args:
            frame: the images.
            found: what was found in them, in the camera's frame.
            header: of the messages that are geometry.
            placed: the found frames in the frame of that header.
            skip: topics to leave out, such as `~/overlay`.
        """
        result = Result(frame, found, header, placed)
        for publisher, output in self._publishers:
            if output.topic not in skip and publisher.get_subscription_count():
                publisher.publish(output.build(make_ros, result))

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher, _ in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()
