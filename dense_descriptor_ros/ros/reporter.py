"""Counts what goes wrong and tells it, but the same thing only once in a while."""

import threading
import time
import traceback
from collections.abc import Callable, Hashable

from rclpy.impl.rcutils_logger import RcutilsLogger

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.ros.drops import Drop, reason_of
from dense_descriptor_ros.ros.frame_statistics import Statistics

BAD_FRAME_PERIOD_S = 5.0
SILENCE_PERIOD_S = 30.0


class Throttle:
    """Lets each key through once a period. Thread-safe."""

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[Hashable, float] = {}

    def allows(self, key: Hashable) -> bool:
        """Whether the key's last time is a period ago."""
        with self._lock:
            now = self._clock()
            if now - self._last.get(key, float('-inf')) < self._period_s:
                return False
            self._last[key] = now
            return True


class Reporter:
    """Statistics for /diagnostics and, for what somebody has to act on, a line in the log."""

    def __init__(self, logger: RcutilsLogger, statistics: Statistics) -> None:
        self._logger = logger
        self._statistics = statistics
        self._bad_frames = Throttle(BAD_FRAME_PERIOD_S)
        self._silence = Throttle(SILENCE_PERIOD_S)

    def drop(self, reason: Drop, message: str = '') -> None:
        """A frame gave no result."""
        self._statistics.dropped(reason, message if reason.is_fault else '')
        if reason.is_fault and self._bad_frames.allows(reason):
            self._logger.warning(f'frame skipped ({reason.value}): {message}')

    def bad_frame(self, error: Exception) -> None:
        """Working on a frame raised this; the trace of a defect goes to the log."""
        reason = reason_of(error)
        if reason is not Drop.FAILURE:
            self.drop(reason, str(error))
            return
        message = f'{type(error).__name__}: {error}'
        self._statistics.dropped(reason, message)
        if self._bad_frames.allows(reason):
            trace = ''.join(traceback.format_exception(error))
            self._logger.error(f'frame skipped ({reason.value}): {message}\n{trace}')

    def failed_step(self, step: str, error: Exception) -> None:
        """A lifecycle transition did not work; the trace is logged unless the error is for the user."""
        expected = isinstance(error, DenseDescriptorError)
        message = str(error) if expected else f'{type(error).__name__}: {error}'
        self._statistics.failed(message)
        trace = [] if expected else traceback.format_exception(error)
        self._logger.error('\n'.join([f'{step} failed: {message}', *trace]))

    def silence(self, topic: str, message: str) -> None:
        """An input is missing."""
        self._statistics.failed(message)
        if self._silence.allows(topic):
            self._logger.warning(message)
