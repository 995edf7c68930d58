import math

import numpy as np
import pytest

from dense_descriptor_ros.training.metrics.acf_metrics import Outcome
from dense_descriptor_ros.training.metrics.breakdown import CONDITIONS, breakdown
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame
from dense_descriptor_ros.training.metrics.truth import TrueFrame
from dense_descriptor_ros.training.report.cases import all_cases, kind_and_cost, worst_cases

VISIBLE, POSE, DISTANCE, HANDLE, TEXTURE = CONDITIONS


def true(visible=1.0, tilt_deg=0.0, distance_mm=600.0, part='body', **rest):
    origin, axis = np.array([0, 0, distance_mm]), np.array([0, 0, 1.0])
    return TrueFrame(part, 0, origin, axis, True, visible, tilt_deg, **rest)


def outcome(truth=None, score=None, origin_mm=math.nan, axis_deg=math.nan):
    found = None if score is None else PredictedFrame('body', score, np.zeros(3), np.array([0, 0, 1.0]))
    return Outcome((0, 0), truth, found, origin_mm, axis_deg)


def test_each_bin_has_its_own_accuracy():
    results = [
        outcome(true(visible=1.0), 0.9, 5, 3),
        outcome(true(visible=0.95), 0.9, 25, 3),
        outcome(true(visible=0.3)),
        outcome(None, 0.9),
    ]
    rows = breakdown(results, VISIBLE)
    assert rows['95-100 %'] == {'required': 2, 'recall': 1, 'acc_gt_20mm_10deg': 0.5}
    assert rows['10-40 %'] == {'required': 1, 'recall': 0, 'acc_gt_20mm_10deg': 0}
    assert rows['40-70 %']['required'] == 0
    assert math.isnan(rows['40-70 %']['recall'])


@pytest.mark.parametrize(
    ('condition', 'truth', 'label'),
    [
        (POSE, true(tilt_deg=29), 'upright'),
        (POSE, true(tilt_deg=90), 'lying'),
        (POSE, true(tilt_deg=180), 'upside down'),
        (DISTANCE, true(distance_mm=499), '< 0.5 m'),
        (DISTANCE, true(distance_mm=1000), '> 1 m'),
        (HANDLE, true(handle_px=24), 'hidden'),
        (HANDLE, true(handle_px=25), 'in sight'),
        (TEXTURE, true(texture=6.0), 'strong'),
    ],
)
def test_frames_fall_into_their_bin(condition, truth, label):
    rows = breakdown([outcome(truth)], condition)
    assert [name for name, row in rows.items() if row['required']] == [label]


@pytest.mark.parametrize(
    ('result', 'expected'),
    [
        (outcome(true(visible=0.4)), ('missed', 0.4)),
        (outcome(None, 0.7), ('false alarm', 0.7)),
        (outcome(true(), 0.9, 5, 175), ('mirrored', 175)),
        (outcome(true(), 0.9, 60, 20), ('keypoint', 3)),
        (outcome(true(), 0.9, 60, 40), ('axis', 4)),
        (outcome(true(), 0.9, 19, 9), None),
    ],
)
def test_kinds_of_errors(result, expected):
    assert kind_and_cost(result, []) == expected


def test_a_keypoint_on_another_part_is_told_from_a_false_alarm():
    handle = outcome(true(part='handle', distance_mm=10.0), 0.9, 1, 1)
    alarm = outcome(None, 0.7)  # at the camera's origin, 10 mm from the handle
    cases = all_cases({'handle': [handle], 'body': [alarm]})
    assert [(case.part, case.kind, case.cost) for case in cases] == [('body', 'wrong part', 0.7)]
    assert kind_and_cost(alarm, [true(part='handle', distance_mm=21.0)]) == ('false alarm', 0.7)


def test_the_worst_of_each_kind_come_in_turn():
    misses = [outcome(true(visible=v)) for v in (0.2, 0.9, 0.5)]
    cases = worst_cases(all_cases({'body': [*misses, outcome(None, 0.6), outcome(true(), 0.9, 1, 1)]}), 3)
    assert [(case.kind, case.cost) for case in cases] == [
        ('missed', 0.9),
        ('false alarm', 0.6),
        ('missed', 0.5),
    ]
