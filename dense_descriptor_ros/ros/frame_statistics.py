"""What went in, what came out and what was dropped, over the last seconds and in all."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.ros.drops import Drop

WINDOW_S = 5.0
"""Rates and percentiles are over this time."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the statistics at one moment."""

    input_hz: Mapping[str, float]
    """By topic."""
    received: Mapping[str, int]
    """Messages by topic since the node started."""
    processed: int
    """Results since the node started."""
    output_hz: float
    latency_s: tuple[float, float] | None
    """p50 and p95 from the stamp of the image to the publishing; None without output."""
    processing_s: tuple[float, float] | None
    """p50 and p95 from taking up a frame to the publishing; None without output."""
    drops: Mapping[Drop, int]
    """Since the node started."""
    new_faults: Mapping[Drop, int]
    """Drops for which somebody has to act, since the last snapshot."""
    last_error: str

    @property
    def dropped_images(self) -> int:
        """Images that gave no result. With those processed and in work they are all that were received."""
        return sum(count for reason, count in self.drops.items() if reason.loses_image)


class Statistics:
    """Thread-safe counters: callbacks and the worker write, the diagnostics timer reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._received: dict[str, deque[float]] = {}
        self._received_in_all: Counter[str] = Counter()
        self._processed = 0
        self._published: deque[tuple[float, float, float]] = deque()
        self._drops: Counter[Drop] = Counter()
        self._reported: Counter[Drop] = Counter()
        self._last_error = ''

    def received(self, topic: str) -> None:
        """A message came in."""
        with self._lock:
            times = self._received.setdefault(topic, deque())
            times.append(self._clock())
            self._received_in_all[topic] += 1
            self._forget_old(times, times[-1])

    def published(self, latency_s: float, processing_s: float) -> None:
        """A result went out."""
        with self._lock:
            self._published.append((self._clock(), latency_s, processing_s))
            self._processed += 1

    def dropped(self, reason: Drop, error: str = '') -> None:
        """A frame gave no result; `error` is kept as the last one."""
        with self._lock:
            self._drops[reason] += 1
            self._last_error = error or self._last_error

    def failed(self, error: str) -> None:
        """Something other than a frame went wrong."""
        with self._lock:
            self._last_error = error

    def snapshot(self) -> Snapshot:
        """Figures of this moment."""
        with self._lock:
            now = self._clock()
            for times in self._received.values():
                self._forget_old(times, now)
            while self._published and self._published[0][0] < now - WINDOW_S:
                self._published.popleft()
            new = self._drops - self._reported
            self._reported = self._drops.copy()
            return Snapshot(
                input_hz={topic: len(times) / WINDOW_S for topic, times in self._received.items()},
                received=dict(self._received_in_all),
                processed=self._processed,
                output_hz=len(self._published) / WINDOW_S,
                latency_s=_percentiles([latency for _, latency, _ in self._published]),
                processing_s=_percentiles([processing for _, _, processing in self._published]),
                drops=dict(self._drops),
                new_faults={r: n for r, n in new.items() if r.is_fault},
                last_error=self._last_error,
            )

    @staticmethod
    def _forget_old(times: deque[float], now: float) -> None:
        while times and times[0] < now - WINDOW_S:
            times.popleft()


def _percentiles(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return float(p50), float(p95)
