"""The topics that the node subscribes to. Callbacks only store; nothing here waits for the inference."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics
from dense_descriptor_ros.ros.reporter import Reporter
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.sync import Stream, Synchroniser, stamp_ns
from dense_descriptor_ros.ros.watchdog import explain_silence


def sensor_data_qos() -> QoSProfile:
    """SensorData. A new profile each time: rclpy writes the overrides of a topic into the one it is given."""
    return QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class RawFrame:
    """Messages that belong together, not yet looked into."""

    image: Image | CompressedImage
    depth: Image | CompressedImage
    camera_info: CameraInfo


class Inputs:
    """The subscriptions of an active node: pairs image and depth, adds the camera_info, submits all three."""

    def __init__(
        self,
        node: LifecycleNode,
        settings: Callable[[], PerceptionSettings],
        submit: Callable[[RawFrame], None],
        reporter: Reporter,
        statistics: Statistics,
    ) -> None:
        self._node = node
        self._settings = settings
        self._submit = submit
        self._reporter = reporter
        self._statistics = statistics
        self._camera_info: CameraInfo | None = None
        self._synchroniser: Synchroniser[Image | CompressedImage] = Synchroniser(reporter.drop)
        self._last_s = dict.fromkeys(('image', 'depth', 'camera_info', 'pair'), time.monotonic())
        transports = {Stream.IMAGE: settings().image_transport, Stream.DEPTH: settings().depth_transport}
        self._subscriptions: dict[str, Subscription] = {
            stream.topic: self._subscribe_to_images(stream, transport)
            for stream, transport in transports.items()
        }
        self._subscriptions['camera_info'] = self._subscribe(CameraInfo, 'camera_info', self._on_camera_info)

    def destroy(self) -> None:
        """Unsubscribe, and give up what waits for its partner."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._synchroniser.give_up()

    def silence(self, after_s: float) -> dict[str, str]:
        """A sentence for each topic, or for the pairing, from which nothing has come for so long.

        One camera_info is enough: its calibration holds until another comes.
        """
        now = time.monotonic()
        late = [
            topic
            for topic, last_s in self._last_s.items()
            if now - last_s > after_s and not (topic == 'camera_info' and self._camera_info)
        ]
        if late == ['pair']:
            gap = self._synchroniser.last_gap_s
            last = 'more than the buffer holds' if gap is None else f'{gap:.3f} s'
            return {
                'pair': 'image and depth arrive, but no two within sync_slop: '
                f'the stamps last differed by {last}'
            }
        silent = {topic: self._subscriptions[topic] for topic in late if topic != 'pair'}
        return {topic: explain_silence(self._node, subscription) for topic, subscription in silent.items()}

    def _subscribe_to_images(self, stream: Stream, transport: str) -> Subscription:
        callback = partial(self._on_image, stream)
        if transport == 'raw':
            return self._subscribe(Image, stream.topic, callback)
        # As image_transport does: the transport's name follows that of the topic, however that is remapped.
        topic = f'{self._node.resolve_topic_name(stream.topic)}/{transport}'
        return self._subscribe(CompressedImage, topic, callback)

    def _subscribe(self, message_type: type, topic: str, callback: Callable[[Any], None]) -> Subscription:
        events = SubscriptionEventCallbacks(incompatible_qos=partial(self._on_incompatible_qos, topic))
        return self._node.create_subscription(
            message_type,
            topic,
            callback,
            sensor_data_qos(),
            event_callbacks=events,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _on_incompatible_qos(self, topic: str, event: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        name = self._node.resolve_topic_name(topic)
        self._reporter.silence(
            topic,
            f'nothing on {name} from a publisher whose {policy} does not match: '
            f'set qos_overrides.{name}.subscription.{policy.lower()}',
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._note('camera_info')
        self._camera_info = message

    def _on_image(self, stream: Stream, message: Image | CompressedImage) -> None:
        self._note(stream.topic)
        pair = self._synchroniser.add(stream, stamp_ns(message.header), message, self._settings().sync_slop)
        if pair is None:
            return
        self._last_s['pair'] = time.monotonic()
        if self._camera_info is None:
            self._reporter.drop(Drop.CAMERA_INFO_MISSING, 'no camera_info yet: publish it with the images')
            return
        self._submit(RawFrame(*pair, self._camera_info))

    def _note(self, topic: str) -> None:
        self._last_s[topic] = time.monotonic()
        self._statistics.received(topic)
