"""Messages without ROS; that they are those of rclpy is tested in test/ros."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg
from tiny_bag import same

from dense_descriptor_ros.bag_messages import DEFINITIONS, as_ros2, make_bag

MESSAGES = Path(__file__).parents[1] / 'msg'


@pytest.mark.parametrize('name', DEFINITIONS)
def test_definitions_are_those_of_the_package(name: str) -> None:
    text = (MESSAGES / f'{name.rsplit("/")[-1]}.msg').read_text()
    assert get_types_from_msg(DEFINITIONS[name], name) == get_types_from_msg(text, name)


def test_what_is_not_given_has_its_default() -> None:
    message = make_bag('visualization_msgs/msg/Marker', id=3)
    assert (message.id, message.type, message.text, message.frame_locked) == (3, 0, '', False)
    assert (message.header.frame_id, message.header.stamp.sec, message.points) == ('', 0, [])
    orientation = message.pose.orientation
    assert (orientation.x, orientation.y, orientation.z, orientation.w) == (0, 0, 0, 1)


def test_defaults_are_not_shared() -> None:
    first, second = make_bag('geometry_msgs/msg/Pose'), make_bag('geometry_msgs/msg/Pose')
    first.position.x = 1.0
    assert second.position.x == 0


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match='depth'):
        make_bag('geometry_msgs/msg/Point', depth=1.0)


def test_numbers_of_any_kind_become_arrays() -> None:
    message = make_bag('sensor_msgs/msg/CameraInfo', k=range(9))
    assert message.k.dtype == np.float64 and message.k.tolist() == list(range(9))
    assert message.d.dtype == np.float64 and message.d.size == 0 and message.r.tolist() == [0] * 9


def test_a_message_of_ros_2_stays_as_it_is() -> None:
    message = make_bag('sensor_msgs/msg/CameraInfo', width=3, k=range(9), d=[0.1, 0.2])
    assert same(as_ros2(message, 'sensor_msgs/msg/CameraInfo'), message)
