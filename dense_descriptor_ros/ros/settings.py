"""What a user of the perception node can set. Needs no ROS."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.ros.conversions import DepthRange
from dense_descriptor_ros.ros.node_settings import Applies, NodeSettings, setting
from dense_descriptor_ros.runtime import ENGINES, PRECISIONS, Runtime
from dense_descriptor_ros.tracking import TrackingConfig

if TYPE_CHECKING:
    from rclpy.parameter import Parameter

IMAGE_TRANSPORTS = ('raw', 'compressed')
DEPTH_TRANSPORTS = ('raw', 'compressedDepth')


@dataclass(frozen=True)
class PerceptionSettings(NodeSettings):
    """The node's parameters.

    Raises:
        ConfigError: a value is outside its range.
    """

    model_path: str = setting(
        '', 'Checkpoint (.safetensors); empty takes the one that is shipped.', applies=Applies.ON_LOAD
    )
    device: str = setting(
        'auto', 'Where the network runs: auto, cpu, cuda or cuda:N.', applies=Applies.ON_LOAD
    )
    engine: str = setting('auto', 'What runs the network.', choices=ENGINES, applies=Applies.ON_LOAD)
    precision: str = setting(
        'auto',
        'Number format of the network; auto takes the fastest that the device has.',
        choices=PRECISIONS,
        applies=Applies.ON_LOAD,
    )
    autostart: bool = setting(
        False,
        'Whether the node configures and activates itself; a failure ends the process.',
        applies=Applies.AT_START,
    )
    image_transport: str = setting(
        'raw',
        'raw subscribes to image, compressed to image/compressed (JPEG or PNG).',
        choices=IMAGE_TRANSPORTS,
        applies=Applies.ON_ACTIVATE,
    )
    depth_transport: str = setting(
        'raw',
        'raw subscribes to depth, compressedDepth to depth/compressedDepth.',
        choices=DEPTH_TRANSPORTS,
        applies=Applies.ON_ACTIVATE,
    )
    score_threshold: float = setting(0.5, 'Frames with a lower score are left out.', 0.0, 1.0)
    max_instances: int = setting(16, 'At most so many objects, those with the highest scores.', 1, 1000)
    min_depth: float = setting(0.1, 'Nearer depth counts as unknown, metres.', 0.0, 100.0)
    max_depth: float = setting(10.0, 'Farther depth counts as unknown, metres.', 0.0, 100.0)
    depth_scale: float = setting(0.001, 'Metres of one unit of depth in 16UC1.', 1e-6, 1.0)
    sync_slop: float = setting(
        0.02,
        'Largest difference of stamps between an image and its depth, seconds; less than half the '
        'period of the camera.',
        0.0,
        1.0,
    )
    max_frame_age: float = setting(
        0.0,
        'Frames older than this when their turn comes are skipped, seconds; 0 never skips. Needs stamps '
        'of the clock that the node uses.',
        0.0,
        3600.0,
    )
    max_rate: float = setting(0.0, 'At most so many frames a second; 0 is as many as it can.', 0.0, 1000.0)
    overlay: bool = setting(True, 'Whether ~/overlay is drawn for those who listen to it.')
    tracking: bool = setting(True, 'Whether objects keep their instance_id from image to image.')
    tracking_gate: float = setting(
        0.08, 'An object may be so far from where it is expected, metres.', 0.001, 10.0
    )
    tracking_memory: float = setting(
        1.0, 'An object that is not seen for longer is a new one, seconds.', 0.0, 3600.0
    )
    fixed_frame: str = setting(
        '',
        'tf frame in which objects stand still, such as odom or base_link; needed for tracking and smoothing '
        "from a camera that moves. Empty takes the camera's own.",
    )
    smoothing: float = setting(
        0.0,
        'Time constant of the low pass on keypoints and axes, seconds; 0 is off. An object that moves is '
        'followed at once. Needs tracking.',
        0.0,
        60.0,
    )
    target_frame: str = setting(
        '', 'tf frame of the published frames, poses and markers; empty takes the camera frame.'
    )
    tf_timeout: float = setting(
        0.1, 'Longest wait for a transform at the stamp of a frame, seconds.', 0.0, 10.0
    )
    publish_tf: bool = setting(False, 'Whether each part of each object is also a tf frame.')
    silence_timeout: float = setting(
        5.0,
        'After so long without an input, say which topic is silent and why, seconds; 0 never does.',
        0.0,
        3600.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.runtime
        if self.min_depth >= self.max_depth:
            raise ConfigError(
                f'min_depth is {self.min_depth}: expected less than max_depth, {self.max_depth}'
            )
        if self.smoothing and not self.tracking:
            raise ConfigError(f'smoothing is {self.smoothing} without tracking: set tracking as well')

    @property
    def runtime(self) -> Runtime:
        """What runs the network."""
        return Runtime(self.device, self.engine, self.precision)

    @property
    def tracking_config(self) -> TrackingConfig:
        """How objects are followed."""
        return TrackingConfig(
            gate_m=self.tracking_gate, forget_after_s=self.tracking_memory, smoothing_s=self.smoothing
        )

    @property
    def depth_range(self) -> DepthRange:
        """What depth means."""
        return DepthRange(self.min_depth, self.max_depth, self.depth_scale)

    @property
    def needs_tf(self) -> list[str]:
        """Names of the settings that need tf as they are set."""
        return [name for name in ('fixed_frame', 'target_frame', 'publish_tf') if getattr(self, name)]


def check_change(settings: PerceptionSettings, changes: list[Parameter], active: bool) -> PerceptionSettings:
    """The settings as they would be after a change, for a node that is active or not.

    Raises:
        ConfigError: a value is out of range, or is only read on activate.
    """
    applies = {spec.name: spec.metadata['applies'] for spec in fields(settings)}
    ours = {change.name: change.value for change in changes if change.name in applies}
    for name, value in ours.items():
        if active and applies[name] is Applies.ON_ACTIVATE and value != getattr(settings, name):
            raise ConfigError(f'{name} is read when the node is activated: deactivate it first')
    return replace(settings, **ours)
