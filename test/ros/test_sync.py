"""Pairing of image and depth by stamps."""

from collections import Counter
from types import SimpleNamespace

import pytest

from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.sync import Stream, Synchroniser, stamp_ns

MS = 10**6
SLOP_S = 0.02


class Bench:
    """Messages are named by stream and stamp, such as `i100`."""

    def __init__(self, capacity: int = 8) -> None:
        self.drops: Counter[Drop] = Counter()
        self.sentences: list[str] = []
        self.synchroniser: Synchroniser[str] = Synchroniser(self.report, capacity)

    def report(self, reason: Drop, sentence: str) -> None:
        self.drops[reason] += 1
        self.sentences += [sentence] if sentence else []

    def feed(self, *names: str) -> list[tuple[str, str]]:
        pairs = []
        for name in names:
            stream = Stream.IMAGE if name[0] == 'i' else Stream.DEPTH
            pairs.append(self.synchroniser.add(stream, int(name[1:]) * MS, name, SLOP_S))
        return [pair for pair in pairs if pair]


@pytest.mark.parametrize('order', [('i100', 'd100'), ('d100', 'i100')])
def test_pair_is_image_then_depth_whichever_came_first(order: tuple[str, str]) -> None:
    assert Bench().feed(*order) == [('i100', 'd100')]


@pytest.mark.parametrize(('gap_ms', 'pairs'), [(0, 1), (19, 1), (20, 1), (21, 0)])
def test_slop_is_inclusive(gap_ms: int, pairs: int) -> None:
    assert len(Bench().feed('i100', f'd{100 + gap_ms}')) == pairs


def test_slop_in_seconds_means_whole_nanoseconds() -> None:
    for gap_ms in range(100):
        stamp = gap_ms * MS
        for gap_ns, paired in ((stamp, True), (stamp + 1, False)):
            synchroniser = Bench().synchroniser
            synchroniser.add(Stream.IMAGE, 0, 'i', gap_ms / 1000)
            assert (synchroniser.add(Stream.DEPTH, gap_ns, 'd', gap_ms / 1000) is not None) == paired


def test_what_waits_at_the_end_is_counted() -> None:
    bench = Bench()
    bench.feed('i100', 'i200', 'd300')
    bench.synchroniser.give_up()
    assert bench.drops == {Drop.IMAGE_UNPAIRED: 2, Drop.DEPTH_UNPAIRED: 1}
    assert bench.feed('d200') == []


def test_stamp_may_be_negative() -> None:
    stamp = SimpleNamespace(sec=-2, nanosec=500_000_000)
    assert stamp_ns(SimpleNamespace(stamp=stamp)) == -1_500_000_000


def test_nearest_is_taken() -> None:
    bench = Bench()
    assert bench.feed('i85', 'i100', 'i118', 'd103') == [('i100', 'd103')]
    assert bench.drops == {Drop.IMAGE_UNPAIRED: 1}
    assert bench.feed('d120') == [('i118', 'd120')]


def test_streams_of_different_rates() -> None:
    bench = Bench()
    names = [f'd{t}' for t in range(0, 400, 33)] + [f'i{t}' for t in range(0, 400, 99)]
    pairs = bench.feed(*sorted(names, key=lambda name: (int(name[1:]), name)))
    assert pairs == [(f'i{t}', f'd{t}') for t in range(0, 400, 99)]
    assert set(bench.drops) == {Drop.DEPTH_UNPAIRED}


def test_equal_stamps_of_a_driver_without_clock() -> None:
    assert Bench().feed('i0', 'd0', 'i0', 'd0') == [('i0', 'd0')] * 2


def test_a_stream_without_partner_does_not_grow() -> None:
    bench = Bench(capacity=3)
    assert bench.feed(*(f'i{100 * k}' for k in range(10))) == []
    assert bench.drops == {Drop.IMAGE_UNPAIRED: 7}
    assert bench.feed('d900') == [('i900', 'd900')]
    assert bench.drops == {Drop.IMAGE_UNPAIRED: 9}


def test_jump_back_restarts_and_goes_on() -> None:
    bench = Bench()
    bench.feed('i5000', 'd5000', 'i5100')
    assert bench.feed('i100', 'd100', 'i200', 'd200') == [('i100', 'd100'), ('i200', 'd200')]
    assert bench.drops == {Drop.STAMP_BACKWARDS: 1, Drop.IMAGE_UNPAIRED: 1}
    assert 'image went back by 5.000 s' in bench.sentences[0]


def test_last_gap_tells_why_nothing_pairs() -> None:
    bench = Bench()
    bench.feed('i100')
    assert bench.synchroniser.last_gap_s is None
    bench.feed('d350')
    assert bench.synchroniser.last_gap_s == pytest.approx(0.25)
