"""Pairs images with depth by their stamps."""

from collections import deque
from enum import IntEnum
from typing import Any, Generic, TypeVar

from dense_descriptor_ros.ros.drops import Drop, ReportDrop

Message = TypeVar('Message')
NS = 1e-9


class Stream(IntEnum):
    """The two streams that are paired."""

    IMAGE = 0
    DEPTH = 1

    @property
    def topic(self) -> str:
        """Name of its topic."""
        return self.name.lower()


UNPAIRED = {Stream.IMAGE: Drop.IMAGE_UNPAIRED, Stream.DEPTH: Drop.DEPTH_UNPAIRED}


def stamp_ns(header: Any) -> int:
    """The stamp of a header; rclpy's Time has no negative ones."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


class Synchroniser(Generic[Message]):
    """Approximate synchroniser of two streams, each in order of its stamps.

    A message is paired at once with the nearest one of the other stream within the slop, and what is older in
    either stream is given up; so is the oldest when more than `capacity` wait. The slop should be less than
    half the period of the faster stream. Not thread-safe: one executor thread calls it.
    """

    def __init__(self, report: ReportDrop, capacity: int = 8) -> None:
        self._report = report
        self._capacity = capacity
        self._waiting: dict[Stream, deque[tuple[int, Message]]] = {stream: deque() for stream in Stream}
        self._newest_ns: dict[Stream, int] = {}
        self.last_gap_s: float | None = None
        """Between the newest message and the nearest of the other stream; None if there was none."""

    def add(
        self, stream: Stream, stamp_ns: int, message: Message, slop_s: float
    ) -> tuple[Message, Message] | None:
        """Take a message; the (image, depth) pair that it completes, if it does."""
        newest_ns = self._newest_ns.get(stream, stamp_ns)
        if stamp_ns < newest_ns:
            self._restart(stream, (newest_ns - stamp_ns) * NS)
        self._newest_ns[stream] = stamp_ns
        other = Stream.DEPTH if stream is Stream.IMAGE else Stream.IMAGE
        partner = min(self._waiting[other], key=lambda item: abs(item[0] - stamp_ns), default=None)
        self.last_gap_s = abs(partner[0] - stamp_ns) * NS if partner else None
        if partner is None or abs(partner[0] - stamp_ns) > round(slop_s / NS):
            self._wait(stream, stamp_ns, message)
            return None
        self._give_up_to(partner[0], other, spare=partner)
        self._give_up_to(stamp_ns, stream)
        return (message, partner[1]) if stream is Stream.IMAGE else (partner[1], message)

    def give_up(self) -> None:
        """Drop all that waits: no more will come."""
        for stream in Stream:
            self._give_up_to(self._newest_ns.get(stream, 0), stream)

    def _wait(self, stream: Stream, stamp_ns: int, message: Message) -> None:
        waiting = self._waiting[stream]
        if len(waiting) == self._capacity:
            waiting.popleft()
            self._report(UNPAIRED[stream], '')
        waiting.append((stamp_ns, message))

    def _give_up_to(self, stamp_ns: int, stream: Stream, spare: tuple[int, Message] | None = None) -> None:
        """Drop what waits up to a stamp; `spare` leaves without being counted."""
        waiting = self._waiting[stream]
        while waiting and waiting[0][0] <= stamp_ns:
            if waiting.popleft() is not spare:
                self._report(UNPAIRED[stream], '')

    def _restart(self, stream: Stream, jump_s: float) -> None:
        self._report(
            Drop.STAMP_BACKWARDS,
            f'stamps of {stream.name.lower()} went back by {jump_s:.3f} s (a bag that '
            'loops, or two publishers on one topic): synchronisation starts anew',
        )
        self._newest_ns.clear()
        for each, waiting in self._waiting.items():
            for _ in waiting:
                self._report(UNPAIRED[each], '')
            waiting.clear()
