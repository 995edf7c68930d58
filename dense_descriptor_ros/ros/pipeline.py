"""From the messages of one frame to published results. Runs on the worker's thread."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from rclpy.clock import Clock
from rclpy.time import Time

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.ros.conversions import rgbd_frame
from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics
from dense_descriptor_ros.ros.inputs import RawFrame
from dense_descriptor_ros.ros.outputs import Outputs
from dense_descriptor_ros.ros.reporter import Reporter
from dense_descriptor_ros.ros.settings import PerceptionSettings

NS = 1e-9


class PerceptionEngine(Protocol):
    """What the node needs of `dense_descriptor_ros.engine.Engine`."""

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        """Frames and descriptors of one image."""


class Pipeline:
    """Converts, infers, publishes; a frame that cannot be used is reported and the next one taken."""

    def __init__(
        self,
        engine: PerceptionEngine,
        outputs: Outputs,
        settings: Callable[[], PerceptionSettings],
        clock: Clock,
        statistics: Statistics,
        reporter: Reporter,
    ) -> None:
        self._engine = engine
        self._outputs = outputs
        self._settings = settings
        self._clock = clock
        self._statistics = statistics
        self._reporter = reporter

    def process(self, raw: RawFrame) -> None:
        """Work on one frame; never raises."""
        try:
            self._process(raw)
        except BadFrameError as error:
            self._reporter.drop(error.reason, str(error))
        except InputError as error:
            self._reporter.drop(Drop.REJECTED, str(error))
        except Exception as error:  # the node outlives whatever one frame brings
            self._reporter.failure(error)

    def _process(self, raw: RawFrame) -> None:
        start = time.monotonic()
        settings = self._settings()
        if not self._outputs.wanted:
            self._reporter.drop(Drop.NO_LISTENER)
            return
        stamp = Time.from_msg(raw.image.header.stamp, clock_type=self._clock.clock_type)
        if 0 < settings.max_frame_age_s < self._age_s(stamp):
            raise BadFrameError(
                Drop.TOO_OLD,
                f'frame is {self._age_s(stamp):.3f} s old, max_frame_age_s is '
                f'{settings.max_frame_age_s}: check the clocks, or allow more',
            )
        frame = rgbd_frame(raw.image, raw.depth, raw.camera_info)
        found = self._engine.infer(frame.rgb, frame.depth_m, frame.K)
        frames = select(found.frames, settings.score_threshold, settings.max_instances)
        self._outputs.publish(frame, replace(found, frames=frames))
        self._statistics.published(self._age_s(stamp), time.monotonic() - start)

    def _age_s(self, stamp: Time) -> float:
        return (self._clock.now() - stamp).nanoseconds * NS


def select(
    frames: Sequence[AffordanceFrame], score_threshold: float, max_instances: int
) -> list[AffordanceFrame]:
    """Frames at or above the threshold, of the objects whose best frames score highest, in their order."""
    kept = [frame for frame in frames if frame.score >= score_threshold]
    best: dict[int, float] = {}
    for frame in kept:
        best[frame.instance] = max(frame.score, best.get(frame.instance, 0.0))
    instances = set(sorted(best, key=lambda instance: -best[instance])[:max_instances])
    return [frame for frame in kept if frame.instance in instances]
