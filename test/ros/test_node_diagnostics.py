"""What /diagnostics says about a node that works, one that is fed badly and one that hears nothing."""

from typing import Any

import pytest
import rclpy
from conftest import Rig
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from dense_descriptor_ros.ros.diagnostics import diagnostic_array
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics


def latest(rig: Any) -> tuple[DiagnosticStatus, dict[str, str]]:
    """The next status that the node publishes."""
    count = len(rig.diagnostics())
    rig.until(lambda: len(rig.diagnostics()) > count)
    status = rig.diagnostics()[-1]
    return status, {pair.key: pair.value for pair in status.values}


def test_an_unconfigured_node_says_so(rig: Any) -> None:
    status, values = latest(rig)
    assert status.level == DiagnosticStatus.OK
    assert (status.message, values['state']) == ('unconfigured', 'unconfigured')


def test_a_working_node_gives_rates_and_latency(rig: Any) -> None:
    rig.start('acf_poses')
    rig.result()
    status, values = latest(rig)
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'active')
    assert {values[f'{topic}_hz'] for topic in ('image', 'depth', 'camera_info', 'output')} == {'0.2'}
    assert float(values['processing_p50_ms']) <= float(values['processing_p95_ms'])
    assert {f'dropped_{reason.value}' for reason in Drop} <= set(values)


def test_bad_frames_warn_and_failures_are_errors(rig: Any) -> None:
    rig.start('acf_poses')
    messages = rig.messages()
    messages['image'].encoding = 'yuv422'
    rig.send(messages)
    rig.until(lambda: rig.drops.get(Drop.IMAGE_ENCODING))
    status, values = latest(rig)
    assert (status.level, status.message) == (DiagnosticStatus.WARN, 'skipped frames: 1 image_encoding')
    assert values['dropped_image_encoding'] == '1' and 'yuv422' in values['last_error']
    rig.engine.error = RuntimeError('out of memory')
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.FAILURE))
    status, _ = latest(rig)
    assert (status.level, status.message) == (DiagnosticStatus.ERROR, 'RuntimeError: out of memory')


@pytest.fixture
def impatient() -> Any:
    rig = Rig(silence_timeout=0.01)
    yield rig
    rig.close()


def spoken(rig: Any, words: str) -> bool:
    warnings = [status.message for status in rig.diagnostics() if status.level == DiagnosticStatus.WARN]
    return any(words in message for message in warnings)


def test_silence_without_publisher(impatient: Any) -> None:
    for publisher in impatient.publishers.values():
        impatient.peer.destroy_publisher(publisher)
    impatient.node.start()
    impatient.until(lambda: spoken(impatient, f'nothing on {impatient.namespace}/depth: it has no publisher'))


def test_silence_of_a_publisher(impatient: Any) -> None:
    impatient.start()
    impatient.until(lambda: spoken(impatient, '/image: its 1 publisher(s) match but nothing arrives'))


def test_silence_by_qos(impatient: Any, capfd: pytest.CaptureFixture[str]) -> None:
    impatient.peer.destroy_publisher(impatient.publishers['image'])
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    quiet = PublisherEventCallbacks(use_default_callbacks=False)
    impatient.peer.create_publisher(Image, 'image', best_effort, event_callbacks=quiet)
    topic = f'{impatient.namespace}/image'
    impatient.node.declare_parameter(f'qos_overrides.{topic}.subscription.reliability', 'reliable')
    impatient.node.start()
    impatient.until(lambda: 'publisher whose RELIABILITY does not match' in capfd.readouterr().err)
    impatient.until(lambda: spoken(impatient, f'nothing on {topic}: the QoS of peer does not match'))


def test_silence_by_type(impatient: Any, other_context: rclpy.Context) -> None:
    impatient.peer.destroy_publisher(impatient.publishers['image'])
    # In another participant: DDS lets none have two types on a topic.
    node = Node('other', namespace=impatient.namespace, context=other_context)
    node.create_publisher(CompressedImage, 'image', 1)
    impatient.node.start()
    impatient.until(lambda: spoken(impatient, 'other publishes sensor_msgs/msg/CompressedImage there'))
    node.destroy_node()


def test_streams_that_never_pair(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('silence_timeout', 0.9)])
    rig.start('acf_poses')

    def send_unpaired() -> bool:
        messages = rig.messages()
        messages['depth'].header.stamp.sec += 1000
        rig.send(messages)
        return spoken(rig, 'no two within sync_slop: the stamps last differed by')

    rig.until(send_unpaired)


def test_status_of_closed_form_statistics() -> None:
    now = [0.0]
    statistics = Statistics(clock=lambda: now[0])
    for k in range(10):
        now[0] = k / 10
        statistics.received('image')
        statistics.published(latency_s=0.1 * (k + 1), processing_s=0.05)
    snapshot = statistics.snapshot()
    status = diagnostic_array(None, '/perception', 'active', snapshot, []).status[0]
    values = {pair.key: pair.value for pair in status.values}
    assert status.name == '/perception: pipeline'
    assert values['image_hz'] == values['output_hz'] == '2.0'  # 10 in a window of 5 s
    assert (values['latency_p50_ms'], values['latency_p95_ms']) == ('550.0', '955.0')
    assert values['processing_p50_ms'] == '50.0'
    now[0] = 100.0
    assert statistics.snapshot().input_hz == {'image': 0.0}
    assert statistics.snapshot().latency_s is None


def test_new_faults_are_told_once() -> None:
    statistics = Statistics()
    statistics.dropped(Drop.DEPTH_EMPTY, 'no depth')
    statistics.dropped(Drop.SUPERSEDED)
    assert statistics.snapshot().new_faults == {Drop.DEPTH_EMPTY: 1}
    assert statistics.snapshot().new_faults == {}
    assert statistics.snapshot().drops == {Drop.DEPTH_EMPTY: 1, Drop.SUPERSEDED: 1}
    assert statistics.snapshot().last_error == 'no depth'
