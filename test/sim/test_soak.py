"""Figures of an endurance run, from samples of known course."""

from dataclasses import replace

import pytest

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.sim.soak import Sample, endurance, main, sample

FIRST = Sample(100.0, 500.0, 80.0, 120.0, 30.0, 9.0, 0, 0, 0)


def course(memory_mb_per_hour: float = 0.0, lost_a_sample: int = 0, seconds: int = 620) -> list[Sample]:
    """A sample each second: 30 images received, 9 processed, the rest dropped but for those lost."""
    return [
        replace(
            FIRST,
            time_s=FIRST.time_s + k,
            # while it warms up it grows fast
            memory_mb=500 + min(k, 20) * 5 + memory_mb_per_hour * max(k - 20, 0) / 3600,
            received=30 * k + 2,
            processed=9 * k,
            dropped=(21 - lost_a_sample) * k,
        )
        for k in range(seconds)
    ]


def test_a_steady_node_has_no_complaint() -> None:
    figures = endurance(course())
    assert figures.memory_growth_percent_per_hour == pytest.approx(0, abs=1e-9)
    assert figures.memory_mb == (600, 600)
    assert figures.minutes == pytest.approx(599 / 60)
    assert (figures.received, figures.processed, figures.dropped) == (30 * 619 + 2, 9 * 619, 21 * 619)
    assert figures.most_in_work == 2
    assert figures.complaints() == []


def test_a_leak_is_a_complaint() -> None:
    figures = endurance(course(memory_mb_per_hour=600))
    assert figures.memory_growth_percent_per_hour == pytest.approx(100)
    assert 'memory grows by 100.0 % an hour' in figures.complaints()[0]


def test_growth_within_the_noise_of_a_short_run_is_none() -> None:
    assert endurance(course(memory_mb_per_hour=20)).complaints() == []


def test_lost_images_are_a_complaint() -> None:
    assert endurance(course(lost_a_sample=1)).complaints() == [
        '621 images were neither processed nor dropped'
    ]


def test_nothing_processed_is_a_complaint() -> None:
    samples = [replace(one, processed=0, dropped=one.received) for one in course()]
    assert endurance(samples).complaints() == ['no image was processed']


def test_too_short_a_run_is_an_error() -> None:
    with pytest.raises(DenseDescriptorError, match='give more --minutes'):
        endurance(course(seconds=22))


def test_a_sample_is_read_by_its_keys() -> None:
    values = {
        'state': 'active', 'memory_mb': '512', 'latency_p50_ms': '80.5', 'latency_p95_ms': '120.5',
        'image_hz': '29.8', 'output_hz': '9.2', 'images_received': '30', 'images_processed': '9',
        'images_dropped': '20',
    }  # fmt: skip
    assert sample(1.0, values) == Sample(1.0, 512, 80.5, 120.5, 29.8, 9.2, 30, 9, 20)
    assert sample(1.0, values).in_work == 1


def test_impossible_options_are_named() -> None:
    with pytest.raises(SystemExit, match='--minutes 0'):
        main(['--minutes', '0'])
