"""Predictions as messages, of rclpy and of recordings."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker

from dense_descriptor_ros.bag import KNOWN_OUTPUTS
from dense_descriptor_ros.bag_messages import make_bag, message_types, serialise
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import frame_rotation
from dense_descriptor_ros.ros import messages
from dense_descriptor_ros.ros.message_types import Make, make_ros, ros_class
from dense_descriptor_ros.ros.messages import (
    affordance_frames,
    detections,
    duration,
    marker_array,
    pose_array,
)
from dense_descriptor_ros.selection import select

GEOMETRY = {f'geometry_msgs/msg/{name}' for name in ('Pose', 'Point', 'Quaternion', 'PoseWithCovariance')}
AXIS, SECOND = np.array([0.6, 0, 0.8]), np.array([0, 1.0, 0])


@pytest.fixture(params=[make_ros, make_bag], ids=['rclpy', 'bag'])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


@pytest.fixture
def header(make: Make) -> Any:
    return make('std_msgs/msg/Header', frame_id='optical')


def frame(
    part: str = 'handle', instance: int = 2, score: float = 0.75, second: np.ndarray | None = SECOND
) -> AffordanceFrame:
    return AffordanceFrame('mug', part, instance, score, np.array([0.1, -0.2, 0.8]), AXIS, second)


def rotation(message: Any) -> np.ndarray:
    """Matrix of the pose's quaternion, by the textbook's formula."""
    q = message.pose.orientation
    x, y, z, w = q.x, q.y, q.z, q.w
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_affordance_frame(make: Make, header: Any) -> None:
    message = affordance_frames(make, header, [replace(frame(), age_s=2.5)], 1.25)
    assert message.header == header
    assert (message.processing_time.sec, message.processing_time.nanosec) == (1, 250_000_000)
    (found,) = message.frames
    assert (found.age.sec, found.age.nanosec) == (2, 500_000_000)
    assert (found.category, found.part, found.instance_id, found.score) == ('mug', 'handle', 2, 0.75)
    assert (found.pose.position.x, found.pose.position.y, found.pose.position.z) == (0.1, -0.2, 0.8)
    assert (found.axis.x, found.axis.y, found.axis.z) == (0.6, 0, 0.8)
    assert found.orientation_complete
    np.testing.assert_allclose(rotation(found), frame_rotation(AXIS, SECOND), atol=1e-12)


def test_pose_without_second_axis_still_has_z_along_the_axis(make: Make, header: Any) -> None:
    (found,) = affordance_frames(make, header, [frame(second=None)], 0).frames
    assert not found.orientation_complete
    np.testing.assert_allclose(rotation(found)[:, 2], AXIS, atol=1e-12)


def test_pose_array_keeps_the_order(make: Make, header: Any) -> None:
    message = pose_array(make, header, [frame(), frame(second=None)])
    assert message.header == header
    assert [pose.position.z for pose in message.poses] == [0.8, 0.8]


def test_markers_replace_the_last_images(make: Make, header: Any) -> None:
    markers = marker_array(make, header, [frame(), frame(second=None)]).markers
    assert markers[0].action == Marker.DELETEALL
    assert {marker.action for marker in markers[1:]} == {Marker.ADD}
    assert all(marker.header == header for marker in markers)
    assert len({(marker.ns, marker.id) for marker in markers}) == len(markers)
    namespaces = [marker.ns for marker in markers[1:]]
    assert sorted(namespaces) == ['axis', 'axis', 'keypoint', 'keypoint', 'label', 'label', 'second_axis']
    arrow = next(marker for marker in markers if marker.ns == 'axis')
    start, end = (np.array([p.x, p.y, p.z]) for p in arrow.points)
    np.testing.assert_allclose((end - start) / np.linalg.norm(end - start), AXIS)
    assert next(marker for marker in markers if marker.ns == 'label').text == 'handle 0.75'


def test_no_frames_clear_the_markers(make: Make, header: Any) -> None:
    assert [marker.action for marker in marker_array(make, header, []).markers] == [Marker.DELETEALL]


@pytest.mark.parametrize('name', ['ARROW', 'SPHERE', 'TEXT_VIEW_FACING', 'DELETEALL'])
def test_marker_constants_are_those_of_the_message(name: str) -> None:
    assert getattr(messages, name) == getattr(Marker, name)


@pytest.mark.parametrize(
    ('time_s', 'sec', 'nanosec'), [(0, 0, 0), (0.9999999999, 1, 0), (2.5, 2, 500_000_000)]
)
def test_duration(make: Make, time_s: float, sec: int, nanosec: int) -> None:
    message = duration(make, time_s)
    assert (message.sec, message.nanosec) == (sec, nanosec)


def test_select_keeps_whole_objects_with_the_best_scores() -> None:
    frames = [frame('body', 0, 0.5), frame('body', 1, 0.6), frame('handle', 1, 0.95), frame('body', 2, 0.9)]
    assert [(f.instance, f.part) for f in select(frames, 0.0, 2)] == [(1, 'body'), (1, 'handle'), (2, 'body')]
    assert [(f.instance, f.part) for f in select(frames, 0.7, 9)] == [(1, 'handle'), (2, 'body')]
    assert select([], 0.5, 3) == []


def parts(type_name: str) -> set[str]:
    """A type and all that its fields are made of."""
    found = {type_name}
    for _, (_, what) in message_types().fielddefs[type_name][1]:
        inner = what if isinstance(what, str) else what[0][1] if isinstance(what[0], tuple) else None
        if isinstance(inner, str):
            found |= parts(inner)
    return found


OF_OUTPUTS = sorted(set.union(*(parts(output.message_type) for output in KNOWN_OUTPUTS)))


@pytest.mark.parametrize('type_name', OF_OUTPUTS)
def test_defaults_of_a_recorded_message_are_those_of_ros(type_name: str) -> None:
    raw = bytes(serialise(make_bag(type_name), type_name))
    assert deserialize_message(raw, ros_class(type_name)) == make_ros(type_name)


def test_rclpy_reads_from_a_recording_what_it_would_receive() -> None:
    frames = [frame(), frame('body', second=None), frame('opening', 3, 0.1)]

    def built(make: Make) -> list[Any]:
        header = make('std_msgs/msg/Header', frame_id='optical')
        return [
            affordance_frames(make, header, frames, 0.3),
            pose_array(make, header, frames),
            marker_array(make, header, frames),
        ]

    for ours, ros in zip(built(make_bag), built(make_ros), strict=True):
        raw = bytes(serialise(ours, ours.__msgtype__))
        assert deserialize_message(raw, type(ros)) == deserialize_message(serialize_message(ros), type(ros))


def test_a_detection_is_an_object_with_its_first_pose_and_best_score() -> None:
    """vision_msgs is not among the wheels: the messages are plain objects here."""

    def plain(type_name: str, /, **fields: Any) -> Any:
        return (
            make_ros(type_name, **fields) if type_name.startswith('geometry') else SimpleNamespace(**fields)
        )

    frames = [frame('body', 7, 0.6), frame('handle', 7, 0.9), frame('body', 9, 0.5)]
    array = detections(plain, 'header', frames)
    assert [found.id for found in array.detections] == ['7', '9']
    first = array.detections[0]
    assert (first.header, array.header) == ('header', 'header')
    [result] = first.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ('mug', 0.9)
    assert result.pose.pose == first.bbox.center
    assert (first.bbox.center.position.x, first.bbox.center.position.z) == (0.1, 0.8)
