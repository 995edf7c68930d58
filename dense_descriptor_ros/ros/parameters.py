"""ROS parameters declared from settings: their fields state name, default, range and meaning once."""

from dataclasses import fields
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from dense_descriptor_ros.ros.node_settings import Applies, NodeSettings

Settings = TypeVar('Settings', bound=NodeSettings)


def declare(node: Node, kind: type[NodeSettings]) -> None:
    """Declare every setting as a parameter of the node."""
    for spec in fields(kind):
        node.declare_parameter(spec.name, spec.default, describe(spec.metadata, type(spec.default)))


def describe(metadata: Any, kind: type) -> ParameterDescriptor:
    """Descriptor with the meaning, the range or choices, and when a change applies."""
    low, high, applies = metadata['low'], metadata['high'], metadata['applies']
    descriptor = ParameterDescriptor(
        description=f'{metadata["description"]} {applies.value}', read_only=applies is Applies.AT_START
    )
    if metadata['choices']:
        descriptor.additional_constraints = f'One of {", ".join(metadata["choices"])}.'
    if kind is float:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif kind is int:
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor


def read(node: Node, kind: type[Settings]) -> Settings:
    """The settings as they are now.

    Raises:
        ConfigError: a value does not fit.
    """
    return kind(**{spec.name: node.get_parameter(spec.name).value for spec in fields(kind)})
