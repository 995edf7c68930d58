"""What a user of a node can set, as a frozen dataclass: name, default, range and meaning. Needs no ROS."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from dense_descriptor_ros.errors import ConfigError


class Applies(Enum):
    """When a changed value takes effect."""

    AT_ONCE = 'Changes apply to the next frame.'
    ON_LOAD = 'Read when the network is loaded: on configure and by ~/reload_model.'
    ON_ACTIVATE = 'Read when the node is activated; refused while it is active.'
    AT_START = 'Read when the process starts; cannot change.'


def setting(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    applies: Applies = Applies.AT_ONCE,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a `NodeSettings`; numbers have a range, both ends included, some strings a few choices."""
    metadata = {
        'description': description,
        'low': low,
        'high': high,
        'choices': choices,
        'applies': applies,
    }
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
            choices = spec.metadata['choices']
            if choices and value not in choices:
                raise ConfigError(f'{spec.name} is {value!r}: expected one of {list(choices)}')
