"""The node's settings, from which its ROS parameters are declared: name, default, range and meaning are stated once."""

import re
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from dense_descriptor_ros.errors import ConfigError


class Applies(Enum):
    """When a changed value takes effect."""

    AT_ONCE = 'Changes apply to the next frame.'
    ON_CONFIGURE = 'Read when the node is configured; refused afterwards until clean-up.'
    AT_START = 'Read when the process starts; cannot change.'


def setting(default: Any, description: str, low: float | None = None, high: float | None = None,
            applies: Applies = Applies.AT_ONCE) -> Any:
    """A field of `Settings`; numbers have a range, both ends included."""
    metadata = {'description': description, 'low': low, 'high': high, 'applies': applies}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What a user can set.

    Raises:
        ConfigError: a value is outside its range.
    """

    model_path: str = setting('', 'Checkpoint (.safetensors); empty takes the one that is shipped.',
                              applies=Applies.ON_CONFIGURE)
    device: str = setting('auto', 'Where the network runs: auto, cpu, cuda or cuda:N.', applies=Applies.ON_CONFIGURE)
    autostart: bool = setting(False, 'Whether the node configures and activates itself; a failure ends the process.',
                              applies=Applies.AT_START)
    score_threshold: float = setting(0.5, 'Frames with a lower score are left out.', 0.0, 1.0)
    max_instances: int = setting(16, 'Only this many objects are published, those with the highest scores.', 1, 1000)
    sync_slop_s: float = setting(0.02, 'Largest difference of stamps between an image and its depth, seconds; less '
                                 'than half the period of the camera.', 0.0, 1.0)
    max_frame_age_s: float = setting(0.0, 'Frames older than this when their turn comes are skipped, seconds; 0 never '
                                     'skips. Needs stamps of the clock that the node uses.', 0.0, 3600.0)
    watchdog_s: float = setting(5.0, 'After this long without an input, say which topic is silent and why, seconds; '
                                '0 never does.', 0.0, 3600.0)

    def __post_init__(self) -> None:
        for spec in fields(self):
            value, low, high = getattr(self, spec.name), spec.metadata['low'], spec.metadata['high']
            if low is not None and not low <= value <= high:
                raise ConfigError(f'{spec.name} is {value}: expected {low} to {high}')
        if not re.fullmatch(r'auto|cpu|cuda(:\d+)?', self.device):
            raise ConfigError(f'device is {self.device!r}: expected auto, cpu, cuda or cuda:N')


def declare(node: Node) -> None:
    """Declare every setting as a parameter of the node."""
    for spec in fields(Settings):
        node.declare_parameter(spec.name, spec.default, describe(spec.metadata, type(spec.default)))


def describe(metadata: Any, kind: type) -> ParameterDescriptor:
    """Descriptor with the meaning, the range and when a change applies."""
    low, high, applies = metadata['low'], metadata['high'], metadata['applies']
    descriptor = ParameterDescriptor(description=f"{metadata['description']} {applies.value}",
                                     read_only=applies is Applies.AT_START)
    if kind is float:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif kind is int:
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor


def read(node: Node) -> Settings:
    """The settings as they are now."""
    return Settings(**{spec.name: node.get_parameter(spec.name).value for spec in fields(Settings)})


def check_change(settings: Settings, changes: list[Parameter], configured: bool) -> None:
    """Whether the settings may change so, for a node in its present state.

    Raises:
        ConfigError: a value is out of range, or is only read on configure.
    """
    applies = {spec.name: spec.metadata['applies'] for spec in fields(Settings)}
    ours = {change.name: change.value for change in changes if change.name in applies}
    for name, value in ours.items():
        if configured and applies[name] is Applies.ON_CONFIGURE and value != getattr(settings, name):
            raise ConfigError(f'{name} is read when the node is configured: deactivate and clean up first')
    replace(settings, **ours)
