"""ROS parameters declared from a frozen dataclass: its fields state name, default, range and meaning once."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from dense_descriptor_ros.errors import ConfigError


class Applies(Enum):
    """When a changed value takes effect."""

    AT_ONCE = 'Changes apply to the next frame.'
    ON_CONFIGURE = 'Read when the node is configured; refused afterwards until clean-up.'
    AT_START = 'Read when the process starts; cannot change.'


def setting(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    applies: Applies = Applies.AT_ONCE,
) -> Any:
    """A field of a `NodeSettings`; numbers have a range, both ends included."""
    metadata = {'description': description, 'low': low, 'high': high, 'applies': applies}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class NodeSettings:
    """What a user of a node can set; a node derives from it.

    Raises:
        ConfigError: a value is outside its range.
    """

    def __post_init__(self) -> None:
        for spec in fields(self):
            value, low, high = getattr(self, spec.name), spec.metadata['low'], spec.metadata['high']
            if low is not None and not low <= value <= high:
                raise ConfigError(f'{spec.name} is {value}: expected {low} to {high}')


Settings = TypeVar('Settings', bound=NodeSettings)


def declare(node: Node, kind: type[NodeSettings]) -> None:
    """Declare every setting as a parameter of the node."""
    for spec in fields(kind):
        node.declare_parameter(spec.name, spec.default, describe(spec.metadata, type(spec.default)))


def describe(metadata: Any, kind: type) -> ParameterDescriptor:
    """Descriptor with the meaning, the range and when a change applies."""
    low, high, applies = metadata['low'], metadata['high'], metadata['applies']
    descriptor = ParameterDescriptor(
        description=f'{metadata["description"]} {applies.value}', read_only=applies is Applies.AT_START
    )
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
