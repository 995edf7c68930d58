"""From the messages of one frame to published results. Runs on the worker's thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rclpy.clock import Clock
from rclpy.time import Time
from std_msgs.msg import Header

from dense_descriptor_ros.frames import Prediction
from dense_descriptor_ros.ros.conversions import RgbdFrame
from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics
from dense_descriptor_ros.ros.inputs import RawFrame
from dense_descriptor_ros.ros.model_loading import PerceptionEngine
from dense_descriptor_ros.ros.outputs import Outputs
from dense_descriptor_ros.ros.perceive import Perceiver
from dense_descriptor_ros.ros.reporter import Reporter
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.transforms import Transforms

NS = 1e-9


@dataclass(frozen=True)
class Environment:
    """What a pipeline asks anew for each frame, since it may change while the node is active."""

    engine: Callable[[], PerceptionEngine]
    settings: Callable[[], PerceptionSettings]
    transforms: Callable[[], Transforms]
    enabled: Callable[[], bool]


class Pipeline:
    """Converts, infers, publishes; a frame that cannot be used is reported and the next one taken."""

    def __init__(
        self,
        environment: Environment,
        outputs: Outputs,
        clock: Clock,
        statistics: Statistics,
        reporter: Reporter,
        perceiver: Perceiver,
    ) -> None:
        self._environment = environment
        self._outputs = outputs
        self._clock = clock
        self._statistics = statistics
        self._reporter = reporter
        self._perceiver = perceiver
        self._due_s = 0.0

    def process(self, raw: RawFrame) -> None:
        """Work on one frame; never raises."""
        try:
            self._process(raw)
        except Exception as error:  # the node outlives whatever one frame brings
            self._reporter.bad_frame(error)

    def _process(self, raw: RawFrame) -> None:
        start_s = time.monotonic()
        settings = self._environment.settings()
        if reason := self._reason_to_pass(settings, start_s):
            self._reporter.drop(reason)
            return
        stamp = Time.from_msg(raw.image.header.stamp, clock_type=self._clock.clock_type)
        self._check_age(stamp, settings.max_frame_age)
        frame = self._perceiver.read(raw.image, raw.depth, raw.camera_info, settings)
        found = self._perceiver.perceive(
            frame,
            self._environment.engine(),
            settings,
            lambda header: self._pose(settings.fixed_frame, header),
        )
        self._publish(frame, found, settings)
        self._statistics.published(self._age_s(stamp), time.monotonic() - start_s)

    def _reason_to_pass(self, settings: PerceptionSettings, now_s: float) -> Drop | None:
        """Why a good frame is not worked on, if there is a reason."""
        if not self._environment.enabled():
            return Drop.DISABLED
        if not (self._outputs.wanted or settings.publish_tf):
            return Drop.NO_LISTENER
        if settings.max_rate:
            if now_s < self._due_s:
                return Drop.RATE_LIMIT
            period_s = 1 / settings.max_rate
            # On a grid, so that the mean rate is the one asked for; after a pause a new one begins.
            on_grid = now_s - self._due_s < period_s
            self._due_s = (self._due_s if on_grid else now_s) + period_s
        return None

    def _check_age(self, stamp: Time, max_age_s: float) -> None:
        age_s = self._age_s(stamp)
        if 0 < max_age_s < age_s:
            raise BadFrameError(
                Drop.TOO_OLD,
                f'frame is {age_s:.3f} s old, max_frame_age is {max_age_s}: check the clocks, or allow more',
            )

    def _publish(self, frame: RgbdFrame, found: Prediction, settings: PerceptionSettings) -> None:
        """Publish images of the camera's frame, and frames in the target's."""
        header, placed = frame.header, found.frames
        if settings.target_frame:
            T_target_camera = self._pose(settings.target_frame, header)
            header = Header(stamp=header.stamp, frame_id=settings.target_frame)
            placed = [one.transformed(T_target_camera) for one in placed]
        self._outputs.publish(frame, found, header, placed, skip=() if settings.overlay else ('~/overlay',))
        if settings.publish_tf:
            self._environment.transforms().broadcast(header, placed)

    def _pose(self, target: str, header: Header) -> np.ndarray:
        """Of the frame of a header in another frame."""
        timeout_s = self._environment.settings().tf_timeout
        return self._environment.transforms().T_target_source(target, header, timeout_s)

    def _age_s(self, stamp: Time) -> float:
        return (self._clock.now() - stamp).nanoseconds * NS
