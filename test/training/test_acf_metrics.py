import math

import numpy as np
import pytest

from dense_descriptor_ros.training.metrics.acf_metrics import (
    acf_metrics,
    frame_errors,
    operating_point,
    outcomes,
    precision_recall,
)
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame
from dense_descriptor_ros.training.metrics.truth import TrueFrame

IMAGE = (0, 0)


def true(x_mm, required=True, axis=(0, 0, 1), part='body'):
    return TrueFrame(part, 0, np.array([x_mm, 0.0, 1000.0]), np.array(axis, float), required, 1.0, 0.0)


def predicted(x_mm, score, axis=(0, 0, 1), part='body'):
    return PredictedFrame(part, score, np.array([x_mm, 0.0, 1000.0]), np.array(axis, float))


def tilted(angle_deg):
    return (math.sin(math.radians(angle_deg)), 0, math.cos(math.radians(angle_deg)))


def curve(truths, predictions, t_mm=20.0, r_deg=10.0):
    return precision_recall({IMAGE: truths}, {IMAGE: predictions}, 'body', t_mm, r_deg)


def figures(truths, predictions):
    return operating_point(outcomes({IMAGE: truths}, {IMAGE: predictions}, 'body'))


def test_perfect_predictions_have_an_average_precision_of_one():
    assert curve([true(0), true(200)], [predicted(0, 0.9), predicted(200, 0.2)]).area == pytest.approx(1)


def test_average_precision_by_hand():
    # Right, wrong, right of three required: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
    result = curve(
        [true(0), true(200), true(400)], [predicted(0, 0.9), predicted(700, 0.8), predicted(200, 0.7)]
    )
    np.testing.assert_array_equal(result.hits, [True, False, True])
    np.testing.assert_allclose(result.precision, [1, 1 / 2, 2 / 3])
    assert result.area == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_the_envelope_lifts_precision_that_rises_again():
    # Wrong, right, right of two: precision 0, 1/2, 2/3; the envelope is 2/3 throughout.
    result = curve([true(0), true(200)], [predicted(700, 0.9), predicted(0, 0.8), predicted(200, 0.7)])
    assert result.area == pytest.approx(2 / 3)


def test_a_duplicate_is_wrong():
    result = curve([true(0), true(200)], [predicted(0, 0.9), predicted(1, 0.8)])
    np.testing.assert_array_equal(result.hits, [True, False])


def test_a_prediction_on_a_frame_that_is_not_required_counts_neither_way():
    truths = [true(0), true(300, required=False)]
    near, beyond_the_thresholds = predicted(301, 0.9), predicted(380, 0.8)
    result = curve(truths, [near, beyond_the_thresholds, predicted(0, 0.7)])
    np.testing.assert_array_equal(result.hits, [True])
    assert result.area == pytest.approx(1)


def test_a_required_frame_within_the_thresholds_goes_before_a_nearer_one_that_is_not():
    result = curve([true(0, required=False), true(15)], [predicted(2, 0.9)])
    np.testing.assert_array_equal(result.hits, [True])


@pytest.mark.parametrize(('angle_deg', 'hit'), [(9.9, True), (10.1, False), (180, False)])
def test_the_angle_is_signed(angle_deg, hit):
    assert curve([true(0)], [predicted(0, 0.9, tilted(angle_deg))]).hits.tolist() == [hit]


def test_scores_rank_predictions_of_all_images_together():
    truth = {(0, 0): [true(0)], (0, 1): [true(0)]}
    found = {(0, 0): [predicted(0, 0.3)], (0, 1): [predicted(500, 0.9)]}
    result = precision_recall(truth, found, 'body', 20, 10)
    np.testing.assert_array_equal(result.scores, [0.9, 0.3])
    assert result.area == pytest.approx(1 / 2 * 1 / 2)


def test_without_required_frames_there_is_no_average_precision():
    assert math.isnan(curve([true(0, required=False)], []).area)
    assert curve([true(0)], []).area == 0


def test_operating_point_by_hand():
    truths = [true(0), true(300), true(600), true(900, required=False)]
    found = [
        predicted(10, 0.9),
        predicted(330, 0.8, tilted(8)),  # found, by 10 and 30 mm
        predicted(1500, 0.7),  # false alarm
        predicted(900, 0.6),  # on what is not required: neither way
        predicted(600, 0.4),  # below the operating score: a miss
    ]
    row = figures(truths, found)
    assert (row['required'], row['found'], row['false_alarms']) == (3, 2, 1)
    assert row['recall'] == pytest.approx(2 / 3)
    assert row['precision'] == pytest.approx(2 / 3)
    assert row['origin_mm_p50'] == pytest.approx(20)
    assert row['origin_mm_p90'] == pytest.approx(28)
    assert row['axis_deg_p50'] == pytest.approx(4)
    assert row['acc_gt_20mm_10deg'] == pytest.approx(1 / 3)
    assert row['acc_tp_20mm_10deg'] == pytest.approx(1 / 2)
    assert row['acc_gt_50mm_10deg'] == pytest.approx(2 / 3)


def test_pairs_form_nearest_first_and_one_to_one():
    # The second prediction is nearer to both; the first gets what is left.
    results = outcomes({IMAGE: [true(0), true(50)]}, {IMAGE: [predicted(30, 0.9), predicted(5, 0.8)]}, 'body')
    assert sorted(round(result.origin_mm) for result in results) == [5, 20]


def test_beyond_the_gate_nothing_pairs():
    row = figures([true(0)], [predicted(100, 0.9)])
    assert (row['found'], row['false_alarms']) == (0, 1)
    assert figures([true(0)], [predicted(99, 0.9)])['found'] == 1


def test_a_prediction_that_is_not_finite_is_wrong_not_fatal():
    distances, angles = frame_errors(predicted(math.nan, 0.9), [true(0)])
    assert (distances[0], angles[0]) == (math.inf, 180)
    assert figures([true(0)], [predicted(math.nan, 0.9)])['false_alarms'] == 1


def test_metrics_cover_every_part_and_images_without_predictions():
    truth = {(0, 0): [true(0), true(0, part='handle')], (0, 1): [true(0)]}
    result = acf_metrics(truth, {(0, 0): [predicted(0, 0.9)]}, np.array([0.1, 0.3]))
    assert list(result['parts']) == ['body', 'handle']
    assert result['images'] == 2
    assert result['time_s']['p50'] == pytest.approx(0.2)
    assert result['parts']['body']['ap_20mm_10deg'] == pytest.approx(0.5)
    assert result['parts']['handle']['recall'] == 0
    assert math.isnan(result['parts']['handle']['precision'])
