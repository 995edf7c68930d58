"""Which images validate."""

from dataclasses import replace

import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.split import split_scenes
from dense_descriptor_ros.training.validation import mean_precision, spread_views


@pytest.mark.parametrize(
    ('count', 'expected'),
    [(3, [0, 3, 6]), (6, [0, 1, 3, 5, 6, 8]), (10, list(range(10))), (99, list(range(10)))],
)
def test_views_are_spread_over_all_of_them(count, expected):
    assert spread_views(list(range(10)), count) == expected


def test_the_last_scenes_validate(tmp_path):
    dataset = open_bop(write_tiny_bop(tmp_path), 'test')
    for share in (0.01, 0.5, 0.99):
        train, validation = split_scenes(dataset, share)
        assert (list(train.scenes), list(validation.scenes)) == ([0], [1])
    with pytest.raises(DatasetError, match='1 scene, expected two or more'):
        split_scenes(replace(dataset, scenes={0: dataset.scenes[0]}), 0.5)


@pytest.mark.parametrize(
    ('metrics', 'expected'),
    [
        ({'ap_20mm_10deg/body': 0.2, 'ap_20mm_10deg/handle': 0.6, 'origin_mm_p50/body': 9.0}, 0.4),
        ({'ap_20mm_10deg/body': 0.2, 'ap_20mm_10deg/handle': float('nan')}, 0.2),
        ({'ap_20mm_10deg/body': float('nan')}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_score_is_the_mean_of_the_precisions_that_are_known(metrics, expected):
    assert mean_precision(metrics) == pytest.approx(expected)
