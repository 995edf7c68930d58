"""Messages made by the names of their types, so that what builds them needs no ROS to be imported."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol


class Make(Protocol):
    """Makes messages, as in `make('geometry_msgs/msg/Point', z=1.0)`; what is not given has its default."""

    def __call__(self, type_name: str, /, **fields: Any) -> Any:
        """One message."""


def make_ros(type_name: str, /, **fields: Any) -> Any:
    """A message for rclpy."""
    return ros_class(type_name)(**fields)


def is_installed(type_name: str) -> bool:
    """Whether rclpy has a type."""
    return find_spec(type_name.split('/')[0]) is not None


@cache
def ros_class(type_name: str) -> type:
    """The class that rclpy has for a type such as `sensor_msgs/msg/Image`."""
    package, kind, name = type_name.split('/')
    return getattr(import_module(f'{package}.{kind}'), name)
