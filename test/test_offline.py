"""The node's work on recorded messages: what is found and what is dropped."""

from typing import Any

import numpy as np
import pytest
from tiny_bag import (
    CAMERA_INFO,
    DEPTH,
    IMAGE,
    MS,
    PERIOD_NS,
    START_NS,
    TRANSPORT_NS,
    Entry,
    FakeEngine,
    frame,
    frames,
    header,
    spoil,
)

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.offline import Found, OfflinePerception
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.settings import PerceptionSettings

NAMES = {IMAGE: 'image', DEPTH: 'depth', CAMERA_INFO: 'camera_info'}


class Bench:
    """A perception that is fed with recorded messages."""

    def __init__(self, **settings: Any) -> None:
        self.engine = FakeEngine()
        self.told: list[str] = []
        self.perception = OfflinePerception(self.engine, PerceptionSettings(**settings), self.told.append)

    def feed(self, entries: list[Entry]) -> list[Found]:
        taken = [self.perception.take(NAMES[topic], time_ns, message) for topic, time_ns, message in entries]
        self.perception.finish()
        return [found for found in taken if found is not None]


def test_every_frame_gives_a_result_at_the_time_of_its_image() -> None:
    bench = Bench()
    found = bench.feed(frames(12))
    times = [START_NS + number * PERIOD_NS + TRANSPORT_NS + MS for number in range(12)]
    assert [one.time_ns for one in found] == times
    assert bench.perception.processed == bench.perception.images == len(bench.engine.calls) == 12
    assert not bench.perception.drops and not bench.told


def test_frames_below_the_threshold_and_beyond_the_number_are_left_out() -> None:
    [found] = Bench().feed(frame(0))
    assert [f.part for f in found.result.placed] == ['body', 'handle']
    [found] = Bench(score_threshold=0.0, max_instances=1).feed(frame(0))
    assert [f.part for f in found.result.found.frames] == ['body', 'handle']
    [found] = Bench(score_threshold=0.0).feed(frame(0))
    assert len(found.result.placed) == 3


def test_objects_keep_their_number_and_age() -> None:
    frames_by_image = [found.result.placed for found in Bench().feed(frames(3))]
    assert len({f.instance for placed in frames_by_image for f in placed}) == 1
    np.testing.assert_allclose([placed[0].age_s for placed in frames_by_image], [0, 0.1, 0.2], atol=1e-6)


def test_bad_frames_are_counted_and_the_first_of_a_reason_is_told() -> None:
    bench = Bench()
    found = bench.feed(
        [
            *[entry for entry in frame(0) if entry.topic != CAMERA_INFO],
            *frame(1),
            *spoil(2, IMAGE, encoding='yuv422'),
            *spoil(3, IMAGE, encoding='yuv422'),
            *spoil(4, DEPTH, height=24),
            *spoil(5, DEPTH, data=np.zeros(48 * 64 * 2, np.uint8)),
            *spoil(6, CAMERA_INFO, width=640),
            *spoil(7, DEPTH, header=header(0)),
            *frame(8),
            *frame(9)[:2],
        ]
    )
    assert [one.result.header.stamp.nanosec for one in found] == [100 * MS, 800 * MS]
    drops = bench.perception.drops
    assert drops == {
        Drop.CAMERA_INFO_MISSING: 1,
        Drop.IMAGE_ENCODING: 2,
        Drop.DEPTH_SIZE: 1,
        Drop.DEPTH_EMPTY: 1,
        Drop.CAMERA_INFO_SIZE: 1,
        Drop.IMAGE_UNPAIRED: 2,
        Drop.DEPTH_UNPAIRED: 1,
        Drop.STAMP_BACKWARDS: 1,
    }
    lost = sum(count for reason, count in drops.items() if reason.loses_image)
    assert bench.perception.images == bench.perception.processed + lost == 10
    assert len(bench.told) == len({reason for reason in drops if reason.is_fault})
    assert sum('yuv422' in sentence for sentence in bench.told) == 1


@pytest.mark.parametrize(
    ('error', 'reason', 'told'),
    [
        (InputError('too small'), Drop.REJECTED, '(rejected): too small'),
        (MemoryError('full'), Drop.OUT_OF_MEMORY, '(out_of_memory): full'),
        (ZeroDivisionError('zero'), Drop.FAILURE, 'ZeroDivisionError: zero'),
    ],
)
def test_inference_that_raises_costs_one_frame(error: Exception, reason: Drop, told: str) -> None:
    bench = Bench()
    bench.engine.error = error
    assert bench.feed(frame(0)) == []
    bench.engine.error = None
    assert len(bench.feed(frame(1))) == 1
    assert bench.perception.drops == {reason: 1}
    assert told in bench.told[0]


def test_slop_is_as_asked_for() -> None:
    late = spoil(1, DEPTH, header=header(START_NS + PERIOD_NS + 30 * MS))
    assert len(Bench(sync_slop=0.03).feed([*frame(0), *late])) == 2
    bench = Bench(sync_slop=0.029)
    assert len(bench.feed([*frame(0), *late])) == 1
    assert bench.perception.last_gap_s == pytest.approx(0.03)


def test_range_and_unit_of_depth_are_as_asked_for() -> None:
    bench = Bench(depth_scale=0.0001)
    bench.feed(frame(0))
    np.testing.assert_allclose(bench.engine.calls[0][1], 0.15, rtol=1e-6)
    bench = Bench(max_depth=1.4)
    bench.feed(frame(0))
    assert bench.perception.drops == {Drop.DEPTH_EMPTY: 1}
