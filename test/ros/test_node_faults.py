"""What may happen in a year of use: the node outlives it, tells it, and accounts for every image."""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import rclpy
from conftest import Rig, image_message
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.worker import Worker

MUTATIONS = 1000
HEAD_BYTES = 88
"""Of a serialised image: stamp, frame, sizes, encoding and step; pixels follow."""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Some random bytes changed, mostly of what describes the pixels; now and then the end is cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        end = min(HEAD_BYTES, len(changed)) if rng.random() < 0.8 else len(changed)
        changed[rng.integers(4, end)] = rng.integers(256)  # the first four say how the rest is encoded
    return bytes(changed[: rng.integers(8, len(changed))] if rng.random() < 0.1 else changed)


def test_a_thousand_mutated_images(rig: Any) -> None:
    """Serialised messages with random bytes changed, as they come out of a cable or an attacker."""
    rng = np.random.default_rng(0)
    rig.start('acf_poses')
    for _ in range(MUTATIONS // 10):
        for _ in range(10):
            messages = rig.messages()
            spoilt = rng.choice(['image', 'depth', 'both'])
            for name, message in messages.items():
                data = serialize_message(message)
                chosen = name == spoilt or (spoilt == 'both' and name != 'camera_info')
                rig.publishers[name].publish(mutate(data, rng) if chosen else data)
            rig.executor.spin_once(timeout_sec=0.0)
        for _ in range(30):
            rig.executor.spin_once(timeout_sec=0.0)
    rig.node.trigger_deactivate()
    snapshot = rig.node.statistics.snapshot()
    assert snapshot.processed + snapshot.dropped_images == snapshot.received['image'] > MUTATIONS / 2
    reasons = set(snapshot.drops)
    assert {Drop.IMAGE_ENCODING, Drop.IMAGE_STEP, Drop.DEPTH_SIZE} <= reasons
    assert Drop.FAILURE not in reasons, snapshot.last_error
    rig.node.trigger_activate()
    rig.match()
    rig.result()


def test_parameter_storm(rig: Any) -> None:
    rng = np.random.default_rng(0)
    rig.start('acf_poses')
    values = {
        'score_threshold': lambda: float(rng.uniform(-0.5, 1.5)),
        'max_instances': lambda: int(rng.integers(-3, 20)),
        'min_depth': lambda: float(rng.uniform(-1, 12)),
        'max_depth': lambda: float(rng.uniform(-1, 12)),
        'tracking': lambda: bool(rng.integers(2)),
        'smoothing': lambda: float(rng.uniform(-0.1, 1)),
        'overlay': lambda: bool(rng.integers(2)),
        'device': lambda: str(rng.choice(['cpu', 'auto', 'toaster'])),
        'image_transport': lambda: str(rng.choice(['raw', 'compressed'])),
    }
    refused = 0
    for count in range(500):
        name = str(rng.choice(list(values)))
        (result,) = rig.node.set_parameters([rig.parameter(name, values[name]())])
        refused += not result.successful
        assert result.successful or result.reason
        if count % 25 == 0:
            rig.send(rig.messages())
    assert 50 < refused < 450
    defaults = PerceptionSettings()
    names = ('tracking', 'smoothing', 'min_depth', 'max_depth', 'score_threshold', 'max_instances')
    restored = [rig.parameter(name, getattr(defaults, name)) for name in names]
    assert rig.node.set_parameters_atomically(restored).successful
    assert len(rig.result().frames) == 3


def test_a_hundred_activations_leave_nothing_behind(rig: Any) -> None:
    rig.node.start()
    created: list[weakref.ref[Worker[Any]]] = []

    def state() -> tuple[int, int, int, int]:
        return (
            threading.active_count(),
            len(list(rig.node.subscriptions)),
            len(list(rig.node.publishers)),
            len(list(rig.node.services)),
        )

    before = state()
    for _ in range(100):
        created.append(weakref.ref(rig.node._worker))
        rig.node.trigger_deactivate()
        rig.node.trigger_activate()
    assert state() == before
    gc.collect()
    assert not any(worker() for worker in created)
    rig.match()
    rig.listen('acf_poses')
    rig.until(lambda: rig.node._outputs.wanted)
    rig.result()


def test_two_namespaces_do_not_hear_each_other() -> None:
    left, right = Rig(), Rig()
    try:
        for rig in (left, right):
            rig.start('acf_poses')
        left.result()
        right.executor.spin_once(timeout_sec=0.2)
        assert not right.received['acf_poses'] and right.count('image') == 0
        right.time_s += 50
        assert right.result().header.stamp != left.received['acf_poses'][-1].header.stamp
        assert len(left.received['acf_poses']) == 1
    finally:
        left.close()
        right.close()


def test_a_second_publisher_on_the_topics(rig: Any, other_context: rclpy.Context) -> None:
    """Two cameras on one topic by mistake: nothing is published under a stamp that nobody sent."""
    rig.start('acf_poses')
    other = Node('second_camera', namespace=rig.namespace, context=other_context)
    publishers = {n: other.create_publisher(Image, n, 10) for n in ('image', 'depth')}
    rig.until(lambda: all(p.get_subscription_count() for p in publishers.values()))
    sent = set()

    def both_send() -> bool:
        messages, second = rig.messages(), rig.messages()
        rig.send(messages)
        for name, publisher in publishers.items():
            second[name].header.stamp.sec -= 50
            second[name].header.frame_id = 'other'
            publisher.publish(second[name])
        sent.update((m['image'].header.frame_id, m['image'].header.stamp.sec) for m in (messages, second))
        return rig.drops.get(Drop.STAMP_BACKWARDS, 0) >= 5

    rig.until(both_send)  # the first ones may come before the other publisher is known
    other.destroy_node()
    assert {(m.header.frame_id, m.header.stamp.sec) for m in rig.received['acf_poses']} <= sent
    rig.time_s += 10
    rig.result()


def test_a_camera_that_dies_and_returns() -> None:
    rig = Rig(silence_timeout=0.3)
    try:
        rig.start('acf_poses')
        rig.result()
        for name in ('image', 'depth', 'camera_info'):
            rig.peer.destroy_publisher(rig.publishers.pop(name))
        rig.until(lambda: rig.diagnostics() and 'it has no publisher' in rig.diagnostics()[-1].message)
        kinds = {'image': Image, 'depth': Image, 'camera_info': CameraInfo}
        rig.publishers = {name: rig.peer.create_publisher(kind, name, 10) for name, kind in kinds.items()}
        rig.match()
        rig.result()
    finally:
        rig.close()


def test_reliability_is_overridden_for_each_topic(rig: Any) -> None:
    topic = f'{rig.namespace}/image'
    rig.node.declare_parameter(f'qos_overrides.{topic}.subscription.reliability', 'reliable')
    rig.start('acf_poses')
    reliability = {s.topic_name: s.qos_profile.reliability for s in rig.node.subscriptions}
    assert reliability[topic] is ReliabilityPolicy.RELIABLE
    assert reliability[f'{rig.namespace}/depth'] is ReliabilityPolicy.BEST_EFFORT
    rig.result()


def test_simulated_time_that_jumps() -> None:
    rig = Rig(use_sim_time=True, max_frame_age=5.0)
    clock = rig.peer.create_publisher(Clock, '/clock', QoSProfile(depth=1))

    def set_clock(time_s: float) -> None:
        message = Clock()
        message.clock.sec = int(time_s)
        while abs(rig.node.get_clock().now().nanoseconds * 1e-9 - int(time_s)) > 0.1:
            clock.publish(message)
            rig.executor.spin_once(timeout_sec=0.02)

    try:
        rig.start('acf_poses')
        for time_s in (100, 5000, 200):  # forwards, and a simulation that starts again
            set_clock(time_s)
            rig.time_s = float(time_s)
            rig.result()
        set_clock(300)
        rig.send(rig.messages())
        rig.until(lambda: rig.drops.get(Drop.TOO_OLD))
        assert rig.drops[Drop.STAMP_BACKWARDS] == 1
    finally:
        rig.peer.destroy_publisher(clock)
        rig.close()


def test_a_frame_is_never_published_under_another_stamp(rig: Any) -> None:
    """Each image says in its pixels when it was taken; results and pixels agree while frames are skipped."""
    rig.start('acf_poses', 'overlay')
    for k in range(30):
        messages = rig.messages()
        pixels = np.full((48, 64, 3), k, np.uint8)
        messages['image'] = image_message(pixels, 'rgb8', rig.time_s)
        rig.send(messages)
    rig.until(lambda: len(rig.received['acf_poses']) == len(rig.received['overlay']) >= 1)
    first_s = 100.1
    for frames, overlay in zip(rig.received['acf_poses'], rig.received['overlay'], strict=True):
        assert frames.header == overlay.header
        corner = overlay.data[3 * 64 - 1]  # no frame is drawn there
        time_s = frames.header.stamp.sec + 1e-9 * frames.header.stamp.nanosec
        assert time_s == pytest.approx(first_s + 0.1 * corner, abs=1e-6)
