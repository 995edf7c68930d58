"""What a user of the perception node can set."""

import re
from dataclasses import dataclass, fields, replace

from rclpy.parameter import Parameter

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.ros.parameters import Applies, NodeSettings, setting


@dataclass(frozen=True)
class PerceptionSettings(NodeSettings):
    """The node's parameters.

    Raises:
        ConfigError: a value is outside its range.
    """

    model_path: str = setting(
        '', 'Checkpoint (.safetensors); empty takes the one that is shipped.', applies=Applies.ON_CONFIGURE
    )
    device: str = setting(
        'auto', 'Where the network runs: auto, cpu, cuda or cuda:N.', applies=Applies.ON_CONFIGURE
    )
    autostart: bool = setting(
        False,
        'Whether the node configures and activates itself; a failure ends the process.',
        applies=Applies.AT_START,
    )
    score_threshold: float = setting(0.5, 'Frames with a lower score are left out.', 0.0, 1.0)
    max_instances: int = setting(16, 'At most so many objects, those with the highest scores.', 1, 1000)
    sync_slop_s: float = setting(
        0.02,
        'Largest difference of stamps between an image and its depth, seconds; less than half the '
        'period of the camera.',
        0.0,
        1.0,
    )
    max_frame_age_s: float = setting(
        0.0,
        'Frames older than this when their turn comes are skipped, seconds; 0 never skips. Needs stamps '
        'of the clock that the node uses.',
        0.0,
        3600.0,
    )
    watchdog_s: float = setting(
        5.0,
        'After so long without an input, say which topic is silent and why, seconds; 0 never does.',
        0.0,
        3600.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r'auto|cpu|cuda(:\d+)?', self.device):
            raise ConfigError(f'device is {self.device!r}: expected auto, cpu, cuda or cuda:N')


def check_change(settings: PerceptionSettings, changes: list[Parameter], configured: bool) -> None:
    """Whether the settings may change so, for a node in its present state.

    Raises:
        ConfigError: a value is out of range, or is only read on configure.
    """
    applies = {spec.name: spec.metadata['applies'] for spec in fields(settings)}
    ours = {change.name: change.value for change in changes if change.name in applies}
    for name, value in ours.items():
        if configured and applies[name] is Applies.ON_CONFIGURE and value != getattr(settings, name):
            raise ConfigError(f'{name} is read when the node is configured: deactivate and clean up first')
    replace(settings, **ours)
