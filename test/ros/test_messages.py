"""Predictions as messages."""

import numpy as np
import pytest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import frame_rotation
from dense_descriptor_ros.msg import AffordanceFrame as AffordanceFrameMessage
from dense_descriptor_ros.ros.messages import affordance_frames, duration, marker_array, pose_array
from dense_descriptor_ros.ros.pipeline import select

HEADER = Header(frame_id='optical')
AXIS, SECOND = np.array([0.6, 0, 0.8]), np.array([0, 1.0, 0])


def frame(
    part: str = 'handle', instance: int = 2, score: float = 0.75, second: np.ndarray | None = SECOND
) -> AffordanceFrame:
    return AffordanceFrame('mug', part, instance, score, np.array([0.1, -0.2, 0.8]), AXIS, second)


def rotation(message: AffordanceFrameMessage) -> np.ndarray:
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


def test_affordance_frame() -> None:
    message = affordance_frames(HEADER, [frame()], 1.25)
    assert message.header == HEADER
    assert (message.processing_time.sec, message.processing_time.nanosec) == (1, 250_000_000)
    (found,) = message.frames
    assert (found.category, found.part, found.instance_id, found.score) == ('mug', 'handle', 2, 0.75)
    assert (found.pose.position.x, found.pose.position.y, found.pose.position.z) == (0.1, -0.2, 0.8)
    assert (found.axis.x, found.axis.y, found.axis.z) == (0.6, 0, 0.8)
    assert found.orientation_complete
    np.testing.assert_allclose(rotation(found), frame_rotation(AXIS, SECOND), atol=1e-12)


def test_pose_without_second_axis_still_has_z_along_the_axis() -> None:
    (found,) = affordance_frames(HEADER, [frame(second=None)], 0).frames
    assert not found.orientation_complete
    np.testing.assert_allclose(rotation(found)[:, 2], AXIS, atol=1e-12)


def test_pose_array_keeps_the_order() -> None:
    message = pose_array(HEADER, [frame(), frame(second=None)])
    assert message.header == HEADER
    assert [pose.position.z for pose in message.poses] == [0.8, 0.8]


def test_markers_replace_the_last_images() -> None:
    markers = marker_array(HEADER, [frame(), frame(second=None)]).markers
    assert markers[0].action == Marker.DELETEALL
    assert {marker.action for marker in markers[1:]} == {Marker.ADD}
    assert all(marker.header == HEADER for marker in markers)
    assert len({(marker.ns, marker.id) for marker in markers}) == len(markers)
    namespaces = [marker.ns for marker in markers[1:]]
    assert sorted(namespaces) == ['axis', 'axis', 'keypoint', 'keypoint', 'label', 'label', 'second_axis']
    arrow = next(marker for marker in markers if marker.ns == 'axis')
    start, end = (np.array([p.x, p.y, p.z]) for p in arrow.points)
    np.testing.assert_allclose((end - start) / np.linalg.norm(end - start), AXIS)
    assert next(marker for marker in markers if marker.ns == 'label').text == 'handle 0.75'


def test_no_frames_clear_the_markers() -> None:
    assert [marker.action for marker in marker_array(HEADER, []).markers] == [Marker.DELETEALL]


@pytest.mark.parametrize(
    ('time_s', 'sec', 'nanosec'), [(0, 0, 0), (0.9999999999, 1, 0), (2.5, 2, 500_000_000)]
)
def test_duration(time_s: float, sec: int, nanosec: int) -> None:
    message = duration(time_s)
    assert (message.sec, message.nanosec) == (sec, nanosec)


def test_select_keeps_whole_objects_with_the_best_scores() -> None:
    frames = [frame('body', 0, 0.5), frame('body', 1, 0.6), frame('handle', 1, 0.95), frame('body', 2, 0.9)]
    assert [(f.instance, f.part) for f in select(frames, 0.0, 2)] == [(1, 'body'), (1, 'handle'), (2, 'body')]
    assert [(f.instance, f.part) for f in select(frames, 0.7, 9)] == [(1, 'handle'), (2, 'body')]
    assert select([], 0.5, 3) == []
