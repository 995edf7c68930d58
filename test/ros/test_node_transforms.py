"""tf: frames in another frame, a missing transform, frames published to tf.

tf2_ros is not among the wheels; the stand-in here has its interface and the transforms that a test gives.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import Rig
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray, Quaternion, TransformStamped, Vector3
from rclpy.duration import Duration
from rclpy.time import Time

from dense_descriptor_ros.ros.drops import Drop

HALF = np.sqrt(0.5)


class TransformException(Exception):  # noqa: N818 - its name in tf2_ros
    pass


class FakeTf2:
    """Transforms by (target, source), and what was sent and asked."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], TransformStamped] = {}
        self.asked: list[tuple[str, str, Time, Duration]] = []
        self.sent: list[TransformStamped] = []
        self.listening = 0

    def lookup_transform(self, target: str, source: str, time: Time, timeout: Duration) -> TransformStamped:
        self.asked.append((target, source, time, timeout))
        if (target, source) not in self.known:
            raise TransformException(f'"{target}" does not exist')
        return self.known[target, source]

    def module(self) -> ModuleType:
        module = ModuleType('tf2_ros')
        module.__spec__ = ModuleSpec('tf2_ros', None)
        tf2 = self

        class Listener:
            def __init__(self, buffer: Any, node: Any) -> None:
                tf2.listening += 1

            def unregister(self) -> None:
                tf2.listening -= 1

        class Broadcaster:
            def __init__(self, node: Any) -> None:
                pass

            def sendTransform(self, transforms: list[TransformStamped]) -> None:
                tf2.sent += transforms

        names = {
            'Buffer': lambda node: tf2,
            'TransformListener': Listener,
            'TransformBroadcaster': Broadcaster,
            'TransformException': TransformException,
        }
        vars(module).update(names)
        return module


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> FakeTf2:
    fake = FakeTf2()
    monkeypatch.setitem(sys.modules, 'tf2_ros', fake.module())
    return fake


@pytest.fixture
def rig(tf2: FakeTf2) -> Any:
    rig = Rig()
    yield rig
    rig.close()
    assert tf2.listening == 0


def set_parameters(rig: Any, **values: Any) -> None:
    for result in rig.node.set_parameters([rig.parameter(name, value) for name, value in values.items()]):
        assert result.successful, result.reason


def quarter_turn_about_z() -> TransformStamped:
    """From the camera: x becomes y, then a step of (1, 2, 3)."""
    message = TransformStamped()
    message.transform.translation = Vector3(x=1.0, y=2.0, z=3.0)
    message.transform.rotation = Quaternion(z=HALF, w=HALF)
    return message


def test_frames_and_poses_come_in_the_target_frame(rig: Any, tf2: FakeTf2) -> None:
    tf2.known['base', 'optical'] = quarter_turn_about_z()
    set_parameters(rig, target_frame='base', tf_timeout=0.5)
    rig.start('acf_poses', 'poses', 'descriptors')
    found = rig.result()
    assert found.header.frame_id == 'base'
    body = found.frames[0]  # at (0.1, 0.2, 0.5) in the camera frame, z forward, x its second axis
    position = body.pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], [1 - 0.2, 2 + 0.1, 3.5], atol=1e-9)
    np.testing.assert_allclose([body.axis.x, body.axis.y, body.axis.z], [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose([body.pose.orientation.z, body.pose.orientation.w], [HALF, HALF], atol=1e-9)
    rig.until(lambda: rig.received['poses'] and rig.received['descriptors'])
    poses: PoseArray = rig.received['poses'][-1]
    assert (poses.header.frame_id, poses.poses[0].position) == ('base', position)
    assert rig.received['descriptors'][-1].header.frame_id == 'optical'
    target, source, time, timeout = tf2.asked[-1]
    assert (target, source) == ('base', 'optical')
    assert Time.from_msg(found.header.stamp, clock_type=time.clock_type) == time
    assert timeout.nanoseconds == 5e8


def test_a_missing_transform_is_an_error_and_never_identity(rig: Any, tf2: FakeTf2) -> None:
    set_parameters(rig, target_frame='base')
    rig.start('acf_poses')
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.TRANSFORM))
    rig.until(
        lambda: any(
            status.level == DiagnosticStatus.ERROR and "from 'optical' to 'base'" in status.message
            for status in rig.diagnostics()
        )
    )
    assert not rig.received['acf_poses']
    tf2.known['base', 'optical'] = quarter_turn_about_z()
    assert rig.result().header.frame_id == 'base'


def test_each_part_of_each_object_is_a_tf_frame(rig: Any, tf2: FakeTf2) -> None:
    set_parameters(rig, publish_tf=True)
    rig.node.start()
    rig.match()
    rig.send(rig.messages())  # nobody listens to a topic
    rig.until(lambda: tf2.sent)
    prefix = rig.namespace.strip('/')
    assert [message.child_frame_id for message in tf2.sent] == [
        f'{prefix}/mug_0_body', f'{prefix}/mug_0_handle', f'{prefix}/mug_1_body',
    ]  # fmt: skip
    assert {message.header.frame_id for message in tf2.sent} == {'optical'}
    translation = tf2.sent[0].transform.translation
    np.testing.assert_allclose([translation.x, translation.y, translation.z], [0.1, 0.2, 0.5])
    np.testing.assert_allclose(tf2.sent[0].transform.rotation.w, 1)


def test_objects_are_tracked_in_the_fixed_frame(rig: Any, tf2: FakeTf2) -> None:
    """The camera jumps by a metre and the object with it: in the fixed frame that is another object."""
    message = TransformStamped()
    tf2.known['odom', 'optical'] = message
    set_parameters(rig, fixed_frame='odom')
    rig.start('acf_poses')
    first = rig.result().frames[0].instance_id
    assert rig.result().frames[0].instance_id == first
    message.transform.translation.y = 1.0
    assert rig.result().frames[0].instance_id != first
