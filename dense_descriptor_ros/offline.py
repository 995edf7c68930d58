"""The node's work on recorded messages, without a node: one frame after the other, and every one."""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dense_descriptor_ros.bag_messages import as_ros2
from dense_descriptor_ros.frames import Infers
from dense_descriptor_ros.ros.drops import BadFrameError, Drop, reason_of
from dense_descriptor_ros.ros.perceive import Perceiver
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.sync import Stream, Synchroniser, stamp_ns
from dense_descriptor_ros.ros.topics import Result

STREAMS = {stream.topic: stream for stream in Stream}


class Recorded(NamedTuple):
    """An image or depth, and when the recorder received it."""

    time_ns: int
    message: Any


class Found(NamedTuple):
    """What was found in an image, and when the recorder received that."""

    time_ns: int
    result: Result


class OfflinePerception:
    """Takes messages in the order of their recording, as the node takes them from its topics.

    A frame that cannot be used is counted under its reason and skipped; the first one of each reason is told.
    """

    def __init__(self, engine: Infers, settings: PerceptionSettings, tell: Callable[[str], object]) -> None:
        self._engine = engine
        self._settings = settings
        self._tell = tell
        self._camera_info: Any = None
        self._synchroniser: Synchroniser[Recorded] = Synchroniser(self._drop)
        self._perceiver = Perceiver()
        self.drops: Counter[Drop] = Counter()
        self.images = 0
        """Taken; each one is processed, dropped or waits for its depth."""
        self.processed = 0

    @property
    def last_gap_s(self) -> float | None:
        """Between the stamps of the last image or depth and of the nearest of the other; None without one."""
        return self._synchroniser.last_gap_s

    def take(self, name: str, time_ns: int, message: Any) -> Found | None:
        """Take a message; what was found, if a frame is complete by it and can be used.

        Args:
            name: of the input: image, depth or camera_info.
            time_ns: when the message was recorded.
            message: of ROS 1 or 2.
        """
        if name == 'camera_info':
            self._camera_info = message
            return None
        self.images += name == 'image'
        recorded = Recorded(time_ns, message)
        slop_s = self._settings.sync_slop
        pair = self._synchroniser.add(STREAMS[name], stamp_ns(message.header), recorded, slop_s)
        return pair and self._attempt(*pair)

    def finish(self) -> None:
        """Count what still waits for its partner."""
        self._synchroniser.give_up()

    def _attempt(self, image: Recorded, depth: Recorded) -> Found | None:
        try:
            found = Found(image.time_ns, self._process(image.message, depth.message))
        except Exception as error:  # as in the node: one frame should not end the work on all the others
            reason = reason_of(error)
            self._drop(reason, traceback.format_exc() if reason is Drop.FAILURE else str(error))
            return None
        self.processed += 1
        return found

    def _process(self, image: Any, depth: Any) -> Result:
        if self._camera_info is None:
            raise BadFrameError(Drop.CAMERA_INFO_MISSING, 'no camera_info was recorded before the image')
        frame = self._perceiver.read(image, depth, self._camera_info, self._settings)
        frame = replace(frame, header=as_ros2(frame.header, 'std_msgs/msg/Header'))
        found = self._perceiver.perceive(frame, self._engine, self._settings, no_tf)
        return Result(frame, found, frame.header, found.frames)

    def _drop(self, reason: Drop, message: str) -> None:
        self.drops[reason] += 1
        if reason.is_fault and self.drops[reason] == 1:
            self._tell(f'frame skipped ({reason.value}): {message}')


def no_tf(header: Any) -> np.ndarray:
    """Raise BadFrameError: a fixed frame cannot be had."""
    raise BadFrameError(Drop.TRANSFORM, 'fixed_frame needs tf, which is not read from recordings')
